//! How disturbed the host was between two instants: pressure, steal, and CPU used by others.

use std::time::Instant;

use crate::format::trial::Noise;

/// The host's counters at one instant.
pub struct Mark {
    at: Instant,
    /// Microseconds in which some task waited for a CPU.
    psi_us: Option<u64>,
    steal_s: Option<f64>,
    busy_s: Option<f64>,
    own_s: f64,
}

/// Reads the host's counters.
pub fn mark() -> Mark {
    use procfs::{Current, CurrentSI};
    let psi_us = procfs::CpuPressure::current().ok().map(|psi| psi.some.total);
    let total = procfs::KernelStats::current().ok().map(|stat| stat.total);
    let tick = procfs::ticks_per_second() as f64;
    let busy = |t: &procfs::CpuTime| {
        let ticks = t.user + t.nice + t.system + t.irq.unwrap_or(0) + t.softirq.unwrap_or(0);
        ticks as f64 / tick
    };
    Mark {
        at: Instant::now(),
        psi_us,
        steal_s: total.as_ref().and_then(|t| t.steal).map(|ticks| ticks as f64 / tick),
        busy_s: total.as_ref().map(busy),
        own_s: own_cpu_s(),
    }
}

/// CPU seconds of this process so far.
fn own_cpu_s() -> f64 {
    let stat = procfs::process::Process::myself().and_then(|me| me.stat());
    stat.map_or(0.0, |s| (s.utime + s.stime) as f64 / procfs::ticks_per_second() as f64)
}

/// What happened between two marks, given the CPU seconds that the trial itself used between them.
pub fn between(begin: &Mark, end: &Mark, trial_cpu_s: f64) -> Noise {
    let wall = end.at.duration_since(begin.at).as_secs_f64();
    let delta = |a: Option<f64>, b: Option<f64>| Some((b? - a?).max(0.0));
    let psi_us = delta(begin.psi_us.map(|v| v as f64), end.psi_us.map(|v| v as f64));
    let known = trial_cpu_s + (end.own_s - begin.own_s);
    Noise {
        psi_cpu_some_pct: psi_us.filter(|_| wall > 0.0).map(|us| (us / 1e4 / wall).min(100.0)),
        steal_s: delta(begin.steal_s, end.steal_s),
        foreign_cpu_s: delta(begin.busy_s, end.busy_s).map(|busy| (busy - known).max(0.0)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn at(at: Instant, psi_us: Option<u64>, steal_s: f64, busy_s: f64, own_s: f64) -> Mark {
        Mark { at, psi_us, steal_s: Some(steal_s), busy_s: Some(busy_s), own_s }
    }

    #[test]
    fn what_others_used_is_what_neither_trial_nor_harness_did() {
        let begin = Instant::now();
        let a = at(begin, Some(1_000), 1.0, 10.0, 0.5);
        let b = at(begin + Duration::from_secs(2), Some(1_001_000), 1.25, 14.0, 0.6);
        let noise = between(&a, &b, 3.0);
        assert_eq!(noise.psi_cpu_some_pct, Some(50.0));
        assert_eq!(noise.steal_s, Some(0.25));
        assert!((noise.foreign_cpu_s.unwrap() - 0.9).abs() < 1e-9);
    }

    #[test]
    fn unknown_stays_unknown_and_rounding_never_goes_below_zero() {
        let begin = Instant::now();
        let a = at(begin, None, 1.0, 10.0, 0.5);
        let b = at(begin + Duration::from_secs(1), Some(5), 1.0, 10.0, 0.5);
        let noise = between(&a, &b, 3.0);
        assert_eq!(noise.psi_cpu_some_pct, None);
        assert_eq!(noise.foreign_cpu_s, Some(0.0));
    }
}
