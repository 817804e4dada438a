//! `arenalab trace info`.

use std::fmt::Write;
use std::path::Path;

use arenalab_trace::read::{Recording, Spread, Summary, TraceFile, summarize};
use comfy_table::{ContentArrangement, Table, presets};

use super::{failed, name, open, stopped};
use crate::cli::args::record::TraceInfoArgs;
use crate::cli::exit::{self, CliError};
use crate::cli::record::FACTS;
use crate::cli::say;
use crate::format::FORMAT;
use crate::format::recording::{ProcessInfo, RecordingFacts, TraceInfo};
use crate::units::{format_bytes, format_rate, format_seconds, format_share};

/// Nanoseconds of a second.
const SECOND: f64 = 1e9;

/// Runs the subcommand.
pub fn run(args: &TraceInfoArgs) -> Result<u8, CliError> {
    let recording = open(&args.directory)?;
    let info = info(&args.directory, &recording)?;
    if args.json {
        let text = serde_json::to_string_pretty(&info);
        say::out(&text.map_err(|error| CliError::Failed(format!("failed to write JSON: {error}")))?);
    } else {
        say::out(&for_people(&info));
    }
    Ok(exit::DONE)
}

fn info(directory: &Path, recording: &Recording) -> Result<TraceInfo, CliError> {
    let facts = std::fs::read(directory.join(FACTS)).ok();
    let facts: Option<RecordingFacts> = facts.and_then(|text| serde_json::from_slice(&text).ok());
    let mut processes = Vec::new();
    for file in &recording.files {
        processes.push(process(file, &summarize(file).map_err(|error| failed(&error))?));
    }
    let whole = |process: &ProcessInfo| {
        process.sample == 1 && process.lost == 0 && process.children_lost == 0 && process.contradictions == 0
    };
    let readable = recording.refused.is_empty() && recording.files.iter().all(|file| file.damages.is_empty());
    Ok(TraceInfo {
        format: FORMAT,
        recording: facts,
        replayable: readable && !processes.is_empty() && processes.iter().all(whole),
        processes,
        refused: recording.refused.iter().map(ToString::to_string).collect(),
    })
}

fn process(file: &TraceFile, summary: &Summary) -> ProcessInfo {
    let facts = &file.facts;
    let seconds = summary.span.1 as f64 / SECOND;
    let calls = summary.calls as f64;
    let known = summary.lifetimes.total();
    ProcessInfo {
        file: name(file),
        file_bytes: file.length,
        pid: facts.pid,
        parent: facts.parent,
        exe: facts.exe.clone(),
        forked: facts.forked,
        ended: facts.ended,
        stopped: stopped(facts),
        sample: facts.sample,
        children_lost: facts.children_lost,
        threads: summary.threads,
        calls: summary.calls,
        allocations: summary.gains,
        frees: summary.frees,
        reallocs: summary.reallocs,
        failed: summary.failed,
        cross_thread: (known > 0).then(|| summary.cross_thread as f64 / known as f64),
        bytes_a_call: (summary.calls > 0).then(|| summary.event_bytes as f64 / calls),
        seconds,
        calls_a_second: (seconds > 0.0).then(|| calls / seconds),
        allocated_bytes: summary.bytes_had,
        peak_live_bytes: summary.peak,
        live: summary.curve.iter().map(|live| (live.at as f64 / SECOND, live.bytes)).collect(),
        sizes: classes(&summary.sizes),
        lifetimes_ns: classes(&summary.lifetimes),
        lost: summary.lost,
        unknown_frees: summary.order.unknown_frees,
        contradictions: summary.order.contradictions,
        ambiguous: summary.order.ambiguous,
    }
}

/// Bounds and counts of the classes that have any.
fn classes(spread: &Spread) -> Vec<(u64, u64)> {
    let bound = |class: u32| 1u64.checked_shl(class).unwrap_or(u64::MAX);
    let all = (0u32..).zip(&spread.classes).map(|(class, count)| (bound(class), *count));
    all.filter(|(_, count)| *count > 0).collect()
}

/// The class that this share of all is in or below.
fn quantile(classes: &[(u64, u64)], share: f64) -> Option<u64> {
    let total: u64 = classes.iter().map(|(_, count)| count).sum();
    let mut seen = 0;
    let found = classes.iter().find(|(_, count)| {
        seen += count;
        seen as f64 >= share * total as f64
    });
    found.map(|(bound, _)| *bound)
}

fn for_people(info: &TraceInfo) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header([
        "process",
        "program",
        "threads",
        "calls",
        "a second",
        "bytes/call",
        "peak live",
        "median size",
        "median life",
        "cross-thread",
    ]);
    let unknown = || "–".to_owned();
    let bytes = |bytes: u64| format_bytes(bytes as f64);
    for process in &info.processes {
        let exe = process.exe.rsplit('/').next().unwrap_or_default();
        table.add_row([
            process.pid.to_string(),
            exe.to_owned(),
            process.threads.to_string(),
            process.calls.to_string(),
            process.calls_a_second.map_or_else(unknown, |rate| format_rate(rate, "")).trim().to_owned(),
            process.bytes_a_call.map_or_else(unknown, |bytes| format!("{bytes:.2}")),
            bytes(process.peak_live_bytes),
            quantile(&process.sizes, 0.5).map_or_else(unknown, |size| format!("≤ {}", bytes(size))),
            quantile(&process.lifetimes_ns, 0.5)
                .map_or_else(unknown, |life| format!("≤ {}", format_seconds(life as f64 / SECOND))),
            process.cross_thread.map_or_else(unknown, format_share),
        ]);
    }
    let mut text = String::new();
    if let Some(facts) = &info.recording {
        let _ = writeln!(text, "{}, recorded {}", facts.command.join(" "), facts.started);
    }
    let _ = writeln!(text, "{table}");
    for process in &info.processes {
        for note in notes(process) {
            let _ = writeln!(text, "! process {}: {note}", process.pid);
        }
    }
    for refused in &info.refused {
        let _ = writeln!(text, "! {refused}");
    }
    if !info.replayable {
        text += "This recording cannot be replayed as a whole: it has not all objects, or something is missing.\n";
    }
    text.trim_end().to_owned()
}

/// What is missing, open, or of note.
fn notes(process: &ProcessInfo) -> Vec<String> {
    let mut notes = Vec::new();
    let mut count = |number: u64, what: &str| {
        if number > 0 {
            notes.push(format!("{number} {what}"));
        }
    };
    count(process.lost, "calls were lost (signal handlers that allocate)");
    count(u64::from(process.children_lost), "children by fork could not be recorded");
    count(process.contradictions, "events contradict others in the best order found");
    count(process.ambiguous, "times the order of threads at one address stayed open");
    count(process.failed, "requests failed");
    if !process.forked {
        count(process.unknown_frees, "frees of objects that were had before recording began");
    }
    if process.sample > 1 {
        notes.push(format!("only one in {} objects was recorded", process.sample));
    }
    notes.extend(process.stopped.as_ref().map(|why| format!("recording ended early: {why}")));
    notes
}
