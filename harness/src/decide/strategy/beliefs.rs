//! What is believed of each arm while searching: where its figures probably lie, and how probably it is
//! the one looked for.
//!
//! Beliefs steer the search and nothing else. No claim rests on them: they lean on what other arms showed
//! (neighbours on a ladder behave alike; an arm far better than all others was probably lucky), and a
//! claim must not.

use crate::decide::logs::{Logs, Metric};
use crate::decide::observations::{Cell, Observations};
use crate::decide::question::Question;
use crate::statistics::summary::{normal_cdf, t_quantile};

use super::neighbours;

/// A normal belief.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Belief {
    /// Mean.
    pub(super) mean: f64,
    /// Variance.
    pub(super) variance: f64,
}

impl Belief {
    /// Probability of being above 0.
    fn above(self) -> f64 {
        normal_cdf(self.mean / self.variance.sqrt().max(1e-9))
    }

    /// The difference to another, taken as independent.
    fn less(self, other: Self) -> Self {
        Self { mean: self.mean - other.mean, variance: self.variance + other.variance }
    }
}

/// How far an arm is on the safe side of one constraint in one scenario.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Slack {
    /// Logarithm of the distance, positive on the safe side.
    pub(super) belief: Belief,
    /// Standard deviation of the within-round log-ratio.
    pub(super) noise: f64,
}

/// What is believed of an arm.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Standing {
    /// The arm.
    pub(super) arm: usize,
    /// By scenario and constraint.
    pub(super) slacks: Vec<Slack>,
    /// RSS against the baseline, mean over scenarios.
    pub(super) rss: Belief,
    /// Probability that it meets every constraint.
    pub(super) feasible: f64,
    /// Probability that it is the leanest of those that do.
    pub(super) best: f64,
}

impl Standing {
    /// Probability that fresh rounds show that every constraint holds, by bounds that err with `tail`.
    pub(super) fn passes(&self, rounds: usize, tail: f64) -> f64 {
        let quantile = t_quantile(rounds.saturating_sub(1), tail);
        let chance = |slack: &Slack| {
            let error = slack.noise / (rounds as f64).sqrt();
            let spread = (slack.belief.variance + error * error).sqrt().max(1e-9);
            normal_cdf((slack.belief.mean - quantile * error) / spread)
        };
        self.slacks.iter().map(chance).fold(1.0, f64::min)
    }
}

/// Values of the arms in one figure: mean over rounds and variance of that mean; `None` where not seen.
pub(super) type Means = Vec<Option<Belief>>;

/// Degrees of freedom from which on the arms' own values say enough about their noise.
const ENOUGH_FREEDOM: usize = 32;

/// The beliefs about all arms in `arms` that have been seen, from the first `rounds` rounds. Arms not in
/// `arms` still inform their neighbours.
pub(super) fn form(seen: &Observations, question: &Question, rounds: usize, arms: &[usize]) -> Vec<Standing> {
    let logs: Vec<Logs> = seen
        .scenarios
        .iter()
        .map(|s| Logs::part(s, 0..rounds, seen.arms.len(), question.objective))
        .collect();
    let mean = Logs::mean(&logs, seen.arms.len());
    let mut slacks: Vec<Vec<Slack>> = vec![Vec::new(); seen.arms.len()];
    for logs in &logs {
        add_slacks(seen, question, logs, &mut slacks);
    }
    let constraints = slacks.iter().map(Vec::len).max().unwrap_or(0);
    let (rss, _) = against_reference(seen, &mean, Metric::Rss);
    // Arms are compared with each other here, and what they share falls out.
    let rss = neighbours::lean_on_others(seen, &rss, 0.0);
    let standing = |arm: &usize| {
        let slacks = slacks[*arm].clone();
        if slacks.len() < constraints {
            return None;
        }
        let feasible = slacks.iter().map(|slack| slack.belief.above()).fold(1.0, f64::min);
        Some(Standing { arm: *arm, slacks, rss: rss[*arm]?, feasible, best: 0.0 })
    };
    let mut standings: Vec<Standing> = arms.iter().filter_map(standing).collect();
    let best: Vec<f64> = (0..standings.len()).map(|place| chance_of_best(&standings, place)).collect();
    for (standing, best) in standings.iter_mut().zip(best) {
        standing.best = best;
    }
    standings
}

/// Whether an arm failed to finish a trial in the first `rounds` rounds.
pub(super) fn unfinished(seen: &Observations, arm: usize, rounds: usize) -> Option<String> {
    let all = seen.scenarios.iter().flat_map(|scenario| scenario.rounds.iter().take(rounds));
    all.filter_map(|round| round.cells.get(arm)?.as_ref()).find_map(|cell| match cell {
        Cell::Unfinished(status) => Some(status.clone()),
        Cell::Measured(_) => None,
    })
}

/// Probability that an arm meets the constraints and no leaner one does.
fn chance_of_best(standings: &[Standing], place: usize) -> f64 {
    let this = &standings[place];
    let others = standings.iter().enumerate().filter(|(index, _)| *index != place);
    let beaten = |other: &Standing| other.feasible * this.rss.less(other.rss).above();
    this.feasible * others.map(|(_, other)| 1.0 - beaten(other)).product::<f64>()
}

fn add_slacks(seen: &Observations, question: &Question, logs: &Logs, slacks: &mut [Vec<Slack>]) {
    let mut add = |(means, noise): (Means, f64), side: f64, limit: f64| {
        let beliefs = neighbours::lean_on_others(seen, &means, shared(seen));
        for (arm, belief) in beliefs.iter().enumerate() {
            if let Some(Belief { mean, variance }) = *belief {
                let belief = Belief { mean: side * (mean - limit), variance };
                slacks[arm].push(Slack { belief, noise });
            }
        }
    };
    if let Some(floor) = question.throughput_floor() {
        add(against_reference(seen, logs, Metric::Throughput), 1.0, floor);
    }
    if let Some(ceiling) = question.p99_ceiling() {
        add(against_reference(seen, logs, Metric::P99), -1.0, ceiling);
    }
    if let Some(ceiling) = question.rss_ceiling() {
        add(levels(seen, logs), -1.0, ceiling);
    }
}

/// The part of a log-ratio's variance that is the reference's own, and so common to all arms of a round.
fn shared(seen: &Observations) -> f64 {
    if seen.twin.is_some() { 1.0 / 3.0 } else { 1.0 / 2.0 }
}

/// Mean log-ratio of each arm to the baseline (to the mean of the baseline and its twin, which is the same
/// thing measured twice), and the deviation of a single one, pooled over all arms.
fn against_reference(seen: &Observations, logs: &Logs, metric: Metric) -> (Means, f64) {
    let ratios = (0..seen.arms.len()).map(|arm| logs.against(metric, arm, seen.baseline, seen.twin));
    pool(seen, ratios.collect(), shared(seen))
}

fn levels(seen: &Observations, logs: &Logs) -> (Means, f64) {
    pool(seen, (0..seen.arms.len()).map(|arm| logs.levels(Metric::Rss, arm)).collect(), 0.0)
}

/// Means, and the deviation of a single value: from how far each arm's values lie apart and, as long as few
/// arms were seen twice, from how far the rungs of ladders lie from their neighbours.
fn pool(seen: &Observations, samples: Vec<Vec<f64>>, shared: f64) -> (Means, f64) {
    let mean = |sample: &[f64]| sample.iter().sum::<f64>() / sample.len() as f64;
    let (mut squares, mut freedom) = (0.0, 0usize);
    for sample in samples.iter().filter(|sample| sample.len() > 1) {
        let centre = mean(sample);
        squares += sample.iter().map(|v| (v - centre).powi(2)).sum::<f64>();
        freedom += sample.len() - 1;
    }
    let rough = neighbours::roughness(seen, &samples) / (1.0 - shared);
    let lent = if rough > 0.0 { ENOUGH_FREEDOM.saturating_sub(freedom) } else { 0 };
    let variance = (squares + rough * lent as f64) / (freedom + lent).max(1) as f64;
    let belief = |sample: Vec<f64>| {
        (!sample.is_empty()).then(|| Belief { mean: mean(&sample), variance: variance / sample.len() as f64 })
    };
    (samples.into_iter().map(belief).collect(), variance.sqrt())
}
