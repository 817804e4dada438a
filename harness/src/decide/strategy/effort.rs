//! What a search may cost.

use crate::decide::logs::{spent_s, spent_until_s};
use crate::decide::observations::Observations;
use crate::units::format_seconds;

use super::complete_rounds;

/// What the search may cost.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Effort {
    /// The most rounds in all.
    pub most_rounds: u32,
    /// Seconds of trials after which no further round is begun.
    pub time_budget_s: Option<f64>,
}

impl Effort {
    /// Why no further round may be begun, where none may.
    pub(super) fn exhausted(&self, seen: &Observations) -> Option<String> {
        if complete_rounds(seen) >= self.most_rounds as usize {
            return Some(format!("{} rounds are the most that were allowed", self.most_rounds));
        }
        let budget = self.time_budget_s.filter(|budget| spent_s(seen) >= *budget)?;
        Some(format!("the time budget of {} is used up", format_seconds(budget)))
    }

    /// Whether the sieve has had its half of the time.
    pub(super) fn sieve_is_over(&self, seen: &Observations, rounds: usize) -> bool {
        self.time_budget_s.is_some_and(|budget| spent_until_s(seen, rounds) >= budget / 2.0)
    }
}

impl Default for Effort {
    fn default() -> Self {
        Self { most_rounds: 256, time_budget_s: None }
    }
}
