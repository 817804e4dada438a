//! Reads recordings, and trusts nothing that they say: every length is bounded, every number checked, and no
//! input makes it panic. What does not hold is told as [`Damage`], and the rest is read.

use std::fmt;
use std::path::PathBuf;
use std::string::String;
use std::vec::Vec;

mod events;
mod file;
mod order;
mod pack;
mod pull;
mod recording;
mod repair;
mod restart;
mod stream;
mod summary;
mod walk;

pub use events::{Events, Unread};
pub use file::{ChunkFacts, Facts, TraceFile};
pub use order::{Merge, Merged, Object, Order};
pub use pack::{Packed, compress};
pub use recording::{Recording, control_is_sound};
pub use summary::{Live, Spread, Summary, summarize};

/// A file that is no recording, or cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The system refused.
    #[error("failed to read {path}: {source}", path = path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is something else.
    #[error("{path} {why}", path = path.display())]
    Not {
        /// The file or directory.
        path: PathBuf,
        /// A clause with its verb.
        why: String,
    },
}

/// Where something in a file does not hold, and what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// Bytes from the start of the file.
    pub at: u64,
    /// One clause.
    pub what: String,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at byte {}: {}", self.at, self.what)
    }
}

/// Most damages of one file that are told one by one.
pub const MOST_DAMAGES: usize = 100;

/// Notes a damage, unless there are many already.
fn note(damages: &mut Vec<Damage>, at: u64, what: String) {
    if damages.len() < MOST_DAMAGES {
        damages.push(Damage { at, what });
    }
}
