//! Screen and confirm: look at all for a few rounds, then prove the few that matter on fresh rounds.
//!
//! 1. **Sieve** (`sieve`): two rounds of everything, then rounds of those arms that still have a chance to
//!    be the leanest within the constraints. Whatever is seen here only steers the search: it picks the
//!    finalists and their order.
//! 2. **Confirm** (`confirm`): fresh rounds of the finalists, the baseline and its twin, with looks at
//!    planned rounds. The allowed error is split over the looks and handed along the finalists in an order
//!    fixed beforehand, so that it holds whichever of them is shipped.
//! 3. **Hearing**: where the twin is accused at the end, the same is run once more, and the twin is judged
//!    by the fresh rounds alone. An honest host is accused by chance in one campaign in twenty; twice in a
//!    row, in one of four hundred.

mod answer;
mod confirm;
mod finalists;
mod judge;
mod plan;
mod sieve;

use std::ops::Range;

use crate::format::decision::Decision;

use super::{Effort, Step, Strategy, complete_rounds, request};
use crate::decide::observations::Observations;
use crate::decide::question::Question;

use plan::Plan;
use sieve::Sieved;

/// The default strategy of `tune`.
#[derive(Clone, Debug)]
pub struct ScreenAndConfirm {
    question: Question,
    effort: Effort,
    memo: Option<Sieved>,
}

impl ScreenAndConfirm {
    /// A search for the answer to `question`.
    pub fn new(question: Question, effort: Effort) -> Self {
        Self { question, effort, memo: None }
    }

    fn sieved(&mut self, seen: &Observations) -> Sieved {
        match &self.memo {
            Some(sieved) if sieved.still_holds(seen) => sieved.clone(),
            _ => {
                let sieved = sieve::walk(seen, &self.question, &self.effort);
                self.memo = sieved.plan.is_some().then(|| sieved.clone());
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
        let sieved = self.sieved(seen);
        let Some(plan) = &sieved.plan else {
            let (arms, eliminated) = (sieved.arms, sieved.eliminated);
            return match self.effort.exhausted(seen) {
                Some(why) => Step::Stop { why, eliminated },
                None => request(seen, arms, "sieve", eliminated),
            };
        };
        let confirmed = confirm::walk(seen, &self.question, &self.effort, plan);
        let fresh = complete_rounds(seen) == plan.start;
        let eliminated = if fresh { sieved.eliminated.clone() } else { confirmed.newly_out.clone() };
        if let Some(why) = confirmed.stop {
            return match self.hearing(seen, plan, confirmed.used) {
                Some(rounds)
                    if complete_rounds(seen) < rounds.end && self.effort.exhausted(seen).is_none() =>
                {
                    request(seen, plan.finalists.clone(), "hearing", eliminated)
                }
                _ => Step::Stop { why, eliminated },
            };
        }
        request(seen, confirmed.arms(), "confirm", eliminated)
    }

    fn decide(&mut self, seen: &Observations, question: &Question) -> Decision {
        let sieved = self.sieved(seen);
        let Some(plan) = &sieved.plan else {
            return answer::unfinished(seen, question, &sieved);
        };
        let confirmed = confirm::walk(seen, &self.question, &self.effort, plan);
        let judged = self.hearing(seen, plan, confirmed.used).unwrap_or(plan.start..usize::MAX);
        answer::decide(seen, question, &sieved, plan, &confirmed, judged)
    }
}

impl ScreenAndConfirm {
    /// The rounds in which an accused twin is heard: none where it is not accused, where the confirmation
    /// has not ended, or where the effort does not reach.
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
