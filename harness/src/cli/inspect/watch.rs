//! Several looks, and what became of the process.

use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::{look, page, show};
use crate::cli::exit::CliError;
use crate::cli::say;
use crate::cli::signals::Stop;
use crate::decide::growth;
use crate::format::inspect::Inspected;
use crate::trial::inspect::Look;
use crate::units::format_bytes;

/// How long a wait may overlook that it was asked to stop.
const STEP: Duration = Duration::from_millis(50);

/// How often is looked, and for how long.
#[derive(Clone, Copy)]
pub struct Watch {
    /// From the start of one look to the start of the next.
    pub every: Duration,
    /// From the first look on; `None` until Ctrl-C, or until all processes have ended.
    pub length: Option<Duration>,
}

/// Looks again and again, then gives the verdict.
pub fn run(pids: &[u32], how: Look, watch: Watch, json: bool, out: Option<&Path>) -> Result<bool, CliError> {
    let stop = Stop::install().map_err(|e| CliError::Failed(format!("failed to watch for signals: {e}")))?;
    let begun = Instant::now();
    let mut all: Vec<Vec<growth::Look>> = pids.iter().map(|_| Vec::new()).collect();
    for number in 0_u32.. {
        let mut alive = false;
        for (pid, looks) in pids.iter().zip(&mut all) {
            let at = begun.elapsed().as_secs_f64();
            // A process that is missed once has ended: what has its PID later is another one.
            let ended = looks.len() < number as usize;
            let Some(seen) = (!ended).then(|| look(*pid, how)).flatten() else { continue };
            alive = true;
            print(at, &seen, looks.is_empty(), json)?;
            looks.push((at, seen));
        }
        let next = watch.every.saturating_mul(number + 1);
        if !alive || watch.length.is_some_and(|length| next > length) || !waited(begun, next, &stop) {
            break;
        }
    }
    for looks in &all {
        verdict(looks, json)?;
    }
    page::write(&all, true, out)?;
    Ok(all.iter().any(|looks| !looks.is_empty()))
}

/// Waits until it is time; false where a signal came.
fn waited(begun: Instant, until: Duration, stop: &Stop) -> bool {
    loop {
        if stop.flag.load(Ordering::Relaxed) {
            return false;
        }
        let left = until.saturating_sub(begun.elapsed());
        if left.is_zero() {
            return true;
        }
        std::thread::sleep(left.min(STEP));
    }
}

fn line(value: &impl Serialize) -> Result<(), CliError> {
    let line = serde_json::to_string(value);
    say::out(&line.map_err(|e| CliError::Failed(format!("failed to write JSON: {e}")))?);
    Ok(())
}

fn print(at: f64, seen: &Inspected, first: bool, json: bool) -> Result<(), CliError> {
    if json {
        return line(seen);
    }
    if first {
        say::out(&show::text(seen).map_err(|e| CliError::Failed(e.to_string()))?);
    }
    let bytes = |bytes: u64| format_bytes(bytes as f64);
    let resident = seen.rss.map_or_else(|| "?".to_owned(), bytes);
    let (mut live, mut free) = (seen.mmapped.as_ref().map_or(0, |mapped| mapped.bytes), 0_u64);
    for arena in &seen.arenas {
        live = live.saturating_add(arena.in_use);
        free = free.saturating_add(arena.free).saturating_add(arena.fast).saturating_add(arena.top);
    }
    let malloc = if seen.arenas.is_empty() {
        String::new()
    } else {
        format!(", live {}, free {}, {} arenas", bytes(live), bytes(free), seen.arenas.len())
    };
    say::out(&format!("{at:8.1}s  {} ({}): resident {resident}{malloc}", seen.comm, seen.pid));
    Ok(())
}

fn verdict(looks: &[growth::Look], json: bool) -> Result<(), CliError> {
    let Some(watched) = growth::watched(looks) else { return Ok(()) };
    if json {
        return line(&watched);
    }
    let text = show::watched(&watched, sizes(looks), Duration::from_secs_f64(watched.seconds.round()));
    say::out(text.map_err(|e| CliError::Failed(e.to_string()))?.trim_end());
    Ok(())
}

/// Sizes in use that grew most between the first and the last look, where every chunk was looked at.
fn sizes(looks: &[growth::Look]) -> Vec<String> {
    let (Some((_, first)), Some((_, last))) = (looks.first(), looks.last()) else { return Vec::new() };
    let grown = last.in_use_by_size.iter().filter_map(|class| {
        let before = first.in_use_by_size.iter().find(|one| one.below == class.below);
        let by = class.bytes.saturating_sub(before.map_or(0, |one| one.bytes));
        (by >= 1 << 20).then(|| {
            format!("in use, below {}: +{}", format_bytes(class.below as f64), format_bytes(by as f64))
        })
    });
    grown.collect()
}
