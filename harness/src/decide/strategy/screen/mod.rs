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
//! 4. **Exclude** (`exclude`): where still nothing passed, what was set aside is run on until each is shown to break a
//!    constraint or to save no more than the tolerance; only then is the baseline kept. A second plan may still come of it.
//! 5. **Hearing**: where the twin is accused at the end, the same is run once more, and the twin is judged
//!    by the fresh rounds alone. An honest host is accused by chance in one campaign in twenty; twice in a
//!    row, in one of four hundred.

mod answer;
mod confirm;
mod exclude;
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
use crate::statistics::FEWEST_VALUES;

use confirm::{Confirmed, Past};
use judge::State;
use plan::{Plan, Stage};
use sieve::Sieved;

/// Where nothing was confirmed, another plan is tried after every so many rounds.
const PLAN_EVERY: usize = 4;

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
        let Some(why) = &course.confirmed.stop else {
            return request(seen, course.confirmed.arms(), "confirm", eliminated);
        };
        let goes_on = self.effort.exhausted(seen).is_none();
        match &course.hearing {
            Some(rounds) if complete_rounds(seen) < rounds.end && goes_on => {
                request(seen, course.plan.finalists, "hearing", eliminated)
            }
            Some(_) => Step::Stop { why: why.clone(), eliminated },
            None => match self.to_exclude(seen, &course) {
                Ok(arms) => request(seen, arms, "exclude", eliminated),
                Err(done) => {
                    let why = done.unwrap_or_else(|| why.clone());
                    Step::Stop { why: self.effort.exhausted(seen).unwrap_or(why), eliminated }
                }
            },
        }
    }

    fn decide(&mut self, seen: &Observations, question: &Question) -> Decision {
        if !is_sound(seen) {
            return choose(seen, question);
        }
        let sieved = self.sieved(seen);
        let why = self.effort.exhausted(seen);
        match &sieved.plan {
            Some(plan) => {
                let course = self.course(seen, plan);
                let ended = course.confirmed.stop.is_some();
                let gave_up = || self.to_exclude(seen, &course).err().flatten().filter(|_| ended);
                let why = why.or_else(gave_up);
                answer::decide(seen, question, &sieved.out, &course, why)
            }
            None => answer::unfinished(seen, question, why),
        }
    }

    fn is_spent(&mut self, seen: &Observations) -> bool {
        let sieved = self.sieved(seen);
        sieved.plan.as_ref().is_some_and(|plan| self.course(seen, plan).spent)
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
    /// Whether it ended with nothing passed, and nothing of the allowed error is left for another plan.
    spent: bool,
}

impl ScreenAndConfirm {
    /// Goes through the plans: another follows one that came to nothing, as long as a part of the allowed error is kept for
    /// it. Looks are made in one first plan and one second at most; one that was not looked at has spent nothing.
    fn course(&mut self, seen: &Observations, first: &Plan) -> Course {
        let (mut plan, mut stage, mut before) = (first.clone(), Stage::First, Vec::new());
        let mut confirmed = confirm::walk(seen, &self.question, &self.effort, &plan, &mut self.past);
        let mut newly_out = confirmed.newly_out.clone();
        while let Some((after, second)) = self.second(seen, (stage, &plan), &confirmed) {
            let again = confirm::walk(seen, &self.question, &self.effort, &second, &mut self.past);
            let fresh = complete_rounds(seen) == second.start;
            newly_out = if fresh { confirmed.newly_out } else { again.newly_out.clone() };
            before.retain(|(arm, _)| !confirmed.finalists.iter().any(|(other, _)| other == arm));
            before.extend(confirmed.finalists);
            before.retain(|(arm, _)| !second.finalists.contains(arm));
            (plan, stage, confirmed) = (second, after, again);
        }
        let spent = confirmed.used.is_some()
            && !confirmed.has_passed()
            && (stage == Stage::Second && confirmed.looked || !confirmed.is_fruitless(&plan));
        let hearing = self.hearing(seen, &plan, confirmed.used);
        Course { plan, confirmed, before, newly_out, hearing, spent }
    }

    /// Another plan, where one came to nothing and something still promises to pass: at once, or after further rounds, as
    /// soon as they make one promise enough. Where nothing was looked at yet, none of the allowed error is spent.
    fn second(
        &self,
        seen: &Observations,
        (stage, plan): (Stage, &Plan),
        confirmed: &Confirmed,
    ) -> Option<(Stage, Plan)> {
        let stage = match (stage, confirmed.looked) {
            (stage, false) => stage,
            (Stage::First, true) => Stage::Second,
            (Stage::Second, true) => return None,
        };
        let from = plan.start + confirmed.used.filter(|_| confirmed.is_fruitless(plan))?;
        let starts = (from..=complete_rounds(seen)).step_by(PLAN_EVERY);
        let found = |start| {
            let standings = form(seen, &self.question, start, &Self::alive(seen, confirmed, start));
            let second = finalists::plan(seen, &self.question, &self.effort, (stage, start), &standings);
            (!second.finalists.is_empty()).then_some((stage, second))
        };
        // Of these very rounds the plan was made.
        starts.filter(|start| *start > plan.start).find_map(found)
    }

    fn alive(seen: &Observations, confirmed: &Confirmed, start: usize) -> Vec<usize> {
        let out =
            |arm: &usize| confirmed.finalists.iter().any(|(a, s)| a == arm && matches!(s, State::Out(_)));
        candidates(seen)
            .into_iter()
            .filter(|arm| *arm != seen.baseline && !out(arm) && unfinished(seen, *arm, start).is_none())
            .collect()
    }

    /// The arms to run on, so that the baseline can be kept: all that are not yet excluded. `Err` where none is to be
    /// run, with the reason where there is another than that of the confirmation.
    fn to_exclude(&self, seen: &Observations, course: &Course) -> Result<Vec<usize>, Option<String>> {
        if course.confirmed.has_passed() || self.effort.exhausted(seen).is_some() {
            return Err(None);
        }
        let excluded = answer::excluded(seen, &self.question);
        if excluded.open.is_empty() && complete_rounds(seen) >= FEWEST_VALUES {
            return Err(Some("every candidate is settled".to_owned()));
        }
        let unbounded = self.effort.at(complete_rounds(seen)).1.is_none();
        let hopeless = |open: &exclude::Open| {
            let in_all = open.rounds as f64 + open.needed.unwrap_or(0.0);
            open.rounds >= exclude::MOST_ROUNDS || in_all > 4.0 * exclude::MOST_ROUNDS as f64
        };
        let given_up = excluded.open.iter().filter(|open| hopeless(open)).count();
        if unbounded && given_up > 0 {
            let plural = if given_up == 1 { "candidate" } else { "candidates" };
            return Err(Some(format!(
                "gave up: {given_up} {plural} would take many more rounds, and no --time-budget asks for them"
            )));
        }
        Ok(excluded.open.iter().map(|open| open.arm).collect())
    }

    fn hearing(&self, seen: &Observations, plan: &Plan, used: Option<usize>) -> Option<Range<usize>> {
        let used = used.filter(|used| *used > 0)?;
        let from = plan.start + used;
        let used = used.min(plan.main);
        let within = from + used <= self.effort.at(from).0;
        let begun = complete_rounds(seen) > from;
        let within = within && (begun || self.effort.exhausted(seen).is_none());
        (within && answer::accused(seen, &self.question, plan.start..from)).then_some(from..from + used)
    }
}

#[cfg(test)]
mod tests;
