//! Watches the trials of a command, one after the other: each has a process of the harness's own above it, and all
//! below that one are the trial's. Commands beside the program (setup, driver, stop) look alike, and are told from it by
//! a text in the command line.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Result;
use std::path::PathBuf;
use std::process::{Child, ExitStatus};
use std::time::{Duration, Instant, SystemTime};

use super::group::Group;
use super::rollup::{self, Memory};
use super::tree;

/// Time between samples. Where a sample takes longer, as long as it took.
const INTERVAL: Duration = Duration::from_millis(20);
/// All threads are asked for their children in one sample of so many, the first thread in each.
const THREADS_EVERY: u32 = 5;
/// How often a sample is taken anew at once where processes came or went meanwhile.
const TRIES: u32 = 3;
/// By how much two sums of one time may differ.
const UNSTEADY: f64 = 0.01;

/// All processes of a trial at one time.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sample {
    /// Seconds since 1970.
    pub at_s: f64,
    /// Summed over its processes.
    pub sum: Memory,
    /// How many there are.
    pub processes: u32,
    /// All that the largest of them holds, bytes.
    pub largest: u64,
    /// The largest high-water mark of any one of them, bytes.
    pub high_water: u64,
    /// Whether processes came or went while it was taken, so that shares need not add up.
    pub torn: bool,
}

/// What was seen of one trial.
#[derive(Clone, Debug, Default)]
pub struct Trial {
    /// In the order of time.
    pub samples: Vec<Sample>,
    /// The control group's peak meanwhile, bytes, where there is one: the harness and the driver are in it as well.
    pub group_peak: Option<u64>,
    /// CPU seconds that watching it took.
    pub cpu_s: f64,
    /// CPU seconds that the command itself, the harness, took meanwhile.
    pub command_cpu_s: f64,
}

/// A process with its files held open.
struct Known {
    parent: i32,
    rollup: File,
    status: File,
    children: File,
}

impl Known {
    fn open(pid: i32, parent: i32) -> Option<Self> {
        let open = |name: &str| File::open(format!("/proc/{pid}/{name}")).ok();
        Some(Self {
            parent,
            rollup: open("smaps_rollup")?,
            status: open("status")?,
            children: tree::of_first_thread(pid)?,
        })
    }
}

/// Processes below one child of the command.
struct Below {
    children: File,
    known: BTreeMap<i32, Known>,
    matches: bool,
    count: u32,
    /// The largest sum of Pss of samples that were not torn.
    most: u64,
    /// CPU seconds of the command when the trial was first seen.
    command_cpu_s: f64,
    trial: Trial,
}

/// Watches a command.
pub struct Witness<'a> {
    command: i32,
    text: &'a str,
    group: Option<&'a Group>,
    own: Option<PathBuf>,
    trees: BTreeMap<i32, Below>,
    done: Vec<Trial>,
}

/// CPU seconds of this thread.
pub fn own_cpu_s() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split_whitespace().next().and_then(|ns| ns.parse::<f64>().ok()).unwrap_or(0.0) / 1e9
}

impl<'a> Witness<'a> {
    /// Of the children of a process, those whose command line has a text in it.
    pub fn new(command: i32, text: &'a str, group: Option<&'a Group>) -> Self {
        Self { command, text, group, own: None, trees: BTreeMap::new(), done: Vec::new() }
    }

    /// Watches until the command has ended, and gives its trials in the order of their ends.
    ///
    /// # Errors
    /// When the command cannot be waited for.
    pub fn watch(mut self, child: &mut Child) -> Result<(Vec<Trial>, ExitStatus)> {
        loop {
            let begin = Instant::now();
            if let Some(status) = child.try_wait()? {
                for (_, below) in std::mem::take(&mut self.trees) {
                    self.finish(below);
                }
                return Ok((self.done, status));
            }
            self.look();
            let took = begin.elapsed();
            std::thread::sleep(INTERVAL.saturating_sub(took).max(took.min(INTERVAL)));
        }
    }

    fn look(&mut self) {
        // A shell may stand in its place first.
        self.own = tree::executable(self.command).or(self.own.take());
        let mut launchers = Vec::new();
        tree::of_all_threads(self.command, &mut launchers);
        let gone: Vec<i32> = self
            .trees
            .keys()
            .copied()
            .filter(|pid| !launchers.iter().any(|(found, _)| found == pid))
            .collect();
        for pid in gone {
            if let Some(below) = self.trees.remove(&pid) {
                self.finish(below);
            }
        }
        for (pid, _) in launchers {
            if let Some(children) = tree::of_first_thread(pid).filter(|_| !self.trees.contains_key(&pid)) {
                let (known, trial) = (BTreeMap::new(), Trial::default());
                let command_cpu_s = tree::cpu_s(self.command);
                self.trees.insert(
                    pid,
                    Below { children, known, matches: false, count: 0, most: 0, command_cpu_s, trial },
                );
            }
        }
        for (pid, below) in &mut self.trees {
            let before = own_cpu_s();
            let matched = below.matches;
            if let Some(sample) = below.sample(*pid, self.text, self.own.as_ref()) {
                below.trial.samples.push(sample);
            }
            below.trial.cpu_s += own_cpu_s() - before;
            below.trial.command_cpu_s = tree::cpu_s(self.command) - below.command_cpu_s;
            if let Some(group) = self.group.filter(|_| below.matches && !matched) {
                group.reset();
            }
        }
    }

    fn finish(&mut self, below: Below) {
        if below.matches {
            let group_peak = self.group.and_then(Group::peak);
            self.done.push(Trial { group_peak, ..below.trial });
        }
    }
}

impl Below {
    /// The processes below, with their parents.
    fn list(&mut self, launcher: i32, all_threads: bool) -> Vec<(i32, i32)> {
        let mut found = Vec::with_capacity(64);
        tree::listed(&self.children, launcher, &mut found);
        if all_threads {
            tree::of_all_threads(launcher, &mut found);
        }
        let mut next = 0;
        while let Some((pid, _)) = found.get(next).copied() {
            match self.known.get(&pid).map(|known| &known.children) {
                Some(_) if all_threads => tree::of_all_threads(pid, &mut found),
                Some(children) => tree::listed(children, pid, &mut found),
                None => tree::of_all_threads(pid, &mut found),
            }
            next += 1;
        }
        // Those that another than the first thread started, as long as they live.
        for (pid, known) in &self.known {
            let missed = !found.iter().any(|(other, _)| other == pid);
            if missed && rollup::high_water(&known.status).is_some() {
                found.push((*pid, known.parent));
            }
        }
        found
    }

    fn sample(&mut self, launcher: i32, text: &str, own: Option<&PathBuf>) -> Option<Sample> {
        let mut last = None;
        let begin = Instant::now();
        for _ in 0..TRIES {
            last = self.try_sample(launcher, text, own);
            if last.is_none_or(|sample| !sample.torn) || begin.elapsed() > INTERVAL / 2 {
                break;
            }
        }
        last
    }

    fn try_sample(&mut self, launcher: i32, text: &str, own: Option<&PathBuf>) -> Option<Sample> {
        let all_threads = self.count.is_multiple_of(THREADS_EVERY);
        self.count += 1;
        let mut found = self.list(launcher, all_threads);
        let begin = SystemTime::now();
        let mut sample = self.sum(&found, text, own)?;
        sample.at_s = middle(begin);
        let again = self.list(launcher, all_threads);
        sample.torn = again.len() != found.len() || again.iter().any(|one| !found.contains(one));
        let most = self.most as f64;
        if !sample.torn && sample.processes > 1 && sample.sum.pss as f64 > most * (1.0 + UNSTEADY) {
            // A new peak. Where pages begin to be shared meanwhile, those read early count in full: the other way round
            // they do not.
            found.reverse();
            let other = self.sum(&found, text, own)?;
            let (a, b) = (sample.sum.pss as f64, other.sum.pss as f64);
            sample.torn = (a - b).abs() > a.max(b) * UNSTEADY;
            if b < a {
                sample.sum = other.sum;
            }
        }
        if !sample.torn {
            self.most = self.most.max(sample.sum.pss);
        }
        Some(sample)
    }

    /// All processes in an order; `None` where none of them is the trial's.
    fn sum(&mut self, order: &[(i32, i32)], text: &str, own: Option<&PathBuf>) -> Option<Sample> {
        let mut read = BTreeMap::new();
        let mut sample = Sample::default();
        for (pid, parent) in order {
            if let Some((memory, print)) = self.read(*pid, *parent, text, own) {
                read.insert(*pid, (*parent, memory, print));
            }
        }
        for (pid, (parent, memory, print)) in &read {
            // Between vfork and exec it has its parent's memory, which counts already. Its files are opened anew next
            // time: those of now would go on to tell of the parent.
            if read.get(parent).is_some_and(|(_, _, of_parent)| of_parent == print) {
                self.known.remove(pid);
                continue;
            }
            sample.sum.add(memory);
            sample.processes += 1;
            sample.largest = sample.largest.max(memory.rss + memory.hugetlb + memory.swap);
            let mark = rollup::high_water(&self.known[pid].status).unwrap_or(0);
            sample.high_water = sample.high_water.max(mark);
        }
        self.known.retain(|pid, _| read.contains_key(pid));
        (sample.processes > 0).then_some(sample)
    }

    /// What a process holds; `None` where it is gone, or not yet the trial's own program.
    fn read(&mut self, pid: i32, parent: i32, text: &str, own: Option<&PathBuf>) -> Option<(Memory, u64)> {
        if let Some(read) = self.known.get(&pid).and_then(|known| rollup::memory(&known.rollup)) {
            return Some(read);
        }
        // New, or another program by now: an exec gives a process new memory.
        if tree::executable(pid).as_ref() == own {
            return None;
        }
        let known = Known::open(pid, parent)?;
        self.matches |= tree::has_words(pid, text);
        let read = rollup::memory(&known.rollup);
        self.known.insert(pid, known);
        read
    }
}

/// The middle between an instant and now, seconds since 1970.
fn middle(begin: SystemTime) -> f64 {
    let since =
        |time: SystemTime| time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs_f64();
    f64::midpoint(since(begin), since(SystemTime::now()))
}
