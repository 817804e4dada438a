//! The launcher: a process between the harness and one trial.
//!
//! It exists so that (a) neither the harness's size nor an earlier trial can enter a trial's peak:
//! `ru_maxrss` survives exec, and `RUSAGE_CHILDREN` is a maximum over all children of a life; (b) nothing
//! of a trial outlives it: the launcher is a subreaper, holds the trial's process group, and ends
//! everything when the trial ends, when its time is up, or when the harness is gone, however it went.
//!
//! Conversation: one line of JSON on its standard input, the [`Job`]; after that the input is a leash, on which
//! a line is a [`Word`], and whose end means that the harness is gone. [`Report`]s, a line each, go to its
//! standard output.

use std::ffi::CString;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use command_fds::{CommandFdExt, FdMapping};
use rustix::process::{Pid, Resource, Rlimit, Signal, WaitOptions, WaitStatus};
use serde::{Deserialize, Serialize};

use super::libc_root::whole::Inside;
use super::pretend_cpus;
use output::Kept;

pub mod floor;
pub mod output;

/// The hidden subcommand that makes this executable a launcher.
pub const SUBCOMMAND: &str = "__launch";

/// Descriptor of the control socket, in the launcher and in the workload.
pub const CONTROL_FD: i32 = 3;

/// How the reason begins where the host does not let a job run inside a root.
pub const REFUSED: &str = "failed to run inside";

/// What to run.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Job {
    /// The executable.
    pub program: PathBuf,
    /// What it is told that it is called; its path where nothing is said.
    pub arg0: Option<String>,
    /// Its arguments.
    pub args: Vec<String>,
    /// Its whole environment.
    pub env: Vec<(String, String)>,
    /// Milliseconds until TERM.
    pub timeout_ms: u64,
    /// Milliseconds from TERM to KILL.
    pub grace_ms: u64,
    /// Its working directory; the launcher's where nothing is said.
    pub directory: Option<PathBuf>,
    /// A file for what it prints, kept within bounds.
    pub output: Option<PathBuf>,
    /// Whether it lasts as long as any process of it does: a service may leave its first process.
    pub whole: bool,
    /// Whether a signal to stop is for its whole process group, as a shell hands none on.
    pub stop_group: bool,
    /// A directory that is removed with the trial where the harness is gone and cannot do it.
    pub scratch: Option<PathBuf>,
    /// Control groups that it is put into: their `cgroup.procs`.
    pub join: Vec<PathBuf>,
    /// A root that it runs in; program and directory are then paths in there.
    pub inside: Option<Inside>,
    /// CPUs that it is to read as online ([`pretend_cpus`]).
    pub cpus: Option<u32>,
}

/// What the harness says to a launcher that has started its job.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Word {
    /// Its time is up: TERM, and KILL after the grace time.
    End,
    /// Its work is done: this signal, and KILL after so many milliseconds.
    Stop {
        /// 0 for none: something else asks it to end.
        signal: i32,
        /// Milliseconds to KILL.
        grace_ms: u64,
    },
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
// Each flag is a fact of its own, and several may hold.
#[allow(clippy::struct_excessive_bools)]
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
    /// What `max_rss` is at least, whatever ran: a process begins as a copy of the launcher, and `ru_maxrss`
    /// survives exec. See [`floor`].
    pub least_max_rss: u64,
    /// The end of what it printed, both streams.
    pub output: String,
    /// Why not all of what it printed is in its file, where that is so.
    pub unkept: Option<String>,
    /// Whether it was asked to stop by [`Word::Stop`].
    pub stopped: bool,
    /// Whether it was killed, as its grace time was over.
    pub killed: bool,
    /// Whether all its processes had ended by themselves or when asked.
    pub alone: bool,
    /// Seconds from its start to the end of its own process.
    pub wall_s: f64,
    /// CPU, faults and switches of the process and all its descendants.
    pub usage: Usage,
    /// CPU seconds of the launcher itself: neither the trial's nor others'.
    pub own_cpu_s: f64,
}

/// What processes used in their lives (`RUSAGE_CHILDREN`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Usage {
    /// CPU seconds in user mode.
    pub user_s: f64,
    /// CPU seconds in the kernel.
    pub system_s: f64,
    /// Page faults without I/O.
    pub minor_faults: u64,
    /// Page faults with I/O.
    pub major_faults: u64,
    /// Switches because a thread waited.
    pub voluntary: u64,
    /// Switches because a thread was preempted.
    pub involuntary: u64,
}

enum Wake {
    Told(Word),
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

    if let Some(cpus) = job.cpus {
        let temporary = job.env.iter().find(|(name, _)| name == "TMPDIR").map_or("/tmp", |(_, value)| value);
        // Before the first thread: a user namespace is for a process that has but one.
        if let Err(reason) = pretend_cpus::enter(cpus, Path::new(temporary)) {
            return say(&Report::NotStarted { reason: format!("failed to pretend {cpus} CPUs: {reason}") });
        }
    }
    if let Some(inside) = &job.inside {
        // Before the first thread: a user namespace is for a process that has but one.
        if let Err(why) = inside.make() {
            let reason = format!("{REFUSED} {}: {why}", inside.dir.display());
            return say(&Report::NotStarted { reason });
        }
    }
    let begin = Instant::now();
    let (mut child, output, least) = match start(&job, control) {
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

    let mut ending = attend(&job, pid, &woken, begin);
    ending.strays = if ending.alone { 0 } else { end_descendants(pid, &woken) };
    (ending.max_rss, ending.usage) = usage(libc::RUSAGE_CHILDREN);
    let (own_max_rss, own) = usage(libc::RUSAGE_SELF);
    ending.least_max_rss = least.unwrap_or(own_max_rss);
    ending.own_cpu_s = own.user_s + own.system_s;
    if let Some(scratch) = job.scratch.filter(|_| ending.abandoned) {
        // The harness removes it as well, where it lives.
        let _ = std::fs::remove_dir_all(scratch);
    }
    let kept = output.join().unwrap_or_default();
    (ending.output, ending.unkept) = (kept.last, kept.unkept);
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

/// The job's process, what reads its output, and what its `ru_maxrss` is at least.
type Launched = (Child, JoinHandle<Kept>, Option<u64>);

fn start(job: &Job, control: Option<OwnedFd>) -> std::io::Result<Launched> {
    let (reader, writer) = std::io::pipe()?;
    let mut command = Command::new(&job.program);
    if let Some(arg0) = &job.arg0 {
        command.arg0(arg0);
    }
    if let Some(directory) = job.directory.as_ref().filter(|_| job.inside.is_none()) {
        command.current_dir(directory);
    }
    let inside = inside(job)?;
    let groups = job.join.iter().map(|procs| File::options().write(true).open(procs));
    let groups = groups.collect::<Result<Vec<_>, _>>()?;
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
    let (told, tell) = floor::pipe()?;
    // SAFETY: between fork and exec only system calls are made, and nothing is allocated.
    unsafe {
        command.pre_exec(move || {
            for group in &groups {
                // 0 stands for the one that writes.
                rustix::io::write(group, b"0")?;
            }
            if let Some((root, directory)) = &inside {
                rustix::process::chroot(root.as_c_str())?;
                rustix::process::chdir(directory.as_c_str())?;
            }
            rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
            floor::tell(&tell);
            // The launcher may have died before the line above.
            if rustix::process::getppid() == Some(launcher) {
                Ok(())
            } else {
                Err(std::io::Error::from_raw_os_error(libc::ESRCH))
            }
        });
    }
    let child = command.spawn()?;
    // Its end of the pipe, which the command holds.
    drop(command);
    let least = floor::hear(told);
    let file = job.output.clone();
    Ok((child, std::thread::spawn(move || output::keep(reader, file.as_deref())), least))
}

/// The root to change to, and the working directory in there.
fn inside(job: &Job) -> std::io::Result<Option<(CString, CString)>> {
    let Some(inside) = &job.inside else { return Ok(None) };
    let text = |path: &Path| CString::new(path.as_os_str().as_bytes()).map_err(std::io::Error::other);
    Ok(Some((text(&inside.root())?, text(job.directory.as_deref().unwrap_or(Path::new("/")))?)))
}

fn watch_leash(input: impl BufRead + Send + 'static, wakes: Sender<Wake>) {
    std::thread::spawn(move || {
        for line in input.lines().map_while(Result::ok) {
            if let Ok(word) = serde_json::from_str(&line) {
                let _ = wakes.send(Wake::Told(word));
            }
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

/// Waits until the job ends, enforcing time limit and leash.
fn attend(job: &Job, pid: Pid, woken: &Receiver<Wake>, begin: Instant) -> Ending {
    let mut ending = Ending::default();
    let mut limit = Instant::now() + Duration::from_millis(job.timeout_ms);
    let mut stop = 0;
    loop {
        match woken.recv_timeout(limit.saturating_duration_since(Instant::now())) {
            Ok(Wake::Reaped(reaped, status)) if reaped == pid => {
                ending.wall_s = begin.elapsed().as_secs_f64();
                ending.code = status.exit_status();
                ending.signal = status.terminating_signal();
                let may_go_on = job.whole && (ending.stopped || ending.code == Some(0));
                if !may_go_on || ending.abandoned {
                    return ending;
                }
                // Children that a stopped server has left are asked as it was.
                ask_to_stop(job, pid, stop);
            }
            Ok(Wake::LeashGone) => {
                ending.abandoned = true;
                signal_trial(job, pid, Signal::KILL);
            }
            Ok(Wake::Told(Word::End)) if !ending.timed_out => limit = Instant::now(),
            Ok(Wake::Told(Word::Stop { signal, grace_ms })) if !ending.timed_out => {
                ending.stopped = true;
                stop = signal;
                ask_to_stop(job, pid, signal);
                limit = Instant::now() + Duration::from_millis(grace_ms);
            }
            Ok(Wake::Told(_) | Wake::Reaped(..)) => {}
            Ok(Wake::NoChildren) | Err(RecvTimeoutError::Disconnected) => {
                ending.alone = true;
                return ending;
            }
            Err(RecvTimeoutError::Timeout) => {
                let kill = ending.timed_out || ending.stopped;
                ending.killed |= kill;
                ending.timed_out |= !ending.stopped;
                signal_trial(job, pid, if kill { Signal::KILL } else { Signal::TERM });
                limit = Instant::now() + Duration::from_millis(job.grace_ms);
            }
        }
    }
}

/// Signals the trial's process group, and its own process, which may have left the group; of a job that may
/// leave its first process, also those that did.
fn signal_trial(job: &Job, pid: Pid, signal: Signal) {
    // All of them may be gone already.
    let _ = rustix::process::kill_process_group(pid, signal);
    if job.whole {
        for child in children() {
            let _ = rustix::process::kill_process(child, signal);
        }
    } else {
        let _ = rustix::process::kill_process(pid, signal);
    }
}

/// Sends a job the signal that stops it: to its processes that have no parent but the launcher, so that each
/// server tells its own workers.
fn ask_to_stop(job: &Job, pid: Pid, signal: i32) {
    let Some(signal) = Signal::from_named_raw(signal) else { return };
    if job.stop_group {
        let _ = rustix::process::kill_process_group(pid, signal);
    }
    for child in children() {
        let _ = rustix::process::kill_process(child, signal);
    }
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
                Ok(Wake::LeashGone | Wake::Told(_)) => {}
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

/// The largest resident size in bytes, and what was used: by this process, or by all its reaped children. A
/// launcher has the children of one job only, so that these figures of its lifetime are the job's.
pub(super) fn usage(whose: libc::c_int) -> (u64, Usage) {
    // SAFETY: rusage is plain numbers, for which zero is valid; getrusage fills it.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(whose, &raw mut usage);
        usage
    };
    let count = |number: libc::c_long| u64::try_from(number).unwrap_or(0);
    let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
    let used = Usage {
        user_s: seconds(usage.ru_utime),
        system_s: seconds(usage.ru_stime),
        minor_faults: count(usage.ru_minflt),
        major_faults: count(usage.ru_majflt),
        voluntary: count(usage.ru_nvcsw),
        involuntary: count(usage.ru_nivcsw),
    };
    (count(usage.ru_maxrss) * 1024, used)
}
