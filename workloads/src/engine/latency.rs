//! Latency of single calls, sampled: about one call in 64 is timed with the CPU's own counter and goes
//! into a fixed-size histogram. The gap between samples varies from 32 to 95 calls, so that no rhythm of a
//! workload can hide from it or always meet it.

use std::sync::OnceLock;
use std::time::Duration;

use arenalab_wire::message::Quantiles;
use hdrhistogram::Histogram;
use quanta::Clock;

/// Longest latency told apart, in nanoseconds; longer ones count as this.
const LONGEST_NS: u64 = 10_000_000_000;
/// Two significant digits: quantiles are exact to 1 %.
const DIGITS: u8 = 2;

/// The clock with its own cost.
struct Timer {
    clock: Clock,
    cost_ns: u64,
}

/// The process's timer; calibrated at its first use.
fn timer() -> &'static Timer {
    static TIMER: OnceLock<Timer> = OnceLock::new();
    TIMER.get_or_init(|| {
        let clock = Clock::new();
        let mut empty: Vec<u64> = (0..1001)
            .map(|_| {
                let start = clock.raw();
                clock.delta_as_nanos(start, clock.raw())
            })
            .collect();
        empty.sort_unstable();
        Timer { cost_ns: empty[empty.len() / 2], clock }
    })
}

/// Median cost of one reading of the clock in nanoseconds. It is subtracted from every sample.
pub fn clock_cost_ns() -> u64 {
    timer().cost_ns
}

type Latencies = Histogram<u32>;

fn histogram() -> Latencies {
    // The bounds are constants that satisfy the constructor's conditions; a test constructs it.
    Histogram::new_with_bounds(1, LONGEST_NS, DIGITS).unwrap_or_else(|_| unreachable!("constant bounds"))
}

/// Samples of one kind of call.
pub struct Sampler {
    timer: &'static Timer,
    countdown: u32,
    jitter: u32,
    histogram: Latencies,
}

impl Sampler {
    /// A sampler that has seen nothing; `salt` sets its rhythm.
    pub fn new(salt: u32) -> Self {
        Self { timer: timer(), countdown: 32, jitter: salt | 1, histogram: histogram() }
    }

    /// Makes the call, timed or not.
    #[inline]
    pub fn call<T>(&mut self, call: impl FnOnce() -> T) -> T {
        self.countdown -= 1;
        if self.countdown == 0 { self.timed(call) } else { call() }
    }

    #[cold]
    #[inline(never)]
    fn timed<T>(&mut self, call: impl FnOnce() -> T) -> T {
        self.jitter = self.jitter.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        self.countdown = 32 + (self.jitter >> 26);
        let start = self.timer.clock.raw();
        let result = call();
        let took = self.timer.clock.delta_as_nanos(start, self.timer.clock.raw());
        self.histogram.saturating_record(took.saturating_sub(self.timer.cost_ns));
        result
    }

    /// What was sampled since the last call of this.
    pub fn take_into(&mut self, total: &mut Collected) {
        // Both have the same bounds, so that nothing can be out of range.
        let _ = total.0.add(&self.histogram);
        self.histogram.reset();
    }
}

/// How long operations took that were to start at a given time. Its memory is there from the first one on.
#[derive(Default)]
pub struct Completions(Option<Latencies>);

impl Completions {
    /// An operation has ended so long after it was to start.
    #[inline]
    pub fn record(&mut self, took: Duration) {
        let ns = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.0.get_or_insert_with(histogram).saturating_record(ns);
    }

    /// What was recorded since the last call of this.
    pub fn take_into(&mut self, total: &mut Collected) {
        if let Some(histogram) = &mut self.0 {
            let _ = total.0.add(&*histogram);
            histogram.reset();
        }
    }
}

/// Samples of all seats.
pub struct Collected(Latencies);

impl Collected {
    /// Nothing yet.
    pub fn new() -> Self {
        Self(histogram())
    }

    /// The quantiles, and a fresh start; `None` where there was no sample.
    pub fn take(&mut self) -> Option<Quantiles> {
        if self.0.is_empty() {
            return None;
        }
        let at = |quantile| self.0.value_at_quantile(quantile) as f64;
        let quantiles = Quantiles {
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p999: at(0.999),
            max: self.0.max() as f64,
            samples: self.0.len(),
        };
        self.0.reset();
        Some(quantiles)
    }
}

impl Default for Collected {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn about_one_call_in_64_is_sampled() {
        let (mut sampler, mut total) = (Sampler::new(5), Collected::new());
        let calls = (0..64_000).map(|n| sampler.call(|| n)).max();
        assert_eq!(calls, Some(63_999));
        sampler.take_into(&mut total);
        let quantiles = total.take().unwrap();
        assert!(quantiles.samples.abs_diff(1000) < 100, "{}", quantiles.samples);
        assert!(quantiles.p50 <= quantiles.p99 && quantiles.p99 <= quantiles.max);
        assert_eq!(total.take(), None);
    }

    #[test]
    fn gaps_vary() {
        let mut sampler = Sampler::new(1);
        let mut gaps = std::collections::BTreeSet::new();
        for _ in 0..200 {
            let gap = sampler.countdown;
            assert!((32..96).contains(&gap));
            gaps.insert(gap);
            (0..gap).for_each(|_| sampler.call(|| ()));
        }
        assert!(gaps.len() > 30, "{gaps:?}");
    }
}
