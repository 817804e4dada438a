//! Whether RSS had reached its plateau in the steady phase. Where it still rose, peak, mean and end depend on how long
//! was measured, and a reader must know. What counts is the end of the curve: a service that fills its caches for the first
//! third and is level from then on has a plateau. Pure.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::format::manifest::Scenario;
use crate::format::trial::{Status, TrialRecord};
use crate::statistics::FEWEST_VALUES;
use crate::statistics::estimator::Estimator;
use crate::units::format_share;

/// A rise below this share of the mean RSS, were the last half's to go on for a whole steady phase, is not worth a warning.
const WORTH: f64 = 0.1;
/// Fewest rounds that a warning rests on.
const FEWEST: usize = FEWEST_VALUES;

/// Workload, threads, libc.
type Key<'a> = (&'a str, u32, &'a str);
/// The rise by candidate and round.
type Candidates<'a> = BTreeMap<&'a str, BTreeMap<u32, Rise>>;

/// How RSS rose.
#[derive(Clone, Copy)]
struct Rise {
    /// At the rate of the last half over a whole steady phase, over the mean.
    end: f64,
    /// Over the steady phase, over the mean; `None` where it is not known.
    all: Option<f64>,
}

/// A candidate whose RSS still rose at the end of the steady phase.
struct Rising<'a> {
    candidate: &'a str,
    /// The rise over the last half, over the mean.
    share: f64,
    /// Part of the rise over the whole phase that is the last half's, where both are known.
    of_all: Option<f64>,
}

/// A warning for each scenario in which RSS is shown, with this confidence, to have risen over the last half of the steady
/// phase by a twentieth of its mean or more. Bursts and batch jobs of the user's are left out: theirs rises by design.
pub fn not_reached(trials: &[TrialRecord], confidence: f64) -> Vec<String> {
    let mut scenarios: BTreeMap<Key, Candidates> = BTreeMap::new();
    for trial in trials.iter().filter(|trial| !trial.twin && trial.status == Status::Ok) {
        if let Some(rise) = rise(trial) {
            let scenario = scenarios.entry((&trial.workload, trial.threads, &trial.libc)).or_default();
            // Of a round that was run again the last run counts.
            scenario.entry(&trial.candidate).or_default().insert(trial.round, rise);
        }
    }
    let mut estimator = Estimator::student();
    let tail = (1.0 - confidence.clamp(0.5, 0.9999)) / 2.0;
    let several = scenarios.keys().any(|(_, _, libc)| *libc != "host");
    let warn = |((workload, threads, libc), candidates): (Key, Candidates)| {
        let mut scenario = Scenario::words(workload, threads);
        if several {
            scenario = format!("{scenario}, {libc}");
        }
        let of = candidates.len();
        let rising = candidates.into_iter().filter_map(|(candidate, rounds)| {
            let ends: Vec<f64> = rounds.values().map(|rise| rise.end).collect();
            let interval = estimator.interval(&ends, tail).filter(|_| ends.len() >= FEWEST)?;
            let rising = interval.low > 0.0 && interval.estimate >= WORTH;
            rising.then(|| {
                let share = interval.estimate / 2.0;
                let all: Option<Vec<f64>> = rounds.values().map(|rise| rise.all).collect();
                let of_all = all.map(|all| share / (all.iter().sum::<f64>() / all.len() as f64));
                Rising { candidate, share, of_all: of_all.filter(|part| (0.0..=1.0).contains(part)) }
            })
        });
        words(&scenario, rising.collect(), of)
    };
    scenarios.into_iter().filter_map(warn).collect()
}

/// The rise of RSS, over its mean. Records that do not tell of the end tell of the whole.
fn rise(trial: &TrialRecord) -> Option<Rise> {
    let batch = trial.program.is_some() && trial.rss.as_ref()?.drained.is_none();
    if trial.burst.is_some() || batch {
        return None;
    }
    let rss = trial.rss.as_ref()?;
    let per_slope = trial.wall_s? / rss.mean as f64;
    let share = |slope: f64| Some(slope * per_slope).filter(|share| share.is_finite());
    let end = rss.slope_end.or(rss.slope).and_then(share)?;
    Some(Rise { end, all: rss.slope.filter(|_| rss.slope_end.is_some()).and_then(share) })
}

fn words(scenario: &str, rising: Vec<Rising>, of: usize) -> Option<String> {
    let count = rising.len();
    let most = rising.into_iter().max_by(|a, b| a.share.total_cmp(&b.share))?;
    let (candidate, mut share) = (most.candidate, format!("{} of its mean", format_share(most.share)));
    if let Some(part) = most.of_all {
        let _ = write!(share, " there ({} of all its rise)", format_share(part));
    }
    let who = match count {
        1 => format!("under {candidate}, by {share}"),
        many => format!("under {many} of {of} candidates, most under {candidate}, by {share}"),
    };
    Some(format!(
        "{scenario}: RSS was still rising in the last half of the counted work {who}: it has no plateau yet, so its figures \
         depend on how long is measured; measure longer, or look for a leak"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::campaign::fixture;
    use crate::format::trial::{Burst, Rss};

    fn trial(candidate: &str, slope: f64) -> TrialRecord {
        let rss = Rss {
            peak: 1100,
            mean: 1000,
            end: 1000,
            drained: Some(10),
            trimmed: None,
            trim: None,
            lazy_free: None,
            anon_huge: None,
            pss: None,
            swap: None,
            hugetlb: None,
            bounds: None,
            samples: 100,
            slope: Some(slope),
            slope_end: Some(slope),
            reading_s: 0.0,
            source: String::new(),
        };
        TrialRecord {
            candidate: candidate.to_owned(),
            wall_s: Some(2.0),
            rss: Some(rss),
            ..fixture::trial(candidate)
        }
    }

    /// A trial of each round.
    fn rounds<const N: usize>(candidate: &str, slopes: [f64; N]) -> [TrialRecord; N] {
        let mut round = 0..;
        slopes.map(|slope| TrialRecord { round: round.next().unwrap_or(0), ..trial(candidate, slope) })
    }

    #[test]
    fn a_shown_rise_is_told_with_the_worst_of_its_candidates() {
        let rising = rounds("glibc", [150.0, 160.0, 155.0, 155.0]);
        let worse = rounds("jemalloc", [250.0, 260.0, 255.0, 255.0]);
        let level = rounds("mimalloc", [0.0, 3.0, -2.0, 1.0]);
        let all: Vec<TrialRecord> = rising.into_iter().chain(worse).chain(level).collect();
        let warnings = not_reached(&all, 0.95);
        assert_eq!(warnings.len(), 1);
        assert!(
            warnings[0].starts_with(
                "larson, 4 threads: RSS was still rising in the last half of the counted work under 2 of 3 \
                 candidates, most under jemalloc, by 25.5 % of its mean there (50.0 % of all its rise)"
            ),
            "{}",
            warnings[0]
        );
    }

    #[test]
    fn noise_little_rises_and_bursts_are_not() {
        let noise = rounds("glibc", [900.0, -700.0, 100.0]);
        assert!(not_reached(&noise, 0.95).is_empty());
        let little = rounds("glibc", [20.0, 21.0, 20.5]);
        assert!(not_reached(&little, 0.95).is_empty());
        let two = rounds("glibc", [200.0, 201.0]);
        assert!(not_reached(&two, 0.95).is_empty());
        let bursts = rounds("glibc", [200.0, 201.0, 202.0, 201.0]).map(|trial| TrialRecord {
            burst: Some(Burst { before: 1, peak: 9, after: 2, retained: 1, live_before: 1, live_after: 1 }),
            ..trial
        });
        assert!(not_reached(&bursts, 0.95).is_empty());
    }

    /// A trial that rose by half of its mean over the phase, with so much of its slope at its end.
    fn ending(of_slope: Option<f64>) -> Vec<TrialRecord> {
        let with_end = |trial: TrialRecord| {
            let end = |slope: Option<f64>| Some(slope? * of_slope?);
            let rss = trial.rss.clone().map(|rss| Rss { slope_end: end(rss.slope), ..rss });
            TrialRecord { rss, ..trial }
        };
        rounds("glibc", [250.0, 260.0, 255.0, 252.0]).map(with_end).to_vec()
    }

    #[test]
    fn what_rose_at_first_and_then_was_level_has_a_plateau() {
        assert!(not_reached(&ending(Some(0.0)), 0.95).is_empty());
        assert_eq!(not_reached(&ending(Some(0.4)), 0.95).len(), 1, "it still rises");
        assert_eq!(not_reached(&ending(None), 0.95).len(), 1, "an older record tells of the whole alone");
    }

    #[test]
    fn of_a_round_that_was_run_again_the_last_run_counts() {
        let disturbed = rounds("glibc", [200.0, 201.0, 202.0, 201.0]);
        let again = rounds("glibc", [0.0, 1.0, -1.0, 0.0]).map(|trial| TrialRecord { attempt: 1, ..trial });
        assert_eq!(not_reached(&disturbed, 0.95).len(), 1);
        assert!(not_reached(&[disturbed, again].concat(), 0.95).is_empty());
    }
}
