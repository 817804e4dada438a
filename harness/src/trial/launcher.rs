//! The launcher: a process between the harness and one trial.
//!
//! It exists so that (a) neither the harness's size nor an earlier trial can enter a trial's peak:
//! `ru_maxrss` survives exec, and `RUSAGE_CHILDREN` is a maximum over all children of a life; (b) nothing
//! of a trial outlives it: the launcher is a subreaper, holds the trial's process group, and ends
//! everything when the trial ends, when its time is up, or when the harness is gone, however it went.
//!
//! Conversation: one line of JSON on its standard input, the [`Job`]; after that the input is a leash:
//! [`END`] means that the trial's time is up, and its end that the harness is gone. [`Report`]s, a line each, go to its standard output.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use command_fds::{CommandFdExt, FdMapping};
use rustix::process::{Pid, Resource, Rlimit, Signal, WaitOptions, WaitStatus};
use serde::{Deserialize, Serialize};

/// The hidden subcommand that makes this executable a launcher.
pub const SUBCOMMAND: &str = "__launch";

/// What the harness writes when a trial's time is up.
pub const END: &[u8] = b"end\n";

/// Descriptor of the control socket, in the launcher and in the workload.
pub const CONTROL_FD: i32 = 3;

/// How much of what a trial prints is kept: the last so many bytes.
const KEPT_OUTPUT: usize = 8 * 1024;

/// What to run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Job {
    /// The executable.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<String>,
    /// Its whole environment.
    pub env: Vec<(String, String)>,
    /// Milliseconds until TERM.
    pub timeout_ms: u64,
    /// Milliseconds from TERM to KILL.
    pub grace_ms: u64,
}

/// What the launcher tells.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "report", rename_all = "kebab-case")]
pub enum Report {
    /// The process runs.
    Started {
        /// Its process id.
        pid: i32,
    },
    /// It could not be started.
    NotStarted {
        /// Why.
        reason: String,
    },
    /// It and all its descendants are gone.
    Ended(Ending),
}

/// How a trial's process ended.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Ending {
    /// Exit code, where it exited.
    pub code: Option<i32>,
    /// Signal, where one ended it.
    pub signal: Option<i32>,
    /// Whether its time was up.
    pub timed_out: bool,
    /// Whether the launcher was told to end it.
    pub abandoned: bool,
    /// Descendants that were still there when the process ended, and were ended.
    pub strays: u32,
    /// Largest resident size of the process or a descendant, bytes (`ru_maxrss`).
    pub max_rss: u64,
    /// The end of what it printed, both streams.
    pub output: String,
}

enum Wake {
    TimeUp,
    LeashGone,
    Reaped(Pid, WaitStatus),
    NoChildren,
}

/// Runs as a launcher until the trial is over.
///
/// # Errors
/// When the conversation with the harness breaks, or the system refuses what a launcher needs.
pub fn main() -> std::io::Result<()> {
    // SAFETY: nothing in this process has opened or taken a descriptor yet.
    unsafe { command_fds::inherited::init_inherited_fds() }?;
    let control = command_fds::inherited::take_fd_ownership(CONTROL_FD).ok();
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
    // A crash is a row, not a file of many gigabytes.
    let no_core = Rlimit { current: Some(0), maximum: Some(0) };
    rustix::process::setrlimit(Resource::Core, no_core)?;
    let mut input = BufReader::new(std::io::stdin());
    let mut line = String::new();
    input.read_line(&mut line)?;
    let job: Job = serde_json::from_str(&line)?;

    let (mut child, output) = match start(&job, control) {
        Ok(started) => started,
        Err(error) => {
            let reason = format!("failed to start {}: {error}", job.program.display());
            return say(&Report::NotStarted { reason });
        }
    };
    let Some(pid) = Pid::from_raw(child.id().cast_signed()) else {
        return Err(std::io::Error::other("the child has no process id"));
    };
    let (wakes, woken) = channel();
    watch_leash(input, wakes.clone());
    watch_children(wakes);
    say(&Report::Started { pid: child.id().cast_signed() })?;

    let mut ending = attend(&job, pid, &woken);
    ending.strays = end_descendants(pid, &woken);
    ending.max_rss = max_rss_of_children();
    ending.output = output.join().unwrap_or_default();
    drop(child.stdin.take());
    say(&Report::Ended(ending))
}

fn say(report: &Report) -> std::io::Result<()> {
    let mut line = serde_json::to_vec(report)?;
    line.push(b'\n');
    let mut out = std::io::stdout().lock();
    out.write_all(&line)?;
    out.flush()
}

fn start(job: &Job, control: Option<OwnedFd>) -> std::io::Result<(Child, JoinHandle<String>)> {
    let (reader, writer) = std::io::pipe()?;
    let mut command = Command::new(&job.program);
    command
        .args(&job.args)
        .env_clear()
        .envs(job.env.iter().map(|(k, v)| (k, v)))
        .stdin(Stdio::null())
        .stdout(writer.try_clone()?)
        .stderr(writer)
        .process_group(0);
    if let Some(control) = control {
        command
            .fd_mappings(vec![FdMapping { parent_fd: control, child_fd: CONTROL_FD }])
            .map_err(std::io::Error::other)?;
    }
    let launcher = rustix::process::getpid();
    // SAFETY: between fork and exec only two system calls are made, and nothing is allocated.
    unsafe {
        command.pre_exec(move || {
            rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
            // The launcher may have died before the line above.
            if rustix::process::getppid() == Some(launcher) {
                Ok(())
            } else {
                Err(std::io::Error::from_raw_os_error(libc::ESRCH))
            }
        });
    }
    let child = command.spawn()?;
    Ok((child, std::thread::spawn(move || keep_end(reader))))
}

/// Reads to the end, keeping the last [`KEPT_OUTPUT`] bytes.
fn keep_end(mut reader: impl Read) -> String {
    let mut kept = Vec::new();
    let mut part = [0u8; 4096];
    while let Ok(got) = reader.read(&mut part) {
        if got == 0 {
            break;
        }
        kept.extend_from_slice(&part[..got]);
        let excess = kept.len().saturating_sub(KEPT_OUTPUT);
        kept.drain(..excess);
    }
    String::from_utf8_lossy(&kept).into_owned()
}

fn watch_leash(mut input: impl Read + Send + 'static, wakes: Sender<Wake>) {
    std::thread::spawn(move || {
        let mut word = [0u8; 64];
        while matches!(input.read(&mut word), Ok(got) if got > 0) {
            let _ = wakes.send(Wake::TimeUp);
        }
        let _ = wakes.send(Wake::LeashGone);
    });
}

fn watch_children(wakes: Sender<Wake>) {
    std::thread::spawn(move || {
        loop {
            match rustix::process::wait(WaitOptions::empty()) {
                Ok(Some((pid, status))) => {
                    let _ = wakes.send(Wake::Reaped(pid, status));
                }
                Ok(None) | Err(rustix::io::Errno::INTR) => {}
                Err(_) => break,
            }
        }
        let _ = wakes.send(Wake::NoChildren);
    });
}

/// Waits until the trial's own process ends, enforcing time limit and leash.
fn attend(job: &Job, pid: Pid, woken: &Receiver<Wake>) -> Ending {
    let mut ending = Ending::default();
    let mut limit = Instant::now() + Duration::from_millis(job.timeout_ms);
    loop {
        match woken.recv_timeout(limit.saturating_duration_since(Instant::now())) {
            Ok(Wake::Reaped(reaped, status)) if reaped == pid => {
                ending.code = status.exit_status();
                ending.signal = status.terminating_signal();
                return ending;
            }
            Ok(Wake::LeashGone) => {
                ending.abandoned = true;
                signal_trial(pid, Signal::KILL);
            }
            Ok(Wake::TimeUp) if !ending.timed_out => limit = Instant::now(),
            Ok(Wake::TimeUp | Wake::Reaped(..)) => {}
            Ok(Wake::NoChildren) | Err(RecvTimeoutError::Disconnected) => return ending,
            Err(RecvTimeoutError::Timeout) => {
                let first = !ending.timed_out;
                ending.timed_out = true;
                signal_trial(pid, if first { Signal::TERM } else { Signal::KILL });
                limit = Instant::now() + Duration::from_millis(job.grace_ms);
            }
        }
    }
}

/// Signals the trial's process group, and its own process, which may have left the group.
fn signal_trial(pid: Pid, signal: Signal) {
    // Both may be gone already.
    let _ = rustix::process::kill_process_group(pid, signal);
    let _ = rustix::process::kill_process(pid, signal);
}

/// Kills and reaps whatever the trial left behind, daemons in sessions of their own included: as a
/// subreaper this process is the parent of all of them. Gives their number.
fn end_descendants(group: Pid, woken: &Receiver<Wake>) -> u32 {
    let mut strays = 0;
    loop {
        // The group only: the trial's own process is reaped, and its number may be another's by now.
        let _ = rustix::process::kill_process_group(group, Signal::KILL);
        for child in children() {
            let _ = rustix::process::kill_process(child, Signal::KILL);
        }
        loop {
            match woken.recv_timeout(Duration::from_millis(2)) {
                Ok(Wake::Reaped(..)) => strays += 1,
                Ok(Wake::NoChildren) | Err(RecvTimeoutError::Disconnected) => return strays,
                Ok(Wake::LeashGone | Wake::TimeUp) => {}
                Err(RecvTimeoutError::Timeout) => break,
            }
        }
    }
}

fn children() -> Vec<Pid> {
    let me = std::process::id().cast_signed();
    let Ok(all) = procfs::process::all_processes() else { return Vec::new() };
    all.flatten()
        .filter_map(|process| process.stat().ok())
        .filter(|stat| stat.ppid == me)
        .filter_map(|stat| Pid::from_raw(stat.pid))
        .collect()
}

/// The largest resident size of any reaped child. A launcher has the children of one trial only, so this
/// lifetime maximum is the trial's.
fn max_rss_of_children() -> u64 {
    // SAFETY: rusage is plain numbers, for which zero is valid; getrusage fills it.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_CHILDREN, &raw mut usage);
        usage
    };
    u64::try_from(usage.ru_maxrss).unwrap_or(0) * 1024
}
