//! What memory buys: throughput per GiB, instances that fit in a host, and the knee of the front.

use crate::format::decision::Level;
use crate::statistics::estimator::Estimator;

use super::logs::{Logs, Metric};

const GIB: f64 = (1u64 << 30) as f64;

/// Work per second for each GiB of the objective's RSS, with an interval that errs with `tail` on each
/// side. `None` below four rounds.
pub(super) fn per_gib(logs: &Logs, arm: usize, tail: f64, estimator: &mut Estimator) -> Option<Level> {
    let per_byte = logs.quotients(Metric::Throughput, Metric::Rss, arm);
    let interval = estimator.interval(&per_byte, tail)?.map(|log| log.exp() * GIB);
    Some(Level { estimate: interval.estimate, low: interval.low, high: interval.high })
}

/// Instances that fit in `memory` bytes, by the upper bound of the RSS.
pub(super) fn instances(memory: u64, rss: &Level) -> u64 {
    (memory as f64 / rss.high) as u64
}

/// The knee of a front: of points (RSS, throughput), both above 0, the one that lies furthest above the
/// line between the leanest and the fastest, both axes being logarithms. Beyond it throughput costs most.
/// `None` below 3 points, or where none lies above.
pub(super) fn knee(points: &[(f64, f64)]) -> Option<usize> {
    let logs: Vec<(f64, f64)> = points.iter().map(|(rss, throughput)| (rss.ln(), throughput.ln())).collect();
    if logs.len() < 3 || logs.iter().any(|(rss, throughput)| !rss.is_finite() || !throughput.is_finite()) {
        return None;
    }
    let leanest = logs.iter().copied().min_by(|a, b| a.0.total_cmp(&b.0))?;
    let fastest = logs.iter().copied().max_by(|a, b| a.1.total_cmp(&b.1))?;
    let (width, height) = (fastest.0 - leanest.0, fastest.1 - leanest.1);
    if width <= 0.0 || height <= 0.0 {
        return None;
    }
    let above =
        |(rss, throughput): &(f64, f64)| (throughput - leanest.1) / height - (rss - leanest.0) / width;
    let best = (0..logs.len()).max_by(|a, b| above(&logs[*a]).total_cmp(&above(&logs[*b])))?;
    (above(&logs[best]) > 1e-9).then_some(best)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::choose::choose;
    use crate::decide::question::Question;
    use crate::decide::simulate::campaign::{begin, run_round};
    use crate::decide::simulate::host::Chance;
    use crate::decide::simulate::landscape::Kind;

    #[test]
    fn the_knee_is_where_throughput_stops_paying() {
        let points = [(1.0, 1.0), (1.2, 2.0), (2.0, 2.2), (4.0, 2.3)];
        assert_eq!(knee(&points), Some(1));
        assert_eq!(knee(&[(1.0, 1.0), (2.0, 2.0), (4.0, 4.0)]), None, "a straight line");
        assert_eq!(knee(&points[..2]), None);
        assert_eq!(knee(&[(0.0, 1.0), (2.0, 2.0), (4.0, 4.0)]), None);
    }

    #[test]
    fn half_the_memory_is_twice_the_throughput_per_gib_and_twice_the_instances() {
        let mut chance = Chance::new(1);
        let mut landscape = Kind::Ties.draw(2, 0.001, &mut chance);
        landscape.truths[1].rss = 0.5f64.ln();
        let mut seen = begin(&landscape);
        for _ in 0..20 {
            run_round(&landscape, &[0, 1, 2], &mut seen, &mut chance);
        }
        let question = Question { host_memory: Some(10_500_000_000), ..Question::default() };
        let decision = choose(&seen, &question);
        let [baseline, lean] = &decision.scenarios[0].standings[..] else { panic!("{decision:?}") };
        let ratio = lean.per_gib.unwrap().estimate / baseline.per_gib.unwrap().estimate;
        assert!((ratio - 2.0).abs() < 0.1, "{ratio}");
        let fit = (baseline.instances.unwrap(), lean.instances.unwrap());
        assert!((95..=105).contains(&fit.0) && (195..=210).contains(&fit.1), "{fit:?}");
    }
}
