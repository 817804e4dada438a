//! `arenalab trace export`: the events, in the order in which they happened as far as that is known.

use std::io::{BufWriter, Write};

use anyhow::Context;
use arenalab_trace::event::Event;
use arenalab_trace::read::{Merge, Merged, Recording, TraceFile};

use crate::cli::args::record::{TraceExportArgs, TraceFormat};

/// In every message about what is no recording.
pub const NO_RECORDING: &str = "cannot be exported";

/// The columns.
const COLUMNS: [&str; 8] = ["pid", "tid", "time_ns", "event", "address", "size", "alignment", "lost"];

/// Writes the events to `out`.
///
/// # Errors
/// The recording cannot be read, or `out` refuses.
pub fn run(args: &TraceExportArgs, out: &mut dyn Write) -> anyhow::Result<()> {
    let dir = args.directory.display();
    let recording = Recording::open(&args.directory).with_context(|| format!("{dir} {NO_RECORDING}"))?;
    let files = || recording.files.iter().filter(|file| args.pid.is_none_or(|pid| file.facts.pid == pid));
    if let Some(pid) = args.pid.filter(|_| files().next().is_none()) {
        anyhow::bail!("{dir} {NO_RECORDING}: it has no process {pid}");
    }
    let mut out = BufWriter::new(out);
    if args.format == TraceFormat::Csv {
        writeln!(out, "{}", COLUMNS.join(","))?;
    }
    for file in files() {
        one(file, args.format, &mut out)?;
    }
    Ok(out.flush()?)
}

fn one(file: &TraceFile, format: TraceFormat, out: &mut dyn Write) -> anyhow::Result<()> {
    let mut merge = Merge::new(file)?;
    while let Some(merged) = merge.next()? {
        if let Some(row) = Row::of(file.facts.pid, &merged) {
            match format {
                TraceFormat::Csv => row.csv(out)?,
                TraceFormat::Ndjson => row.json(out)?,
            }
        }
    }
    Ok(())
}

/// An event's cells. What an event does not have is `None`.
struct Row {
    pid: u32,
    tid: u32,
    time: u64,
    event: &'static str,
    address: Option<u64>,
    size: Option<u64>,
    alignment: Option<u64>,
    lost: Option<u64>,
}

impl Row {
    fn of(pid: u32, merged: &Merged) -> Option<Self> {
        let (event, address, size) = match merged.event {
            Event::Malloc { pointer, size } => ("malloc", Some(pointer), Some(size)),
            Event::Calloc { pointer, size } => ("calloc", Some(pointer), Some(size)),
            Event::Aligned { pointer, size, .. } => ("aligned", Some(pointer), Some(size)),
            Event::Free { pointer } => ("free", Some(pointer), None),
            Event::ReallocBegin { pointer } => ("realloc_begin", Some(pointer), None),
            Event::ReallocEnd { pointer, size } => ("realloc_end", Some(pointer), Some(size)),
            Event::ReallocFailed { size } => ("realloc_failed", None, Some(size)),
            Event::ReallocFreed => ("realloc_freed", None, None),
            Event::Failed { size } => ("failed", None, Some(size)),
            Event::Lost { .. } => ("lost", None, None),
            Event::ThreadEnd => ("thread_end", None, None),
            Event::Stamp { .. } | Event::Close => return None,
        };
        let alignment = match merged.event {
            Event::Aligned { log2, .. } => Some(1 << log2.min(63)),
            _ => None,
        };
        let lost = match merged.event {
            Event::Lost { calls } => Some(calls),
            _ => None,
        };
        Some(Self { pid, tid: merged.tid, time: merged.time, event, address, size, alignment, lost })
    }

    fn csv(&self, out: &mut dyn Write) -> std::io::Result<()> {
        write!(out, "{},{},{},{},", self.pid, self.tid, self.time, self.event)?;
        if let Some(address) = self.address {
            write!(out, "{address:#x}")?;
        }
        for cell in [self.size, self.alignment, self.lost] {
            match cell {
                Some(number) => write!(out, ",{number}")?,
                None => write!(out, ",")?,
            }
        }
        writeln!(out)
    }

    fn json(&self, out: &mut dyn Write) -> std::io::Result<()> {
        let Self { pid, tid, time, event, .. } = self;
        write!(out, "{{\"pid\":{pid},\"tid\":{tid},\"time_ns\":{time},\"event\":\"{event}\"")?;
        if let Some(address) = self.address {
            write!(out, ",\"address\":\"{address:#x}\"")?;
        }
        for (name, cell) in [("size", self.size), ("alignment", self.alignment), ("lost", self.lost)] {
            if let Some(number) = cell {
                write!(out, ",\"{name}\":{number}")?;
            }
        }
        writeln!(out, "}}")
    }
}
