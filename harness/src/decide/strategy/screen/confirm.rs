//! The confirmation: fresh rounds, planned looks, and an error that is split beforehand.
//!
//! The finalists are tested in an order that the sieve fixed, the safest first. One that passes hands its
//! share of the allowed error on to the next (the "fallback" procedure of Wiens, Pharmaceutical Statistics
//! 2, 2003, which keeps the chance of passing anything that breaks a constraint within the allowed error,
//! whatever is true of the others). Each look may use its own part of that. Going on or stopping at a look
//! needs no payment, since every look's part is fixed beforehand, run or not.

use crate::decide::observations::{Observations, RoundData};
use crate::decide::question::Question;
use crate::decide::strategy::complete_rounds;
use crate::format::decision::Eliminated;

use super::finalists::PRICE;
use super::judge::{Judge, Open, State};
use super::plan::{Plan, Stage};
use crate::decide::strategy::Effort;

/// Finalists with a lower chance to pass are not run any more.
const LEAST_CHANCE: f64 = 0.05;

/// Where the confirmation stands.
#[derive(Clone, Debug)]
pub(super) struct Confirmed {
    /// Finalists and what has become of them, in the order of testing.
    pub(super) finalists: Vec<(usize, State)>,
    /// Why nothing more is run.
    pub(super) stop: Option<String>,
    /// Out since the last request.
    pub(super) newly_out: Vec<Eliminated>,
    /// Rounds of confirmation that were used, once it has ended.
    pub(super) used: Option<usize>,
    /// Whether any look was made, and so a part of the allowed error was spent.
    pub(super) looked: bool,
}

/// What earlier looks gave: the answer to a look depends on the rounds up to it alone, and a search is
/// asked again after every round.
#[derive(Clone, Debug, Default)]
pub(super) struct Past(Vec<Looked>);

/// The looks of one plan that were followed by another.
#[derive(Clone, Debug)]
struct Looked {
    plan: Plan,
    looks: usize,
    confirmed: Confirmed,
    saw: Vec<Vec<RoundData>>,
}

impl Past {
    /// How many looks of a plan are known, and what they gave.
    fn find(&self, seen: &Observations, plan: &Plan, fresh: usize) -> Option<(usize, Confirmed)> {
        let holds = |looked: &&Looked| {
            looked.plan == *plan
                && plan.looks[looked.looks - 1].rounds < fresh
                && looked.saw.len() == seen.scenarios.len()
                && looked.saw.iter().zip(&seen.scenarios).all(|(saw, now)| now.rounds.starts_with(saw))
        };
        let looked = self.0.iter().find(holds)?;
        Some((looked.looks, Confirmed { newly_out: Vec::new(), ..looked.confirmed.clone() }))
    }

    fn keep(&mut self, seen: &Observations, plan: &Plan, looks: usize, confirmed: &Confirmed) {
        let rounds = plan.start + plan.looks[looks - 1].rounds;
        let saw = seen.scenarios.iter().map(|s| s.rounds[..rounds].to_vec()).collect();
        self.0.retain(|looked| looked.plan != *plan);
        self.0.push(Looked { plan: plan.clone(), looks, confirmed: confirmed.clone(), saw });
        // The first plan and the second; a third is another campaign's.
        if self.0.len() > 2 {
            self.0.remove(0);
        }
    }
}

impl Confirmed {
    fn begun(plan: &Plan) -> Self {
        let finalists = plan.finalists.iter().map(|arm| (*arm, State::Open(Open::unseen()))).collect();
        Self { finalists, stop: None, newly_out: Vec::new(), used: None, looked: false }
    }

    /// The arms to run next.
    pub(super) fn arms(&self) -> Vec<usize> {
        self.open().filter(|(_, open)| open.running).map(|(arm, _)| arm).collect()
    }

    fn open(&self) -> impl Iterator<Item = (usize, &Open)> {
        self.finalists.iter().filter_map(|(arm, state)| match state {
            State::Open(open) => Some((*arm, open)),
            _ => None,
        })
    }

    /// Whether a finalist has passed.
    pub(super) fn has_passed(&self) -> bool {
        self.finalists.iter().any(|(_, state)| matches!(state, State::Passed { .. }))
    }

    /// Whether it ended with nothing passed, and with a part of the allowed error left.
    pub(super) fn is_fruitless(&self, plan: &Plan) -> bool {
        !self.has_passed() && self.used.is_some_and(|used| used <= plan.main)
    }

    /// Logarithm of the least RSS that has passed; 0, the baseline's, where none has.
    fn incumbent(&self) -> f64 {
        let passed = self.finalists.iter().filter_map(|(_, state)| match state {
            State::Passed { rss, .. } => Some(rss.estimate),
            _ => None,
        });
        passed.fold(0.0, f64::min)
    }

    /// Sets aside what has no chance to pass, or too little to gain; `Some` where nothing more is to be run.
    fn go_on(&mut self, arms: usize, question: &Question, plan: &Plan, done: usize) -> Option<String> {
        let horizon = if done < plan.main { plan.main } else { plan.last() };
        let stage = if horizon == plan.main { Stage::First } else { Stage::Second };
        let tail = question.alpha() * stage.main_share();
        let least = self.incumbent() + question.worthwhile();
        let mut promised = 0.0f64;
        let mut open_to_all = false;
        for (_, state) in &mut self.finalists {
            let State::Open(open) = state else { continue };
            open_to_all = true;
            let chance = open.forecast(horizon, tail);
            open.running &= chance >= LEAST_CHANCE && open.rss < least;
            if open.running {
                promised = promised.max(chance * (least - question.worthwhile() - open.rss));
            }
        }
        let running = self.arms().len();
        if !open_to_all {
            return Some("every finalist is settled".to_owned());
        }
        if running == 0 {
            return Some(
                "none of the finalists is likely to pass and to save more than the tolerance".to_owned(),
            );
        }
        if done >= plan.last() {
            return Some("the last planned look is done".to_owned());
        }
        let price = PRICE * ((horizon - done) * (running + 2)) as f64 / arms as f64;
        (promised < price).then(|| "more rounds would cost more than they promise".to_owned())
    }
}

/// Goes through all looks so far.
///
/// Where time or rounds run out between two looks, a last look takes the place of the main one. That is
/// as good as planned: when time runs out does not depend on who is ahead.
pub(super) fn walk(
    seen: &Observations,
    question: &Question,
    effort: &Effort,
    plan: &Plan,
    past: &mut Past,
) -> Confirmed {
    let fresh = complete_rounds(seen).saturating_sub(plan.start);
    let mut confirmed = Confirmed::begun(plan);
    if plan.finalists.is_empty() {
        confirmed.stop = Some("no candidate promises to pass and to save memory".to_owned());
        confirmed.used = Some(0);
        return confirmed;
    }
    // What an earlier budget ended was looked at there, for good: the same rounds are not tested again.
    let ended = effort.ended_after(plan.start).filter(|until| *until <= plan.start + fresh);
    let (fresh, exhausted) = match ended {
        Some(until) => (until - plan.start, Some("an earlier budget ended".to_owned())),
        None => (fresh, effort.exhausted(seen)),
    };
    let looks = plan.looks_up_to(fresh, exhausted.is_some());
    let mut done = 0;
    if let Some((looked, known)) = past.find(seen, plan, fresh) {
        (done, confirmed) = (looked, known);
    }
    for (index, look) in looks.iter().enumerate().skip(done) {
        let judge = Judge::new(seen, question, plan, look.rounds);
        let newly_out = judge.look(look.share, &mut confirmed.finalists);
        confirmed.looked = true;
        // What went out at an earlier look was told then.
        confirmed.newly_out = if look.rounds == fresh { newly_out } else { Vec::new() };
        confirmed.stop = confirmed.go_on(seen.arms.len(), question, plan, look.rounds);
        if look.rounds == fresh {
            confirmed.stop = confirmed.stop.or_else(|| exhausted.clone());
        }
        if confirmed.stop.is_some() {
            confirmed.used = Some(look.rounds);
            break;
        }
        past.keep(seen, plan, index + 1, &confirmed);
    }
    if looks.is_empty() && exhausted.is_some() {
        confirmed.stop = exhausted;
        confirmed.used = Some(fresh);
    }
    confirmed
}
