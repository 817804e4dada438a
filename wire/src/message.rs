//! The control messages. The engine speaks first ([`FromEngine::Hello`]). At the end of a phase it says no more than
//! [`FromEngine::Arrived`] and waits; the harness takes its exact reading and says [`ToEngine::Report`]; the engine
//! answers with [`FromEngine::Border`], may be asked for an inspection, and waits for [`ToEngine::Go`]. The order of phases is
//! that of [`Phase`].

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The phases of a built-in workload, in order. A border is named after the phase that has just ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Threads are started and the live set is built.
    Setup,
    /// Work that is not counted, so that caches and arenas are as they will be.
    Warmup,
    /// The counted work: a fixed number of operations.
    Steady,
    /// Everything that the workload frees is freed; threads stay alive and parked.
    Drain,
    /// Nothing happens: decay timers may run. The harness decides how long.
    Idle,
}

/// What an engine says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "say", rename_all = "kebab-case")]
pub enum FromEngine {
    /// First message; comes with the descriptor of the telemetry page.
    Hello(Hello),
    /// A phase has ended, and nothing has been done since; the engine waits for [`ToEngine::Report`].
    Arrived,
    /// What the phase was; the engine waits for [`ToEngine::Go`].
    Border(Border),
    /// The answer to [`ToEngine::Inspect`].
    Inspection(Inspection),
    /// The answer to [`ToEngine::Trim`].
    Trimmed(Trimmed),
    /// The engine cannot go on and will exit.
    Failed(Failure),
}

/// What the harness says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "say", rename_all = "kebab-case")]
pub enum ToEngine {
    /// Go on to the next phase; after the last border: exit.
    Go,
    /// Say what the phase was that has just ended.
    Report,
    /// Ask the allocator about itself. Answered at a border only, by [`FromEngine::Inspection`].
    Inspect,
    /// Ask the allocator to give back what it holds without need. Answered at a border only, by
    /// [`FromEngine::Trimmed`].
    Trim,
}

/// What was done to give memory back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trimmed {
    /// The calls that were made and what they answered, in words; `None` where the allocator has none.
    pub how: Option<String>,
}

/// Who the engine is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hello {
    /// [`crate::VERSION`] of the engine.
    pub version: u32,
    /// The engine's process id.
    pub pid: u32,
    /// Workload as it understood it, in canonical form.
    pub workload: String,
    /// Logical threads.
    pub threads: u32,
    /// The allocator that really serves `malloc` here.
    pub allocator: Identity,
}

/// The allocator that really serves C `malloc` in a process, found by asking and by trying.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// `glibc`, `jemalloc`, `mimalloc`, or `unknown`.
    pub name: String,
    /// The allocator's own version; glibc's for `glibc`.
    pub version: String,
    /// How it was established, in words, for example
    /// `malloc resolves to libc.so.6; mallinfo2 counted a probe of 1 MiB`.
    pub how: String,
    /// Version of the C library that the process runs on.
    pub libc_version: String,
    /// Effective settings as the allocator itself reports them, by the key of a candidate
    /// (`narenas`, `purge_delay`); empty where it cannot be asked.
    pub settings: BTreeMap<String, String>,
    /// Which CPUs glibc counts for its limit on arenas, `online` or `affinity`, where that was tried (`identify`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counted_cpus: Option<String>,
}

/// Resources used so far (`getrusage(RUSAGE_SELF)`), ended threads included: of a workload in its phases, without what its
/// program does between them; of another program since it started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Usage {
    /// CPU seconds in user mode.
    pub user_s: f64,
    /// CPU seconds in the kernel.
    pub system_s: f64,
    /// Page faults served without I/O.
    pub minor_faults: u64,
    /// Page faults that needed I/O.
    pub major_faults: u64,
    /// Context switches because a thread waited.
    pub voluntary: u64,
    /// Context switches because a thread was preempted.
    pub involuntary: u64,
}

/// Quantiles of a sampled latency, in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Quantiles {
    /// Median.
    pub p50: f64,
    /// 90th percentile.
    pub p90: f64,
    /// 99th percentile.
    pub p99: f64,
    /// 99.9th percentile.
    pub p999: f64,
    /// Largest sample.
    pub max: f64,
    /// Number of samples.
    pub samples: u64,
}

/// What the engine knows at the end of a phase.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Border {
    /// The phase that has ended.
    pub phase: Phase,
    /// Duration of the phase by the engine's monotonic clock, in nanoseconds: from the release of the
    /// threads to the arrival of the last one.
    pub took_ns: u64,
    /// Operations done in this phase.
    pub ops: u64,
    /// The unit of `ops`, for example `messages`.
    pub unit: String,
    /// Live bytes now.
    pub live_bytes: u64,
    /// Bytes that the engine holds for itself, mapped and touched.
    pub engine_bytes: u64,
    /// Resources used so far.
    pub usage: Usage,
    /// Sampled latency of allocating calls in this phase.
    pub malloc_ns: Option<Quantiles>,
    /// Sampled latency of freeing calls in this phase.
    pub free_ns: Option<Quantiles>,
    /// Of operations that were to start at a given time: from that time to their end. All of them, not a sample.
    #[serde(default)]
    pub op_ns: Option<Quantiles>,
}

/// One arena of glibc as `malloc_info` tells it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArenaBytes {
    /// Bytes obtained from the system (mapped and writable).
    pub system: u64,
    /// Bytes free inside the arena, the top chunk included.
    pub free: u64,
}

/// What the allocator says of itself. Unknown is `None`, never 0.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Inspection {
    /// Arenas that exist, the main one included.
    pub arenas: Option<u32>,
    /// Bytes by arena, in the allocator's order; the first is the main arena. At most 4096 entries.
    pub by_arena: Vec<ArenaBytes>,
    /// Bytes that the allocator has handed out, by its own count.
    pub allocated: Option<u64>,
    /// Bytes free inside the allocator.
    pub free: Option<u64>,
    /// Bytes in chunks mapped one by one.
    pub mmapped: Option<u64>,
    /// Bytes of the allocator's own bookkeeping.
    pub metadata: Option<u64>,
    /// Resident bytes by the allocator's own count.
    pub resident: Option<u64>,
    /// Further figures under the allocator's own names, for example `stats.retained`.
    pub other: BTreeMap<String, u64>,
}

/// Why an engine gave up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Whether memory could not be had.
    pub out_of_memory: bool,
    /// One sentence.
    pub reason: String,
}
