//! One scenario: every candidate against the baseline.

use std::collections::BTreeMap;

use crate::format::decision::{Comparison, Estimates, Feasible, Level, Ratio, Standing, Twin};
use crate::format::manifest::Scenario;
use crate::statistics::estimator::Estimator;
use crate::statistics::power::resolvable;
use crate::statistics::summary::Summary;
use crate::statistics::{FEWEST_VALUES, Interval};

use super::cost;
use super::feasibility::{Bounds, Check, Limit, Tails};
use super::logs::{Logs, Metric};
use super::observations::{Cell, Observations, ScenarioData};
use super::question::Question;
use super::twin::{self, ratio};
use super::words::{self, Limited};

/// What a scenario says of one arm.
#[derive(Clone, Debug)]
pub(super) struct Examined {
    /// The arm.
    pub(super) arm: usize,
    /// Throughput against the baseline; `None` for the baseline itself and below 2 rounds.
    pub(super) throughput: Option<Bounds>,
    rss: Option<Bounds>,
    p99: Option<Bounds>,
    /// Whether the constraints hold here.
    pub(super) check: Check,
    unfinished: BTreeMap<String, u32>,
    rounds: u32,
}

impl Examined {
    /// Distances from the limits of throughput and latency, positive on the safe side.
    pub(super) fn margins(&self, question: &Question) -> Vec<Summary> {
        let from = |bounds: &Option<Bounds>, limit: Option<f64>, side: f64| {
            let summary = bounds.as_ref()?.summary;
            Some(Summary { mean: side * (summary.mean - limit?), ..summary })
        };
        let floor = from(&self.throughput, question.throughput_floor(), 1.0);
        floor.into_iter().chain(from(&self.p99, question.p99_ceiling(), -1.0)).collect()
    }
}

/// One scenario, examined.
#[derive(Clone, Debug)]
pub(super) struct Panel {
    /// Workload, threads and libc, in words.
    pub(super) label: String,
    /// The scenario's data.
    pub(super) logs: Logs,
    /// The baseline against itself.
    pub(super) twin: Option<Twin>,
    /// Every candidate, the baseline first, then in the order of the plan.
    pub(super) arms: Vec<Examined>,
}

impl Panel {
    /// Whether nothing speaks against the host.
    pub(super) fn trusted(&self) -> bool {
        self.twin.is_none_or(|twin| twin.trustworthy)
    }

    /// Whether an arm has rounds enough for a word.
    pub(super) fn has_enough(&self, arm: usize) -> bool {
        let enough = |examined: &Examined| examined.rounds as usize >= FEWEST_VALUES;
        self.arms.iter().any(|examined| examined.arm == arm && enough(examined))
    }

    /// Whether an arm finished every trial that it was in.
    pub(super) fn finished(&self, arm: usize) -> bool {
        self.arms.iter().any(|examined| examined.arm == arm && examined.unfinished.is_empty())
    }
}

/// The arms that are candidates, the baseline first.
pub(super) fn candidates(seen: &Observations) -> Vec<usize> {
    let others = (0..seen.arms.len()).filter(|arm| *arm != seen.baseline && Some(*arm) != seen.twin);
    std::iter::once(seen.baseline).filter(|arm| *arm < seen.arms.len()).chain(others).collect()
}

/// Examines one scenario: all candidates, or one with the baseline.
pub(super) fn examine(
    seen: &Observations,
    scenario: &ScenarioData,
    question: &Question,
    tails: Tails,
    estimator: &mut Estimator,
    only: Option<usize>,
) -> Panel {
    let logs = Logs::of(scenario, seen.arms.len(), question.objective);
    let twin = twin::examine(&logs, seen, question.alpha(), seen.scenarios.len(), estimator);
    let arms = candidates(seen)
        .into_iter()
        .filter(|arm| only.is_none_or(|only| *arm == only || *arm == seen.baseline))
        .map(|arm| examine_arm(seen, scenario, &logs, arm, question, tails, estimator))
        .collect();
    Panel { label: label(seen, scenario), logs, twin, arms }
}

/// `larson, 4 threads`, with the libc where there are several.
fn label(seen: &Observations, scenario: &ScenarioData) -> String {
    let mut label = Scenario::words(&scenario.workload, scenario.threads);
    if seen.scenarios.iter().any(|other| other.libc != scenario.libc) {
        label.push_str(", ");
        label.push_str(&scenario.libc);
    }
    label
}

fn examine_arm(
    seen: &Observations,
    scenario: &ScenarioData,
    logs: &Logs,
    arm: usize,
    question: &Question,
    tails: Tails,
    estimator: &mut Estimator,
) -> Examined {
    let is_baseline = arm == seen.baseline;
    let mut against = |metric| {
        if is_baseline {
            return None;
        }
        let twin = seen.twin.filter(|_| tails.with_twin);
        Bounds::of(&logs.against(metric, arm, seen.baseline, twin), tails, estimator)
    };
    let (throughput, rss, p99) = (against(Metric::Throughput), against(Metric::Rss), against(Metric::P99));
    let level = Bounds::of(&logs.levels(Metric::Rss, arm), tails, estimator);
    let unfinished = unfinished(scenario, arm);
    let rounds = logs.ratios(Metric::Throughput, arm, seen.baseline).len() as u32;
    let relative = [
        (Limited::Throughput, question.throughput_floor(), &throughput),
        (Limited::P99, question.p99_ceiling(), &p99),
    ];
    let relative = relative.into_iter().filter(|_| !is_baseline);
    let checks = relative.chain([(Limited::Rss, question.rss_ceiling(), &level)]);
    let checks = checks
        .filter_map(|(what, at, bounds)| Some(Limit { what, at: at? }.check(bounds.as_ref(), tails)))
        .chain([unsupported(scenario, arm).unwrap_or_else(|| finishing(&unfinished, rounds))]);
    let check = Check::all(checks);
    Examined { arm, throughput, rss, p99, check, unfinished, rounds }
}

/// Trials that did not finish, by status.
fn unfinished(scenario: &ScenarioData, arm: usize) -> BTreeMap<String, u32> {
    let mut counts = BTreeMap::new();
    for round in &scenario.rounds {
        match round.cells.get(arm) {
            Some(Some(Cell::Unfinished(status))) => *counts.entry(status.clone()).or_default() += 1,
            Some(Some(Cell::Unsupported(_))) => *counts.entry("unsupported".to_owned()).or_default() += 1,
            _ => {}
        }
    }
    counts
}

/// What cannot be measured, or cannot have an effect, cannot be chosen; the reason is the trial's own.
fn unsupported(scenario: &ScenarioData, arm: usize) -> Option<Check> {
    let cells = scenario.rounds.iter().filter_map(|round| round.cells.get(arm)?.as_ref());
    let mut why = cells.filter_map(|cell| match cell {
        Cell::Unsupported(why) => Some(why),
        Cell::Measured(_) | Cell::Unfinished(_) => None,
    });
    why.next().map(|why| Check::broken(why.clone(), None))
}

/// A candidate must finish every trial, and enough of them for a word.
fn finishing(unfinished: &BTreeMap<String, u32>, rounds: u32) -> Check {
    if unfinished.is_empty() {
        return match rounds {
            0 => Check::open("no round in which both it and the baseline finished".to_owned()),
            few if (few as usize) < FEWEST_VALUES => Check::open(words::too_few(few)),
            _ => Check::holds(),
        };
    }
    let parts: Vec<String> = unfinished.iter().map(|(status, count)| format!("{count} {status}")).collect();
    Check::broken(format!("trials that did not finish: {}", parts.join(", ")), None)
}

/// The standings of a scenario, with who is on its front.
pub(super) fn standings(
    panel: &Panel,
    seen: &Observations,
    question: &Question,
    tails: Tails,
    front: &[usize],
    estimator: &mut Estimator,
) -> Vec<Standing> {
    let level = |metric, arm, estimator: &mut Estimator| -> Option<Level> {
        let interval = estimator.interval(&panel.logs.levels(metric, arm), tails.plain)?;
        let Interval { estimate, low, high } = interval.map(f64::exp);
        // Beyond a factor of ten the data do not tell the level.
        let told = |bound: f64| Ratio::told(bound / estimate).is_some();
        (told(low) && told(high)).then_some(Level { estimate, low, high })
    };
    let mut standing = |examined: &Examined| {
        let arm = examined.arm;
        let is_baseline = arm == seen.baseline;
        let same = is_baseline.then_some(Ratio { estimate: 1.0, low: 1.0, high: 1.0 });
        let plain = |bounds: &Option<Bounds>| bounds.as_ref().map(|b| ratio(b.plain)).or(same);
        let verdict = |bounds: &Option<Bounds>, good| match bounds {
            _ if is_baseline => Comparison::Equivalent,
            Some(bounds) => compare(&bounds.plain, question.margin(), good, panel.trusted()),
            None => Comparison::Undecided,
        };
        let rss = level(Metric::Rss, arm, estimator);
        let throughput = level(Metric::Throughput, arm, estimator);
        let all = rss.is_some() && throughput.is_some();
        Standing {
            estimates: if all { None } else { estimates(&panel.logs, arm, seen.baseline) },
            per_gib: cost::per_gib(&panel.logs, arm, tails.plain, estimator),
            instances: question.host_memory.zip(rss).map(|(memory, rss)| cost::instances(memory, &rss)),
            candidate: seen.arms[arm].name.clone(),
            rounds: examined.rounds,
            unfinished: examined.unfinished.clone(),
            throughput,
            rss,
            throughput_ratio: plain(&examined.throughput),
            rss_ratio: plain(&examined.rss),
            p99_ratio: plain(&examined.p99),
            throughput_verdict: verdict(&examined.throughput, Good::More),
            rss_verdict: verdict(&examined.rss, Good::Less),
            resolvable: examined
                .throughput
                .as_ref()
                .and_then(|b| resolvable(&b.summary, tails.plain))
                .map(|log| 1.0 - (-log).exp()),
            feasible: shown(&examined.check, panel.trusted()),
            on_front: front.contains(&arm),
            mechanism: Vec::new(),
        }
    };
    panel.arms.iter().map(&mut standing).collect()
}

/// Plain means; `None` where nothing was measured.
fn estimates(logs: &Logs, arm: usize, baseline: usize) -> Option<Estimates> {
    let mean = |values: Vec<f64>| Some(Summary::of(&values)?.mean.exp());
    let ratio = |metric| mean(logs.ratios(metric, arm, baseline)).and_then(Ratio::told);
    let found = Estimates {
        throughput: mean(logs.levels(Metric::Throughput, arm)),
        rss: mean(logs.levels(Metric::Rss, arm)),
        throughput_ratio: ratio(Metric::Throughput),
        rss_ratio: ratio(Metric::Rss),
    };
    (found.throughput.is_some() || found.rss.is_some()).then_some(found)
}

/// Where the host is not trusted only what did not finish is held against a candidate.
fn shown(check: &Check, trusted: bool) -> Feasible {
    match check.state {
        Feasible::No if !trusted && check.bound.is_some() => Feasible::Undecided,
        Feasible::Yes if !trusted => Feasible::Undecided,
        state => state,
    }
}

/// Which side of 1 is the good one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Good {
    /// More is better.
    More,
    /// Less is better.
    Less,
}

/// The word for an interval of logarithms. Equivalence goes first: a difference that is shown, but is
/// shown to lie within the margin, is not worth a warning.
pub(super) fn compare(interval: &Interval, margin: f64, good: Good, trusted: bool) -> Comparison {
    if -margin <= interval.low && interval.high <= margin {
        return Comparison::Equivalent;
    }
    let (above, below) = match good {
        Good::More => (Comparison::Better, Comparison::Worse),
        Good::Less => (Comparison::Worse, Comparison::Better),
    };
    if !trusted {
        Comparison::Undecided
    } else if interval.low > 0.0 {
        above
    } else if interval.high < 0.0 {
        below
    } else {
        Comparison::Undecided
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_words() {
        let word = |low, high, good| {
            compare(&Interval { estimate: f64::midpoint(low, high), low, high }, 0.03, good, true)
        };
        assert_eq!(word(0.01, 0.1, Good::More), Comparison::Better);
        assert_eq!(word(0.01, 0.1, Good::Less), Comparison::Worse);
        assert_eq!(word(-0.1, -0.04, Good::Less), Comparison::Better);
        assert_eq!(word(0.01, 0.02, Good::More), Comparison::Equivalent);
        assert_eq!(word(-0.04, 0.1, Good::More), Comparison::Undecided);
    }

    #[test]
    fn an_untrusted_host_calls_nothing_better_or_worse() {
        let gap = Interval { estimate: 0.5, low: 0.4, high: 0.6 };
        assert_eq!(compare(&gap, 0.03, Good::More, false), Comparison::Undecided);
    }
}
