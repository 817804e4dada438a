//! What `predict --json` prints.

use schemars::JsonSchema;
use serde::Serialize;

/// What a glibc does by default, and what an upgrade changes.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Predicted {
    /// [`super::FORMAT`] of the writer.
    pub format: u32,
    /// The host that is asked about.
    pub host: Host,
    /// The glibc before; `null` where only one is asked about.
    pub from: Option<Prediction>,
    /// The glibc.
    pub to: Prediction,
    /// What the step from the one to the other changes; empty where only one is asked about.
    pub changes: Vec<Change>,
}

/// A host and a process on it.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Host {
    /// CPUs online.
    pub cpus_online: u32,
    /// CPUs in the affinity mask of the process.
    pub cpus_allowed: u32,
    /// Threads that allocate at the same time, beside the main thread.
    pub threads: u32,
    /// `x86_64` or `aarch64`.
    pub arch: String,
    /// `MALLOC_ARENA_MAX`; `null` where it is unset.
    pub arena_max: Option<u64>,
    /// `MALLOC_ARENA_TEST`; `null` where it is unset.
    pub arena_test: Option<u64>,
}

/// What one glibc does.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Prediction {
    /// As it was asked for: a version or a release.
    pub name: String,
    /// The release in words; `null` for a bare version.
    pub release: Option<String>,
    /// The version.
    pub version: String,
    /// The most arenas that it makes.
    pub arena_limit: Bounds,
    /// The arenas that exist once every thread has allocated.
    pub arenas: Bounds,
    /// Address space of one heap of a thread's arena, in bytes; it is resident only where touched.
    pub heap_bytes: u64,
    /// What it does, with sources.
    pub rules: Vec<Rule>,
    /// What can be set.
    pub settings: Vec<Knob>,
}

/// A number that is certain where both ends agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Bounds {
    /// At least.
    pub low: u64,
    /// At most; `null` where nothing limits it.
    pub high: Option<u64>,
}

/// A rule in force.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Rule {
    /// Name, stable.
    pub key: String,
    /// What happens.
    pub what: String,
    /// What this distribution's builds do otherwise.
    pub note: Option<String>,
    /// Where this is written.
    pub source: String,
    /// Whether it was seen to be so for this very release, or is upstream's without doubt.
    pub certain: bool,
}

/// A setting.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Knob {
    /// The key in a candidate.
    pub key: String,
    /// The variable that carries it.
    pub variable: String,
    /// Its name inside the variable, where that holds several.
    pub item: Option<String>,
}

/// What an upgrade changes.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Change {
    /// Name, stable.
    pub key: String,
    /// What will be so after the step.
    pub what: String,
    /// What the distributions' builds do otherwise.
    pub note: Option<String>,
    /// The version that brought it; of a downgrade, the one that had.
    pub version: Option<String>,
    /// Where this is written.
    pub source: String,
    /// Whether it holds for every build of the two.
    pub certain: bool,
}
