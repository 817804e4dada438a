//! How disturbed the host was between two instants: pressure, steal, and CPU used by others.

use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

use super::host::{CpuTimes, Tree, allowed_cpus};
use crate::format::trial::Noise;

/// The host's counters at one instant.
pub struct Mark {
    at: Instant,
    /// Microseconds in which some task waited for a CPU.
    psi_us: Option<u64>,
    /// Of the CPUs that this process, and so a trial, may use: what others do on the rest disturbs nobody.
    cpu: Option<CpuTimes>,
    /// CPU time of this process, to the nanosecond: in ticks it would be told of short trials by chance.
    own: Duration,
}

/// Reads the host's counters.
pub fn mark() -> Mark {
    use procfs::Current;
    let psi_us = procfs::CpuPressure::current().ok().map(|psi| psi.some.total);
    let own = clock_gettime(ClockId::ProcessCPUTime);
    Mark {
        at: Instant::now(),
        psi_us,
        cpu: CpuTimes::read(&Tree::default(), allowed_cpus().as_deref()),
        own: Duration::try_from(own).unwrap_or_default(),
    }
}

/// What happened between two marks, given the CPU seconds that the trial itself used between them.
pub fn between(begin: &Mark, end: &Mark, trial_cpu_s: f64) -> Noise {
    let wall = end.at.duration_since(begin.at).as_secs_f64();
    let psi_us = begin.psi_us.zip(end.psi_us).map(|(a, b)| b.saturating_sub(a) as f64);
    let own = end.own.saturating_sub(begin.own).as_secs_f64();
    let used = begin.cpu.zip(end.cpu).map(|(a, b)| b.since(a));
    Noise {
        psi_cpu_some_pct: psi_us.filter(|_| wall > 0.0).map(|us| (us / 1e4 / wall).min(100.0)),
        steal_s: used.map(CpuTimes::stolen_s),
        foreign_cpu_s: used.map(|used| (used.busy_s() - trial_cpu_s - own).max(0.0)),
        cpus: used.map(|used| used.cpus),
        seconds: Some(wall),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(at: Instant, psi_us: Option<u64>, cpu: impl Into<Option<CpuTimes>>, own_ms: u64) -> Mark {
        Mark { at, psi_us, cpu: cpu.into(), own: Duration::from_millis(own_ms) }
    }

    /// On two CPUs, 100 ticks a second.
    fn ticks(busy: u64, stolen: u64) -> CpuTimes {
        CpuTimes { busy, stolen, cpus: 2, ticks_per_s: 100 }
    }

    #[test]
    fn what_others_used_is_what_neither_trial_nor_harness_did() {
        let begin = Instant::now();
        let a = at(begin, Some(1_000), ticks(1000, 100), 500);
        let b = at(begin + Duration::from_secs(2), Some(1_001_000), ticks(1400, 125), 600);
        let noise = between(&a, &b, 3.0);
        assert_eq!(noise.psi_cpu_some_pct, Some(50.0));
        assert_eq!((noise.steal_s, noise.cpus, noise.seconds), (Some(0.25), Some(2), Some(2.0)));
        assert!((noise.foreign_cpu_s.unwrap() - 0.9).abs() < 1e-9);
    }

    #[test]
    fn unknown_stays_unknown_and_rounding_never_goes_below_zero() {
        let begin = Instant::now();
        let a = at(begin, None, ticks(1000, 0), 500);
        let b = at(begin + Duration::from_secs(1), Some(5), ticks(1000, 0), 500);
        let noise = between(&a, &b, 3.0);
        assert_eq!(noise.psi_cpu_some_pct, None);
        assert_eq!(noise.foreign_cpu_s, Some(0.0));
        let unread = between(&at(begin, None, None, 0), &b, 0.0);
        assert_eq!((unread.steal_s, unread.foreign_cpu_s, unread.cpus), (None, None, None));
    }
}
