//! Which arms to run next.

mod beliefs;
pub mod screen;

use crate::format::decision::{Decision, Eliminated};

pub use screen::{Effort, ScreenAndConfirm};

use super::choose::choose;
use super::observations::Observations;
use super::question::Question;

/// The next round: these arms once in every scenario, the baseline and its twin always among them.
#[derive(Clone, Debug, PartialEq)]
pub struct RoundRequest {
    /// Arms by index, rising.
    pub arms: Vec<usize>,
    /// What the round is for, in a word: `grid`, `sieve`, `confirm`.
    pub phase: String,
    /// Arms dropped since the last request, each with the bound that decided it.
    pub eliminated: Vec<Eliminated>,
}

/// What to do next.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Run a round.
    Round(RoundRequest),
    /// Enough is known, or more would not be known.
    Stop {
        /// Why, in words.
        why: String,
        /// Arms dropped since the last request.
        eliminated: Vec<Eliminated>,
    },
}

/// Decides which rounds to run. The answer depends on `seen` alone, so that a campaign that is taken up
/// again goes on exactly where it stopped.
pub trait Strategy {
    /// Name, as in `--strategy` and in the manifest.
    fn name(&self) -> &'static str;

    /// The next step, after all complete rounds in `seen`.
    fn next(&mut self, seen: &Observations) -> Step;

    /// The decision on a campaign that this strategy steered, finished or not. A strategy that looks at
    /// the data while it collects them must pay for its looks here.
    fn decide(&mut self, seen: &Observations, question: &Question) -> Decision {
        choose(seen, question)
    }
}

/// Rounds that every scenario has.
pub(in crate::decide) fn complete_rounds(seen: &Observations) -> usize {
    seen.scenarios.iter().map(|scenario| scenario.rounds.len()).min().unwrap_or(0)
}

/// Every arm in every round, for a fixed number of rounds. What `sweep` does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FullGrid {
    /// Rounds to run.
    pub rounds: u32,
}

impl Strategy for FullGrid {
    fn name(&self) -> &'static str {
        "full-grid"
    }

    fn next(&mut self, seen: &Observations) -> Step {
        if complete_rounds(seen) >= self.rounds as usize {
            return Step::Stop {
                why: format!("all {} rounds are done", self.rounds),
                eliminated: Vec::new(),
            };
        }
        Step::Round(RoundRequest {
            arms: (0..seen.arms.len()).collect(),
            phase: "grid".to_owned(),
            eliminated: Vec::new(),
        })
    }
}
