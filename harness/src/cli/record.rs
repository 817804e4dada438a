//! `arenalab record`: runs a program with the recorder in it, or prints what switches the recorder on elsewhere.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use arenalab_trace::layout::{CONTROL_NAME, Stop as Stopped};
use arenalab_trace::read::Recording;

use super::args::RecordArgs;
use super::exit::{self, CliError};
use super::say;
use super::signals::Stop;
use super::surroundings::Surroundings;
use crate::format::FORMAT;
use crate::format::recording::RecordingFacts;
use crate::knowledge::nearest::quote;
use crate::knowledge::preload;
use crate::trial::recording::{self, Asked};
use crate::trial::{companions, host};
use crate::units::{format_bytes, format_seconds, parse_bytes, parse_duration};

mod instructions;
mod planned;

/// The file that says how a recording was made.
pub const FACTS: &str = "recording.json";

/// Runs the subcommand.
pub fn run(args: &RecordArgs, around: &Surroundings) -> Result<u8, CliError> {
    let library = around.companions.recorder().map_err(|missing| CliError::Failed(missing.to_string()))?;
    let library = library.canonicalize().unwrap_or(library);
    let usage = |why: String| CliError::Usage(why);
    preload::check_path(&library.display().to_string())
        .map_err(|why| usage(format!("{}: {why}", library.display())))?;
    let asked = asked(args).map_err(usage)?;
    if args.print_env.is_some() {
        say::out(instructions::text(&asked, &library).trim_end());
        return Ok(exit::DONE);
    }
    if let Some(plan) = &args.plan {
        let planned = planned::read(plan, args.workload.as_deref(), &asked, &library, around)?;
        write_facts(&asked, planned.program.command.clone())?;
        return planned::record(&asked, &planned, around);
    }
    let command = the_command(args, around)?;
    write_facts(&asked, args.command.iter().map(|word| word.to_string_lossy().into_owned()).collect())?;
    record(&asked, &command, &library, around)
}

/// Makes the directory, and says in it how the recording is made.
fn write_facts(asked: &Asked, command: Vec<String>) -> Result<(), CliError> {
    begin_directory(&asked.directory)?;
    let facts = facts(command, asked);
    let failed = |what: &Path, error: &dyn std::fmt::Display| {
        CliError::Failed(format!("failed to write {}: {error}", what.display()))
    };
    let path = asked.directory.join(FACTS);
    let text = serde_json::to_string_pretty(&facts).map_err(|error| failed(&path, &error))?;
    std::fs::write(&path, text + "\n").map_err(|error| failed(&path, &error))
}

fn record(
    asked: &Asked,
    command: &[OsString],
    library: &Path,
    around: &Surroundings,
) -> Result<u8, CliError> {
    let stop = Stop::install().map_err(|e| CliError::Failed(format!("failed to catch signals: {e}")))?;
    let preloaded =
        around.variables.iter().find(|(name, _)| name == "LD_PRELOAD").map(|(_, value)| value.as_os_str());
    let variables = asked.variables(library, preloaded);
    // A terminal sends Ctrl-C to the program too; whatever else stops us does not.
    let has_it_already =
        || stop.exit_code() == exit::INTERRUPTED && std::io::IsTerminal::is_terminal(&std::io::stdin());
    let signal = || {
        let signal = if stop.exit_code() == exit::INTERRUPTED { libc::SIGINT } else { libc::SIGTERM };
        (!has_it_already()).then_some(signal)
    };
    let ran = recording::run(asked, command, &variables, &stop.flag, signal).map_err(CliError::Failed)?;
    let ending = recording::ending(ran.status);
    let recorded = last_word(asked, ran.time_over)?;
    if stop.flag.load(std::sync::atomic::Ordering::Relaxed) {
        return Ok(stop.exit_code());
    }
    let program = command.first().map(|program| program.to_string_lossy().into_owned()).unwrap_or_default();
    match (recorded, ending) {
        (false, _) => Err(CliError::Failed(format!(
            "{program} ran, but nothing was recorded: it has a malloc of its own, or it never allocated, or what is told above"
        ))),
        (true, Some(ending)) => Err(CliError::Failed(format!("{program} {ending}; it was recorded"))),
        (true, None) => Ok(exit::DONE),
    }
}

/// Tells what there is; whether there is anything.
fn last_word(asked: &Asked, time_over: bool) -> Result<bool, CliError> {
    if let Some(time) = asked.time.filter(|_| time_over) {
        let time = format_seconds(time.as_secs_f64());
        say::err(&format!("recording ended after {time} as asked (--for); the program ran on"));
    }
    let directory = &asked.directory;
    let recording = Recording::open(directory).map_err(|error| CliError::Failed(error.to_string()))?;
    let bytes: u64 = recording.files.iter().map(|file| file.length).sum();
    for file in &recording.files {
        // That the time is over is told for all.
        let of_time = matches!(file.facts.stop, Some(Stopped::TimeOver | Stopped::Told));
        if let Some(why) = super::trace::stopped(&file.facts).filter(|_| !of_time) {
            say::err(&format!(
                "process {} ({}): recording ended early: {why}",
                file.facts.pid, file.facts.exe
            ));
        }
    }
    let begun = recording.files.iter().any(|file| !file.chunks.is_empty());
    if begun {
        let processes = recording.files.len();
        let plural = if processes == 1 { "process" } else { "processes" };
        let dir = directory.display();
        say::err(&format!("{processes} {plural} recorded in {dir}, {}", format_bytes(bytes as f64)));
        say::err(&format!("next: arenalab trace info {dir}"));
    }
    Ok(begun)
}

fn asked(args: &RecordArgs) -> Result<Asked, String> {
    let flag = |name: &str, why: String| format!("--{name}: {why}");
    let directory = args.out.as_ref().or(args.print_env.as_ref()).cloned().unwrap_or_default();
    let directory =
        std::path::absolute(&directory).map_err(|error| format!("{}: {error}", directory.display()))?;
    let time = args.time.as_deref().map(parse_duration).transpose().map_err(|why| flag("for", why))?;
    let max_size =
        args.max_size.as_deref().map(parse_bytes).transpose().map_err(|why| flag("max-size", why))?;
    if time.is_some_and(|time| time.is_zero()) {
        return Err("--for: a recording of no time has nothing in it".to_owned());
    }
    if max_size.is_some_and(|size| size < MIN_SIZE) {
        return Err("--max-size: a recording needs 64KiB at least".to_owned());
    }
    let sample = args.sample.as_deref().map_or(Ok(1), sample).map_err(|why| flag("sample", why))?;
    Ok(Asked { directory, time, max_size, sample })
}

const MIN_SIZE: u64 = 64 << 10;
/// The recorder takes no larger one.
const MOST_SAMPLE: u32 = 1 << 30;

/// `1/64`.
fn sample(text: &str) -> Result<u32, String> {
    let number = text.strip_prefix("1/").and_then(|number| number.parse::<u32>().ok());
    number
        .filter(|number| (1..=MOST_SAMPLE).contains(number))
        .ok_or_else(|| format!("{} is no share of objects; write it as 1/64", quote(text)))
}

/// The command with its program found, where something can be recorded of it.
fn the_command(args: &RecordArgs, around: &Surroundings) -> Result<Vec<OsString>, CliError> {
    let Some((name, arguments)) = args.command.split_first() else {
        return Err(CliError::Usage("no command to record; write it after --".to_owned()));
    };
    let text = name.to_string_lossy();
    let path = around.variables.iter().find(|(name, _)| name == OsStr::new("PATH"));
    let path = path.map(|(_, value)| value.to_string_lossy().into_owned());
    let program: PathBuf = companions::executable(&text, path.as_ref())
        .ok_or_else(|| CliError::Usage(format!("there is no program {} that can be run", quote(&text))))?;
    if let Some(why) = recording::refusal(&program) {
        return Err(CliError::Usage(why));
    }
    // As it was given: some programs look at the name that they are called by.
    Ok([name.clone()].into_iter().chain(arguments.iter().cloned()).collect())
}

fn begin_directory(directory: &Path) -> Result<(), CliError> {
    let dir = directory.display();
    let usage =
        |error: std::io::Error| CliError::Usage(format!("failed to make the directory {dir}: {error}"));
    std::fs::create_dir_all(directory).map_err(usage)?;
    if directory.join(CONTROL_NAME).exists() || directory.join(FACTS).exists() {
        return Err(CliError::Usage(format!(
            "{dir} holds a recording already; name another directory with -o"
        )));
    }
    Ok(())
}

fn facts(command: Vec<String>, asked: &Asked) -> RecordingFacts {
    RecordingFacts {
        format: FORMAT,
        arenalab: env!("CARGO_PKG_VERSION").to_owned(),
        command,
        started: jiff::Timestamp::now().to_string(),
        sample: asked.sample,
        for_s: asked.time.map(|time| time.as_secs_f64()),
        max_size: asked.max_size,
        host: host::fingerprint(None).ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_one_in_so_many() {
        assert_eq!((sample("1/64"), sample("1/1")), (Ok(64), Ok(1)));
        for wrong in ["64", "1/0", "2/3", "1/", "1/4294967295", "0.5"] {
            assert!(sample(wrong).unwrap_err().ends_with("write it as 1/64"), "{wrong}");
        }
    }
}
