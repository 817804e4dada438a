//! Which arms are confirmed, in which order, and over how many rounds: what promises most.
//!
//! The finalists are a chain: each is a little leaner and a little less sure to pass than the one before.
//! What a chain promises is the saving of each step times the chance that the step is passed. What it costs
//! is trials. The plan is the one that promises most after its cost.

use crate::decide::logs::{spent_until_s, trial_seconds};
use crate::decide::observations::Observations;
use crate::decide::question::Question;
use crate::decide::strategy::beliefs::Standing;

use super::plan::{Plan, Stage};
use crate::decide::strategy::Effort;

/// Finalists, at most.
const MOST: usize = 5;
/// Saving of RSS (a logarithm) that one trial a candidate must promise.
pub(super) const PRICE: f64 = 0.002;
/// Saving that a further finalist must promise.
const LEAST_STEP: f64 = 0.002;
/// Lengths of a confirmation that are weighed.
const LENGTHS: [usize; 11] = [6, 8, 11, 15, 20, 27, 36, 48, 64, 80, 100];

/// A chain of finalists and what it promises.
#[derive(Clone, Debug, Default)]
struct Chain {
    arms: Vec<usize>,
    promise: f64,
}

/// Plans the confirmation after `start` rounds.
pub(super) fn plan(
    seen: &Observations,
    question: &Question,
    effort: &Effort,
    (stage, start): (Stage, usize),
    standings: &[Standing],
) -> Plan {
    let (most, budget) = effort.at(start);
    let left = most.saturating_sub(start);
    let mut best: Option<(f64, usize, Chain)> = None;
    let time = budget.map(|budget| budget - spent_until_s(seen, start));
    for rounds in LENGTHS.into_iter().filter(|rounds| *rounds <= left) {
        let chain = chain(standings, question.alpha() * stage.main_share(), rounds);
        if time.is_some_and(|time| time < rounds as f64 * round_seconds(seen, &chain.arms)) {
            continue;
        }
        let trials = (rounds * (chain.arms.len() + 2)) as f64 / seen.arms.len() as f64;
        let worth = chain.promise - PRICE * trials;
        if !chain.arms.is_empty() && best.as_ref().is_none_or(|(most, ..)| worth > *most) {
            best = Some((worth, rounds, chain));
        }
    }
    match best {
        Some((_, rounds, chain)) => Plan::new(stage, start, chain.arms, rounds),
        None => Plan::new(stage, start, Vec::new(), 1),
    }
}

/// Seconds of a round of these arms with the baseline and its twin.
fn round_seconds(seen: &Observations, arms: &[usize]) -> f64 {
    let arms = || arms.iter().copied().chain([seen.baseline]).chain(seen.twin);
    seen.scenarios.iter().flat_map(|s| arms().map(move |arm| trial_seconds(s, arm))).sum()
}

/// The chain that promises most over so many rounds.
fn chain(standings: &[Standing], tail: f64, rounds: usize) -> Chain {
    let mut steps: Vec<(usize, f64, f64)> =
        standings.iter().map(|s| (s.arm, s.passes(rounds, tail), -s.rss.mean)).collect();
    steps.retain(|(_, _, saving)| *saving > 0.0);
    steps.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    let mut taken = vec![false; steps.len()];
    let mut chain = Chain::default();
    while chain.arms.len() < MOST {
        let with = |extra: usize| promise(&steps, &taken, Some(extra));
        let gains = (0..steps.len()).filter(|extra| !taken[*extra]).map(|extra| (extra, with(extra)));
        let Some((extra, promised)) = gains.max_by(|a, b| a.1.total_cmp(&b.1)) else { break };
        if promised < chain.promise + LEAST_STEP {
            break;
        }
        taken[extra] = true;
        chain.promise = promised;
        chain.arms = (0..steps.len()).filter(|i| taken[*i]).map(|i| steps[i].0).collect();
    }
    chain
}

/// What the taken steps, in falling order of their chance to pass, promise: each adds what it saves beyond
/// the leanest before it.
fn promise(steps: &[(usize, f64, f64)], taken: &[bool], extra: Option<usize>) -> f64 {
    let (mut promised, mut saved) = (0.0, 0.0);
    for (index, (_, passes, saving)) in steps.iter().enumerate() {
        if (taken[index] || extra == Some(index)) && *saving > saved {
            promised += passes * (saving - saved);
            saved = *saving;
        }
    }
    promised
}
