//! What is fixed before the first fresh round: the finalists, their order, the looks, and how the allowed
//! error is split.

use crate::decide::observations::Observations;
use crate::decide::strategy::beliefs::unfinished;
use crate::decide::strategy::complete_rounds;
use crate::statistics::FEWEST_VALUES;

/// Looks before the main one, in rounds.
const LOOKS: [usize; 7] = [6, 10, 16, 25, 40, 64, 100];
/// Part of the allowed error that is kept for what may come after the main look: either the same again, as
/// long, or (where nothing passed) another plan on further fresh rounds.
const FOR_LATER: f64 = 0.15;
/// Part of the allowed error that is kept for finalists behind one that did not pass.
const FOR_OTHERS: f64 = 0.1;
/// What a look may have used grows with the rounds to this power: little early, most at the main one.
const SPENDING: f64 = 3.0;

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
    /// Looks, in order. The last may lie after the main one.
    pub(super) looks: Vec<Look>,
    /// Rounds of the main look.
    pub(super) main: usize,
}

impl Plan {
    /// A plan with its main look after `main` rounds.
    pub(super) fn new(stage: Stage, start: usize, finalists: Vec<usize>, main: usize) -> Self {
        let early = LOOKS.into_iter().filter(|rounds| 4 * rounds <= 3 * main);
        let mut before = 0.0;
        let look = |rounds: usize| {
            let used = stage.share() * (rounds as f64 / main as f64).powf(SPENDING);
            let share = used - before;
            before = used;
            Look { rounds, share }
        };
        let mut looks: Vec<Look> = early.chain([main]).map(look).collect();
        if stage == Stage::First {
            looks.push(Look { rounds: 2 * main, share: FOR_LATER });
        }
        Self { start, finalists, looks, main }
    }

    /// Rounds of the last look.
    pub(super) fn last(&self) -> usize {
        self.looks.last().map_or(self.main, |look| look.rounds)
    }

    /// The looks that so many rounds allow; where no more rounds will come, a last one that uses what is
    /// left of the main look's share.
    pub(super) fn looks_up_to(&self, rounds: usize, ended: bool) -> Vec<Look> {
        let mut looks: Vec<Look> = self.looks.iter().copied().filter(|look| look.rounds <= rounds).collect();
        let last = looks.last().map_or(0, |look| look.rounds);
        if ended && rounds > last && rounds < self.main && rounds >= FEWEST_VALUES {
            let spent: f64 = looks.iter().map(|look| look.share).sum();
            let until_main = self.looks.iter().filter(|look| look.rounds <= self.main);
            looks.push(Look { rounds, share: until_main.map(|look| look.share).sum::<f64>() - spent });
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

/// Whether a plan is the first, or one made after nothing of the first passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// The first.
    First,
    /// The second.
    Second,
}

impl Stage {
    /// Share of the allowed error that its looks up to the main one may use.
    fn share(self) -> f64 {
        match self {
            Self::First => 1.0 - FOR_LATER,
            Self::Second => FOR_LATER,
        }
    }

    /// What a finalist may use at the main look, where those before it passed: some went to earlier looks,
    /// usually at five eighths of the rounds, and some is kept for the others.
    pub(super) fn main_share(self) -> f64 {
        self.share() * (1.0 - 0.625f64.powf(SPENDING)) * (1.0 - FOR_OTHERS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_than_the_allowed_error_is_spent() {
        for main in [6, 11, 20, 64, 130] {
            for finalists in 1..6 {
                let plan = |stage| Plan::new(stage, 3, (0..finalists).collect(), main);
                let spent = |plan: &Plan| plan.looks.iter().map(|look| look.share).sum::<f64>();
                let (plan, second) = (plan(Stage::First), plan(Stage::Second));
                assert!((spent(&plan) - 1.0).abs() < 1e-12);
                let later = plan.looks.last().unwrap().share;
                assert!((spent(&second) - later).abs() < 1e-12, "either an extension or a second plan");
                for rounds in 2..main {
                    let cut_short: f64 = plan.looks_up_to(rounds, true).iter().map(|look| look.share).sum();
                    assert!(cut_short <= 1.0 - later + 1e-12);
                }
                assert!(plan.looks.iter().all(|look| look.share > 0.0));
                assert!(plan.looks.is_sorted_by(|a, b| a.rounds < b.rounds));
                assert!((plan.weights().iter().sum::<f64>() - 1.0).abs() < 1e-12);
            }
        }
    }
}
