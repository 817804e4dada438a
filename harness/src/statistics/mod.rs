//! Pure functions on plain data: what can be said about a mean from a few noisy rounds.
//!
//! * [`summary`]: count, mean and standard deviation; bounds from Student's t.
//! * [`bootstrap`]: the bias-corrected and accelerated bootstrap over shared, seeded resamples.
//! * [`estimator`]: which of the two makes an interval, in one place.
//! * [`two_sample`]: the same for two samples that were not measured together.
//! * [`permutation`]: a p-value that asks nothing of the distribution.
//! * [`variance`]: noise between processes, and within one.
//! * [`power`]: the smallest effect that data could have shown, and the rounds that an effect needs.
//!
//! Nothing here knows of allocators. Data are natural logarithms of ratios unless said otherwise.

/// Fewer values than this have no interval: a spread told from three is chance. No word (better, worse, equivalent,
/// chosen) rests on fewer rounds.
pub const FEWEST_VALUES: usize = 4;

/// Fewer values than this say nothing of how many more would be needed.
pub const FEWEST_TO_FORECAST: usize = 5;

pub mod bootstrap;
pub mod estimator;
pub mod permutation;
pub mod power;
pub mod sen;
pub mod summary;
pub mod two_sample;
pub mod variance;

/// An estimate with its bounds, on the scale of the data.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// Point estimate: the mean.
    pub estimate: f64,
    /// Lower bound.
    pub low: f64,
    /// Upper bound.
    pub high: f64,
}

impl Interval {
    /// The smallest interval around the same estimate that contains both.
    #[must_use]
    pub fn hull(self, other: Self) -> Self {
        Self { low: self.low.min(other.low), high: self.high.max(other.high), ..self }
    }

    /// Whether `value` lies within, bounds included.
    pub fn contains(&self, value: f64) -> bool {
        self.low <= value && value <= self.high
    }

    /// The same on another scale: each figure through `f`, which must be increasing.
    #[must_use]
    pub fn map(self, f: impl Fn(f64) -> f64) -> Self {
        Self { estimate: f(self.estimate), low: f(self.low), high: f(self.high) }
    }
}
