//! How a host disturbs what is measured, and the chance behind it.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Seeded chance.
#[derive(Debug)]
pub struct Chance(ChaCha8Rng);

impl Chance {
    /// By seed.
    pub fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    /// Uniform within 0 and 1, both excluded.
    pub fn share(&mut self) -> f64 {
        ((self.0.next_u64() >> 12) as f64 + 0.5) / (1u64 << 52) as f64
    }

    /// Uniform within bounds.
    pub fn within(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.share()
    }

    /// Standard normal (Box and Muller).
    pub fn normal(&mut self) -> f64 {
        (-2.0 * self.share().ln()).sqrt() * (std::f64::consts::TAU * self.share()).cos()
    }

    /// Student's t with 3 degrees of freedom, scaled to a standard deviation of 1.
    pub fn heavy(&mut self) -> f64 {
        let squares: f64 = (0..3).map(|_| self.normal().powi(2)).sum();
        self.normal() / squares.sqrt()
    }
}

/// How a host disturbs. Logarithms throughout.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Host {
    /// Standard deviation of the log-ratio of two runs in one round, throughput.
    pub noise: f64,
    /// The same of RSS.
    pub rss_noise: f64,
    /// Whether the noise has heavy tails (Student's t with 3 degrees of freedom) instead of normal ones.
    pub heavy: bool,
    /// Standard deviation of what a whole round shares.
    pub by_round: f64,
    /// What the host drifts over a round.
    pub drift: f64,
    /// Chance that a trial is hit by something else on the host and loses a good part of its throughput.
    pub hits: f64,
    /// What is wrong with the twin: 0 on an honest host.
    pub twin_bias: f64,
}

impl Host {
    /// A quiet host with this noise of throughput; that of RSS is half of it, from 0.02 to 0.07.
    pub fn quiet(noise: f64) -> Self {
        Self {
            noise,
            rss_noise: (noise / 2.0).clamp(0.02, 0.07),
            heavy: false,
            by_round: 0.05,
            drift: 0.0,
            hits: 0.0,
            twin_bias: 0.0,
        }
    }

    /// What one trial's throughput and RSS are off by.
    pub fn disturb(&self, chance: &mut Chance) -> (f64, f64) {
        let draw = |chance: &mut Chance| if self.heavy { chance.heavy() } else { chance.normal() };
        let scale = std::f64::consts::FRAC_1_SQRT_2;
        let hit = if chance.share() < self.hits { chance.within(-0.3, -0.05) } else { 0.0 };
        (draw(chance) * self.noise * scale + hit, draw(chance) * self.rss_noise * scale)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_of_noise_have_the_stated_deviation() {
        let mut chance = Chance::new(1);
        let mut deviation = |heavy: bool| {
            let draws = 200_000;
            let draw = |_| if heavy { chance.heavy() } else { chance.normal() };
            ((0..draws).map(draw).map(|x| x * x).sum::<f64>() / f64::from(draws)).sqrt()
        };
        assert!((deviation(false) - 1.0).abs() < 0.01);
        // Four moments are needed for a close estimate, and the heavy one has two.
        assert!((deviation(true) - 1.0).abs() < 0.15);
    }
}
