//! What was read of the heaps of a user's own program from outside, part of a line of `trials.jsonl`. Sizes are in bytes;
//! what could not be seen is `null`, never 0.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The heaps of all processes of a program together, at one moment: of a service at the end of the counted work, of a batch
/// job at the last look before its end.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Heaps {
    /// When they were looked at, seconds since the trial was started; `null` where they were not.
    pub at_s: Option<f64>,
    /// The share of the counted work's time that had passed by then, 1 at its end.
    pub passed: Option<f64>,
    /// Processes that were looked at, the largest first.
    pub processes: u32,
    /// Those of them that glibc's malloc serves: the figures from `arenas` to `mmapped` are of these.
    pub of_glibc: u32,
    /// Processes that were not looked at.
    pub left_out: u32,
    /// Arenas.
    pub arenas: Option<u64>,
    /// What they have from the system.
    pub system: Option<u64>,
    /// In use in them, threads' caches included.
    pub in_use: Option<u64>,
    /// Free in them: free chunks, fast ones included, without tops.
    pub free: Option<u64>,
    /// How much of that is resident.
    pub free_resident: Option<u64>,
    /// Free chunks at their ends.
    pub top: Option<u64>,
    /// How much of these is resident.
    pub top_resident: Option<u64>,
    /// What `malloc_trim(0)` would have given back.
    pub trim_gives: Option<u64>,
    /// In threads' caches, which `in_use` counts too; `null` where a look at every chunk would have cost too much.
    pub tcache: Option<u64>,
    /// In blocks with a mapping of their own, by malloc's own count.
    pub mmapped: Option<u64>,
    /// Where resident memory is, of all processes that were looked at, whatever serves their malloc.
    pub rows: Vec<HeapRow>,
    /// Lists of free chunks that changed each time that they were read: free bytes are then at least what is said.
    pub torn: u64,
    /// CPU seconds that all looks of the trial took.
    pub cpu_s: f64,
    /// What could not be seen, and why, a sentence each.
    pub not_seen: Vec<String>,
}

/// Resident memory of one kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HeapRow {
    /// `main heap`, `thread arenas`, `mapped blocks`, `stacks`, `files`, `shared memory`, `other anonymous`.
    pub kind: String,
    /// In memory, the sum over processes: a page that several have mapped counts once for each.
    pub rss: u64,
    /// The same, but a page that n processes of the host have mapped counts as one n-th for each.
    pub pss: u64,
}
