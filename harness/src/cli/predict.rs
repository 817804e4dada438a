//! `arenalab predict`: what a glibc does by default, and what an upgrade changes.

use std::fmt::Write;

use super::args::PredictArgs;
use super::exit::{self, CliError};
use super::run;
use super::say;
use super::surroundings::Surroundings;
use crate::campaign::prepare::Part;
use crate::format::predict::{Change, Host, Predicted, Prediction};
use crate::knowledge::nearest::{quote, suggest};
use crate::knowledge::predict::{Side, predict, spelt};
use crate::knowledge::{Version, releases};
use crate::trial::host;
use crate::units::format_bytes;

/// The name of this host's own glibc in the output.
const THIS_HOST: &str = "this host";
/// Versions that are known by their sources.
const KNOWN: std::ops::RangeInclusive<u32> = 5..=44;

/// Runs the subcommand.
pub fn run(args: &PredictArgs, around: &Surroundings) -> Result<u8, CliError> {
    let predicted = ask(args, around)?;
    let failed = |error: String| CliError::Failed(format!("failed to write the prediction: {error}"));
    let text = if args.json {
        serde_json::to_string_pretty(&predicted).map_err(|e| failed(e.to_string()))?
    } else {
        let mut text = String::new();
        print(&predicted, &mut text).map_err(|e| failed(e.to_string()))?;
        text
    };
    say::out(text.trim_end());
    Ok(exit::DONE)
}

fn ask(args: &PredictArgs, around: &Surroundings) -> Result<Predicted, CliError> {
    let here = host::fingerprint(None).map_err(|e| CliError::Failed(e.to_string()))?;
    let online = args.cpus.unwrap_or(here.cpus_online);
    let host = Host {
        cpus_online: online,
        cpus_allowed: args.affinity.unwrap_or(online).min(online),
        threads: args.threads,
        arch: args.arch.clone().unwrap_or(here.arch),
        arena_max: args.arena_max,
        arena_test: args.arena_test,
    };
    let own = || -> Result<Side, CliError> {
        let found = run::part(around, &Part::Engine("glibc"), None)?;
        let text = found.libc_version.unwrap_or_default();
        let version = text.parse().map_err(|why: String| CliError::Failed(why))?;
        Ok(Side { name: THIS_HOST, version, release: None })
    };
    let to = args.to.as_deref().map_or_else(own, side)?;
    let from = match (&args.from, &args.to) {
        (Some(from), _) => Some(side(from)?),
        (None, Some(_)) => Some(own()?),
        (None, None) => None,
    };
    Ok(predict(host, from, to))
}

/// A glibc by version or release.
fn side(name: &str) -> Result<Side<'_>, CliError> {
    if let Some(release) = releases::find(name) {
        return Ok(Side { name, version: release.glibc, release: Some(release) });
    }
    let names = || releases::ALL.iter().map(|release| release.name);
    let version: Version = name.parse().map_err(|_| {
        CliError::Usage(format!(
            "{} is neither a version such as 2.28 nor a known release; {}",
            quote(name),
            suggest(name, names())
        ))
    })?;
    if version.major != 2 || !KNOWN.contains(&version.minor) {
        let (first, last) = (KNOWN.start(), KNOWN.end());
        return Err(CliError::Usage(format!("glibc {version} is not known; 2.{first} to 2.{last} are")));
    }
    Ok(Side { name, version, release: None })
}

fn print(predicted: &Predicted, out: &mut String) -> std::fmt::Result {
    let host = &predicted.host;
    let pinned = if host.cpus_allowed == host.cpus_online {
        String::new()
    } else {
        format!(", {} in the affinity mask", host.cpus_allowed)
    };
    writeln!(
        out,
        "{} CPUs online{pinned}, {} threads that allocate beside the main thread, {}",
        host.cpus_online, host.threads, host.arch
    )?;
    for side in predicted.from.iter().chain([&predicted.to]) {
        print_arenas(side, out)?;
    }
    if let Some(from) = &predicted.from {
        print_changes(&predicted.changes, &heading(from), &heading(&predicted.to), out)?;
    } else {
        print_rules(&predicted.to, out)?;
    }
    writeln!(out, "\nPredicted from sources, not measured; --json has every rule with its source.")
}

fn heading(side: &Prediction) -> String {
    match (&side.release, side.name.as_str()) {
        (Some(release), _) => format!("{release}, glibc {}", side.version),
        (None, THIS_HOST) => format!("{THIS_HOST}, glibc {}", side.version),
        (None, _) => format!("glibc {}", side.version),
    }
}

fn print_arenas(side: &Prediction, out: &mut String) -> std::fmt::Result {
    writeln!(out, "\n{}", heading(side))?;
    writeln!(
        out,
        "  arenas: {} once every thread has allocated (limit: {}; one heap: {} of address space)",
        spelt(side.arenas),
        spelt(side.arena_limit),
        format_bytes(side.heap_bytes as f64)
    )
}

fn print_changes(changes: &[Change], from: &str, to: &str, out: &mut String) -> std::fmt::Result {
    if changes.is_empty() {
        return writeln!(out, "\nNothing that is known of malloc changes from {from} to {to}.");
    }
    writeln!(out, "\nFrom {from} to {to}:")?;
    for change in changes {
        let version = change.version.as_ref().map_or(String::new(), |version| format!("{version}: "));
        writeln!(out, "  - {version}{}", change.what)?;
        if let Some(note) = &change.note {
            writeln!(out, "    {note}")?;
        }
        let doubt = if change.certain { "" } else { "; depends on the build: unverified for yours" };
        writeln!(out, "    [{}{doubt}]", change.source)?;
    }
    Ok(())
}

fn print_rules(side: &Prediction, out: &mut String) -> std::fmt::Result {
    writeln!(out)?;
    for rule in &side.rules {
        writeln!(out, "  - {}", rule.what)?;
        if let Some(note) = &rule.note {
            writeln!(out, "    {note}")?;
        }
        let doubt = if rule.certain { "" } else { "; depends on the build: unverified for yours" };
        writeln!(out, "    [{}{doubt}]", rule.source)?;
    }
    writeln!(out, "\nSettings:")?;
    for knob in &side.settings {
        let item = knob.item.as_ref().map_or(String::new(), |item| format!("={item}=…"));
        writeln!(out, "  {:<22} {}{item}", knob.key, knob.variable)?;
    }
    Ok(())
}
