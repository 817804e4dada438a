//! A race: all arms run, and each is dropped as soon as it is shown to be out.
//!
//! All rounds of an arm count, from the first. That is paid for: every bound is corrected for the number of
//! candidates and of looks, so that it holds whenever an arm is dropped or shipped.

use crate::decide::choose::{Ground, choose};
use crate::decide::feasibility::Tails;
use crate::decide::observations::Observations;
use crate::decide::question::Question;
use crate::decide::standings::{Panel, candidates};
use crate::format::decision::{Decision, Eliminated, Feasible, Verdict};

use super::{Effort, Step, Strategy, complete_rounds, is_sound, nothing_to_measure, request};

/// Looks, in rounds.
const LOOKS: [usize; 10] = [4, 6, 10, 16, 25, 40, 64, 100, 160, 256];

/// Drops what is shown to be out, until one candidate is left or the effort ends.
#[derive(Clone, Debug)]
pub struct Race {
    question: Question,
    effort: Effort,
}

impl Race {
    /// A race for the answer to `question`.
    pub fn new(question: Question, effort: Effort) -> Self {
        Self { question, effort }
    }

    /// The bounds at every look.
    fn tails(&self, seen: &Observations) -> Tails {
        let planned = LOOKS.iter().filter(|rounds| **rounds <= self.effort.most_rounds as usize).count();
        // The end is a look of its own, and so was the end of each earlier budget.
        let looks = planned + 1 + self.effort.earlier.len();
        let rivals = candidates(seen).len().saturating_sub(1).max(1);
        let alpha = self.question.alpha() / looks as f64;
        Tails { plain: alpha / 2.0, claim: alpha / rivals as f64, with_twin: false }
    }

    /// Goes through the looks so far.
    fn walk(&self, seen: &Observations) -> Standing {
        let done = complete_rounds(seen);
        let mut alive: Vec<usize> =
            candidates(seen).into_iter().filter(|arm| *arm != seen.baseline).collect();
        let mut standing = Standing { arms: alive.clone(), ..Standing::default() };
        let ended = self.effort.exhausted(seen).map(|_| done);
        let earlier = self.effort.earlier.iter().map(|extent| extent.until as usize);
        let mut looks: Vec<usize> = LOOKS.into_iter().chain(ended).chain(earlier).collect();
        looks.sort_unstable();
        looks.dedup();
        for look in looks.into_iter().filter(|look| *look <= done) {
            let part = seen.first_rounds(look);
            let settled = Ground::survey(&part, &self.question, self.tails(seen)).settle();
            let gone = |arm: &usize| settled.eliminated.iter().find(|e| e.candidate == seen.arms[*arm].name);
            let out: Vec<Eliminated> = alive.iter().filter_map(gone).cloned().collect();
            alive.retain(|arm| gone(arm).is_none());
            standing.newly_out = if look == done { out.clone() } else { Vec::new() };
            standing.out.extend(out);
            standing.arms.clone_from(&alive);
            if settled.undecided.is_empty() && settled.verdict != Verdict::Undecided {
                standing.stop = Some("nothing is open any more".to_owned());
                break;
            }
        }
        standing
    }
}

#[derive(Default)]
struct Standing {
    arms: Vec<usize>,
    out: Vec<Eliminated>,
    newly_out: Vec<Eliminated>,
    stop: Option<String>,
}

impl Strategy for Race {
    fn name(&self) -> &'static str {
        "race"
    }

    fn next(&mut self, seen: &Observations) -> Step {
        if !is_sound(seen) {
            return nothing_to_measure();
        }
        let standing = self.walk(seen);
        match standing.stop.or_else(|| self.effort.exhausted(seen)) {
            Some(why) => Step::Stop { why, eliminated: standing.newly_out },
            None => request(seen, standing.arms, "race", standing.newly_out),
        }
    }

    fn decide(&mut self, seen: &Observations, question: &Question) -> Decision {
        if !is_sound(seen) {
            return choose(seen, question);
        }
        let standing = self.walk(seen);
        let mut ground = Ground::survey(seen, question, self.tails(seen));
        let mut settled = ground.settle();
        // What is out stays out, by the bound that it went by.
        let choice = settled.choice.map(|arm| seen.arms[arm].name.clone());
        let mut out = standing.out;
        out.retain(|out| Some(&out.candidate) != choice.as_ref());
        let was_out = |name: &String| out.iter().any(|out| out.candidate == *name);
        let any_open = !settled.undecided.is_empty();
        settled.undecided.retain(|open| !was_out(&open.candidate));
        settled.eliminated.retain(|out| !was_out(&out.candidate));
        settled.eliminated.splice(0..0, out);
        // All that these rounds leave open was shown to be out at an earlier look.
        let all_out = any_open && settled.undecided.is_empty() && settled.verdict == Verdict::Undecided;
        let trusted = ground.panels.iter().all(Panel::trusted);
        if all_out && trusted && ground.baseline().state == Feasible::Yes {
            settled.verdict = Verdict::KeepBaseline;
            settled.choice = Some(seen.baseline);
            "every other candidate was shown to be out, each at its look".clone_into(&mut settled.reason);
        }
        let alone = (0..seen.scenarios.len()).map(|index| ground.settle_alone(index)).collect();
        ground.decision(settled, alone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::simulate::campaign::run;
    use crate::decide::simulate::host::Chance;
    use crate::decide::simulate::landscape::Kind;

    #[test]
    fn a_race_ends_with_a_sound_choice_and_fewer_trials_than_a_grid() {
        let mut chance = Chance::new(11);
        let landscape = Kind::Scatter.draw(16, 0.03, &mut chance);
        let effort = Effort { most_rounds: 40, ..Effort::default() };
        let mut race = Race::new(Question::default(), effort);
        let seen = run(&landscape, &mut race, 100, &mut chance);
        let decision = race.decide(&seen, &Question::default());
        assert_eq!(decision.verdict, Verdict::Chosen);
        let truth = landscape.truths.iter().find(|t| Some(&t.name) == decision.choice.as_ref()).unwrap();
        assert!(truth.throughput >= 0.95f64.ln());
        let grid = (seen.scenarios[0].rounds.len() * seen.arms.len()) as u64;
        assert!(decision.trials_run < grid, "{} of {grid}", decision.trials_run);
        assert!(matches!(race.next(&seen), Step::Stop { .. }));
    }
}
