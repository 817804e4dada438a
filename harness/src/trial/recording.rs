//! A program run with the recorder in it, and what is seen of it from outside meanwhile.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use arenalab_trace::layout::{CONTROL_MAGIC, CONTROL_NAME, Control, PAGE, VERSION};

mod outside;
pub mod planned;

use super::elf;
pub use outside::Watch;

/// The recorder's library.
pub const LIBRARY: &str = "libarenalab_record.so";
/// How often the clock in the control file is moved, so that threads that pause say when they go on.
const TICK: Duration = Duration::from_millis(20);
/// The clock's unit: 2^17 ns.
const TICK_SHIFT: u32 = 17;
/// When a process is first looked at: its libraries are there by then.
const FIRST_LOOK: Duration = Duration::from_millis(100);
/// How often a process is looked at from outside.
const LOOK: Duration = Duration::from_secs(1);

/// What is asked of a recording.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Its directory, absolute.
    pub directory: PathBuf,
    /// How long to record; `None` for as long as the program runs.
    pub time: Option<Duration>,
    /// The most bytes; `None` for no limit.
    pub max_size: Option<u64>,
    /// One in so many objects.
    pub sample: u32,
}

impl Asked {
    /// The variables that switch recording on. `others` is what `LD_PRELOAD` already has: it comes after the recorder.
    pub fn variables(&self, library: &Path, others: Option<&OsStr>) -> Vec<(String, OsString)> {
        let mut preload = library.as_os_str().to_owned();
        if let Some(others) = others.filter(|others| !others.is_empty()) {
            preload.push(":");
            preload.push(others);
        }
        let mut variables = vec![
            ("LD_PRELOAD".to_owned(), preload),
            ("ARENALAB_RECORD".to_owned(), self.directory.clone().into_os_string()),
        ];
        let mut number = |name: &str, value: Option<u128>| {
            variables.extend(value.map(|value| (name.to_owned(), value.to_string().into())));
        };
        number("ARENALAB_RECORD_FOR_MS", self.time.map(|time| time.as_millis().max(1)));
        number("ARENALAB_RECORD_MAX_SIZE", self.max_size.map(u128::from));
        number("ARENALAB_RECORD_SAMPLE", (self.sample > 1).then_some(u128::from(self.sample)));
        variables
    }
}

/// Why the recorder cannot get into a program; `None` where it can, as far as its file tells.
pub fn refusal(program: &Path) -> Option<String> {
    let name = program.display();
    let mode = std::fs::metadata(program).ok()?;
    let foreign = |bit: u32, owner: u32, own: u32| mode.mode() & bit != 0 && owner != own;
    let (user, group) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    if foreign(0o4000, mode.uid(), user) || foreign(0o2000, mode.gid(), group) {
        return Some(format!(
            "{name} runs with another user's rights (setuid or setgid), for which the loader ignores LD_PRELOAD: it cannot \
             be recorded; run it as that user"
        ));
    }
    let facts = elf::read(program).ok()?;
    if facts.is_static {
        return Some(format!(
            "{name} is linked statically: no library can be loaded into it, and it cannot be recorded; link it \
             dynamically"
        ));
    }
    facts.musl.then(|| format!("{name} runs on musl; the recorder is for programs on glibc"))
}

/// The file that all recorders of a directory share.
struct Shared(File);

impl Shared {
    fn make(directory: &Path, max_size: Option<u64>) -> std::io::Result<Self> {
        let file =
            File::options().read(true).write(true).create_new(true).open(directory.join(CONTROL_NAME))?;
        let mut page = vec![0; PAGE];
        page[..8].copy_from_slice(&CONTROL_MAGIC);
        page[8..12].copy_from_slice(&VERSION.to_le_bytes());
        page[std::mem::offset_of!(Control, most)..][..8]
            .copy_from_slice(&max_size.unwrap_or(0).to_le_bytes());
        file.write_all_at(&page, 0)?;
        Ok(Self(file))
    }

    fn stop(&self) {
        let at = std::mem::offset_of!(Control, stop) as u64;
        let _ = self.0.write_all_at(&1u32.to_le_bytes(), at);
    }

    fn tick(&self) {
        let at = std::mem::offset_of!(Control, tick) as u64;
        let _ = self.0.write_all_at(&(monotonic() >> TICK_SHIFT).to_le_bytes(), at);
    }
}

/// `CLOCK_MONOTONIC`, nanoseconds.
pub fn monotonic() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    now.tv_sec.cast_unsigned() * 1_000_000_000 + now.tv_nsec.cast_unsigned()
}

/// How it went.
#[derive(Clone, Copy, Debug)]
pub struct Ran {
    /// The program's ending.
    pub status: ExitStatus,
    /// The time that was asked for was over before the program was.
    pub time_over: bool,
}

/// What goes on beside a recording: the clock that all recorders look at, the end of the time, looks from outside.
struct Beside<'a> {
    asked: &'a Asked,
    shared: Shared,
    watch: Watch,
    started: Instant,
    next: Instant,
    time_over: bool,
}

impl<'a> Beside<'a> {
    fn begin(asked: &'a Asked) -> Result<Self, String> {
        let failed =
            |error: std::io::Error| format!("failed to write in {}: {error}", asked.directory.display());
        let shared = Shared::make(&asked.directory, asked.max_size).map_err(failed)?;
        let watch = Watch::begin(&asked.directory).map_err(failed)?;
        let started = Instant::now();
        Ok(Self { asked, shared, watch, started, next: started + FIRST_LOOK, time_over: false })
    }

    /// To be done every [`TICK`].
    fn go_on(&mut self, look: impl FnOnce(&mut Watch)) {
        if !self.time_over && self.asked.time.is_some_and(|time| self.started.elapsed() >= time) {
            self.time_over = true;
            self.shared.stop();
        }
        // Once it has moved, every thread looks whether it is to stop before its next call.
        self.shared.tick();
        if Instant::now() >= self.next {
            self.next += LOOK;
            look(&mut self.watch);
        }
    }
}

/// Runs a program to its end with the recorder in it. The program has this process's terminal and streams. Once
/// `stop` is set the program is told: by the signal that `signal` gives, unless that is `None` because it has it already.
///
/// # Errors
/// One line: it cannot be started, or the directory cannot be written to.
pub fn run(
    asked: &Asked,
    command: &[OsString],
    variables: &[(String, OsString)],
    stop: &AtomicBool,
    signal: impl Fn() -> Option<i32>,
) -> Result<Ran, String> {
    let mut beside = Beside::begin(asked)?;
    let (program, arguments) = command.split_first().ok_or("no command")?;
    let mut child = Command::new(program)
        .args(arguments)
        .envs(variables.iter().map(|(name, value)| (name, value)))
        .spawn()
        .map_err(|error| format!("failed to start {}: {error}", program.to_string_lossy()))?;
    let mut told = false;
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Ok(Ran { status, time_over: beside.time_over }),
            Ok(None) => {}
            Err(error) => return Err(format!("failed to wait for {}: {error}", program.to_string_lossy())),
        }
        if stop.load(Ordering::Relaxed) && !told {
            told = true;
            let pid = rustix::process::Pid::from_child(&child);
            if let Some(signal) = signal().and_then(rustix::process::Signal::from_named_raw) {
                let _ = rustix::process::kill_process(pid, signal);
            }
        }
        beside.go_on(|watch| watch.look(child.id().cast_signed()));
        std::thread::sleep(TICK);
    }
}

/// How a program ended, in words; `None` where it ended well.
pub fn ending(status: ExitStatus) -> Option<String> {
    match (status.code(), status.signal()) {
        (Some(0), _) => None,
        (Some(code), _) => Some(format!("ended with exit code {code}")),
        (None, Some(signal)) => Some(format!("was ended by signal {signal}")),
        (None, None) => Some("ended".to_owned()),
    }
}
