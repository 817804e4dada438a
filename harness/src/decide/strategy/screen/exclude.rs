//! The test that a kept baseline rests on: of every other candidate it is shown that it breaks a constraint, or saves no more
//! than the tolerance.
//!
//! Each candidate is looked at after so many rounds of its own, planned beforehand, and the allowed error is split over
//! these looks. Which rounds it had does not matter for that, nor how many other candidates there are: the baseline is
//! kept where all are excluded, so if one is better, keeping errs only where that very one is excluded wrongly.

use crate::decide::feasibility::{Bounds, Check, Tails, further_rounds};
use crate::decide::logs::{Logs, Metric, minutes};
use crate::decide::observations::{Cell, Observations, RoundData, ScenarioData};
use crate::decide::question::Question;
use crate::decide::settle::{broken, whole};
use crate::decide::standings::{Panel, candidates, examine};
use crate::decide::strategy::beliefs::unfinished;
use crate::decide::words;
use crate::format::decision::{Eliminated, Feasible, OutBy, Unsettled};
use crate::statistics::FEWEST_VALUES;
use crate::statistics::estimator::Estimator;

/// Looks at a candidate, in rounds that it was in.
const LOOKS: [usize; 10] = [FEWEST_VALUES, 6, 10, 16, 25, 40, 64, 100, 160, 256];
/// Without a time budget a candidate is run so often at most, to be excluded.
pub(super) const MOST_ROUNDS: usize = 16;

/// What became of every candidate but the baseline.
#[derive(Clone, Debug, Default)]
pub(super) struct Excluded {
    /// Shown not to be worth it, or did not run.
    pub(super) out: Vec<Eliminated>,
    /// Not shown.
    pub(super) open: Vec<Open>,
}

/// A candidate that is not excluded.
#[derive(Clone, Debug)]
pub(super) struct Open {
    /// The arm.
    pub(super) arm: usize,
    /// Rounds that it was in.
    pub(super) rounds: usize,
    /// What is open, in words.
    why: String,
    /// Further rounds that would probably settle it.
    pub(super) needed: Option<f64>,
}

impl Open {
    /// For the answer.
    pub(super) fn unsettled(&self, seen: &Observations) -> Unsettled {
        Unsettled {
            candidate: seen.arms[self.arm].name.clone(),
            why: self.why.clone(),
            minutes_needed: self.needed.map(|rounds| minutes(seen, self.arm, rounds)),
            rounds_needed: self.needed.and_then(whole),
        }
    }
}

/// Tests every candidate. `keeps` says whether the baseline itself may be kept: where it breaks a constraint, that a
/// candidate saves nothing does not count against it.
pub(super) fn test(seen: &Observations, question: &Question, keeps: bool) -> Excluded {
    let mut excluded = Excluded::default();
    for arm in candidates(seen).into_iter().filter(|arm| *arm != seen.baseline) {
        if let Some(why) = unfinished(seen, arm, usize::MAX) {
            let candidate = seen.arms[arm].name.clone();
            excluded.out.push(Eliminated { candidate, why, bound: None, by: Some(OutBy::Failure) });
            continue;
        }
        match one(seen, question, keeps, arm) {
            Ok(out) => excluded.out.push(out),
            Err(open) => excluded.open.push(open),
        }
    }
    excluded
}

fn one(seen: &Observations, question: &Question, keeps: bool, arm: usize) -> Result<Eliminated, Open> {
    let scenarios: Vec<ScenarioData> = seen.scenarios.iter().map(|s| with(s, arm, seen.baseline)).collect();
    let rounds = scenarios.iter().map(|s| s.rounds.len()).min().unwrap_or(0);
    let mut open =
        Open { arm, rounds, why: words::too_few(u32::try_from(rounds).unwrap_or(u32::MAX)), needed: None };
    for look in LOOKS.into_iter().filter(|look| *look <= rounds) {
        let part = Observations { scenarios: scenarios.clone(), ..seen.clone() }.first_rounds(look);
        match look_at(&part, question, keeps, arm) {
            Ok(out) => return Ok(out),
            Err((why, needed)) => (open.why, open.needed) = (why, needed),
        }
    }
    Err(open)
}

/// The rounds of a scenario that an arm and the baseline were in.
fn with(scenario: &ScenarioData, arm: usize, baseline: usize) -> ScenarioData {
    let measured =
        |round: &RoundData, arm: usize| matches!(round.cells.get(arm), Some(Some(Cell::Measured(_))));
    let rounds = scenario.rounds.iter().filter(|round| measured(round, arm) && measured(round, baseline));
    ScenarioData { rounds: rounds.cloned().collect(), ..scenario.clone() }
}

/// One look; what is open, with the further rounds that would probably settle it.
fn look_at(
    part: &Observations,
    question: &Question,
    keeps: bool,
    arm: usize,
) -> Result<Eliminated, (String, Option<f64>)> {
    let tail = question.alpha() / 2.0 / LOOKS.len() as f64;
    let tails = Tails { plain: tail, claim: tail, with_twin: true };
    let mut estimator = Estimator::student();
    let examine = |s| examine(part, s, question, tails, &mut estimator, Some(arm));
    let panels: Vec<Panel> = part.scenarios.iter().map(examine).collect();
    let check = Check::all(panels.iter().filter_map(|panel| panel.arms.last()).map(|e| e.check.clone()));
    let candidate = part.arms[arm].name.clone();
    if check.state == Feasible::No {
        return Ok(broken(candidate, &check));
    }
    let logs: Vec<Logs> = panels.iter().map(|panel| panel.logs.clone()).collect();
    let ratios = Logs::mean(&logs, part.arms.len()).against(Metric::Rss, arm, part.baseline, part.twin);
    let objective = words::objective(question.objective);
    let Some(rss) = Bounds::of(&ratios, tails, &mut estimator) else {
        return Err((format!("{objective} was not measured in four rounds or more"), None));
    };
    let worthwhile = question.worthwhile();
    if keeps && rss.plain.low >= worthwhile {
        let (bound, change) = (rss.plain.low.exp(), words::change(&rss.plain));
        let why = format!("{objective} {change}: no gain beyond the tolerance");
        return Ok(Eliminated { candidate, why, bound: Some(bound), by: Some(OutBy::Test) });
    }
    // What seems to save nothing is settled by its RSS, what seems to save memory by its constraints.
    let saves = rss.plain.estimate < worthwhile;
    let by_rss = further_rounds(&rss.summary, rss.plain.estimate - worthwhile, tail);
    let needed = if saves || !keeps { check.rounds } else { by_rss };
    let also = if check.why.is_empty() { String::new() } else { format!("; {}", check.why) };
    Err((format!("{objective} {}{also}", words::change(&rss.plain)), needed))
}
