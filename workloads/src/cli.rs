//! The command line of a workload binary.

use std::io::{self, Write};
use std::os::fd::{BorrowedFd, FromRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::process::ExitCode;

use arenalab_wire::message::{Failure, Hello, Identity};
use arenalab_wire::telemetry::{MAX_SEATS, Page};
use clap::{Parser, Subcommand};

use crate::allocator::Allocator;
use crate::allocator::counted_cpus::counted_cpus;
use crate::engine::{Conductor, Stop};
use crate::heap::LibcHeap;
use crate::memory::OUT_OF_MEMORY;
use crate::session::{ByHand, Harness};
use crate::subject::Subject;
use crate::{catalogue, size_sets};

/// Runs allocation workloads under the allocator that this program is linked with.
///
/// Usually started by arenalab; by hand it prints a summary of each phase.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs a workload.
    Run(RunArguments),
    /// Says which allocator really serves malloc here, as JSON.
    Identify,
    /// Lists the workloads with their parameters, as JSON.
    List,
    /// Lists the published size sets that models may name, as JSON.
    Sets,
}

#[derive(clap::Args)]
struct RunArguments {
    /// The workload: NAME[:PARAMETER=VALUE,...] or model:FILE.
    workload: String,
    /// The content of the model, which is then not read from a file.
    #[arg(long, value_name = "TOML")]
    model: Option<String>,
    /// Logical threads; 4, or what a model says.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=MAX_SEATS as i64))]
    threads: Option<u32>,
    /// Seed of all choices.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Inherited Unix stream socket over which a harness leads the run.
    #[arg(long, value_name = "FD", value_parser = clap::value_parser!(i32).range(3..))]
    control_fd: Option<RawFd>,
    /// Without a harness: print messages as lines of JSON.
    #[arg(long, conflicts_with = "control_fd")]
    json: bool,
}

/// The harness has gone.
const DESERTED: i32 = 4;

/// The whole program, but for the choice of the allocator. Exit codes: 0 done, 1 the workload or the
/// system failed, 2 bad arguments, 3 out of memory (the measured heap, or the engine's own), 4 the harness has gone.
pub fn main(allocator: &dyn Allocator) -> ExitCode {
    crate::stack::plain();
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return usage(&error),
    };
    // A panic of one thread would leave the others waiting at the gate.
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        report(panic);
        std::process::exit(1);
    }));
    let result = match arguments.command {
        Command::Run(run) => return perform(run, allocator),
        Command::Identify => print_json(&identify(allocator)),
        Command::List => print_json(catalogue::all()),
        Command::Sets => print_json(size_sets::ALL),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&format!("failed to write to stdout: {error}")),
    }
}

/// One line for a mistake; clap's own text for `--help` and `--version`.
fn usage(error: &clap::Error) -> ExitCode {
    use clap::error::ErrorKind;
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        let _ = error.print();
        return ExitCode::SUCCESS;
    }
    let text = error.to_string();
    let line = text.lines().next().unwrap_or("error: bad arguments");
    // What is missing, or what was probably meant; not clap's usage lines.
    let telling = |line: &&str| ["tip:", "--", "<"].iter().any(|start| line.starts_with(start));
    let more: Vec<_> = text.lines().skip(1).map(str::trim).filter(telling).collect();
    eprintln!("{}", [&[line], more.as_slice()].concat().join(" "));
    ExitCode::from(2)
}

fn failed(reason: &str) -> ExitCode {
    eprintln!("error: {reason}");
    ExitCode::FAILURE
}

/// Who it is, and what takes a process of its own to find out.
fn identify(allocator: &dyn Allocator) -> Identity {
    let mut identity = allocator.identity();
    if identity.name == "glibc" {
        identity.counted_cpus = counted_cpus(allocator);
    }
    identity
}

fn print_json(value: &(impl serde::Serialize + ?Sized)) -> io::Result<()> {
    writeln!(io::stdout(), "{}", serde_json::to_string_pretty(value)?)
}

/// The inherited control socket, no longer inheritable.
fn control_socket(fd: RawFd) -> io::Result<UnixStream> {
    // SAFETY: only borrowed for two calls that fail on a descriptor that is not open.
    let borrowed = unsafe { BorrowedFd::borrow_raw(fd) };
    rustix::io::fcntl_setfd(borrowed, rustix::io::FdFlags::CLOEXEC)?;
    let mode = rustix::fs::fstat(borrowed)?.st_mode;
    if rustix::fs::FileType::from_raw_mode(mode) != rustix::fs::FileType::Socket {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a socket"));
    }
    // SAFETY: an open socket that was passed for this purpose and that nothing else here owns.
    Ok(unsafe { UnixStream::from_raw_fd(fd) })
}

/// A mistake of the one who started it.
fn mistake(why: &dyn std::fmt::Display) -> ExitCode {
    eprintln!("error: {why}");
    ExitCode::from(2)
}

fn perform(arguments: RunArguments, allocator: &dyn Allocator) -> ExitCode {
    let RunArguments { workload, model, threads, seed, control_fd, json } = arguments;
    let subject = match Subject::read(&workload, model.as_deref()) {
        Ok(subject) => subject,
        Err(why) => return mistake(&why),
    };
    let threads = threads.unwrap_or_else(|| subject.threads());
    if let Err(why) = subject.fits(threads) {
        return mistake(&why);
    }
    let (page, file) = match Page::create(threads as usize) {
        Ok(made) => made,
        Err(error) => return failed(&format!("failed to make the telemetry page: {error}")),
    };
    // Parked threads go on pointing to it until the process ends.
    let page: &'static Page = Box::leak(Box::new(page));
    let run = Run { subject, threads, seed, page };
    let Some(fd) = control_fd else {
        return finish(go(&run, &mut ByHand { json, allocator }), |failure| {
            eprintln!("error: {}", failure.reason);
        });
    };
    let socket = match control_socket(fd) {
        Ok(socket) => socket,
        Err(error) => {
            eprintln!("error: --control-fd {fd}: {error}");
            return ExitCode::from(2);
        }
    };
    let hello = Hello {
        version: arenalab_wire::VERSION,
        pid: std::process::id(),
        workload: run.subject.to_string(),
        threads,
        allocator: allocator.identity(),
    };
    match Harness::new(socket, allocator, hello, file) {
        Ok(mut harness) => {
            let result = go(&run, &mut harness);
            finish(result, |failure| {
                eprintln!("error: {}", failure.reason);
                harness.fail(failure);
            })
        }
        Err(error) => failed(&format!("failed to copy the control socket: {error}")),
    }
}

struct Run {
    subject: Subject,
    threads: u32,
    seed: u64,
    page: &'static Page,
}

fn go(run: &Run, conductor: &mut dyn Conductor) -> Result<(), Stop> {
    run.subject.start((run.threads, run.seed), run.page, LibcHeap, conductor)
}

fn finish(result: Result<(), Stop>, tell: impl FnOnce(Failure)) -> ExitCode {
    let code = match result {
        Ok(()) => return ExitCode::SUCCESS,
        Err(Stop::Deserted(error)) => {
            eprintln!("error: the conversation has ended: {error}");
            DESERTED
        }
        Err(Stop::Failed(failure)) => {
            let code = if failure.out_of_memory { OUT_OF_MEMORY } else { 1 };
            tell(failure);
            code
        }
    };
    // Threads may still be at work: nothing of theirs may be taken down under them.
    // SAFETY: ends the process at once.
    unsafe { libc::_exit(code) }
}
