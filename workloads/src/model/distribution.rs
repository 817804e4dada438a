//! Distributions of sizes and lifetimes as a model describes them, and what follows from them by
//! calculation: quantiles, moments, bounds.

use statrs::distribution::{ContinuousCDF, Normal};

/// A distribution of a quantity that is not negative. What a random one would give outside its bounds
/// becomes the nearer bound.
#[derive(Clone, Debug, PartialEq)]
pub enum Distribution {
    /// Always the same.
    Constant(f64),
    /// Every value from `min` to `max` is equally likely.
    Uniform {
        /// Smallest.
        min: f64,
        /// Largest.
        max: f64,
    },
    /// Every doubling is equally likely.
    LogUniform {
        /// Smallest, above 0.
        min: f64,
        /// Largest.
        max: f64,
    },
    /// The logarithm is normal.
    LogNormal {
        /// Half of the values are below.
        median: f64,
        /// Standard deviation of the natural logarithm.
        sigma: f64,
        /// Smallest.
        min: f64,
        /// Largest.
        max: f64,
    },
    /// Memoryless.
    Exponential {
        /// Mean before `max` cuts the tail.
        mean: f64,
        /// Largest.
        max: f64,
    },
    /// The generalised Pareto distribution: `location + scale / shape * ((1 - u)^-shape - 1)`. With `location` = `scale /
    /// shape` it is Pareto's own, whose exponent is 1 / `shape`.
    Pareto {
        /// Smallest.
        location: f64,
        /// Scale.
        scale: f64,
        /// Shape, above 0: the larger, the heavier the tail.
        shape: f64,
        /// Largest.
        max: f64,
    },
    /// Values and ranges with their weights.
    Histogram(Vec<Bin>),
    /// One of several, by weight.
    Mixture(Vec<(f64, Distribution)>),
}

/// A bar of a histogram.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bin {
    /// Smallest value.
    pub low: f64,
    /// Largest value; those between are equally likely.
    pub high: f64,
    /// Share of all values, up to a common factor.
    pub weight: f64,
}

/// How far into the tail integrals go: the last interval is 2^-TAIL of the whole.
const TAIL: u32 = 30;
/// Points in each interval, for integrals.
pub(super) const POINTS: u32 = 512;

/// Points of the unit interval with their weights, ever denser towards 1, so that integrals of
/// heavy-tailed quantile functions come out right: `points` in each interval.
pub(super) fn grid(points: u32) -> impl Iterator<Item = (f64, f64)> {
    (0..TAIL).flat_map(move |interval| {
        let from = 1.0 - 0.5f64.powi(interval.cast_signed());
        let width = if interval + 1 == TAIL { 1.0 - from } else { (1.0 - from) / 2.0 };
        let step = width / f64::from(points);
        (0..points).map(move |point| (from + step * (f64::from(point) + 0.5), step))
    })
}

impl Distribution {
    /// The value below which a share `u` of all values lies. Not for histograms and mixtures, which are drawn part by part.
    pub(super) fn quantile(&self, u: f64) -> f64 {
        let u = u.clamp(0.0, 1.0);
        match self {
            Self::Constant(value) => *value,
            Self::Uniform { min, max } => min + (max - min) * u,
            Self::LogUniform { min, max } => min * (max / min).powf(u),
            Self::LogNormal { median, sigma, min, max } => {
                let normal = Normal::standard().inverse_cdf(u.clamp(1e-15, 1.0 - 1e-15));
                (median * (sigma * normal).exp()).clamp(*min, *max)
            }
            Self::Exponential { mean, max } => (-mean * (1.0 - u).ln()).min(*max),
            Self::Pareto { location, scale, shape, max } => {
                (location + scale / shape * ((1.0 - u).powf(-shape) - 1.0)).min(*max)
            }
            Self::Histogram(_) | Self::Mixture(_) => unreachable!("drawn part by part"),
        }
    }

    /// The simple parts with their probabilities.
    pub(super) fn parts(&self) -> Vec<(f64, Self)> {
        let normalised = |parts: Vec<(f64, Self)>| {
            let total: f64 = parts.iter().map(|(weight, _)| weight).sum();
            parts.into_iter().map(|(weight, part)| (weight / total, part)).collect::<Vec<_>>()
        };
        match self {
            Self::Histogram(bins) => {
                let part = |bin: &Bin| (bin.weight, Self::Uniform { min: bin.low, max: bin.high });
                normalised(bins.iter().map(part).collect())
            }
            Self::Mixture(of) => {
                let inner = normalised(of.clone());
                let flat = |(weight, part): (f64, Self)| {
                    part.parts().into_iter().map(move |(share, simple)| (weight * share, simple))
                };
                inner.into_iter().flat_map(flat).collect()
            }
            simple => vec![(1.0, simple.clone())],
        }
    }

    /// Sum over the parts of share times what `simple` gives for a part.
    fn over_parts(&self, simple: impl Fn(&Self) -> f64) -> f64 {
        self.parts().iter().map(|(share, part)| share * simple(part)).sum()
    }

    /// Mean of a function of the values of a simple part.
    fn integral(&self, of: impl Fn(f64) -> f64) -> f64 {
        grid(POINTS).map(|(u, weight)| of(self.quantile(u)) * weight).sum()
    }

    /// Mean.
    pub fn mean(&self) -> f64 {
        self.over_parts(|part| match part {
            Self::Constant(value) => *value,
            Self::Uniform { min, max } => f64::midpoint(*min, *max),
            other => other.integral(|value| value),
        })
    }

    /// Mean of the square.
    pub fn square_mean(&self) -> f64 {
        self.over_parts(|part| match part {
            Self::Constant(value) => value * value,
            Self::Uniform { min, max } => (min * min + min * max + max * max) / 3.0,
            other => other.integral(|value| value * value),
        })
    }

    /// Mean of a function of the values. `area` is its integral from 0.
    pub(super) fn mean_of(&self, of: impl Fn(f64) -> f64, area: impl Fn(f64) -> f64) -> f64 {
        self.over_parts(|part| match part {
            Self::Constant(value) => of(*value),
            Self::Uniform { min, max } if min >= max => of(*max),
            Self::Uniform { min, max } => (area(*max) - area(*min)) / (max - min),
            other => other.integral(&of),
        })
    }

    /// How far values fall short of `least`, on average; 0 for those that do not.
    pub(super) fn shortfall(&self, least: f64) -> f64 {
        let short = |value: f64| (least - value).max(0.0);
        self.over_parts(|part| match part {
            Self::Constant(value) => short(*value),
            Self::Uniform { min, max } if *max <= least => short(f64::midpoint(*min, *max)),
            Self::Uniform { min, .. } if *min >= least => 0.0,
            Self::Uniform { min, max } => short(*min).powi(2) / (2.0 * (max - min)),
            other => other.integral(short),
        })
    }

    /// Largest value there can be.
    pub fn max(&self) -> f64 {
        match self {
            Self::Constant(value) => *value,
            Self::Uniform { max, .. }
            | Self::LogUniform { max, .. }
            | Self::LogNormal { max, .. }
            | Self::Exponential { max, .. }
            | Self::Pareto { max, .. } => *max,
            Self::Histogram(bins) => bins.iter().map(|bin| bin.high).fold(0.0, f64::max),
            Self::Mixture(of) => of.iter().map(|(_, part)| part.max()).fold(0.0, f64::max),
        }
    }

    /// The distribution of `factor` times the value.
    #[must_use]
    pub fn scaled(&self, factor: f64) -> Self {
        let times = |value: &f64| value * factor;
        match self {
            Self::Constant(value) => Self::Constant(times(value)),
            Self::Uniform { min, max } => Self::Uniform { min: times(min), max: times(max) },
            Self::LogUniform { min, max } => Self::LogUniform { min: times(min), max: times(max) },
            Self::LogNormal { median, sigma, min, max } => {
                Self::LogNormal { median: times(median), sigma: *sigma, min: times(min), max: times(max) }
            }
            Self::Exponential { mean, max } => Self::Exponential { mean: times(mean), max: times(max) },
            Self::Pareto { location, scale, shape, max } => Self::Pareto {
                location: times(location),
                scale: times(scale),
                shape: *shape,
                max: times(max),
            },
            Self::Histogram(bins) => {
                let bin =
                    |bin: &Bin| Bin { low: times(&bin.low), high: times(&bin.high), weight: bin.weight };
                Self::Histogram(bins.iter().map(bin).collect())
            }
            Self::Mixture(of) => {
                Self::Mixture(of.iter().map(|(weight, part)| (*weight, part.scaled(factor))).collect())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(value: f64, expected: f64) {
        assert!((value / expected - 1.0).abs() < 1e-3, "{value} for {expected}");
    }

    #[test]
    fn means_are_those_of_the_formulas() {
        near(Distribution::Uniform { min: 10.0, max: 30.0 }.mean(), 20.0);
        // (b - a) / ln(b / a)
        near(Distribution::LogUniform { min: 16.0, max: 65_536.0 }.mean(), 7_876.9);
        // median * exp(sigma^2 / 2)
        let far = Distribution::LogNormal { median: 100.0, sigma: 1.0, min: 0.0, max: 1e9 };
        near(far.mean(), 100.0 * 0.5f64.exp());
        // median^2 * exp(2 sigma^2)
        near(far.square_mean(), 1e4 * 2f64.exp());
        // scale / (1 - shape)
        let pareto = Distribution::Pareto { location: 0.0, scale: 214.476, shape: 0.348_238, max: 1e9 };
        near(pareto.mean(), 329.07);
        near(Distribution::Exponential { mean: 50.0, max: 1e6 }.mean(), 50.0);
    }

    #[test]
    fn parts_add_up() {
        let bin = |low, high, weight| Bin { low, high, weight };
        let histogram = Distribution::Histogram(vec![bin(10.0, 10.0, 3.0), bin(20.0, 40.0, 1.0)]);
        near(histogram.mean(), 15.0);
        let mixture =
            Distribution::Mixture(vec![(1.0, histogram.clone()), (1.0, Distribution::Constant(45.0))]);
        near(mixture.mean(), 30.0);
        assert!((mixture.max() - 45.0).abs() < 1e-12);
        let shares: f64 = mixture.parts().iter().map(|(share, _)| share).sum();
        near(shares, 1.0);
        near(mixture.scaled(3.0).mean(), 90.0);
        // Three eighths of 10^2, one eighth of (40^3 - 20^3) / (3 * 20), and half of 45^2.
        near(mixture.square_mean(), 0.375 * 100.0 + 0.125 * 56_000.0 / 60.0 + 0.5 * 2025.0);
    }

    #[test]
    fn what_is_short_of_a_least_value_is_counted() {
        near(Distribution::Constant(6.0).shortfall(16.0), 10.0);
        near(Distribution::Uniform { min: 4.0, max: 8.0 }.shortfall(16.0), 10.0);
        // Those from 6 to 16 are one in two, and 5 short on average.
        near(Distribution::Uniform { min: 6.0, max: 26.0 }.shortfall(16.0), 2.5);
        // mean * exp(-16 / mean) - mean + 16
        let far = Distribution::Exponential { mean: 16.0, max: 1e6 };
        near(far.shortfall(16.0), 16.0 * (-1f64).exp());
        assert!(Distribution::Uniform { min: 16.0, max: 26.0 }.shortfall(16.0).abs() < 1e-12);
    }
}
