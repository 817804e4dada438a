//! `report.md`: what to paste into a change request. The same figures as the page, fewer of them.

use std::fmt::Write as _;

use super::chapter::{Cell, Chapter, Line};
use super::page::Page;
use super::rehearsal::Outcome;
use super::steps::Told;
use super::story::{Figure, Story};

/// Renders the report.
pub fn render(page: &Page) -> String {
    let mut out = String::new();
    let level = if page.joined { 2 } else { 1 };
    if page.joined {
        summary(&mut out, page);
    }
    for part in &page.parts {
        let steps: &[Told] = if page.joined { &[] } else { &page.steps };
        campaign(&mut out, part, steps, level);
        if !page.joined {
            between(&mut out, page);
        }
    }
    let _ = writeln!(out, "{} Report\n", "#".repeat(2));
    if !page.command.is_empty() {
        let _ = writeln!(out, "Made by:\n");
        block(&mut out, "sh", &page.command);
    }
    let _ = writeln!(out, "{}", text(&page.made_by));
    out
}

/// What leads a report of several campaigns.
fn summary(out: &mut String, page: &Page) {
    let _ = writeln!(
        out,
        "# Allocator setting: {} campaigns\n\n**{}**\n",
        page.parts.len(),
        text(&page.agreement)
    );
    for warning in &page.warnings {
        let _ = writeln!(out, "> {}\n", text(warning));
    }
    let rows = page.parts.iter().map(|part| [code(&part.name), text(&part.ground), text(&part.headline)]);
    table(out, ["campaign", "where and when", "verdict"], rows);
    between(out, page);
}

/// Before and after, and history.
fn between(out: &mut String, page: &Page) {
    for step in &page.steps {
        let _ = writeln!(out, "## {}\n", text(&step.title));
        if let Some(outcome) = &step.rehearsed {
            rehearsed(out, outcome);
        }
        if let Some(why) = &step.refused {
            let _ = writeln!(out, "Not compared: {}.\n", text(why));
            continue;
        }
        for change in &step.changed {
            let _ = writeln!(out, "- changed: {}", text(change));
        }
        if !step.changed.is_empty() {
            out.push('\n');
        }
        for warning in &step.warnings {
            let _ = writeln!(out, "> {}\n", text(warning));
        }
        figures(out, &step.figures);
        let rows = step.rows.iter().map(|row| {
            let change = match row.change.verdict {
                Some(verdict) => format!("{} **{verdict}**", text(&row.change.text)),
                None => text(&row.change.text),
            };
            [text(&row.scenario), code(&row.candidate), row.figure.to_owned(), change, row.resolvable.clone()]
        });
        table(
            out,
            ["scenario", "candidate", "figure", "after against before", "smallest change visible"],
            rows,
        );
        for only in &step.unmatched {
            let _ = writeln!(out, "- not compared: {}", text(only));
        }
    }
    if !page.figures.is_empty() {
        let _ = writeln!(out, "## History\n");
        figures(out, &page.figures);
    }
}

/// What a step from a C library to the next comes to.
fn rehearsed(out: &mut String, outcome: &Outcome) {
    let _ = writeln!(
        out,
        "**{}** ({}). {} {}\n",
        text(&outcome.headline),
        outcome.verdict,
        text(&outcome.reason),
        text(&outcome.best)
    );
    if !outcome.ship.is_empty() {
        let _ = writeln!(out, "To ship with the upgrade:\n");
        block(out, "sh", &outcome.ship.join("\n"));
    }
    if let Some(note) = &outcome.note {
        let _ = writeln!(out, "{}\n", text(note));
    }
    let judged = |cell: &Cell| match cell.verdict {
        Some(verdict) => format!("{} **{verdict}**", text(&cell.text)),
        None => text(&cell.text),
    };
    let rows = outcome.rows.iter().map(|row| {
        let role = if row.role.is_empty() { String::new() } else { format!(" ({})", row.role) };
        let candidate = format!("{}{role}", code(&row.candidate));
        [text(&row.scenario), candidate, judged(&row.rss), judged(&row.throughput), text(&row.keeps)]
    });
    table(
        out,
        [
            "scenario",
            "candidate after",
            "RSS against today",
            "throughput against today",
            "keeps today's level",
        ],
        rows,
    );
    let listed = |out: &mut String, title: &str, lines: &[String]| {
        if !lines.is_empty() {
            let _ = writeln!(out, "{title}\n");
            for line in lines {
                let _ = writeln!(out, "- {}", text(line));
            }
            out.push('\n');
        }
    };
    listed(out, "Seen with nothing changed:", &outcome.seen);
    listed(out, "By glibc's sources this step changes:", &outcome.expected);
}

fn campaign(out: &mut String, story: &Story, steps: &[Told], level: usize) {
    verdict(out, story, level);
    for step in steps {
        if let Some(outcome) = &step.rehearsed {
            let (title, headline) = (text(&step.title), text(&outcome.headline));
            let _ = writeln!(out, "{title}: **{headline}** ({}).\n", outcome.verdict);
        }
    }
    figures(out, &story.figures);
    open(out, story, level);
    let _ = writeln!(out, "{} Evidence\n", "#".repeat(level + 1));
    for chapter in &story.scenarios {
        evidence(out, chapter, level);
    }
    method(out, story, level);
}

/// Text that Markdown and HTML leave as it is.
pub fn text(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len());
    for c in raw.chars() {
        match c {
            // Not escaped by a backslash: a code span that begins later would take it for its end.
            '`' => out.push_str("&#96;"),
            '\\' | '*' | '_' | '[' | ']' | '|' | '#' | '~' | '!' => {
                out.push('\\');
                out.push(c);
            }
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '\n' | '\r' => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

/// A code span, fit for a table cell.
fn code(raw: &str) -> String {
    let raw = raw.replace(['\n', '\r'], " ").replace('|', "\\|");
    let ticks = "`".repeat(longest_run(&raw) + 1);
    let pad = if raw.starts_with('`') || raw.ends_with('`') { " " } else { "" };
    format!("{ticks}{pad}{raw}{pad}{ticks}")
}

/// A code block.
fn block(out: &mut String, language: &str, raw: &str) {
    let fence = "`".repeat(longest_run(raw).max(2) + 1);
    let _ = writeln!(out, "{fence}{language}\n{}\n{fence}\n", raw.trim_end());
}

fn longest_run(raw: &str) -> usize {
    raw.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}

fn verdict(out: &mut String, story: &Story, level: usize) {
    let _ = writeln!(out, "{} Allocator setting: {}\n", "#".repeat(level), text(&story.name));
    let _ = writeln!(out, "**{}**\n", text(&story.headline));
    for paragraph in story.otherwise.iter().chain([&story.reason]) {
        let _ = writeln!(out, "{}\n", text(paragraph));
    }
    for warning in &story.warnings {
        let _ = writeln!(out, "> {}\n", text(warning));
    }
    for fact in &story.facts {
        let _ = writeln!(out, "- {}: {}", text(&fact.name), text(&fact.value));
    }
    out.push('\n');
    if let Some(apply) = &story.apply {
        if !apply.env.is_empty() {
            let _ = writeln!(out, "{}:\n", story.apply_when);
            block(out, "sh", &apply.env.join("\n"));
        }
        if let Some(note) = &apply.note {
            let _ = writeln!(out, "{}\n", text(note));
        }
    }
}

fn figures(out: &mut String, figures: &[Figure]) {
    for figure in figures {
        let _ = writeln!(out, "![{}](charts/{}.svg)\n", text(&figure.caption), figure.file);
    }
}

fn table<const N: usize>(out: &mut String, head: [&str; N], rows: impl Iterator<Item = [String; N]>) {
    let _ = writeln!(out, "| {} |\n|{}", head.join(" | "), "---|".repeat(N));
    for row in rows {
        let _ = writeln!(out, "| {} |", row.join(" | "));
    }
    out.push('\n');
}

fn open(out: &mut String, story: &Story, level: usize) {
    let _ = writeln!(out, "{} Not decided\n", "#".repeat(level + 1));
    if story.undecided.is_empty() {
        let _ = writeln!(out, "Nothing that could change the choice is open.\n");
    } else {
        let rows = story.undecided.iter().map(|u| [code(&u.candidate), text(&u.why), text(&u.figure.text)]);
        table(out, ["candidate", "what is open", "measuring that would settle it"], rows);
    }
    if !story.eliminated.is_empty() {
        let _ = writeln!(out, "{} Out\n", "#".repeat(level + 2));
        let rows = story.eliminated.iter().map(|e| [code(&e.candidate), text(&e.why), text(&e.figure.text)]);
        table(out, ["candidate", "why", "bound"], rows);
    }
}

fn evidence(out: &mut String, chapter: &Chapter, level: usize) {
    let _ = writeln!(out, "{} {}\n", "#".repeat(level + 2), text(&chapter.title));
    let _ = writeln!(out, "By itself: {}. Twin: {}.\n", text(&chapter.verdict), text(&chapter.twin));
    if !chapter.program.is_empty() {
        let _ = writeln!(out, "{}.\n", text(&chapter.program));
    }
    if !chapter.heaps.is_empty() {
        let _ = writeln!(out, "{}\n", text(&chapter.heaps));
    }
    let cell = |text_: &str, verdict: Option<&str>| match verdict {
        Some(verdict) => format!("{} **{verdict}**", text(text_)),
        None => text(text_),
    };
    let row = |line: &Line| {
        let role = if line.role.is_empty() { String::new() } else { format!(" ({})", line.role) };
        [
            format!("{}{role}", code(&line.candidate)),
            line.rounds.to_string(),
            text(&line.rss.text),
            cell(&line.rss_ratio.text, line.rss_ratio.verdict),
            text(&line.throughput.text),
            cell(&line.throughput_ratio.text, line.throughput_ratio.verdict),
            line.feasible.to_owned(),
        ]
    };
    let head = [
        "candidate",
        "rounds",
        "RSS",
        "against baseline",
        "throughput",
        "against baseline",
        "constraints hold",
    ];
    table(out, head, chapter.rows.iter().map(row));
    if chapter.has_latency {
        let latency =
            |line: &Line| [code(&line.candidate), text(&line.latency.text), text(&line.p99_ratio.text)];
        table(out, ["candidate", chapter.latency, "against baseline"], chapter.rows.iter().map(latency));
    }
    if !chapter.unfinished.is_empty() {
        let rows = chapter
            .unfinished
            .iter()
            .map(|[status, name, why, count, _]| [status.clone(), code(name), text(why), count.clone()]);
        table(out, ["did not finish", "candidate", "reason", "trials"], rows);
    }
    figures(out, &chapter.figures);
}

fn method(out: &mut String, story: &Story, level: usize) {
    let _ = writeln!(out, "{} Method and host\n", "#".repeat(level + 1));
    for fact in story.method.iter().chain(&story.host) {
        let _ = writeln!(out, "- {}: {}", text(&fact.name), text(&fact.value));
    }
    for [other, candidate, why] in &story.merged {
        let _ =
            writeln!(out, "- {} was not run; {} stands for it: {}", code(other), code(candidate), text(why));
    }
    let _ = writeln!(out, "\nMeasured by:\n");
    block(out, "sh", &story.command);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_break_out_of_their_cell() {
        assert_eq!(code("a|b"), "`a\\|b`");
        assert_eq!(code("``x"), "``` ``x ```");
        assert_eq!(text("a|b\n<b>"), "a\\|b &lt;b&gt;");
    }
}
