//! A plan in the making: what was said, with the rest still open. Flags and plan files both give one; the
//! flags are laid over the file, and what neither says takes its default.

use std::time::Duration;

use crate::format::decision::{Constraints, Objective};

use super::candidate::{Allocator, Candidate};
use super::{Choose, Measure, Plan, PlanError, PlannedLibc, PlannedWorkload, Strategy, Sweep, libc};

/// Threads of a workload when nothing is said.
pub const DEFAULT_THREADS: u32 = 4;
/// Rounds of a sweep when nothing is said: enough for a bootstrap interval over rounds.
pub const DEFAULT_ROUNDS: u32 = 16;
/// The most rounds of a tune when nothing is said.
pub const DEFAULT_MOST_ROUNDS: u32 = 160;
/// The seed when nothing is said: fixed, so that two runs of one command make the same campaign.
pub const DEFAULT_SEED: u64 = 1;
/// Time limit of a trial when nothing is said.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(60);
/// Largest loss of throughput when nothing is said.
pub const DEFAULT_MAX_THROUGHPUT_LOSS: f64 = 0.05;
/// Gain of RSS that is not worth further search, when nothing is said.
pub const DEFAULT_TOLERANCE: f64 = 0.02;
/// Confidence when nothing is said.
pub const DEFAULT_CONFIDENCE: f64 = 0.95;
/// Values of the `arena_max` axis when nothing is said; `None` is unset.
pub const DEFAULT_ARENA_MAX: [Option<u32>; 5] = [None, Some(1), Some(2), Some(4), Some(8)];

/// What was said. `None`, or an empty list of workloads, is "nothing".
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Draft {
    /// Workloads.
    pub workloads: Vec<PlannedWorkload>,
    /// Thread counts.
    pub threads: Option<Vec<u32>>,
    /// What the others are compared with.
    pub baseline: Option<Candidate>,
    /// What candidates are made of.
    pub axes: Axes,
    /// C libraries.
    pub libcs: Option<Vec<PlannedLibc>>,
    /// Rounds.
    pub rounds: Option<u32>,
    /// The figure that is minimised.
    pub objective: Option<Objective>,
    /// Idle wait after the drain.
    pub idle: Option<Duration>,
    /// Whether the allocator is asked to give memory back in the end.
    pub trim: Option<bool>,
    /// Time limit of a trial.
    pub timeout: Option<Duration>,
    /// Memory limit of a trial; `Some(None)` is "no such limit".
    pub memory_limit: Option<Option<u64>>,
    /// CPUs of the host that is pretended; `Some(None)` is "those that are there".
    pub cpus: Option<Option<u32>>,
    /// Seed.
    pub seed: Option<u64>,
    /// Largest loss of throughput; `Some(None)` is "no such constraint".
    pub max_throughput_loss: Option<Option<f64>>,
    /// Largest rise of p99.
    pub max_p99_loss: Option<Option<f64>>,
    /// Largest RSS.
    pub max_rss: Option<Option<u64>>,
    /// Confidence.
    pub confidence: Option<f64>,
    /// Strategy of `tune`.
    pub strategy: Option<Strategy>,
    /// Time after which `tune` begins no further round; `Some(None)` is "no such limit".
    pub time_budget: Option<Option<Duration>>,
    /// Gain of RSS that is not worth further search.
    pub tolerance: Option<f64>,
    /// Whether words are given of a busy host as well.
    pub accept_busy_host: Option<bool>,
}

/// What candidates are made of. The three are one group: where any of them is given on the command line,
/// none is taken from the plan file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Axes {
    /// Allocators as they are by themselves.
    pub allocators: Option<Vec<Allocator>>,
    /// Values of glibc's `arena_max`.
    pub arena_max: Option<Vec<Option<u32>>>,
    /// Candidates named one by one.
    pub candidates: Option<Vec<Candidate>>,
}

impl Draft {
    /// This draft, with what it leaves open taken from another.
    #[must_use]
    pub fn over(self, below: Self) -> Self {
        Self {
            workloads: if self.workloads.is_empty() { below.workloads } else { self.workloads },
            threads: self.threads.or(below.threads),
            baseline: self.baseline.or(below.baseline),
            axes: if self.axes == Axes::default() { below.axes } else { self.axes },
            libcs: self.libcs.or(below.libcs),
            rounds: self.rounds.or(below.rounds),
            objective: self.objective.or(below.objective),
            idle: self.idle.or(below.idle),
            trim: self.trim.or(below.trim),
            timeout: self.timeout.or(below.timeout),
            memory_limit: self.memory_limit.or(below.memory_limit),
            cpus: self.cpus.or(below.cpus),
            seed: self.seed.or(below.seed),
            max_throughput_loss: self.max_throughput_loss.or(below.max_throughput_loss),
            max_p99_loss: self.max_p99_loss.or(below.max_p99_loss),
            max_rss: self.max_rss.or(below.max_rss),
            confidence: self.confidence.or(below.confidence),
            strategy: self.strategy.or(below.strategy),
            time_budget: self.time_budget.or(below.time_budget),
            tolerance: self.tolerance.or(below.tolerance),
            accept_busy_host: self.accept_busy_host.or(below.accept_busy_host),
        }
    }

    /// The plan, with defaults for what is open.
    ///
    /// # Errors
    /// No workload, or axes that contradict each other.
    pub fn complete(self) -> Result<Plan, PlanError> {
        if self.workloads.is_empty() {
            let known = arenalab_workloads::catalogue::all().iter().filter(|known| !known.hidden);
            let names: Vec<_> = known.map(|known| known.name).collect();
            return Err(PlanError::new(format!(
                "no workload is given; name one or more of {}, a plan with --plan FILE, or a program of your own \
                 after --",
                names.join(", ")
            )));
        }
        let workloads = without_repeats(self.workloads);
        each_name_once(&workloads)?;
        // A model by itself runs with the threads that it names.
        let own = if let [only] = workloads.as_slice() { only.own_threads() } else { None };
        let threads = self.threads.unwrap_or_else(|| vec![own.unwrap_or(DEFAULT_THREADS)]);
        let threads = without_repeats(threads);
        workloads.iter().try_for_each(|workload| workload.check(&threads))?;
        let mut candidates = self.axes.candidates()?;
        let baseline = self.baseline.unwrap_or_else(Candidate::baseline);
        let baseline_added = !candidates.contains(&baseline);
        if baseline_added {
            candidates.insert(0, baseline.clone());
        }
        let libcs = self.libcs.unwrap_or_else(|| vec![PlannedLibc::Host]);
        libc::check(&libcs).map_err(PlanError::new)?;
        Ok(Plan {
            workloads,
            sweep: Sweep { threads, baseline, candidates, baseline_added, libcs },
            measure: Measure {
                rounds: self.rounds.unwrap_or(DEFAULT_ROUNDS),
                objective: self.objective.unwrap_or_default(),
                idle: self.idle.unwrap_or_default(),
                trim: self.trim.unwrap_or_default(),
                timeout: self.timeout.unwrap_or(DEFAULT_TIMEOUT),
                memory_limit: self.memory_limit.flatten(),
                cpus: self.cpus.flatten(),
                seed: self.seed.unwrap_or(DEFAULT_SEED),
                strategy: self.strategy.unwrap_or_default(),
                time_budget: self.time_budget.flatten(),
            },
            choose: Choose {
                constraints: Constraints {
                    max_throughput_loss: self
                        .max_throughput_loss
                        .unwrap_or(Some(DEFAULT_MAX_THROUGHPUT_LOSS)),
                    max_p99_loss: self.max_p99_loss.flatten(),
                    max_rss: self.max_rss.flatten(),
                },
                confidence: self.confidence.unwrap_or(DEFAULT_CONFIDENCE),
                tolerance: self.tolerance.unwrap_or(DEFAULT_TOLERANCE),
                accept_busy_host: self.accept_busy_host.unwrap_or_default(),
            },
        })
    }
}

impl Axes {
    /// The candidates: `arena_max` spreads glibc out, and what was named one by one follows. Nothing said is
    /// all allocators and the default axis; candidates alone are just these; `arena_max` without allocators
    /// beside candidates is glibc.
    fn candidates(self) -> Result<Vec<Candidate>, PlanError> {
        let named = self.candidates.unwrap_or_default();
        let allocators = match (self.allocators, named.is_empty(), &self.arena_max) {
            (Some(allocators), ..) => allocators,
            (None, true, _) => vec![Allocator::Glibc, Allocator::Jemalloc, Allocator::Mimalloc],
            (None, false, Some(_)) => vec![Allocator::Glibc],
            (None, false, None) => Vec::new(),
        };
        if self.arena_max.is_some() && !allocators.contains(&Allocator::Glibc) {
            return Err(PlanError::new(
                "arena_max is a setting of glibc, which is not among the allocators; add glibc or leave it out"
                    .to_owned(),
            ));
        }
        let axis = self.arena_max.unwrap_or_else(|| DEFAULT_ARENA_MAX.to_vec());
        let mut candidates = Vec::new();
        for allocator in allocators {
            if allocator != Allocator::Glibc {
                candidates.push(Candidate::plain(allocator));
                continue;
            }
            for value in &axis {
                let candidate = Candidate::with_arena_max(*value);
                candidates.push(candidate.map_err(|why| PlanError::new(why.to_string()))?);
            }
        }
        candidates.extend(named);
        Ok(candidates)
    }
}

/// Two programs of one name could not be told apart in the records.
fn each_name_once(workloads: &[PlannedWorkload]) -> Result<(), PlanError> {
    let mut seen = std::collections::BTreeSet::new();
    let twice = workloads.iter().map(ToString::to_string).find(|name| !seen.insert(name.clone()));
    twice.map_or(Ok(()), |name| {
        Err(PlanError::new(format!("two workloads are called {name}; name them apart")))
    })
}

/// The items in their order, each once: a scenario is measured once however often it is named.
fn without_repeats<T: PartialEq>(items: Vec<T>) -> Vec<T> {
    let mut kept: Vec<T> = Vec::with_capacity(items.len());
    for item in items {
        if !kept.contains(&item) {
            kept.push(item);
        }
    }
    kept
}
