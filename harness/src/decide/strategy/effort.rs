//! What a search may cost.

use crate::decide::logs::{spent_s, spent_until_s};
use crate::decide::observations::Observations;
use crate::units::format_seconds;

use super::complete_rounds;

/// What the search may cost.
#[derive(Clone, Debug, PartialEq)]
pub struct Effort {
    /// The most rounds in all.
    pub most_rounds: u32,
    /// Seconds of trials after which no further round is begun.
    pub time_budget_s: Option<f64>,
    /// What was allowed before the campaign was extended, in the order of the extensions.
    pub earlier: Vec<Extent>,
}

/// What was allowed up to an extension.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Extent {
    /// Rounds that had been begun when it ended.
    pub until: u32,
    /// The most rounds in all.
    pub most_rounds: u32,
    /// Seconds of trials.
    pub time_budget_s: Option<f64>,
}

impl Effort {
    /// What was allowed when so many rounds were done: a search that is replayed goes by what was allowed then.
    pub(super) fn at(&self, rounds: usize) -> (usize, Option<f64>) {
        let then = self.earlier.iter().find(|extent| rounds < extent.until as usize);
        let now = (self.most_rounds, self.time_budget_s);
        let (most, budget) = then.map_or(now, |then| (then.most_rounds, then.time_budget_s));
        (most as usize, budget)
    }

    /// Why no further round may be begun, where none may.
    pub(super) fn exhausted(&self, seen: &Observations) -> Option<String> {
        let done = complete_rounds(seen);
        let (most, budget) = self.at(done);
        if done >= most {
            return Some(format!("{most} rounds are the most that were allowed"));
        }
        let over = seen.out_of_time || budget.is_some_and(|budget| spent_s(seen) >= budget);
        over.then(|| match budget {
            Some(budget) => format!("the time budget of {} is used up", format_seconds(budget)),
            None => "the time is used up".to_owned(),
        })
    }

    /// The first end of an earlier budget after so many rounds: all that was seen until then was looked at there.
    pub(super) fn ended_after(&self, rounds: usize) -> Option<usize> {
        self.earlier.iter().map(|extent| extent.until as usize).find(|until| *until > rounds)
    }

    /// Whether the sieve has had its half of the time.
    pub(super) fn sieve_is_over(&self, seen: &Observations, rounds: usize) -> bool {
        self.at(rounds).1.is_some_and(|budget| spent_until_s(seen, rounds) >= budget / 2.0)
    }
}

impl Default for Effort {
    fn default() -> Self {
        Self { most_rounds: 256, time_budget_s: None, earlier: Vec::new() }
    }
}
