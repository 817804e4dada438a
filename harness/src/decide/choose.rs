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
use crate::format::decision::{Decision, ScenarioDecision, Standing};
use crate::statistics::estimator::Estimator;

use super::cost;
use super::feasibility::{Check, Tails};
use super::front::front;
use super::logs::Logs;
use super::observations::Observations;
use super::question::Question;
use super::settle::{Settled, View, is_tested, settle};
use super::standings::{Panel, candidates, examine, standings};
use super::twin::{ratio, worst};
use super::words;

/// The decision on all that was seen. Never panics, whatever the data. `apply` and the standings'
/// `mechanism` are left empty, for a caller that knows allocators. Deterministic, to the byte, in the data
/// and the question.
///
/// The data must not have been collected in the light of what they showed: a campaign of `tune` is decided
/// by its own strategy ([`super::strategy::Strategy::decide`]).
pub fn choose(seen: &Observations, question: &Question) -> Decision {
    let without = Observations::default();
    let seen = if seen.baseline < seen.arms.len() { seen } else { &without };
    let rivals = candidates(seen).len().saturating_sub(1).max(1);
    let alpha = question.alpha();
    let tails = Tails { plain: alpha / 2.0, claim: alpha / rivals as f64, with_twin: false };
    let mut ground = Ground::survey(seen, question, tails);
    let settled = ground.settle();
    let alone = (0..seen.scenarios.len()).map(|index| ground.settle_alone(index)).collect();
    ground.decision(settled, alone)
}

/// The data, examined, and what is needed to go on with them.
pub(super) struct Ground<'a> {
    seen: &'a Observations,
    question: &'a Question,
    tails: Tails,
    /// One a scenario.
    pub(super) panels: Vec<Panel>,
    mean: Logs,
    estimator: Estimator,
}

impl<'a> Ground<'a> {
    /// Examines every scenario.
    pub(super) fn survey(seen: &'a Observations, question: &'a Question, tails: Tails) -> Self {
        let mut estimator = Estimator::new(question.seed);
        let panels: Vec<Panel> =
            seen.scenarios.iter().map(|s| examine(seen, s, question, tails, &mut estimator, None)).collect();
        let logs: Vec<Logs> = panels.iter().map(|panel| panel.logs.clone()).collect();
        let mean = Logs::mean(&logs, seen.arms.len());
        Self { seen, question, tails, panels, mean, estimator }
    }

    /// Whether the baseline meets the constraints in every scenario.
    pub(super) fn baseline(&self) -> Check {
        Check::all(self.panels.iter().filter_map(|panel| panel.arms.first()).map(|e| e.check.clone()))
    }

    /// The pick over all scenarios.
    pub(super) fn settle(&mut self) -> Settled {
        let Self { seen, question, tails, .. } = *self;
        let view = View { seen, question, tails, panels: &self.panels, logs: &self.mean };
        settle(&view, &mut self.estimator)
    }

    /// The pick if this scenario were all.
    pub(super) fn settle_alone(&mut self, index: usize) -> Settled {
        let Self { seen, question, tails, .. } = *self;
        let panel = &self.panels[index];
        let view = View { seen, question, tails, panels: std::slice::from_ref(panel), logs: &panel.logs };
        settle(&view, &mut self.estimator)
    }

    /// The decision, of what was settled over all scenarios and for each alone.
    pub(super) fn decision(&mut self, settled: Settled, alone: Vec<Settled>) -> Decision {
        let Self { seen, question, .. } = *self;
        let name = |arm: usize| seen.arms[arm].name.clone();
        let scenarios: Vec<ScenarioDecision> =
            alone.into_iter().enumerate().map(|(index, settled)| self.scenario(index, &settled)).collect();
        let front = on_front(&self.mean, seen, &self.panels, question, &mut self.estimator);
        Decision {
            format: FORMAT,
            baseline: seen.arms.get(seen.baseline).map_or(String::new(), |arm| arm.name.clone()),
            objective: question.objective,
            constraints: question.constraints,
            confidence: 1.0 - question.alpha(),
            host_memory: question.host_memory,
            tested: Some(is_tested(settled.verdict, &settled.eliminated)),
            next: None,
            verdict: settled.verdict,
            choice: settled.choice.map(name),
            reason: settled.reason,
            throughput_ratio: settled.ratios.0.map(ratio),
            rss_ratio: settled.ratios.1.map(ratio),
            twin: worst(self.panels.iter().filter_map(|panel| panel.twin.as_ref())),
            front: front.into_iter().map(name).collect(),
            undecided: settled.undecided,
            eliminated: settled.eliminated,
            trials_run: trials(seen),
            apply: None,
            host: None,
            warnings: warnings(seen, question, &self.panels, &scenarios),
            scenarios,
        }
    }

    fn scenario(&mut self, index: usize, settled: &Settled) -> ScenarioDecision {
        let Self { seen, question, tails, .. } = *self;
        let (data, panel) = (&seen.scenarios[index], &self.panels[index]);
        let panels = std::slice::from_ref(panel);
        let front = on_front(&panel.logs, seen, panels, question, &mut self.estimator);
        let standings = standings(panel, seen, question, tails, &front, &mut self.estimator);
        let front: Vec<String> = front.into_iter().map(|arm| seen.arms[arm].name.clone()).collect();
        ScenarioDecision {
            knee: knee_of(&front, &standings),
            workload: data.workload.clone(),
            threads: data.threads,
            libc: data.libc.clone(),
            unit: data.unit.clone(),
            verdict: settled.verdict,
            choice: settled.choice.map(|arm| seen.arms[arm].name.clone()),
            twin: panel.twin,
            standings,
            front,
        }
    }
}

/// The candidate at the knee of a front.
fn knee_of(front: &[String], standings: &[Standing]) -> Option<String> {
    let standing = |name: &String| standings.iter().find(|standing| standing.candidate == *name);
    let point = |standing: &Standing| Some((standing.rss?.estimate, standing.throughput?.estimate));
    let points: Vec<(f64, f64)> = front.iter().map(|name| point(standing(name)?)).collect::<Option<_>>()?;
    cost::knee(&points).map(|index| front[index].clone())
}

/// The front of what finished every trial.
fn on_front(
    logs: &Logs,
    seen: &Observations,
    panels: &[Panel],
    question: &Question,
    estimator: &mut Estimator,
) -> Vec<usize> {
    // Of too few rounds nothing is shown, so nothing could be off the front.
    let finished = |arm: &usize| panels.iter().all(|panel| panel.finished(*arm) && panel.has_enough(*arm));
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
            "{}: no twin of the baseline in four rounds or more, so nothing vouches for this host",
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
