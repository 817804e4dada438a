//! Before and after: what changed from one campaign to another, or from one libc to another.

use std::collections::BTreeMap;

use serde::Serialize;

use super::chapter::{Cell, family, ratio_cell};
use super::charts::forest::{Estimate, Forest, Row};
use super::rehearsal::Outcome;
use super::story::Figure;
use super::words;
use crate::format::compare::{Change, Compared, Entry, Metric};
use crate::format::decision::Objective;
use crate::format::manifest::Scenario;

/// A step to tell of.
#[derive(Clone, Debug)]
pub struct Step {
    /// What came before, in words.
    pub before: String,
    /// What came after, in words.
    pub after: String,
    /// The comparison; or why there is none.
    pub outcome: Result<Compared, String>,
    /// What the step comes to, where it is one from a C library to the next.
    pub rehearsed: Option<Outcome>,
}

/// A step as it is told.
#[derive(Clone, Debug, Serialize)]
pub struct Told {
    /// Fragment to link to.
    pub anchor: String,
    /// From what to what.
    pub title: String,
    /// Why there is no comparison.
    pub refused: Option<String>,
    /// What changed: host, C library, programs and how they were built.
    pub changed: Vec<String>,
    /// What must be known before believing it.
    pub warnings: Vec<String>,
    /// What only one side has.
    pub unmatched: Vec<String>,
    /// Stated confidence in words.
    pub confidence: String,
    /// What it comes to, where it is a step from a C library to the next.
    pub rehearsed: Option<Outcome>,
    /// The drawing.
    pub figures: Vec<Figure>,
    /// A row a figure.
    pub rows: Vec<Line>,
}

/// One figure of one candidate.
#[derive(Clone, Debug, Serialize)]
pub struct Line {
    /// Workload, threads, and the libcs where they are not the host's.
    pub scenario: String,
    /// Canonical candidate.
    pub candidate: String,
    /// Class of its colour.
    pub family: &'static str,
    /// `throughput`, `RSS`, `p99 of malloc`.
    pub figure: &'static str,
    /// After over before, with its verdict.
    pub change: Cell,
    /// Smallest change that could have been seen.
    pub resolvable: String,
    /// Rounds before and after.
    pub rounds: (u32, u32),
}

/// The most rows of the drawing; the table has all.
const MOST_ROWS: usize = 30;
/// The most lines of what only one side has.
const MOST_UNMATCHED: usize = 20;

/// The most lines of what changed.
const MOST_CHANGED: usize = 40;

fn changed(change: &Change) -> String {
    let [before, after] = [&change.before, &change.after].map(|side| words::shortened(side, 160));
    words::clean(&format!("{}: {before} before, {after} after", change.what))
}

/// Puts a step into words.
pub fn tell(step: &Step, index: usize, figures: Vec<Figure>) -> Told {
    let mut told = Told {
        anchor: format!("between-{}", index + 1),
        title: words::clean(&format!("From {} to {}", step.before, step.after)),
        refused: None,
        changed: Vec::new(),
        warnings: Vec::new(),
        unmatched: Vec::new(),
        confidence: String::new(),
        rehearsed: step.rehearsed.clone(),
        figures,
        rows: Vec::new(),
    };
    match &step.outcome {
        Err(why) => told.refused = Some(words::clean(why)),
        Ok(compared) => {
            told.changed = compared.changed.iter().take(MOST_CHANGED).map(changed).collect();
            told.warnings = compared.warnings.iter().map(|w| words::clean(w)).collect();
            told.unmatched =
                compared.unmatched.iter().take(MOST_UNMATCHED).map(|u| words::clean(u)).collect();
            told.confidence = words::confidence(compared.confidence);
            told.rows = compared.entries.iter().map(line).collect();
        }
    }
    told
}

fn line(entry: &Entry) -> Line {
    let mut change = ratio_cell(entry.ratio.as_ref());
    if change.value.is_some() {
        change.verdict = Some(words::comparison(entry.verdict));
        change.mark = Some(words::mark(entry.verdict));
    }
    Line {
        scenario: words::clean(&scenario(entry)),
        candidate: words::clean(&entry.candidate),
        family: family(&entry.candidate),
        figure: match entry.metric {
            Metric::Throughput => "throughput",
            Metric::Rss => "RSS",
            Metric::P99 => "p99 of malloc",
        },
        change,
        resolvable: entry.resolvable.map_or("–".to_owned(), words::share),
        rounds: entry.rounds,
    }
}

fn scenario(entry: &Entry) -> String {
    let named = Scenario::words(&entry.workload, entry.threads);
    match (entry.libc.0.as_str(), entry.libc.1.as_str()) {
        ("host", "host") => named,
        (before, after) if before == after => format!("{named}, libc {before}"),
        (before, after) => format!("{named}, libc {before} → {after}"),
    }
}

/// The drawing of a step: the candidates that both sides have, scenario by scenario.
pub fn forest(step: &Step, objective: Objective) -> Option<Forest> {
    let compared = step.outcome.as_ref().ok()?;
    let mut rows: BTreeMap<(usize, &str), Row> = BTreeMap::new();
    let mut scenarios: Vec<String> = Vec::new();
    // The libcs are said once, where they are the same for all.
    let one_pair = compared.entries.windows(2).all(|pair| pair[0].libc == pair[1].libc);
    for entry in &compared.entries {
        let short = words::shortened(&entry.workload, 18);
        let name = if one_pair {
            Scenario::words(&short, entry.threads)
        } else {
            scenario(&Entry { workload: short, ..entry.clone() })
        };
        let place = scenarios.iter().position(|known| *known == name).unwrap_or_else(|| {
            scenarios.push(name.clone());
            scenarios.len() - 1
        });
        let estimate =
            entry.ratio.map(|ratio| Estimate { ratio: ratio.drawn(), verdict: Some(entry.verdict) });
        let row = rows.entry((place, &entry.candidate)).or_insert_with(|| Row {
            label: label(&name, &entry.candidate, compared),
            candidate: entry.candidate.clone(),
            chosen: false,
            rss: None,
            throughput: None,
        });
        match entry.metric {
            Metric::Rss => row.rss = estimate,
            Metric::Throughput => row.throughput = estimate,
            Metric::P99 => {}
        }
    }
    let rows: Vec<Row> = rows.into_values().filter(|r| r.rss.is_some() || r.throughput.is_some()).collect();
    let left_out = rows.len().saturating_sub(MOST_ROWS);
    let confidence = words::confidence(compared.confidence);
    let more = if left_out > 0 { format!("; {left_out} more in the table") } else { String::new() };
    (!rows.is_empty()).then(|| Forest {
        title: finding(&rows, scenarios.len()),
        subtitle: format!("{} → {}; {confidence} intervals{more}", step.before, step.after),
        objective: words::objective(objective),
        against: "before",
        rows: rows.into_iter().take(MOST_ROWS).collect(),
        floor: None,
    })
}

/// The scenario is said where there is more than one.
fn label(scenario: &str, candidate: &str, compared: &Compared) -> String {
    let first = compared.entries.first();
    let alone = compared.entries.iter().all(|e| {
        first.is_some_and(|f| (&e.workload, e.threads, &e.libc) == (&f.workload, f.threads, &f.libc))
    });
    if alone { candidate.to_owned() } else { format!("{scenario}: {candidate}") }
}

/// How many are better and worse, in each figure.
fn finding(rows: &[Row], scenarios: usize) -> String {
    use crate::format::decision::Comparison;
    let count = |pick: fn(&Row) -> Option<Estimate>, wanted: Comparison| {
        rows.iter().filter(|row| pick(row).is_some_and(|e| e.verdict == Some(wanted))).count()
    };
    let tell = |name: &str, pick: fn(&Row) -> Option<Estimate>| {
        let (better, worse) = (count(pick, Comparison::Better), count(pick, Comparison::Worse));
        match (better, worse) {
            (0, 0) => format!("{name} no change shown"),
            (better, worse) => format!("{name} {better} better, {worse} worse"),
        }
    };
    let places = if scenarios > 1 { format!(", {scenarios} scenarios") } else { String::new() };
    format!(
        "{}{places}: {}; {}",
        words::plural(rows.len() as u64, "comparison"),
        tell("RSS", |row| row.rss),
        tell("throughput", |row| row.throughput)
    )
}
