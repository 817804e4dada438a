//! How the candidates stand while a campaign runs: plain mean log-ratios to the baseline, for the
//! progress display only. Choices are made by `decide`, with intervals.

use std::collections::HashMap;

/// Where a candidate stands against the baseline so far.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Place {
    /// Index of the arm.
    pub arm: usize,
    /// Geometric mean of the objective's RSS over that of the baseline.
    pub rss_ratio: f64,
    /// Geometric mean of throughput over that of the baseline.
    pub throughput_ratio: f64,
    /// Rounds and scenarios that entered.
    pub pairs: u32,
}

#[derive(Clone, Copy, Default)]
struct Sums {
    rss: f64,
    throughput: f64,
    pairs: u32,
}

/// Sums of log-ratios.
#[derive(Default)]
pub struct Standing {
    /// Log RSS and log throughput of the block being run, by arm.
    block: HashMap<usize, (f64, f64)>,
    sums: HashMap<usize, Sums>,
}

impl Standing {
    /// Takes a finished trial's objective RSS and throughput.
    pub fn add(&mut self, arm: usize, rss: f64, throughput: f64) {
        if rss > 0.0 && throughput > 0.0 {
            self.block.insert(arm, (rss.ln(), throughput.ln()));
        }
    }

    /// Closes the block of one scenario in one round: only within it is compared.
    pub fn close_block(&mut self, baseline: usize) {
        let block = std::mem::take(&mut self.block);
        let Some(&(rss, throughput)) = block.get(&baseline) else { return };
        for (arm, values) in block {
            let sums = self.sums.entry(arm).or_default();
            sums.rss += values.0 - rss;
            sums.throughput += values.1 - throughput;
            sums.pairs += 1;
        }
    }

    /// All but the baseline, in rising order of RSS.
    pub fn places(&self, baseline: usize) -> Vec<Place> {
        let place = |(&arm, sums): (&usize, &Sums)| Place {
            arm,
            rss_ratio: (sums.rss / f64::from(sums.pairs)).exp(),
            throughput_ratio: (sums.throughput / f64::from(sums.pairs)).exp(),
            pairs: sums.pairs,
        };
        let mut places: Vec<Place> =
            self.sums.iter().filter(|(arm, _)| **arm != baseline).map(place).collect();
        places.sort_by(|a, b| a.rss_ratio.total_cmp(&b.rss_ratio).then(a.arm.cmp(&b.arm)));
        places
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_taken_within_a_block() {
        let mut standing = Standing::default();
        for scale in [1.0, 50.0] {
            standing.add(0, 100.0 * scale, 10.0);
            standing.add(1, 50.0 * scale, 5.0);
            standing.close_block(0);
        }
        standing.add(1, 1.0, 1.0);
        standing.close_block(0);
        let places = standing.places(0);
        assert_eq!(places.len(), 1);
        assert!((places[0].rss_ratio - 0.5).abs() < 1e-12);
        assert!((places[0].throughput_ratio - 0.5).abs() < 1e-12);
        assert_eq!(places[0].pairs, 2);
    }
}
