//! `arenalab compare`: two campaigns, before and after; a gate.

use std::path::Path;

use comfy_table::{ContentArrangement, Table, presets};

use super::args::CompareArgs;
use super::exit::{self, CliError};
use super::{choose, say};
use crate::campaign::comparison::{self, Of};
use crate::campaign::store;
use crate::decide::gate::{FEWEST_ROUNDS, Gate, Passage};
use crate::format::compare::{Compared, Entry, Metric};
use crate::format::decision::Comparison;
use crate::format::manifest::{Manifest, Scenario};
use crate::units::{format_change, format_share};

/// Runs the subcommand.
pub fn run(args: &CompareArgs) -> Result<u8, CliError> {
    let gates = gates(&args.fail_on)?;
    let before = store::read(&args.before)?;
    let question = choose::question(&args.choice, &before.manifest)?;
    let libcs = libcs(args, &before.manifest)?;
    let other = args.after.as_ref().map(|dir| store::read(dir)).transpose()?;
    let before: Of = (&before, libcs.0.as_deref());
    let after: Of = (other.as_ref().unwrap_or(before.0), libcs.1.as_deref());
    let compared = comparison::of(before, after, &question).map_err(|e| CliError::Usage(e.to_string()))?;
    if args.show.json {
        let text = serde_json::to_string_pretty(&compared);
        say::out(&text.map_err(|e| CliError::Failed(format!("failed to write JSON: {e}")))?);
    } else if !args.show.quiet {
        let name = |dir: &Path, side: &Of| match side.1 {
            Some(libc) => format!("{} on {}", dir.display(), on(&side.0.manifest, libc)),
            None => dir.display().to_string(),
        };
        let of_after = args.after.as_ref().unwrap_or(&args.before);
        say::out(&for_people(&compared, &name(&args.before, &before), &name(of_after, &after)));
    }
    Ok(verdict(&gates, &compared))
}

/// A libc with its version.
fn on(manifest: &Manifest, name: &str) -> String {
    let version = manifest.libcs.iter().find(|libc| libc.name == name).and_then(|libc| libc.version.as_ref());
    version.map_or_else(|| format!("libc {name}"), |version| format!("libc {name} (glibc {version})"))
}

/// The libcs before and after.
fn libcs(args: &CompareArgs, before: &Manifest) -> Result<(Option<String>, Option<String>), CliError> {
    let known: Vec<&String> = before.libcs.iter().map(|libc| &libc.name).collect();
    let names = || known.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(", ");
    match (args.libc.as_slice(), &args.after, known.as_slice()) {
        ([a, b], _, _) if a == b && args.after.is_none() => Err(CliError::Usage(format!(
            "libc {a} cannot be compared with itself; the campaign has {}",
            names()
        ))),
        ([a, b], _, _) => Ok((Some(a.clone()), Some(b.clone()))),
        ([one], Some(_), _) => Ok((Some(one.clone()), Some(one.clone()))),
        ([], Some(_), _) => Ok((None, None)),
        ([], None, [a, b]) => Ok(((*a).clone().into(), (*b).clone().into())),
        (_, None, _) => Err(CliError::Usage(format!(
            "{} is one campaign: name another, or two of its libcs with --libc BEFORE,AFTER; it has {}",
            args.before.display(),
            names()
        ))),
        _ => Err(CliError::Usage("--libc takes one or two names".to_owned())),
    }
}

fn gates(texts: &[String]) -> Result<Vec<Gate>, CliError> {
    let read = |text: &String| text.parse().map_err(|why| CliError::Usage(format!("--fail-on: {why}")));
    texts.iter().map(read).collect()
}

/// What the gates say of all entries; each that does not let pass is told.
fn verdict(gates: &[Gate], compared: &Compared) -> u8 {
    let busy = compared.host.as_ref().is_some_and(|host| host.busy && !host.accepted);
    let mut code = if busy { exit::UNDECIDED } else { exit::DONE };
    for entry in &compared.entries {
        for gate in gates {
            let said = match gate.check(entry, compared.host.as_ref()) {
                Some(Passage::Breached) => {
                    code = exit::NOT_MET;
                    format!("breached: {}: {}", label(entry), change(entry))
                }
                Some(Passage::Undecided(why)) => {
                    code = if code == exit::NOT_MET { code } else { exit::UNDECIDED };
                    format!("undecided ({}): {}: {}", why.words(), label(entry), change(entry))
                }
                Some(Passage::Clear) | None => continue,
            };
            say::err(&format!("gate {said}"));
        }
    }
    code
}

fn label(entry: &Entry) -> String {
    let mut scenario = Scenario::words(&entry.workload, entry.threads);
    if entry.libc.0 != entry.libc.1 {
        scenario = format!("{scenario}, libc {} against {}", entry.libc.1, entry.libc.0);
    }
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
        || format!("fewer than {FEWEST_ROUNDS} rounds on a side: too few for an interval"),
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

/// What is compared; with the confidence only where an interval was made, and the host lets it stand.
fn head(compared: &Compared, before: &str, after: &str) -> String {
    let busy = compared.host.as_ref().is_some_and(|host| host.busy && !host.accepted);
    let tested = !busy && compared.entries.iter().any(|entry| entry.ratio.is_some());
    let confidence =
        if tested { format!(", {} confidence", format_share(compared.confidence)) } else { String::new() };
    format!("{after} against {before}{confidence}\n")
}

fn for_people(compared: &Compared, before: &str, after: &str) -> String {
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
    let mut warnings = compared.warnings.iter().map(|warning| format!("! {warning}\n"));
    let changed = compared.changed.iter().map(|change| {
        let [before, after] = [&change.before, &change.after].map(|text| shortened(text));
        format!("changed: {}: {before} before, {after} after\n", change.what)
    });
    let unmatched = compared.unmatched.iter().map(|what| format!("not compared: {what}\n"));
    let head = head(compared, before, after);
    // A busy host leads.
    let leads = compared.host.as_ref().is_some_and(|host| host.busy);
    let lead: Vec<String> = warnings.by_ref().take(usize::from(leads)).collect();
    lead.into_iter()
        .chain([head])
        .chain(changed)
        .chain(warnings)
        .chain([format!("{table}\n")])
        .chain(unmatched)
        .collect::<String>()
        .trim_end()
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::decision::{HostState, Ratio};

    fn compared(rounds: u32, busy: bool, accepted: bool) -> Compared {
        let ratio = Ratio { estimate: 1.2, low: 1.1, high: 1.3 };
        let entry = Entry {
            workload: "larson".to_owned(),
            threads: 4,
            libc: ("host".to_owned(), "host".to_owned()),
            candidate: "glibc".to_owned(),
            metric: Metric::Rss,
            ratio: (rounds >= FEWEST_ROUNDS).then_some(ratio),
            verdict: Comparison::Undecided,
            resolvable: None,
            rounds: (rounds, rounds),
            paired: true,
        };
        Compared {
            format: crate::format::FORMAT,
            confidence: 0.95,
            changed: Vec::new(),
            entries: vec![entry],
            unmatched: Vec::new(),
            warnings: Vec::new(),
            host: Some(HostState { busy, accepted, ..HostState::default() }),
            hosts: None,
        }
    }

    #[test]
    fn confidence_stands_only_where_an_interval_was_made_on_a_host_at_rest() {
        for (rounds, busy, accepted, stands) in [
            (2, false, false, false),
            (3, false, false, false),
            (4, false, false, true),
            (9, true, false, false),
            (9, true, true, true),
        ] {
            let text = for_people(&compared(rounds, busy, accepted), "a", "b");
            assert_eq!(text.contains("confidence"), stands, "{rounds}, {busy}, {accepted}: {text}");
        }
    }

    #[test]
    fn exit_codes_say_what_gates_and_hosts_say() {
        let gates = [Gate { metric: Metric::Rss, beyond: 0.05 }];
        let of = |rounds, busy, verdict_word| {
            let mut compared = compared(rounds, busy, false);
            compared.entries[0].verdict = verdict_word;
            verdict(&gates, &compared)
        };
        assert_eq!(of(9, false, Comparison::Worse), exit::NOT_MET);
        assert_eq!(of(9, false, Comparison::Undecided), exit::UNDECIDED);
        assert_eq!(of(3, false, Comparison::Undecided), exit::UNDECIDED);
        assert_eq!(of(9, true, Comparison::Undecided), exit::UNDECIDED);
        assert_eq!(verdict(&[], &compared(9, false, false)), exit::DONE);
        assert_eq!(verdict(&[], &compared(9, true, false)), exit::UNDECIDED);
    }
}
