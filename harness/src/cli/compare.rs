//! `arenalab compare`: two campaigns, before and after; a gate.

use std::path::Path;

use comfy_table::{ContentArrangement, Table, presets};

use super::args::CompareArgs;
use super::exit::{self, CliError};
use super::{choose, say};
use crate::campaign::store::{self, Campaign};
use crate::decide::compare::{Side, compare};
use crate::decide::from_trials::from_trials;
use crate::decide::gate::{Gate, Passage};
use crate::format::compare::{Compared, Entry, Metric};
use crate::format::decision::Comparison;
use crate::format::manifest::Scenario;
use crate::units::{format_change, format_share};

/// Runs the subcommand.
pub fn run(args: &CompareArgs) -> Result<u8, CliError> {
    let gates = gates(&args.fail_on)?;
    let (before, after) = (store::read(&args.before)?, store::read(&args.after)?);
    let question = choose::question(&args.choice, &before.manifest)?;
    let sees = |campaign: &Campaign| from_trials(&campaign.trials, &campaign.manifest);
    let (seen_before, seen_after) = (sees(&before), sees(&after));
    let before = Side { manifest: &before.manifest, seen: &seen_before, libc: None };
    let after = Side { manifest: &after.manifest, seen: &seen_after, libc: None };
    let compared = compare(&before, &after, &question).map_err(|e| CliError::Usage(e.to_string()))?;
    if args.show.json {
        let text = serde_json::to_string_pretty(&compared);
        say::out(&text.map_err(|e| CliError::Failed(format!("failed to write JSON: {e}")))?);
    } else if !args.show.quiet {
        say::out(&for_people(&compared, &args.before, &args.after));
    }
    Ok(verdict(&gates, &compared))
}

fn gates(texts: &[String]) -> Result<Vec<Gate>, CliError> {
    let read = |text: &String| text.parse().map_err(|why| CliError::Usage(format!("--fail-on: {why}")));
    texts.iter().map(read).collect()
}

/// What the gates say of all entries; each that does not let pass is told.
fn verdict(gates: &[Gate], compared: &Compared) -> u8 {
    let mut code = exit::DONE;
    for entry in &compared.entries {
        for gate in gates {
            let (worst, word) = match gate.check(entry) {
                Some(Passage::Breached) => (exit::NOT_MET, "breached"),
                Some(Passage::Undecided) if code == exit::DONE => (exit::UNDECIDED, "undecided"),
                Some(Passage::Undecided) => (code, "undecided"),
                Some(Passage::Clear) | None => continue,
            };
            code = worst;
            say::err(&format!("gate {word}: {}: {}", label(entry), change(entry)));
        }
    }
    code
}

fn label(entry: &Entry) -> String {
    let scenario = Scenario::words(&entry.workload, entry.threads);
    format!("{scenario}, {}, {}", entry.candidate, name(entry.metric))
}

fn name(metric: Metric) -> &'static str {
    match metric {
        Metric::Throughput => "throughput",
        Metric::Rss => "RSS",
        Metric::P99 => "p99 of malloc",
    }
}

fn change(entry: &Entry) -> String {
    entry.ratio.map_or_else(
        || "not measured in two rounds on both sides".to_owned(),
        |ratio| {
            let [estimate, low, high] = [ratio.estimate, ratio.low, ratio.high].map(format_change);
            format!("{estimate} ({low} to {high})")
        },
    )
}

/// What fits on a terminal; JSON has all of it.
fn shortened(text: &str) -> String {
    const MOST: usize = 120;
    if text.chars().count() <= MOST {
        return text.to_owned();
    }
    format!("{}…", text.chars().take(MOST).collect::<String>())
}

fn for_people(compared: &Compared, before: &Path, after: &Path) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(["workload", "threads", "candidate", "figure", "after / before", "", "resolvable"]);
    for entry in &compared.entries {
        let word = match entry.verdict {
            Comparison::Better => "better",
            Comparison::Worse => "worse",
            Comparison::Equivalent => "equivalent",
            Comparison::Undecided => "undecided",
        };
        table.add_row([
            entry.workload.clone(),
            entry.threads.to_string(),
            entry.candidate.clone(),
            name(entry.metric).to_owned(),
            change(entry),
            word.to_owned(),
            entry.resolvable.map_or_else(|| "–".to_owned(), format_share),
        ]);
    }
    let warnings = compared.warnings.iter().map(|warning| format!("! {warning}\n"));
    let changed = compared.changed.iter().map(|change| {
        let [before, after] = [&change.before, &change.after].map(|text| shortened(text));
        format!("changed: {}: {before} before, {after} after\n", change.what)
    });
    let unmatched = compared.unmatched.iter().map(|what| format!("not compared: {what}\n"));
    let (before, after) = (before.display(), after.display());
    let head = format!("{after} against {before}, {} confidence\n", format_share(compared.confidence));
    [head]
        .into_iter()
        .chain(changed)
        .chain(warnings)
        .chain([format!("{table}\n")])
        .chain(unmatched)
        .collect::<String>()
        .trim_end()
        .to_owned()
}
