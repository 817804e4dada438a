//! `manifest.json`: what a campaign is. Written once, before its first trial.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::decision::{Constraints, Objective};

/// A campaign's manifest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Manifest {
    /// [`super::FORMAT`] of the writer.
    pub format: u32,
    /// Version of arenalab that wrote it.
    pub arenalab: String,
    /// When the campaign was begun, RFC 3339, UTC.
    pub created_at: String,
    /// The command line.
    pub command: Vec<String>,
    /// Seed of orders, resampling and workloads.
    pub seed: u64,
    /// How rounds are asked for: `sweep` (a full grid) or the strategy of `tune`.
    pub strategy: String,
    /// Rounds of a sweep; the most rounds of a tune.
    pub rounds: u32,
    /// The plan in TOML, as `--print-plan` writes it.
    pub plan: String,
    /// What is minimised.
    pub objective: Objective,
    /// What must hold.
    pub constraints: Constraints,
    /// Stated confidence, for example 0.95.
    pub confidence: f64,
    /// Gain of RSS that is not worth further search, as a fraction.
    #[serde(default)]
    pub tolerance: Option<f64>,
    /// Seconds of measuring after which a search begins no further round.
    #[serde(default)]
    pub time_budget_s: Option<f64>,
    /// What was allowed before each extension of the campaign (`--resume` with more rounds or a larger time budget).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub extended: Vec<Extended>,
    /// The host.
    pub host: Host,
    /// The workload binaries by allocator; a program of the user's as `program:NAME`, and an allocator's library
    /// that is preloaded into it as `preload:ALLOCATOR`.
    pub binaries: BTreeMap<String, Binary>,
    /// The C libraries.
    pub libcs: Vec<Libc>,
    /// What is measured: each of these under each libc and candidate.
    pub scenarios: Vec<Scenario>,
    /// The candidates, in the order of the plan.
    pub candidates: Vec<CandidateEntry>,
    /// The candidate that the others are compared with. It is also the twin.
    pub baseline: String,
    /// Whether words are given of a busy host as well (`--accept-busy-host`); absent where not.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub accept_busy_host: bool,
    /// The host that is pretended; absent where none is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pretended_cpus: Option<PretendedCpus>,
}

/// What was allowed until a campaign was extended.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Extended {
    /// Rounds that had been begun by then: they were looked at, and no trial is added to them.
    pub until_round: u32,
    /// Rounds of a sweep; the most rounds of a tune.
    pub rounds: u32,
    /// Seconds of measuring.
    pub time_budget_s: Option<f64>,
}

/// A host with another number of CPUs, as far as allocators look at it. The contention of so many CPUs is not
/// simulated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PretendedCpus {
    /// Its CPUs.
    pub cpus: u32,
    /// Whether each trial's process reads them in `/sys/devices/system/cpu/online`.
    pub file: bool,
    /// Why it does not, where that is so.
    pub no_file: Option<String>,
    /// How each candidate is made to behave as there.
    pub ways: Vec<PretendedWay>,
}

/// How a candidate is made to behave as with another number of CPUs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PretendedWay {
    /// The C library that this is for.
    pub libc: String,
    /// Canonical candidate.
    pub candidate: String,
    /// The candidate that is run in its place: a limit is set that it would compute on such a host.
    pub runs_as: Option<String>,
    /// Most arenas of glibc then, where that is certain.
    pub most_arenas: Option<u32>,
    /// How, and why so, in a clause.
    pub how: String,
}

/// One workload at one thread count.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Scenario {
    /// Canonical workload.
    pub workload: String,
    /// Threads; 0 for a program of the user's that makes as many as it wants.
    pub threads: u32,
}

impl Scenario {
    /// `larson, 4 threads`; of a program that makes as many threads as it wants the workload alone.
    pub fn words(workload: &str, threads: u32) -> String {
        match threads {
            0 => workload.to_owned(),
            1 => format!("{workload}, 1 thread"),
            many => format!("{workload}, {many} threads"),
        }
    }
}

/// A candidate as measured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CandidateEntry {
    /// Canonical form.
    pub candidate: String,
    /// The environment that makes it.
    pub env: BTreeMap<String, String>,
    /// Candidates that were asked for but cannot differ from this one, with the reason.
    pub stands_for: Vec<Merged>,
}

/// A candidate that was not run because it cannot differ from another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Merged {
    /// Canonical form.
    pub candidate: String,
    /// Why it cannot differ.
    pub why: String,
}

/// Fingerprint of a host.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Host {
    /// Its name.
    pub name: String,
    /// Distribution, from os-release.
    pub os: Option<String>,
    /// Kernel release.
    pub kernel: String,
    /// CPU architecture.
    pub arch: String,
    /// Model name of the first CPU.
    pub cpu: Option<String>,
    /// CPUs online.
    pub cpus_online: u32,
    /// CPUs that this process may run on.
    pub cpus_allowed: u32,
    /// Bytes of memory.
    pub memory: u64,
    /// Memory limit of the cgroup, where there is one.
    pub cgroup_limit: Option<u64>,
    /// Transparent huge pages: `always`, `madvise` or `never`.
    pub thp: Option<String>,
    /// Bytes in a page.
    pub page_size: u64,
}

/// Fingerprint of a workload binary.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Binary {
    /// File name.
    pub file: String,
    /// SHA-256 of its content, in hex.
    pub sha256: String,
    /// The allocator that it says it has, with its version.
    pub allocator: String,
    /// How it was built and what it needs, as far as the file says; absent of what is no ELF file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build: Option<Build>,
}

/// What an executable or library says of how it was built.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Build {
    /// Compilers and linkers (`.comment`).
    pub compilers: Vec<String>,
    /// Command lines of the compiler, where the file keeps them (`-frecord-gcc-switches`, or debug information).
    pub flags: Vec<String>,
    /// Build id, in hex.
    pub build_id: Option<String>,
    /// The highest symbol version that it needs, by family: `GLIBC`, `GLIBCXX`, `CXXABI`.
    pub needs: BTreeMap<String, String>,
    /// The libraries that it names.
    pub libraries: Vec<String>,
    /// The C++ library that this name led to on the host, such as `libstdc++.so.6.0.30`.
    pub libstdcxx: Option<String>,
}

/// A C library that trials ran on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Libc {
    /// `host`, or the name given with `--libc`.
    pub name: String,
    /// Its version, where known.
    pub version: Option<String>,
    /// How trials run on it.
    #[serde(default)]
    pub run: LibcRun,
    /// Its directory, of one other than the host's.
    #[serde(default)]
    pub path: Option<String>,
    /// SHA-256 of its `libc.so.6`, in hex, of one other than the host's.
    #[serde(default)]
    pub sha256: Option<String>,
}

/// How trials run on a C library.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LibcRun {
    /// As the host runs them.
    #[default]
    Host,
    /// Through its own dynamic loader, with the libraries that must match it; all else is the host's.
    Loader,
    /// Inside its directory, with its whole userland.
    Root,
}
