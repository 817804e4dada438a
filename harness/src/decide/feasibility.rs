//! Whether a candidate is shown to meet the constraints.

use crate::format::decision::Feasible;
use crate::statistics::estimator::Estimator;
use crate::statistics::power::{POWER, rounds_needed};
use crate::statistics::summary::Summary;
use crate::statistics::{FEWEST_TO_FORECAST, Interval};

use super::words;

/// How sure claims must be: the chance of error of one bound.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Tails {
    /// Of an interval read by itself, such as those of the standings.
    pub(super) plain: f64,
    /// Of a bound that a choice rests on, after correction for the number of candidates.
    pub(super) claim: f64,
    /// Whether the twin counts as a second run of the baseline, which it is: ratios are then to the mean of
    /// both, and a quarter of their variance is gone.
    pub(super) with_twin: bool,
}

/// One figure's interval, read by itself and as the ground of a choice.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Bounds {
    /// Read by itself.
    pub(super) plain: Interval,
    /// Holds after choosing among all candidates; never narrower than the plain one.
    pub(super) claim: Interval,
    /// The sample.
    pub(super) summary: Summary,
}

impl Bounds {
    /// Of a sample of logarithms; `None` below [`crate::statistics::FEWEST_VALUES`].
    pub(super) fn of(values: &[f64], tails: Tails, estimator: &mut Estimator) -> Option<Self> {
        let plain = estimator.interval(values, tails.plain)?;
        let claim = estimator.interval(values, tails.claim)?.hull(plain);
        Some(Self { plain, claim, summary: Summary::of(values)? })
    }
}

/// The outcome of checking one or more constraints.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Check {
    /// Whether it holds.
    pub(super) state: Feasible,
    /// Why not, or what is open, in words.
    pub(super) why: String,
    /// The bound that decided it, as a ratio or in bytes.
    pub(super) bound: Option<f64>,
    /// Further rounds that would probably settle it.
    pub(super) rounds: Option<f64>,
}

impl Check {
    /// It holds.
    pub(super) fn holds() -> Self {
        Self { state: Feasible::Yes, why: String::new(), bound: None, rounds: None }
    }

    /// It does not.
    pub(super) fn broken(why: String, bound: Option<f64>) -> Self {
        Self { state: Feasible::No, why, bound, rounds: None }
    }

    /// Open, and no further rounds would settle it or their number is unknown.
    pub(super) fn open(why: String) -> Self {
        Self { state: Feasible::Undecided, why, bound: None, rounds: None }
    }

    /// All of several hold: the first broken one decides, else the open one that needs most.
    pub(super) fn all(checks: impl IntoIterator<Item = Self>) -> Self {
        let severity = |check: &Self| match check.state {
            Feasible::No => 2,
            Feasible::Undecided => 1,
            Feasible::Yes => 0,
        };
        checks.into_iter().fold(Self::holds(), |worst, check| {
            let (a, b) = (severity(&worst), severity(&check));
            let needs = |c: &Self| c.rounds.unwrap_or(f64::INFINITY);
            if b > a || (a == 1 && b == 1 && needs(&check) > needs(&worst)) { check } else { worst }
        })
    }
}

/// A limit on one figure, in logarithms.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limit {
    /// What is limited, for words.
    pub(super) what: words::Limited,
    /// The limit.
    pub(super) at: f64,
}

impl Limit {
    /// Checks the figure's bounds. A claim that it holds rests on the corrected bound; that it is broken,
    /// on the plain one: an error there costs memory, not the promise.
    pub(super) fn check(self, bounds: Option<&Bounds>, tails: Tails) -> Check {
        let Some(bounds) = bounds else {
            return Check::open(self.what.unknown());
        };
        let sign = if self.what.is_floor() { 1.0 } else { -1.0 };
        let (safe, hopeless) = if self.what.is_floor() {
            (bounds.claim.low, bounds.plain.high)
        } else {
            (bounds.claim.high, bounds.plain.low)
        };
        if (safe - self.at) * sign >= 0.0 {
            return Check::holds();
        }
        if (hopeless - self.at) * sign < 0.0 {
            return Check::broken(self.what.broken(hopeless, self.at), Some(hopeless.exp()));
        }
        let distance = bounds.plain.estimate - self.at;
        Check {
            rounds: further_rounds(&bounds.summary, distance, tails.claim),
            ..Check::open(self.what.open(&bounds.claim, self.at))
        }
    }
}

/// Further rounds that would probably show on which side of a limit a figure lies.
///
/// The spread is taken to be the largest that agrees with the one seen at the chance of [`POWER`]: that of few
/// rounds is often far too small. The true distance is taken to be the one seen, but at least one standard error:
/// a figure seen right at its limit is rarely so. `None` below [`FEWEST_TO_FORECAST`] values.
pub(super) fn further_rounds(summary: &Summary, distance: f64, tail: f64) -> Option<f64> {
    if summary.count < FEWEST_TO_FORECAST {
        return None;
    }
    let wide = Summary { sd: summary.sd_at_most(1.0 - POWER)?, ..*summary };
    let distance = distance.abs().max(wide.standard_error());
    let needed = rounds_needed(&wide, distance, tail)?;
    Some((needed - summary.count as f64).ceil().max(1.0))
}
