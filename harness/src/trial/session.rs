//! The conversation with a workload engine, from its hello to its last border, with the readings that
//! belong to each border.

use std::ops::RangeInclusive;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use arenalab_wire::channel::Channel;
use arenalab_wire::message::{Border, FromEngine, Hello, Inspection, Phase, ToEngine};
use arenalab_wire::telemetry::Page;
use procfs::process::Process;

use super::effect;
use super::executor::TrialSpec;
use super::noise;
use super::readings::{self, Exact};
use super::sampler::{self, Sample, Sampler};
use super::tunables;

/// How often a wait looks whether the harness was asked to stop.
const GLANCE: Duration = Duration::from_millis(100);

/// What was learnt of a trial, as far as it came.
#[derive(Default)]
pub struct Story {
    /// Who it said it was.
    pub hello: Option<Hello>,
    /// Borders passed: when the phase ended, in seconds since the start, and what was said of it.
    pub borders: Vec<(f64, Border)>,
    /// Exact reading at the end of the steady phase.
    pub end: Option<Exact>,
    /// Exact reading after drain and idle wait.
    pub drained: Option<Exact>,
    /// RSS after the allocator was asked to give memory back, and what it was asked.
    pub trimmed: Option<(u64, Option<String>)>,
    /// The allocator's account at the end of the steady phase.
    pub inspection: Option<Inspection>,
    /// The allocator's account after drain and idle wait.
    pub inspection_drained: Option<Inspection>,
    /// The host's counters at both ends of the steady phase.
    pub noise: Option<(noise::Mark, noise::Mark)>,
    /// The process's environment, read after its hello.
    pub seen: effect::Seen,
    /// The dynamic loader that it was started with.
    pub loader: Option<PathBuf>,
    /// Largest `VmHWM` of those at the borders: the workload lets it begin anew with each phase.
    pub high_water: Option<u64>,
    /// RSS and live bytes over time, but for when the workload gave account of itself.
    pub samples: Vec<Sample>,
    /// The engine's own words for giving up, and whether it lacked memory.
    pub failure: Option<(bool, String)>,
    /// Seconds since the start at which the steady phase began.
    pub steady_from_s: Option<f64>,
}

/// Why a conversation ended before its time.
#[derive(Debug, PartialEq)]
pub enum Broken {
    /// The other side is gone; its ending tells why.
    Gone,
    /// The harness was asked to stop.
    Interrupted,
    /// Its time is up.
    Late,
    /// The trial is not what was asked for, or does not speak as it should.
    Refused(String),
}

/// One conversation.
pub struct Session<'a> {
    channel: Channel,
    process: Process,
    spec: &'a TrialSpec,
    stop: &'a AtomicBool,
    begin: Instant,
    /// When the working phases must be done.
    deadline: Instant,
    sampler: Option<Sampler>,
    /// When the workload gave account of itself, which takes memory of its own.
    accounts: Vec<RangeInclusive<f64>>,
    /// When the phase ended whose end was heard of last, in seconds since the start.
    arrived_s: f64,
    story: Story,
}

impl<'a> Session<'a> {
    /// Begins a conversation with the process `pid`.
    ///
    /// # Errors
    /// When the process cannot be looked at.
    pub fn new(
        channel: Channel,
        pid: i32,
        spec: &'a TrialSpec,
        stop: &'a AtomicBool,
        begin: Instant,
    ) -> Result<Self, String> {
        channel.set_timeout(Some(GLANCE)).map_err(|e| format!("failed to set a timeout: {e}"))?;
        let process = Process::new(pid).map_err(|e| format!("failed to look at process {pid}: {e}"))?;
        let deadline = begin + spec.timeout;
        let (sampler, accounts, arrived_s, story) = (None, Vec::new(), 0.0, Story::default());
        Ok(Self { channel, process, spec, stop, begin, deadline, sampler, accounts, arrived_s, story })
    }

    /// Leads the conversation to its end.
    pub fn lead(mut self) -> (Story, Result<(), Broken>) {
        let outcome = self.all_phases();
        self.end_sampling();
        (self.story, outcome)
    }

    fn all_phases(&mut self) -> Result<(), Broken> {
        self.greet()?;
        for phase in [Phase::Setup, Phase::Warmup] {
            self.work()?;
            self.report(phase)?;
        }
        let before = noise::mark();
        self.story.steady_from_s = Some(self.now_s());
        self.work()?;
        self.story.noise = Some((before, noise::mark()));
        self.story.end = Some(self.read_exactly()?);
        self.report(Phase::Steady)?;
        self.story.inspection = Some(self.inspect()?);
        self.work()?;
        self.idle()?;
        let drained = self.read_exactly()?;
        self.story.drained = Some(drained);
        self.report(Phase::Drain)?;
        self.story.inspection_drained = Some(self.inspect()?);
        if self.spec.trim {
            self.story.trimmed = Some(self.trim(&drained)?);
        }
        self.end_sampling();
        self.say(ToEngine::Go)
    }

    fn end_sampling(&mut self) {
        let Some(sampler) = self.sampler.take() else { return };
        let giving_account = |sample: &Sample| self.accounts.iter().any(|when| when.contains(&sample.at_s));
        self.story.samples = sampler.finish();
        self.story.samples.retain(|sample| !giving_account(sample));
    }

    fn now_s(&self) -> f64 {
        self.begin.elapsed().as_secs_f64()
    }

    /// Hears the hello, refuses a stranger, and starts to sample.
    fn greet(&mut self) -> Result<(), Broken> {
        let hello = match self.hear()? {
            FromEngine::Hello(hello) => hello,
            other => return Err(unexpected("a hello", &other)),
        };
        if hello.version != arenalab_wire::VERSION {
            let (theirs, ours) = (hello.version, arenalab_wire::VERSION);
            let reason = format!(
                "the workload binary speaks protocol {theirs}, this arenalab {ours}; build both from one source"
            );
            return Err(Broken::Refused(reason));
        }
        self.story.seen.environment = environment_of(&self.process);
        self.story.loader = tunables::loader_of(&self.process);
        let hello = self.story.hello.insert(hello);
        if let Some(footing) = &self.spec.footing {
            footing.proven_by(&self.process, &hello.allocator.libc_version).map_err(Broken::Refused)?;
        }
        effect::right_allocator(&self.spec.asked, &hello.allocator).map_err(Broken::Refused)?;
        if hello.threads != self.spec.threads {
            let (asked, has) = (self.spec.threads, hello.threads);
            return Err(Broken::Refused(format!("asked for {asked} threads, it runs {has}")));
        }
        let file: OwnedFd = self
            .channel
            .take_descriptor()
            .ok_or_else(|| Broken::Refused("the hello came without a telemetry page".to_owned()))?;
        let page = Page::open(&file).map_err(|e| Broken::Refused(e.to_string()))?;
        if !self.spec.sampled {
            return Ok(());
        }
        let sampler = sampler::start(self.process.pid, Arc::new(page), self.begin);
        self.sampler = Some(sampler.map_err(Broken::Refused)?);
        Ok(())
    }

    /// Lets a phase run, and hears that it has ended.
    fn work(&mut self) -> Result<(), Broken> {
        let now_s = self.now_s();
        if let Some(account) = self.accounts.last_mut() {
            *account = *account.start()..=now_s;
        }
        self.say(ToEngine::Go)?;
        match self.hear()? {
            FromEngine::Arrived => {
                self.arrived_s = self.now_s();
                self.story.high_water = self.story.high_water.max(readings::high_water(&self.process));
                Ok(())
            }
            other => Err(unexpected("the end of a phase", &other)),
        }
    }

    /// Hears what the phase was.
    fn report(&mut self, phase: Phase) -> Result<(), Broken> {
        self.accounts.push(self.now_s()..=f64::INFINITY);
        self.say(ToEngine::Report)?;
        match self.hear()? {
            FromEngine::Border(border) if border.phase == phase => {
                self.story.borders.push((self.arrived_s, border));
                Ok(())
            }
            other => Err(unexpected(&format!("the end of {phase:?}"), &other)),
        }
    }

    /// The idle wait, which does not count towards the time limit.
    fn idle(&mut self) -> Result<(), Broken> {
        self.deadline += self.spec.idle;
        let until = Instant::now() + self.spec.idle;
        while let Some(left) = until.checked_duration_since(Instant::now()) {
            if self.stop.load(Ordering::Relaxed) {
                return Err(Broken::Interrupted);
            }
            if !self.process.is_alive() {
                return Err(Broken::Gone);
            }
            std::thread::sleep(left.min(GLANCE));
        }
        Ok(())
    }

    fn read_exactly(&self) -> Result<Exact, Broken> {
        readings::exact(&self.process)
            .map_err(|reason| if self.process.is_alive() { Broken::Refused(reason) } else { Broken::Gone })
    }

    fn inspect(&mut self) -> Result<Inspection, Broken> {
        self.say(ToEngine::Inspect)?;
        match self.hear()? {
            FromEngine::Inspection(inspection) => Ok(inspection),
            other => Err(unexpected("an inspection", &other)),
        }
    }

    /// RSS after the allocator was asked to give memory back, and what it was asked. The workload has given account in
    /// between, and given back what that took: what the call itself changed is taken off the reading after the drain.
    fn trim(&mut self, drained: &Exact) -> Result<(u64, Option<String>), Broken> {
        let before = self.read_exactly()?.all();
        self.say(ToEngine::Trim)?;
        let how = match self.hear()? {
            FromEngine::Trimmed(trimmed) => trimmed.how,
            other => return Err(unexpected("what it did to trim", &other)),
        };
        let after = self.read_exactly()?.all();
        Ok(((drained.all() + after).saturating_sub(before), how))
    }

    fn say(&self, message: ToEngine) -> Result<(), Broken> {
        self.channel.send(&message, None).map_err(|_| Broken::Gone)
    }

    /// The next message, within the time limit.
    fn hear(&mut self) -> Result<FromEngine, Broken> {
        loop {
            if self.stop.load(Ordering::Relaxed) {
                return Err(Broken::Interrupted);
            }
            match self.channel.receive::<FromEngine>() {
                Ok(Some(FromEngine::Failed(failure))) => {
                    self.story.failure = Some((failure.out_of_memory, failure.reason));
                    return Err(Broken::Gone);
                }
                Ok(Some(message)) => return Ok(message),
                Err(e) if is_timeout(&e) && Instant::now() >= self.deadline => return Err(Broken::Late),
                Err(e) if is_timeout(&e) => {}
                Err(e) if e.kind() == std::io::ErrorKind::InvalidData => {
                    return Err(Broken::Refused(format!("the workload sent what is no message: {e}")));
                }
                Ok(None) | Err(_) => return Err(Broken::Gone),
            }
        }
    }
}

fn is_timeout(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut)
}

fn unexpected(wanted: &str, got: &FromEngine) -> Broken {
    let got: String = format!("{got:?}").chars().take(80).collect();
    Broken::Refused(format!("the workload should have sent {wanted}, but sent {got}"))
}

fn environment_of(process: &Process) -> Option<std::collections::BTreeMap<String, String>> {
    let text = |os: std::ffi::OsString| os.to_string_lossy().into_owned();
    let environment = process.environ().ok()?;
    Some(environment.into_iter().map(|(name, value)| (text(name), text(value))).collect())
}
