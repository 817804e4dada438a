//! The choice from a campaign's data.
//!
//! Two kinds of interval occur, and both are in the output:
//!
//! * The **standings** of a scenario show plain intervals: each is read by itself, and errs with the chance
//!   that the stated confidence leaves.
//! * The **choice** is the best of many, and the best of many looks better than it is. So what it rests on
//!   (its throughput above the floor, its RSS below the baseline's and within the budget) is corrected for
//!   the number of candidates (Bonferroni), and the ratios at the top of the decision are these wider ones.
//!
//! Over several scenarios a candidate must hold in each. That needs no correction: a candidate that fails
//! somewhere is passed only if that one scenario errs (an intersection-union test).

use crate::format::FORMAT;
use crate::format::decision::{Decision, ScenarioDecision};
use crate::statistics::estimator::Estimator;

use super::feasibility::Tails;
use super::front::front;
use super::logs::Logs;
use super::observations::Observations;
use super::question::Question;
use super::settle::{View, settle};
use super::standings::{Panel, candidates, examine, standings};
use super::twin::{ratio, worst};
use super::words;

/// The decision on all that was seen. Never panics, whatever the data. `apply` and the standings'
/// `mechanism` are left empty, for a caller that knows allocators. Deterministic, to the byte, in the data
/// and the question.
pub fn choose(seen: &Observations, question: &Question) -> Decision {
    let without = Observations::default();
    let seen = if seen.baseline < seen.arms.len() { seen } else { &without };
    let mut estimator = Estimator::new(question.seed);
    let alpha = question.alpha();
    let rivals = candidates(seen).len().saturating_sub(1).max(1);
    let tails = Tails { plain: alpha / 2.0, claim: alpha / rivals as f64 };
    let panels: Vec<Panel> =
        seen.scenarios.iter().map(|s| examine(seen, s, question, tails, &mut estimator)).collect();
    let logs: Vec<Logs> = panels.iter().map(|panel| panel.logs.clone()).collect();
    let mean = Logs::mean(&logs, seen.arms.len());
    let view = View { seen, question, tails, panels: &panels, logs: &mean };
    let settled = settle(&view, &mut estimator);
    let scenarios = (0..panels.len()).map(|i| scenario(seen, question, tails, &panels[i], i, &mut estimator));
    let scenarios: Vec<ScenarioDecision> = scenarios.collect();
    let name = |arm: usize| seen.arms[arm].name.clone();
    Decision {
        format: FORMAT,
        baseline: seen.arms.get(seen.baseline).map_or(String::new(), |arm| arm.name.clone()),
        objective: question.objective,
        constraints: question.constraints,
        confidence: 1.0 - alpha,
        verdict: settled.verdict,
        choice: settled.choice.map(name),
        reason: settled.reason,
        throughput_ratio: settled.ratios.0.map(ratio),
        rss_ratio: settled.ratios.1.map(ratio),
        twin: worst(panels.iter().filter_map(|panel| panel.twin.as_ref())),
        front: on_front(&mean, seen, &panels, question, &mut estimator).into_iter().map(name).collect(),
        undecided: settled.undecided,
        eliminated: settled.eliminated,
        trials_run: trials(seen),
        apply: None,
        warnings: warnings(seen, question, &panels, &scenarios),
        scenarios,
    }
}

fn scenario(
    seen: &Observations,
    question: &Question,
    tails: Tails,
    panel: &Panel,
    index: usize,
    estimator: &mut Estimator,
) -> ScenarioDecision {
    let data = &seen.scenarios[index];
    let panels = std::slice::from_ref(panel);
    let view = View { seen, question, tails, panels, logs: &panel.logs };
    let settled = settle(&view, estimator);
    let front = on_front(&panel.logs, seen, panels, question, estimator);
    ScenarioDecision {
        workload: data.workload.clone(),
        threads: data.threads,
        libc: data.libc.clone(),
        unit: data.unit.clone(),
        verdict: settled.verdict,
        choice: settled.choice.map(|arm| seen.arms[arm].name.clone()),
        twin: panel.twin,
        standings: standings(panel, seen, question, tails, &front, estimator),
        front: front.into_iter().map(|arm| seen.arms[arm].name.clone()).collect(),
    }
}

/// The front of what finished every trial.
fn on_front(
    logs: &Logs,
    seen: &Observations,
    panels: &[Panel],
    question: &Question,
    estimator: &mut Estimator,
) -> Vec<usize> {
    let finished = |arm: &usize| panels.iter().all(|panel| panel.finished(*arm));
    let arms: Vec<usize> = candidates(seen).into_iter().filter(finished).collect();
    front(logs, &arms, question.alpha(), question.margin(), estimator)
}

/// Trials seen, finished in whatever way.
fn trials(seen: &Observations) -> u64 {
    let rounds = seen.scenarios.iter().flat_map(|scenario| &scenario.rounds);
    rounds.map(|round| round.cells.iter().flatten().count() as u64).sum()
}

/// What a reader must know first; the most serious first.
fn warnings(
    seen: &Observations,
    question: &Question,
    panels: &[Panel],
    scenarios: &[ScenarioDecision],
) -> Vec<String> {
    let mut warnings = Vec::new();
    for panel in panels.iter().filter(|panel| !panel.trusted()) {
        warnings.push(format!(
            "{}: the baseline differs from its own twin, so nothing is called better or worse here",
            panel.label
        ));
    }
    if let Some(conflict) = question.conflict() {
        warnings.push(conflict);
    }
    for panel in panels.iter().filter(|panel| panel.twin.is_none()) {
        warnings.push(format!(
            "{}: no twin of the baseline in two rounds or more, so nothing vouches for this host",
            panel.label
        ));
    }
    if seen.scenarios.is_empty() {
        warnings.push("nothing was measured".to_owned());
    }
    let Some(floor) = question.throughput_floor() else {
        return warnings;
    };
    for (panel, scenario) in panels.iter().zip(scenarios) {
        let seen = scenario.standings.iter().filter_map(|standing| standing.resolvable);
        let coarsest = seen.fold(0.0, f64::max);
        if coarsest > 1.0 - floor.exp() {
            warnings.push(words::coarse(&panel.label, coarsest, 1.0 - floor.exp()));
        }
    }
    warnings
}

#[cfg(test)]
mod tests;
