//! The sign-flip permutation test: how surprising is a mean, if each value might as well have had the
//! other sign? That is what "the two candidates do not differ" says of within-round log-ratios, and it asks
//! nothing of their distribution.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Up to this many values all patterns of signs are tried.
const EXACT_UP_TO: usize = 16;
/// Patterns drawn beyond that.
const DRAWN: u64 = 20_000;
/// Sums this close are the same sum in another order of adding.
const ROUNDING: f64 = 1e-12;

/// Two-sided p: the share of sign patterns whose mean is at least as far from 0 as the one seen. Exact up
/// to 16 values; beyond that by seeded draws, with the seen pattern counted among them, so that p is never
/// 0. 1 for no values.
pub fn sign_flip(values: &[f64], seed: u64) -> f64 {
    let seen = values.iter().sum::<f64>().abs() * (1.0 - ROUNDING);
    if values.len() <= EXACT_UP_TO {
        let patterns = 1u64 << values.len();
        let far = (0..patterns).filter(|signs| flipped(values, *signs).abs() >= seen).count();
        return far as f64 / patterns as f64;
    }
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let far = (0..DRAWN).filter(|_| drawn(values, &mut random).abs() >= seen).count();
    (far + 1) as f64 / (DRAWN + 1) as f64
}

/// The sum with the signs of a pattern, a bit a value.
fn flipped(values: &[f64], signs: u64) -> f64 {
    values.iter().enumerate().map(|(i, v)| if signs >> i & 1 == 1 { -v } else { *v }).sum()
}

fn drawn(values: &[f64], random: &mut ChaCha8Rng) -> f64 {
    values.chunks(64).map(|chunk| flipped(chunk, random.next_u64())).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_values_of_one_sign_are_two_patterns_of_thirty_two() {
        assert!((sign_flip(&[0.1, 0.2, 0.1, 0.3, 0.2], 1) - 2.0 / 32.0).abs() < 1e-12);
        assert!((sign_flip(&[], 1) - 1.0).abs() < 1e-12);
        assert!((sign_flip(&[0.0, 0.0], 1) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn many_values_are_drawn_by_seed() {
        let values: Vec<f64> = (0..100).map(|i| (f64::from(i) * 1.3).sin() + 0.1).collect();
        assert_eq!(sign_flip(&values, 4).to_bits(), sign_flip(&values, 4).to_bits());
        let far: Vec<f64> = values.iter().map(|v| v + 1.0).collect();
        assert!(sign_flip(&far, 4) > 0.0 && sign_flip(&far, 4) < 1e-3);
    }
}
