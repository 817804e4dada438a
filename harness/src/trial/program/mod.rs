//! A trial of the user's own program, which knows nothing of us: it is started, driven, looked at from outside
//! and stopped.
//!
//! * [`service`], [`batch`]: the two kinds of trial.
//! * [`place`]: its port and directory; [`helper`]: setup, driver, stop and teardown, each under a launcher of
//!   its own; [`ready`]: when it can be driven.
//! * [`watch`] and [`watcher`], [`look`], [`exits`]: what is seen of its processes, within a [`budget`].
//! * [`tally`], [`bounds`], [`mapped`], [`counted`], [`memory`]: memory from what was seen; [`figures`]: throughput and latency from what was
//!   printed; [`record`]: the line for the journal.
//! * [`anatomy`]: their heaps, read from outside.
//! * [`images`], [`image`]: who did the work; [`sighting`], [`sight`], [`served`]: what a look at one shows; [`judge`]: what that says of
//!   the candidate; [`complaints`]: what its output says; [`weigh`]: whether it was in force where the work was done.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::executor::TrialSpec;
use super::group::Group;
use super::launcher::{self, Ending, Job, Usage};
use super::leash::{self, Leash, Started};
use super::libc_root::script;
use super::noise;
use crate::knowledge::scrub;
use crate::plan::program::Program;
use images::{Images, thread_cpu};
use look::Look;
use place::Place;
use served::{Behind, Elves};
use watch::{Seen, Watch};

pub mod anatomy;
pub mod batch;
pub mod bounds;
pub mod budget;
pub mod complaints;
pub mod counted;
pub mod exits;
pub mod figures;
pub mod helper;
pub mod image;
pub mod images;
pub mod judge;
pub mod look;
pub mod mapped;
pub mod memory;
pub mod place;
pub mod ready;
pub mod record;
pub mod served;
pub mod service;
pub mod sight;
pub mod sighting;
pub mod tally;
pub mod watch;
pub mod watcher;
pub mod weigh;

/// How often a wait looks whether something has happened.
const GLANCE: Duration = Duration::from_millis(20);

/// What a trial of a program is given.
pub struct Around<'a> {
    /// The launcher's executable.
    pub executable: &'a Path,
    /// The environment that every trial starts from.
    pub environment: &'a BTreeMap<String, String>,
    /// What of it is no text, which passes as it is.
    pub odd: &'a [(OsString, OsString)],
    /// Set when the harness is asked to stop.
    pub stop: &'a AtomicBool,
    /// Where what is printed is kept; nowhere for tests of single parts.
    pub keep: Option<&'a Path>,
    /// The control group of the trial's own, where it has one.
    pub group: Option<&'a Group>,
}

/// Why a trial ended before its time.
#[derive(Clone, Debug, PartialEq)]
pub enum Broken {
    /// The harness was asked to stop.
    Interrupted,
    /// Something took longer than it may; one sentence.
    Late(String),
    /// Something went wrong; one sentence.
    Failed(String),
    /// A process of the program was ended by a signal; one sentence.
    Crashed(String),
    /// The program is gone; its ending tells why.
    Gone,
    /// The candidate can have no effect; one sentence.
    NoOp(String),
}

/// What was learnt of a trial, as far as it came.
#[derive(Default)]
pub struct Story {
    /// When the counted work began and ended, seconds since the start.
    pub work: Option<(f64, f64)>,
    /// Seconds of the counted work.
    pub wall_s: Option<f64>,
    /// CPU, faults and switches of the counted work.
    pub usage: Option<Usage>,
    /// CPU seconds of the driver and of launchers: not the program's, and no disturbance.
    pub driver_cpu_s: f64,
    /// CPU seconds of looks at the program that the thread which leads the trial takes.
    pub looking_aside_s: f64,
    /// The host's counters at both ends of the counted work.
    pub noise: Option<(noise::Mark, noise::Mark)>,
    /// Exact look at the end of the counted work.
    pub end: Option<Look>,
    /// Exact look after the idle wait.
    pub drained: Option<Look>,
    /// What was read of their heaps.
    pub anatomy: anatomy::Seen,
    /// What is proven of its processes.
    pub images: Images,
    /// What was seen throughout.
    pub seen: Seen,
    /// Throughput and its unit.
    pub throughput: Option<(f64, String)>,
    /// Latency and its unit.
    pub latency: Option<(f64, String)>,
    /// Files that hold what was printed.
    pub output: Vec<PathBuf>,
    /// How the program was stopped, where it was.
    pub stopped: Option<String>,
    /// What the program's processes ended with.
    pub ending: Ending,
    /// Why it ended before its time.
    pub broken: Option<Broken>,
}

impl Story {
    /// Whether a process of it was ended by KILL.
    pub fn was_killed(&self) -> bool {
        let kill = libc::SIGKILL;
        self.ending.signal == Some(kill) || self.seen.fallen.iter().any(|fallen| fallen.signal == kill)
    }
}

/// Runs one trial from setup to teardown.
///
/// # Errors
/// One line, when the tool itself cannot go on.
pub fn play(around: &Around, spec: &TrialSpec, program: &Program, begin: Instant) -> Result<Story, String> {
    let temporary = around.environment.get("TMPDIR").map_or("/tmp", String::as_str);
    let place = Place::make(Path::new(temporary), spec.threads)?;
    let behind = spec.footing.as_ref().filter(|footing| !footing.whole).map(|footing| {
        let found = script::behind(&spec.program, around.environment.get("PATH"));
        let program = found.map_or_else(|_| spec.program.clone(), |behind| behind.program);
        Behind { loader: footing.root.loader.clone(), program }
    });
    let elves = Elves::of(behind, spec.footing.as_ref().and_then(|footing| footing.seen_below()));
    let images = Images::new(elves, begin, spec.asked.preload.is_none());
    let mut trial = Playing {
        around,
        spec,
        program,
        place: &place,
        begin,
        deadline: begin + spec.timeout,
        beforehand: judge::Beforehand::of(spec, None),
        story: Story { images, ..Story::default() },
    };
    let outcome = trial.all();
    trial.story.broken = outcome.err();
    let torn_down = trial.tear_down();
    if trial.story.broken.is_none() {
        trial.story.broken = torn_down.and_then(|()| trial.read_figures()).err();
    }
    Ok(trial.story)
}

/// A trial under way.
struct Playing<'a> {
    around: &'a Around<'a>,
    spec: &'a TrialSpec,
    program: &'a Program,
    place: &'a Place,
    begin: Instant,
    /// When the work must be done.
    deadline: Instant,
    story: Story,
    beforehand: judge::Beforehand,
}

impl Playing<'_> {
    fn all(&mut self) -> Result<(), Broken> {
        if let Some(setup) = &self.program.setup {
            self.help("setup", setup, self.left(), None)?;
        }
        if let Some(ready) = &self.program.ready {
            ready::refuse_occupied(ready, &self.place.places)?;
        }
        let begin = Instant::now();
        let before = noise::mark();
        let started = leash::start_program(self.around.executable, &self.job()?).map_err(Broken::Failed)?;
        let mut leash = match started {
            Started::Runs(leash) => leash,
            Started::Not(reason) => return Err(Broken::Failed(reason)),
        };
        let counter = self.around.group.and_then(Group::counter);
        let watch = Watch::start(leash.launcher(), self.begin, self.story.images.clone(), counter);
        let outcome =
            if self.program.is_service() { self.serve(&mut leash, &watch) } else { self.run(&leash, begin) };
        self.end(&mut leash, watch, outcome.as_ref().err());
        if !self.program.is_service() {
            self.account_for_batch(begin, before);
            outcome?;
            return Ok(());
        }
        outcome
    }

    fn job(&mut self) -> Result<Job, Broken> {
        let mut env = self.environment();
        scrub::merge(&mut env, &self.spec.asked.env);
        let (found, words) = self.command(&self.program.command);
        let whole = self.spec.footing.as_ref().is_some_and(|footing| footing.whole);
        let mut program = if self.program.shell && !whole { found } else { self.spec.program.clone() };
        let arg0 = words.first().cloned();
        let mut args: Vec<String> = words.into_iter().skip(1).collect();
        if let Some(footing) = self.spec.footing.as_ref().filter(|footing| !footing.whole) {
            let more = env.get("LD_LIBRARY_PATH");
            let line = script::behind(&program, env.get("PATH")).and_then(|behind| {
                let words = behind.words.iter().cloned().chain(args).collect::<Vec<_>>();
                let arg0 = if behind.words.is_empty() { arg0.clone() } else { None };
                footing.line(&behind.program, arg0.as_deref(), words, more)
            });
            (program, args) = line.map(|line| (line.program, line.args)).map_err(Broken::Failed)?;
        }
        Ok(Job {
            program,
            arg0,
            args,
            env: launcher::with(env, self.around.odd),
            timeout_ms: (self.left() + self.spec.idle + self.program.stop.grace).as_millis() as u64,
            grace_ms: self.program.stop.grace.as_millis() as u64,
            directory: self.directory(),
            output: Some(self.output("program")),
            whole: self.program.is_service(),
            stop_group: self.program.shell,
            scratch: Some(self.place.places.dir.clone()),
            join: self.around.group.map(Group::procs).into_iter().collect(),
            inside: self.spec.footing.as_ref().and_then(|footing| footing.inside(self.shared())),
            cpus: self.spec.cpus_to_read(),
        })
    }

    /// What of the host is there as well, where the program runs inside a root.
    fn shared(&self) -> Vec<PathBuf> {
        let footing = self.spec.footing.as_ref();
        let alone =
            |library: &PathBuf| library.is_file() && !footing.is_some_and(|footing| footing.has(library));
        let library = self.spec.asked.preload.clone().filter(alone);
        [self.place.places.dir.clone()].into_iter().chain(library).collect()
    }

    fn environment(&self) -> BTreeMap<String, String> {
        let mut env = self.around.environment.clone();
        env.extend(
            self.program.env.iter().map(|(name, value)| (name.clone(), self.place.places.fill(value))),
        );
        env
    }

    fn directory(&self) -> Option<PathBuf> {
        self.program.directory.as_ref().map(|text| PathBuf::from(self.place.places.fill(text)))
    }

    /// A file that keeps what a job prints; named after the trial, and in the trial's own directory where
    /// nothing is to be kept.
    fn output(&mut self, of: &str) -> PathBuf {
        let TrialSpec { workload, threads, round, attempt, position, .. } = self.spec;
        let libc = if self.spec.libc == "host" { String::new() } else { format!("-{}", self.spec.libc) };
        let threads = if *threads == 0 { String::new() } else { format!("-{threads}t") };
        let name = format!("{workload}{threads}{libc}-r{round:04}.{attempt}-{position:03}.{of}.log");
        let dir = self.around.keep.unwrap_or(&self.place.places.dir);
        // Where it cannot be made, the launcher tells that what is printed could not be kept.
        let _ = std::fs::create_dir_all(dir);
        let path = dir.join(name);
        self.story.output.push(path.clone());
        path
    }

    fn left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    fn now_s(&self) -> f64 {
        self.begin.elapsed().as_secs_f64()
    }

    /// Lets what is left end, and takes down what became of it.
    fn end(&mut self, leash: &mut Leash, watch: Watch, broken: Option<&Broken>) {
        match broken {
            Some(Broken::Late(_)) => leash.end(),
            Some(_) => leash.let_go(),
            None => {}
        }
        let patience = self.program.stop.grace * 2 + helper::PATIENCE;
        if !leash.has_ended(patience) {
            leash.let_go();
            if !leash.has_ended(helper::PATIENCE) {
                leash.kill();
            }
        }
        self.story.ending = leash.wait().unwrap_or_default();
        self.story.images.finish();
        self.story.seen = watch.finish();
        let ending = &self.story.ending;
        if self.program.is_service() && ending.stopped {
            let grace = crate::units::format_seconds(self.program.stop.grace.as_secs_f64());
            self.story.stopped = Some(match (ending.killed, ending.code, ending.signal) {
                (true, ..) => format!("killed, as it was still there {grace} after it was asked to stop"),
                (_, Some(code), _) => format!("ended when asked, with code {code}"),
                (_, None, signal) => format!("ended when asked, by signal {}", signal.unwrap_or(0)),
            });
        }
    }

    /// Takes a look from this thread, and notes what it costs.
    fn look_aside<T>(&mut self, look: impl FnOnce(&Images) -> T) -> T {
        let before = thread_cpu();
        let seen = look(&self.story.images);
        self.story.looking_aside_s += thread_cpu().saturating_sub(before).as_secs_f64();
        seen
    }

    fn go_on(&self) -> Result<(), Broken> {
        if self.around.stop.load(Ordering::Relaxed) { Err(Broken::Interrupted) } else { Ok(()) }
    }

    fn tear_down(&mut self) -> Result<(), Broken> {
        let Some(teardown) = self.program.teardown.clone() else { return Ok(()) };
        self.help("teardown", &teardown, helper::LONGEST, None).map(drop)
    }
}

/// Fails where a process was ended by a signal of the kind that nobody sends; while the program stops, TERM and
/// the like are what was asked for.
fn crash(fallen: &[watch::Fallen], stopping: bool) -> Result<(), Broken> {
    let meant = |signal: i32| match signal {
        libc::SIGTERM
        | libc::SIGINT
        | libc::SIGHUP
        | libc::SIGQUIT
        | libc::SIGUSR1
        | libc::SIGUSR2
        | libc::SIGPIPE => true,
        libc::SIGKILL => stopping,
        _ => false,
    };
    let Some(first) = fallen.iter().find(|fallen| !meant(fallen.signal)) else { return Ok(()) };
    let signal = super::ending::signal_words(first.signal);
    let when = if stopping { "while it was being stopped" } else { "before the work was done" };
    Err(Broken::Crashed(format!("the program's process {} was ended by {signal} {when}", first.command)))
}
