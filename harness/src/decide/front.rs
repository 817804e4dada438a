//! The Pareto front under uncertainty: more throughput, less RSS.

use crate::statistics::Interval;
use crate::statistics::estimator::Estimator;

use super::logs::{Logs, Metric};

/// The arms, of those given, that are on the front, in rising order of RSS.
///
/// A candidate is taken off only where some other is *shown* to be better in one figure and *shown* not
/// to be worse in the other by more than `margin` (a logarithm). Both within-round intervals must say so,
/// and each is corrected for the number of rivals, so that a candidate which belongs on the front is taken
/// off with a chance of at most `alpha`. An arm without two rounds of both figures cannot be placed and
/// is not on the front.
pub(super) fn front(
    logs: &Logs,
    arms: &[usize],
    alpha: f64,
    margin: f64,
    estimator: &mut Estimator,
) -> Vec<usize> {
    let placed =
        |arm: &usize| logs.ratios(Metric::Throughput, *arm, *arm).len() >= 2 && rss(logs, *arm).is_some();
    let arms: Vec<usize> = arms.iter().copied().filter(placed).collect();
    let tail = alpha / arms.len().saturating_sub(1).max(1) as f64;
    let mut compare = |metric, rival, arm| estimator.t_interval(&logs.ratios(metric, rival, arm), tail);
    let mut beats = |rival: usize, arm: usize| -> Option<bool> {
        let throughput = compare(Metric::Throughput, rival, arm)?;
        let rss = compare(Metric::Rss, rival, arm)?;
        Some(dominates(&throughput, &rss, margin))
    };
    let mut front: Vec<usize> = arms
        .iter()
        .copied()
        .filter(|arm| !arms.iter().any(|rival| rival != arm && beats(*rival, *arm).unwrap_or(false)))
        .collect();
    front
        .sort_by(|a, b| rss(logs, *a).unwrap_or(0.0).total_cmp(&rss(logs, *b).unwrap_or(0.0)).then(a.cmp(b)));
    front
}

/// Whether a rival with these ratios to an arm beats it.
fn dominates(throughput: &Interval, rss: &Interval, margin: f64) -> bool {
    let faster = throughput.low > 0.0;
    let leaner = rss.high < 0.0;
    (faster && rss.high <= margin) || (leaner && throughput.low >= -margin)
}

/// Mean logarithm of an arm's RSS; `None` below 2 rounds.
fn rss(logs: &Logs, arm: usize) -> Option<f64> {
    let levels = logs.levels(Metric::Rss, arm);
    (levels.len() >= 2).then(|| levels.iter().sum::<f64>() / levels.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(low: f64, high: f64) -> Interval {
        Interval { estimate: f64::midpoint(low, high), low, high }
    }

    #[test]
    fn beating_takes_proof_in_both_figures() {
        let margin = 0.03;
        assert!(dominates(&at(0.1, 0.2), &at(-0.1, 0.01), margin));
        assert!(dominates(&at(-0.01, 0.2), &at(-0.1, -0.05), margin));
        assert!(!dominates(&at(-0.1, 0.2), &at(-0.1, -0.05), margin), "throughput may be lower");
        assert!(!dominates(&at(-0.01, 0.01), &at(-0.01, 0.01), margin), "ties stay");
    }
}
