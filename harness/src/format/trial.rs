//! A line of `trials.jsonl`: one finished trial, whatever became of it. Unknown is `null`, never 0.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::heaps::Heaps;

/// What became of a trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It ran to its end, and what ran is what was asked for.
    Ok,
    /// It ended by itself with an error, or could not be started, or was not what was asked for.
    Failed,
    /// It was ended by a signal that the harness did not send.
    Crashed,
    /// It was still running at its time limit.
    Timeout,
    /// It could not get memory, or the kernel killed it for memory.
    Oom,
    /// The harness was asked to stop while it ran.
    Interrupted,
    /// The candidate cannot run here (no such setting in this libc, no such allocator).
    Unsupported,
}

/// One finished trial.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TrialRecord {
    /// Canonical workload, for example `larson` or `larson:size_max=500`.
    pub workload: String,
    /// Threads of the workload; 0 for a program of the user's that makes as many as it wants.
    pub threads: u32,
    /// `host`, or the name given with `--libc`.
    pub libc: String,
    /// Version of the C library that the process itself reported.
    pub libc_version: Option<String>,
    /// Canonical candidate, for example `glibc:arena_max=2`.
    pub candidate: String,
    /// Round, from 0.
    pub round: u32,
    /// Which run of that round: 0, or more where a noisy round was run again. The last one counts.
    pub attempt: u32,
    /// Place in the round's order, from 0.
    pub position: u32,
    /// Whether this is the baseline's second run in the round (the A/A twin).
    pub twin: bool,
    /// The host's name.
    pub host: String,
    /// What became of it.
    pub status: Status,
    /// Why, where `status` is not `ok`; one sentence.
    pub reason: Option<String>,
    /// Seconds of the counted work (the steady phase).
    pub wall_s: Option<f64>,
    /// Work per second in the steady phase.
    pub throughput: Option<Throughput>,
    /// Sampled latency of allocator calls in the steady phase.
    pub latency_ns: Option<Latency>,
    /// CPU time of the steady phase, all threads.
    pub cpu: Option<Cpu>,
    /// Page faults of the steady phase.
    pub faults: Option<Faults>,
    /// Context switches of the steady phase.
    pub switches: Option<Switches>,
    /// Resident memory.
    pub rss: Option<Rss>,
    /// RSS before, in and after bursts; `null` of workloads without.
    #[serde(default)]
    pub burst: Option<Burst>,
    /// Requested bytes not yet freed.
    pub live: Option<Live>,
    /// Arenas of the allocator, where it has and counts them.
    pub arenas: Option<Arenas>,
    /// Where the memory is, by the allocator's own account.
    pub anatomy: Option<Anatomy>,
    /// The allocator that really served `malloc`.
    pub allocator: Option<Served>,
    /// Whether the candidate is proven to have taken effect.
    pub effect: Effect,
    /// What is known of the user's own program besides; absent for built-in workloads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub program: Option<OwnProgram>,
    /// What the trial's own control group counted, and the memory limit that was set. Trials of a program have one where
    /// the host allows it; others where a limit was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_group: Option<MemoryGroup>,
    /// CPUs of the host that was pretended; absent where none was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pretended_cpus: Option<u32>,
    /// How disturbed the host was meanwhile.
    pub noise: Noise,
    /// Processes of the trial that were still there when its own process had ended, and were ended.
    #[serde(default)]
    pub strays: u32,
    /// When the trial was started, RFC 3339, UTC.
    pub started_at: String,
    /// Seconds from start to the last process gone, all phases included.
    pub elapsed_s: f64,
}

/// What is known of the user's own program besides.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OwnProgram {
    /// Its processes at the end of the counted work (of a batch job at the last exact look); at most 64 are kept.
    pub processes: Vec<ProcessRow>,
    /// The most processes that were seen at once.
    pub most_processes: u32,
    /// A latency that was printed, where the plan says how to read it.
    pub latency: Option<Printed>,
    /// How a service was stopped.
    pub stopped: Option<String>,
    /// What looking at it has cost.
    #[serde(default)]
    pub looking: Option<Looking>,
    /// What was read of its heaps from outside; `null` where the program was gone before anything could be told, and in
    /// older records.
    #[serde(default)]
    pub heaps: Option<Heaps>,
    /// Files below the campaign's directory that hold what was printed: of each the first and the last 512 KiB.
    pub output: Vec<String>,
    /// Processes that ran on the host's C library though the trial was one on another: a loader alone does not carry
    /// over to what a program starts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub host_libc: Vec<String>,
}

impl OwnProgram {
    /// The latency that was printed, in nanoseconds.
    pub fn latency_ns(&self) -> Option<f64> {
        let factor =
            |unit: &str| LATENCY_UNITS.iter().find(|(name, _)| *name == unit).map(|(_, factor)| *factor);
        self.latency.as_ref().and_then(|printed| Some(printed.value * factor(&printed.unit)?))
    }
}

/// Units of a printed latency with their nanoseconds.
pub const LATENCY_UNITS: [(&str, f64); 4] = [("ns", 1.0), ("us", 1e3), ("ms", 1e6), ("s", 1e9)];

/// A process of the user's program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ProcessRow {
    /// Its short name.
    pub command: String,
    /// `main` (the command, or a daemon that it left behind), `worker` (its child of the same executable) or
    /// `descendant`.
    pub role: String,
    /// Proportional set size, bytes: pages shared by n processes count as one n-th; `null` where the kernel
    /// does not tell.
    pub pss: Option<u64>,
    /// Resident set size, bytes.
    pub rss: u64,
}

/// A number that a program or its driver printed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Printed {
    /// The number.
    pub value: f64,
    /// Its unit.
    pub unit: String,
}

/// A control group's account of a trial. It counts page cache as well, which RSS does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MemoryGroup {
    /// The limit that was asked for, bytes; absent of a group that only counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
    /// The largest use, bytes (`memory.peak`; version 1: `memory.max_usage_in_bytes`).
    pub peak: Option<u64>,
    /// Processes that the kernel killed for the limit.
    pub oom_kills: Option<u64>,
}

/// Work per second.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Throughput {
    /// Units per second of wall time.
    pub value: f64,
    /// For example `operations/s`.
    pub unit: String,
}

/// Latency of both sides of the allocator.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Latency {
    /// Calls that allocate.
    pub malloc: Option<Quantiles>,
    /// Calls that free.
    pub free: Option<Quantiles>,
    /// Operations that were to start at a given time, from that time to their end: models with a rate.
    #[serde(default)]
    pub operation: Option<Quantiles>,
}

/// Quantiles in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
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

/// CPU seconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Cpu {
    /// In user mode.
    pub user_s: f64,
    /// In the kernel.
    pub system_s: f64,
}

/// Page faults.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Faults {
    /// Without I/O.
    pub minor: u64,
    /// With I/O.
    pub major: u64,
}

/// Context switches.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Switches {
    /// A thread waited (for a lock, for instance).
    pub voluntary: u64,
    /// A thread was preempted.
    pub involuntary: u64,
}

/// Resident memory, in bytes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Rss {
    /// Largest of all phases, start-up left out: the kernel's high-water mark, or a reading above it.
    pub peak: u64,
    /// Time-weighted mean over the steady phase.
    pub mean: u64,
    /// At the end of the steady phase.
    pub end: u64,
    /// After everything the workload frees was freed, and the idle wait. `null` where there is no such phase.
    pub drained: Option<u64>,
    /// After the allocator was asked to give memory back (`--trim`). `null` where it was not asked.
    #[serde(default)]
    pub trimmed: Option<u64>,
    /// What it was asked and what it answered; `null` where it was not asked, or has no such call.
    #[serde(default)]
    pub trim: Option<String>,
    /// `LazyFree` after the drain: given back with `MADV_FREE` but still counted in RSS.
    pub lazy_free: Option<u64>,
    /// `AnonHugePages` at the end of the steady phase.
    pub anon_huge: Option<u64>,
    /// `Pss` at the end of the steady phase.
    pub pss: Option<u64>,
    /// `Swap` at the end of the steady phase: memory that was swapped out. It is part of `peak`, `mean` and `end`.
    pub swap: Option<u64>,
    /// Pages of hugetlbfs at the end of the steady phase, which the kernel counts in no resident size. They are part of
    /// `peak`, `mean` and `end`.
    #[serde(default)]
    pub hugetlb: Option<u64>,
    /// Bounds of what is not known exactly: of processes that share memory. Absent where all figures are exact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bounds: Option<RssBounds>,
    /// Samples that entered `mean`.
    pub samples: u32,
    /// Rise of RSS in the steady phase, bytes a second: slope of the least-squares line through its samples but those
    /// of the first and the last tenth, when threads may begin and end one by one. `null` with fewer than 10 of them.
    #[serde(default)]
    pub slope: Option<f64>,
    /// The same over the last half of the steady phase, its last tenth left out: whether RSS still rises there. `null`
    /// with fewer than 10 samples, and in older records.
    #[serde(default)]
    pub slope_end: Option<f64>,
    /// Seconds that the exact readings took, during which the workload stood still.
    pub reading_s: f64,
    /// Where each figure comes from, in words.
    pub source: String,
}

/// Bounds of figures of memory: the truth is in between.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RssBounds {
    /// Of `peak`.
    pub peak: Bounds,
    /// Of `mean`.
    pub mean: Bounds,
    /// Of `end`.
    pub end: Bounds,
}

/// A lower and an upper bound, bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Bounds {
    /// At least.
    pub low: u64,
    /// At most.
    pub high: u64,
}

/// What looking at the user's program from outside has cost.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Looking {
    /// CPU seconds of the thread that looks.
    pub cpu_s: f64,
    /// The same as a share of the trial's own CPU time; `null` where that is not known.
    pub share: Option<f64>,
}

/// Resident and live bytes before, in and after the bursts of the steady phase. Live bytes before and after are alike by
/// design, so that the difference in RSS is what the allocator retains of a burst.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Burst {
    /// Mean RSS before the first burst.
    pub before: u64,
    /// Largest RSS from the first burst to the end of the last.
    pub peak: u64,
    /// Mean RSS after the last burst, or at the end of the steady phase where that is its end.
    pub after: u64,
    /// `after - before`: what stays of the burst.
    pub retained: i64,
    /// Mean live bytes before the first burst.
    pub live_before: u64,
    /// The same after the last, as `after`.
    pub live_after: u64,
}

/// Requested bytes not yet freed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Live {
    /// Largest sample.
    pub peak: u64,
    /// Time-weighted mean over the steady phase.
    pub mean: u64,
    /// At the end of the steady phase.
    pub end: u64,
    /// After the drain; `null` where it was not reached.
    pub drained: Option<u64>,
    /// Bytes that the workload engine holds for itself outside the measured allocator; part of every RSS figure.
    pub engine: u64,
}

/// Arenas of the allocator. What an arena is differs between allocators (of glibc, a heap with its lock; of
/// jemalloc, a set of size classes that threads are assigned to): compare only within one.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Arenas {
    /// The limit that was asked for; `null` where it was left to the library.
    pub limit: Option<u32>,
    /// Arenas that existed at the end of the steady phase.
    pub observed: Option<u32>,
}

/// Where the memory is at the end of the steady phase, by the allocator's own account, in bytes. Of a program of the user's
/// it is read from outside (`program.heaps`), where glibc serves it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Anatomy {
    /// Handed out to the program.
    pub allocated: Option<u64>,
    /// Free inside the allocator at the end of the steady phase. Compare only within one allocator
    /// (`allocator.name`): of glibc it is address space in the arenas, their tops included, resident or
    /// not; of jemalloc, resident bytes neither handed out nor bookkeeping.
    pub free: Option<u64>,
    /// The same after the drain.
    pub free_drained: Option<u64>,
    /// In chunks mapped one by one. Compare only within one allocator.
    pub mmapped: Option<u64>,
    /// The allocator's own bookkeeping.
    pub metadata: Option<u64>,
    /// Bytes obtained from the system by each arena, main arena first; at most 64 are kept.
    pub arena_system: Vec<u64>,
    /// Further figures under the allocator's own names.
    pub other: BTreeMap<String, u64>,
}

/// The allocator that really served `malloc`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Served {
    /// `glibc`, `jemalloc`, `mimalloc` or `unknown`.
    pub name: String,
    /// Its version.
    pub version: String,
    /// How this was established.
    pub how: String,
}

/// Proof that the candidate took effect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Effect {
    /// Whether allocator and every setting were seen to be in force.
    pub verified: bool,
    /// What was checked and what was seen, in words.
    pub how: String,
}

/// How disturbed the host was during the steady phase.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Noise {
    /// Share of the time in which some task waited for a CPU (PSI), in percent. A workload with more threads
    /// than CPUs raises it by itself.
    pub psi_cpu_some_pct: Option<f64>,
    /// CPU seconds that the hypervisor took away.
    pub steal_s: Option<f64>,
    /// CPU seconds used by anything but the trial, on the CPUs that it may use.
    pub foreign_cpu_s: Option<f64>,
    /// CPUs that `steal_s` and `foreign_cpu_s` are of: those that arenalab may use. `null` in older records, which are of
    /// all CPUs of the host.
    #[serde(default)]
    pub cpus: Option<u32>,
    /// Seconds over which the figures were taken: the counted work, and what little lies around it. `null` in older
    /// records.
    #[serde(default)]
    pub seconds: Option<f64>,
}
