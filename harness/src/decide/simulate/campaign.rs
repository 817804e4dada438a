//! Drives a strategy through a made-up campaign, and marks its answer against the truth.

use crate::decide::observations::{Arm, Cell, Figures, Observations, RoundData, ScenarioData};
use crate::decide::question::Question;
use crate::decide::strategy::{Step, Strategy};
use crate::format::decision::{Comparison, Decision, Verdict};

use super::host::{Chance, Host};
use super::landscape::{Landscape, Truth};

/// Seconds that a made-up trial takes.
const TRIAL_S: f64 = 2.0;

/// A campaign with nothing measured yet. The twin is the last arm.
pub fn begin(landscape: &Landscape) -> Observations {
    let arm = |truth: &Truth| Arm { name: truth.name.clone(), rung: truth.rung.clone() };
    let twin = landscape.truths.len();
    Observations {
        arms: landscape.truths.iter().chain(landscape.truths.first()).map(arm).collect(),
        baseline: 0,
        out_of_time: false,
        twin: Some(twin),
        scenarios: vec![ScenarioData {
            workload: "simulated".to_owned(),
            threads: 4,
            libc: "host".to_owned(),
            unit: "operations/s".to_owned(),
            rounds: Vec::new(),
        }],
    }
}

/// Runs a round of these arms.
pub fn run_round(landscape: &Landscape, arms: &[usize], seen: &mut Observations, chance: &mut Chance) {
    let Landscape { truths, host } = landscape;
    for scenario in &mut seen.scenarios {
        let index = scenario.rounds.len() as u32;
        let shared = host.by_round * chance.normal() + host.drift * f64::from(index);
        let mut cells = vec![None; truths.len() + 1];
        for arm in arms.iter().copied().filter(|arm| *arm <= truths.len()) {
            let bias = if arm == truths.len() { host.twin_bias } else { 0.0 };
            let truth = truths.get(arm).unwrap_or(&truths[0]);
            cells[arm] = Some(trial(truth, host, shared + bias, chance));
        }
        scenario.rounds.push(RoundData { index, cells });
    }
}

fn trial(truth: &Truth, host: &Host, shared: f64, chance: &mut Chance) -> Cell {
    let (throughput, rss) = host.disturb(chance);
    if chance.share() < truth.crashes {
        return Cell::Unfinished("crashed".to_owned());
    }
    Cell::Measured(Figures {
        throughput: 1e6 * (truth.throughput + throughput + shared).exp(),
        rss: [Some(1e8 * (truth.rss + rss).exp()), None, None, None],
        p99: None,
        elapsed_s: TRIAL_S,
    })
}

/// Runs a strategy to its end, at most `most_rounds`.
pub fn run(
    landscape: &Landscape,
    strategy: &mut dyn Strategy,
    most_rounds: usize,
    chance: &mut Chance,
) -> Observations {
    let mut seen = begin(landscape);
    for _ in 0..most_rounds {
        match strategy.next(&seen) {
            Step::Round(request) => run_round(landscape, &request.arms, &mut seen, chance),
            Step::Stop { .. } => break,
        }
    }
    seen
}

/// An answer against the truth.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mark {
    /// Whether what would be shipped meets the floor and does not crash.
    pub met: bool,
    /// RSS of what would be shipped over the least that meets the floor, less 1.
    pub regret: f64,
    /// Trials a candidate.
    pub trials: f64,
    /// The verdict.
    pub verdict: Verdict,
    /// Whether the twin was accused.
    pub accused: bool,
    /// Figures of candidates that are identical to the baseline, and how many of them were called better
    /// or worse.
    pub identical: (u32, u32),
}

/// Marks the arm that is shipped. Where nothing was chosen, that is the baseline.
pub fn mark_shipped(landscape: &Landscape, seen: &Observations, shipped: usize, question: &Question) -> Mark {
    let floor = question.throughput_floor().unwrap_or(f64::NEG_INFINITY) - 1e-12;
    let sound = |truth: &Truth| truth.throughput >= floor && truth.crashes == 0.0;
    let least = landscape.truths.iter().filter(|t| sound(t)).map(|t| t.rss).fold(f64::INFINITY, f64::min);
    let truth = &landscape.truths[shipped];
    let cells = seen.scenarios.iter().flat_map(|s| &s.rounds).flat_map(|round| round.cells.iter().flatten());
    Mark {
        met: sound(truth),
        regret: (truth.rss - least).exp() - 1.0,
        trials: cells.count() as f64 / landscape.truths.len() as f64,
        verdict: Verdict::Undecided,
        accused: false,
        identical: (0, 0),
    }
}

/// Marks a decision.
pub fn mark(landscape: &Landscape, seen: &Observations, decision: &Decision, question: &Question) -> Mark {
    let named = |name: &String| seen.arms.iter().position(|arm| arm.name == *name);
    let shipped = decision.choice.as_ref().and_then(named).unwrap_or(seen.baseline);
    let mut identical = (0, 0);
    for standing in decision.scenarios.iter().flat_map(|scenario| &scenario.standings) {
        let Some(truth) = landscape.truths.iter().skip(1).find(|t| t.name == standing.candidate) else {
            continue;
        };
        let figures = [(truth.throughput, standing.throughput_verdict), (truth.rss, standing.rss_verdict)];
        for (_, word) in figures.into_iter().filter(|(truth, _)| *truth == 0.0) {
            identical.0 += 1;
            identical.1 += u32::from(matches!(word, Comparison::Better | Comparison::Worse));
        }
    }
    Mark {
        verdict: decision.verdict,
        accused: decision.twin.is_some_and(|twin| !twin.trustworthy),
        identical,
        ..mark_shipped(landscape, seen, shipped, question)
    }
}

/// What picking the best mean would ship: the least mean RSS among those whose mean throughput is above
/// the floor. What most tools do.
pub fn best_mean(seen: &Observations, question: &Question) -> usize {
    let floor = question.throughput_floor().unwrap_or(f64::NEG_INFINITY);
    let mean = |arm: usize| -> Option<(f64, f64)> {
        let (mut throughput, mut rss, mut count) = (0.0, 0.0, 0.0);
        for cell in seen.scenarios.iter().flat_map(|s| &s.rounds).map(|round| &round.cells[arm]) {
            match cell {
                Some(Cell::Measured(figures)) => {
                    throughput += figures.throughput.ln();
                    rss += figures.rss[0]?.ln();
                    count += 1.0;
                }
                Some(Cell::Unfinished(_) | Cell::Unsupported(_)) => return None,
                None => {}
            }
        }
        (count > 0.0).then_some((throughput / count, rss / count))
    };
    let base = mean(seen.baseline).map_or(0.0, |(throughput, _)| throughput);
    let arms = (0..seen.arms.len()).filter(|arm| Some(*arm) != seen.twin);
    let feasible = arms.filter_map(|arm| Some((arm, mean(arm)?))).filter(|(_, m)| m.0 - base >= floor);
    feasible.min_by(|a, b| a.1.1.total_cmp(&b.1.1)).map_or(seen.baseline, |(arm, _)| arm)
}
