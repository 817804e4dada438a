//! One look at the fresh rounds.

use crate::decide::feasibility::{Bounds, Check, Tails, further_rounds};
use crate::decide::logs::{Logs, Metric};
use crate::decide::observations::{Observations, ScenarioData};
use crate::decide::question::Question;
use crate::decide::settle::broken;
use crate::decide::standings::{Panel, examine};
use crate::decide::words;
use crate::format::decision::{Eliminated, Feasible, OutBy};
use crate::statistics::Interval;
use crate::statistics::estimator::Estimator;
use crate::statistics::summary::{Summary, normal_cdf, t_quantile};
use crate::units::format_change;

use super::plan::Plan;

/// What has become of a finalist.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum State {
    /// Not yet shown either way.
    Open(Open),
    /// Shown to meet the constraints and to save memory.
    Passed {
        /// Throughput in the scenario where its bound is lowest.
        throughput: Option<Interval>,
        /// RSS against the baseline.
        rss: Interval,
    },
    /// Shown not to, or did not finish a trial.
    Out(Eliminated),
}

/// What is open about a finalist.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Open {
    /// In words, with the rounds that would settle it.
    pub(super) check: Check,
    /// Distance from each limit, positive on the safe side.
    margins: Vec<Summary>,
    /// Logarithm of RSS against the baseline.
    pub(super) rss: f64,
    /// Whether it is still run.
    pub(super) running: bool,
}

impl Open {
    /// Before the first look.
    pub(super) fn unseen() -> Self {
        Self {
            check: Check::open("not confirmed yet".to_owned()),
            margins: Vec::new(),
            rss: 0.0,
            running: true,
        }
    }

    /// Chance to have passed after so many rounds, going by the fresh rounds alone.
    pub(super) fn forecast(&self, rounds: usize, tail: f64) -> f64 {
        let quantile = t_quantile(rounds.saturating_sub(1), tail);
        let chance = |margin: &Summary| {
            let rounds = rounds as f64;
            let to_come = (1.0 / margin.count as f64 - 1.0 / rounds).max(0.0);
            let needed = quantile * margin.sd / rounds.sqrt();
            normal_cdf((margin.mean - needed) / (margin.sd * to_come.sqrt()).max(1e-9))
        };
        self.margins.iter().map(chance).fold(1.0, f64::min)
    }
}

/// The fresh rounds up to a look.
pub(super) struct Judge<'a> {
    fresh: Observations,
    question: &'a Question,
    plan: &'a Plan,
}

impl<'a> Judge<'a> {
    /// At a look after so many rounds.
    pub(super) fn new(seen: &Observations, question: &'a Question, plan: &'a Plan, rounds: usize) -> Self {
        let rounds = plan.start..plan.start + rounds;
        let part = |s: &ScenarioData| ScenarioData { rounds: s.rounds[rounds.clone()].to_vec(), ..s.clone() };
        let scenarios = seen.scenarios.iter().map(part).collect();
        Self { fresh: Observations { scenarios, ..seen.clone() }, question, plan }
    }

    /// Judges the finalists that are open and still run, with this share of the allowed error. Those that
    /// are out now are returned.
    pub(super) fn look(&self, share: f64, finalists: &mut [(usize, State)]) -> Vec<Eliminated> {
        let mut out = Vec::new();
        let mut handed_on = 0.0;
        for ((arm, state), weight) in finalists.iter_mut().zip(self.plan.weights()) {
            let weight = weight + handed_on;
            if matches!(state, State::Open(open) if open.running) {
                *state = self.judge(*arm, self.question.alpha() * share * weight);
                if let State::Out(eliminated) = state {
                    out.push(eliminated.clone());
                }
            }
            handed_on = if hands_on(state) { weight } else { 0.0 };
        }
        out
    }

    fn judge(&self, arm: usize, tail: f64) -> State {
        let tails = Tails { plain: tail.max(self.question.alpha() / 2.0), claim: tail, with_twin: true };
        let mut estimator = Estimator::student();
        let examine = |s| examine(&self.fresh, s, self.question, tails, &mut estimator, Some(arm));
        let panels: Vec<Panel> = self.fresh.scenarios.iter().map(examine).collect();
        let examined = || panels.iter().filter_map(|panel| panel.arms.last());
        let check = Check::all(examined().map(|e| e.check.clone()));
        let candidate = self.fresh.arms[arm].name.clone();
        if check.state == Feasible::No {
            return State::Out(broken(candidate, &check));
        }
        let Some(rss) = self.rss(arm, tails, &mut estimator) else {
            let check = Check::open("RSS was not measured in four rounds or more".to_owned());
            return State::Open(Open { check, ..Open::unseen() });
        };
        if rss.plain.estimate >= self.question.worthwhile() {
            let bound = rss.plain.low.exp();
            let seen = words::change(&rss.plain);
            let why =
                format!("RSS {seen}: at best {}, and probably within the tolerance", format_change(bound));
            return State::Out(Eliminated { candidate, why, bound: Some(bound), by: Some(OutBy::SetAside) });
        }
        let throughput = examined().filter_map(|e| e.throughput.as_ref()).map(|bounds| bounds.claim);
        let throughput = throughput.min_by(|a, b| a.low.total_cmp(&b.low));
        if check.state == Feasible::Yes && rss.claim.high < 0.0 {
            return State::Passed { throughput, rss: rss.claim };
        }
        let check = match check.state {
            Feasible::Yes => Check {
                rounds: further_rounds(&rss.summary, rss.plain.estimate, tail),
                ..Check::open(format!("RSS {}", words::change(&rss.claim)))
            },
            _ => check,
        };
        let mut margins: Vec<Summary> = examined().flat_map(|e| e.margins(self.question)).collect();
        margins.push(Summary { mean: -rss.summary.mean, ..rss.summary });
        State::Open(Open { check, margins, rss: rss.plain.estimate, running: true })
    }

    /// RSS of an arm against the baseline, mean over the scenarios.
    fn rss(&self, arm: usize, tails: Tails, estimator: &mut Estimator) -> Option<Bounds> {
        let Observations { arms, baseline, twin, .. } = &self.fresh;
        let logs = |s| Logs::of(s, arms.len(), self.question.objective);
        let logs: Vec<Logs> = self.fresh.scenarios.iter().map(logs).collect();
        let ratios = Logs::mean(&logs, arms.len()).against(Metric::Rss, arm, *baseline, *twin);
        Bounds::of(&ratios, tails, estimator)
    }
}

/// Whether a finalist hands on its share of the allowed error: where it has passed, and where it did not
/// finish a trial. The latter is no test that could err, so nothing of the share is used any more.
fn hands_on(state: &State) -> bool {
    match state {
        State::Passed { .. } => true,
        State::Out(out) => out.bound.is_none(),
        State::Open(_) => false,
    }
}
