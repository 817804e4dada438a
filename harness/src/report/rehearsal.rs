//! A rehearsal in words: on the terminal, and for the page and Markdown.

use std::fmt::Write as _;

use comfy_table::{Cell, CellAlignment};

use serde::Serialize;

use super::chapter::{self, family, ratio_cell};
use super::terminal::{Paint, judged, plain_table, wrapped};
use super::words;
use crate::format::decision::{Apply, Feasible};
use crate::format::manifest::Scenario;
use crate::format::rehearse::{Rehearsal, Rehearsed, Step, StepScenario, StepVerdict};

/// What the marks of the tables mean.
const LEGEND: &str = "Every figure: that candidate on the C library after, against the baseline on the one before. \
                      ● nothing changed, → setting; ▲ better, ▼ worse, = equivalent, ? undecided";

/// The rehearsal as text of at most `width` columns, with ANSI colours where `colour` is set.
pub fn terminal(rehearsal: &Rehearsal, width: u16, colour: bool) -> String {
    let (mut out, paint) = (String::new(), Paint { colour });
    for warning in &rehearsal.warnings {
        let _ = writeln!(out, "{}", paint.bold(&wrapped(&format!("! {warning}"), width), "33"));
    }
    for step in &rehearsal.steps {
        let tone = match step.verdict {
            StepVerdict::Unharmed | StepVerdict::Mended => "32",
            StepVerdict::Undecided => "33",
            StepVerdict::Regression => "31",
        };
        let title = format!("{}: {}", words::step(step), words::step_headline(step));
        let _ = writeln!(out, "\n{}", paint.bold(&wrapped(&title, width), tone));
        let _ = writeln!(out, "{}", wrapped(&sentence(&step.reason), width));
        let _ = writeln!(out, "{}", wrapped(&format!("{}.", words::best(step)), width));
        for scenario in &step.scenarios {
            let _ = writeln!(out, "\n{}", table(rehearsal, step, scenario, width, colour));
        }
        listed(&mut out, "By glibc's sources this step changes:", &step.expected, width);
        if let Some(apply) = ships(step) {
            let _ = writeln!(out, "\nTo ship with the upgrade:");
            for line in &apply.env {
                let _ = writeln!(out, "  {}", words::clean(line));
            }
            if let Some(note) = &apply.note {
                let _ = writeln!(out, "{}", wrapped(note, width));
            }
        }
    }
    if !rehearsal.steps.is_empty() {
        let _ = writeln!(out, "\n{}", wrapped(LEGEND, width));
    }
    out
}

/// What a step comes to, for the page and Markdown.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    /// The verdict in a word.
    pub verdict: &'static str,
    /// The verdict in a sentence.
    pub headline: String,
    /// Why.
    pub reason: String,
    /// What is best on the libc after.
    pub best: String,
    /// The lines to ship.
    pub ship: Vec<String>,
    /// What the lines cannot do by themselves.
    pub note: Option<String>,
    /// What was seen of why, by scenario.
    pub seen: Vec<String>,
    /// What glibc's sources say that the step changes.
    pub expected: Vec<String>,
    /// A row a scenario and candidate.
    pub rows: Vec<Row>,
}

/// A candidate on the libc after, against today.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// Workload and threads.
    pub scenario: String,
    /// Canonical candidate.
    pub candidate: String,
    /// Class of its colour.
    pub family: &'static str,
    /// What it is to the step, in words; empty for most.
    pub role: &'static str,
    /// RSS against today.
    pub rss: chapter::Cell,
    /// Throughput against today.
    pub throughput: chapter::Cell,
    /// Whether it keeps what today has, or why it did not run.
    pub keeps: String,
}

/// A step of a rehearsal as it is told on the page.
pub fn outcome(rehearsal: &Rehearsal, step: &Step) -> Outcome {
    let apply = ships(step);
    let seen = |scenario: &StepScenario| {
        let name = Scenario::words(&scenario.workload, scenario.threads);
        (!scenario.mechanism.is_empty())
            .then(|| words::clean(&format!("{name}: {}", scenario.mechanism.join("; "))))
    };
    let rows = step.scenarios.iter().flat_map(|scenario| {
        scenario.candidates.iter().map(move |candidate| row(rehearsal, step, scenario, candidate))
    });
    Outcome {
        verdict: words::step_verdict(step.verdict),
        headline: words::clean(&words::step_headline(step)),
        reason: words::clean(&sentence(&step.reason)),
        best: words::clean(&format!("{}.", words::best(step))),
        ship: apply.map_or_else(Vec::new, |apply| apply.env.iter().map(|line| words::clean(line)).collect()),
        note: apply.and_then(|apply| apply.note.as_deref().map(words::clean)),
        seen: step.scenarios.iter().filter_map(seen).collect(),
        expected: step.expected.iter().map(|line| words::clean(line)).collect(),
        rows: rows.collect(),
    }
}

fn row(rehearsal: &Rehearsal, step: &Step, scenario: &StepScenario, candidate: &Rehearsed) -> Row {
    let judged = |ratio, verdict| {
        let mut cell = ratio_cell(ratio);
        if cell.value.is_some() {
            cell.verdict = Some(words::comparison(verdict));
            cell.mark = Some(words::mark(verdict));
        }
        cell
    };
    Row {
        scenario: words::clean(&Scenario::words(&scenario.workload, scenario.threads)),
        candidate: words::clean(&candidate.candidate),
        family: family(&candidate.candidate),
        role: match role(rehearsal, step, candidate) {
            "●" => "nothing changed",
            "→" => "setting",
            _ => "",
        },
        rss: judged(candidate.rss_ratio.as_ref(), candidate.rss_verdict),
        throughput: judged(candidate.throughput_ratio.as_ref(), candidate.throughput_verdict),
        keeps: candidate
            .unfinished
            .as_ref()
            .map_or_else(|| keeps(candidate).to_owned(), |why| words::clean(&format!("did not run: {why}"))),
    }
}

/// The lines of a setting that mends a step.
fn ships(step: &Step) -> Option<&Apply> {
    let mends = step.verdict == StepVerdict::Mended;
    step.setting.as_ref().filter(|_| mends)?.apply.as_ref()
}

/// A text with a capital letter and a full stop.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", letters.as_str().trim_end_matches('.'))
}

fn listed(out: &mut String, title: &str, lines: &[String], width: u16) {
    if !lines.is_empty() {
        let _ = writeln!(out, "\n{title}");
        for line in lines {
            let _ = writeln!(out, "{}", wrapped(&format!("- {line}"), width));
        }
    }
}

/// `●` for nothing changed, `→` for the setting.
fn role(rehearsal: &Rehearsal, step: &Step, row: &Rehearsed) -> &'static str {
    match () {
        () if row.candidate == rehearsal.baseline => "●",
        () if step.setting.as_ref().is_some_and(|setting| setting.candidate == row.candidate) => "→",
        () => "",
    }
}

/// Whether a candidate keeps what today has, in a word.
fn keeps(row: &Rehearsed) -> &'static str {
    match (&row.unfinished, row.keeps) {
        (Some(_), _) => "did not run",
        (None, Feasible::Yes) => "yes",
        (None, Feasible::No) => "no",
        (None, Feasible::Undecided) => "undecided",
    }
}

fn table(rehearsal: &Rehearsal, step: &Step, scenario: &StepScenario, width: u16, colour: bool) -> String {
    let mut table = plain_table(width, colour);
    table.set_header(["", "candidate", "Δ RSS", "Δ throughput", "keeps today's level"]);
    for row in &scenario.candidates {
        table.add_row([
            Cell::new(role(rehearsal, step, row)),
            Cell::new(words::clean(&row.candidate)),
            judged(row.rss_ratio.as_ref(), row.rss_verdict, false),
            judged(row.throughput_ratio.as_ref(), row.throughput_verdict, false),
            Cell::new(keeps(row)),
        ]);
    }
    for index in [2, 3] {
        if let Some(column) = table.column_mut(index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let trust = if scenario.trustworthy { "" } else { " (twin differs: not to be trusted)" };
    let name = words::clean(&Scenario::words(&scenario.workload, scenario.threads));
    let rounds = words::plural(u64::from(scenario.rounds), "round");
    let lines: Vec<String> = table.to_string().lines().map(|line| line.trim_end().to_owned()).collect();
    let mut out = format!("{name}, {rounds}{trust}\n{}", lines.join("\n"));
    for row in &scenario.candidates {
        if let Some(why) = &row.unfinished {
            let _ = write!(out, "\n{}", wrapped(&format!("{}: {why}", row.candidate), width));
        }
    }
    let seen: Vec<&str> = scenario.mechanism.iter().map(String::as_str).collect();
    if !seen.is_empty() {
        let _ =
            write!(out, "\n{}", wrapped(&format!("Seen with nothing changed: {}.", seen.join("; ")), width));
    }
    out
}
