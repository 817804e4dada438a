//! The seam between a campaign and its trials: a campaign asks an [`Executor`] to run a [`TrialSpec`]
//! and is given a [`Trial`], whatever became of it. Real processes and tests' doubles stand behind it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use super::libc_root::Footing;
use super::pretend_cpus::Pretended;
use crate::format::series::Series;
use crate::format::trial::TrialRecord;
use crate::knowledge::Setting;
use crate::knowledge::value::Value;
use crate::plan::Program;

/// One trial to run.
#[derive(Clone, Debug)]
#[allow(clippy::struct_excessive_bools, reason = "four questions that have nothing to do with each other")]
pub struct TrialSpec {
    /// Canonical workload.
    pub workload: String,
    /// Threads of the workload.
    pub threads: u32,
    /// `host`, or the name of another C library.
    pub libc: String,
    /// That C library, where it is not the host's.
    pub footing: Option<Arc<Footing>>,
    /// Canonical candidate.
    pub candidate: String,
    /// Round, from 0.
    pub round: u32,
    /// Run of that round, from 0.
    pub attempt: u32,
    /// Place in the round's order, from 0.
    pub position: u32,
    /// Whether this is the baseline's second run in the round.
    pub twin: bool,
    /// The executable.
    pub program: PathBuf,
    /// The user's own program, where the workload is one; seed and arguments are then of no use.
    pub own: Option<Arc<Program>>,
    /// Seed of the workload.
    pub seed: u64,
    /// Its arguments; seed and control descriptor are added to them.
    pub args: Vec<String>,
    /// What must be proven of it.
    pub asked: Asked,
    /// Why it cannot be measured here, where that is known beforehand.
    pub unsupported: Option<String>,
    /// Time limit for all phases but the idle wait.
    pub timeout: Duration,
    /// Idle wait after the drain.
    pub idle: Duration,
    /// The host that is pretended.
    pub pretended: Option<Pretended>,
    /// Memory that it may take, bytes; set by a control group.
    pub memory_limit: Option<u64>,
    /// Whether the allocator is asked to give memory back after that.
    pub trim: bool,
    /// Whether RSS is sampled while it runs. Only the benchmark of the sampling itself goes without.
    pub sampled: bool,
    /// Whether a series is wanted.
    pub keep_series: bool,
}

impl TrialSpec {
    /// Whether its program is one of a root that it runs inside of, and not the host's.
    pub fn is_of_root(&self) -> bool {
        self.own.is_some() && self.footing.as_ref().is_some_and(|footing| footing.whole)
    }
}

/// What a candidate asks for.
#[derive(Clone, Debug)]
pub struct Asked {
    /// `glibc`, `jemalloc`, `mimalloc`, or `preload` for any that is not the C library's own.
    pub allocator: String,
    /// Settings, with what is known of them.
    pub settings: Vec<(&'static Setting, Value)>,
    /// The environment variables that make it.
    pub env: BTreeMap<String, String>,
    /// The library that must be mapped before the C library's malloc, of a program that knows nothing of us.
    pub preload: Option<PathBuf>,
    /// Tells the variables that an allocator would read, which a trial must not inherit.
    pub foreign: fn(&str) -> bool,
}

/// A finished trial.
#[derive(Clone, Debug)]
pub struct Trial {
    /// The line for the journal.
    pub record: TrialRecord,
    /// RSS and live bytes over time, where asked for and seen.
    pub series: Option<Series>,
}

impl TrialSpec {
    /// CPUs that its process is to read as online.
    pub fn cpus_to_read(&self) -> Option<u32> {
        self.pretended.as_ref().filter(|pretended| pretended.file).map(|pretended| pretended.cpus)
    }
}

impl Asked {
    /// The limit on arenas that is asked for.
    pub fn arena_limit(&self) -> Option<u32> {
        let limit = self.settings.iter().find(|(setting, _)| setting.key == "arena_max");
        match limit {
            Some((_, Value::Number(max))) => u32::try_from(*max).ok(),
            _ => None,
        }
    }
}

/// Runs trials.
pub trait Executor {
    /// Runs one trial to its end. What goes wrong with the trial is its status and reason.
    ///
    /// # Errors
    /// One line, when the tool itself cannot go on: a failure that says nothing of the candidate, and must
    /// not be counted against it.
    fn run(&mut self, spec: &TrialSpec) -> Result<Trial, String>;

    /// Seconds since some moment, by the clock that the campaign's time budget goes by.
    fn now_s(&self) -> f64 {
        static BEGAN: LazyLock<Instant> = LazyLock::new(Instant::now);
        BEGAN.elapsed().as_secs_f64()
    }

    /// Seconds of the time budget that this run of the program has used before its first trial.
    fn spent_s(&self) -> f64 {
        0.0
    }
}
