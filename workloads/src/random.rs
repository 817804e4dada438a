//! Seeded choices: a generator (xoshiro256++ by Blackman and Vigna, seeded by splitmix64) and size
//! distributions as tables of quantiles, so that drawing a size is one generator step, one lookup and an
//! interpolation.

use std::sync::{Arc, OnceLock};

/// Spreads a number over 64 bits (splitmix64, one step).
pub fn mix(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A random number generator of one seat.
#[derive(Clone, Debug)]
pub struct Rng([u64; 4]);

impl Rng {
    /// The generator of `stream` (a seat) under `seed`. The same pair gives the same numbers everywhere.
    pub fn new(seed: u64, stream: u64) -> Self {
        let start = mix(seed) ^ mix(!stream);
        Self([1, 2, 3, 4].map(|step| mix(start.wrapping_add(step))))
    }

    /// 64 random bits.
    #[inline]
    pub fn bits(&mut self) -> u64 {
        let s = &mut self.0;
        let result = s[0].wrapping_add(s[3]).rotate_left(23).wrapping_add(s[0]);
        let t = s[1] << 17;
        s[2] ^= s[0];
        s[3] ^= s[1];
        s[1] ^= s[2];
        s[0] ^= s[3];
        s[2] ^= t;
        s[3] = s[3].rotate_left(45);
        result
    }

    /// What tells how far the generator has come: two of one seed have drawn equally often where it is equal.
    pub fn fingerprint(&self) -> u64 {
        self.0.iter().fold(0, |sum, part| mix(sum ^ part))
    }

    /// A number below `bound` (0 where `bound` is 0). The bias is below `bound` / 2^64.
    #[inline]
    pub fn below(&mut self, bound: usize) -> usize {
        ((u128::from(self.bits()) * bound as u128) >> 64) as usize
    }

    /// A number from 0 to below 1.
    #[inline]
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
    }

    /// True in `percent` of 100 cases.
    #[inline]
    pub fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    /// A number from `low` to `high`, both included; `low` where they are in the wrong order.
    #[inline]
    pub fn between(&mut self, low: usize, high: usize) -> usize {
        low + self.below(high.saturating_sub(low).saturating_add(1))
    }
}

/// Choices drawn beforehand for all seats, which play them again and again: reading one costs less than drawing it.
#[derive(Debug, Default)]
pub struct Recording(OnceLock<Arc<[u32]>>);

impl Recording {
    /// Draws all choices, `length` (1 or more) of them. Once.
    pub fn record(&self, length: usize, mut draw: impl FnMut() -> usize) {
        self.0.get_or_init(|| (0..length.max(1)).map(|_| draw() as u32).collect());
    }

    /// A tape that begins somewhere in the recording; nothing but 0 where none was made.
    pub fn tape(&self, rng: &mut Rng) -> Tape {
        let choices = self.0.get().map_or_else(|| Arc::from([0]), Arc::clone);
        let next = rng.below(choices.len());
        Tape { choices, next }
    }
}

/// A seat's own place in a [`Recording`].
#[derive(Debug)]
pub struct Tape {
    choices: Arc<[u32]>,
    next: usize,
}

impl Default for Tape {
    fn default() -> Self {
        Self { choices: Arc::from([0]), next: 0 }
    }
}

impl Tape {
    /// The next choice; the first again after the last.
    #[inline]
    pub fn play(&mut self) -> usize {
        let choice = self.choices[self.next];
        self.next += 1;
        if self.next == self.choices.len() {
            self.next = 0;
        }
        choice as usize
    }

    /// The next choices, `most` of them or as many as there are before the last: at least one if `most` is.
    #[inline]
    pub fn stretch(&mut self, most: usize) -> &[u32] {
        let end = self.choices.len().min(self.next.saturating_add(most));
        let choices = &self.choices[self.next..end];
        self.next = if end == self.choices.len() { 0 } else { end };
        choices
    }
}

/// Entries of a table: 4 KiB, a small part of a first-level cache.
const ENTRIES: usize = 1024;

/// A distribution of sizes in bytes.
#[derive(Clone, Debug)]
pub struct Sizes {
    /// Quantiles at 0, 1/ENTRIES, ... 1.
    quantiles: Box<[u32; ENTRIES + 1]>,
}

impl Sizes {
    /// From a quantile function on 0..=1; results are rounded and clamped to `low..=high`.
    fn from_quantiles(low: u64, high: u64, quantile: impl Fn(usize) -> f64) -> Self {
        let clamp = |value: f64| (value.round() as u64).clamp(low, high.max(low)) as u32;
        Self { quantiles: Box::new(std::array::from_fn(|entry| clamp(quantile(entry)))) }
    }

    /// Every doubling of the size is equally likely.
    pub fn log_uniform(low: u64, high: u64) -> Self {
        let (bottom, span) = ((low as f64).ln(), (high as f64 / low as f64).ln());
        Self::from_quantiles(low, high, |entry| (bottom + span * entry as f64 / ENTRIES as f64).exp())
    }

    /// The logarithm of the size is normal around that of `median` with standard deviation `sigma`;
    /// sizes outside `low..=high` become the nearer of the two.
    pub fn log_normal(median: u64, sigma: f64, low: u64, high: u64) -> Self {
        let normal = normal_quantiles();
        Self::from_quantiles(low, high, |entry| (median as f64) * (sigma * normal[entry]).exp())
    }

    /// Draws a size.
    #[inline]
    pub fn draw(&self, rng: &mut Rng) -> usize {
        self.at(rng.bits())
    }

    /// The size that random bits stand for.
    #[inline]
    fn at(&self, bits: u64) -> usize {
        let entry = (bits >> 54) as usize;
        let within = u64::from(bits as u32);
        let (low, high) = (self.quantiles[entry], self.quantiles[entry + 1]);
        low as usize + ((u64::from(high - low) * within + (1 << 31)) >> 32) as usize
    }

    /// Mean of the sizes drawn, in bytes.
    #[cfg(test)]
    fn mean(&self) -> f64 {
        let middle = |pair: &[u32]| f64::midpoint(f64::from(pair[0]), f64::from(pair[1]));
        self.quantiles.windows(2).map(middle).sum::<f64>() / ENTRIES as f64
    }
}

/// Sizes whose density falls with their square.
#[derive(Clone, Debug)]
pub struct InverseSquares {
    /// For all but the largest, between whose quantiles the density is not even by far.
    sizes: Sizes,
    low: f64,
    high: f64,
}

/// From this entry on sizes are computed, which takes longer.
const TAIL: u64 = 960;

impl InverseSquares {
    /// From `low` (1 or more) to `high`; always `low` where they are in the wrong order.
    pub fn new(low: u64, high: u64) -> Self {
        let (least, most) = (low as f64, high.max(low) as f64);
        let sizes = Sizes::from_quantiles(low, high, |entry| {
            least * most / (most - entry as f64 / ENTRIES as f64 * (most - least))
        });
        Self { sizes, low: least, high: most }
    }

    /// Draws a size.
    #[inline]
    pub fn draw(&self, rng: &mut Rng) -> usize {
        let bits = rng.bits();
        if bits >> 54 < TAIL { self.sizes.at(bits) } else { self.computed(bits) }
    }

    #[cold]
    fn computed(&self, bits: u64) -> usize {
        let unit = (bits >> 11) as f64 * (1.0 / (1u64 << 53) as f64);
        let drawn = self.low * self.high / (self.high - unit * (self.high - self.low));
        drawn.round().clamp(self.low, self.high) as usize
    }
}

/// Quantiles of the standard normal distribution at 0, 1/ENTRIES, ... 1, by summing its density from -8
/// upwards; the ends are where the sum first and last counts.
fn normal_quantiles() -> Vec<f64> {
    const STEP: f64 = 1.0 / 4096.0;
    let density = |z: f64| (-0.5 * z * z).exp() / std::f64::consts::TAU.sqrt();
    let mut quantiles = Vec::with_capacity(ENTRIES + 1);
    let (mut z, mut below) = (-8.0, 0.0);
    for entry in 0..=ENTRIES {
        // Half an entry from the ends, so that the open distribution has closed ends.
        let wanted = (entry as f64).clamp(0.25, ENTRIES as f64 - 0.25) / ENTRIES as f64;
        while below < wanted && z < 8.0 {
            below += density(z + STEP / 2.0) * STEP;
            z += STEP;
        }
        quantiles.push(z);
    }
    quantiles
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_generator_is_xoshiro256_plus_plus() {
        // First outputs of the authors' reference code for the state 1, 2, 3, 4.
        let mut rng = Rng([1, 2, 3, 4]);
        let expected = [41_943_041, 58_720_359, 3_588_806_011_781_223, 3_591_011_842_654_386];
        assert_eq!([rng.bits(), rng.bits(), rng.bits(), rng.bits()], expected);
        // First output of the splitmix64 reference code for the state 0.
        assert_eq!(mix(0), 0xe220_a839_7b1d_cdaf);
    }

    #[test]
    fn seats_and_seeds_have_streams_of_their_own() {
        let first = |seed, seat| Rng::new(seed, seat).bits();
        assert_eq!(first(1, 2), first(1, 2));
        assert_ne!(first(1, 2), first(2, 1));
        assert_ne!(first(1, 0), first(1, 1));
        assert_ne!(first(0, 0), first(1, 1));
    }

    #[test]
    fn bounds_hold() {
        let mut rng = Rng::new(7, 0);
        let seen: Vec<usize> = (0..10_000).map(|_| rng.between(3, 12)).collect();
        assert_eq!((seen.iter().min(), seen.iter().max()), (Some(&3), Some(&12)));
        assert_eq!(rng.below(0), 0);
        assert_eq!(rng.between(5, 4), 5);
    }

    #[test]
    fn inverse_squares_halve_beyond_every_doubling() {
        let mut rng = Rng::new(5, 5);
        let sizes = InverseSquares::new(4, 32_768);
        let drawn: Vec<usize> = (0..64_000).map(|_| sizes.draw(&mut rng)).collect();
        assert!(drawn.iter().all(|size| (4..=32_768).contains(size)));
        // Beyond 4 * 2^n lies one in 2^n; five standard deviations of 4000 are about 310.
        assert!(drawn.iter().filter(|size| **size >= 64).count().abs_diff(4_000) < 310);
        // 60 entries of 1024 are computed: beyond 4 * 16 the sizes come from there.
        let beyond = |size: usize| drawn.iter().filter(|drawn| **drawn >= size).count();
        assert!(beyond(256).abs_diff(1_000) < 160 && beyond(1024).abs_diff(250) < 80, "{}", beyond(1024));
        let mean = drawn.iter().sum::<usize>() as f64 / drawn.len() as f64;
        // The mean is 4 ln(8192) = 36.0; its standard error is about 1.4.
        assert!((mean - 36.0).abs() < 7.0, "{mean}");
        assert_eq!(InverseSquares::new(7, 3).draw(&mut rng), 7);
    }

    #[test]
    fn a_tape_is_played_again_and_again() {
        let (recording, mut rng) = (Recording::default(), Rng::new(1, 1));
        assert_eq!(recording.tape(&mut rng).play(), 0);
        let mut drawn = 5..;
        recording.record(3, || drawn.next().unwrap());
        recording.record(9, || 1);
        let mut tape = recording.tape(&mut rng);
        let first = tape.play();
        let all: Vec<usize> = (1..7).map(|at| 5 + (first - 5 + at) % 3).collect();
        assert_eq!([0; 6].map(|_| tape.play()), all[..]);
        let mut stretches = Vec::new();
        while stretches.len() < 6 {
            let stretch = tape.stretch((6 - stretches.len()).min(2));
            assert!(!stretch.is_empty());
            stretches.extend(stretch.iter().map(|choice| *choice as usize));
        }
        assert_eq!(stretches, all);
    }

    #[test]
    fn chances_are_in_percent() {
        let mut rng = Rng::new(6, 6);
        let hits = (0..10_000).filter(|_| rng.chance(25)).count();
        assert!(hits.abs_diff(2_500) < 220, "{hits}");
        assert!((0..1_000).all(|_| rng.chance(100) && !rng.chance(0)));
        assert!((0..1_000).all(|_| (0.0..1.0).contains(&rng.unit())));
    }

    #[test]
    fn log_uniform_gives_each_doubling_its_share() {
        let sizes = Sizes::log_uniform(16, 65_536);
        let mut rng = Rng::new(1, 1);
        let mut octaves = [0u32; 13];
        for _ in 0..120_000 {
            let size = sizes.draw(&mut rng);
            assert!((16..=65_536).contains(&size));
            octaves[(size as f64 / 16.0).log2().floor() as usize] += 1;
        }
        // 10 000 are expected in each; five standard deviations are 480. Rounding of the smallest sizes
        // moves whole integers between octaves, hence more room there.
        for (octave, count) in octaves[..12].iter().enumerate() {
            let room = if octave < 3 { 1_500 } else { 480 };
            assert!(count.abs_diff(10_000) < room, "octave {octave}: {count}");
        }
        // (b - a) / ln(b / a)
        assert!((sizes.mean() / 7_876.9 - 1.0).abs() < 0.01, "{}", sizes.mean());
    }

    #[test]
    fn normal_quantiles_match_the_tables() {
        let normal = normal_quantiles();
        // SciPy: norm.ppf(0.5), norm.ppf(0.875), norm.ppf(0.0625)
        for (entry, expected) in [(512, 0.0), (896, 1.150_349_4), (64, -1.534_120_5)] {
            assert!((normal[entry] - expected).abs() < 1e-3, "{entry}: {}", normal[entry]);
        }
        assert!(normal.windows(2).all(|pair| pair[0] <= pair[1]));
    }

    #[test]
    fn log_normal_has_its_median_and_its_cap() {
        let sizes = Sizes::log_normal(4096, 1.2, 64, 262_144);
        let mut rng = Rng::new(3, 3);
        let mut drawn: Vec<usize> = (0..50_001).map(|_| sizes.draw(&mut rng)).collect();
        drawn.sort_unstable();
        assert!((drawn[25_000] as f64 / 4096.0 - 1.0).abs() < 0.05, "{}", drawn[25_000]);
        assert!(drawn[0] >= 64 && drawn[50_000] <= 262_144);
        // median * exp(sigma^2 / 2), a little less for the cap
        assert!((sizes.mean() / 8_415.0 - 1.0).abs() < 0.03, "{}", sizes.mean());
    }

    #[test]
    fn a_range_of_one_size_gives_that_size() {
        let mut rng = Rng::new(0, 0);
        assert_eq!(Sizes::log_uniform(100, 100).draw(&mut rng), 100);
    }
}
