//! A row for each trial, so that every figure can be followed down to the lines it was made from.

use std::collections::BTreeMap;

use serde::Serialize;

use super::words;
use crate::format::decision::{Objective, ScenarioDecision};
use crate::format::trial::{Status, TrialRecord};
use crate::units;

/// The most rows that a page has; what did not finish comes first.
pub const MOST_ROWS: usize = 6000;

/// The trials of one candidate in one scenario.
#[derive(Clone, Debug, Serialize)]
pub struct Group {
    /// Canonical candidate.
    pub candidate: String,
    /// Its index among the standings; `None` where it has none.
    pub index: Option<usize>,
    /// In the order in which they ended.
    pub rows: Vec<Row>,
}

/// One trial.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// Line in `trials.jsonl`, from 1.
    pub line: usize,
    /// Round, with the attempt where it was run again, and whether it is the twin's.
    pub round: String,
    /// What became of it; the reason where it did not finish.
    pub status: String,
    /// The objective's RSS.
    pub rss: String,
    /// Work per second.
    pub rate: String,
    /// 99th percentile of malloc; of a program of the user's the latency that was printed.
    pub p99: String,
    /// Whether its setting was seen to be in force.
    pub verified: bool,
}

/// Which lines have a row, where there are too many: all that did not finish, then the first.
fn shown(trials: &[TrialRecord]) -> Vec<bool> {
    let mut shown = vec![false; trials.len()];
    let unfinished = |i: &usize| trials[*i].status != Status::Ok;
    let finished = |i: &usize| trials[*i].status == Status::Ok;
    let all = 0..trials.len();
    for index in all.clone().filter(unfinished).chain(all.filter(finished)).take(MOST_ROWS) {
        shown[index] = true;
    }
    shown
}

/// The rows of a scenario, a group a candidate in the order of its standings.
pub fn groups(trials: &[TrialRecord], scenario: &ScenarioDecision, objective: Objective) -> Vec<Group> {
    let shown = shown(trials);
    let mut found: BTreeMap<&str, Vec<Row>> = BTreeMap::new();
    let here = trials.iter().enumerate().filter(|(index, t)| {
        shown[*index]
            && t.workload == scenario.workload
            && t.threads == scenario.threads
            && t.libc == scenario.libc
    });
    for (index, trial) in here {
        found.entry(&trial.candidate).or_default().push(row(index + 1, trial, objective));
    }
    let mut groups: Vec<Group> = Vec::new();
    for (index, standing) in scenario.standings.iter().enumerate() {
        if let Some(rows) = found.remove(standing.candidate.as_str()) {
            groups.push(Group { candidate: words::clean(&standing.candidate), index: Some(index), rows });
        }
    }
    let others = found.into_iter();
    groups.extend(others.map(|(name, rows)| Group { candidate: words::clean(name), index: None, rows }));
    groups
}

fn row(line: usize, trial: &TrialRecord, objective: Objective) -> Row {
    let dash = || "–".to_owned();
    let rss = trial.rss.as_ref().and_then(|rss| match objective {
        Objective::Peak => Some(rss.peak),
        Objective::Mean => Some(rss.mean),
        Objective::End => Some(rss.end),
        Objective::Drained => rss.drained,
    });
    let p99 = trial.latency_ns.as_ref().and_then(|l| l.malloc.as_ref()).map(|q| q.p99);
    let p99 = p99.or_else(|| trial.program.as_ref()?.latency_ns());
    let again = if trial.attempt > 0 { format!(", run {}", trial.attempt + 1) } else { String::new() };
    let twin = if trial.twin { ", twin" } else { "" };
    let status = words::status(trial.status);
    Row {
        line,
        round: format!("{}{again}{twin}", trial.round),
        status: words::clean(&match &trial.reason {
            Some(reason) => format!("{status}: {reason}"),
            None => status.to_owned(),
        }),
        rss: rss.map_or_else(dash, |bytes| units::format_bytes(bytes as f64)),
        rate: trial
            .throughput
            .as_ref()
            .map_or_else(dash, |t| units::format_rate(t.value, "").trim_end().to_owned()),
        p99: p99.filter(|v| v.is_finite()).map_or_else(dash, |v| units::format_seconds(v * 1e-9)),
        verified: trial.effect.verified,
    }
}
