//! What `compare --json` prints.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::decision::{Comparison, HostState, Ratio};

/// A figure that is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Metric {
    /// Work per second; more is better.
    Throughput,
    /// The objective's RSS; less is better.
    Rss,
    /// 99th percentile of malloc latency; less is better.
    P99,
}

/// One figure of one candidate, before and after.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Entry {
    /// Canonical workload.
    pub workload: String,
    /// Threads.
    pub threads: u32,
    /// The C library before and after.
    pub libc: (String, String),
    /// Canonical candidate.
    pub candidate: String,
    /// The figure.
    pub metric: Metric,
    /// After over before; `null` where either side has fewer than 4 rounds.
    pub ratio: Option<Ratio>,
    /// The word for it.
    pub verdict: Comparison,
    /// Smallest change that these data could have shown, as a fraction.
    pub resolvable: Option<f64>,
    /// Rounds before and after.
    pub rounds: (u32, u32),
    /// Whether before and after were measured in the same rounds.
    pub paired: bool,
}

/// One thing that is another after than before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Change {
    /// What it is, such as `kernel`, or `program server: compiler`.
    pub what: String,
    /// Before.
    pub before: String,
    /// After.
    pub after: String,
}

/// The outcome of comparing two campaigns, or two libcs of one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Compared {
    /// [`super::FORMAT`] of the writer.
    pub format: u32,
    /// Stated confidence of each ratio by itself.
    pub confidence: f64,
    /// What changed between the two: host, C library, programs and how they were built, arenalab.
    #[serde(default)]
    pub changed: Vec<Change>,
    /// One for each matched workload, thread count, candidate and figure.
    pub entries: Vec<Entry>,
    /// What only one side has, in words.
    pub unmatched: Vec<String>,
    /// What a reader must know before believing any of this; the most serious first.
    pub warnings: Vec<String>,
    /// The host of the side that was disturbed more; `null` in a comparison that was made before this was told.
    #[serde(default)]
    pub host: Option<HostState>,
    /// The hosts before and after.
    #[serde(default)]
    pub hosts: Option<(HostState, HostState)>,
}
