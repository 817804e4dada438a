//! What memory buys: throughput per GiB, instances that fit in a host, and the knee of the front.

use crate::format::decision::Level;
use crate::statistics::Interval;
use crate::statistics::estimator::Estimator;

use super::logs::{Logs, Metric};
use super::observations::Observations;
use super::question::Question;
use super::standings::candidates;

const GIB: f64 = (1u64 << 30) as f64;

/// What a candidate's memory buys in one scenario.
#[derive(Clone, Debug, PartialEq)]
pub struct Cost {
    /// Canonical candidate.
    pub candidate: String,
    /// Work per second and GiB of the objective's RSS.
    pub per_gib: Level,
    /// Instances that fit in the host's memory, by the upper bound of the RSS; `None` where no memory was
    /// given.
    pub instances: Option<u64>,
}

/// The costs in each scenario, in the order of the scenarios: every candidate with two rounds or more, the
/// baseline first. `host_memory` in bytes.
pub fn costs(seen: &Observations, question: &Question, host_memory: Option<u64>) -> Vec<Vec<Cost>> {
    let mut estimator = Estimator::new(question.seed);
    let tail = question.alpha() / 2.0;
    let of_scenario = |scenario| {
        let logs = Logs::of(scenario, seen.arms.len(), question.objective);
        let cost = |arm: usize| {
            let per_byte = logs.quotients(Metric::Throughput, Metric::Rss, arm);
            let Interval { estimate, low, high } =
                estimator.interval(&per_byte, tail)?.map(|log| log.exp() * GIB);
            let rss = estimator.interval(&logs.levels(Metric::Rss, arm), tail)?;
            Some(Cost {
                candidate: seen.arms[arm].name.clone(),
                per_gib: Level { estimate, low, high },
                instances: host_memory.map(|memory| (memory as f64 / rss.high.exp()) as u64),
            })
        };
        candidates(seen).into_iter().filter_map(cost).collect()
    };
    seen.scenarios.iter().map(of_scenario).collect()
}

/// The knee of a front: of points (RSS, throughput), both above 0, the one that lies furthest above the
/// line between the leanest and the fastest, both axes being logarithms. Beyond it throughput costs most.
/// `None` below 3 points, or where none lies above.
pub fn knee(points: &[(f64, f64)]) -> Option<usize> {
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
        let costs = costs(&seen, &Question::default(), Some(10_500_000_000));
        let ratio = costs[0][1].per_gib.estimate / costs[0][0].per_gib.estimate;
        assert!((ratio - 2.0).abs() < 0.1, "{ratio}");
        let instances = (costs[0][0].instances.unwrap(), costs[0][1].instances.unwrap());
        assert!((95..=105).contains(&instances.0) && (195..=210).contains(&instances.1), "{instances:?}");
    }
}
