//! Distributions made fast: tables of quantiles and alias tables, so that a draw is a few loads and one or two
//! numbers of the generator.

use super::distribution::{Distribution, POINTS, grid};
use crate::random::Rng;

/// Cells of a table. The last cell has a table of its own, so that tails are resolved to 2^-20.
const CELLS: usize = 1024;
/// Binary places after the point. They are rounded at random, so that means stay what they are.
const PLACES: u32 = 16;

fn fixed(value: f64) -> u64 {
    (value * f64::from(1 << PLACES)).round() as u64
}

/// Rounds up or down by chance, with the lowest bits of `bits`.
#[inline]
fn rounded(value: u64, bits: u64) -> u64 {
    (value + (bits & ((1 << PLACES) - 1))) >> PLACES
}

/// Quantiles of one simple distribution.
#[derive(Clone, Debug)]
struct Table {
    /// At 0, 1/CELLS, ... 1 - 1/CELLS.
    body: Box<[u64; CELLS]>,
    /// At 1 - 1/CELLS, and on to 1 in as many steps.
    tail: Box<[u64; CELLS + 1]>,
}

impl Table {
    fn new(of: &Distribution) -> Self {
        let cells = CELLS as f64;
        let body = std::array::from_fn(|entry| fixed(of.quantile(entry as f64 / cells)));
        let mut tail: [u64; CELLS + 1] =
            std::array::from_fn(|entry| fixed(of.quantile(1.0 - (1.0 - entry as f64 / cells) / cells)));
        // The last cell stands for the whole rest: its end is where its mean comes out right.
        let from = 1.0 - 1.0 / (cells * cells);
        let (mut sum, mut weights) = (0.0, 0.0);
        for (u, weight) in grid(POINTS).filter(|(u, _)| *u > from) {
            sum += of.quantile(u) * weight;
            weights += weight;
        }
        let mean = sum / weights;
        let low = of.quantile(from);
        tail[CELLS] = fixed((2.0 * mean - low).clamp(low, of.max()));
        Self { body: Box::new(body), tail: Box::new(tail) }
    }

    #[inline]
    fn draw(&self, rng: &mut Rng) -> u64 {
        let bits = rng.bits();
        let cell = (bits >> 54) as usize;
        let (low, high, within) = if cell + 1 < CELLS {
            (self.body[cell], self.body[cell + 1], (bits >> 22) & 0xffff_ffff)
        } else {
            let finer = ((bits >> 44) & (CELLS as u64 - 1)) as usize;
            (self.tail[finer], self.tail[finer + 1], (bits >> 16 & 0x0fff_ffff) << 4)
        };
        let value = low + ((u128::from(high - low) * u128::from(within)) >> 32) as u64;
        rounded(value, bits)
    }
}

/// A choice among parts in constant time (Walker's alias method, built as Vose does).
#[derive(Clone, Debug)]
pub(super) struct Alias {
    /// For each part: the chance to keep it, of 2^32, and the part that is taken instead.
    cells: Box<[(u32, u32)]>,
}

/// Bytes of a cell of an alias table.
const CELL: usize = size_of::<(u32, u32)>();

impl Alias {
    /// From weights of which at least one is above 0.
    pub(super) fn new(weights: &[f64]) -> Self {
        let total: f64 = weights.iter().sum();
        let mut chances: Vec<f64> = weights.iter().map(|w| w * weights.len() as f64 / total).collect();
        let mut cells: Vec<(u32, u32)> = (0..weights.len()).map(|part| (u32::MAX, part as u32)).collect();
        let (mut small, mut large): (Vec<usize>, Vec<usize>) =
            (0..weights.len()).partition(|part| chances[*part] < 1.0);
        while let (Some(less), Some(more)) = (small.pop(), large.last().copied()) {
            cells[less] = ((chances[less] * 4_294_967_296.0) as u32, more as u32);
            chances[more] -= 1.0 - chances[less];
            if chances[more] < 1.0 {
                large.pop();
                small.push(more);
            }
        }
        Self { cells: cells.into() }
    }

    /// Draws a part.
    #[inline]
    pub(super) fn draw(&self, rng: &mut Rng) -> usize {
        let bits = rng.bits();
        let cell = ((u128::from(bits) * self.cells.len() as u128) >> 64) as usize;
        // What lies below the bits that chose the cell.
        let (keep, other) = self.cells[cell];
        if (crate::random::mix(bits) as u32) < keep { cell } else { other as usize }
    }
}

/// Draws whole numbers from a distribution.
#[derive(Clone, Debug)]
pub struct Sampler(Kind);

#[derive(Clone, Debug)]
enum Kind {
    Whole(u64),
    Uniform { low: u64, span: u64 },
    Table(Table),
    Parts(Alias, Box<[Sampler]>),
}

impl Sampler {
    /// Prepares a distribution.
    pub fn new(of: &Distribution) -> Self {
        Self(match of {
            Distribution::Constant(value) => Self::between(*value, *value),
            Distribution::Uniform { min, max } => Self::between(*min, *max),
            Distribution::Histogram(_) | Distribution::Mixture(_) => {
                let parts = of.parts();
                let weights: Vec<f64> = parts.iter().map(|(share, _)| *share).collect();
                Kind::Parts(Alias::new(&weights), parts.iter().map(|(_, part)| Self::new(part)).collect())
            }
            other => Kind::Table(Table::new(other)),
        })
    }

    fn between(low: f64, high: f64) -> Kind {
        let (low, high) = (fixed(low), fixed(high));
        if low == high && low.is_multiple_of(1 << PLACES) {
            Kind::Whole(low >> PLACES)
        } else {
            Kind::Uniform { low, span: high - low }
        }
    }

    /// Draws a number.
    #[inline]
    pub fn draw(&self, rng: &mut Rng) -> u64 {
        match &self.0 {
            Kind::Whole(value) => *value,
            Kind::Uniform { low, span } => {
                let bits = rng.bits();
                rounded(low + ((u128::from(*span) * u128::from(bits >> 16)) >> 48) as u64, bits)
            }
            Kind::Table(table) => table.draw(rng),
            Kind::Parts(alias, parts) => parts[alias.draw(rng)].draw(rng),
        }
    }
}

/// How much longer things live that are found alive at a random moment: longer lives are met more often, and at
/// any point of them.
#[derive(Clone, Debug)]
pub(super) struct Residual {
    /// Among the parts, by share times mean.
    alias: Alias,
    parts: Box<[Met]>,
}

/// A part's whole lives, each met as often as it is long.
#[derive(Clone, Debug)]
enum Met {
    /// Every life from `low` to `high` is equally likely before; kept are their squares.
    Between { low: f64, high: f64 },
    /// Some lives that stand for all.
    Some(Alias, Box<[f64]>),
}

/// Lives that stand for a part's, in each interval of the grid.
const LIVES: u32 = 32;

impl Met {
    fn new(part: &Distribution) -> Self {
        match part {
            Distribution::Constant(life) => Self::Between { low: life * life, high: life * life },
            Distribution::Uniform { min, max } => Self::Between { low: min * min, high: max * max },
            other => {
                let point = |(u, weight): (f64, f64)| (other.quantile(u), weight);
                let (lives, weights): (Vec<f64>, Vec<f64>) =
                    grid(LIVES).map(point).map(|(life, weight)| (life, weight * life)).unzip();
                Self::Some(Alias::new(&weights), lives.into())
            }
        }
    }

    fn draw(&self, rng: &mut Rng) -> f64 {
        match self {
            // The share of lives met below L is (L^2 - low) / (high - low).
            Self::Between { low, high } => (low + (high - low) * rng.unit()).sqrt(),
            Self::Some(alias, lives) => lives[alias.draw(rng)],
        }
    }
}

impl Residual {
    /// From the distribution of whole lives, whose mean is above 0.
    pub(super) fn new(of: &Distribution) -> Self {
        let of: Vec<_> = of.parts().into_iter().filter(|(share, part)| share * part.mean() > 0.0).collect();
        let weights: Vec<f64> = of.iter().map(|(share, part)| share * part.mean()).collect();
        Self { alias: Alias::new(&weights), parts: of.iter().map(|(_, part)| Met::new(part)).collect() }
    }

    /// Draws a rest of life, from 0 to below the whole.
    pub(super) fn draw(&self, rng: &mut Rng) -> u64 {
        (self.parts[self.alias.draw(rng)].draw(rng) * rng.unit()) as u64
    }
}

/// Bytes of the tables that a distribution is drawn from, at most; with those for what is left of lives.
pub(super) fn bytes(of: &Distribution, with_residual: bool) -> usize {
    let parts = of.parts();
    let simple =
        |part: &Distribution| matches!(part, Distribution::Constant(_) | Distribution::Uniform { .. });
    let tables = parts.iter().filter(|(_, part)| !simple(part)).count();
    let (mut each, mut table) = (CELL + size_of::<Sampler>(), size_of::<u64>() * (2 * CELLS + 1));
    if with_residual {
        each += CELL + size_of::<Met>();
        table += (CELL + size_of::<f64>()) * grid(LIVES).count();
    }
    parts.len() * each + tables * table
}

#[cfg(test)]
mod tests {
    use super::super::distribution::Bin;
    use super::*;

    fn agrees(of: &Distribution, within: f64) {
        let sampler = Sampler::new(of);
        let mut rng = Rng::new(5, 5);
        let draws = 2_000_000;
        let sum: u64 = (0..draws)
            .map(|_| {
                let drawn = sampler.draw(&mut rng);
                assert!(drawn as f64 <= of.max().ceil());
                drawn
            })
            .sum();
        let (mean, expected) = (sum as f64 / f64::from(draws), of.mean());
        assert!((mean / expected - 1.0).abs() < within, "{of:?}: {mean} for {expected}");
    }

    #[test]
    fn draws_have_the_mean_of_the_distribution() {
        agrees(&Distribution::Constant(2.5), 0.002);
        agrees(&Distribution::Uniform { min: 0.0, max: 5.0 }, 0.002);
        agrees(&Distribution::LogUniform { min: 16.0, max: 1e6 }, 0.01);
        agrees(&Distribution::LogNormal { median: 400.0, sigma: 1.5, min: 1.0, max: 1e6 }, 0.01);
        agrees(&Distribution::Exponential { mean: 3.0, max: 1e6 }, 0.004);
        agrees(&Distribution::Pareto { location: 8.0, scale: 100.0, shape: 0.5, max: 1e6 }, 0.01);
        let bins = [(0.0, 0.0, 1.0), (8.0, 8.0, 5.0), (100.0, 200.0, 2.0)];
        let bins = bins.map(|(low, high, weight)| Bin { low, high, weight }).to_vec();
        let histogram = Distribution::Histogram(bins);
        agrees(&histogram, 0.005);
        agrees(&Distribution::Mixture(vec![(9.0, histogram), (1.0, Distribution::Constant(4096.0))]), 0.01);
    }

    #[test]
    fn an_alias_table_keeps_the_weights() {
        let alias = Alias::new(&[1.0, 0.0, 6.0, 3.0]);
        let mut rng = Rng::new(1, 1);
        let mut counts = [0i32; 4];
        (0..100_000).for_each(|_| counts[alias.draw(&mut rng)] += 1);
        for (count, expected) in counts.iter().zip([10_000, 0, 60_000, 30_000]) {
            assert!((count - expected).abs() < 800, "{counts:?}");
        }
    }

    #[test]
    fn tables_take_what_is_told_of_them() {
        let bins = (0..4096).map(|bin| Bin { low: f64::from(bin), high: f64::from(bin), weight: 1.0 });
        let histogram = Distribution::Histogram(bins.collect());
        let tail = Distribution::Exponential { mean: 1000.0, max: 1e6 };
        for of in
            [histogram.clone(), tail.clone(), Distribution::Mixture(vec![(1.0, histogram), (1.0, tail)])]
        {
            let residual = Residual::new(&of);
            let met = |met: &Met| match met {
                Met::Between { .. } => 0,
                Met::Some(alias, lives) => alias.cells.len() * CELL + size_of_val(&**lives),
            };
            let parts: usize = residual.parts.iter().map(met).sum();
            let held = residual.alias.cells.len() * CELL + size_of_val(&*residual.parts) + parts;
            let told = bytes(&of, true) - bytes(&of, false);
            assert!(held <= told && told - held < 100, "{held} held, {told} told");
            assert!(bytes(&of, true) < 1 << 20);
        }
    }

    #[test]
    fn what_is_left_of_lives_is_what_renewal_theory_says() {
        // The mean rest is E[L^2] / 2 E[L]; here less half a step, as the draw rounds down.
        let bins = [(0.0, 0.0, 5.0), (100.0, 2000.0, 3.0), (9000.0, 9000.0, 2.0)];
        let bins = bins.map(|(low, high, weight)| Bin { low, high, weight }).to_vec();
        for of in [
            Distribution::Constant(1000.0),
            Distribution::Uniform { min: 200.0, max: 5000.0 },
            Distribution::Exponential { mean: 1000.0, max: 1e6 },
            Distribution::LogNormal { median: 1000.0, sigma: 1.5, min: 0.0, max: 1e5 },
            Distribution::Pareto { location: 1000.0, scale: 800.0, shape: 0.8, max: 1e5 },
            Distribution::Mixture(vec![
                (1.0, Distribution::Histogram(bins)),
                (2.0, Distribution::Exponential { mean: 1000.0, max: 1e6 }),
            ]),
        ] {
            let residual = Residual::new(&of);
            let mut rng = Rng::new(2, 2);
            let sum: u64 = (0..200_000).map(|_| residual.draw(&mut rng)).sum();
            let (mean, expected) = (sum as f64 / 200_000.0, of.square_mean() / of.mean() / 2.0 - 0.5);
            assert!((mean / expected - 1.0).abs() < 0.015, "{of:?}: {mean} for {expected}");
        }
    }
}
