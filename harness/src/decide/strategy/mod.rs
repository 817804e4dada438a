//! Which arms to run next.

mod beliefs;
mod effort;
mod neighbours;
mod race;
pub mod screen;
mod smooth;

use crate::format::decision::{Decision, Eliminated};

pub use effort::{Effort, Extent};
pub use race::Race;
pub use screen::ScreenAndConfirm;

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

    /// The next step. Every round in `seen` must be complete: one that was under way is to be cut off
    /// ([`Observations::first_rounds`]), and the same request for it comes again.
    fn next(&mut self, seen: &Observations) -> Step;

    /// The decision on a campaign that this strategy steered, finished or not. A strategy that looks at
    /// the data while it collects them must pay for its looks here.
    fn decide(&mut self, seen: &Observations, question: &Question) -> Decision {
        choose(seen, question)
    }

    /// Whether nothing more can be chosen, however many rounds follow: all tests that the allowed error pays for were made,
    /// and none was passed.
    fn is_spent(&mut self, _seen: &Observations) -> bool {
        false
    }
}

/// Whether there is a baseline and something to run it in.
fn is_sound(seen: &Observations) -> bool {
    seen.baseline < seen.arms.len() && !seen.scenarios.is_empty()
}

fn nothing_to_measure() -> Step {
    Step::Stop { why: "there is nothing to measure".to_owned(), eliminated: Vec::new() }
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
        if !is_sound(seen) {
            return nothing_to_measure();
        }
        if seen.out_of_time {
            return Step::Stop { why: "the time budget is used up".to_owned(), eliminated: Vec::new() };
        }
        if complete_rounds(seen) >= self.rounds as usize {
            return Step::Stop {
                why: match self.rounds {
                    1 => "the one round is done".to_owned(),
                    rounds => format!("all {rounds} rounds are done"),
                },
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

/// Names that [`by_name`] knows, the default first.
pub const NAMES: [&str; 3] = ["screen-and-confirm", "race", "full-grid"];

/// The strategy with this name; `sweep` is a full grid under the name that a sweep's manifest has. `None`
/// for a name that is not known.
pub fn by_name(name: &str, question: &Question, effort: Effort) -> Option<Box<dyn Strategy>> {
    Some(match name {
        "screen-and-confirm" => Box::new(ScreenAndConfirm::new(*question, effort)),
        "race" => Box::new(Race::new(*question, effort)),
        "full-grid" | "sweep" => Box::new(FullGrid { rounds: effort.most_rounds }),
        _ => return None,
    })
}

/// A round with these arms, the baseline and the twin.
fn request(seen: &Observations, arms: Vec<usize>, phase: &str, eliminated: Vec<Eliminated>) -> Step {
    let mut arms: Vec<usize> = arms.into_iter().chain([seen.baseline]).chain(seen.twin).collect();
    arms.sort_unstable();
    arms.dedup();
    Step::Round(RoundRequest { arms, phase: phase.to_owned(), eliminated })
}
