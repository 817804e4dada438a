//! What a campaign will measure: workloads, candidates, rounds, and what must hold. Pure: nothing here
//! reads a file or looks at the system.
//!
//! * [`candidate`]: an allocator with its settings; [`workload`]: what allocates; [`libc`]: what it runs on.
//! * [`fields`]: each field read from text; [`draft`]: what was said, completed to a [`Plan`].
//! * [`from_toml`], [`to_toml`]: the plan file.
//! * [`program`]: the user's own program as a workload.
//! * [`canonical`]: which candidates cannot differ.
//! * [`pretend`]: how a candidate is made to behave as on a host with another number of CPUs.

use std::fmt;
use std::time::Duration;

use crate::format::decision::{Constraints, Objective};

pub mod apply;
pub mod candidate;
pub mod canonical;
pub mod draft;
pub mod fields;
pub mod from_toml;
pub mod libc;
pub mod pretend;
pub mod program;
pub mod to_toml;
pub mod workload;

pub use candidate::{Allocator, Candidate, CandidateError};
pub use draft::Draft;
pub use libc::PlannedLibc;
pub use program::Program;
pub use workload::PlannedWorkload;

use crate::format::manifest::Scenario;

/// The longest default time over which one of the bundled allocators gives memory back: jemalloc's
/// `dirty_decay_ms`.
const DECAY: Duration = Duration::from_secs(10);

/// A complete plan.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// What allocates; at least one, no two alike.
    pub workloads: Vec<PlannedWorkload>,
    /// What is varied.
    pub sweep: Sweep,
    /// How it is measured.
    pub measure: Measure,
    /// What must hold.
    pub choose: Choose,
}

/// What is varied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sweep {
    /// Threads of every workload; at least one, no two alike.
    pub threads: Vec<u32>,
    /// What the others are compared with.
    pub baseline: Candidate,
    /// Candidates in the order they were named, repeats included; the baseline is among them.
    pub candidates: Vec<Candidate>,
    /// Whether the baseline was not named and has been put in front.
    pub baseline_added: bool,
    /// The C libraries, in order; at least one, no two of one name.
    pub libcs: Vec<PlannedLibc>,
}

/// How it is measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Measure {
    /// Rounds: each candidate runs once in each.
    pub rounds: u32,
    /// The RSS figure that is minimised.
    pub objective: Objective,
    /// Idle wait after the drain.
    pub idle: Duration,
    /// Whether the allocator is asked to give memory back after the last reading, and RSS is read once more.
    pub trim: bool,
    /// Time limit of a trial, without its idle wait.
    pub timeout: Duration,
    /// Memory limit of each trial, bytes, set by a control group.
    pub memory_limit: Option<u64>,
    /// CPUs of the host that is pretended ([`pretend`]).
    pub cpus: Option<u32>,
    /// Seed of orders, resampling and workloads.
    pub seed: u64,
    /// How `tune` asks for rounds; `sweep` always runs the full grid.
    pub strategy: Strategy,
    /// Time after which `tune` begins no further round.
    pub time_budget: Option<Duration>,
}

/// What must hold.
#[derive(Clone, Debug, PartialEq)]
pub struct Choose {
    /// Against the baseline, or absolutely.
    pub constraints: Constraints,
    /// Stated confidence, for example 0.95.
    pub confidence: f64,
    /// Gain of RSS that is not worth further search, as a fraction.
    pub tolerance: f64,
    /// Whether words are given of a busy host as well.
    pub accept_busy_host: bool,
}

/// How `tune` asks for rounds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Strategy {
    /// A few rounds of everything, then fresh rounds of the few that matter.
    #[default]
    ScreenAndConfirm,
    /// Rounds of whatever is still open.
    Race,
    /// Everything in every round.
    FullGrid,
}

impl Plan {
    /// Reads a plan file. `file` is its name, for messages.
    ///
    /// # Errors
    /// One line that begins with file and line.
    pub fn from_toml(text: &str, file: &str) -> Result<Self, PlanError> {
        let draft = from_toml::draft(text, file)?;
        draft.complete().map_err(|error| error.in_file(file))
    }

    /// The plan as a file that [`Plan::from_toml`] reads back, with comments that explain it.
    pub fn to_toml(&self) -> String {
        to_toml::write(self)
    }

    /// What one who runs this plan should be told before it starts, in sentences.
    pub fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if self.sweep.baseline_added {
            let nothing_set =
                if self.sweep.baseline == Candidate::baseline() { " with nothing set" } else { "" };
            let baseline = &self.sweep.baseline;
            notes.push(format!("{baseline}{nothing_set} is the baseline and is measured too"));
        }
        if self.workloads.iter().any(|workload| workload.program().is_some()) {
            notes.push(
                "of a program of your own, glibc is the program as it is, whatever its malloc".to_owned(),
            );
        }
        if self.measure.trim && self.workloads.iter().any(|workload| workload.program().is_some()) {
            notes.push(
                "--trim asks built-in workloads only: a program of your own cannot be asked".to_owned(),
            );
        }
        if let Some(cpus) = self.measure.cpus {
            notes.push(pretend::note(cpus));
        }
        if self.measure.objective == Objective::Drained && self.measure.idle < DECAY {
            notes.push(format!(
                "the objective is read {} after the drain: decay timers, 10 s in jemalloc, have not run by then; \
                 allow for them with an idle wait of 12s",
                if self.measure.idle.is_zero() { "right" } else { "soon" }
            ));
        }
        let mut candidates = self.sweep.candidates.clone();
        candidates.sort();
        candidates.dedup();
        notes.extend(candidates.iter().flat_map(Candidate::caveats));
        notes
    }

    /// Every workload at every thread count, in the plan's order.
    pub fn scenarios(&self) -> Vec<Scenario> {
        let of = |workload: &PlannedWorkload| {
            let name = workload.to_string();
            let scenario = move |threads| Scenario { workload: name.clone(), threads };
            self.threads_of(workload).into_iter().map(scenario)
        };
        self.workloads.iter().flat_map(of).collect()
    }

    /// The thread counts that a workload is run with. A program that does not use `{threads}` has one
    /// scenario, of 0 threads: it makes as many as it wants.
    pub fn threads_of(&self, workload: &PlannedWorkload) -> Vec<u32> {
        if workload.has_threads() { self.sweep.threads.clone() } else { vec![0] }
    }

    /// The most threads that hold an arena at once in any scenario, main thread included; without a bound
    /// where a program is among the workloads.
    pub fn reach(&self) -> u32 {
        let most = self.sweep.threads.iter().copied().max().unwrap_or(1);
        self.workloads.iter().map(|workload| workload.reach(most)).max().unwrap_or(1)
    }
}

/// Why there is no plan: one line, to be shown as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanError {
    /// The file, and the line from 1 where it is known.
    at: Option<(String, Option<usize>)>,
    what: String,
}

impl PlanError {
    /// An error of the command line, or of no particular place.
    pub const fn new(what: String) -> Self {
        Self { at: None, what }
    }

    /// An error at a line of a file.
    pub fn at(file: &str, line: usize, what: String) -> Self {
        Self { at: Some((file.to_owned(), Some(line))), what }
    }

    /// The same error, said to be of a flag.
    #[must_use]
    pub fn of_flag(self, flag: &str) -> Self {
        Self { what: format!("--{flag}: {}", self.what), ..self }
    }

    /// The same error, said to be of a file unless it has a place already.
    #[must_use]
    pub fn in_file(self, file: &str) -> Self {
        let at = self.at.or_else(|| Some((file.to_owned(), None)));
        Self { at, what: self.what }
    }
}

impl fmt::Display for PlanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.at {
            Some((file, Some(line))) => write!(f, "{file}:{line}: {}", self.what),
            Some((file, None)) => write!(f, "{file}: {}", self.what),
            None => f.write_str(&self.what),
        }
    }
}

impl std::error::Error for PlanError {}
