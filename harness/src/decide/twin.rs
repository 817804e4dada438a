//! The A/A twin: the baseline against itself. Where it differs from itself, the host does what no
//! candidate did, and nothing else that was measured there can be believed.

use crate::format::decision::{Ratio, Twin};
use crate::statistics::Interval;
use crate::statistics::estimator::Estimator;

use super::logs::{Logs, Metric};
use super::observations::Observations;

/// The baseline against itself in one scenario. `None` where there is no twin, or no four rounds with it.
///
/// The chance that an honest host is accused anywhere is kept at `alpha`: it is split over the
/// `scenarios` of the campaign and the two figures.
pub(super) fn examine(
    logs: &Logs,
    seen: &Observations,
    alpha: f64,
    scenarios: usize,
    estimator: &mut Estimator,
) -> Option<Twin> {
    let twin = seen.twin?;
    let tail = alpha / (2.0 * 2.0 * scenarios.max(1) as f64);
    let mut interval = |metric| estimator.interval(&logs.ratios(metric, twin, seen.baseline), tail);
    let (throughput, rss) = (interval(Metric::Throughput), interval(Metric::Rss));
    if throughput.is_none() && rss.is_none() {
        return None;
    }
    let honest = |interval: &Option<Interval>| interval.is_none_or(|i| i.contains(0.0));
    Some(Twin {
        throughput_ratio: throughput.map(ratio),
        rss_ratio: rss.map(ratio),
        trustworthy: honest(&throughput) && honest(&rss),
    })
}

/// An interval of logarithms as a ratio.
pub(super) fn ratio(interval: Interval) -> Ratio {
    let Interval { estimate, low, high } = interval.map(f64::exp);
    Ratio { estimate, low, high }
}

/// The least trustworthy of several: the one whose estimate is furthest from 1 in units of its interval.
pub(super) fn worst<'a>(twins: impl Iterator<Item = &'a Twin>) -> Option<Twin> {
    let strain = |ratio: &Option<Ratio>| {
        ratio.map_or(0.0, |r| {
            let room = if r.estimate > 1.0 { r.estimate - r.low } else { r.high - r.estimate };
            (r.estimate - 1.0).abs() / room.max(f64::MIN_POSITIVE)
        })
    };
    let suspicion = |twin: &Twin| strain(&twin.throughput_ratio).max(strain(&twin.rss_ratio));
    twins
        .max_by(|a, b| (!a.trustworthy).cmp(&!b.trustworthy).then(suspicion(a).total_cmp(&suspicion(b))))
        .copied()
}
