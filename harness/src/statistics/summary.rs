//! Count, mean and standard deviation of a sample, and Student's t.

use statrs::distribution::{ChiSquared, ContinuousCDF, Normal, StudentsT};

use super::Interval;

/// What a t-interval needs to know of a sample.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Summary {
    /// Number of values.
    pub count: usize,
    /// Arithmetic mean.
    pub mean: f64,
    /// Standard deviation with `count - 1` in the denominator; 0 for a single value.
    pub sd: f64,
}

impl Summary {
    /// Summarises finite values; `None` for an empty sample.
    pub fn of(values: &[f64]) -> Option<Self> {
        if values.is_empty() {
            return None;
        }
        let count = values.len();
        let mean = values.iter().sum::<f64>() / count as f64;
        let squares: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
        let sd = if count > 1 { (squares / (count - 1) as f64).sqrt() } else { 0.0 };
        Some(Self { count, mean, sd })
    }

    /// Standard error of the mean.
    pub fn standard_error(&self) -> f64 {
        self.sd / (self.count as f64).sqrt()
    }

    /// What the true standard deviation exceeds with probability `tail`, if values are normal: of few values their own
    /// is often far too small. `None` below 2 values.
    pub fn sd_at_most(&self, tail: f64) -> Option<f64> {
        let freedom = self.count.checked_sub(1).filter(|freedom| *freedom > 0)? as f64;
        let least = ChiSquared::new(freedom).ok()?.inverse_cdf(tail);
        Some(self.sd * (freedom / least).sqrt())
    }

    /// The interval whose bounds each err with probability `tail`, by Student's t; `None` below 2 values.
    pub fn t_interval(&self, tail: f64) -> Option<Interval> {
        if self.count < 2 {
            return None;
        }
        let half = t_quantile(self.count - 1, tail) * self.standard_error();
        Some(Interval { estimate: self.mean, low: self.mean - half, high: self.mean + half })
    }
}

impl Summary {
    /// p of the one-sided t-test that the mean lies above `limit`: the chance of a mean so far above it, were
    /// it no higher. 1 below 2 values.
    pub fn p_above(&self, limit: f64) -> f64 {
        if self.count < 2 {
            return 1.0;
        }
        let distance = self.mean - limit;
        if self.sd == 0.0 {
            return if distance > 0.0 { 0.0 } else { 1.0 };
        }
        t_tail(self.count - 1, distance / self.standard_error())
    }
}

/// The value that Student's t with `freedom` degrees exceeds with probability `tail`. Infinite for no
/// degree of freedom or no tail.
pub fn t_quantile(freedom: usize, tail: f64) -> f64 {
    t_quantile_real(freedom as f64, tail)
}

/// The same for degrees that are no whole number.
pub fn t_quantile_real(freedom: f64, tail: f64) -> f64 {
    match StudentsT::new(0.0, 1.0, freedom) {
        Ok(t) if tail > 0.0 && tail < 1.0 => -t.inverse_cdf(tail),
        _ => f64::INFINITY,
    }
}

/// The probability that Student's t with `freedom` degrees exceeds `value`; 1 for no degree of freedom.
pub fn t_tail(freedom: usize, value: f64) -> f64 {
    StudentsT::new(0.0, 1.0, freedom as f64).map_or(1.0, |t| t.sf(value))
}

/// The value that a standard normal variable exceeds with probability `tail`, within `(0, 1)`.
pub fn normal_quantile(tail: f64) -> f64 {
    -Normal::standard().inverse_cdf(tail.clamp(f64::MIN_POSITIVE, 1.0 - f64::EPSILON))
}

/// The probability that a standard normal variable is below `value`.
pub fn normal_cdf(value: f64) -> f64 {
    Normal::standard().cdf(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_quantiles() {
        assert!((t_quantile(4, 0.025) - 2.776_445_105_2).abs() < 1e-8);
        assert!((t_quantile(99, 0.0005) - 3.391_528).abs() < 1e-5);
        assert!((normal_quantile(0.025) - 1.959_963_984_5).abs() < 1e-9);
        assert!((t_tail(4, 2.776_445_105_2) - 0.025).abs() < 1e-9);
        assert!(t_quantile(0, 0.025).is_infinite());
    }

    #[test]
    fn of_few_values_the_true_deviation_may_be_far_larger() {
        let of = |count| Summary { count, mean: 0.0, sd: 1.0 }.sd_at_most(0.2);
        // sqrt(freedom / chi-square) with the 20 % quantiles of published tables: 0.0642, 1.649, 5.380, 49.72.
        for (count, expected) in [(2, 3.947), (5, 1.557), (10, 1.293), (60, 1.089)] {
            assert!((of(count).unwrap() - expected).abs() < 0.003, "{count}: {:?}", of(count));
        }
        assert_eq!(of(1), None);
    }

    #[test]
    fn a_single_value_has_no_interval() {
        assert_eq!(Summary::of(&[]), None);
        assert_eq!(Summary::of(&[1.0]).unwrap().t_interval(0.025), None);
        let flat = Summary::of(&[2.0, 2.0]).unwrap().t_interval(0.025).unwrap();
        assert_eq!((flat.low, flat.high), (2.0, 2.0));
    }
}
