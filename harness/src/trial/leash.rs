//! The harness's side of the launcher: start it, hear its reports, hold its leash.

use std::io::{BufRead, BufReader, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use arenalab_wire::channel::Channel;
use command_fds::{CommandFdExt, FdMapping};

use super::launcher::{CONTROL_FD, Ending, Job, Report, SUBCOMMAND, Word};

/// A trial that was started. Dropping it ends the trial and all its descendants.
pub struct Leash {
    launcher: Child,
    reports: BufReader<ChildStdout>,
    /// `None` once let go.
    input: Option<ChildStdin>,
    /// The process id of the job's own process.
    pub pid: i32,
}

/// Whether the trial's own process could be started.
pub enum Started<T> {
    /// It runs.
    Runs(T),
    /// It could not be started; one sentence.
    Not(String),
}

/// Starts a workload engine: a launcher, and under it the job, with a control socket.
///
/// # Errors
/// One sentence: there is no launcher, which is no fault of the job.
pub fn start_engine(executable: &Path, job: &Job) -> Result<Started<(Leash, Channel)>, String> {
    let (ours, theirs) = UnixStream::pair().map_err(|e| format!("failed to make a control socket: {e}"))?;
    Ok(match start(executable, job, Some(theirs.into()))? {
        Started::Runs(leash) => Started::Runs((leash, Channel::new(ours))),
        Started::Not(reason) => Started::Not(reason),
    })
}

/// Starts a job that knows nothing of arenalab, under a launcher.
///
/// # Errors
/// One sentence: there is no launcher, which is no fault of the job.
pub fn start_program(executable: &Path, job: &Job) -> Result<Started<Leash>, String> {
    start(executable, job, None)
}

fn start(executable: &Path, job: &Job, control: Option<OwnedFd>) -> Result<Started<Leash>, String> {
    let (mut launcher, mut reports) = start_launcher(executable, control)
        .map_err(|e| format!("failed to start the launcher {}: {e}", executable.display()))?;
    let mut input = launcher.stdin.take();
    if let Err(error) = send_job(input.as_mut(), job) {
        // One that heard but half would wait for the rest: it must not be asked anything any more.
        let _ = launcher.kill();
        drop(input);
        let _ = launcher.wait();
        return Err(format!("failed to tell the launcher what to run: {error}"));
    }
    match next_report(&mut reports) {
        Some(Report::Started { pid }) => Ok(Started::Runs(Leash { launcher, reports, input, pid })),
        Some(Report::NotStarted { reason }) => {
            let _ = launcher.wait();
            Ok(Started::Not(reason))
        }
        Some(Report::Ended(_)) | None => {
            let _ = launcher.kill();
            let why = launcher.wait().map_or_else(|e| e.to_string(), |s| s.to_string());
            Err(format!("the launcher ended before the trial began: {why}"))
        }
    }
}

fn start_launcher(
    executable: &Path,
    control: Option<OwnedFd>,
) -> std::io::Result<(Child, BufReader<ChildStdout>)> {
    let mut command = Command::new(executable);
    command
        .arg(SUBCOMMAND)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        // A terminal's Ctrl-C is for the harness, which then lets the leash go.
        .process_group(0);
    if let Some(control) = control {
        let mapping = FdMapping { parent_fd: control, child_fd: CONTROL_FD };
        command.fd_mappings(vec![mapping]).map_err(std::io::Error::other)?;
    }
    let mut launcher = command.spawn()?;
    let reports = launcher.stdout.take().ok_or_else(|| std::io::Error::other("no pipe"))?;
    Ok((launcher, BufReader::new(reports)))
}

fn send_job(input: Option<&mut ChildStdin>, job: &Job) -> std::io::Result<()> {
    let input = input.ok_or_else(|| std::io::Error::other("no pipe"))?;
    let mut line = serde_json::to_vec(job)?;
    line.push(b'\n');
    input.write_all(&line)
}

fn next_report(reports: &mut impl BufRead) -> Option<Report> {
    let mut line = String::new();
    match reports.read_line(&mut line) {
        Ok(got) if got > 0 => serde_json::from_str(&line).ok(),
        _ => None,
    }
}

impl Leash {
    /// Ends the trial now. [`Leash::wait`] then tells how it ended.
    pub fn let_go(&mut self) {
        self.input = None;
    }

    /// Tells the trial that its time is up: TERM, and KILL after the grace time.
    pub fn end(&mut self) {
        self.say(Word::End);
    }

    /// Asks a service to stop by a signal (0: something else asks it), and kills it after the grace time.
    pub fn stop(&mut self, signal: i32, grace: Duration) {
        self.say(Word::Stop { signal, grace_ms: grace.as_millis() as u64 });
    }

    fn say(&mut self, word: Word) {
        if let (Some(input), Ok(mut line)) = (&mut self.input, serde_json::to_vec(&word)) {
            line.push(b'\n');
            // Where the launcher is gone, so is the trial.
            let _ = input.write_all(&line);
        }
    }

    /// The launcher's own process id: all processes of the job descend from it.
    pub fn launcher(&self) -> i32 {
        self.launcher.id().cast_signed()
    }

    /// Whether the launcher reports, or dies, within a time: [`Leash::wait`] will then not block for long.
    pub fn has_ended(&self, patience: Duration) -> bool {
        let until = Instant::now() + patience;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let timeout = rustix::event::Timespec {
                tv_sec: left.as_secs().cast_signed(),
                tv_nsec: i64::from(left.subsec_nanos()),
            };
            let output = self.reports.get_ref();
            let mut watched = [rustix::event::PollFd::new(output, rustix::event::PollFlags::IN)];
            match rustix::event::poll(&mut watched, Some(&timeout)) {
                Ok(ready) if ready > 0 => return true,
                // A signal came in between.
                Err(_) if !left.is_zero() => {}
                Ok(_) | Err(_) => return false,
            }
        }
    }

    /// Kills the launcher itself: for one that does not end, though it should have long ago.
    pub fn kill(&mut self) {
        let _ = self.launcher.kill();
    }

    /// Waits until the trial and all its descendants are gone. The launcher bounds this by the job's
    /// time limit.
    ///
    /// # Errors
    /// When the launcher itself died without a word.
    pub fn wait(&mut self) -> Result<Ending, String> {
        let report = next_report(&mut self.reports);
        let status = self.launcher.wait().map_err(|e| format!("failed to wait for the launcher: {e}"))?;
        match report {
            Some(Report::Ended(ending)) => Ok(ending),
            _ => Err(format!("the launcher ended without a report: {status}")),
        }
    }
}

impl Drop for Leash {
    fn drop(&mut self) {
        self.let_go();
        let _ = self.launcher.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A stand-in for a launcher: it reads nothing and does not end by itself.
    fn deaf() -> tempfile::TempDir {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("deaf");
        std::fs::write(&path, "#!/bin/sh\nexec 0</dev/null\nexec sleep 600\n").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        dir
    }

    #[test]
    fn a_job_that_cannot_be_sent_is_an_error_at_once() {
        let dir = deaf();
        // More than a pipe holds: the write fails as soon as nobody can read it.
        let job = Job { args: vec!["x".repeat(1 << 20)], ..Job::default() };
        let Err(why) = start_program(&dir.path().join("deaf"), &job) else { panic!("it was started") };
        assert!(why.starts_with("failed to tell the launcher what to run: "), "{why}");
    }

    #[test]
    fn paths_and_variables_that_are_no_text_cross_as_they_are() {
        use std::ffi::OsString;
        use std::os::unix::ffi::OsStringExt;
        let odd = OsString::from_vec(vec![b'/', 0xe9]);
        let job = Job {
            program: odd.clone().into(),
            env: vec![(odd.clone(), odd.clone())],
            directory: Some(odd.clone().into()),
            output: Some(odd.clone().into()),
            scratch: Some(odd.clone().into()),
            join: vec![odd.clone().into()],
            ..Job::default()
        };
        let back: Job = serde_json::from_slice(&serde_json::to_vec(&job).unwrap()).unwrap();
        assert_eq!(format!("{back:?}"), format!("{job:?}"));
    }
}
