//! Whether RSS had reached its plateau in the steady phase. Where it still rose, peak, mean and end depend on how long
//! was measured, and a reader must know. Pure.

use std::collections::BTreeMap;

use crate::format::manifest::Scenario;
use crate::format::trial::{Status, TrialRecord};
use crate::statistics::estimator::Estimator;
use crate::units::format_share;

/// A rise over the whole steady phase below this share of the mean RSS is not worth a warning.
const WORTH: f64 = 0.1;
/// Fewest rounds that a warning rests on.
const FEWEST: usize = 3;

/// Workload, threads, libc.
type Key<'a> = (&'a str, u32, &'a str);
/// The rise by candidate and round.
type Candidates<'a> = BTreeMap<&'a str, BTreeMap<u32, f64>>;

/// A candidate whose RSS rose all through the steady phase.
struct Rising<'a> {
    candidate: &'a str,
    /// The rise over the steady phase, over the mean.
    share: f64,
}

/// A warning for each scenario in which RSS is shown, with this confidence, to have risen over the steady phase by a
/// tenth of its mean or more. Bursts and batch jobs of the user's are left out: theirs rises by design.
pub fn not_reached(trials: &[TrialRecord], confidence: f64) -> Vec<String> {
    let mut scenarios: BTreeMap<Key, Candidates> = BTreeMap::new();
    for trial in trials.iter().filter(|trial| !trial.twin && trial.status == Status::Ok) {
        if let Some(share) = rise(trial) {
            let scenario = scenarios.entry((&trial.workload, trial.threads, &trial.libc)).or_default();
            // Of a round that was run again the last run counts.
            scenario.entry(&trial.candidate).or_default().insert(trial.round, share);
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
            let shares: Vec<f64> = rounds.into_values().collect();
            let interval = estimator.interval(&shares, tail).filter(|_| shares.len() >= FEWEST)?;
            (interval.low > 0.0 && interval.estimate >= WORTH)
                .then_some(Rising { candidate, share: interval.estimate })
        });
        words(&scenario, rising.collect(), of)
    };
    scenarios.into_iter().filter_map(warn).collect()
}

/// The rise of RSS over the steady phase, over its mean.
fn rise(trial: &TrialRecord) -> Option<f64> {
    let batch = trial.program.is_some() && trial.rss.as_ref()?.drained.is_none();
    if trial.burst.is_some() || batch {
        return None;
    }
    let rss = trial.rss.as_ref()?;
    let share = rss.slope? * trial.wall_s? / rss.mean as f64;
    share.is_finite().then_some(share)
}

fn words(scenario: &str, rising: Vec<Rising>, of: usize) -> Option<String> {
    let count = rising.len();
    let most = rising.into_iter().max_by(|a, b| a.share.total_cmp(&b.share))?;
    let (candidate, share) = (most.candidate, format_share(most.share));
    let who = match count {
        1 => format!("under {candidate}, by {share} of its mean"),
        many => format!("under {many} of {of} candidates, most under {candidate}, by {share} of its mean"),
    };
    Some(format!(
        "{scenario}: RSS was still rising all through the counted work {who}: it has no plateau yet, so its figures \
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
        let rising = rounds("glibc", [150.0, 160.0, 155.0]);
        let worse = rounds("jemalloc", [250.0, 260.0, 255.0]);
        let level = rounds("mimalloc", [0.0, 3.0, -2.0]);
        let all = [rising, worse, level].concat();
        let warnings = not_reached(&all, 0.95);
        assert_eq!(warnings.len(), 1);
        assert!(
            warnings[0].starts_with(
                "larson, 4 threads: RSS was still rising all through the counted work under 2 of 3 candidates, most \
                 under jemalloc, by 51.0 % of its mean"
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
        let bursts = rounds("glibc", [200.0, 201.0, 202.0]).map(|trial| TrialRecord {
            burst: Some(Burst { before: 1, peak: 9, after: 2, retained: 1, live_before: 1, live_after: 1 }),
            ..trial
        });
        assert!(not_reached(&bursts, 0.95).is_empty());
    }

    #[test]
    fn of_a_round_that_was_run_again_the_last_run_counts() {
        let disturbed = rounds("glibc", [200.0, 201.0, 202.0]);
        let again = rounds("glibc", [0.0, 1.0, -1.0]).map(|trial| TrialRecord { attempt: 1, ..trial });
        assert_eq!(not_reached(&disturbed, 0.95).len(), 1);
        assert!(not_reached(&[disturbed, again].concat(), 0.95).is_empty());
    }
}
