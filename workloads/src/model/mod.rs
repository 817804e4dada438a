//! Models: workloads that are described in a file and not coded.
//!
//! * `format`, `reader`, `quantity`: the file, with every mistake told by file and line.
//! * [`distribution`], [`sampler`]: sizes and lifetimes, as described and as drawn from.
//! * [`bound`]: the live bytes that a model implies, and what they stay below; `asked`: the bytes of each object.
//! * [`play`], `parts`: how the engine plays it, and what is prepared for that; `wheel` frees what is due, `inbox` takes objects from role to role.
//!
//! What a seat asks for follows from model, seed and seat alone. Time only says when: a role with a rate
//! waits for the intended start of each operation, and lives given in time are counted in operations at that rate.

mod asked;
pub mod bound;
pub mod distribution;
mod format;
mod inbox;
mod parts;
pub mod play;
mod quantity;
mod reader;
pub mod sampler;
mod seats;
mod wheel;

use std::path::Path;

use sha2::{Digest, Sha256};

use crate::object::Touch;
pub use bound::Bound;
pub use distribution::Distribution;
pub use reader::ModelError;

/// What stands before the file or the name: `model:FILE`.
pub const PREFIX: &str = "model:";

/// Largest file of a model, in bytes: it is handed over on a command line, which takes 128 KiB at most.
pub const MOST_TEXT: usize = 64 << 10;

/// The key `memory` where it is missing: 4 GiB.
pub const DEFAULT_MEMORY: u64 = 4 << 30;

/// A model as read and found sound.
#[derive(Clone, Debug)]
pub struct Model {
    name: String,
    text: String,
    /// The first twelve hexadecimal digits of the text's SHA-256.
    digest: String,
    /// What it stands for.
    pub description: String,
    /// What its live bytes may reach.
    pub memory: u64,
    /// The warm-up, as a share of the first phase.
    pub warmup: f64,
    /// Who works.
    pub roles: Vec<Role>,
    /// What they allocate.
    pub classes: Vec<Class>,
    /// When.
    pub phases: Vec<Phase>,
}

/// Threads that do the same.
#[derive(Clone, Debug, PartialEq)]
pub struct Role {
    /// Its name.
    pub name: String,
    /// Its threads, where the model runs with as many as it names.
    pub threads: u32,
    /// Operations a second, over all threads of the role; without, one follows the other at once.
    pub rate: Option<f64>,
    /// Operations after which a thread is replaced.
    pub lifetime: Option<u64>,
}

/// Objects of one kind.
#[derive(Clone, Debug, PartialEq)]
pub struct Class {
    /// Its name.
    pub name: String,
    /// The role whose threads allocate it: its owner.
    pub role: usize,
    /// How many an operation of the owner allocates, on average.
    pub per_op: f64,
    /// Bytes of each.
    pub size: Distribution,
    /// How long each lives.
    pub life: Life,
    /// The role that frees it, where that is not the owner.
    pub to: Option<usize>,
    /// The share that is handed there.
    pub handed: f64,
    /// What is written to it.
    pub touch: Touch,
    /// The call that makes it.
    pub call: Call,
}

/// How long objects live.
#[derive(Clone, Debug, PartialEq)]
pub enum Life {
    /// Operations of the owner.
    Ops(Distribution),
    /// Seconds of the owner's schedule.
    Time(Distribution),
    /// From the set-up to the drain: so many for each thread of the owner.
    Run(u64),
}

/// The call that makes an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// `malloc`.
    Malloc,
    /// `calloc`.
    Calloc,
    /// `aligned_alloc` with that alignment.
    Aligned(usize),
}

/// A part of the steady phase.
#[derive(Clone, Debug, PartialEq)]
pub struct Phase {
    /// Its name.
    pub name: String,
    /// How long it takes.
    pub length: Length,
    /// For each class, the factor on what is allocated in it.
    pub load: Vec<f64>,
    /// For each role, whether it is at work in it.
    pub active: Vec<bool>,
    /// Whether it is a burst: RSS before, in and after bursts are figures of their own.
    pub burst: bool,
}

/// How long a phase takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Length {
    /// Operations of each role, over its threads.
    Ops(u64),
    /// Seconds, at the rate of each role.
    Time(f64),
}

/// All that is read follows from name and text.
impl PartialEq for Model {
    fn eq(&self, other: &Self) -> bool {
        (&self.name, &self.text) == (&other.name, &other.text)
    }
}

impl Eq for Model {}

fn digest(text: &str) -> String {
    let first = Sha256::digest(text).iter().take(6).fold(0u64, |number, byte| number << 8 | u64::from(*byte));
    format!("{first:012x}")
}

impl Model {
    /// Reads a model from its text. `file` is its name, for messages and for the model's own.
    ///
    /// # Errors
    /// One line that begins with file and line.
    pub fn from_text(text: &str, file: &str) -> Result<Self, ModelError> {
        if text.len() > MOST_TEXT {
            let size = text.len();
            return Err(ModelError(format!("{file}: {size} bytes; a model has {MOST_TEXT} at most")));
        }
        format::read(text, file, stem(file))
    }

    /// Reads a model's file.
    ///
    /// # Errors
    /// One line that begins with the file's name.
    pub fn from_file(file: &str) -> Result<Self, ModelError> {
        let path = Path::new(file);
        let failed = |why: std::io::Error| ModelError(format!("failed to read the model {file}: {why}"));
        let size = std::fs::metadata(path).map_err(failed)?.len();
        if size > MOST_TEXT as u64 {
            return Err(ModelError(format!("{file}: {size} bytes; a model has {MOST_TEXT} at most")));
        }
        Self::from_text(&std::fs::read_to_string(path).map_err(failed)?, file)
    }

    /// Its name: the file's, without folder and ending.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The file's content.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The canonical form, `model:NAME@DIGEST`: two models of one name and different content differ in it.
    pub fn canonical(&self) -> String {
        format!("{PREFIX}{}@{}", self.name, self.digest)
    }

    /// Its threads where nothing else is said.
    pub fn threads(&self) -> u32 {
        self.roles.iter().map(|role| role.threads).sum()
    }

    /// The most threads that can hold an arena at once with so many seats, the main thread included.
    pub fn reach(&self, threads: u32) -> u32 {
        let overlap = if self.roles.iter().any(|role| role.lifetime.is_some()) { 2 } else { 1 };
        threads.saturating_mul(overlap).saturating_add(1)
    }

    /// Whether it can run with so many threads: every role needs one.
    ///
    /// # Errors
    /// One line.
    pub fn takes(&self, threads: u32) -> Result<(), ModelError> {
        let least = self.roles.len();
        if threads as usize >= least {
            return Ok(());
        }
        let canonical = self.canonical();
        Err(ModelError(format!(
            "{canonical} has {least} roles and needs as many threads; {threads} are too few"
        )))
    }

    /// Operations of a role, or of all, in a phase.
    fn ops(&self, phase: &Phase, role: Option<usize>) -> u64 {
        let of = |place: usize| {
            let works = phase.active[place] && self.classes.iter().any(|class| class.role == place);
            match phase.length {
                Length::Ops(ops) if works => ops,
                Length::Time(seconds) if works => {
                    (self.roles[place].rate.unwrap_or(0.0) * seconds).round().min(1e12) as u64
                }
                _ => 0,
            }
        };
        match role {
            Some(place) => of(place),
            None => (0..self.roles.len()).map(of).sum(),
        }
    }
}

/// A file's name without folder and ending, with anything but letters, digits, `-`, `_` and `.` replaced.
fn stem(file: &str) -> String {
    let last =
        Path::new(file).file_name().map(|last| last.to_string_lossy().into_owned()).unwrap_or_default();
    // The canonical form is no name of a file, but must give the same name again.
    let stem =
        last.split('@').next().unwrap_or_default().trim_start_matches(PREFIX).trim_end_matches(".toml");
    let fine = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '_' };
    let name: String = stem.chars().map(fine).take(40).collect();
    if name.is_empty() { "model".to_owned() } else { name }
}

#[cfg(test)]
mod tests;
