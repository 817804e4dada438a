//! A rehearsal in words: on the terminal and in Markdown.

use std::fmt::Write as _;

use comfy_table::presets::NOTHING;
use comfy_table::{Cell, CellAlignment, ContentArrangement, Table};

use super::terminal::{Paint, judged, wrapped};
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

/// The lines of a setting that mends a step.
pub(super) fn ships(step: &Step) -> Option<&Apply> {
    let mends = step.verdict == StepVerdict::Mended;
    step.setting.as_ref().filter(|_| mends)?.apply.as_ref()
}

/// A text with a capital letter and a full stop.
pub(super) fn sentence(text: &str) -> String {
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
pub(super) fn role(rehearsal: &Rehearsal, step: &Step, row: &Rehearsed) -> &'static str {
    match () {
        () if row.candidate == rehearsal.baseline => "●",
        () if step.setting.as_ref().is_some_and(|setting| setting.candidate == row.candidate) => "→",
        () => "",
    }
}

/// Whether a candidate keeps what today has, in a word.
pub(super) fn keeps(row: &Rehearsed) -> &'static str {
    match (&row.unfinished, row.keeps) {
        (Some(_), _) => "did not run",
        (None, Feasible::Yes) => "yes",
        (None, Feasible::No) => "no",
        (None, Feasible::Undecided) => "undecided",
    }
}

fn table(rehearsal: &Rehearsal, step: &Step, scenario: &StepScenario, width: u16, colour: bool) -> String {
    let mut table = Table::new();
    table.load_style(NOTHING).set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
    if colour {
        table.enforce_styling();
    } else {
        table.force_no_tty();
    }
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
