//! Watches the processes of a trial from a thread of the harness: their resident size every 10 ms from `statm`,
//! who comes and goes at longer intervals, and for batch jobs, which stand still nowhere, an exact look at
//! doubling times. Each interval is stretched so that it takes at most 1 % of the time.

use std::collections::BTreeMap;
use std::fs::File;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use arenalab_wire::telemetry::Stage;
use procfs::process::Process;

use super::exits::Handle;
use super::images::Images;
use super::look::{Look, look};
use crate::trial::sampler::{INTERVAL, MOST, Sample, resident, thin};
use crate::trial::tree;

/// Time between looks for processes that came.
const RESCAN: Duration = Duration::from_millis(50);
/// When a batch job is first looked at exactly.
const FIRST_LOOK: Duration = Duration::from_millis(20);
/// The same for exact looks, of which there are few: their times double.
const LOOK_SHARE: u32 = 20;
/// The most of the time that any kind of watching takes: one part in so many.
const SHARE: u32 = 100;

/// The end of a process by a signal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fallen {
    /// Its short name.
    pub command: String,
    /// The signal.
    pub signal: i32,
}

/// What was seen.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Resident sizes of all processes, summed.
    pub samples: Vec<Sample>,
    /// The most processes at once.
    pub most: u32,
    /// The largest `VmHWM` of any one process.
    pub high_water: u64,
    /// Processes that a signal ended, in the order in which it was noticed.
    pub fallen: Vec<Fallen>,
    /// The last exact look.
    pub look: Option<Look>,
    /// Seconds that exact looks took.
    pub looking_s: f64,
}

/// What the thread is asked besides.
enum Ask {
    /// To see at once who came and went, and to answer when that is done.
    Rescan(Sender<()>),
    /// To end.
    Stop,
}

/// A thread that watches until it is stopped.
pub struct Watch {
    seen: Arc<Mutex<Seen>>,
    ask: Sender<Ask>,
    thread: Option<JoinHandle<()>>,
}

impl Watch {
    /// Starts to watch the processes below a launcher; `looking` for exact looks at doubling times.
    pub fn start(launcher: i32, begin: Instant, looking: bool, images: Images) -> Self {
        let seen = Arc::new(Mutex::new(Seen::default()));
        let (ask, asked) = channel();
        let shared = Arc::clone(&seen);
        let thread = std::thread::spawn(move || {
            let mut watcher = Watcher::new(launcher, begin, looking, images, shared);
            let mut wait = Duration::ZERO;
            loop {
                match asked.recv_timeout(wait) {
                    Err(RecvTimeoutError::Timeout) => wait = watcher.step(),
                    Ok(Ask::Rescan(done)) => {
                        watcher.rescan();
                        let _ = done.send(());
                    }
                    Ok(Ask::Stop) | Err(RecvTimeoutError::Disconnected) => break,
                }
            }
        });
        Self { seen, ask, thread: Some(thread) }
    }

    /// Sees at once who came and went.
    pub fn rescan(&self) {
        let (done, wait) = channel();
        if self.ask.send(Ask::Rescan(done)).is_ok() {
            let _ = wait.recv();
        }
    }

    /// What is asked of what was seen so far.
    pub fn ask<T>(&self, question: impl FnOnce(&Seen) -> T) -> T {
        question(&self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Ends watching and gives what was seen.
    pub fn finish(mut self) -> Seen {
        let _ = self.ask.send(Ask::Stop);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        std::mem::take(&mut self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

struct Known {
    statm: File,
    handle: Option<Handle>,
    command: String,
    /// Whether its end by a signal is told already.
    fallen: bool,
}

/// CPU time of this thread: what watching costs, also on a host that is busy with other things.
fn cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec as u32)
}

/// The signal that ended a process which its parent has not reaped.
fn zombie(pid: i32) -> Option<i32> {
    let stat = Process::new(pid).and_then(|process| process.stat()).ok()?;
    let signal = stat.exit_code? & 0x7f;
    (stat.state == 'Z' && signal != 0).then_some(signal)
}

struct Watcher {
    launcher: i32,
    begin: Instant,
    seen: Arc<Mutex<Seen>>,
    known: BTreeMap<i32, Known>,
    interval: Duration,
    rescan: Instant,
    look: Option<Instant>,
    images: Images,
}

impl Watcher {
    fn new(launcher: i32, begin: Instant, looking: bool, images: Images, seen: Arc<Mutex<Seen>>) -> Self {
        let now = Instant::now();
        Self {
            launcher,
            begin,
            seen,
            known: BTreeMap::new(),
            interval: INTERVAL,
            rescan: now,
            look: looking.then(|| now + FIRST_LOOK),
            images,
        }
    }

    fn seen<T>(&self, change: impl FnOnce(&mut Seen) -> T) -> T {
        change(&mut self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// One sample, and what else is due. Gives the time to wait.
    fn step(&mut self) -> Duration {
        if Instant::now() >= self.rescan {
            let before = cpu_time();
            self.rescan();
            self.rescan = Instant::now() + RESCAN.max(cpu_time().saturating_sub(before) * SHARE);
        }
        let before = cpu_time();
        self.sample();
        let wait = self.interval.max(cpu_time().saturating_sub(before) * SHARE);
        // Has a bound of its own.
        self.images.step();
        if self.look.is_some_and(|due| Instant::now() >= due) {
            self.look_exactly();
        }
        wait
    }

    fn rescan(&mut self) {
        let members = tree::below(self.launcher);
        for member in &members {
            if self.known.contains_key(&member.pid) {
                continue;
            }
            let handle = Handle::open(member.pid);
            let command = Process::new(member.pid).and_then(|p| p.stat()).map(|stat| stat.comm);
            let statm = File::open(format!("/proc/{}/statm", member.pid));
            if let (Ok(statm), Ok(command)) = (statm, command) {
                self.known.insert(member.pid, Known { statm, handle, command, fallen: false });
            }
        }
        let gone: Vec<i32> = self
            .known
            .keys()
            .copied()
            .filter(|pid| !members.iter().any(|member| member.pid == *pid))
            .collect();
        for pid in gone {
            let Some(known) = self.known.remove(&pid) else { continue };
            let signal = known.handle.and_then(|handle| handle.signal()).filter(|_| !known.fallen);
            self.fell(known.command, signal);
        }
        // What its parent has not reaped yet.
        let ended =
            self.known.iter_mut().filter(|(_, known)| !known.fallen && resident(&known.statm).is_none());
        let ended: Vec<_> = ended
            .filter_map(|(pid, known)| {
                let signal = zombie(*pid)?;
                known.fallen = true;
                Some((known.command.clone(), signal))
            })
            .collect();
        for (command, signal) in ended {
            self.fell(command, Some(signal));
        }
        self.images.rescan(&members);
        let high_water = self.refresh_largest();
        let count = self.known.len() as u32;
        self.seen(|seen| {
            seen.most = seen.most.max(count);
            seen.high_water = seen.high_water.max(high_water);
        });
    }

    fn fell(&self, command: String, signal: Option<i32>) {
        if let Some(signal) = signal {
            self.seen(|seen| seen.fallen.push(Fallen { command, signal }));
        }
    }

    /// The kernel's high-water mark of the largest process, whose name may have been changed by an exec.
    fn refresh_largest(&mut self) -> u64 {
        let largest = self.known.iter_mut().max_by_key(|(_, known)| resident(&known.statm).unwrap_or(0));
        let Some((pid, known)) = largest else { return 0 };
        let Ok(status) = Process::new(*pid).and_then(|process| process.status()) else { return 0 };
        known.command.clone_from(&status.name);
        status.vmhwm.unwrap_or(0) * 1024
    }

    fn sample(&mut self) {
        let rss: u64 = self.known.values().filter_map(|known| resident(&known.statm)).sum();
        if rss == 0 {
            return;
        }
        let at_s = self.begin.elapsed().as_secs_f64();
        let full = self.seen(|seen| {
            seen.samples.push(Sample { at_s, rss, live: 0, stage: Stage::None });
            let full = seen.samples.len() >= MOST;
            if full {
                thin(&mut seen.samples);
            }
            full
        });
        if full {
            self.interval *= 2;
        }
    }

    /// Looks, and comes back when as much time again has passed as since the start.
    fn look_exactly(&mut self) {
        let start = Instant::now();
        let looked = look(self.launcher, self.begin);
        self.images.look();
        let took = start.elapsed();
        self.look = Some(Instant::now() + self.begin.elapsed().max(took * LOOK_SHARE));
        if let Some(looked) = looked.filter(|look| look.rows.iter().any(|row| row.exact.rss > 0)) {
            self.seen(|seen| {
                seen.looking_s += took.as_secs_f64();
                seen.look = Some(looked);
            });
        }
    }
}
