//! What allocates: a built-in workload with its parameters, a model, or the user's own program.

use std::fmt;
use std::sync::Arc;

use arenalab_workloads::model::{self, Model};
use arenalab_workloads::spec::{Spec, SpecError};

use super::PlanError;
use super::program::Program;

/// A workload of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PlannedWorkload {
    /// One that comes with arenalab, run in the workload binary of the candidate's allocator.
    BuiltIn(Spec),
    /// The user's own program.
    Program(Arc<Program>),
    /// One that is described in a file, run in the same binaries. The content is part of the plan.
    Model(Arc<Model>),
    /// A model's file that is still to be read: this floor reads none.
    Unread(String),
}

impl PlannedWorkload {
    /// Reads `NAME[:PARAMETER=VALUE,...]` or `model:FILE`, whose file is left unread.
    ///
    /// # Errors
    /// One line.
    pub fn named(text: &str) -> Result<Self, String> {
        match text.trim().strip_prefix(model::PREFIX) {
            Some("") => Err("model: names no file; write model:FILE.toml".to_owned()),
            Some(file) => Ok(Self::Unread(file.to_owned())),
            None => text.parse().map(Self::BuiltIn).map_err(|why: SpecError| why.to_string()),
        }
    }

    /// A model from its content. `file` is its name.
    ///
    /// # Errors
    /// One line that begins with file and line.
    pub fn model(content: &str, file: &str) -> Result<Self, String> {
        let model = Model::from_text(content, file).map_err(|why| why.to_string())?;
        Ok(Self::Model(Arc::new(model)))
    }

    /// Its name without parameters, for directories and headings.
    pub fn name(&self) -> &str {
        match self {
            Self::BuiltIn(spec) => spec.name(),
            Self::Program(program) => &program.name,
            Self::Model(model) => model.name(),
            Self::Unread(file) => file,
        }
    }

    /// The most threads that can hold an arena at once, main thread included. Nobody knows it of a program:
    /// no limit on arenas is out of its reach.
    pub fn reach(&self, threads: u32) -> u32 {
        match self {
            Self::BuiltIn(spec) => spec.description().reach(threads),
            Self::Program(_) => u32::MAX,
            Self::Model(model) => model.reach(threads),
            Self::Unread(_) => threads,
        }
    }

    /// Whether the plan's thread counts reach it.
    pub fn has_threads(&self) -> bool {
        self.program().is_none_or(|program| program.uses_threads())
    }

    /// The program, where it is one.
    pub const fn program(&self) -> Option<&Arc<Program>> {
        match self {
            Self::Program(program) => Some(program),
            Self::BuiltIn(_) | Self::Model(_) | Self::Unread(_) => None,
        }
    }

    /// What the workload binary is told to run.
    pub fn args(&self) -> Vec<String> {
        let mut args = vec![self.to_string()];
        if let Self::Model(model) = self {
            args.extend(["--model".to_owned(), model.text().to_owned()]);
        }
        args
    }

    /// Its threads, where it says so itself.
    pub(super) fn own_threads(&self) -> Option<u32> {
        match self {
            Self::Model(model) => Some(model.threads()),
            Self::BuiltIn(_) | Self::Program(_) | Self::Unread(_) => None,
        }
    }

    /// Whether it is complete and can run with each of these numbers of threads.
    pub(super) fn check(&self, threads: &[u32]) -> Result<(), PlanError> {
        match self {
            Self::BuiltIn(_) | Self::Program(_) => Ok(()),
            Self::Model(model) => {
                let taken = threads.iter().try_for_each(|threads| model.takes(*threads));
                taken.map_err(|why| PlanError::new(why.to_string()))
            }
            Self::Unread(file) => Err(PlanError::new(format!("the model {file} has not been read"))),
        }
    }

    /// Whether a host with so much memory, in bytes, can hold it with so many threads.
    ///
    /// # Errors
    /// One line that says what it needs.
    pub fn fits(&self, threads: u32, memory: u64) -> Result<(), String> {
        match self {
            Self::Model(model) => model.fits(threads, memory).map_err(|why| why.to_string()),
            Self::BuiltIn(_) | Self::Program(_) | Self::Unread(_) => Ok(()),
        }
    }
}

impl fmt::Display for PlannedWorkload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BuiltIn(spec) => spec.fmt(f),
            Self::Program(program) => f.write_str(&program.name),
            Self::Model(model) => f.write_str(&model.canonical()),
            Self::Unread(file) => write!(f, "{}{file}", model::PREFIX),
        }
    }
}
