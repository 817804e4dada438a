//! The drawings of [`Growth`]: one a workload and libc that was measured with more than one thread count.

use super::charts::growth::Growth;
use super::charts::paired::Track;
use super::pictures::{MOST_TRACKS, by_weight, groups};
use super::words;
use crate::format::decision::{Decision, Level, ScenarioDecision, Standing};
use crate::units;

/// The growth of each workload and libc, with the index of its first scenario and the end of a file name.
pub fn growths(decision: &Decision) -> Vec<(usize, Growth, String)> {
    groups(decision).into_iter().filter_map(|group| growth(decision, group)).collect()
}

fn growth(decision: &Decision, mut group: Vec<usize>) -> Option<(usize, Growth, String)> {
    let first = *group.iter().min()?;
    group.retain(|i| decision.scenarios[*i].threads > 0);
    group.sort_by_key(|i| decision.scenarios[*i].threads);
    let scenarios: Vec<&ScenarioDecision> = group.iter().map(|i| &decision.scenarios[*i]).collect();
    let (least, most) = (*scenarios.first()?, *scenarios.last()?);
    let tracks: Vec<Track> = by_weight(decision, most)
        .into_iter()
        .map(|name| track(decision, &scenarios, name))
        .filter(|track| track.rss.iter().flatten().count() > 1)
        .take(MOST_TRACKS)
        .collect();
    if least.threads == most.threads || tracks.is_empty() {
        return None;
    }
    let mut name = words::slug(&least.workload);
    let mut subtitle = format!("{}; {} intervals", least.workload, words::confidence(decision.confidence));
    if least.libc != "host" {
        name = format!("{name}-{}", words::slug(&least.libc));
        subtitle = format!("{subtitle}; libc {}", least.libc);
    }
    let growth = Growth {
        title: finding(decision, least, most),
        subtitle,
        objective: words::objective(decision.objective),
        unit: least.unit.clone(),
        threads: scenarios.iter().map(|s| s.threads).collect(),
        tracks,
    };
    Some((first, growth, name))
}

/// A candidate's figures in several scenarios.
pub fn track(decision: &Decision, scenarios: &[&ScenarioDecision], name: &str) -> Track {
    let figures = |pick: fn(&Standing) -> Option<Level>| {
        let of = |s: &&ScenarioDecision| s.standings.iter().find(|s| s.candidate == name).and_then(pick);
        scenarios.iter().map(of).collect()
    };
    let baseline = name == decision.baseline;
    Track {
        name: name.to_owned(),
        strong: baseline || decision.choice.as_deref() == Some(name),
        baseline,
        rss: figures(|s| s.rss),
        throughput: figures(|s| s.throughput),
    }
}

/// What the baseline takes with the least and with the most threads.
fn finding(decision: &Decision, least: &ScenarioDecision, most: &ScenarioDecision) -> String {
    let rss = |scenario: &ScenarioDecision| {
        let standing = scenario.standings.iter().find(|s| s.candidate == decision.baseline)?;
        standing.rss.map(|level| units::format_bytes(level.estimate))
    };
    let objective = words::objective(decision.objective);
    match (rss(least), rss(most)) {
        (Some(few), Some(many)) => format!(
            "{}: {objective} {few} with {}, {many} with {}",
            words::titled(&decision.baseline),
            least.threads,
            words::threads(most.threads)
        ),
        _ => format!("How {objective} and throughput grow with threads"),
    }
}
