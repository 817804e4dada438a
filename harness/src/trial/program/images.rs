//! Who did the work of a trial, and what is proven of each. Shared by the thread that watches and the one that leads
//! the trial.
//!
//! Each [`Image`] is looked at soon after it appears, at doubling times until the look tells all, and then again as it
//! grows older, as a program may set its malloc at any time. Looks take at most one part in [`SHARE`] of the CPU time that
//! the trial uses.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::image::{Image, Mark};
use super::served::Elves;
use super::sight::Sight;
use super::sighting::{self, anonymous};
use crate::trial::tree::{Now, cpu_s};

/// How much longer a look takes where this program is not optimised: as many are taken.
const UNOPTIMISED: f64 = if cfg!(debug_assertions) { 8.0 } else { 1.0 };
/// Looks take at most one part in so many of the trial's CPU time.
const SHARE: f64 = 600.0 / UNOPTIMISED;
/// So much may be used for looks at once, seconds: the first ones come when little time has passed.
const AT_ONCE_S: f64 = 0.003 * UNOPTIMISED;
/// The most CPU time for looks at all processes at a border of a service's trial.
const AT_A_BORDER: Duration = Duration::from_millis(4);
/// So many of the largest are looked at there in any case; of the others those that told not all, or have worked since.
const ALWAYS: usize = 2;
/// When an image that told nothing is looked at again first, seconds.
const AGAIN_S: f64 = 0.002;
/// How much older an image is when it is looked at again.
const OLDER: f64 = 1.25;
/// An image that has used this share of all CPU time is looked at so often, and whenever it has used half as much again,
/// until looks have cost so many times their share; more where only a few have. Where only a few are there, each works.
const WORKS: f64 = 0.05;
const FIRST_LOOKS: u32 = 4;
const FEW: usize = 4;
const WANTED: f64 = 1.5;
const WANTED_OF_FEW: f64 = 3.0;
/// The least time to that, seconds.
const LATER_S: f64 = 0.05;
/// Most images that are kept.
const MOST: usize = 8192;
/// An image is confirmed when it has used one part in so many of all CPU time since.
const CONFIRM: f64 = 30.0;

struct State {
    begin: Instant,
    elves: Elves,
    heaps: bool,
    images: Vec<Image>,
    live: BTreeMap<i32, usize>,
    strangers: BTreeSet<String>,
    /// The largest anonymous memory of all together, bytes.
    peak: u64,
    looking: Duration,
    /// When those who are there are followed again: how long that takes grows with their number.
    follow_s: f64,
}

/// A handle on what is proven of a trial's processes.
#[derive(Clone)]
pub struct Images(Arc<Mutex<State>>);

impl Default for Images {
    fn default() -> Self {
        Self::new(Elves::default(), Instant::now(), false)
    }
}

impl Images {
    /// Nothing is proven yet. `heaps` for looks at glibc's heap as well, which no library in front of it needs.
    pub fn new(elves: Elves, begin: Instant, heaps: bool) -> Self {
        Self(Arc::new(Mutex::new(State {
            begin,
            elves,
            heaps,
            images: Vec::new(),
            live: BTreeMap::new(),
            strangers: BTreeSet::new(),
            peak: 0,
            looking: Duration::ZERO,
            follow_s: 0.0,
        })))
    }

    fn with<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes note of who is there.
    pub fn rescan(&self, all: &[Now]) {
        self.with(|state| {
            state.bury(all);
            for Now { member, used_s, stat } in all {
                state.confirm(member.pid, Some(member.parent), *used_s, Mark::of(stat));
            }
            state.note_strangers();
        });
    }

    /// Does what is due between two rescans; `anonymous` is what each has of memory of its own. Gives the CPU time that looks took, which have a bound of their own.
    pub fn step(&self, anonymous: impl Fn(i32) -> Option<u64>) -> Duration {
        self.with(|state| {
            if state.now_s() >= state.follow_s {
                let before = thread_cpu();
                state.follow();
                state.weigh(anonymous);
                let took = thread_cpu().saturating_sub(before);
                state.follow_s = state.now_s() + took.as_secs_f64() * SHARE;
            }
            state.look_at_due()
        })
    }

    /// Looks now at those who are there, first at the largest.
    pub fn look(&self) {
        self.with(|state| {
            state.weigh(anonymous);
            let mut live: Vec<usize> = state.live.values().copied().collect();
            live.sort_by_key(|index| std::cmp::Reverse(state.images[*index].at_peak));
            let until = state.looking + AT_A_BORDER;
            for (place, index) in live.into_iter().enumerate() {
                let wants = place < ALWAYS || state.images[index].is_due(f64::INFINITY, OLDER);
                if wants && state.looking < until {
                    state.look_at(index);
                }
            }
        });
    }

    /// Ends what is left, once the trial is over.
    pub fn finish(&self) {
        self.with(|state| state.bury(&[]));
    }

    /// All images that were seen, in order of appearance. A copy that nobody looked at has what its origin has, though that
    /// was looked at later: a child between its fork and its exec is the same program with the same memory.
    pub fn all(&self) -> Vec<Image> {
        let mut images = self.with(|state| state.images.clone());
        for index in 0..images.len() {
            let image = &images[index];
            let origin = image.origin.filter(|_| image.sight.is_none() && image.blind.is_none());
            if let Some(sight) = origin.and_then(|origin| images[origin].sight.clone()) {
                images[index].sight = Some(Sight { used_s: 0.0, ..sight });
            }
        }
        images
    }

    /// Processes that ran on the host's C library, though the program was started on another, by name.
    pub fn strangers(&self) -> BTreeSet<String> {
        self.with(|state| state.strangers.clone())
    }
}

impl State {
    fn now_s(&self) -> f64 {
        self.begin.elapsed().as_secs_f64()
    }

    /// Ends those that are gone.
    fn bury(&mut self, all: &[Now]) {
        let gone: Vec<i32> =
            self.live.keys().copied().filter(|pid| !all.iter().any(|now| now.member.pid == *pid)).collect();
        for pid in gone {
            self.end(pid);
        }
    }

    fn end(&mut self, pid: i32) {
        let now_s = self.now_s();
        if let Some(image) = self.live.remove(&pid).and_then(|index| self.images.get_mut(index)) {
            image.over = true;
            image.gap_s = now_s - image.last_s;
        }
    }

    /// Sees which image a process is now, and that what it used is that image's.
    fn confirm(&mut self, pid: i32, parent: Option<i32>, used_s: f64, mark: Option<(Mark, String)>) {
        let Some((mark, command)) = mark else { return self.end(pid) };
        let now_s = self.now_s();
        let known = self.live.get(&pid).copied();
        let before = known.and_then(|index| self.images.get_mut(index));
        let same_process = before.as_ref().is_some_and(|image| image.mark.started == mark.started);
        match before {
            Some(image) if image.mark == mark => {
                (image.until_s, image.last_s, image.command) = (used_s.max(image.until_s), now_s, command);
                return;
            }
            _ => self.end(pid),
        }
        if self.images.len() >= MOST {
            return;
        }
        // What was used since the image before was last seen may be of either: it counts for none.
        let mut image = Image::new(pid, command, mark, now_s, if same_process { used_s } else { 0.0 });
        image.until_s = used_s;
        let of_parent = parent.and_then(|parent| self.live.get(&parent)).copied();
        // A copy has what its origin had, until it is looked at itself.
        image.origin = of_parent.filter(|index| self.images[*index].mark.is_copy_of(&image.mark));
        let origin = image.origin.map(|index| &self.images[index]);
        image.sight =
            origin.and_then(|origin| origin.sight.clone()).map(|sight| Sight { used_s: 0.0, ..sight });
        self.live.insert(pid, self.images.len());
        self.images.push(image);
    }

    /// Confirms those that have used much since they were confirmed last.
    fn follow(&mut self) {
        let total_s: f64 = self.images.iter().map(Image::cpu_s).sum();
        let much_s = (total_s / CONFIRM).max(0.001);
        let since = |(pid, index): (&i32, &usize)| match cpu_s(*pid) {
            Some(used_s) if used_s - self.images[*index].until_s < much_s => None,
            _ => Some(*pid),
        };
        let due: Vec<i32> = self.live.iter().filter_map(since).collect();
        for pid in due {
            let used_s = cpu_s(pid).unwrap_or(0.0);
            self.confirm(pid, None, used_s, Mark::read(pid));
        }
    }

    fn note_strangers(&mut self) {
        let strangers = self.live.iter().filter(|(pid, _)| self.elves.is_stranger(**pid));
        let names: Vec<String> = strangers.map(|(_, index)| self.images[*index].command.clone()).collect();
        self.strangers.extend(names);
    }

    /// Takes note of how much memory each has of its own.
    fn weigh(&mut self, anonymous: impl Fn(i32) -> Option<u64>) {
        let sizes: Vec<(usize, u64)> =
            self.live.iter().filter_map(|(pid, index)| Some((*index, anonymous(*pid)?))).collect();
        let all: u64 = sizes.iter().map(|(_, size)| size).sum();
        let largest = all > self.peak;
        if largest {
            self.peak = all;
            self.images.iter_mut().for_each(|image| image.at_peak = 0);
        }
        for (index, size) in sizes {
            let image = &mut self.images[index];
            image.peak = image.peak.max(size);
            if largest {
                image.at_peak = size;
            }
        }
    }

    /// Looks at those who are due, first at those who have used most. Gives the CPU time that looks took.
    fn look_at_due(&mut self) -> Duration {
        let (before, now_s) = (self.looking, self.now_s());
        let used_s: f64 = self.images.iter().map(Image::cpu_s).sum();
        let is_due = |index: &usize| self.images[*index].is_due(now_s, OLDER);
        let mut due: Vec<usize> = self.live.values().copied().filter(is_due).collect();
        let order = |index: &usize| (self.images[*index].is_conclusive(), -self.images[*index].cpu_s());
        due.sort_by(|a, b| order(a).partial_cmp(&order(b)).unwrap_or(std::cmp::Ordering::Equal));
        let workers =
            self.live.values().filter(|index| self.images[**index].cpu_s() > used_s * WORKS).count();
        let few = workers <= FEW;
        for index in due {
            let image = &self.images[index];
            // One of a few may sleep through its life, and is the program all the same.
            let works = image.cpu_s() > used_s * WORKS || self.live.len() <= FEW;
            let is_young = image.looks < FIRST_LOOKS && !image.is_conclusive();
            let spent_s = self.looking.as_secs_f64();
            let is_spent = |times: f64| spent_s > (AT_ONCE_S + used_s / SHARE) * times;
            let is_wanted = works && (is_young || image.is_behind());
            if !is_spent(1.0) || (is_wanted && !is_spent(if few { WANTED_OF_FEW } else { WANTED })) {
                self.look_at(index);
            }
        }
        self.looking.saturating_sub(before)
    }

    /// Looks at an image, and sees that it was this one throughout.
    fn look_at(&mut self, index: usize) {
        let before = thread_cpu();
        let image = &self.images[index];
        let looked = sighting::look(image, &mut self.elves, self.heaps);
        self.looking += thread_cpu().saturating_sub(before);
        let now_s = self.now_s();
        let image = &mut self.images[index];
        match looked {
            Ok(sight) => image.take(sight),
            Err(Some(why)) if image.sight.is_none() => image.blind = Some(why),
            Err(_) => {}
        }
        image.looks += 1;
        let age = now_s - image.first_s;
        image.due_s =
            now_s + if image.is_conclusive() { LATER_S.max(age * (OLDER - 1.0)) } else { AGAIN_S.max(age) };
    }
}

/// CPU time of this thread: what looking costs, also on a host that is busy with other things.
pub fn thread_cpu() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec as u32)
}
