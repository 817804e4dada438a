//! What looking at heaps may cost: one part in two hundred of the time that the counted work has taken. Pure.

use std::time::Duration;

/// The share of the work's time that looks may take, in CPU time; more where this program is not optimised, as a look takes
/// so much longer there.
pub const SHARE: f64 = if cfg!(debug_assertions) { 0.02 } else { 0.005 };
/// What a look at a process costs, and at each byte of it that is in memory, until it is known better (measured: 3 ms for
/// a small process, 11 ms for one of 85 MB; 1.2 GiB in 64 arenas with 96,000 free chunks 0.3 s).
const PROCESS_S: f64 = 0.004;
const BYTE_S: f64 = 0.15e-9;
/// What a look at every chunk costs besides, a byte of the arenas.
const CHUNKS_BYTE_S: f64 = 0.5e-9;
/// What a free chunk costs.
const FREE_CHUNK_S: f64 = 3e-6;
/// Free chunks that may be read whatever they cost.
const FEWEST_CHUNKS: usize = 4096;
/// How far what was measured may be from what was expected.
const MOST_OFF: f64 = 16.0;

/// What has been spent, and what the next look would cost.
#[derive(Clone, Copy, Debug)]
pub struct Price {
    spent: Duration,
    /// What looks have cost against what was expected of them.
    off: f64,
}

impl Default for Price {
    fn default() -> Self {
        Self { spent: Duration::ZERO, off: 1.0 }
    }
}

impl Price {
    /// What a look at a process with so many bytes in memory would cost.
    pub fn of(&self, resident: u64) -> Duration {
        Duration::from_secs_f64((PROCESS_S + resident as f64 * BYTE_S) * self.off)
    }

    /// What is left after so much time of the counted work.
    pub fn left(&self, work: Duration) -> Duration {
        work.mul_f64(SHARE).saturating_sub(self.spent)
    }

    /// The time of work that pays for a look of this price.
    pub fn after(&self, price: Duration) -> Duration {
        (self.spent + price).div_f64(SHARE)
    }

    /// What a look at every chunk of arenas of so many bytes would cost besides.
    pub fn of_all_chunks(&self, system: u64) -> Duration {
        Duration::from_secs_f64(system as f64 * CHUNKS_BYTE_S * self.off)
    }

    /// How many free chunks are paid for.
    pub fn free_chunks(left: Duration) -> usize {
        ((left.as_secs_f64() / FREE_CHUNK_S) as usize).max(FEWEST_CHUNKS)
    }

    /// A look has cost so much, of which `expected` was expected.
    pub fn paid(&mut self, took: Duration, expected: Duration) {
        self.spent += took;
        let off = self.off * took.as_secs_f64() / expected.as_secs_f64().max(1e-6);
        self.off = off.clamp(1.0 / MOST_OFF, MOST_OFF);
    }

    /// What all looks have cost.
    pub const fn spent(&self) -> Duration {
        self.spent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_waits_until_the_work_has_paid_for_it() {
        let (mut price, unit) = (Price::default(), 0.005 / SHARE);
        let fits =
            |price: &Price, work_s: f64| price.of(64 << 20) <= price.left(Duration::from_secs_f64(work_s));
        assert!(!fits(&price, 2.0 * unit) && fits(&price, 4.0 * unit));
        price.paid(Duration::from_millis(40), price.of(64 << 20));
        assert_eq!(price.left(price.after(price.of(0))), price.of(0));
        assert!(!fits(&price, 14.0 * unit), "dearer than expected, and something is spent");
        assert!(fits(&price, 18.0 * unit));
        price.paid(Duration::from_millis(10), price.of(64 << 20));
        assert!(fits(&price, 14.0 * unit), "cheaper again");
    }

    #[test]
    fn what_was_measured_counts_within_bounds() {
        let mut price = Price::default();
        price.paid(Duration::from_secs(100), Duration::from_millis(1));
        assert!(price.of(0).as_secs_f64() < PROCESS_S * MOST_OFF * 1.001);
        for _ in 0..9 {
            price.paid(Duration::ZERO, price.of(0));
        }
        assert!(price.of(0).as_secs_f64() > PROCESS_S / MOST_OFF * 0.999);
        assert_eq!(price.left(Duration::from_secs(1)), Duration::ZERO, "what is spent is spent");
        assert_eq!(Price::free_chunks(Duration::ZERO), FEWEST_CHUNKS);
        let all = Price::default().of_all_chunks(1 << 30);
        assert!(all > Duration::from_millis(100) && all < Duration::from_secs(1));
    }
}
