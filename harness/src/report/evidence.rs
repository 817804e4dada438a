//! What the trials themselves say: what did not finish, whether settings took effect, how noisy the host
//! was. Counted by scenario in one pass, without copying trials.

use std::collections::{BTreeMap, HashMap};

use super::words;
use crate::format::trial::{Status, TrialRecord};

/// Of one scenario.
#[derive(Debug, Default)]
pub struct Evidence<'a> {
    /// Trials that ended, in whatever way.
    pub trials: u64,
    /// Trials that ran to their end.
    pub ok: u64,
    /// Trials of rounds that were run again.
    pub repeats: u64,
    /// Trials that ran, and whose settings were seen to be in force.
    pub verified: u64,
    /// Why settings were not seen to be in force, by candidate, with counts.
    pub unverified: BTreeMap<(&'a str, &'a str), u64>,
    /// What did not finish: status, candidate, reason, with counts and the line of the first (from 1).
    pub unfinished: BTreeMap<(&'static str, &'a str, &'a str), (u64, usize)>,
    /// What serves `malloc` in a program of the user's as it is, and how that is known.
    pub served: Option<(&'a str, &'a str)>,
    /// Finished trials of a program of the user's.
    pub of_program: u64,
    /// Those whose heaps were looked at.
    pub heaps_seen: u64,
    /// Those whose heaps were left alone, as a look would have cost too much.
    pub heaps_left: u64,
    /// What of the heaps could not be seen, with counts.
    pub heaps_unseen: BTreeMap<&'a str, u64>,
    psi: Vec<f64>,
    steal: Vec<f64>,
    foreign: Vec<f64>,
}

/// Workload, threads, libc.
pub type Key<'a> = (&'a str, u32, &'a str);

/// The evidence of every scenario.
pub fn gather(trials: &[TrialRecord]) -> HashMap<Key<'_>, Evidence<'_>> {
    let mut all: HashMap<Key, Evidence> = HashMap::new();
    for (index, trial) in trials.iter().enumerate() {
        all.entry((&trial.workload, trial.threads, &trial.libc)).or_default().add(index + 1, trial);
    }
    all
}

impl<'a> Evidence<'a> {
    fn add(&mut self, line: usize, trial: &'a TrialRecord) {
        self.trials += 1;
        self.repeats += u64::from(trial.attempt > 0);
        let reason = trial.reason.as_deref().unwrap_or("no reason given");
        if trial.status == Status::Ok {
            self.ok += 1;
            if let Some(served) = trial.allocator.as_ref().filter(|_| trial.program.is_some() && trial.twin) {
                self.served = Some((&served.name, &served.how));
            }
            self.add_heaps(trial);
            if trial.effect.verified {
                self.verified += 1;
            } else {
                *self.unverified.entry((&trial.candidate, &trial.effect.how)).or_default() += 1;
            }
            let noise = &trial.noise;
            let finite = |v: Option<f64>| v.filter(|v| v.is_finite());
            self.psi.extend(finite(noise.psi_cpu_some_pct));
            self.steal.extend(finite(noise.steal_s));
            self.foreign.extend(finite(noise.foreign_cpu_s));
        } else {
            let key = (words::status(trial.status), trial.candidate.as_str(), reason);
            self.unfinished.entry(key).or_insert((0, line)).0 += 1;
        }
    }

    fn add_heaps(&mut self, trial: &'a TrialRecord) {
        let Some(program) = &trial.program else { return };
        self.of_program += 1;
        let Some(heaps) = &program.heaps else { return };
        if heaps.processes == 0 && heaps.at_s.is_none() {
            self.heaps_left += 1;
            return;
        }
        self.heaps_seen += u64::from(heaps.processes > 0);
        for why in &heaps.not_seen {
            *self.heaps_unseen.entry(why).or_default() += 1;
        }
    }

    /// How disturbed the host was, one line a figure: name, median, largest.
    pub fn noise(&self) -> Vec<(&'static str, f64, f64)> {
        let figures = [
            ("time in which some task waited for a CPU (%)", &self.psi),
            ("CPU seconds taken by the hypervisor", &self.steal),
            ("CPU seconds used by anything else on the host", &self.foreign),
        ];
        figures
            .into_iter()
            .filter_map(|(name, values)| median_and_most(values).map(|(m, x)| (name, m, x)))
            .collect()
    }
}

fn median_and_most(values: &[f64]) -> Option<(f64, f64)> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let most = *sorted.last()?;
    let upper = sorted[sorted.len() / 2];
    let lower = sorted[(sorted.len() - 1) / 2];
    Some((f64::midpoint(lower, upper), most))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_count_lies_between() {
        assert_eq!(median_and_most(&[4.0, 1.0, 2.0, 3.0]), Some((2.5, 4.0)));
        assert_eq!(median_and_most(&[]), None);
    }
}
