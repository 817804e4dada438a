//! `arenalab inspect`: what the heap of a live process looks like, and what follows.

mod page;
mod show;
mod watch;

use std::path::Path;

use super::args::InspectArgs;
use super::exit::{self, CliError};
use super::say;
use crate::decide::growth;
use crate::format::inspect::Inspected;
use crate::knowledge::advice;
use crate::knowledge::nearest::quote;
use crate::trial::inspect::{self, Look};
use crate::units::parse_duration;

/// Runs the subcommand.
pub fn run(args: &InspectArgs) -> Result<u8, CliError> {
    let duration = |flag: &str, given: &Option<String>| {
        let wrong = |why: String| CliError::Usage(format!("{flag}: {why}"));
        given.as_deref().map(parse_duration).transpose().map_err(wrong)
    };
    let contention = duration("--contention", &args.contention)?;
    let how = Look { deep: args.deep, contention };
    if let Some(file) = &args.core {
        return core(file, args);
    }
    let pids = pids(&args.processes)?;
    let any = match duration("--watch", &args.watch)? {
        Some(every) if every.is_zero() => {
            return Err(CliError::Usage("--watch: there must be some time between two looks".to_owned()));
        }
        Some(every) => {
            let length = duration("--for", &args.length)?;
            watch::run(&pids, how, watch::Watch { every, length }, args.json, args.out.as_deref())?
        }
        None => once(&pids, how, args.json, args.out.as_deref())?,
    };
    if any { Ok(exit::DONE) } else { Err(CliError::Usage("it ended while it was looked at".to_owned())) }
}

/// One look at each; whether any could be looked at.
fn once(pids: &[u32], how: Look, json: bool, out: Option<&Path>) -> Result<bool, CliError> {
    let mut all: Vec<Vec<growth::Look>> = Vec::new();
    for seen in pids.iter().filter_map(|pid| look(*pid, how)) {
        if !json && !all.is_empty() {
            say::out("");
        }
        print(&seen, json)?;
        all.push(vec![(0.0, seen)]);
    }
    page::write(&all, false, out)?;
    Ok(!all.is_empty())
}

/// A core file instead of a process.
fn core(file: &Path, args: &InspectArgs) -> Result<u8, CliError> {
    let mut seen = inspect::core::look(file, args.deep).map_err(CliError::Usage)?;
    seen.advice = advice::of(&seen);
    print(&seen, args.json)?;
    page::write(&[vec![(0.0, seen)]], false, args.out.as_deref())?;
    Ok(exit::DONE)
}

fn print(seen: &Inspected, json: bool) -> Result<(), CliError> {
    if json {
        let line = serde_json::to_string(seen);
        say::out(&line.map_err(|e| CliError::Failed(format!("failed to write JSON: {e}")))?);
    } else {
        say::out(show::text(seen).map_err(|e| CliError::Failed(e.to_string()))?.trim_end());
    }
    Ok(())
}

/// A look, with what follows from it.
fn look(pid: u32, how: Look) -> Option<Inspected> {
    let mut seen = inspect::look(pid, how)?;
    seen.advice = advice::of(&seen);
    Some(seen)
}

/// The processes that are meant, each once.
fn pids(processes: &[String]) -> Result<Vec<u32>, CliError> {
    let mut found = Vec::new();
    for process in processes {
        let pids = match process.parse() {
            Ok(pid) => vec![pid],
            Err(_) => inspect::named(process),
        };
        if pids.is_empty() {
            return Err(CliError::Usage(format!("no process is called {}", quote(process))));
        }
        for pid in pids {
            if !inspect::exists(pid) {
                return Err(CliError::Usage(format!("there is no process {pid}")));
            }
            if !found.contains(&pid) {
                found.push(pid);
            }
        }
    }
    Ok(found)
}
