//! The sieve: which arms have a chance to be the leanest within the constraints.

use crate::decide::observations::{Observations, RoundData};
use crate::decide::question::Question;
use crate::decide::standings::candidates;
use crate::decide::strategy::beliefs::{Standing, form, unfinished};
use crate::decide::strategy::complete_rounds;
use crate::decide::strategy::neighbours::are_ladders;
use crate::format::decision::{Eliminated, OutBy};

use super::finalists;
use super::plan::{Plan, Stage};
use crate::decide::strategy::Effort;

/// Rounds of everything before anything is set aside: spread can't be seen in one, but on ladders, by how
/// far rungs lie from their neighbours.
const FULL_ROUNDS: usize = 2;
/// Rounds of the sieve, at most.
const MOST_ROUNDS: usize = 12;
/// The sieve ends where no more arms than this have a chance.
const ENOUGH: usize = 3;
/// Arms with a lower chance to be the one are not run again.
const LEAST_CHANCE: f64 = 0.02;

/// Where the sieve stands.
#[derive(Clone, Debug)]
pub(in crate::decide::strategy) struct Sieved {
    /// The arms to run next, while it goes on.
    pub(super) arms: Vec<usize>,
    /// The plan for the confirmation, once it has ended.
    pub(super) plan: Option<Plan>,
    /// Dropped since the last request.
    pub(super) eliminated: Vec<Eliminated>,
    /// Dropped at any time.
    pub(super) out: Vec<Eliminated>,
    /// The rounds it saw, by scenario.
    saw: Vec<Vec<RoundData>>,
}

impl Sieved {
    /// Whether it saw what now is there.
    pub(super) fn still_holds(&self, seen: &Observations) -> bool {
        self.saw.len() == seen.scenarios.len()
            && self.plan.as_ref().is_none_or(|plan| plan.fell_at(seen).is_none())
            && self.saw.iter().zip(&seen.scenarios).all(|(saw, now)| now.rounds.starts_with(saw))
    }
}

/// Goes through all rounds so far, as they came.
pub(super) fn walk(seen: &Observations, question: &Question, effort: &Effort) -> Sieved {
    let done = complete_rounds(seen);
    let others: Vec<usize> = candidates(seen).into_iter().filter(|arm| *arm != seen.baseline).collect();
    let mut alive = others.clone();
    let (mut eliminated, mut out) = (Vec::new(), Vec::new());
    let mut told: Vec<usize> = Vec::new();
    let mut boundary = 0;
    let full_rounds = if are_ladders(seen) { 1 } else { FULL_ROUNDS };
    while boundary <= done {
        out.append(&mut eliminated);
        alive.retain(|arm| match unfinished(seen, *arm, boundary) {
            Some(why) => {
                eliminated.push(dropped(seen, *arm, why, (None, OutBy::Failure)));
                false
            }
            None => true,
        });
        if boundary < full_rounds.min(effort.at(boundary).0) {
            boundary += 1;
            continue;
        }
        let standings = form(seen, question, boundary, &alive);
        let mut hopeful: Vec<&Standing> = standings.iter().filter(|s| s.best >= LEAST_CHANCE).collect();
        hopeful.sort_by(|a, b| b.best.total_cmp(&a.best).then(a.arm.cmp(&b.arm)));
        if hopeful.len() <= ENOUGH || boundary >= MOST_ROUNDS || effort.sieve_is_over(seen, boundary) {
            let plan = finalists::plan(seen, question, effort, (Stage::First, boundary), &standings);
            let set_aside: Vec<usize> =
                alive.iter().copied().filter(|arm| !plan.finalists.contains(arm)).collect();
            if let Some(fallen) = plan.fell_at(seen) {
                told.extend(set_aside);
                boundary = fallen;
                continue;
            }
            out.append(&mut eliminated.clone());
            for arm in set_aside {
                let words = set_aside_words(seen, &standings, arm, boundary);
                if !told.contains(&arm) {
                    eliminated.push(words.clone());
                }
                out.push(words);
            }
            let saw = seen.scenarios.iter().map(|s| s.rounds[..boundary].to_vec()).collect();
            return Sieved { arms: Vec::new(), plan: Some(plan), eliminated, out, saw };
        }
        if boundary == done {
            let arms = hopeful.iter().map(|s| s.arm).collect();
            out.extend(eliminated.iter().cloned());
            return Sieved { arms, plan: None, eliminated, out, saw: Vec::new() };
        }
        boundary += 1;
    }
    out.extend(eliminated.iter().cloned());
    Sieved { arms: alive, plan: None, eliminated, out, saw: Vec::new() }
}

fn dropped(seen: &Observations, arm: usize, why: String, (bound, by): (Option<f64>, OutBy)) -> Eliminated {
    Eliminated { candidate: seen.arms[arm].name.clone(), why, bound, by: Some(by) }
}

fn set_aside_words(seen: &Observations, standings: &[Standing], arm: usize, rounds: usize) -> Eliminated {
    let Some(standing) = standings.iter().find(|s| s.arm == arm) else {
        return dropped(
            seen,
            arm,
            format!("its figures were not measured in {rounds} rounds"),
            (None, OutBy::SetAside),
        );
    };
    let tightest = standing.slacks.iter().map(|s| s.belief).min_by(|a, b| a.mean.total_cmp(&b.mean));
    let reach = tightest.map(|b| (b.mean + 2.0 * b.variance.sqrt()).exp());
    let why = format!(
        "set aside after {rounds} rounds: {} to meet the constraints, {} to be the leanest that does",
        words(standing.feasible),
        words(standing.best)
    );
    dropped(seen, arm, why, (reach, OutBy::SetAside))
}

fn words(chance: f64) -> String {
    if chance < 0.001 {
        "no chance (below 0.1 %)".to_owned()
    } else {
        format!("a chance of {:.1} %", chance * 100.0)
    }
}
