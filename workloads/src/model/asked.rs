//! Bytes that the heap is asked for: `aligned_alloc` takes whole multiples of the alignment, and sizes are rounded up
//! to them.

use super::{Call, Class, Distribution};

/// Sizes rounded up to multiples of an alignment.
#[derive(Clone, Copy)]
struct Rounded(f64);

/// Integral of `min(x, 1)` from 0 to `rest`.
fn ramp(rest: f64) -> f64 {
    if rest < 1.0 { rest * rest / 2.0 } else { rest - 0.5 }
}

impl Rounded {
    fn up(self, size: f64) -> f64 {
        (size / self.0).ceil() * self.0
    }

    /// Mean of `of` the rounded size: one that is not whole is drawn as one of its neighbours.
    fn value(self, size: f64, of: impl Fn(f64) -> f64) -> f64 {
        let (below, more) = (size.floor(), size.fract());
        of(self.up(below)) * (1.0 - more) + of(self.up(below + 1.0)) * more
    }

    /// Whole alignments in a size, their sum from 0 to the last but one, and the bytes beyond.
    fn split(self, size: f64) -> (f64, f64, f64) {
        let whole = (size / self.0).floor();
        (whole, whole * (whole - 1.0) / 2.0, size - whole * self.0)
    }

    /// Integral of the rounded size, which is k + min(x, 1) alignments for k alignments and x bytes.
    fn area(self, size: f64) -> f64 {
        let (whole, sum, rest) = self.split(size);
        self.0 * (self.0 * sum + whole * ramp(self.0) + whole * rest + ramp(rest))
    }

    /// Integral of its square, which is k^2 + (2k + 1) min(x, 1) squares of the alignment.
    fn square_area(self, size: f64) -> f64 {
        let (whole, sum, rest) = self.split(size);
        let squares = sum * (2.0 * whole - 1.0) / 3.0;
        let full = self.0 * squares + (2.0 * sum + whole) * ramp(self.0);
        self.0 * self.0 * (full + whole * whole * rest + (2.0 * whole + 1.0) * ramp(rest))
    }

    fn mean(self, of: &Distribution) -> f64 {
        of.mean_of(|size| self.value(size, |up| up), |size| self.area(size))
    }

    fn square_mean(self, of: &Distribution) -> f64 {
        of.mean_of(|size| self.value(size, |up| up * up), |size| self.square_area(size))
    }
}

impl Class {
    fn rounded(&self) -> Option<Rounded> {
        match self.call {
            Call::Malloc | Call::Calloc => None,
            Call::Aligned(align) => Some(Rounded(align as f64)),
        }
    }

    /// Mean of the bytes asked for.
    pub(super) fn mean_bytes(&self) -> f64 {
        self.rounded().map_or_else(|| self.size.mean(), |rounded| rounded.mean(&self.size))
    }

    /// Mean of their square.
    pub(super) fn square_mean_bytes(&self) -> f64 {
        self.rounded().map_or_else(|| self.size.square_mean(), |rounded| rounded.square_mean(&self.size))
    }

    /// Most bytes asked for.
    pub(super) fn most_bytes(&self) -> f64 {
        let most = self.size.max().ceil();
        self.rounded().map_or(most, |rounded| rounded.up(most))
    }

    /// How far the bytes asked for fall short of `least`, on average. No alignment is below `least`.
    pub(super) fn short_bytes(&self, least: f64) -> f64 {
        // Of what is rounded up only nothing at all falls short.
        let nothing = |_: Rounded| least * self.size.shortfall(1.0);
        self.rounded().map_or_else(|| self.size.shortfall(least), nothing)
    }
}

#[cfg(test)]
mod tests {
    use super::super::distribution::Bin;
    use super::super::sampler::Sampler;
    use super::*;
    use crate::random::Rng;

    /// Mean and mean square of what is drawn and rounded as the engine does.
    fn drawn(of: &Distribution, align: usize) -> (f64, f64) {
        let (sampler, mut rng, draws) = (Sampler::new(of), Rng::new(3, 3), 1_000_000);
        let (mut sum, mut squares) = (0.0, 0.0);
        for _ in 0..draws {
            let size = (sampler.draw(&mut rng) as usize).next_multiple_of(align) as f64;
            sum += size;
            squares += size * size;
        }
        (sum / f64::from(draws), squares / f64::from(draws))
    }

    #[test]
    fn moments_are_those_of_what_is_drawn_and_rounded() {
        let bin = |low, high, weight| Bin { low, high, weight };
        let bins = vec![bin(0.0, 0.0, 3.0), bin(64.0, 64.0, 2.0), bin(60.0, 300.0, 2.0)];
        let far = Distribution::LogNormal { median: 200.0, sigma: 1.0, min: 0.0, max: 8192.0 };
        let sizes = [
            Distribution::Constant(100.0),
            Distribution::Constant(4096.25),
            Distribution::Uniform { min: 0.0, max: 1.0 },
            Distribution::Uniform { min: 0.0, max: 5000.0 },
            Distribution::Uniform { min: 4000.0, max: 4200.0 },
            Distribution::LogUniform { min: 0.5, max: 4096.0 },
            Distribution::Exponential { mean: 50.0, max: 5000.0 },
            far.clone(),
            Distribution::Mixture(vec![(3.0, Distribution::Histogram(bins)), (1.0, far)]),
        ];
        for of in sizes {
            for align in [16, 64, 4096, 2 << 20] {
                let (mean, square) = drawn(&of, align);
                let rounded = Rounded(align as f64);
                let near = |value: f64, expected: f64| (value / expected - 1.0).abs() < 0.01;
                let (told, squared) = (rounded.mean(&of), rounded.square_mean(&of));
                assert!(near(told, mean), "{of:?}, {align}: {told} for {mean}");
                assert!(near(squared, square), "{of:?}, {align}: square {squared} for {square}");
            }
        }
    }

    #[test]
    fn moments_of_ranges_are_exact_and_those_of_the_largest_keep_their_digits() {
        let near = |value: f64, expected: f64| assert!((value / expected - 1.0).abs() < 1e-4, "{value}");
        // From 10 to 20: six bytes and half of the next are asked for as 16, the rest as 32.
        let of = Distribution::Uniform { min: 10.0, max: 20.0 };
        near(Rounded(16.0).mean(&of), (6.5 * 16.0 + 3.5 * 32.0) / 10.0);
        near(Rounded(16.0).square_mean(&of), (6.5 * 256.0 + 3.5 * 1024.0) / 10.0);
        let most = f64::from(1 << 30);
        let of = Distribution::Uniform { min: most - 8.0, max: most };
        for align in [16.0, 4096.0, 2_097_152.0] {
            near(Rounded(align).mean(&of), most);
            near(Rounded(align).square_mean(&of), most * most);
        }
    }
}
