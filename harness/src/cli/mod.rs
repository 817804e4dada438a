//! The command line: one file a subcommand. Only this floor prints, reads the environment, and knows exit
//! codes.

use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;

use args::{Cli, Command};
use exit::CliError;
use surroundings::Surroundings;

pub mod args;
pub mod exit;

mod begin;
mod choose;
mod compare;
mod completions;
mod doctor;
mod export;
mod inspect;
mod libcs;
mod list;
mod man;
mod predict;
mod preloads;
mod progress;
mod record;
mod rehearse;
mod report;
mod run;
mod say;
mod signals;
mod surroundings;
mod sweep;
mod trace;
mod tune;

/// Runs the command line that this process was started with.
pub fn main() -> ExitCode {
    if std::env::args_os().nth(1).is_some_and(|first| first == crate::trial::launcher::SUBCOMMAND) {
        let outcome = crate::trial::launcher::main().map(|()| exit::DONE);
        return exit::finish(outcome.map_err(|e| CliError::Failed(format!("launcher: {e}"))));
    }
    match Cli::try_parse() {
        Ok(cli) => exit::finish(dispatch(cli.command)),
        Err(error) => refuse(&error),
    }
}

fn dispatch(command: Command) -> Result<u8, CliError> {
    let around = Surroundings::of_this_program();
    let out = &mut std::io::stdout().lock();
    let done = |()| exit::DONE;
    match command {
        Command::Sweep(args) => sweep::run(*args, &around),
        Command::Tune(args) => tune::run(*args, &around),
        Command::Rehearse(args) => rehearse::run(*args, &around),
        Command::Compare(args) => compare::run(&args),
        Command::Choose(args) => choose::run(&args),
        Command::Report(args) => report::run(&args),
        Command::Export(args) => export::run(&args, out),
        Command::Record(args) => record::run(&args, &around),
        Command::Trace(args) => trace::run(&args, out),
        Command::List(args) => list::others(&args)
            .and_then(|others| unless_unread(list::run(&args, others, &around, out).map(done))),
        Command::Predict(args) => predict::run(&args, &around),
        Command::Inspect(args) => inspect::run(&args),
        Command::Doctor(args) => unless_unread(doctor::run(&args, &around, out)),
        Command::Completions(args) => {
            unless_unread(completions::run(&args, out).map(done).map_err(Into::into))
        }
        Command::Man(args) => unless_unread(man::run(&args, out).map(done)),
    }
}

/// A reader that went away (`| head`) has what it wanted.
fn unless_unread(outcome: anyhow::Result<u8>) -> Result<u8, CliError> {
    outcome.or_else(|error| match error.downcast_ref::<std::io::Error>() {
        Some(e) if e.kind() == std::io::ErrorKind::BrokenPipe => Ok(exit::DONE),
        _ => Err(CliError::Failed(format!("{error:#}"))),
    })
}

/// Help and version go to standard output; a mistake is one line on standard error.
fn refuse(error: &clap::Error) -> ExitCode {
    let is_answer = matches!(
        error.kind(),
        ErrorKind::DisplayHelp
            | ErrorKind::DisplayVersion
            | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
    );
    if is_answer {
        let _ = error.print();
        return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
    }
    exit::finish(Err(CliError::Usage(args::one_line(error))))
}
