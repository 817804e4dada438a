//! Two samples that were not measured together.

use super::power::POWER;
use super::summary::{Summary, t_quantile_real};
use super::{FEWEST_VALUES, Interval};

/// The difference of two means.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Welch {
    /// First mean less the second.
    pub interval: Interval,
    /// The smallest difference that would have been seen with probability [`POWER`].
    pub resolvable: f64,
}

/// Welch's interval for the difference of two means with unequal variances, whose bounds each err with
/// probability `tail`; degrees of freedom after Satterthwaite. `None` below [`FEWEST_VALUES`] on either side.
pub fn welch(first: &[f64], second: &[f64], tail: f64) -> Option<Welch> {
    let (a, b) = (Summary::of(first)?, Summary::of(second)?);
    if a.count < FEWEST_VALUES || b.count < FEWEST_VALUES {
        return None;
    }
    let part = |s: &Summary| s.sd.powi(2) / s.count as f64;
    let (va, vb) = (part(&a), part(&b));
    let error = (va + vb).sqrt();
    let freedom = if error > 0.0 {
        (va + vb).powi(2) / (va.powi(2) / (a.count - 1) as f64 + vb.powi(2) / (b.count - 1) as f64)
    } else {
        (a.count + b.count - 2) as f64
    };
    let estimate = a.mean - b.mean;
    let quantile = t_quantile_real(freedom, tail);
    let half = quantile * error;
    let interval = Interval { estimate, low: estimate - half, high: estimate + half };
    Some(Welch { interval, resolvable: (quantile + t_quantile_real(freedom, 1.0 - POWER)) * error })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_samples_do_not_differ() {
        let values = [1.0, 2.0, 3.0, 4.0];
        let welch = welch(&values, &values, 0.025).unwrap();
        assert!(welch.interval.contains(0.0));
        assert!(welch.resolvable > 0.0);
    }

    #[test]
    fn one_value_is_no_sample() {
        assert_eq!(welch(&[1.0, 1.0, 2.0], &[1.0, 2.0, 3.0, 4.0], 0.025), None);
        assert_eq!(welch(&[], &[], 0.025), None);
        let flat = welch(&[2.0; 4], &[1.0; 4], 0.025).unwrap();
        assert!((flat.interval.low - 1.0).abs() < 1e-12 && (flat.interval.high - 1.0).abs() < 1e-12);
    }
}
