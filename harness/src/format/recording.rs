//! What stands beside the events of a recording: `recording.json`, a line of `outside.jsonl` for each process once a
//! second, and what `arenalab trace info --json` prints.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::manifest::Host;

/// `recording.json`: what was recorded, where, and how it was asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RecordingFacts {
    /// [`super::FORMAT`].
    pub format: u32,
    /// The version of arenalab.
    pub arenalab: String,
    /// The command, as it was given.
    pub command: Vec<String>,
    /// When it was started (UTC).
    pub started: String,
    /// One in so many objects is recorded; 1 for all. A recording of fewer than all cannot be replayed.
    pub sample: u32,
    /// How long it was to record, seconds; `null` for as long as the program runs.
    pub for_s: Option<f64>,
    /// How large the events were allowed to grow, bytes; `null` for no limit.
    pub max_size: Option<u64>,
    /// The host; `null` where it could not be read.
    pub host: Option<Host>,
}

/// What was seen of a process from outside, first and then once a second.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Outside {
    /// When (`CLOCK_MONOTONIC`, nanoseconds), as in the events.
    pub at_ns: u64,
    /// The process.
    pub pid: i32,
    /// Resident bytes (statm).
    pub rss: u64,
    /// Its threads.
    pub threads: u64,
    /// glibc's arenas, counted from its maps; `null` where glibc does not serve malloc, or they cannot be read.
    pub arenas: Option<u32>,
    /// What is told once of each program that a process runs.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub program: Option<ProgramFacts>,
}

/// A program that a process runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ProgramFacts {
    /// Its executable.
    pub exe: String,
    /// Its parent process.
    pub parent: i32,
    /// What serves malloc: `glibc`, `jemalloc`, `mimalloc`, `tcmalloc`, or `its own`; `null` where that is not known.
    pub allocator: Option<String>,
    /// Whether the executable defines malloc itself, so that nothing of it is recorded.
    pub own_malloc: bool,
    /// The allocator's or the C library's file.
    pub library: Option<String>,
    /// The version of its glibc.
    pub libc_version: Option<String>,
    /// The variables that steer allocators.
    pub variables: BTreeMap<String, String>,
    /// The CPUs that it may run on, such as `0-3,8`.
    pub cpus_allowed: Option<String>,
}

/// What `arenalab trace info --json` prints.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TraceInfo {
    /// [`super::FORMAT`].
    pub format: u32,
    /// How it was recorded; `null` where nothing tells, for recordings that arenalab did not start.
    pub recording: Option<RecordingFacts>,
    /// Whether it has all objects and nothing is missing, so that it can be replayed.
    pub replayable: bool,
    /// A process each.
    pub processes: Vec<ProcessInfo>,
    /// Files that are not what their names say: a line each.
    pub refused: Vec<String>,
}

/// A process.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ProcessInfo {
    /// The file's name.
    pub file: String,
    /// Its bytes.
    pub file_bytes: u64,
    /// The process.
    pub pid: u32,
    /// Its parent.
    pub parent: u32,
    /// Its executable.
    pub exe: String,
    /// Whether it began as a copy of its parent, whose objects it then has too.
    pub forked: bool,
    /// Whether it ended by `exit`; else it was killed, left by `_exit`, became another program, or still runs.
    pub ended: bool,
    /// Why recording ended before the process did; `null` where it did not.
    pub stopped: Option<String>,
    /// One in so many objects is recorded.
    pub sample: u32,
    /// Children that could not be recorded.
    pub children_lost: u32,
    /// Threads that allocated or freed.
    pub threads: u64,
    /// Calls recorded: objects had, frees, `realloc`'s begins and ends, failures.
    pub calls: u64,
    /// Objects had.
    pub allocations: u64,
    /// Objects freed.
    pub frees: u64,
    /// `realloc` calls of objects.
    pub reallocs: u64,
    /// Requests that failed.
    pub failed: u64,
    /// Share of the frees whose object another thread had; `null` without a free of a known object.
    pub cross_thread: Option<f64>,
    /// Bytes in the file for each call; `null` without calls.
    pub bytes_a_call: Option<f64>,
    /// Seconds from the beginning to the last event.
    pub seconds: f64,
    /// Calls a second; `null` where no time passed.
    pub calls_a_second: Option<f64>,
    /// Bytes as asked for, of all objects together.
    pub allocated_bytes: u64,
    /// The most bytes that were live at once, as asked for.
    pub peak_live_bytes: u64,
    /// Live bytes over time, with peaks kept: seconds and bytes.
    pub live: Vec<(f64, u64)>,
    /// How many objects had a size of at most so many bytes, and more than the one before.
    pub sizes: Vec<(u64, u64)>,
    /// How many objects lived at most so many nanoseconds, and more than the one before, of those freed; about.
    pub lifetimes_ns: Vec<(u64, u64)>,
    /// Calls that are missing.
    pub lost: u64,
    /// Frees of objects that were had before recording began.
    pub unknown_frees: u64,
    /// Events that contradict each other in the best order found.
    pub contradictions: u64,
    /// Times that the order of threads at one address stayed open.
    pub ambiguous: u64,
}
