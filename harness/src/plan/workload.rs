//! What allocates: a built-in workload with its parameters, or the user's own program.

use std::fmt;
use std::sync::Arc;

use arenalab_workloads::spec::Spec;

use super::program::Program;

/// A workload of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PlannedWorkload {
    /// One that comes with arenalab, run in the workload binary of the candidate's allocator.
    BuiltIn(Spec),
    /// The user's own program.
    Program(Arc<Program>),
}

impl PlannedWorkload {
    /// Its name without parameters, for directories and headings.
    pub fn name(&self) -> &str {
        match self {
            Self::BuiltIn(spec) => spec.name(),
            Self::Program(program) => &program.name,
        }
    }

    /// The most threads that can hold an arena at once, main thread included. Nobody knows it of a program:
    /// no limit on arenas is out of its reach.
    pub fn reach(&self, threads: u32) -> u32 {
        match self {
            Self::BuiltIn(spec) => spec.description().reach(threads),
            Self::Program(_) => u32::MAX,
        }
    }

    /// Whether the plan's thread counts reach it.
    pub fn has_threads(&self) -> bool {
        match self {
            Self::BuiltIn(_) => true,
            Self::Program(program) => program.uses_threads(),
        }
    }

    /// The program, where it is one.
    pub const fn program(&self) -> Option<&Arc<Program>> {
        match self {
            Self::BuiltIn(_) => None,
            Self::Program(program) => Some(program),
        }
    }
}

impl fmt::Display for PlannedWorkload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BuiltIn(spec) => spec.fmt(f),
            Self::Program(program) => f.write_str(&program.name),
        }
    }
}
