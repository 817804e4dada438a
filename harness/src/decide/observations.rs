//! The data that decisions are made from: numbers by scenario, round and arm, nothing else.
//!
//! An **arm** is what is run once a round: a candidate, or the baseline's twin. Arms are numbered; the
//! names are only for output.

/// Everything known so far.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Observations {
    /// The arms, in the order of the plan; indices into this list are used everywhere else.
    pub arms: Vec<Arm>,
    /// Index of the baseline.
    pub baseline: usize,
    /// Index of the baseline's twin, where it was run.
    pub twin: Option<usize>,
    /// Data by scenario (workload, threads, libc).
    pub scenarios: Vec<ScenarioData>,
    /// Whether the time that was allowed is used up: no further round will come.
    pub out_of_time: bool,
}

impl Observations {
    /// The same with the first `rounds` rounds of each scenario only, for example without the one that was
    /// under way when a campaign was interrupted.
    #[must_use]
    pub fn first_rounds(&self, rounds: usize) -> Self {
        let part = |s: &ScenarioData| ScenarioData {
            workload: s.workload.clone(),
            threads: s.threads,
            libc: s.libc.clone(),
            unit: s.unit.clone(),
            rounds: s.rounds.iter().take(rounds).cloned().collect(),
        };
        Self {
            arms: self.arms.clone(),
            baseline: self.baseline,
            twin: self.twin,
            scenarios: self.scenarios.iter().map(part).collect(),
            out_of_time: self.out_of_time,
        }
    }
}

/// What is run once a round.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Arm {
    /// Canonical candidate.
    pub name: String,
    /// Its place on an ordered axis, where it has one: the axis (for example `glibc:arena_max`) and the
    /// value; an arm with the axis at its default has infinity.
    pub rung: Option<(String, f64)>,
}

/// One scenario's data.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ScenarioData {
    /// Canonical workload.
    pub workload: String,
    /// Threads.
    pub threads: u32,
    /// The C library.
    pub libc: String,
    /// Unit of throughput.
    pub unit: String,
    /// Rounds in the order they were run; of a round that was run again, the last run.
    pub rounds: Vec<RoundData>,
}

/// One round: a cell an arm, `None` where the arm was not in the round.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RoundData {
    /// The round's number.
    pub index: u32,
    /// By arm.
    pub cells: Vec<Option<Cell>>,
}

/// What one trial says to a decision.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// It finished.
    Measured(Figures),
    /// It did not; the status as text (`crashed`, `timeout`…).
    Unfinished(String),
    /// It cannot be measured here, or cannot have an effect; why.
    Unsupported(String),
}

/// The figures of a finished trial. All are finite and above 0, or absent.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Figures {
    /// Work per second.
    pub throughput: f64,
    /// RSS in bytes: peak, mean, end, drained, in the order of `Objective`.
    pub rss: [Option<f64>; 4],
    /// 99th percentile of malloc latency, nanoseconds.
    pub p99: Option<f64>,
    /// Seconds that the whole trial took.
    pub elapsed_s: f64,
}
