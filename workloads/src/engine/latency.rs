//! Latency of single calls, sampled: one call in 64 to 512 is timed with the CPU's own counter and goes into a
//! histogram. The gap between samples varies from half of its mean to one and a half, so that no rhythm of
//! a workload can hide from it or always meet it.

use std::sync::OnceLock;
use std::time::Duration;

use arenalab_wire::message::Quantiles;
use hdrhistogram::Histogram;
use quanta::Clock;

/// Longest call told apart, in nanoseconds; longer ones count as this.
const LONGEST_CALL_NS: u64 = 10_000_000_000;
/// Longest that an operation may be late and be told as such: a day. One that cannot keep up falls behind for as long
/// as it runs.
const LONGEST_NS: u64 = 86_400_000_000_000;
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

/// What a histogram has room for at first, in nanoseconds. It grows with what it is given: with room for the longest from the
/// start, those of many threads would take more memory than small workloads hold.
const USUAL_NS: u64 = 1023;

fn histogram() -> Latencies {
    let histogram = Histogram::new_with_bounds(1, USUAL_NS, DIGITS);
    // The bounds are constants that satisfy the constructor's conditions; tests construct it.
    let mut histogram = histogram.unwrap_or_else(|_| unreachable!("constant bounds"));
    histogram.auto(true);
    histogram
}

/// Samples that are enough of one seat: short operations, of which there are many, are sampled less often, so that
/// reading the clock is no part of what they cost.
const ENOUGH: u64 = 8192;

/// How often calls are timed: one in 2 to this power.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap(u32);

impl Gap {
    /// For a seat that does so many operations.
    pub fn for_operations(operations: u64) -> Self {
        Self((operations / ENOUGH).max(1).ilog2().clamp(6, 9))
    }

    /// Calls until the next sample: the jitter's upper bits spread it.
    fn calls(self, jitter: u32) -> u32 {
        (1 << (self.0 - 1)) + (jitter >> (32 - self.0))
    }
}

/// Samples of one kind of call.
pub struct Sampler {
    timer: &'static Timer,
    countdown: u32,
    gap: Gap,
    jitter: u32,
    histogram: Latencies,
}

impl Sampler {
    /// A sampler that has seen nothing; `salt` sets its rhythm.
    pub fn new(salt: u32, gap: Gap) -> Self {
        Self { timer: timer(), countdown: gap.calls(0), gap, jitter: salt | 1, histogram: histogram() }
    }

    /// Counts a call; whether it is one to be [timed](Sampler::timed).
    #[inline]
    pub fn is_due(&mut self) -> bool {
        self.countdown -= 1;
        self.countdown == 0
    }

    /// Calls that may be made before one is due.
    #[inline]
    pub fn quiet(&self) -> u32 {
        self.countdown - 1
    }

    /// Counts calls that were made, [`quiet`](Sampler::quiet) of them at most.
    #[inline]
    pub fn passed(&mut self, calls: u32) {
        self.countdown -= calls;
    }

    /// Makes a call that is due, and times it.
    #[cold]
    #[inline(never)]
    pub fn timed<T>(&mut self, call: impl FnOnce() -> T) -> T {
        self.jitter = self.jitter.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        self.countdown = self.gap.calls(self.jitter);
        let start = self.timer.clock.raw();
        let result = call();
        let took = self.timer.clock.delta_as_nanos(start, self.timer.clock.raw());
        // It grows with what it is given, so that nothing can be out of range.
        let _ = self.histogram.record(took.saturating_sub(self.timer.cost_ns).min(LONGEST_CALL_NS));
        result
    }

    /// What was sampled since the last call of this.
    pub fn take_into(&mut self, total: &mut Collected) {
        // The total grows with what it is given, so that nothing can be out of range.
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
        // As in `Sampler::timed`.
        let _ = self.0.get_or_insert_with(histogram).record(ns.min(LONGEST_NS));
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

    fn calls(sampler: &mut Sampler, count: u32) {
        for _ in 0..count {
            if sampler.is_due() {
                sampler.timed(|| ());
            }
        }
    }

    #[test]
    fn one_call_in_the_gap_is_sampled() {
        for (operations, gap) in [(0, 64), (500_000, 64), (2_000_000, 128), (1 << 22, 512), (u64::MAX, 512)] {
            let (mut sampler, mut total) =
                (Sampler::new(5, Gap::for_operations(operations)), Collected::new());
            calls(&mut sampler, 1000 * gap);
            sampler.take_into(&mut total);
            let quantiles = total.take().unwrap();
            assert!(quantiles.samples.abs_diff(1000) < 100, "{operations}: {}", quantiles.samples);
            assert!(quantiles.p50 <= quantiles.p99 && quantiles.p99 <= quantiles.max);
            assert_eq!(total.take(), None);
        }
    }

    #[test]
    fn what_is_called_is_returned() {
        assert_eq!(Sampler::new(1, Gap::for_operations(1)).timed(|| 7), 7);
    }

    #[test]
    fn who_is_late_by_minutes_or_hours_is_told_so() {
        for (seconds, told) in [(1, 1.0), (60, 60.0), (7200, 7200.0), (1_000_000, 86_400.0)] {
            let (mut completions, mut total) = (Completions::default(), Collected::new());
            completions.record(Duration::from_secs(seconds));
            completions.take_into(&mut total);
            let max = total.take().unwrap().max / 1e9;
            assert!(max / told > 0.99 && (max / told < 1.01 || seconds == 1_000_000), "{max} for {told}");
        }
    }

    #[test]
    fn gaps_vary() {
        let mut sampler = Sampler::new(1, Gap::for_operations(1));
        let mut gaps = std::collections::BTreeSet::new();
        for _ in 0..200 {
            let gap = sampler.countdown;
            assert!((32..96).contains(&gap));
            gaps.insert(gap);
            calls(&mut sampler, gap);
        }
        assert!(gaps.len() > 30, "{gaps:?}");
    }
}
