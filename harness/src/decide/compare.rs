//! Before against after: two campaigns, or two libcs of one campaign.
//!
//! Two libcs of one campaign ran in the same rounds and are compared within them. Two campaigns ran at
//! different times, so what the host did differently is in the ratio; it is Welch's interval on the
//! logarithms, and a warning says what it cannot tell apart.

use std::collections::BTreeSet;

use thiserror::Error;

use crate::format::FORMAT;
use crate::format::compare::{Compared, Entry, Metric};
use crate::format::decision::Comparison;
use crate::format::manifest::{Manifest, Scenario};
use crate::statistics::Interval;
use crate::statistics::estimator::Estimator;
use crate::statistics::power::resolvable;
use crate::statistics::summary::Summary;
use crate::statistics::two_sample::welch;

use super::changed;
use super::gate::FEWEST_ROUNDS;
use super::logs::{self, Logs};
use super::observations::{Observations, ScenarioData};
use super::question::Question;
use super::standings::{Good, candidates, compare as word};
use super::twin::{examine, ratio};

/// One side of a comparison.
#[derive(Clone, Copy, Debug)]
pub struct Side<'a> {
    /// The campaign's manifest.
    pub manifest: &'a Manifest,
    /// Its data.
    pub seen: &'a Observations,
    /// The libc to take; `None` takes each scenario with its own.
    pub libc: Option<&'a str>,
}

/// Why two campaigns are not compared.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Refusal {
    /// A workload engine differs, so the work may differ.
    #[error(
        "the workload engine for {allocator} is another one before ({before}) and after ({after}): \
         measure both sides with the same build"
    )]
    Engines {
        /// The engine's allocator.
        allocator: String,
        /// First digits of its fingerprint.
        before: String,
        /// First digits of its fingerprint.
        after: String,
    },
    /// The sides have no workload, thread count and candidate in common.
    #[error("nothing to compare: {0}")]
    NothingInCommon(String),
    /// A libc that the campaign does not have.
    #[error("the campaign has no libc '{0}'; it has {1}")]
    UnknownLibc(String, String),
}

/// Compares after with before.
///
/// # Errors
/// Where the two must not be compared.
pub fn compare(before: &Side, after: &Side, question: &Question) -> Result<Compared, Refusal> {
    check_libc(before)?;
    check_libc(after)?;
    check_engines(before.manifest, after.manifest)?;
    let mut estimator = Estimator::new(question.seed);
    let mut entries = Vec::new();
    let mut unmatched = BTreeSet::new();
    for scenario in scenarios(before) {
        let Some(other) = scenarios(after).find(|other| same_work(scenario, other, before, after)) else {
            unmatched.insert(format!("{} is only in the first", label(scenario)));
            continue;
        };
        let pair = Pair::new(before, after, scenario, other, question, &mut estimator);
        entries.extend(pair.entries(&mut unmatched, &mut estimator));
    }
    for scenario in scenarios(after) {
        if !scenarios(before).any(|other| same_work(other, scenario, before, after)) {
            unmatched.insert(format!("{} is only in the second", label(scenario)));
        }
    }
    let unmatched: Vec<String> = unmatched.into_iter().collect();
    if entries.is_empty() {
        return Err(Refusal::NothingInCommon(unmatched.join("; ")));
    }
    let warnings = warnings(before, after, &entries);
    let changed = changed::changed((before.manifest, before.libc), (after.manifest, after.libc));
    let confidence = 1.0 - question.alpha();
    Ok(Compared {
        format: FORMAT,
        confidence,
        changed,
        entries,
        unmatched,
        warnings,
        host: None,
        hosts: None,
    })
}

fn scenarios<'a>(side: &Side<'a>) -> impl Iterator<Item = &'a ScenarioData> {
    let libc = side.libc;
    side.seen.scenarios.iter().filter(move |scenario| libc.is_none_or(|libc| scenario.libc == libc))
}

/// Same workload and threads; the same libc too, unless one was named on either side.
fn same_work(a: &ScenarioData, b: &ScenarioData, before: &Side, after: &Side) -> bool {
    let named = before.libc.is_some() || after.libc.is_some();
    a.workload == b.workload && a.threads == b.threads && (named || a.libc == b.libc)
}

fn label(scenario: &ScenarioData) -> String {
    format!("{}, {}", Scenario::words(&scenario.workload, scenario.threads), scenario.libc)
}

fn check_libc(side: &Side) -> Result<(), Refusal> {
    let known = side.manifest.libcs.iter().map(|libc| libc.name.as_str());
    match side.libc {
        Some(name) if !known.clone().any(|known| known == name) => {
            let known: Vec<&str> = known.collect();
            Err(Refusal::UnknownLibc(name.to_owned(), known.join(", ")))
        }
        _ => Ok(()),
    }
}

/// Engines of one architecture must be the same; of two, they can't be.
fn check_engines(before: &Manifest, after: &Manifest) -> Result<(), Refusal> {
    if before.host.arch != after.host.arch {
        return Ok(());
    }
    // Two builds of a program of the user's may be what is to be compared.
    for (allocator, binary) in before.binaries.iter().filter(|(key, _)| !key.starts_with("program:")) {
        let Some(other) = after.binaries.get(allocator).filter(|other| other.sha256 != binary.sha256) else {
            continue;
        };
        let short = |sha: &str| sha.chars().take(12).collect();
        return Err(Refusal::Engines {
            allocator: allocator.clone(),
            before: short(&binary.sha256),
            after: short(&other.sha256),
        });
    }
    Ok(())
}

fn warnings(before: &Side, after: &Side, entries: &[Entry]) -> Vec<String> {
    let mut warnings = Vec::new();
    let (a, b) = (before.manifest, after.manifest);
    if entries.iter().any(|entry| !entry.paired) {
        warnings.push(
            "the two campaigns ran at different times: what the host did differently then cannot be told \
             from what the change did"
                .to_owned(),
        );
    }
    let mut note = |what: &str, before: String, after: String| {
        if before != after {
            warnings.push(format!("{what} differs: {before} before, {after} after"));
        }
    };
    note("the architecture", a.host.arch.clone(), b.host.arch.clone());
    note("the host", a.host.name.clone(), b.host.name.clone());
    note("the number of CPUs", a.host.cpus_allowed.to_string(), b.host.cpus_allowed.to_string());
    note("the seed of the workloads", a.seed.to_string(), b.seed.to_string());
    warnings.extend(changed::too_much((a, before.libc), (b, after.libc)));
    if entries.len() >= 20 {
        warnings.push(format!(
            "{} figures are compared, each by itself: some of their intervals miss by chance",
            entries.len()
        ));
    }
    warnings
}

/// One scenario on both sides.
struct Pair<'a> {
    before: &'a Side<'a>,
    after: &'a Side<'a>,
    scenarios: (&'a ScenarioData, &'a ScenarioData),
    logs: (Logs, Logs),
    question: &'a Question,
    trusted: bool,
    paired: bool,
}

impl<'a> Pair<'a> {
    fn new(
        before: &'a Side<'a>,
        after: &'a Side<'a>,
        old: &'a ScenarioData,
        new: &'a ScenarioData,
        question: &'a Question,
        estimator: &mut Estimator,
    ) -> Self {
        let logs = |side: &Side, scenario| Logs::of(scenario, side.seen.arms.len(), question.objective);
        let logs = (logs(before, old), logs(after, new));
        let mut honest = |side: &Side, logs: &Logs| {
            let twin = examine(logs, side.seen, question.alpha(), side.seen.scenarios.len(), estimator);
            twin.is_none_or(|twin| twin.trustworthy)
        };
        let trusted = honest(before, &logs.0) && honest(after, &logs.1);
        let paired = std::ptr::eq(before.seen, after.seen);
        Self { before, after, scenarios: (old, new), logs, question, trusted, paired }
    }

    fn entries(&self, unmatched: &mut BTreeSet<String>, estimator: &mut Estimator) -> Vec<Entry> {
        let named = |side: &Side, name: &str| {
            candidates(side.seen).into_iter().find(|arm| side.seen.arms[*arm].name == name)
        };
        let mut entries = Vec::new();
        for old in candidates(self.before.seen) {
            let name = &self.before.seen.arms[old].name;
            match named(self.after, name) {
                Some(new) => entries.extend(self.figures(old, new, estimator)),
                None => _ = unmatched.insert(format!("{name} is only in the first")),
            }
        }
        for new in candidates(self.after.seen) {
            let name = &self.after.seen.arms[new].name;
            if named(self.before, name).is_none() {
                unmatched.insert(format!("{name} is only in the second"));
            }
        }
        entries
    }

    fn figures(&self, old: usize, new: usize, estimator: &mut Estimator) -> Vec<Entry> {
        let figures = [
            (Metric::Throughput, logs::Metric::Throughput, Good::More),
            (Metric::Rss, logs::Metric::Rss, Good::Less),
            (Metric::P99, logs::Metric::P99, Good::Less),
        ];
        let measured = |metric| !self.logs.0.levels(metric, old).is_empty();
        let figures = figures.into_iter().filter(|(_, metric, _)| measured(*metric));
        // Throughput in other units is no throughput that compares.
        let same_unit = self.scenarios.0.unit == self.scenarios.1.unit;
        let figures = figures.filter(|(metric, ..)| *metric != Metric::Throughput || same_unit);
        figures.map(|(name, metric, good)| self.entry(name, metric, good, (old, new), estimator)).collect()
    }

    fn entry(
        &self,
        name: Metric,
        metric: logs::Metric,
        good: Good,
        (old, new): (usize, usize),
        estimator: &mut Estimator,
    ) -> Entry {
        let tail = self.question.alpha() / 2.0;
        let (before, after) = (self.logs.0.levels(metric, old), self.logs.1.levels(metric, new));
        let (interval, resolvable) = if self.paired {
            let ratios = self.logs.1.over(metric, new, &self.logs.0, old);
            let summary = Summary::of(&ratios);
            let interval = estimator.interval(&ratios, tail);
            (interval, summary.filter(|_| interval.is_some()).and_then(|s| resolvable(&s, tail)))
        } else {
            let welch = welch(&after, &before, tail);
            (welch.map(|w| w.interval), welch.map(|w| w.resolvable))
        };
        // Of fewer rounds neither an interval nor a word is given.
        let enough = before.len().min(after.len()) >= FEWEST_ROUNDS as usize;
        let (interval, resolvable) = if enough { (interval, resolvable) } else { (None, None) };
        let verdict = |interval: &Interval| word(interval, self.question.margin(), good, self.trusted);
        Entry {
            workload: self.scenarios.0.workload.clone(),
            threads: self.scenarios.0.threads,
            libc: (self.scenarios.0.libc.clone(), self.scenarios.1.libc.clone()),
            candidate: self.before.seen.arms[old].name.clone(),
            metric: name,
            ratio: interval.map(ratio),
            verdict: interval.as_ref().map_or(Comparison::Undecided, verdict),
            resolvable: resolvable.map(f64::exp_m1),
            rounds: (before.len() as u32, after.len() as u32),
            paired: self.paired,
        }
    }
}

#[cfg(test)]
mod tests;
