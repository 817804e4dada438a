//! The same story on a terminal: the verdict, a table a scenario with bars and marks, lines to apply.

use std::fmt::Write as _;

use comfy_table::presets::NOTHING;
use comfy_table::{Attribute, Cell, CellAlignment, Color, ContentArrangement, Table};

use super::words;
use crate::format::decision::{Comparison, Decision, Estimates, Ratio, ScenarioDecision, Standing, Verdict};
use crate::units;

/// Narrower than this the table cannot be read; lines are then longer than asked for.
const NARROWEST: u16 = 40;
/// Narrower than this, bars have no room.
const ROOM_FOR_BARS: u16 = 76;
/// Narrower than this, only what changes against the baseline has room.
const ROOM_FOR_LEVELS: u16 = 66;
/// What the marks mean.
const LEGEND: &str = "→ choice, ● baseline, · Pareto front; ▲ better, ▼ worse, = equivalent, ? undecided; ~ too few rounds for an interval (intervals: the report)";
/// Narrower than this, bars are short and columns close together.
const ROOM_FOR_AIR: u16 = 100;
/// Width of a bar in characters, with room and without.
const BAR: (usize, usize) = (10, 6);

/// The decision as text of at most `width` columns, with ANSI colours where `colour` is set.
pub fn terminal(decision: &Decision, width: u16, colour: bool) -> String {
    let width = width.max(NARROWEST);
    let mut out = String::new();
    let paint = Paint { colour };
    let tone = match decision.verdict {
        _ if !words::trustworthy(decision) || decision.host.as_ref().is_some_and(|host| host.busy) => "31",
        Verdict::Chosen | Verdict::KeepBaseline => "32",
        Verdict::NoneFeasible | Verdict::Undecided => "33",
    };
    let (headline, otherwise) = words::headline(decision);
    let _ = writeln!(out, "{}", paint.bold(&wrapped(&headline, width), tone));
    if let Some(otherwise) = otherwise {
        let _ = writeln!(out, "{}", wrapped(&otherwise, width));
    }
    if !decision.reason.is_empty() {
        let _ = writeln!(out, "{}", wrapped(&decision.reason, width));
    }
    if let Some(next) = words::next(decision) {
        let _ = writeln!(out, "{}", wrapped(&next, width));
    }
    for warning in words::warnings(decision) {
        let _ = writeln!(out, "{}", paint.bold(&wrapped(&format!("! {warning}"), width), "33"));
    }
    let disturbed = decision.host.as_ref().filter(|host| !host.busy && host.disturbed_share > Some(0.0));
    if let Some(state) = disturbed.and_then(|_| words::host_state(decision)) {
        let _ = writeln!(out, "{}", wrapped(&format!("Host: {state}"), width));
    }
    for scenario in &decision.scenarios {
        let _ = writeln!(out, "\n{}", scenario_table(decision, scenario, width, colour));
    }
    if !decision.scenarios.is_empty() {
        let _ = writeln!(out, "\n{}", wrapped(LEGEND, width));
    }
    undecided(&mut out, decision, width);
    if let Some(apply) = &decision.apply {
        let _ = writeln!(out, "\nTo apply it:");
        for line in &apply.env {
            let _ = writeln!(out, "  {}", words::clean(line));
        }
        if let Some(note) = &apply.note {
            let _ = writeln!(out, "{}", wrapped(note, width));
        }
    }
    out
}

pub(super) struct Paint {
    pub(super) colour: bool,
}

impl Paint {
    pub(super) fn bold(&self, text: &str, code: &str) -> String {
        if self.colour { format!("\u{1b}[1;{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}

/// Breaks at spaces so that no line is longer than `width`, where words allow it.
pub(super) fn wrapped(text: &str, width: u16) -> String {
    let mut out = String::new();
    let mut column = 0;
    for word in words::clean(text).split_whitespace() {
        let length = word.chars().count();
        if column > 0 && column + 1 + length > usize::from(width) {
            out.push('\n');
            column = 0;
        } else if column > 0 {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += length;
    }
    out
}

/// A table without lines, as wide as the terminal at most.
pub(super) fn plain_table(width: u16, colour: bool) -> Table {
    let mut table = Table::new();
    table.load_style(NOTHING).set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
    if colour {
        table.enforce_styling();
    } else {
        table.force_no_tty();
    }
    table
}

fn scenario_table(decision: &Decision, scenario: &ScenarioDecision, width: u16, colour: bool) -> String {
    let mut table = plain_table(width, colour);
    let most = scenario.standings.iter().filter_map(rss_of).fold(0.0, f64::max);
    let unit = words::clean(&scenario.unit);
    let columns = columns(width);
    let heads = ["", "candidate", words::objective(decision.objective), "", "Δ RSS", &unit, "Δ throughput"];
    table.set_header(columns.iter().map(|index| heads[*index]));
    // Of what was never run there is nothing to show.
    let told = |standing: &&Standing| rss_of(standing).is_some() || !standing.unfinished.is_empty();
    for standing in scenario.standings.iter().filter(told) {
        let cells = table_row(decision, standing, most, if width < ROOM_FOR_AIR { BAR.1 } else { BAR.0 });
        let chosen = cells.into_iter().enumerate().filter(|(index, _)| columns.contains(index));
        table.add_row(chosen.map(|(_, cell)| cell));
    }
    let untold = scenario.standings.iter().filter(|standing| !told(standing)).count();
    for (place, index) in columns.iter().enumerate() {
        if let (true, Some(column)) = ([2, 4, 5, 6].contains(index), table.column_mut(place)) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        if let (true, Some(column)) = (width < ROOM_FOR_AIR, table.column_mut(place)) {
            column.set_padding((0, 1));
        }
    }
    let title = words::heading(decision, scenario);
    let trust =
        if scenario.twin.is_some_and(|t| !t.trustworthy) { " (twin differs: not to be trusted)" } else { "" };
    let table = table.to_string();
    let lines: Vec<&str> = table.lines().map(str::trim_end).collect();
    let title = wrapped(&format!("{title}{trust}"), width);
    let mut out = format!("{title}\n{}", lines.join("\n"));
    if untold > 0 {
        let candidates = words::plural(untold as u64, "candidate");
        let more = format!("and {candidates} not measured (why: --json, report)");
        let _ = write!(out, "\n    {}", wrapped(&more, width - 4));
    }
    if let Some(knee) = &scenario.knee {
        let _ = write!(out, "\n{}", wrapped(&words::knee(knee), width));
    }
    if let Some(memory) = decision.host_memory {
        let _ = write!(out, "\n{}", costs(decision, scenario, memory));
    }
    out
}

/// Which columns have room: mark, candidate, RSS, bar, its change, throughput, its change.
fn columns(width: u16) -> &'static [usize] {
    match width {
        w if w < ROOM_FOR_LEVELS => &[0, 1, 4, 6],
        w if w < ROOM_FOR_BARS => &[0, 1, 2, 4, 5, 6],
        _ => &[0, 1, 2, 3, 4, 5, 6],
    }
}

/// What memory buys, on a host with so many bytes of it.
fn costs(decision: &Decision, scenario: &ScenarioDecision, memory: u64) -> String {
    let mut table = Table::new();
    table.load_style(NOTHING).set_content_arrangement(ContentArrangement::Disabled).force_no_tty();
    let per_gib = format!("{} for each GiB", words::clean(&scenario.unit));
    table.set_header(["", "candidate", &per_gib, "instances", "more"]);
    let of_baseline = scenario.standings.iter().find(|s| s.candidate == decision.baseline);
    let baseline = of_baseline.and_then(|standing| standing.instances);
    for standing in &scenario.standings {
        let rate = standing.per_gib.map_or("–".to_owned(), |l| units::format_rate(l.estimate, ""));
        let more = standing.instances.zip(baseline).map(|(fit, base)| fit.cast_signed() - base.cast_signed());
        table.add_row([
            "",
            &words::clean(&standing.candidate),
            rate.trim_end(),
            &standing.instances.map_or("–".to_owned(), |fit| fit.to_string()),
            &more
                .filter(|_| standing.candidate != decision.baseline)
                .map_or("–".to_owned(), |m| format!("{m:+}")),
        ]);
    }
    for index in [2, 3, 4] {
        if let Some(column) = table.column_mut(index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let lines: Vec<String> = table.to_string().lines().map(|line| line.trim_end().to_owned()).collect();
    format!("in {} of memory:\n{}", units::format_bytes(memory as f64), lines.join("\n"))
}

fn table_row(decision: &Decision, standing: &Standing, most: f64, width: usize) -> Vec<Cell> {
    let is_baseline = standing.candidate == decision.baseline;
    let chosen = decision.choice.as_ref() == Some(&standing.candidate);
    let mark = match () {
        () if chosen => "→",
        () if is_baseline => "●",
        () if standing.on_front => "·",
        () => "",
    };
    let name = words::clean(&standing.candidate);
    let name = if chosen { Cell::new(name).add_attribute(Attribute::Bold) } else { Cell::new(name) };
    let rss = rss_of(standing).map_or("–".to_owned(), units::format_bytes);
    let rate = standing.throughput.map(|l| l.estimate);
    let rate = rate.or(standing.estimates.and_then(|few| few.throughput));
    let rate = rate.map_or("–".to_owned(), |rate| units::format_rate(rate, ""));
    let bar = rss_of(standing).map_or(String::new(), |rss| bar(rss / most, width));
    // Of too few rounds the estimate alone is told, and no word.
    let few =
        |ratio: Option<f64>| ratio.map_or("–".to_owned(), |ratio| format!("~ {}", words::change(ratio)));
    let few = |ratio: fn(&Estimates) -> Option<f64>| few(standing.estimates.as_ref().and_then(ratio));
    let change = |told: Option<&Ratio>, verdict, ratio| match told {
        None if !is_baseline => Cell::new(few(ratio)),
        told => judged(told, verdict, is_baseline),
    };
    vec![
        Cell::new(mark),
        name,
        Cell::new(rss),
        Cell::new(bar),
        change(standing.rss_ratio.as_ref(), standing.rss_verdict, |few| few.rss_ratio),
        Cell::new(rate.trim_end()),
        change(standing.throughput_ratio.as_ref(), standing.throughput_verdict, |few| few.throughput_ratio),
    ]
}

/// RSS, with an interval or without.
fn rss_of(standing: &Standing) -> Option<f64> {
    standing.rss.map(|level| level.estimate).or(standing.estimates?.rss)
}

pub(super) fn judged(ratio: Option<&Ratio>, verdict: Comparison, is_baseline: bool) -> Cell {
    let Some(ratio) = ratio.filter(|_| !is_baseline) else { return Cell::new("–") };
    let cell = Cell::new(format!("{} {}", words::change(ratio.estimate), words::mark(verdict)));
    match verdict {
        Comparison::Better => cell.fg(Color::Green),
        Comparison::Worse => cell.fg(Color::Red),
        Comparison::Equivalent | Comparison::Undecided => cell,
    }
}

/// A bar in eighths of a character.
fn bar(share: f64, width: usize) -> String {
    let eighths = (share.clamp(0.0, 1.0) * (width * 8) as f64).round() as usize;
    let parts = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    format!("{}{}", "█".repeat(eighths / 8), parts[eighths % 8])
}

fn undecided(out: &mut String, decision: &Decision, width: u16) {
    if decision.undecided.is_empty() {
        return;
    }
    let _ = writeln!(out, "\nNot decided:");
    for open in &decision.undecided {
        let time = open.minutes_needed.map(|m| format!(" (about {} more)", units::format_seconds(m * 60.0)));
        let line = format!("{}: {}{}", open.candidate, open.why, time.unwrap_or_default());
        let _ = writeln!(out, "{}", wrapped(&line, width));
    }
}
