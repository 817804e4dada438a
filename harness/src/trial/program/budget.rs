//! What looking may cost: one part in a hundred of the CPU time that the trial itself has used, by the watching thread's
//! own CPU clock. Pure.

use std::time::Duration;

use crate::trial::sampler::INTERVAL;

/// CPU time that looking may take before the trial has used any: enough for some samples and a look at a small tree.
const GRACE: Duration = Duration::from_millis(1);
/// The share of the trial's CPU time that looking may take. The grace comes on top, and reading lags behind.
const SHARE: f64 = 0.005;
/// Of it, the shares that go to samples, to finding processes, and to following which program each of them runs. The rest
/// is for exact looks.
const FOR_SAMPLES: f64 = 0.3;
const FOR_RESCANS: f64 = 0.2;
const FOR_PROOFS: f64 = 0.1;
/// The share that a look may take at a tree of which nothing is known, or which has doubled since: it is then paid for
/// before there is another.
const OWED: f64 = 0.005;
/// What reading one page of a process costs, and one process, until it is known better (measured: 80 ns, 30 us).
const PAGE_S: f64 = 80e-9;
const PROCESS_S: f64 = 30e-6;
/// What counting the pages of files and shared memory costs a process, until it is known better (measured: 150 us).
const COUNT_S: f64 = 150e-6;
/// The longest that samples are stretched to, and looks for processes.
const LONGEST: Duration = Duration::from_millis(250);
/// Where a control group tells whether processes came or went, that is when one is looked for again after so many times what
/// it took before, and at the latest after so long.
const CHANGED: u32 = 100;
const LONGEST_UNCHANGED: Duration = Duration::from_secs(1);
/// The shortest time between two looks for processes.
const SHORTEST_RESCAN: Duration = Duration::from_millis(20);
/// The longest that following what each process runs is stretched to: what happens in between is proven by nobody.
const LONGEST_UNPROVEN: Duration = Duration::from_millis(50);

/// A kind of watching that comes again and again, less often where it costs too much.
#[derive(Clone, Copy, Debug)]
struct Pace {
    least: Duration,
    longest: Duration,
    period: Duration,
    spent: Duration,
}

impl Pace {
    const fn new(least: Duration, longest: Duration) -> Self {
        Self { least, longest, period: least, spent: Duration::ZERO }
    }

    fn spend(&mut self, took: Duration, allowed: Duration) {
        self.spent += took;
        let period = if self.spent > allowed { self.period.mul_f64(1.3) } else { self.period.div_f64(1.3) };
        self.period = period.min(self.longest).max(self.least);
    }
}

/// What has been spent, and what may be.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    trial: Duration,
    samples: Pace,
    rescans: Pace,
    proofs: Pace,
    looks: Duration,
    /// Seconds that a look at a page costs.
    page_s: f64,
    /// Seconds that counting pages of files and shared memory costs a process.
    count_s: f64,
}

impl Budget {
    /// Nothing spent, and the grace to spend. `is_told` where something tells whether processes came or went.
    pub const fn begin(is_told: bool) -> Self {
        let rescans = Pace::new(SHORTEST_RESCAN, if is_told { LONGEST_UNCHANGED } else { LONGEST });
        Self {
            trial: Duration::ZERO,
            samples: Pace::new(INTERVAL, LONGEST),
            rescans,
            proofs: Pace::new(INTERVAL, LONGEST_UNPROVEN),
            looks: Duration::ZERO,
            page_s: PAGE_S,
            count_s: COUNT_S,
        }
    }

    /// The trial has used so much CPU time. Never less than was heard before: what a process has used goes with it where
    /// nobody in the tree reaps it.
    pub fn used(&mut self, trial: Duration) {
        self.trial = self.trial.max(trial);
    }

    fn allowed(&self) -> Duration {
        GRACE + self.trial.mul_f64(SHARE)
    }

    /// A sample has cost so much.
    pub fn sampled(&mut self, took: Duration) {
        self.samples.spend(took, self.allowed().mul_f64(FOR_SAMPLES));
    }

    /// Samples are kept half as often.
    pub fn sample_less_often(&mut self) {
        self.samples.least *= 2;
    }

    /// The time between samples.
    pub const fn between_samples(&self) -> Duration {
        self.samples.period
    }

    /// Looking for processes has cost so much.
    pub fn rescanned(&mut self, took: Duration) {
        self.rescans.spend(took, self.allowed().mul_f64(FOR_RESCANS));
    }

    /// The time to looking for processes again once it is known that some came or went, after a look that took so long.
    pub fn between_changes(&self, took: Duration) -> Duration {
        (took * CHANGED).clamp(SHORTEST_RESCAN, LONGEST).min(self.rescans.period)
    }

    /// The time between looking for processes.
    pub const fn between_rescans(&self) -> Duration {
        self.rescans.period
    }

    /// Following what each process runs has cost so much.
    pub fn proved(&mut self, took: Duration) {
        self.proofs.spend(took, self.allowed().mul_f64(FOR_PROOFS));
    }

    /// The time between following what each process runs.
    pub const fn between_proofs(&self) -> Duration {
        self.proofs.period
    }

    /// An exact look at so many pages of so many processes has cost so much.
    pub fn looked(&mut self, took: Duration, pages: u64, processes: u32) {
        self.looks += took;
        let for_pages = took.as_secs_f64() - f64::from(processes) * PROCESS_S;
        if pages > 1000 {
            self.page_s = (for_pages / pages as f64).clamp(PAGE_S / 10.0, PAGE_S * 10.0);
        }
    }

    /// Whether an exact look at so many pages of so many processes is paid for, or may be `owed`.
    pub fn affords(&self, pages: u64, processes: u32, owed: bool) -> bool {
        self.can_pay(pages as f64 * self.page_s + f64::from(processes) * PROCESS_S, owed)
    }

    /// Counting the pages of files and shared memory of so many processes has cost so much.
    pub fn counted(&mut self, took: Duration, processes: u32) {
        self.looks += took;
        self.count_s = took.as_secs_f64() / f64::from(processes.max(1));
    }

    /// Whether that is paid for, or may be `owed`.
    pub fn affords_counting(&self, processes: u32, owed: bool) -> bool {
        self.can_pay(f64::from(processes) * self.count_s, owed)
    }

    fn can_pay(&self, cost: f64, owed: bool) -> bool {
        let spent = self.samples.spent + self.rescans.spent + self.proofs.spent + self.looks;
        let owed = if owed { self.trial.mul_f64(OWED) } else { Duration::ZERO };
        (spent + Duration::from_secs_f64(cost)) <= self.allowed() + owed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_waits_until_the_trial_has_paid_for_it() {
        let mut budget = Budget::begin(false);
        assert!(budget.affords(5_000, 2, false), "a small tree is looked at at once");
        assert!(!budget.affords(500_000, 16, true));
        budget.used(Duration::from_secs(5));
        assert!(budget.affords(500_000, 16, true) && !budget.affords(500_000, 16, false));
        budget.used(Duration::from_secs(8));
        assert!(budget.affords(500_000, 16, false));
        budget.looked(Duration::from_millis(40), 500_000, 16);
        assert!(!budget.affords(500_000, 16, false), "once");
        budget.used(Duration::from_secs(1));
        budget.used(Duration::from_secs(17));
        assert!(budget.affords(500_000, 16, false));
        assert!(!budget.affords_counting(1000, false) && budget.affords_counting(16, false));
    }

    #[test]
    fn what_is_known_to_have_changed_is_looked_at_sooner_than_what_has_not() {
        let mut budget = Budget::begin(true);
        for _ in 0..100 {
            budget.rescanned(Duration::from_millis(1));
        }
        assert_eq!(budget.between_rescans(), LONGEST_UNCHANGED);
        assert_eq!(budget.between_changes(Duration::from_millis(1)), Duration::from_millis(100));
        assert_eq!(budget.between_changes(Duration::ZERO), SHORTEST_RESCAN);
        assert_eq!(budget.between_changes(Duration::from_secs(1)), LONGEST);
    }

    #[test]
    fn what_costs_too_much_comes_less_often_and_never_costs_more_than_the_share() {
        let mut budget = Budget::begin(false);
        let (mut now, mut spent) = (Duration::ZERO, Duration::ZERO);
        while now < Duration::from_secs(60) {
            budget.used(now / 2);
            budget.sampled(Duration::from_micros(300));
            spent += Duration::from_micros(300);
            now += budget.between_samples();
        }
        assert!(budget.between_samples() > INTERVAL);
        assert!(spent < Duration::from_millis(300) + GRACE, "{spent:?} of 30 s");
        let mut cheap = Budget::begin(false);
        for at in 0..6000_u32 {
            cheap.used(Duration::from_millis(u64::from(at) * 10));
            cheap.sampled(Duration::from_micros(8));
        }
        assert_eq!(cheap.between_samples(), INTERVAL);
    }
}
