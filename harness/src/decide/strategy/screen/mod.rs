//! Screen and confirm: look at all for a few rounds, then prove the few that matter on fresh rounds.
//!
//! 1. **Sieve** (`sieve`): two rounds of everything, then rounds of those arms that still have a chance to
//!    be the leanest within the constraints. Whatever is seen here only steers the search: it picks the
//!    finalists and their order.
//! 2. **Confirm** (`confirm`): fresh rounds of the finalists, the baseline and its twin, with looks at
//!    planned rounds. The allowed error is split over the looks and handed along the finalists in an order
//!    fixed beforehand, so that it holds whichever of them is shipped.
//! 3. **Second plan**: where nothing passed, another one is made in the light of all that was seen, and
//!    tested on rounds that are fresh again, with the part of the allowed error that was kept for it. An arm
//!    that the sieve had set aside may come back here.
//! 4. **Hearing**: where the twin is accused at the end, the same is run once more, and the twin is judged
//!    by the fresh rounds alone. An honest host is accused by chance in one campaign in twenty; twice in a
//!    row, in one of four hundred.

mod answer;
mod confirm;
mod finalists;
mod judge;
mod plan;
mod sieve;

use std::ops::Range;
use std::sync::Arc;

use crate::format::decision::{Decision, Eliminated};

use super::beliefs::{form, unfinished};
use super::{Effort, Step, Strategy, complete_rounds, is_sound, nothing_to_measure, request};
use crate::decide::choose::choose;
use crate::decide::observations::Observations;
use crate::decide::question::Question;
use crate::decide::standings::candidates;

use confirm::{Confirmed, Past};
use judge::State;
use plan::{Plan, Stage};
use sieve::Sieved;

/// The default strategy of `tune`.
#[derive(Clone, Debug)]
pub struct ScreenAndConfirm {
    question: Question,
    effort: Effort,
    memo: Option<Arc<Sieved>>,
    past: Past,
}

impl ScreenAndConfirm {
    /// A search for the answer to `question`.
    pub fn new(question: Question, effort: Effort) -> Self {
        Self { question, effort, memo: None, past: Past::default() }
    }

    fn sieved(&mut self, seen: &Observations) -> Arc<Sieved> {
        match &self.memo {
            Some(sieved) if sieved.still_holds(seen) => Arc::clone(sieved),
            _ => {
                let sieved = Arc::new(sieve::walk(seen, &self.question, &self.effort));
                self.memo = sieved.plan.is_some().then(|| Arc::clone(&sieved));
                sieved
            }
        }
    }
}

impl Strategy for ScreenAndConfirm {
    fn name(&self) -> &'static str {
        "screen-and-confirm"
    }

    fn next(&mut self, seen: &Observations) -> Step {
        if !is_sound(seen) {
            return nothing_to_measure();
        }
        let sieved = self.sieved(seen);
        let Some(plan) = &sieved.plan else {
            let (arms, eliminated) = (sieved.arms.clone(), sieved.eliminated.clone());
            return match self.effort.exhausted(seen) {
                Some(why) => Step::Stop { why, eliminated },
                None => request(seen, arms, "sieve", eliminated),
            };
        };
        let course = self.course(seen, plan);
        let fresh = complete_rounds(seen) == plan.start;
        let eliminated = if fresh { sieved.eliminated.clone() } else { course.newly_out.clone() };
        if let Some(why) = course.confirmed.stop {
            return match course.hearing {
                Some(rounds)
                    if complete_rounds(seen) < rounds.end && self.effort.exhausted(seen).is_none() =>
                {
                    request(seen, course.plan.finalists, "hearing", eliminated)
                }
                _ => Step::Stop { why, eliminated },
            };
        }
        request(seen, course.confirmed.arms(), "confirm", eliminated)
    }

    fn decide(&mut self, seen: &Observations, question: &Question) -> Decision {
        if !is_sound(seen) {
            return choose(seen, question);
        }
        let sieved = self.sieved(seen);
        match &sieved.plan {
            Some(plan) => answer::decide(seen, question, &sieved.out, &self.course(seen, plan)),
            None => answer::unfinished(seen, question, &sieved),
        }
    }
}

/// What became of the plan, or of the plan that took its place.
struct Course {
    plan: Plan,
    confirmed: Confirmed,
    /// Finalists of a plan that came to nothing.
    before: Vec<(usize, State)>,
    /// Out since the last request.
    newly_out: Vec<Eliminated>,
    /// The rounds in which an accused twin is heard: none where it is not accused, where the confirmation
    /// has not ended, or where the effort does not reach.
    hearing: Option<Range<usize>>,
}

impl ScreenAndConfirm {
    fn course(&mut self, seen: &Observations, plan: &Plan) -> Course {
        let confirmed = confirm::walk(seen, &self.question, &self.effort, plan, &mut self.past);
        if let Some(second) = self.second(seen, plan, &confirmed) {
            let again = confirm::walk(seen, &self.question, &self.effort, &second, &mut self.past);
            let fresh = complete_rounds(seen) == second.start;
            let newly_out = if fresh { confirmed.newly_out } else { again.newly_out.clone() };
            let mut before = confirmed.finalists;
            before.retain(|(arm, _)| !second.finalists.contains(arm));
            let hearing = self.hearing(seen, &second, again.used);
            return Course { plan: second, confirmed: again, before, newly_out, hearing };
        }
        let hearing = self.hearing(seen, plan, confirmed.used);
        let newly_out = confirmed.newly_out.clone();
        Course { plan: plan.clone(), confirmed, before: Vec::new(), newly_out, hearing }
    }

    /// Another plan, where the first came to nothing and something still promises to pass.
    fn second(&self, seen: &Observations, plan: &Plan, confirmed: &Confirmed) -> Option<Plan> {
        let start = plan.start + confirmed.used.filter(|_| confirmed.is_fruitless(plan))?;
        let out =
            |arm: &usize| confirmed.finalists.iter().any(|(a, s)| a == arm && matches!(s, State::Out(_)));
        let alive: Vec<usize> = candidates(seen)
            .into_iter()
            .filter(|arm| *arm != seen.baseline && !out(arm) && unfinished(seen, *arm, start).is_none())
            .collect();
        let standings = form(seen, &self.question, start, &alive);
        let second = finalists::plan(seen, &self.question, &self.effort, (Stage::Second, start), &standings);
        (!second.finalists.is_empty()).then_some(second)
    }

    fn hearing(&self, seen: &Observations, plan: &Plan, used: Option<usize>) -> Option<Range<usize>> {
        let used = used.filter(|used| *used > 0)?;
        let from = plan.start + used;
        let used = used.min(plan.main);
        let within = from + used <= self.effort.most_rounds as usize;
        let begun = complete_rounds(seen) > from;
        let within = within && (begun || self.effort.exhausted(seen).is_none());
        (within && answer::accused(seen, &self.question, plan.start..from)).then_some(from..from + used)
    }
}

#[cfg(test)]
mod tests;
