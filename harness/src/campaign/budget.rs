//! The time budget of a campaign: whether a trial is still begun, and how long it may take.
//!
//! A trial is begun where at least half of the time that such a trial takes is left, beside what deciding takes at the end,
//! so that a campaign ends within half a trial of its budget where trials take what they took before; and one that takes
//! longer is cut off after that time more. The time that the program takes before its first trial counts.

use std::collections::HashMap;
use std::time::Duration;

use crate::trial::executor::TrialSpec;

/// Scenario and arm.
type Place = (usize, usize);

/// No trial is given less than this.
const LEAST: Duration = Duration::from_millis(10);

/// Kept for deciding, and for saying what was decided, once the last trial has ended, seconds.
const TO_DECIDE_S: f64 = 0.1;

/// Sum and count of seconds.
#[derive(Clone, Copy, Debug, Default)]
struct Mean {
    sum: f64,
    count: u32,
}

impl Mean {
    fn add(&mut self, seconds: f64) {
        self.sum += seconds;
        self.count += 1;
    }

    fn get(self) -> Option<f64> {
        (self.count > 0).then(|| self.sum / f64::from(self.count))
    }
}

/// What is left, and what trials took so far.
#[derive(Debug)]
pub(super) struct Budget {
    seconds: Option<f64>,
    /// Seconds of trials before this run of the program.
    before_s: f64,
    /// When this run began, by the executor's clock.
    began_s: f64,
    places: HashMap<Place, Mean>,
    scenarios: HashMap<usize, Mean>,
    all: Mean,
}

impl Budget {
    /// A budget of so many seconds, of which `before_s` were spent by earlier runs, and by this one so far.
    pub(super) fn new(seconds: Option<f64>, before_s: f64, now_s: f64) -> Self {
        let (places, scenarios) = (HashMap::new(), HashMap::new());
        Self { seconds, before_s, began_s: now_s, places, scenarios, all: Mean::default() }
    }

    /// Takes what a trial took, of this run or an earlier one.
    pub(super) fn took(&mut self, (scenario, arm): Place, seconds: f64) {
        if seconds.is_finite() && seconds >= 0.0 {
            self.places.entry((scenario, arm)).or_default().add(seconds);
            self.scenarios.entry(scenario).or_default().add(seconds);
            self.all.add(seconds);
        }
    }

    /// Seconds that a trial will probably take; `None` before the first has ended.
    fn predicted(&self, place: Place) -> Option<f64> {
        let mean = |mean: Option<&Mean>| mean.copied().and_then(Mean::get);
        mean(self.places.get(&place))
            .or_else(|| mean(self.scenarios.get(&place.0)))
            .or_else(|| self.all.get())
    }

    /// Seconds left; `None` without a budget.
    fn left(&self, now_s: f64) -> Option<f64> {
        Some(self.seconds? - self.before_s - (now_s - self.began_s) - TO_DECIDE_S)
    }

    /// Whether a trial may be begun.
    pub(super) fn allows(&self, place: Place, now_s: f64) -> bool {
        self.left(now_s).is_none_or(|left| left > 0.0 && left >= self.predicted(place).unwrap_or(0.0) / 2.0)
    }

    /// Whether there is time for all of these.
    pub(super) fn allows_all(&self, places: impl Iterator<Item = Place>, now_s: f64) -> bool {
        let needed: f64 = places.map(|place| self.predicted(place).unwrap_or(0.0)).sum();
        self.left(now_s).is_none_or(|left| left >= needed)
    }

    /// Cuts a trial's time limit to what is left and the time of one trial; whether that made it shorter.
    pub(super) fn cut(&self, spec: &mut TrialSpec, place: Place, now_s: f64) -> bool {
        let Some(left) = self.left(now_s) else { return false };
        let room = left.max(0.0) + self.predicted(place).unwrap_or(0.0);
        let limit = Duration::try_from_secs_f64(room).unwrap_or(Duration::MAX).max(LEAST);
        let cut = limit < spec.timeout;
        spec.timeout = spec.timeout.min(limit);
        cut
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trial_is_begun_while_half_of_its_time_is_left() {
        let mut budget = Budget::new(Some(10.0), 2.0, 100.0);
        assert!(budget.allows((0, 0), 100.0), "nothing is known of its time");
        budget.took((0, 0), 4.0);
        budget.took((0, 1), 2.0);
        assert!(budget.allows((0, 0), 105.8) && !budget.allows((0, 0), 106.0));
        assert!(budget.allows((0, 1), 106.8) && !budget.allows((0, 1), 107.0));
        // Of an arm that never ran, the mean of its scenario.
        assert!(budget.allows((0, 2), 106.3) && !budget.allows((0, 2), 106.5));
        assert!(!budget.allows_all([(0, 0), (0, 1)].into_iter(), 102.0));
        let endless = Budget::new(None, 0.0, 0.0);
        assert!(endless.allows((0, 0), 1e9));
    }
}
