//! Many campaigns counted.

use crate::format::decision::Verdict;

use super::campaign::Mark;

/// Counts and means over campaigns.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Tally {
    /// Campaigns.
    pub campaigns: u32,
    /// Of them, those whose shipped candidate meets the floor.
    pub met: u32,
    /// Mean regret in RSS.
    pub regret: f64,
    /// Mean trials a candidate.
    pub trials: f64,
    /// Campaigns that chose a candidate.
    pub chosen: u32,
    /// Campaigns without a decision.
    pub undecided: u32,
    /// Campaigns whose twin was accused.
    pub accused: u32,
    /// Figures of identical candidates, and those called better or worse.
    pub identical: (u32, u32),
}

impl Tally {
    /// Counts.
    pub fn of(marks: &[Mark]) -> Self {
        let campaigns = marks.len() as u32;
        let count = |what: &dyn Fn(&Mark) -> bool| marks.iter().filter(|mark| what(mark)).count() as u32;
        let mean =
            |what: &dyn Fn(&Mark) -> f64| marks.iter().map(what).sum::<f64>() / f64::from(campaigns.max(1));
        Self {
            campaigns,
            met: count(&|mark| mark.met),
            regret: mean(&|mark| mark.regret),
            trials: mean(&|mark| mark.trials),
            chosen: count(&|mark| mark.verdict == Verdict::Chosen),
            undecided: count(&|mark| mark.verdict == Verdict::Undecided),
            accused: count(&|mark| mark.accused),
            identical: marks
                .iter()
                .fold((0, 0), |sum, mark| (sum.0 + mark.identical.0, sum.1 + mark.identical.1)),
        }
    }

    /// Share of campaigns that met the floor.
    pub fn met_share(&self) -> f64 {
        f64::from(self.met) / f64::from(self.campaigns.max(1))
    }

    /// Share of figures of identical candidates that were called better or worse.
    pub fn false_words(&self) -> f64 {
        f64::from(self.identical.1) / f64::from(self.identical.0.max(1))
    }
}
