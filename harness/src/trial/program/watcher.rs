//! What the watching thread does: a sample of `statm` of each process every 10 ms, a look at who came and went every
//! 20 ms, and exact looks where they tell most. Each costs CPU time, and all of it together stays within a
//! [`Budget`]: where it would not, it is done less often.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::bounds::{self, Known, Mark, Within};
use super::budget::Budget;
use super::exits::Handle;
use super::images::{Images, thread_cpu};
use super::look::{self, Look, Union};
use super::mapped::{self, Mapped};
use super::tally::{Point, Size, Tally};
use super::watch::{Fallen, Seen};
use crate::trial::group::Counter;
use crate::trial::memory_files::{self as files, Status};
use crate::trial::proc_file;
use crate::trial::readings;
use crate::trial::sampler::{MOST, thin};
use crate::trial::tree::{self, Member, Now};

/// Processes whose `status` is read as one looks who came and went.
const STATUSES: usize = 8;
/// Samples for which the number of processes must have stayed the same before an exact look.
const SETTLED: u32 = 2;
/// An exact look is worth its price where the bounds are further apart than this share of the figure.
const WORTH: f64 = 0.02;
/// How often a look at a border is taken again, as processes come and go there.
const TRIES: usize = 2;
/// How long a trial is young, and how often all are looked for then at least.
const YOUNG: Duration = Duration::from_millis(500);
const OF_THE_YOUNG: Duration = Duration::from_millis(50);
/// Most exact looks that are kept.
const MOST_MARKS: usize = 4096;

struct Followed {
    statm: File,
    handle: Option<Handle>,
    command: String,
    /// Whether its end by a signal is told already.
    fallen: bool,
    /// What its `status` said last.
    status: Status,
}

/// Watches the processes of one trial.
pub struct Watcher {
    launcher: i32,
    begin: Instant,
    /// This thread's CPU time as it began.
    cpu_at_first: Duration,
    seen: Arc<Mutex<Seen>>,
    known: BTreeMap<i32, Followed>,
    tally: Tally,
    /// What each held in the last sample.
    sizes: BTreeMap<i32, Size>,
    budget: Budget,
    /// The last sample, and how many in a row had as many processes.
    last: Point,
    settled: u32,
    mark: Option<Mark>,
    mapped: Option<Mapped>,
    /// Whether page tables of these processes can be read, as far as that was tried.
    countable: bool,
    rescan: Instant,
    /// When all are looked for where the control group has other processes than these.
    changes: Instant,
    pids: Vec<u8>,
    proof: Instant,
    /// Whose turn it is to have its `status` read.
    turn: i32,
    /// When a lone process is looked at next.
    alone: Duration,
    /// Whether pages of hugetlbfs may be in use.
    huge: bool,
    images: Images,
    /// What the trial's control group counts.
    counter: Option<Counter>,
}

/// The signal that ended a process which its parent has not reaped.
fn zombie(pid: i32) -> Option<i32> {
    let stat = proc_file::stat(pid)?;
    let signal = stat.exit_code? & 0x7f;
    (stat.state == 'Z' && signal != 0).then_some(signal)
}

/// What a process holds; `None` once it holds nothing.
fn size(statm: &File, status: &Status) -> Option<Size> {
    let mut text = [0u8; 256];
    let got = statm.read_at(&mut text, 0).ok()?;
    let (resident, shared) = files::statm(&text[..got], procfs::page_size())?;
    let (swap, huge) = (status.swap.unwrap_or(0), status.hugetlb.unwrap_or(0));
    // Only `status` tells files from shared memory. What comes after it was read is taken for the latter, where there is
    // any, as that is what grows.
    let file = match (status.shmem, status.file) {
        (Some(1..), Some(file)) => file.min(shared),
        _ => shared,
    };
    Some(Size { anon: resident - shared + swap, swap, file, shmem: shared - file + huge, huge })
}

impl Watcher {
    /// Begins to watch the processes below a launcher.
    pub fn new(
        launcher: i32,
        begin: Instant,
        images: Images,
        counter: Option<Counter>,
        seen: Arc<Mutex<Seen>>,
    ) -> Self {
        let now = Instant::now();
        Self {
            launcher,
            begin,
            cpu_at_first: thread_cpu(),
            seen,
            known: BTreeMap::new(),
            tally: Tally::default(),
            sizes: BTreeMap::new(),
            budget: Budget::begin(counter.is_some()),
            last: Point::default(),
            settled: 0,
            mark: None,
            mapped: None,
            countable: true,
            rescan: now,
            changes: now,
            pids: Vec::new(),
            proof: now,
            turn: 0,
            alone: Duration::ZERO,
            huge: readings::can_leave_resident().0,
            images,
            counter,
        }
    }

    fn seen<T>(&self, change: impl FnOnce(&mut Seen) -> T) -> T {
        change(&mut self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// One sample, and what else is due. Gives the time to wait.
    pub fn step(&mut self) -> Duration {
        let before = thread_cpu();
        let has_changed = self.has_changed();
        let glance = thread_cpu().saturating_sub(before);
        if has_changed || Instant::now() >= self.rescan {
            self.rescan();
        }
        let before = thread_cpu();
        if let Some(point) = self.sample() {
            self.keep(point);
        }
        self.budget.sampled(glance + thread_cpu().saturating_sub(before));
        if Instant::now() >= self.proof {
            self.prove();
        }
        if self.is_worth_counting() {
            self.count_mapped();
        }
        if self.is_worth_a_look() {
            self.look();
        }
        self.budget.between_samples()
    }

    /// Whether the trial's control group has other processes than when all were looked for last, and it is time to look again.
    fn has_changed(&self) -> bool {
        Instant::now() >= self.changes
            && self.counter.as_ref().and_then(Counter::pids).is_some_and(|pids| pids != self.pids)
    }

    /// Sees who came and went.
    pub fn rescan(&mut self) {
        let before = thread_cpu();
        self.pids = self.counter.as_ref().and_then(Counter::pids).unwrap_or_default();
        let all = tree::now_below(self.launcher);
        for Now { member, stat, .. } in &all {
            self.meet(member.pid, || Some(stat.comm.clone()));
        }
        let gone: Vec<i32> =
            self.known.keys().copied().filter(|pid| !all.iter().any(|now| now.member.pid == *pid)).collect();
        for pid in gone {
            let Some(known) = self.known.remove(&pid) else { continue };
            let signal = known.handle.and_then(|handle| handle.signal()).filter(|_| !known.fallen);
            self.fell(known.command, signal);
        }
        self.note_unreaped();
        self.images.rescan(&all);
        self.read_statuses();
        self.budget.used(tree::cpu(&all));
        let high_water = self.known.values().filter_map(|known| known.status.high_water).max().unwrap_or(0);
        let count = self.known.len() as u32;
        self.seen(|seen| {
            seen.most = seen.most.max(count);
            seen.high_water = seen.high_water.max(high_water);
        });
        let took = thread_cpu().saturating_sub(before);
        self.budget.rescanned(took);
        let now = Instant::now();
        // In its first moments a program becomes what it is: a launcher's copy, a loader, a shell, itself.
        let longest = if self.begin.elapsed() < YOUNG { OF_THE_YOUNG } else { Duration::MAX };
        self.rescan = now + self.budget.between_rescans().min(longest);
        self.changes = now + self.budget.between_changes(took);
    }

    /// Sees what each process runs, and what is in force there.
    fn prove(&mut self) {
        let before = thread_cpu();
        let looked = self.images.step(|pid| self.sizes.get(&pid).map(|size| size.anon));
        self.budget.proved(thread_cpu().saturating_sub(before + looked));
        self.proof = Instant::now() + self.budget.between_proofs();
    }

    fn meet_all(&mut self) -> Vec<Member> {
        let members = tree::below(self.launcher);
        for member in &members {
            self.meet(member.pid, || proc_file::stat(member.pid).map(|stat| stat.comm));
        }
        members
    }

    fn meet(&mut self, pid: i32, command: impl FnOnce() -> Option<String>) {
        if self.known.contains_key(&pid) {
            return;
        }
        let handle = Handle::open(pid);
        let command = command();
        let statm = File::open(format!("/proc/{pid}/statm"));
        if let (Ok(statm), Some(command)) = (statm, command) {
            let status = Status::default();
            self.known.insert(pid, Followed { statm, handle, command, fallen: false, status });
        }
    }

    /// What its parent has not reaped yet.
    fn note_unreaped(&mut self) {
        let holds_nothing = |known: &Followed| size(&known.statm, &known.status).is_none();
        let ended = self.known.iter_mut().filter(|(_, known)| !known.fallen && holds_nothing(known));
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
    }

    fn fell(&self, command: String, signal: Option<i32>) {
        if let Some(signal) = signal {
            self.seen(|seen| seen.fallen.push(Fallen { command, signal }));
        }
    }

    /// High-water mark and memory beyond resident sizes: of the new, and of the others in turn.
    fn read_statuses(&mut self) {
        let new = self.known.iter().filter(|(_, known)| known.status.high_water.is_none());
        let after = self.known.range(self.turn..).chain(self.known.range(..self.turn));
        let mut pids: Vec<i32> = new.map(|(pid, _)| *pid).take(STATUSES * 4).collect();
        for pid in after.map(|(pid, _)| *pid).take(STATUSES) {
            self.turn = pid + 1;
            pids.push(pid);
        }
        for pid in pids {
            self.read_status(pid);
        }
    }

    fn read_status(&mut self, pid: i32) {
        let Some((known, status)) = self.known.get_mut(&pid).zip(readings::status(pid)) else { return };
        // A process that is ending has no figures any more; the last ones stay.
        if status.high_water.is_some() {
            known.status = status;
        }
    }

    /// Sizes of all processes now; `None` where none holds anything.
    fn sample(&mut self) -> Option<Point> {
        if self.huge {
            for pid in self.known.keys().copied().collect::<Vec<_>>() {
                self.read_status(pid);
            }
        }
        let size = |(pid, known): (&i32, &Followed)| Some((*pid, size(&known.statm, &known.status)?));
        let sizes: BTreeMap<i32, Size> =
            self.known.iter().filter_map(size).filter(|(_, size)| size.all() > 0).collect();
        if sizes.is_empty() {
            return None;
        }
        // Of one process alone all is known.
        let counted = self.counter.as_ref().filter(|_| sizes.len() > 1).and_then(Counter::read);
        let point = self.tally.sample(self.begin.elapsed().as_secs_f64(), &sizes, counted);
        self.sizes = sizes;
        let missed = self.missed();
        self.seen(|seen| seen.missed = seen.missed.max(missed));
        self.settled = if point.count == self.last.count { self.settled + 1 } else { 0 };
        self.last = point;
        Some(point)
    }

    /// By how much the high-water marks of the processes surpass all samples of them.
    fn missed(&self) -> u64 {
        let missed = |(pid, known): (&i32, &Followed)| {
            let most = self.tally.most_of(*pid);
            known.status.high_water.filter(|_| most > 0).map_or(0, |mark| mark.saturating_sub(most))
        };
        self.known.iter().map(missed).sum()
    }

    fn keep(&mut self, point: Point) {
        let full = self.seen(|seen| {
            seen.points.push(point);
            let full = seen.points.len() >= MOST;
            if full {
                thin(&mut seen.points);
            }
            full
        });
        if full {
            self.budget.sample_less_often();
        }
    }

    /// What is known of this moment where it is not known closely enough; `None` where the tree is just changing, too.
    fn wide(&self) -> Option<Within> {
        let point = &self.last;
        if point.count < 2 || self.settled < SETTLED {
            return None;
        }
        let now = bounds::now(point, Known { marks: self.mark.as_slice(), mapped: self.mapped.as_slice() });
        // By what a control group's count is behind here and at the mark, of two kinds: a look makes that no better.
        let behind = 6 * point.group.map_or(0, |counted| counted.slack);
        ((now.high - now.low) as f64 > WORTH * now.estimate as f64 + behind as f64).then_some(now)
    }

    /// Whether the tree is more than twice of what it was at an earlier point.
    fn has_doubled(&self, since: Option<&Point>) -> bool {
        since.is_none_or(|then| self.last.count > 2 * then.count || self.last.sum() > 2 * then.sum())
    }

    /// Whether pages of files and shared memory are worth counting again, and that is paid for.
    fn is_worth_counting(&self) -> bool {
        let Some(now) = self.wide() else { return false };
        let last = self.mapped.as_ref();
        let gained = last.map_or(u64::MAX, |mapped| bounds::gained_since(mapped, &self.last));
        self.countable
            && gained as f64 > WORTH * now.estimate as f64
            && self
                .budget
                .affords_counting(self.last.count, self.has_doubled(last.map(|mapped| &mapped.after)))
    }

    /// Counts the pages of files and shared memory.
    fn count_mapped(&mut self) {
        let start = thread_cpu();
        let Some(before) = self.sample() else { return };
        // A control group counts the shared memory.
        let counted = mapped::bytes(self.known.keys().copied(), before.group.is_none());
        self.countable = counted.is_some();
        if let Some(((bytes, whole), after)) = counted.zip(self.sample()) {
            let mapped = Mapped { before, after, bytes, whole };
            self.mapped = Some(mapped);
            self.keep(after);
            self.seen(|seen| {
                if seen.mapped.len() < MOST_MARKS {
                    seen.mapped.push(mapped);
                }
            });
        }
        self.budget.counted(thread_cpu().saturating_sub(start), before.count);
    }

    /// Whether an exact look tells enough more than is known, and is paid for.
    fn is_worth_a_look(&self) -> bool {
        let point = &self.last;
        let pages = point.sum() / procfs::page_size();
        if point.count == 1 {
            // Nothing is shared: its row is all that is wanted.
            let settled = self.settled >= SETTLED && self.begin.elapsed() >= self.alone;
            return settled && self.budget.affords(pages, 1, false);
        }
        let owed = self.has_doubled(self.mark.as_ref().map(|mark| &mark.after));
        self.wide().is_some() && self.budget.affords(pages, point.count, owed)
    }

    /// Looks exactly at a border, whatever it costs: again, where too much came and went meanwhile.
    pub fn look_at_border(&mut self) -> Look {
        let mut look = self.look();
        for _ in 0..TRIES {
            if look.moved as f64 <= WORTH * look.all() as f64 {
                break;
            }
            look = self.look();
        }
        look
    }

    /// Looks exactly.
    fn look(&mut self) -> Look {
        let (start, before) = (Instant::now(), thread_cpu());
        let members = self.meet_all();
        let first = self.sample();
        let at_s = self.begin.elapsed().as_secs_f64();
        let rows = look::rows(self.launcher, &members);
        // What was started meanwhile has taken its share of what was read.
        self.meet_all();
        let second = self.sample();
        let mut moved = 0;
        if let Some((before, after)) = first.zip(second) {
            moved = after.moved_since(&before).iter().sum();
            let mark = |Union { anon, file, shmem }| Mark { before, after, anon, file, shmem };
            self.mark = look::union(&rows).map(mark).or(self.mark);
            self.keep(after);
        }
        let pages = self.last.sum() / procfs::page_size();
        self.budget.looked(thread_cpu().saturating_sub(before), pages, self.last.count);
        // A lone process is looked at when as much time again has passed.
        self.alone = self.begin.elapsed() * 2;
        let mark = self.mark;
        let look = Look { at_s, rows, moved, took_s: start.elapsed().as_secs_f64() };
        self.seen(|seen| {
            seen.looking_s += look.took_s;
            let new = mark.filter(|mark| seen.marks.last() != Some(mark) && seen.marks.len() < MOST_MARKS);
            seen.marks.extend(new);
            if !look.rows.is_empty() {
                seen.look = Some(look.clone());
            }
        });
        look
    }

    /// Says what watching has cost.
    pub fn finish(&mut self) {
        let cpu_s = thread_cpu().saturating_sub(self.cpu_at_first).as_secs_f64();
        self.seen(|seen| seen.cpu_s = cpu_s);
    }
}
