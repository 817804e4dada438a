//! The observations as logarithms by figure and arm, which is what every comparison works on.

use std::ops::Range;

use crate::format::decision::Objective;

use super::observations::{Cell, Figures, Observations, ScenarioData};

/// The figures that are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Metric {
    /// Work per second; more is better.
    Throughput,
    /// The objective's RSS; less is better.
    Rss,
    /// 99th percentile of malloc latency; less is better.
    P99,
}

const METRICS: [Metric; 3] = [Metric::Throughput, Metric::Rss, Metric::P99];

impl Metric {
    fn of(self, figures: &Figures, objective: Objective) -> Option<f64> {
        let value = match self {
            Self::Throughput => Some(figures.throughput),
            Self::Rss => figures.rss[objective as usize],
            Self::P99 => figures.p99,
        };
        value.filter(|v| v.is_finite() && *v > 0.0).map(f64::ln)
    }
}

/// Logarithms of one scenario, or of the mean over several.
#[derive(Clone, Debug)]
pub(super) struct Logs {
    /// Numbers of the rounds.
    rounds: Vec<u32>,
    /// By metric, then arm, then round.
    figures: [Vec<Vec<Option<f64>>>; 3],
}

impl Logs {
    /// Of one scenario.
    pub(super) fn of(scenario: &ScenarioData, arms: usize, objective: Objective) -> Self {
        Self::part(scenario, 0..scenario.rounds.len(), arms, objective)
    }

    /// Of some rounds of a scenario, by their place.
    pub(super) fn part(
        scenario: &ScenarioData,
        places: Range<usize>,
        arms: usize,
        objective: Objective,
    ) -> Self {
        let end = places.end.min(scenario.rounds.len());
        let rounds = &scenario.rounds[places.start.min(end)..end];
        let figure = |metric: Metric, arm: usize| {
            let in_round = |round: &super::observations::RoundData| match round.cells.get(arm) {
                Some(Some(Cell::Measured(figures))) => metric.of(figures, objective),
                _ => None,
            };
            rounds.iter().map(in_round).collect()
        };
        let by_arm = |metric| (0..arms).map(|arm| figure(metric, arm)).collect();
        Self { rounds: rounds.iter().map(|r| r.index).collect(), figures: METRICS.map(by_arm) }
    }

    /// The mean over scenarios, round by round; a round counts where every scenario has it.
    pub(super) fn mean(of: &[Self], arms: usize) -> Self {
        let Some((first, others)) = of.split_first() else {
            return Self { rounds: Vec::new(), figures: METRICS.map(|_| vec![Vec::new(); arms]) };
        };
        if others.is_empty() {
            return first.clone();
        }
        let places = |round: u32| -> Option<Vec<usize>> {
            of.iter().map(|logs| logs.rounds.iter().position(|r| *r == round)).collect()
        };
        let matched: Vec<(u32, Vec<usize>)> =
            first.rounds.iter().filter_map(|round| Some((*round, places(*round)?))).collect();
        let average = |metric: Metric, arm: usize, places: &[usize]| {
            let figures = of.iter().zip(places).map(|(logs, place)| logs.series(metric, arm)[*place]);
            Some(figures.sum::<Option<f64>>()? / of.len() as f64)
        };
        let by_arm = |metric| {
            let series = |arm| matched.iter().map(|(_, places)| average(metric, arm, places)).collect();
            (0..arms).map(series).collect()
        };
        Self { rounds: matched.iter().map(|(round, _)| *round).collect(), figures: METRICS.map(by_arm) }
    }

    fn series(&self, metric: Metric, arm: usize) -> &[Option<f64>] {
        self.figures[metric as usize].get(arm).map_or(&[], Vec::as_slice)
    }

    /// The arm's logarithms where it has them.
    pub(super) fn levels(&self, metric: Metric, arm: usize) -> Vec<f64> {
        self.series(metric, arm).iter().copied().flatten().collect()
    }

    /// Logarithms of one figure over another of the same trial.
    pub(super) fn quotients(&self, over: Metric, under: Metric, arm: usize) -> Vec<f64> {
        let pairs = self.series(over, arm).iter().zip(self.series(under, arm));
        pairs.filter_map(|(a, b)| Some((*a)? - (*b)?)).collect()
    }

    /// Log-ratios of an arm here to one of other data, of the rounds with the same number.
    pub(super) fn over(&self, metric: Metric, arm: usize, other: &Self, under: usize) -> Vec<f64> {
        let own = self.rounds.iter().zip(self.series(metric, arm));
        let there = |round: u32| {
            let place = other.rounds.iter().position(|r| *r == round)?;
            other.series(metric, under)[place]
        };
        own.filter_map(|(round, own)| Some((*own)? - there(*round)?)).collect()
    }

    /// Within-round log-ratios of one arm to another, of the rounds that have both.
    pub(super) fn ratios(&self, metric: Metric, over: usize, under: usize) -> Vec<f64> {
        let pairs = self.series(metric, over).iter().zip(self.series(metric, under));
        pairs.filter_map(|(a, b)| Some((*a)? - (*b)?)).collect()
    }
}

impl Logs {
    /// Within-round log-ratios to the mean of the baseline and its twin, where the round has both; else to
    /// the baseline.
    pub(super) fn against(
        &self,
        metric: Metric,
        arm: usize,
        baseline: usize,
        twin: Option<usize>,
    ) -> Vec<f64> {
        let base = self.series(metric, baseline).iter();
        let of_twin = |round: usize| twin.and_then(|twin| *self.series(metric, twin).get(round)?);
        let rounds = self.series(metric, arm).iter().zip(base).enumerate();
        rounds
            .filter_map(|(round, (own, base))| {
                let reference = of_twin(round).map_or(*base, |twin| Some(f64::midpoint((*base)?, twin)))?;
                Some((*own)? - reference)
            })
            .collect()
    }
}

/// Mean seconds that one trial of the arm takes in a scenario; of all arms where it never ran.
pub(super) fn trial_seconds(scenario: &ScenarioData, arm: usize) -> f64 {
    let mean = |wanted: &dyn Fn(usize) -> bool| {
        let cells = scenario.rounds.iter().flat_map(|round| round.cells.iter().enumerate());
        let seconds: Vec<f64> = cells
            .filter(|(index, _)| wanted(*index))
            .filter_map(|(_, cell)| match cell {
                Some(Cell::Measured(figures)) if figures.elapsed_s.is_finite() => Some(figures.elapsed_s),
                _ => None,
            })
            .collect();
        (!seconds.is_empty()).then(|| seconds.iter().sum::<f64>() / seconds.len() as f64)
    };
    mean(&|index| index == arm).or_else(|| mean(&|_| true)).unwrap_or(0.0)
}

/// Minutes that `rounds` further rounds of one arm with the baseline and its twin take, in all scenarios.
pub(super) fn minutes(seen: &Observations, arm: usize, rounds: f64) -> f64 {
    let arms = [Some(arm), Some(seen.baseline), seen.twin];
    let of_scenario = |s: &ScenarioData| arms.iter().flatten().map(|arm| trial_seconds(s, *arm)).sum::<f64>();
    rounds.max(0.0) * seen.scenarios.iter().map(of_scenario).sum::<f64>() / 60.0
}

/// Seconds of all finished trials.
pub(super) fn spent_s(seen: &Observations) -> f64 {
    spent_until_s(seen, usize::MAX)
}

/// Seconds of all finished trials of the first rounds.
pub(super) fn spent_until_s(seen: &Observations, rounds: usize) -> f64 {
    let rounds = seen.scenarios.iter().flat_map(|scenario| scenario.rounds.iter().take(rounds));
    let seconds = |cell: &Cell| match cell {
        Cell::Measured(figures) if figures.elapsed_s.is_finite() => figures.elapsed_s,
        _ => 0.0,
    };
    rounds.flat_map(|round| round.cells.iter().flatten()).map(seconds).sum()
}
