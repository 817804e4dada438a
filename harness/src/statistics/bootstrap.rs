//! The bias-corrected and accelerated (`BCa`) bootstrap of a mean.
//!
//! Efron, "Better bootstrap confidence intervals", JASA 82 (1987). The resamples depend on the number of
//! values and the seed only, so all samples of one length share them: an interval then costs one pass
//! over the resamples, and samples that were measured together are resampled together.

use rand::Rng;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::Interval;
use super::summary::{Summary, normal_cdf, normal_quantile};

/// How often each of `count` values is drawn, in each of many resamples.
#[derive(Clone, Debug)]
pub struct Resamples {
    count: usize,
    rows: usize,
    /// Draws by value, then by resample: the inner loop then runs over resamples without a dependency.
    draws: Vec<f32>,
}

impl Resamples {
    /// Draws `resamples` times `count` values, by `seed`.
    pub fn new(count: usize, resamples: usize, seed: u64) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut draws = vec![0.0f32; count * resamples];
        for resample in 0..resamples {
            for _ in 0..count {
                // The high half of the product is uniform below `count`, up to count / 2^64.
                let drawn = (u128::from(random.next_u64()) * count as u128) >> 64;
                draws[drawn as usize * resamples + resample] += 1.0;
            }
        }
        Self { count, rows: resamples, draws }
    }

    /// The mean of each resample of `values`, whose number must be that of [`Resamples::new`].
    fn means(&self, values: &[f64]) -> Vec<f64> {
        let mut sums = vec![0.0f64; self.rows];
        for (value, draws) in values.iter().zip(self.draws.chunks_exact(self.rows.max(1))) {
            for (sum, times) in sums.iter_mut().zip(draws) {
                *sum += f64::from(*times) * value;
            }
        }
        for sum in &mut sums {
            *sum /= self.count as f64;
        }
        sums
    }

    /// The `BCa` interval of the mean whose bounds each err with probability `tail`. `None` for fewer
    /// than 2 values, or another number than was drawn.
    pub fn bca(&self, values: &[f64], tail: f64) -> Option<Interval> {
        let summary = Summary::of(values).filter(|s| s.count >= 2 && s.count == self.count)?;
        let estimate = summary.mean;
        // Equal values, but for the rounding of their mean.
        if summary.sd <= 4.0 * estimate.abs() * f64::EPSILON {
            return Some(Interval { estimate, low: estimate, high: estimate });
        }
        let mut means = self.means(values);
        means.sort_unstable_by(f64::total_cmp);
        let below = means.partition_point(|m| *m < estimate);
        let up_to = means.partition_point(|m| *m <= estimate);
        let share = (below + up_to) as f64 / (2 * means.len()) as f64;
        let bias = -normal_quantile(share);
        let acceleration = acceleration(values, estimate);
        let place = |z: f64| {
            let shifted = bias + z;
            normal_cdf(bias + shifted / (1.0 - acceleration * shifted))
        };
        let z = normal_quantile(tail);
        Some(Interval {
            estimate,
            low: quantile(&means, place(-z)).min(estimate),
            high: quantile(&means, place(z)).max(estimate),
        })
    }
}

/// The acceleration from the jackknife, which for a mean has a closed form.
fn acceleration(values: &[f64], mean: f64) -> f64 {
    let squares: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
    let cubes: f64 = values.iter().map(|v| (v - mean).powi(3)).sum();
    cubes / (6.0 * squares.powf(1.5))
}

/// The quantile of sorted values, linear between neighbours.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let place = share.clamp(0.0, 1.0) * (sorted.len() - 1) as f64;
    let below = place.floor();
    let low = sorted[below as usize];
    let high = sorted[place.ceil() as usize];
    low + (high - low) * (place - below)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_makes_the_same_interval() {
        let values: Vec<f64> = (0..20).map(|i| f64::from(i * i % 17)).collect();
        let a = Resamples::new(20, 500, 7).bca(&values, 0.025);
        assert_eq!(a, Resamples::new(20, 500, 7).bca(&values, 0.025));
        assert_ne!(a, Resamples::new(20, 500, 8).bca(&values, 0.025));
    }

    #[test]
    fn equal_values_have_a_point_for_an_interval() {
        let interval = Resamples::new(16, 100, 1).bca(&[0.3; 16], 0.025).unwrap();
        assert_eq!((interval.low, interval.high), (interval.estimate, interval.estimate));
    }

    #[test]
    fn a_skewed_sample_has_a_skewed_interval() {
        let values: Vec<f64> = (0..40).map(|i| f64::from(i % 8).exp()).collect();
        let interval = Resamples::new(40, 2000, 1).bca(&values, 0.025).unwrap();
        assert!(interval.high - interval.estimate > 1.1 * (interval.estimate - interval.low));
    }
}
