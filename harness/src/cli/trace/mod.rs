//! `arenalab trace`: what a recording holds, whether it is sound, its events as text, and its compression.

use std::io::Write;
use std::path::Path;

use arenalab_trace::layout::Stop;
use arenalab_trace::read::{Facts, ReadError, Recording, TraceFile, compress};

use super::args::TraceArgs;
use super::args::record::{TraceCommand, TraceCompressArgs, TraceInfoArgs};
use super::exit::{self, CliError};
use super::say;
use crate::units::format_bytes;

mod export;
mod info;

/// Runs the subcommand.
pub fn run(args: &TraceArgs, out: &mut dyn Write) -> Result<u8, CliError> {
    match &args.command {
        TraceCommand::Info(args) => info::run(args),
        TraceCommand::Check(args) => check(args),
        TraceCommand::Export(args) => super::unless_unread(export::run(args, out).map(|()| exit::DONE))
            .map_err(|error| match error {
                CliError::Failed(why) if why.contains(export::NO_RECORDING) => CliError::Usage(why),
                other => other,
            }),
        TraceCommand::Compress(args) => pack(args),
    }
}

/// Opens a recording that was named on the command line.
fn open(directory: &Path) -> Result<Recording, CliError> {
    Recording::open(directory).map_err(|error| CliError::Usage(error.to_string()))
}

fn failed(error: &ReadError) -> CliError {
    CliError::Failed(error.to_string())
}

/// Why recording ended before the process did; `None` where it did not.
pub fn stopped(facts: &Facts) -> Option<String> {
    let why = facts.stop.map_or("for a reason that this version does not know", Stop::words);
    let error = match facts.stop_errno {
        0 => String::new(),
        number => format!(": {}", std::io::Error::from_raw_os_error(number.cast_signed())),
    };
    (facts.stop != Some(Stop::No)).then(|| format!("{why}{error}"))
}

fn name(file: &TraceFile) -> String {
    file.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn check(args: &TraceInfoArgs) -> Result<u8, CliError> {
    let recording = open(&args.directory)?;
    let mut damages: Vec<(String, Option<u64>, String)> = Vec::new();
    for file in &recording.files {
        let found = file.check().map_err(|error| failed(&error))?;
        damages.extend(found.into_iter().map(|damage| (name(file), Some(damage.at), damage.what)));
    }
    damages.extend(recording.refused.iter().map(|error| (String::new(), None, error.to_string())));
    let is_sound = damages.is_empty();
    if args.json {
        let damage = |(file, at, what): &(String, Option<u64>, String)| serde_json::json!({"file": (!file.is_empty()).then_some(file), "at": at, "what": what});
        let damages: Vec<_> = damages.iter().map(damage).collect();
        let answer = serde_json::json!({
            "format": crate::format::FORMAT,
            "sound": is_sound,
            "files": recording.files.len(),
            "damages": damages,
        });
        say::out(&format!("{answer:#}"));
    } else {
        for (file, at, what) in &damages {
            match at {
                Some(at) => say::out(&format!("{file}: at byte {at}: {what}")),
                None => say::out(what),
            }
        }
        if is_sound {
            let chunks: usize = recording.files.iter().map(|file| file.chunks.len()).sum();
            say::out(&format!("sound: {} files, {chunks} chunks", recording.files.len()));
        }
    }
    Ok(if is_sound { exit::DONE } else { exit::NOT_MET })
}

fn pack(args: &TraceCompressArgs) -> Result<u8, CliError> {
    let recording = open(&args.directory)?;
    let (mut before, mut after, mut files) = (0, 0, 0);
    for file in recording.files.iter().filter(|file| !file.is_packed()) {
        let io = |error: std::io::Error| {
            CliError::Failed(format!("failed to write {}: {error}", file.path.display()))
        };
        let part = file.path.with_extension("trace.part");
        match std::fs::remove_file(&part) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(io(error)),
            _ => {}
        }
        let sizes = compress(file, &part, args.level);
        let sizes = match sizes {
            Ok(sizes) => sizes,
            Err(error) => {
                let _ = std::fs::remove_file(&part);
                return Err(failed(&error));
            }
        };
        std::fs::rename(&part, &file.path).map_err(io)?;
        before += sizes.before;
        after += sizes.after;
        files += 1;
    }
    if args.json {
        let answer = serde_json::json!({
            "format": crate::format::FORMAT, "files": files, "before_bytes": before, "after_bytes": after,
        });
        say::out(&format!("{answer:#}"));
    } else {
        let [before, after] = [before, after].map(|bytes| format_bytes(bytes as f64));
        say::out(&format!("{files} files compressed: {before} to {after}"));
    }
    Ok(exit::DONE)
}
