//! A smooth curve through the rungs of a ladder: what neighbours say about each other.
//!
//! A Gaussian process with a straight line as its mean (Rasmussen and Williams, "Gaussian Processes for
//! Machine Learning", MIT Press 2006, chapters 2 and 5): how far and how fast the curve bends is chosen
//! from a few possibilities, by the likelihood of what was seen. Where a ladder breaks off, a curve that
//! bends fast is the likelier one, and rungs then say little about each other.

use super::beliefs::Belief;

/// How far the curve may lie from a straight line, as logarithms of a ratio.
const AMPLITUDES: [f64; 5] = [0.01, 0.03, 0.1, 0.3, 0.8];
/// The distance over which it bends, as the logarithm of a ratio of rungs.
const LENGTHS: [f64; 4] = [0.15, 0.6, 1.5, 4.0];
/// How far each rung may lie off the curve for reasons of its own.
const OWN: f64 = 0.008;
/// Standard deviation of the line's height and slope: anything goes.
const LINE: f64 = 1.0;
/// More rungs than this are left as they are.
const MOST_RUNGS: usize = 128;

/// What is believed of each rung in the light of the others. `at` gives the places of the rungs, rising.
pub(super) fn smooth(at: &[f64], seen: &[Belief]) -> Vec<Belief> {
    if at.len() > MOST_RUNGS || at.len() != seen.len() {
        return seen.to_vec();
    }
    let at = places(at);
    let shapes = AMPLITUDES.into_iter().flat_map(|amplitude| LENGTHS.map(|length| (amplitude, length)));
    let fits = shapes.filter_map(|(amplitude, length)| {
        let prior = covariances(&at, amplitude, length);
        let total = with_noise(&prior, seen);
        let root = Root::of(total)?;
        Some((root.likelihood(seen), prior, root))
    });
    let Some((_, prior, root)) = fits.max_by(|a, b| a.0.total_cmp(&b.0)) else { return seen.to_vec() };
    let values: Vec<f64> = seen.iter().map(|belief| belief.mean).collect();
    let weights = root.solve(&values);
    let belief = |row: &Vec<f64>, prior: f64| {
        let explained: f64 = row.iter().zip(root.solve(row)).map(|(a, b)| a * b).sum();
        let mean = row.iter().zip(&weights).map(|(a, b)| a * b).sum();
        Belief { mean, variance: (prior - explained).max(0.0) }
    };
    prior.iter().enumerate().map(|(i, row)| belief(row, row[i])).collect()
}

/// Logarithms of the rungs, where they have any; a rung without a limit lies one doubling above the last.
fn places(at: &[f64]) -> Vec<f64> {
    let limits = at.iter().copied().filter(|rung| rung.is_finite());
    let above = 2.0 * limits.fold(0.0, f64::max);
    let place = |rung: &f64| if *rung == f64::INFINITY { above } else { *rung }.ln();
    let places: Vec<f64> = at.iter().map(place).collect();
    if places.iter().all(|place| place.is_finite()) {
        return places;
    }
    (0..at.len()).map(|index| index as f64).collect()
}

/// How the true values of the rungs vary together.
fn covariances(at: &[f64], amplitude: f64, length: f64) -> Vec<Vec<f64>> {
    let middle = at.iter().sum::<f64>() / at.len() as f64;
    let of = |i: usize, j: usize| {
        let line = LINE * LINE * (1.0 + (at[i] - middle) * (at[j] - middle));
        let own = if i == j { OWN * OWN } else { 0.0 };
        line + own + amplitude * amplitude * matern((at[i] - at[j]).abs() / length)
    };
    (0..at.len()).map(|i| (0..at.len()).map(|j| of(i, j)).collect()).collect()
}

/// The Matérn correlation with smoothness 5/2.
fn matern(distance: f64) -> f64 {
    let scaled = 5f64.sqrt() * distance;
    (1.0 + scaled + scaled * scaled / 3.0) * (-scaled).exp()
}

fn with_noise(prior: &[Vec<f64>], seen: &[Belief]) -> Vec<Vec<f64>> {
    let mut total = prior.to_vec();
    for (i, belief) in seen.iter().enumerate() {
        total[i][i] += belief.variance.max(1e-10);
    }
    total
}

/// The lower triangle whose square is a covariance matrix (Cholesky).
struct Root(Vec<Vec<f64>>);

impl Root {
    fn of(mut matrix: Vec<Vec<f64>>) -> Option<Self> {
        for i in 0..matrix.len() {
            for j in 0..=i {
                let known: f64 = (0..j).map(|k| matrix[i][k] * matrix[j][k]).sum();
                let left = matrix[i][j] - known;
                matrix[i][j] = if i == j { left.sqrt() } else { left / matrix[j][j] };
                if !matrix[i][j].is_finite() {
                    return None;
                }
            }
        }
        Some(Self(matrix))
    }

    /// The vector that the matrix turns into `values`.
    fn solve(&self, values: &[f64]) -> Vec<f64> {
        let Self(root) = self;
        let mut solved = values.to_vec();
        for i in 0..solved.len() {
            let known: f64 = (0..i).map(|k| root[i][k] * solved[k]).sum();
            solved[i] = (solved[i] - known) / root[i][i];
        }
        for i in (0..solved.len()).rev() {
            let known: f64 = (i + 1..solved.len()).map(|k| root[k][i] * solved[k]).sum();
            solved[i] = (solved[i] - known) / root[i][i];
        }
        solved
    }

    /// Logarithm of the likelihood of what was seen, less what all shapes share.
    fn likelihood(&self, seen: &[Belief]) -> f64 {
        let values: Vec<f64> = seen.iter().map(|belief| belief.mean).collect();
        let misfit: f64 = self.solve(&values).iter().zip(&values).map(|(a, b)| a * b).sum();
        let volume: f64 = self.0.iter().enumerate().map(|(i, row)| row[i].ln()).sum();
        -0.5 * misfit - volume
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::simulate::host::Chance;

    const RUNGS: [f64; 10] = [1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0, 32.0, 64.0];

    fn curve(rung: f64) -> f64 {
        -0.5 * rung.powf(-1.5)
    }

    fn error(of: &[Belief], shape: impl Fn(f64) -> f64) -> f64 {
        let squares = of.iter().zip(RUNGS).map(|(belief, rung)| (belief.mean - shape(rung)).powi(2));
        (squares.sum::<f64>() / of.len() as f64).sqrt()
    }

    fn noisy(shape: impl Fn(f64) -> f64, noise: f64, chance: &mut Chance) -> Vec<Belief> {
        let belief = |rung| Belief { mean: shape(rung) + noise * chance.normal(), variance: noise * noise };
        RUNGS.into_iter().map(belief).collect()
    }

    #[test]
    fn a_smooth_ladder_is_seen_better_through_its_neighbours() {
        let mut chance = Chance::new(1);
        let (mut raw, mut smoothed, mut within) = (0.0, 0.0, 0);
        for _ in 0..200 {
            let seen = noisy(curve, 0.05, &mut chance);
            let better = smooth(&RUNGS, &seen);
            raw += error(&seen, curve);
            smoothed += error(&better, curve);
            let covers = |(b, rung): (&Belief, f64)| (b.mean - curve(rung)).abs() < 1.96 * b.variance.sqrt();
            within += better.iter().zip(RUNGS).filter(|pair| covers(*pair)).count();
        }
        assert!(smoothed < 0.75 * raw, "{smoothed} against {raw}");
        assert!(within > 200 * RUNGS.len() * 85 / 100, "{within}");
    }

    #[test]
    fn a_cliff_is_not_smoothed_away() {
        let cliff = |rung: f64| if rung < 6.0 { -0.7 } else { 0.0 };
        let mut chance = Chance::new(2);
        for _ in 0..50 {
            let better = smooth(&RUNGS, &noisy(cliff, 0.03, &mut chance));
            assert!(
                better.iter().zip(RUNGS).all(|(b, rung)| (b.mean - cliff(rung)).abs() < 0.2),
                "{better:?}"
            );
        }
    }

    #[test]
    fn what_makes_no_sense_is_left_as_it_is() {
        let odd = [Belief { mean: f64::NAN, variance: f64::INFINITY }; 4];
        assert_eq!(smooth(&[1.0, 2.0, 3.0, 4.0], &odd).len(), 4);
        assert_eq!(smooth(&[], &[]), []);
        let seen = [Belief { mean: 0.1, variance: 0.0 }; 4];
        let same = smooth(&[0.0, -1.0, f64::NAN, 1.0], &seen);
        assert!(same.iter().all(|belief| (belief.mean - 0.1).abs() < 1e-3), "{same:?}");
    }
}
