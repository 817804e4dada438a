//! Runs a campaign: asks the strategy for rounds, has their trials executed in the seeded order, and
//! journals each before the next begins.
//!
//! A resumed campaign is replayed: the strategy is asked the same questions, and a trial that the journal
//! already has is taken from there instead of being run. Since order and strategy depend on the seed and
//! on what was measured alone, it goes on exactly where it stopped.

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use super::budget::Budget;
use super::first_round;
use super::schedule::{self, Slot};
use super::steps::Steps;
use super::store::Store;
use crate::decide::from_trials;
use crate::decide::noisy::Rule;
use crate::decide::strategy::{RoundRequest, Step, Strategy};
use crate::format;
use crate::format::decision::Eliminated;
use crate::format::manifest::Manifest;
use crate::format::trial::{Effect, Status, TrialRecord};
use crate::plan::shell;
use crate::trial::executor::{Executor, TrialSpec};
use crate::trial::record;

/// What a campaign runs: a trial to copy for each scenario and arm.
pub struct Setup<'a> {
    /// What the campaign is.
    pub manifest: &'a Manifest,
    /// By scenario, then by arm; the last arm is the baseline's twin.
    pub templates: Vec<Vec<TrialSpec>>,
    /// Which rounds are run again.
    pub rule: Rule,
    /// Whether it goes on where the baseline fails in all its runs of the first round.
    pub keep_going: bool,
}

/// At most one round in so many is run again, none before that many: on a host that is always disturbed,
/// running again mends nothing.
const REPEATED_OF: u32 = 10;

/// What happens, as it happens.
pub enum Event<'a> {
    /// A round begins.
    RoundBegins {
        /// Its number, from 0.
        round: u32,
        /// Which run of it, from 0.
        attempt: u32,
        /// Trials in it.
        trials: usize,
        /// What the strategy is doing.
        phase: &'a str,
    },
    /// A trial begins.
    TrialBegins(&'a TrialSpec),
    /// A trial has ended, or was found in the journal.
    TrialEnded {
        /// Its line.
        record: &'a TrialRecord,
        /// Index of its arm.
        arm: usize,
        /// Whether it was found in the journal.
        replayed: bool,
    },
    /// A scenario's block within the round has ended.
    BlockEnded,
    /// The host was disturbed during the round, by the rule; it is run again.
    RoundRepeated {
        /// What the rule saw.
        why: &'a str,
    },
    /// Candidates are out.
    Eliminated(&'a [Eliminated]),
    /// The strategy has what it wants.
    Stopped {
        /// Why.
        why: &'a str,
    },
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The strategy has what it wants.
    Complete,
    /// On request; what finished is in the journal.
    Interrupted,
}

type Key = (usize, usize, u32, u32);

struct Run<'a> {
    setup: &'a Setup<'a>,
    executor: &'a mut dyn Executor,
    store: &'a mut Store,
    stop: &'a AtomicBool,
    on: &'a mut dyn FnMut(&Event),
    /// Boxed, as a table has room for many more than it holds.
    past: HashMap<Key, Box<TrialRecord>>,
    seen: Vec<TrialRecord>,
    /// Rounds that were run again so far.
    repeated: u32,
    budget: Budget,
    /// Whether the time budget has ended.
    out_of_time: bool,
    /// Rounds before this one were looked at when an earlier budget ended: nothing is added to them.
    frozen: u32,
}

/// How a part of a run ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Complete,
    Interrupted,
    OutOfTime,
}

/// Runs a campaign to its end.
///
/// # Errors
/// When a trial cannot be journaled; one line that says what to do. What finished before is on disk.
pub fn run(
    setup: &Setup,
    strategy: &mut dyn Strategy,
    executor: &mut dyn Executor,
    store: &mut Store,
    past: Vec<TrialRecord>,
    stop: &AtomicBool,
    on: &mut dyn FnMut(&Event),
) -> Result<Ended, String> {
    let spent_s: f64 = past.iter().map(|trial| trial.elapsed_s).filter(|s| s.is_finite()).sum();
    let spent_s = spent_s + executor.spent_s();
    let budget = Budget::new(setup.manifest.time_budget_s, spent_s, executor.now_s());
    let extended = setup.manifest.extended.last().map_or(0, |extended| extended.until_round);
    let frozen = store.closed.unwrap_or(0).max(extended);
    let (past, seen) = (by_key(setup, past), Vec::new());
    let mut run =
        Run { setup, executor, store, stop, on, past, seen, repeated: 0, budget, out_of_time: false, frozen };
    let ended = run.all_rounds(strategy);
    // Space that was reserved for rows to come. Where it cannot be given back, nothing is lost.
    let _ = run.store.trials.finish();
    ended
}

/// Finished trials by what they were; of several lines for one trial, the last. Interrupted ones are to
/// be run again.
fn by_key(setup: &Setup, past: Vec<TrialRecord>) -> HashMap<Key, Box<TrialRecord>> {
    let mut found = HashMap::new();
    for record in past.into_iter().filter(|record| record.status != Status::Interrupted) {
        if let Some((scenario, arm)) = place_of(setup, &record) {
            found.insert((scenario, arm, record.round, record.attempt), Box::new(record));
        }
    }
    found
}

fn place_of(setup: &Setup, record: &TrialRecord) -> Option<(usize, usize)> {
    let same_scenario = |spec: &TrialSpec| {
        spec.workload == record.workload && spec.threads == record.threads && spec.libc == record.libc
    };
    let scenario = setup.templates.iter().position(|arms| arms.first().is_some_and(same_scenario))?;
    let same_arm = |spec: &TrialSpec| spec.candidate == record.candidate && spec.twin == record.twin;
    Some((scenario, setup.templates[scenario].iter().position(same_arm)?))
}

/// Without what no strategy looks at: a campaign of ten thousand trials is held in memory.
pub(super) fn slim(mut record: TrialRecord) -> TrialRecord {
    record.effect = Effect { verified: record.effect.verified, how: String::new() };
    record.anatomy = None;
    record.allocator = None;
    record.libc_version = None;
    if let Some(rss) = &mut record.rss {
        rss.source = String::new();
    }
    record
}

impl Run<'_> {
    fn all_rounds(&mut self, strategy: &mut dyn Strategy) -> Result<Ended, String> {
        let mut steps = Steps::default();
        for round in 0.. {
            if self.stop.load(Ordering::Relaxed) {
                return Ok(Ended::Interrupted);
            }
            let mut observations = from_trials::from_trials(&self.seen, self.setup.manifest);
            // The twin is there from the first round on, also before its first trial.
            observations.twin = observations.arms.len().checked_sub(1);
            observations.out_of_time = self.out_of_time || self.store.closed.is_some_and(|at| round >= at);
            let out_of_time = observations.out_of_time;
            let step = match strategy.next(&observations) {
                // A strategy that knows nothing of time.
                Step::Round(request) if out_of_time => Step::Stop {
                    why: "the time budget is used up".to_owned(),
                    eliminated: request.eliminated,
                },
                step => step,
            };
            let arms: Vec<String> = observations.arms.into_iter().map(|arm| arm.name).collect();
            if let Some(line) = steps.line(round, &step, &arms) {
                self.journal(&format::step::Step { out_of_time, ..line })?;
            }
            match step {
                Step::Stop { why, eliminated } => {
                    self.tell_eliminated(&eliminated);
                    (self.on)(&Event::Stopped { why: &why });
                    break;
                }
                Step::Round(request) => {
                    self.tell_eliminated(&request.eliminated);
                    match self.round(round, &request)? {
                        Part::Complete => {}
                        Part::Interrupted => return Ok(Ended::Interrupted),
                        Part::OutOfTime => self.out_of_time = true,
                    }
                }
            }
        }
        Ok(Ended::Complete)
    }

    /// Journals a step, unless that was done before the campaign was taken up again.
    fn journal(&mut self, line: &format::step::Step) -> Result<(), String> {
        if self.store.last_step.is_some_and(|last| line.round <= last) {
            return Ok(());
        }
        let appended = self.store.steps.append(line);
        appended.map_err(|e| self.cannot_write(self.store.steps.path(), &e))
    }

    fn tell_eliminated(&mut self, eliminated: &[Eliminated]) {
        if !eliminated.is_empty() {
            (self.on)(&Event::Eliminated(eliminated));
        }
    }

    /// One round; run again as a whole where the rule finds that the host was disturbed. The last run
    /// counts, whatever it shows, and all are kept.
    fn round(&mut self, round: u32, request: &RoundRequest) -> Result<Part, String> {
        for attempt in 0.. {
            let from = self.seen.len();
            let known = self.past.keys().filter(|key| (key.2, key.3) == (round, attempt)).count();
            let again = self.past.keys().any(|key| (key.2, key.3) == (round, attempt + 1));
            let further = self.past.keys().any(|key| key.2 > round);
            match self.attempt(round, attempt, request)? {
                Part::Complete => {}
                ended => return Ok(ended),
            }
            let baseline = &self.setup.manifest.baseline;
            if round == 0
                && (again || !(self.setup.keep_going || further))
                && first_round::baseline_failed(&self.seen[from..], baseline)
            {
                // One that an earlier run ended with is tried again.
                if again || known == self.seen.len() - from {
                    continue;
                }
                let why = first_round::why(&self.seen[from..], baseline, &self.store.dir);
                return Err(format!("{why}{}", self.how_to_mend()));
            }
            let allowed = attempt < self.setup.rule.again && self.repeated < round / REPEATED_OF;
            let Some(why) = self.disturbed(from).filter(|_| allowed && self.time_for_another(request)) else {
                break;
            };
            self.repeated += 1;
            (self.on)(&Event::RoundRepeated { why: &why });
        }
        Ok(Part::Complete)
    }

    /// Whether a whole round can be run again: of one that is cut short, the first run would be lost.
    fn time_for_another(&self, request: &RoundRequest) -> bool {
        let scenarios = 0..self.setup.templates.len();
        let places = scenarios.flat_map(|scenario| request.arms.iter().map(move |arm| (scenario, *arm)));
        self.budget.allows_all(places, self.executor.now_s())
    }

    /// What disturbed the trials from an index on, if anything did.
    fn disturbed(&self, from: usize) -> Option<String> {
        let cpus = self.setup.manifest.host.cpus_online;
        self.seen[from..].iter().find_map(|trial| {
            let seconds = trial.wall_s.unwrap_or(trial.elapsed_s);
            self.setup.rule.disturbed(&trial.noise, seconds, trial.threads, cpus)
        })
    }

    fn attempt(&mut self, round: u32, attempt: u32, request: &RoundRequest) -> Result<Part, String> {
        let scenarios: Vec<usize> = (0..self.setup.templates.len()).collect();
        let (seed, libcs) = (self.setup.manifest.seed, self.setup.manifest.libcs.len());
        let order = schedule::round_order(seed, round, attempt, &scenarios, libcs, &request.arms);
        (self.on)(&Event::RoundBegins { round, attempt, trials: order.len(), phase: &request.phase });
        for (i, slot) in order.iter().enumerate() {
            match self.slot(round, attempt, *slot)? {
                Part::Complete => {}
                ended => return Ok(ended),
            }
            if order.get(i + 1).is_none_or(|next| next.scenario != slot.scenario) {
                (self.on)(&Event::BlockEnded);
            }
        }
        Ok(Part::Complete)
    }

    fn slot(&mut self, round: u32, attempt: u32, slot: Slot) -> Result<Part, String> {
        let Slot { scenario, arm, position } = slot;
        if let Some(record) = self.past.remove(&(scenario, arm, round, attempt)) {
            (self.on)(&Event::TrialEnded { record: &record, arm, replayed: true });
            self.budget.took((scenario, arm), record.elapsed_s);
            self.seen.push(*record);
            return Ok(Part::Complete);
        }
        if round < self.frozen {
            return Ok(Part::Complete);
        }
        if !self.budget.allows((scenario, arm), self.executor.now_s()) {
            return Ok(Part::OutOfTime);
        }
        let mut spec = self.setup.templates[scenario][arm].clone();
        spec.seed = schedule::workload_seed(self.setup.manifest.seed, round);
        spec.round = round;
        spec.attempt = attempt;
        spec.position = position;
        spec.keep_series = round == 0 && attempt == 0;
        if self.stop.load(Ordering::Relaxed) {
            return Ok(Part::Interrupted);
        }
        if let Err(error) = self.store.trials.reserve() {
            return Err(self.no_space(&spec, &error));
        }
        (self.on)(&Event::TrialBegins(&spec));
        let begun_s = self.executor.now_s();
        let cut = self.budget.cut(&mut spec, (scenario, arm), begun_s);
        let mut trial =
            self.executor.run(&spec).map_err(|reason| format!("{reason}. {}", self.how_to_go_on()))?;
        let cut = cut && trial.record.status == Status::Timeout;
        if cut {
            // The budget's doing, not the candidate's.
            trial.record.status = Status::Interrupted;
            trial.record.reason = Some("cut off: the time budget ended".to_owned());
        }
        let appended = self.store.trials.append(&trial.record);
        appended.map_err(|e| self.cannot_write(self.store.trials.path(), &e))?;
        if let Some(series) = &trial.series {
            let appended = self.store.series.append(series);
            appended.map_err(|e| self.cannot_write(self.store.series.path(), &e))?;
        }
        (self.on)(&Event::TrialEnded { record: &trial.record, arm, replayed: false });
        if cut {
            return Ok(Part::OutOfTime);
        }
        if trial.record.status == Status::Interrupted {
            return Ok(Part::Interrupted);
        }
        // With what was done around it.
        self.budget.took((scenario, arm), self.executor.now_s() - begun_s);
        self.seen.push(slim(trial.record));
        Ok(Part::Complete)
    }

    /// The trial that was not begun gets a row, in the space that was reserved for the one before it.
    fn no_space(&mut self, spec: &TrialSpec, error: &std::io::Error) -> String {
        let reason = format!("not begun: the disk of the campaign has no space for its row: {error}");
        let row = record::not_run(&self.setup.manifest.host.name, spec, Status::Interrupted, &reason);
        let message = self.cannot_write(self.store.trials.path(), error);
        // Where even this does not fit, the message alone tells.
        let _ = self.store.trials.append(&row);
        message
    }

    fn cannot_write(&self, path: &Path, error: &std::io::Error) -> String {
        format!("failed to write to {}: {error}. {}", path.display(), self.how_to_go_on())
    }

    fn how_to_mend(&self) -> String {
        format!(
            "Mend the program, and try again with --resume --out {dir}; or go on in spite of it with --keep-going besides; \
             where the plan is wrong, begin another campaign",
            dir = shell::path(&self.store.dir)
        )
    }

    fn how_to_go_on(&self) -> String {
        format!(
            "The trials that finished are on disk; once this is mended, go on with --resume --out {}",
            shell::path(&self.store.dir)
        )
    }
}
