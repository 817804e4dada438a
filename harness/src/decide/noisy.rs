//! Whether the host was disturbed while a trial ran, and which rounds are run again for it. The rule looks at the host
//! only, never at the figures of a trial: leaving out rounds by their outcome would be choosing the outcome.

use crate::format::trial::Noise;
use crate::units::format_share;

/// The rule. Shares are of the CPU seconds that the host had during a trial.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rule {
    /// Largest share that anything but the trial may use: default 0.1.
    pub foreign: f64,
    /// Largest share that the hypervisor may take away: default 0.02.
    pub steal: f64,
    /// Largest share of the time in which some task waited for a CPU: default 0.2. Asked only of workloads
    /// whose threads are known and fewer than the CPUs: others wait by themselves.
    pub waiting: f64,
    /// Times that one round may be run again: default 2. After that its last run counts.
    pub again: u32,
}

impl Default for Rule {
    fn default() -> Self {
        Self { foreign: 0.1, steal: 0.02, waiting: 0.2, again: 2 }
    }
}

/// CPU seconds of others that a trial may show where there were none: `/proc/stat` counts in ticks of 10 ms, and what the
/// trial itself used is known to the microsecond.
const GRAIN_S: f64 = 0.01;

/// What disturbed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// Other work used the CPUs.
    Foreign,
    /// The hypervisor took them away.
    Steal,
    /// Tasks waited for a CPU, though the trial had fewer threads than there are CPUs.
    Waiting,
}

impl Cause {
    /// What it did, to be followed by a share.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Foreign => "other work used the CPUs",
            Self::Steal => "the hypervisor took the CPUs",
            Self::Waiting => "some task waited for a CPU",
        }
    }
}

/// A disturbance.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Disturbance {
    /// What disturbed.
    pub cause: Cause,
    /// The share of CPU seconds, or of the time in which some task waited.
    pub share: f64,
    /// The largest share that the rule allows.
    pub allowed: f64,
}

/// Something used, of what there was.
#[derive(Clone, Copy, Debug, Default)]
struct Part {
    used: f64,
    had: f64,
}

impl Part {
    fn add(&mut self, used: Option<f64>, had: f64) {
        if let Some(used) = used.filter(|used| used.is_finite()) {
            self.used += used;
            self.had += had;
        }
    }

    fn share(self) -> Option<f64> {
        let share = self.used / self.had;
        share.is_finite().then_some(share)
    }
}

/// Trials one after the other, of one workload and thread count, taken together: a single short one is too short for
/// counters that count in ticks.
#[derive(Clone, Copy, Debug, Default)]
pub struct Stretch {
    /// Seconds that they took.
    pub seconds: f64,
    foreign: Part,
    steal: Part,
    waiting: Part,
}

impl Stretch {
    /// Adds a trial of so many threads (0: not known). The seconds and the host's CPUs are for records whose noise does not
    /// tell over how long and of how many it is.
    pub fn add(&mut self, noise: &Noise, seconds: f64, threads: u32, cpus: u32) {
        let seconds = noise.seconds.unwrap_or(seconds);
        if !(seconds.is_finite() && seconds > 0.0) {
            return;
        }
        let cpus = noise.cpus.unwrap_or(cpus);
        let had = seconds * f64::from(cpus);
        self.seconds += seconds;
        self.foreign.add(noise.foreign_cpu_s.map(|used| (used - GRAIN_S).max(0.0)), had);
        self.steal.add(noise.steal_s, had);
        // Threads that are not known may be many, and then wait for each other.
        let waited = noise.psi_cpu_some_pct.filter(|_| (1..cpus).contains(&threads));
        self.waiting.add(waited.map(|percent| percent / 100.0 * seconds), seconds);
    }

    /// Whether anything is known of the host.
    pub fn known(&self) -> bool {
        [self.foreign, self.steal, self.waiting].into_iter().any(|part| part.share().is_some())
    }
}

impl Rule {
    /// The rule in words, for the report and before the first round.
    pub fn words(&self) -> String {
        format!(
            "a round is run again, at most {} times, where during any of its trials other work used more \
             than {} of the CPUs, the hypervisor took more than {}, or (with fewer threads than CPUs) some \
             task waited for a CPU more than {} of the time",
            self.again,
            format_share(self.foreign),
            format_share(self.steal),
            format_share(self.waiting)
        )
    }

    /// What disturbed a stretch; `None` where nothing did, or where nothing is known.
    pub fn of_stretch(&self, stretch: &Stretch) -> Option<Disturbance> {
        let parts = [
            (Cause::Foreign, stretch.foreign, self.foreign),
            (Cause::Steal, stretch.steal, self.steal),
            (Cause::Waiting, stretch.waiting, self.waiting),
        ];
        parts.into_iter().find_map(|(cause, part, allowed)| {
            let share = part.share().filter(|share| *share > allowed)?;
            Some(Disturbance { cause, share, allowed })
        })
    }

    /// Why a trial of so many seconds was disturbed; `None` where it was not, or where nothing is known.
    pub fn disturbed(&self, noise: &Noise, seconds: f64, threads: u32, cpus: u32) -> Option<String> {
        let mut stretch = Stretch::default();
        stretch.add(noise, seconds, threads, cpus);
        self.of_stretch(&stretch).map(|seen| {
            let [share, allowed] = [seen.share, seen.allowed].map(format_share);
            format!("{} {share} of the time, and {allowed} is allowed", seen.cause.words())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_known_to_disturb_counts() {
        let rule = Rule::default();
        let quiet = Noise::default();
        assert_eq!(rule.disturbed(&quiet, 2.0, 1, 2), None);
        let foreign = Noise { foreign_cpu_s: Some(1.01), ..quiet };
        assert!(rule.disturbed(&foreign, 2.0, 1, 2).unwrap().contains("25.0 %"));
        assert_eq!(rule.disturbed(&foreign, 2.0, 1, 64), None);
        let steal = Noise { steal_s: Some(0.2), ..quiet };
        assert!(rule.disturbed(&steal, 2.0, 1, 2).is_some());
        let waiting = Noise { psi_cpu_some_pct: Some(80.0), ..quiet };
        assert!(rule.disturbed(&waiting, 2.0, 1, 2).is_some());
        assert_eq!(rule.disturbed(&waiting, 2.0, 8, 2), None, "it waits for itself");
        assert_eq!(rule.disturbed(&foreign, 0.0, 1, 2), None);
        let broken = Noise { foreign_cpu_s: Some(f64::NAN), ..quiet };
        assert_eq!(rule.disturbed(&broken, 2.0, 1, 2), None);
    }

    #[test]
    fn a_program_s_own_threads_that_wait_are_no_disturbance() {
        let waiting = Noise { psi_cpu_some_pct: Some(99.0), foreign_cpu_s: Some(0.0), ..Noise::default() };
        assert_eq!(Rule::default().disturbed(&waiting, 2.0, 0, 2), None, "its threads are not known");
        let loaded = Noise { foreign_cpu_s: Some(2.0), ..waiting };
        assert!(Rule::default().disturbed(&loaded, 2.0, 0, 2).is_some(), "other work is seen all the same");
    }

    #[test]
    fn a_tick_is_no_load_and_figures_are_of_the_cpus_that_they_name() {
        let tick = Noise { foreign_cpu_s: Some(0.01), ..Noise::default() };
        assert_eq!(Rule::default().disturbed(&tick, 0.02, 1, 2), None);
        let pinned = Noise { foreign_cpu_s: Some(1.0), cpus: Some(2), ..Noise::default() };
        assert!(Rule::default().disturbed(&pinned, 1.0, 1, 64).is_some(), "half of the two that it may use");
        let longer = Noise { seconds: Some(20.0), ..pinned };
        assert_eq!(Rule::default().disturbed(&longer, 1.0, 1, 64), None, "it was taken over a longer time");
    }
}
