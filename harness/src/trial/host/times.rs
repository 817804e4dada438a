//! CPU time since the host started, by `/proc/stat`.

use super::Tree;

/// What the CPUs did, in ticks since the host started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CpuTimes {
    /// Ticks of work done by anyone.
    pub busy: u64,
    /// Ticks that the hypervisor took away.
    pub stolen: u64,
    /// CPUs that these are of.
    pub cpus: u32,
    /// Ticks a second.
    pub ticks_per_s: u64,
}

impl CpuTimes {
    /// Reads the times of some CPUs, or of all.
    pub fn read(tree: &Tree, allowed: Option<&[usize]>) -> Option<Self> {
        of_text(&tree.text("proc/stat")?, allowed)
    }

    /// What was done since an earlier instant.
    #[must_use]
    pub fn since(self, earlier: Self) -> Self {
        Self {
            busy: self.busy.saturating_sub(earlier.busy),
            stolen: self.stolen.saturating_sub(earlier.stolen),
            ..self
        }
    }

    /// CPU seconds of work.
    pub fn busy_s(self) -> f64 {
        self.busy as f64 / self.ticks_per_s.max(1) as f64
    }

    /// CPU seconds taken away.
    pub fn stolen_s(self) -> f64 {
        self.stolen as f64 / self.ticks_per_s.max(1) as f64
    }
}

/// The `cpuN` lines: user, nice, system, idle, iowait, irq, softirq, steal, and the guests' time, which is in user
/// already (proc(5)). An offline CPU has no line, so that lines are told apart by their numbers.
fn of_text(text: &str, allowed: Option<&[usize]>) -> Option<CpuTimes> {
    let ticks_per_s = rustix::param::clock_ticks_per_second();
    let mut times = CpuTimes { busy: 0, stolen: 0, cpus: 0, ticks_per_s };
    for line in text.lines() {
        let Some((name, rest)) = line.split_once(' ') else { continue };
        let number = name.strip_prefix("cpu").and_then(|number| number.parse::<usize>().ok());
        if number.is_none_or(|number| allowed.is_some_and(|allowed| !allowed.contains(&number))) {
            continue;
        }
        let ticks: Vec<u64> = rest.split_whitespace().map_while(|word| word.parse().ok()).collect();
        let sum = |places: &[usize]| places.iter().filter_map(|place| ticks.get(*place)).sum::<u64>();
        times.busy += sum(&[0, 1, 2, 5, 6]);
        times.stolen += sum(&[7]);
        times.cpus += 1;
    }
    (times.cpus > 0).then_some(times)
}

/// The CPUs that this process, and what it starts, may use.
pub fn allowed_cpus() -> Option<Vec<usize>> {
    let set = rustix::thread::sched_getaffinity(None).ok()?;
    Some((0..rustix::thread::CpuSet::MAX_CPU).filter(|cpu| set.is_set(*cpu)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAT: &str = "cpu  110 0 55 900 0 1 2 3 0 0\ncpu0 100 0 50 900 0 1 2 3 0 0\ncpu2 10 0 5 0 0 0 0 0 0 0\n\
                        intr 5 4 3\nctxt 12\n";

    #[test]
    fn only_the_cpus_that_may_be_used_count() {
        let of = |allowed: Option<&[usize]>| {
            of_text(STAT, allowed).map(|times| (times.busy, times.stolen, times.cpus))
        };
        assert_eq!(of(None), Some((168, 3, 2)));
        assert_eq!(of(Some(&[2, 3])), Some((15, 0, 1)));
        assert_eq!(of(Some(&[7])), None);
        assert_eq!(of_text("", None), None);
    }

    #[test]
    fn this_process_may_use_a_cpu_that_is_there() {
        let allowed = allowed_cpus().unwrap();
        assert!(!allowed.is_empty());
        assert!(CpuTimes::read(&Tree::default(), Some(&allowed)).unwrap().cpus >= 1);
    }
}
