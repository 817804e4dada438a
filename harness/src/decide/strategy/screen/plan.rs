//! What is fixed before the first fresh round: the finalists, their order, the looks, and how the allowed
//! error is split.

use crate::decide::observations::Observations;
use crate::decide::strategy::beliefs::unfinished;
use crate::decide::strategy::complete_rounds;

/// Looks before the main one, in rounds.
const LOOKS: [usize; 7] = [6, 10, 16, 25, 40, 64, 100];
/// Part of the allowed error that is kept for a second run as long as the first, where that is worth it.
const FOR_EXTENSION: f64 = 0.15;
/// Part of the allowed error that is kept for finalists behind one that did not pass.
const FOR_OTHERS: f64 = 0.2;
/// What a look may have used grows with the rounds to this power: little early, most at the main one.
const SPENDING: f64 = 2.5;

/// A planned look.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Look {
    /// After so many rounds of confirmation.
    pub(super) rounds: usize,
    /// Share of the allowed error that it may use.
    pub(super) share: f64,
}

/// The plan of a confirmation.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Plan {
    /// Rounds before the confirmation.
    pub(super) start: usize,
    /// Arms, in the order of testing: the safest first.
    pub(super) finalists: Vec<usize>,
    /// Looks, in order; their shares add up to 1. The last is the extension's.
    pub(super) looks: Vec<Look>,
    /// Rounds of the main look.
    pub(super) main: usize,
}

impl Plan {
    /// A plan with its main look after `main` rounds.
    pub(super) fn new(start: usize, finalists: Vec<usize>, main: usize) -> Self {
        let early = LOOKS.into_iter().filter(|rounds| 4 * rounds <= 3 * main);
        let mut before = 0.0;
        let looks = early.chain([main, 2 * main]).map(|rounds| {
            let used = used_by(rounds, main);
            let share = used - before;
            before = used;
            Look { rounds, share }
        });
        Self { start, looks: looks.collect(), finalists, main }
    }

    /// The looks that so many rounds allow; where no more rounds will come, a last one that uses what is
    /// left of the main look's share.
    pub(super) fn looks_up_to(&self, rounds: usize, ended: bool) -> Vec<Look> {
        let mut looks: Vec<Look> = self.looks.iter().copied().filter(|look| look.rounds <= rounds).collect();
        let last = looks.last().map_or(0, |look| look.rounds);
        if ended && rounds > last && rounds < self.main && rounds >= 2 {
            let spent: f64 = looks.iter().map(|look| look.share).sum();
            looks.push(Look { rounds, share: 1.0 - FOR_EXTENSION - spent });
        }
        looks
    }

    /// The number of rounds after which the plan fell, because a finalist did not finish a trial before the
    /// first look: nothing of the error was spent by then, so another plan can be made.
    pub(super) fn fell_at(&self, seen: &Observations) -> Option<usize> {
        let first = self.looks.first().map_or(0, |look| look.rounds);
        let reached = complete_rounds(seen).min(self.start + first);
        let fell =
            |rounds: &usize| self.finalists.iter().any(|arm| unfinished(seen, *arm, *rounds).is_some());
        (self.start + 1..=reached).find(fell)
    }

    /// Shares of the allowed error by finalist: nearly all is the safest one's, which hands it on.
    pub(super) fn weights(&self) -> Vec<f64> {
        let others = self.finalists.len().saturating_sub(1);
        let kept = if others == 0 { 0.0 } else { FOR_OTHERS };
        std::iter::once(1.0 - kept).chain((0..others).map(|_| kept / others as f64)).collect()
    }
}

/// Share of the allowed error that looks up to this one may have used.
fn used_by(rounds: usize, main: usize) -> f64 {
    if rounds > main {
        return 1.0;
    }
    (1.0 - FOR_EXTENSION) * (rounds as f64 / main as f64).powf(SPENDING)
}

/// What a finalist may use at the main look, as a share of the allowed error, where those before it passed.
pub(super) fn main_share() -> f64 {
    let before = used_by(5, 8);
    (1.0 - FOR_EXTENSION - before) * (1.0 - FOR_OTHERS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_than_the_allowed_error_is_spent() {
        for main in [6, 11, 20, 64, 130] {
            for finalists in 1..6 {
                let plan = Plan::new(3, (0..finalists).collect(), main);
                let spent: f64 = plan.looks.iter().map(|look| look.share).sum();
                assert!((spent - 1.0).abs() < 1e-12);
                assert!(plan.looks.iter().all(|look| look.share > 0.0));
                assert!(plan.looks.is_sorted_by(|a, b| a.rounds < b.rounds));
                assert!((plan.weights().iter().sum::<f64>() - 1.0).abs() < 1e-12);
            }
        }
    }
}
