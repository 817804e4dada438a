//! The executor of real trials.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::elf::deep::Inside;
use super::ending::Told;
use super::executor::{Asked, Executor, Trial, TrialSpec};
use super::group::Group;
use super::launcher::{CONTROL_FD, Job, with};
use super::leash::Started;
use super::program::judge::Beforehand;
use super::program::record::Besides;
use super::program::{self, Around};
use super::record::{self, Played};
use super::session::{Broken, Session, Story};
use super::{elf, leash, pretend_cpus, tunables};

use crate::format::trial::{Status, TrialRecord};
use crate::knowledge::scrub;
use crate::plan::Program;

/// Time from TERM to KILL for a trial that is over its limit.
const GRACE: Duration = Duration::from_secs(2);

/// Runs trials as processes of this host.
pub struct RealExecutor {
    /// The launcher: this very executable.
    executable: PathBuf,
    /// The host's name for the records.
    host: String,
    /// Set when the harness is asked to stop.
    stop: Arc<AtomicBool>,
    /// The environment that every trial starts from.
    environment: BTreeMap<String, String>,
    /// What of it is no text, which passes as it is.
    odd: Vec<(OsString, OsString)>,
    /// What a loader listed, by itself and the environment that it was asked under.
    listed: BTreeMap<(PathBuf, BTreeMap<String, String>), BTreeMap<String, String>>,
    /// The programs as they were when first run.
    stamps: BTreeMap<PathBuf, Stamp>,
    /// Where what programs print is kept.
    keep: Option<PathBuf>,
    /// Candidates that were seen to have no effect on a program, by workload, libc and candidate, with the reason.
    no_ops: BTreeMap<(String, String, String), String>,
    /// What a search of programs' files found, by path.
    inside: BTreeMap<PathBuf, Inside>,
}

impl RealExecutor {
    /// Makes an executor. `environment` is what every trial starts from, already free of variables that
    /// an allocator reads.
    pub fn new(
        executable: PathBuf,
        host: String,
        stop: Arc<AtomicBool>,
        environment: BTreeMap<String, String>,
    ) -> Self {
        Self {
            executable,
            host,
            stop,
            environment,
            odd: Vec::new(),
            listed: BTreeMap::new(),
            stamps: BTreeMap::new(),
            keep: None,
            no_ops: BTreeMap::new(),
            inside: BTreeMap::new(),
        }
    }

    /// Keeps what programs of the user's print, in files in a directory that is made when there is something.
    #[must_use]
    pub fn keeping_output_in(self, directory: PathBuf) -> Self {
        Self { keep: Some(directory), ..self }
    }

    /// Passes variables on that are no text.
    #[must_use]
    pub fn passing_on(self, odd: Vec<(OsString, OsString)>) -> Self {
        Self { odd, ..self }
    }

    fn job(&self, spec: &TrialSpec, group: Option<&Group>) -> Result<Job, String> {
        let mut env = self.environment.clone();
        scrub::merge(&mut env, &spec.asked.env);
        let mut args = spec.args.clone();
        args.extend(["--seed".to_owned(), spec.seed.to_string()]);
        args.extend(["--control-fd".to_owned(), CONTROL_FD.to_string()]);
        let mut program = spec.program.clone();
        if let Some(footing) = spec.footing.as_ref().filter(|footing| !footing.whole) {
            let line = footing.line(&program, None, args, env.get("LD_LIBRARY_PATH"))?;
            (program, args) = (line.program, line.args);
        }
        Ok(Job {
            program,
            args,
            env: with(env, &self.odd),
            timeout_ms: (spec.timeout + spec.idle).as_millis() as u64,
            grace_ms: GRACE.as_millis() as u64,
            join: group.map(Group::procs).into_iter().collect(),
            inside: spec.footing.as_ref().and_then(|footing| footing.inside(shared(spec))),
            cpus: spec.cpus_to_read(),
            ..Job::default()
        })
    }

    /// Runs the processes and hears their story.
    fn play(&mut self, spec: &TrialSpec, begin: Instant, group: Option<&Group>) -> Result<Played, String> {
        let oom_before = oom_kills();
        let (mut leash, channel) = match leash::start_engine(&self.executable, &self.job(spec, group)?)? {
            Started::Runs((leash, channel)) => (leash, channel),
            Started::Not(reason) => {
                let told = Told { refused: Some(reason), ..Told::default() };
                return Ok(Played { told, ..Played::default() });
            }
        };
        let (mut story, outcome) = match Session::new(channel, leash.pid, spec, &self.stop, begin) {
            Ok(session) => session.lead(),
            Err(_) => (Story::default(), Err(Broken::Gone)),
        };
        if let Some(loader) = &story.loader {
            let of_root = spec.footing.as_ref().map(|footing| footing.root.loader.clone());
            story.seen.tunables = self.tunables(&spec.asked, of_root.as_deref().unwrap_or(loader));
        }
        match outcome {
            Err(Broken::Interrupted | Broken::Refused(_)) => leash.let_go(),
            Err(Broken::Late) => leash.end(),
            Ok(()) | Err(Broken::Gone) => {}
        }
        let mut told = Told {
            failure: story.failure.clone(),
            completed: outcome.is_ok(),
            interrupted: outcome == Err(Broken::Interrupted),
            late: outcome == Err(Broken::Late),
            ..Told::default()
        };
        if let Err(Broken::Refused(reason)) = outcome {
            told.refused = Some(reason);
        }
        let ending = leash.wait()?;
        told.interrupted |= self.stop.load(Ordering::Relaxed) && !told.completed;
        told.oom_kills = oom_kills().saturating_sub(oom_before);
        Ok(Played { story, told, ending })
    }

    /// Runs a trial of the user's own program.
    fn run_own(
        &mut self,
        spec: &TrialSpec,
        program: &Program,
        group: Option<&Group>,
    ) -> Result<Trial, String> {
        let key = (spec.workload.clone(), spec.libc.clone(), spec.candidate.clone());
        if let Some(reason) = self.no_ops.get(&key) {
            let record = record::not_run(&self.host, spec, Status::Unsupported, reason);
            return Ok(Trial { record, series: None });
        }
        let started_at = jiff::Timestamp::now().to_string();
        let begin = Instant::now();
        let oom_before = oom_kills();
        let around = Around {
            executable: &self.executable,
            environment: &self.environment,
            odd: &self.odd,
            stop: &self.stop,
            keep: self.keep.as_deref(),
            group,
        };
        let story = program::play(&around, spec, program, begin)?;
        let mut images = story.images.all();
        self.search(&mut images, program::judge::trusts_loader(&spec.asked));
        let loader = program::weigh::served(&images).and_then(|served| served.loader.clone());
        let loader = spec.footing.as_ref().map(|footing| footing.root.loader.clone()).or(loader);
        let account = group.map(Group::account);
        let listed = loader.and_then(|loader| self.tunables(&spec.asked, &loader));
        let besides = Besides {
            beforehand: Beforehand::of(spec, listed),
            complaint: program::complaints::complaint(&story.output),
            images,
            cpus: std::thread::available_parallelism().map_or(1.0, |cpus| cpus.get() as f64),
            oom_kills: match account.and_then(|account| account.oom_kills) {
                Some(kills) => kills,
                // Of the whole host: a kill may have been another's, but where one of ours was killed too, it was it.
                None if story.was_killed() => oom_kills().saturating_sub(oom_before),
                None => 0,
            },
        };
        let empty = record::not_run(&self.host, spec, Status::Ok, "");
        let empty = TrialRecord {
            started_at,
            elapsed_s: begin.elapsed().as_secs_f64(),
            memory_group: account,
            ..empty
        };
        let record = program::record::record(empty, spec, &story, &besides);
        if let (Status::Unsupported, Some(reason)) = (record.status, &record.reason) {
            self.no_ops.insert(key, reason.clone());
        }
        let wanted = spec.keep_series && record.status == Status::Ok;
        let series = wanted.then(|| program::record::series(spec, &story)).flatten();
        Ok(Trial { record, series })
    }

    /// Searches the files of the programs that did the work, each once in a campaign; with their libraries where those
    /// may set what no process shows.
    fn search(&mut self, images: &mut [program::image::Image], libraries: bool) {
        for index in program::weigh::of_weight(images) {
            let Some(sight) = images.get_mut(index).and_then(|image| image.sight.as_mut()) else { continue };
            sight.settle(self.inside(&sight.served.file));
            let served = &sight.served;
            let asks = |file: &&PathBuf| Some(*file) != served.libc.as_ref() && self.inside(file).mallopt;
            sight.mallopt = served.files.iter().filter(|_| libraries).find(asks).cloned();
        }
    }

    fn inside(&mut self, file: &Path) -> Inside {
        *self.inside.entry(file.to_owned()).or_insert_with(|| elf::deep::inside(file))
    }

    /// What the loader lists under a candidate's environment; asked once for each.
    fn tunables(&mut self, asked: &Asked, loader: &Path) -> Option<BTreeMap<String, String>> {
        if asked.allocator != "glibc" || asked.settings.is_empty() {
            return None;
        }
        let key = (loader.to_owned(), asked.env.clone());
        if !self.listed.contains_key(&key) {
            let listed = tunables::list(loader, &asked.env)?;
            self.listed.insert(key.clone(), listed);
        }
        self.listed.get(&key).cloned()
    }

    /// Sees that a program is still the one that the campaign began with.
    fn unchanged(&mut self, program: &Path) -> Result<(), String> {
        let stamp =
            Stamp::of(program).map_err(|e| format!("failed to look at {}: {e}", program.display()))?;
        if *self.stamps.entry(program.to_owned()).or_insert(stamp) == stamp {
            return Ok(());
        }
        Err(format!(
            "{} has changed since the campaign began (was it built anew?); trials of two builds must not be mixed",
            program.display()
        ))
    }
}

/// What of the host is there as well, where a workload binary runs inside a root.
fn shared(spec: &TrialSpec) -> Vec<PathBuf> {
    let footing = spec.footing.as_ref();
    let alone = |library: &PathBuf| library.is_file() && !footing.is_some_and(|footing| footing.has(library));
    let preloaded = spec.asked.env.get("LD_PRELOAD").into_iter().flat_map(|value| scrub::preloads(value));
    let preloaded = preloaded.map(PathBuf::from).filter(alone);
    [spec.program.clone()].into_iter().chain(preloaded).collect()
}

/// What tells a file from another that took its place.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
}

impl Stamp {
    fn of(path: &Path) -> std::io::Result<Self> {
        let meta = std::fs::metadata(path)?;
        Ok(Self {
            device: meta.dev(),
            inode: meta.ino(),
            size: meta.size(),
            modified: (meta.mtime(), meta.mtime_nsec()),
        })
    }
}

/// Seconds since this process was started.
fn age_s() -> Option<f64> {
    let stat = procfs::process::Process::myself().and_then(|me| me.stat()).ok()?;
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    let now_s = now.tv_sec as f64 + now.tv_nsec as f64 / 1e9;
    Some((now_s - stat.starttime as f64 / procfs::ticks_per_second() as f64).max(0.0))
}

impl Executor for RealExecutor {
    fn spent_s(&self) -> f64 {
        age_s().unwrap_or(0.0)
    }

    fn run(&mut self, spec: &TrialSpec) -> Result<Trial, String> {
        let mut trial = self.run_one(spec)?;
        pretend_cpus::tell(spec, &mut trial.record);
        Ok(trial)
    }
}

impl RealExecutor {
    fn run_one(&mut self, spec: &TrialSpec) -> Result<Trial, String> {
        if let Some(reason) = &spec.unsupported {
            let record = record::not_run(&self.host, spec, Status::Unsupported, reason);
            return Ok(Trial { record, series: None });
        }
        if !spec.is_of_root() {
            self.unchanged(&spec.program)?;
        }
        if let Some(footing) = &spec.footing {
            self.unchanged(&footing.root.libc)?;
            self.unchanged(&footing.root.loader)?;
        }
        let group = spec.memory_limit.map(Group::make).transpose()?;
        if let Some(program) = spec.own.clone() {
            let group = group.or_else(Group::counting);
            return self.run_own(spec, &program, group.as_ref());
        }
        let started_at = jiff::Timestamp::now().to_string();
        let begin = Instant::now();
        let played = self.play(spec, begin, group.as_ref())?;
        let elapsed_s = begin.elapsed().as_secs_f64();
        let record = record::record(&self.host, spec, &played, started_at, elapsed_s);
        let record = TrialRecord { memory_group: group.as_ref().map(Group::account), ..record };
        let wanted = spec.keep_series && record.status == Status::Ok;
        let series = wanted.then(|| record::series(spec, &played.story)).flatten();
        Ok(Trial { record, series })
    }
}

/// Processes that the kernel has killed for memory since it started (Linux 4.13 and later).
fn oom_kills() -> u64 {
    procfs::vmstat().ok().and_then(|all| all.get("oom_kill").copied()).map_or(0, i64::cast_unsigned)
}
