//! What `choose --json` and `tune --json` print.
//!
//! A ratio is candidate / baseline, within rounds. The top level speaks for the whole campaign: the one
//! setting to ship must hold in every scenario. `scenarios` has the same for each workload and thread
//! count by itself.
//!
//! The ratios at the top, and `feasible: yes`, hold after choosing among all candidates: their bounds are
//! corrected for the number of candidates. Every other interval is plain, to be read by itself.
//!
//! Below four rounds there is no interval and no word. A ratio beyond a factor of ten is `null`: it is not resolved.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::units::LARGEST_FACTOR;

/// The declared RSS figure, least is best.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Objective {
    /// Largest of all phases.
    #[default]
    Peak,
    /// Time-weighted mean over the steady phase.
    Mean,
    /// At the end of the steady phase.
    End,
    /// After drain and idle wait.
    Drained,
}

/// What must hold, against the baseline or absolutely. `null` where not asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Constraints {
    /// Largest loss of throughput against the baseline, as a fraction: 0.05 is 5 %.
    pub max_throughput_loss: Option<f64>,
    /// Largest rise of the 99th percentile of malloc latency against the baseline, as a fraction.
    pub max_p99_loss: Option<f64>,
    /// Largest value of the objective, in bytes.
    pub max_rss: Option<u64>,
}

/// The outcome of choosing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// A candidate other than the baseline is chosen.
    Chosen,
    /// Every candidate is shown to save no more than the tolerance, or to break a constraint, or did not run; the baseline
    /// meets the constraints.
    KeepBaseline,
    /// No candidate, the baseline included, meets the constraints.
    NoneFeasible,
    /// The data cannot tell.
    Undecided,
}

/// The outcome of comparing one figure of two candidates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Comparison {
    /// The interval lies on the good side of 1.
    Better,
    /// The interval lies on the bad side of 1.
    Worse,
    /// The interval lies within the margin.
    Equivalent,
    /// None of these.
    Undecided,
}

/// A ratio with its confidence interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Ratio {
    /// Point estimate; `null` beyond a factor of ten.
    #[serde(serialize_with = "within_ten", deserialize_with = "or_far_above")]
    #[schemars(with = "Option<f64>")]
    pub estimate: f64,
    /// Lower bound; `null` where it lies below a tenth, or above ten times: the data do not tell where.
    #[serde(serialize_with = "within_ten", deserialize_with = "or_far_below")]
    #[schemars(with = "Option<f64>")]
    pub low: f64,
    /// Upper bound; `null` where it lies above ten times, or below a tenth: the data do not tell where.
    #[serde(serialize_with = "within_ten", deserialize_with = "or_far_above")]
    #[schemars(with = "Option<f64>")]
    pub high: f64,
}

impl Ratio {
    /// What is told of a figure as a number: nothing beyond a factor of ten.
    pub fn told(value: f64) -> Option<f64> {
        (1.0 / LARGEST_FACTOR..=LARGEST_FACTOR).contains(&value).then_some(value)
    }

    /// The same, with what lies beyond a factor of ten brought to that: for drawings.
    #[must_use]
    pub fn drawn(self) -> Self {
        let near = |value: f64| value.clamp(1.0 / LARGEST_FACTOR, LARGEST_FACTOR);
        Self { estimate: near(self.estimate), low: near(self.low), high: near(self.high) }
    }
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
fn within_ten<S: Serializer>(value: &f64, to: S) -> Result<S::Ok, S::Error> {
    Ratio::told(*value).serialize(to)
}

fn or_far_above<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    Ok(Option::<f64>::deserialize(from)?.unwrap_or(f64::INFINITY))
}

fn or_far_below<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    Ok(Option::<f64>::deserialize(from)?.unwrap_or(0.0))
}

/// Plain means of a candidate with fewer than four rounds: too few for an interval, and no word rests on them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Estimates {
    /// Work per second.
    pub throughput: Option<f64>,
    /// The objective's RSS in bytes.
    pub rss: Option<f64>,
    /// Throughput against the baseline; `null` beyond a factor of ten.
    pub throughput_ratio: Option<f64>,
    /// The objective's RSS against the baseline; `null` beyond a factor of ten.
    pub rss_ratio: Option<f64>,
}

/// A figure with its confidence interval, in its own unit.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Level {
    /// Geometric mean over rounds.
    pub estimate: f64,
    /// Lower bound.
    pub low: f64,
    /// Upper bound.
    pub high: f64,
}

/// The baseline against itself.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Twin {
    /// Throughput of the twin over that of the baseline.
    pub throughput_ratio: Option<Ratio>,
    /// The objective's RSS of the twin over that of the baseline.
    pub rss_ratio: Option<Ratio>,
    /// Whether both intervals contain 1. Where they don't, nothing is called better or worse.
    pub trustworthy: bool,
}

/// Whether a candidate is shown to meet the constraints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Feasible {
    /// Shown to meet all.
    Yes,
    /// Shown to break one.
    No,
    /// Neither.
    Undecided,
}

/// One candidate in one scenario.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Standing {
    /// Canonical candidate.
    pub candidate: String,
    /// Rounds in which both it and the baseline finished.
    pub rounds: u32,
    /// Plain means where the rounds are too few for an interval, or the intervals reach beyond a factor of ten; `null`
    /// where intervals are given.
    #[serde(default)]
    pub estimates: Option<Estimates>,
    /// Trials that did not finish, by status.
    pub unfinished: BTreeMap<String, u32>,
    /// Work per second.
    pub throughput: Option<Level>,
    /// The objective's RSS in bytes.
    pub rss: Option<Level>,
    /// Against the baseline.
    pub throughput_ratio: Option<Ratio>,
    /// Against the baseline, the objective's RSS.
    pub rss_ratio: Option<Ratio>,
    /// Against the baseline, 99th percentile of malloc latency.
    pub p99_ratio: Option<Ratio>,
    /// Verdict on throughput: more is better.
    pub throughput_verdict: Comparison,
    /// Verdict on the objective's RSS: less is better.
    pub rss_verdict: Comparison,
    /// Work per second for each GiB of the objective's RSS.
    pub per_gib: Option<Level>,
    /// Instances that fit in the host's memory by the upper bound of the objective's RSS; `null` where no
    /// memory was given.
    pub instances: Option<u64>,
    /// Smallest loss of throughput that these data could have shown, as a fraction.
    pub resolvable: Option<f64>,
    /// Whether the constraints hold.
    pub feasible: Feasible,
    /// Whether no other candidate is better in both figures.
    pub on_front: bool,
    /// The mechanism seen, in words; one sentence saying so where none was seen; empty for the baseline.
    pub mechanism: Vec<String>,
}

/// One scenario by itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ScenarioDecision {
    /// Canonical workload.
    pub workload: String,
    /// Threads.
    pub threads: u32,
    /// The C library.
    pub libc: String,
    /// Unit of throughput.
    pub unit: String,
    /// The outcome if this scenario were all.
    pub verdict: Verdict,
    /// The candidate chosen for this scenario alone.
    pub choice: Option<String>,
    /// The baseline against itself.
    pub twin: Option<Twin>,
    /// Every candidate, the baseline first, then in the order of the plan.
    pub standings: Vec<Standing>,
    /// Candidates that no other beats in both figures, in rising order of RSS.
    pub front: Vec<String>,
    /// The knee of the front: the candidate beyond which more throughput costs the most memory; `null` where
    /// the front has none.
    pub knee: Option<String>,
}

/// A candidate that the data do not settle.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Unsettled {
    /// Canonical candidate.
    pub candidate: String,
    /// What is open, in words.
    pub why: String,
    /// Minutes of further measuring that would probably settle it; `null` where none would.
    pub minutes_needed: Option<f64>,
    /// The same as further rounds; `null` where that is not known, as below five rounds.
    #[serde(default)]
    pub rounds_needed: Option<u32>,
}

/// A candidate that is out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Eliminated {
    /// Canonical candidate.
    pub candidate: String,
    /// Why, in words.
    pub why: String,
    /// The bound that decided it (a ratio, or bytes), where there was one.
    pub bound: Option<f64>,
    /// What it is out by; `null` in campaigns of earlier versions.
    #[serde(default)]
    pub by: Option<OutBy>,
}

/// What a candidate is out by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OutBy {
    /// A test at the stated confidence shows that it breaks a constraint, or saves no more than the tolerance.
    Test,
    /// A trial of it did not finish, or it cannot be measured here.
    Failure,
    /// The search set it aside: it promised too little. Nothing is shown of it.
    SetAside,
    /// Another that was shown to be as good takes less.
    Beaten,
}

/// The lines that apply a choice.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Apply {
    /// `NAME=value` lines for an environment file.
    pub env: Vec<String>,
    /// A systemd drop-in.
    pub systemd: String,
    /// Shell lines.
    pub shell: String,
    /// A Kubernetes container's `env:` list.
    pub kubernetes: String,
    /// What the lines cannot do by themselves, for example installing another allocator.
    pub note: Option<String>,
}

/// How disturbed the host was over the trials that count: finished ones, of a round that was run again its last run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct HostState {
    /// Share of these trials that other work, the hypervisor or waiting for a CPU disturbed; `null` where no trial
    /// tells.
    pub disturbed_share: Option<f64>,
    /// What disturbed them, in words; `null` where nothing did.
    pub why: Option<String>,
    /// Trials that tell.
    pub trials: u64,
    /// The largest share that carries a verdict.
    pub allowed_share: f64,
    /// Whether the share, of all or of one scenario, is larger: nothing is then called better, worse or chosen.
    pub busy: bool,
    /// Whether words are given all the same (`--accept-busy-host`).
    pub accepted: bool,
}

/// The decision on a campaign.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Decision {
    /// [`super::FORMAT`] of the writer.
    pub format: u32,
    /// Canonical candidate that the others are compared with.
    pub baseline: String,
    /// What is minimised.
    pub objective: Objective,
    /// What must hold.
    pub constraints: Constraints,
    /// Stated confidence.
    pub confidence: f64,
    /// Memory of the host that instances are counted for, in bytes; `null` where none was given.
    pub host_memory: Option<u64>,
    /// The outcome over all scenarios.
    pub verdict: Verdict,
    /// The setting to ship; `null` unless `verdict` is `chosen` or `keep-baseline`.
    pub choice: Option<String>,
    /// Why, in one or two sentences.
    pub reason: String,
    /// Of the choice, in the scenario where its lower bound is lowest; exactly 1 where the baseline is kept.
    pub throughput_ratio: Option<Ratio>,
    /// Of the choice, geometric mean over the scenarios; exactly 1 where the baseline is kept.
    pub rss_ratio: Option<Ratio>,
    /// The least trustworthy twin of all scenarios.
    pub twin: Option<Twin>,
    /// Candidates that no other beats in both figures over all scenarios, in rising order of RSS.
    pub front: Vec<String>,
    /// Candidates that the data do not settle.
    pub undecided: Vec<Unsettled>,
    /// Candidates that are out, with the bound that decided it.
    pub eliminated: Vec<Eliminated>,
    /// Whether the verdict's test was made: the stated confidence holds for the verdict. Without, the verdict (that all
    /// others failed to run, say) rests on no test, or is `undecided`. `null` in decisions of earlier versions.
    #[serde(default)]
    pub tested: Option<bool>,
    /// What would probably settle an undecided campaign, with the flags to do it; `null` where nothing is open or nothing
    /// would.
    #[serde(default)]
    pub next: Option<String>,
    /// Trials in the campaign, finished in whatever way.
    pub trials_run: u64,
    /// The lines that apply the choice.
    pub apply: Option<Apply>,
    /// Each scenario by itself.
    pub scenarios: Vec<ScenarioDecision>,
    /// What a reader must know before believing any of this; the most serious first.
    pub warnings: Vec<String>,
    /// How disturbed the host was; `null` in a decision that was made before this was told.
    #[serde(default)]
    pub host: Option<HostState>,
}
