//! `arenalab inspect`: what the heap of a live process looks like, and what follows.

mod show;

use std::time::Duration;

use super::args::InspectArgs;
use super::exit::{self, CliError};
use super::say;
use crate::format::inspect::Inspected;
use crate::knowledge::advice;
use crate::knowledge::nearest::quote;
use crate::trial::inspect;
use crate::units::parse_duration;

/// Runs the subcommand.
pub fn run(args: &InspectArgs) -> Result<u8, CliError> {
    let wrong = |why: String| CliError::Usage(format!("--watch: {why}"));
    let watch = args.watch.as_deref().map(parse_duration).transpose().map_err(wrong)?;
    let first = looks(&pids(&args.processes)?, args.deep);
    let looks = match watch {
        Some(pause) => again(first, pause, args.deep),
        None => first.into_iter().map(|seen| (seen, None)).collect(),
    };
    if looks.is_empty() {
        return Err(CliError::Usage("it ended while it was looked at".to_owned()));
    }
    for (number, (seen, before)) in looks.iter().enumerate() {
        if args.json {
            let line = serde_json::to_string(seen);
            say::out(&line.map_err(|e| CliError::Failed(format!("failed to write JSON: {e}")))?);
            continue;
        }
        if number > 0 {
            say::out("");
        }
        let text = show::text(seen, before.as_ref().zip(watch));
        say::out(text.map_err(|e| CliError::Failed(e.to_string()))?.trim_end());
    }
    Ok(exit::DONE)
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

fn looks(pids: &[u32], deep: bool) -> Vec<Inspected> {
    let look = |pid: &u32| {
        let mut seen = inspect::look(*pid, deep)?;
        seen.advice = advice::of(&seen);
        Some(seen)
    };
    pids.iter().filter_map(look).collect()
}

/// The second look at each, with the first.
fn again(first: Vec<Inspected>, pause: Duration, deep: bool) -> Vec<(Inspected, Option<Inspected>)> {
    std::thread::sleep(pause);
    let pids: Vec<u32> = first.iter().map(|seen| seen.pid).collect();
    let mut later = looks(&pids, deep);
    let pair = |before: Inspected| match later.iter().position(|seen| seen.pid == before.pid) {
        Some(at) => (later.swap_remove(at), Some(before)),
        None => (before, None),
    };
    first.into_iter().map(pair).collect()
}
