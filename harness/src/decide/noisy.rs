//! Which rounds are run again because the host was disturbed. The rule looks at the host only, never at
//! the figures of a trial: leaving out rounds by their outcome would be choosing the outcome.

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
    /// with fewer threads than the host has CPUs: others wait by themselves.
    pub waiting: f64,
    /// Times that one round may be run again: default 2. After that its last run counts.
    pub again: u32,
}

impl Default for Rule {
    fn default() -> Self {
        Self { foreign: 0.1, steal: 0.02, waiting: 0.2, again: 2 }
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

    /// Why a trial of so many seconds was disturbed; `None` where it was not, or where nothing is known.
    pub fn disturbed(&self, noise: &Noise, seconds: f64, threads: u32, cpus: u32) -> Option<String> {
        let had = seconds * f64::from(cpus);
        let beyond = |what: &str, share: f64, limit: f64| {
            (share.is_finite() && share > limit).then(|| {
                format!("{what} {} of the time, and {} is allowed", format_share(share), format_share(limit))
            })
        };
        let of_cpus = |seconds: Option<f64>| seconds.filter(|_| had > 0.0).map(|s| s / had);
        let foreign =
            of_cpus(noise.foreign_cpu_s).and_then(|s| beyond("other work used the CPUs", s, self.foreign));
        let steal =
            || of_cpus(noise.steal_s).and_then(|s| beyond("the hypervisor took the CPUs", s, self.steal));
        let waiting = || {
            let share = noise.psi_cpu_some_pct.filter(|_| threads < cpus)? / 100.0;
            beyond("some task waited for a CPU", share, self.waiting)
        };
        foreign.or_else(steal).or_else(waiting)
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
        let foreign = Noise { foreign_cpu_s: Some(1.0), ..quiet };
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
}
