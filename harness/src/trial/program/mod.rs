//! A trial of the user's own program, which knows nothing of us: it is started, driven, looked at from outside
//! and stopped.
//!
//! * [`place`]: its port and directory; [`helper`]: setup, driver, stop and teardown, each under a launcher of
//!   its own; [`ready`]: when it can be driven.
//! * [`watch`], [`look`], [`exits`]: what is seen of its processes; [`judge`]: whether the candidate took effect.
//! * [`figures`]: memory from what was seen; [`record`]: the line for the journal.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::executor::TrialSpec;
use super::launcher::{Ending, Job, Usage};
use super::leash::{self, Leash, Started};
use super::noise;
use super::tree;
use crate::plan::program::{How, Program, StopSignal};
use look::{Elves, Look};
use place::Place;
use watch::{Seen, Watch};

pub mod exits;
pub mod figures;
pub mod helper;
pub mod judge;
pub mod look;
pub mod place;
pub mod ready;
pub mod record;
pub mod watch;

/// How often a wait looks whether something has happened.
const GLANCE: Duration = Duration::from_millis(20);
/// When the first exact look at a batch job may say that a candidate is a no-op: before, it may be a wrapper
/// that has not yet started the program.
const SETTLED_S: f64 = 0.2;

/// What a trial of a program is given.
pub struct Around<'a> {
    /// The launcher's executable.
    pub executable: &'a Path,
    /// The environment that every trial starts from.
    pub environment: &'a BTreeMap<String, String>,
    /// Set when the harness is asked to stop.
    pub stop: &'a AtomicBool,
    /// Where what is printed is kept; nowhere for tests of single parts.
    pub keep: Option<&'a Path>,
    /// Control groups that the program is put into: their `cgroup.procs`.
    pub join: Vec<PathBuf>,
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
    /// The driver's CPU seconds.
    pub driver_cpu_s: f64,
    /// The host's counters at both ends of the counted work.
    pub noise: Option<(noise::Mark, noise::Mark)>,
    /// Exact look at the end of the counted work.
    pub end: Option<Look>,
    /// Exact look after the idle wait.
    pub drained: Option<Look>,
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
    let mut trial = Playing {
        around,
        spec,
        program,
        place: &place,
        begin,
        deadline: begin + spec.timeout,
        story: Story::default(),
        elves: Elves::default(),
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
    elves: Elves,
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
        let started = leash::start_program(self.around.executable, &self.job()).map_err(Broken::Failed)?;
        let mut leash = match started {
            Started::Runs(leash) => leash,
            Started::Not(reason) => return Err(Broken::Failed(reason)),
        };
        let watch = Watch::start(leash.launcher(), self.begin, !self.program.is_service());
        let outcome = if self.program.is_service() {
            self.serve(&mut leash, &watch)
        } else {
            self.run(&leash, &watch, begin)
        };
        self.end(&mut leash, watch, outcome.as_ref().err());
        if !self.program.is_service() {
            self.account_for_batch(begin, before);
            outcome?;
            return self.refuse_no_op(self.story.end.as_ref(), None);
        }
        outcome
    }

    fn job(&mut self) -> Job {
        let mut env = self.environment();
        env.extend(self.spec.asked.env.clone());
        let (program, words) = self.command(&self.program.command);
        Job {
            program: if self.program.shell { program } else { self.spec.program.clone() },
            arg0: words.first().cloned(),
            args: words.into_iter().skip(1).collect(),
            env: env.into_iter().collect(),
            timeout_ms: (self.left() + self.spec.idle + self.program.stop.grace).as_millis() as u64,
            grace_ms: self.program.stop.grace.as_millis() as u64,
            directory: self.directory(),
            output: Some(self.output("program")),
            whole: self.program.is_service(),
            stop_group: self.program.shell,
            scratch: Some(self.place.places.dir.clone()),
            join: self.around.join.clone(),
        }
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

    /// A batch job: its end is the end of the work.
    fn run(&self, leash: &Leash, watch: &Watch, begin: Instant) -> Result<(), Broken> {
        while !leash.has_ended(GLANCE) {
            watch.ask(|seen| self.refuse_no_op(seen.look.as_ref(), Some(begin)))?;
            self.go_on()?;
            if Instant::now() >= self.deadline {
                return Err(Broken::Late(self.too_late("it was still running")));
            }
        }
        Ok(())
    }

    /// A service: it becomes ready, is driven, stands idle, and is stopped.
    fn serve(&mut self, leash: &mut Leash, watch: &Watch) -> Result<(), Broken> {
        self.await_ready(leash, watch)?;
        let ready = self.look(leash);
        if let Some(why) =
            ready.as_ref().and_then(|look| judge::no_op(&self.spec.asked, look.served.as_ref()?))
        {
            return Err(Broken::NoOp(why));
        }
        self.drive(leash, watch)?;
        self.story.end = self.look(leash);
        self.stand_idle(leash, watch)?;
        self.story.drained = self.look(leash);
        self.stop(leash, watch)
    }

    fn await_ready(&self, leash: &Leash, watch: &Watch) -> Result<(), Broken> {
        let Some(ready) = &self.program.ready else { return Ok(()) };
        let until = (Instant::now() + self.program.ready_timeout).min(self.deadline);
        loop {
            if ready::is_ready(ready, self)? {
                return Ok(());
            }
            self.still_there(leash, watch, GLANCE)?;
            if Instant::now() >= until {
                let waited = crate::units::format_seconds(self.program.ready_timeout.as_secs_f64());
                let what = ready::words(ready, &self.place.places);
                return Err(Broken::Late(format!(
                    "not ready after {waited}: {what}. Look at what it printed, or raise ready_timeout"
                )));
            }
        }
    }

    fn drive(&mut self, leash: &Leash, watch: &Watch) -> Result<(), Broken> {
        let driver = self.program.driver.clone().unwrap_or_default();
        let output = self.output("driver");
        let used = tree::usage(&tree::below(leash.launcher()));
        let before = noise::mark();
        let from = self.now_s();
        let left = self.left();
        let ending = self.help_while("driver", &driver, left, Some(output), &mut || {
            self.still_there(leash, watch, Duration::ZERO)
        })?;
        self.story.work = Some((from, self.now_s()));
        self.story.noise = Some((before, noise::mark()));
        self.story.usage = Some(between(&used, &tree::usage(&tree::below(leash.launcher()))));
        self.story.wall_s = Some(ending.wall_s);
        self.story.driver_cpu_s = ending.usage.user_s + ending.usage.system_s;
        watch.rescan();
        self.still_there(leash, watch, Duration::ZERO)
    }

    fn stand_idle(&mut self, leash: &Leash, watch: &Watch) -> Result<(), Broken> {
        self.deadline += self.spec.idle;
        let until = Instant::now() + self.spec.idle;
        while let Some(left) = until.checked_duration_since(Instant::now()) {
            self.still_there(leash, watch, left.min(GLANCE))?;
        }
        Ok(())
    }

    fn look(&mut self, leash: &Leash) -> Option<Look> {
        look::look(leash.launcher(), &mut self.elves, self.begin)
    }

    /// Asks the program to end, and waits until it has.
    fn stop(&mut self, leash: &mut Leash, watch: &Watch) -> Result<(), Broken> {
        let stop = &self.program.stop;
        let asked = Instant::now();
        match &stop.how {
            How::Signal(signal) => leash.stop(number(*signal), stop.grace),
            How::Command(words) => {
                leash.stop(0, stop.grace);
                self.help("stop", words, stop.grace, None)?;
            }
        }
        while !leash.has_ended(GLANCE) {
            self.go_on()?;
            if asked.elapsed() > stop.grace + helper::PATIENCE {
                return Err(Broken::Late("it could not be ended, not even by KILL".to_owned()));
            }
        }
        let fallen = watch.ask(|seen| seen.fallen.clone());
        crash(&fallen, true)
    }

    /// Lets what is left end, and takes down what became of it.
    fn end(&mut self, leash: &mut Leash, watch: Watch, broken: Option<&Broken>) {
        match broken {
            Some(Broken::Late(_)) => leash.end(),
            Some(_) => leash.let_go(),
            None => {}
        }
        self.story.ending = leash.wait().unwrap_or_default();
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

    fn account_for_batch(&mut self, begin: Instant, before: noise::Mark) {
        let from = begin.duration_since(self.begin).as_secs_f64();
        let ending = &self.story.ending;
        self.story.work = Some((from, from + ending.wall_s));
        self.story.noise = Some((before, noise::mark()));
        if ending.code == Some(0) {
            self.story.wall_s = Some(ending.wall_s);
            self.story.usage = Some(ending.usage);
        }
        self.story.end = self.story.seen.look.clone();
    }

    /// Fails where a batch job was seen to be one on which the candidate has no effect; while it runs, by looks
    /// some time after its begin.
    fn refuse_no_op(&self, look: Option<&Look>, running: Option<Instant>) -> Result<(), Broken> {
        let settled = running.map_or(0.0, |begin| begin.duration_since(self.begin).as_secs_f64() + SETTLED_S);
        let Some(look) = look.filter(|look| look.at_s >= settled) else { return Ok(()) };
        let why = look.served.as_ref().and_then(|served| judge::no_op(&self.spec.asked, served));
        why.map_or(Ok(()), |why| Err(Broken::NoOp(why)))
    }

    fn go_on(&self) -> Result<(), Broken> {
        if self.around.stop.load(Ordering::Relaxed) { Err(Broken::Interrupted) } else { Ok(()) }
    }

    /// Fails where the program is gone or one of its processes has crashed; waits so long for that.
    fn still_there(&self, leash: &Leash, watch: &Watch, patience: Duration) -> Result<(), Broken> {
        self.go_on()?;
        if leash.has_ended(patience) {
            return Err(Broken::Gone);
        }
        crash(&watch.ask(|seen| seen.fallen.clone()), false)
    }

    fn too_late(&self, what: &str) -> String {
        format!(
            "{what} after {} s; ended. Raise --timeout or lower the work",
            self.spec.timeout.as_secs_f64()
        )
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

fn number(signal: StopSignal) -> i32 {
    match signal {
        StopSignal::Term => libc::SIGTERM,
        StopSignal::Int => libc::SIGINT,
        StopSignal::Quit => libc::SIGQUIT,
        StopSignal::Hup => libc::SIGHUP,
        StopSignal::Kill => libc::SIGKILL,
    }
}

fn between(from: &Usage, to: &Usage) -> Usage {
    Usage {
        user_s: (to.user_s - from.user_s).max(0.0),
        system_s: (to.system_s - from.system_s).max(0.0),
        minor_faults: to.minor_faults.saturating_sub(from.minor_faults),
        major_faults: to.major_faults.saturating_sub(from.major_faults),
        voluntary: to.voluntary.saturating_sub(from.voluntary),
        involuntary: to.involuntary.saturating_sub(from.involuntary),
    }
}
