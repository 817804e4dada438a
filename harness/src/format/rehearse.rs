//! What `rehearse --json` prints: an upgrade from one C library to the next, tried out.
//!
//! Every ratio here is a candidate under the libc after over the baseline under the libc before, both measured in the
//! same rounds: what a team would see that goes from today's setting on today's libc to that candidate on the next.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::decision::{Apply, Comparison, Constraints, Decision, Feasible, HostState, Objective, Ratio};
use super::manifest::Libc;

/// An upgrade in one or more steps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Rehearsal {
    /// [`super::FORMAT`] of the writer.
    pub format: u32,
    /// The setting of today, which is also what is compared first under the libc after.
    pub baseline: String,
    /// The RSS figure.
    pub objective: Objective,
    /// What must hold against today.
    pub constraints: Constraints,
    /// Stated confidence.
    pub confidence: f64,
    /// RSS up to this share above today's counts as today's level.
    pub margin: f64,
    /// The C libraries, in the order of the upgrade.
    pub libcs: Vec<Libc>,
    /// One for each pair of C libraries that follow each other.
    pub steps: Vec<Step>,
    /// What a reader must know before believing any of this; the most serious first.
    pub warnings: Vec<String>,
    /// How disturbed the host was; `null` in a rehearsal that was made before this was told.
    #[serde(default)]
    pub host: Option<HostState>,
}

/// What a step of an upgrade does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum StepVerdict {
    /// With nothing changed, memory and throughput are shown to stay within what is allowed.
    Unharmed,
    /// A setting is shown to keep both within what is allowed.
    Mended,
    /// The data cannot tell.
    Undecided,
    /// Memory or throughput is shown to become worse than allowed, and no measured setting is shown to keep both.
    Regression,
}

/// From one C library to the next.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Step {
    /// Name of the libc before.
    pub from: String,
    /// Its version.
    pub from_version: Option<String>,
    /// Name of the libc after.
    pub to: String,
    /// Its version.
    pub to_version: Option<String>,
    /// The outcome.
    pub verdict: StepVerdict,
    /// Why, in one to three sentences.
    pub reason: String,
    /// Further rounds that would probably show whether the step harms with nothing changed; `null` where that is shown, or
    /// none would.
    pub rounds_needed: Option<u32>,
    /// The setting that brings RSS back to today's level in every scenario at the least loss of throughput, among those that
    /// are shown to; one that keeps throughput too goes first. `null` where there is none, or none is needed.
    pub setting: Option<Offer>,
    /// The best on the libc after, chosen among all candidates there against the baseline there.
    pub best: Decision,
    /// What this step changes by glibc's sources, for the threads and CPUs of the campaign.
    pub expected: Vec<String>,
    /// Each workload and thread count.
    pub scenarios: Vec<StepScenario>,
}

/// A setting with what it does against today.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Offer {
    /// Canonical candidate.
    pub candidate: String,
    /// Whether throughput is shown to stay within what is allowed too.
    pub keeps_throughput: Feasible,
    /// Throughput in the scenario where its lower bound is lowest; bounds are corrected for the number of candidates.
    pub throughput_ratio: Ratio,
    /// RSS in the scenario where its upper bound is highest; bounds are corrected for the number of candidates.
    pub rss_ratio: Ratio,
    /// The lines that apply it.
    pub apply: Option<Apply>,
}

/// One workload at one thread count.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StepScenario {
    /// Canonical workload.
    pub workload: String,
    /// Threads.
    pub threads: u32,
    /// Rounds in which the baseline finished under both.
    pub rounds: u32,
    /// Whether the baseline's twins agree with it under both; where not, nothing is called better or worse.
    pub trustworthy: bool,
    /// The mechanism seen with nothing changed, in words; empty where none was seen.
    pub mechanism: Vec<String>,
    /// Every candidate under the libc after; the baseline, with nothing changed, first.
    pub candidates: Vec<Rehearsed>,
}

/// A candidate under the libc after, against the baseline under the libc before.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Rehearsed {
    /// Canonical candidate.
    pub candidate: String,
    /// Throughput.
    pub throughput_ratio: Option<Ratio>,
    /// The objective's RSS.
    pub rss_ratio: Option<Ratio>,
    /// 99th percentile of malloc latency.
    pub p99_ratio: Option<Ratio>,
    /// Verdict on throughput: more is better.
    pub throughput_verdict: Comparison,
    /// Verdict on RSS: less is better.
    pub rss_verdict: Comparison,
    /// Smallest loss of throughput that these data could have shown, as a fraction.
    pub resolvable: Option<f64>,
    /// Whether RSS is at today's level or below.
    pub rss_back: Feasible,
    /// Whether RSS, throughput and latency are within what is allowed.
    pub keeps: Feasible,
    /// Why it did not run, where that is so.
    pub unfinished: Option<String>,
}
