//! What arms say about each other: the rungs of a ladder lie on a smooth curve, and of all others one that
//! is far better than the rest was probably lucky.

use crate::decide::observations::Observations;

use super::beliefs::{Belief, Means};
use super::smooth::smooth;

/// A belief is never surer than this about how alike others are: 1 %.
const LEAST_SPREAD: f64 = 0.01;
/// A ladder of fewer rungs says nothing about its shape, and a group of fewer arms nothing about its spread.
const FEWEST: usize = 4;
/// Rungs with neighbours on both sides, in all ladders, from which noise can be told in a single round.
const LEAST_INTERIOR: usize = 16;

/// Arms that inform each other.
struct Group {
    arms: Vec<usize>,
    /// The places of the arms on their ladder, rising; `None` where they have no order.
    rungs: Option<Vec<f64>>,
}

/// What the variance of a single value probably is, where each arm was seen once: from how far the rungs of
/// ladders lie from the middle of their neighbours. By the median, since ladders bend in places; where they
/// bend everywhere it is too large, which makes the search more careful. 0 without ladders.
pub(super) fn roughness(seen: &Observations, samples: &[Vec<f64>]) -> f64 {
    /// Median of the square of a standard normal variable.
    const MEDIAN: f64 = 0.4549;
    /// A rung less the middle of its neighbours has the variance of one rung and a half.
    const RUNGS: f64 = 1.5;
    let value = |arm: usize| samples.get(arm)?.first().copied();
    let mut squares: Vec<f64> = Vec::new();
    for group in groups(seen, |arm| value(arm).is_some()).iter().filter(|group| group.rungs.is_some()) {
        let values: Vec<f64> = group.arms.iter().filter_map(|arm| value(*arm)).collect();
        squares.extend(values.windows(3).map(|v| (v[1] - f64::midpoint(v[0], v[2])).powi(2)));
    }
    squares.sort_unstable_by(f64::total_cmp);
    squares.get(squares.len() / 2).map_or(0.0, |median| median / (MEDIAN * RUNGS))
}

/// Whether nearly all arms lie on ladders long enough to tell noise from shape in a single round.
pub(super) fn are_ladders(seen: &Observations) -> bool {
    let ladders = groups(seen, |_| true).into_iter().filter(|group| group.rungs.is_some());
    let rungs: Vec<usize> = ladders.map(|group| group.arms.len()).collect();
    let interior: usize = rungs.iter().map(|rungs| rungs - 2).sum();
    interior >= LEAST_INTERIOR && rungs.iter().sum::<usize>() * 4 >= seen.arms.len() * 3
}

/// Combines each arm's own mean with what its group suggests: on a ladder the curve through all rungs, else
/// the group's median. How much a suggestion weighs is learnt from the arms themselves.
///
/// `shared` is the part of the variance that all arms have in common, the reference's own noise: others
/// can't help with that.
pub(super) fn lean_on_others(seen: &Observations, means: &Means, shared: f64) -> Means {
    let part = |belief: &Belief, part: f64| Belief { mean: belief.mean, variance: part * belief.variance };
    let mut beliefs: Means =
        means.iter().map(|mean| mean.as_ref().map(|mean| part(mean, 1.0 - shared))).collect();
    for group in groups(seen, |arm| means[arm].is_some()) {
        let own: Vec<Belief> = group.arms.iter().filter_map(|arm| beliefs[*arm]).collect();
        let leant = match &group.rungs {
            Some(rungs) => smooth(rungs, &own),
            None => towards_the_median(&own),
        };
        for (arm, belief) in group.arms.iter().zip(leant) {
            beliefs[*arm] = Some(belief);
        }
    }
    for (belief, mean) in beliefs.iter_mut().zip(means) {
        if let (Some(belief), Some(mean)) = (belief, mean) {
            belief.variance += shared * mean.variance;
        }
    }
    beliefs
}

/// Each belief combined with the median of the others.
fn towards_the_median(own: &[Belief]) -> Vec<Belief> {
    let medians: Vec<f64> = (0..own.len()).map(|place| median_of_others(own, place)).collect();
    let pairs = || own.iter().zip(&medians);
    let excess = |(own, median): (&Belief, &f64)| (own.mean - median).powi(2) - own.variance;
    let spread = pairs().map(excess).sum::<f64>() / own.len() as f64;
    let spread = spread.max(LEAST_SPREAD * LEAST_SPREAD);
    let lean = |(own, median): (&Belief, &f64)| {
        let weight = spread / (own.variance + spread);
        Belief { mean: weight * own.mean + (1.0 - weight) * median, variance: weight * own.variance }
    };
    pairs().map(lean).collect()
}

fn median_of_others(own: &[Belief], place: usize) -> f64 {
    let others = own.iter().enumerate().filter(|(other, _)| *other != place);
    let mut means: Vec<f64> = others.map(|(_, belief)| belief.mean).collect();
    means.sort_unstable_by(f64::total_cmp);
    means.get(means.len() / 2).copied().unwrap_or(0.0)
}

/// The arms that are `known`, by ladder in the order of its rungs, and all others together.
fn groups(seen: &Observations, known: impl Fn(usize) -> bool) -> Vec<Group> {
    let mut ladders: Vec<(&str, Vec<(f64, usize)>)> = Vec::new();
    let mut rest = Vec::new();
    for (arm, described) in seen.arms.iter().enumerate() {
        if !known(arm) || Some(arm) == seen.twin {
            continue;
        }
        match &described.rung {
            Some((axis, value)) => match ladders.iter_mut().find(|(name, _)| name == axis) {
                Some((_, rungs)) => rungs.push((*value, arm)),
                None => ladders.push((axis, vec![(*value, arm)])),
            },
            None if arm != seen.baseline => rest.push(arm),
            None => {}
        }
    }
    let mut groups = Vec::new();
    for (_, mut rungs) in ladders {
        rungs.sort_by(|a, b| a.0.total_cmp(&b.0));
        let (places, arms): (Vec<f64>, Vec<usize>) = rungs.into_iter().unzip();
        if arms.len() >= FEWEST {
            groups.push(Group { arms, rungs: Some(places) });
        } else {
            rest.extend(arms.into_iter().filter(|arm| *arm != seen.baseline));
        }
    }
    if rest.len() >= FEWEST {
        groups.push(Group { arms: rest, rungs: None });
    }
    groups
}
