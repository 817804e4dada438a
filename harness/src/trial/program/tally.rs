//! Adds up what `statm` says of each process, a sample at a time, and keeps of each sample only what bounds are
//! made from. Pure.
//!
//! Memory of several processes is the union of their pages. Sizes of single processes tell how it can have changed
//! since it was last read: what a process gained is at most so much more of the union, what it lost, or took away as it
//! ended, at most so much less. Private memory (`resident - shared` of `statm`: anonymous pages) tells more: a page of
//! it that an existing process gains is always a new one.

use std::collections::BTreeMap;

/// What one process holds at one instant, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    /// Anonymous pages, resident or swapped out.
    pub anon: u64,
    /// Of those, what was swapped out.
    pub swap: u64,
    /// Pages of files.
    pub file: u64,
    /// Pages of shared memory and of hugetlbfs.
    pub shmem: u64,
    /// Of those, what is in hugetlbfs.
    pub huge: u64,
}

impl Size {
    /// All of it.
    pub const fn all(self) -> u64 {
        self.anon + self.file + self.shmem
    }
}

/// One kind of pages that processes share by mapping the same thing: sums over the processes, and counters that only make
/// sense as differences between two points.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Pages {
    /// Counted for each process.
    pub sum: u64,
    /// The most of one process.
    pub most: u64,
    /// What the living ever gained, their first included.
    pub gained: u64,
    /// The same of those that have ended, added up.
    pub dead_gained: u64,
    /// What was lost by any process, at its end all of it, added up.
    pub lost: u64,
}

impl Pages {
    /// All that was gained or lost so far.
    const fn turned_over(&self) -> u64 {
        self.gained + self.dead_gained + self.lost
    }
}

/// What a control group has counted of a tree at one instant, bytes: each page once.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Counted {
    /// Resident anonymous pages.
    pub anon: u64,
    /// Pages of files and of shared memory that somebody has mapped, as far as the group brought them into memory.
    pub mapped: u64,
    /// Pages of shared memory that the group brought into memory, mapped or not; `None` where its kernel does not tell.
    pub shmem: Option<u64>,
    /// By how much each may be off, as the kernel adds up the counts of its CPUs now and then.
    pub slack: u64,
}

/// What is kept of a sample: sums over the processes, and counters that only make sense as differences between two
/// points.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Point {
    /// Seconds since the trial was started.
    pub at_s: f64,
    /// Processes that held memory.
    pub count: u32,
    /// Anonymous memory of all processes: what a forked child still shares counts for each.
    pub anon: u64,
    /// Of it, what was swapped out.
    pub swap: u64,
    /// What all processes have in hugetlbfs.
    pub huge: u64,
    /// All memory of the largest process.
    pub largest: u64,
    /// Anonymous memory that each of the living never fell below since it was first seen, summed: a forked child may
    /// share it with its parent.
    pub base: u64,
    /// What went of such bases, as processes ended or fell below, added up.
    pub shed: u64,
    /// Anonymous memory that came or went, of any process, added up.
    pub anon_moved: u64,
    /// Pages of files.
    pub file: Pages,
    /// Pages of shared memory and of hugetlbfs.
    pub shmem: Pages,
    /// What the trial's control group had counted, where it has one.
    pub group: Option<Counted>,
}

impl Point {
    /// Sum of the resident sizes of all processes.
    pub const fn sum(&self) -> u64 {
        self.anon + self.shared()
    }

    /// Memory of all processes that is not anonymous, counted for each.
    pub const fn shared(&self) -> u64 {
        self.file.sum + self.shmem.sum
    }

    /// Anonymous memory beyond the bases: pages that are new since their process was first seen, and nobody else's.
    pub const fn own(&self) -> u64 {
        self.anon - self.base
    }

    /// What came and went since an earlier point: anonymous, of files, and in shared memory.
    pub fn moved_since(&self, before: &Self) -> [u64; 3] {
        let turned = |now: &Pages, then: &Pages| now.turned_over().saturating_sub(then.turned_over());
        // A page that is written to after a fork changes no size; the group counts its copy.
        let copied = match (self.group, before.group) {
            (Some(now), Some(then)) => now.anon.abs_diff(then.anon),
            _ => 0,
        };
        let anon = self.anon_moved.saturating_sub(before.anon_moved).max(copied);
        [anon, turned(&self.file, &before.file), turned(&self.shmem, &before.shmem)]
    }
}

#[derive(Clone, Copy, Default)]
struct Life {
    /// The least anonymous memory so far.
    base: u64,
    now: Size,
    gained_file: u64,
    gained_shmem: u64,
    /// The largest that was sampled.
    most: u64,
}

/// Adds up samples.
#[derive(Default)]
pub struct Tally {
    lives: BTreeMap<i32, Life>,
    shed: u64,
    anon_moved: u64,
    /// `dead_gained` and `lost` of files and of shared memory.
    file: (u64, u64),
    shmem: (u64, u64),
}

impl Tally {
    /// Takes a sample of all processes that hold memory. Those that are missing have ended.
    pub fn sample(&mut self, at_s: f64, sizes: &BTreeMap<i32, Size>, group: Option<Counted>) -> Point {
        let ended: Vec<i32> = self.lives.keys().filter(|pid| !sizes.contains_key(pid)).copied().collect();
        for pid in ended {
            self.end(pid);
        }
        for (pid, size) in sizes {
            self.go_on(*pid, *size);
        }
        let sum = |figure: fn(&Life) -> u64| self.lives.values().map(figure).sum::<u64>();
        let most = |figure: fn(&Life) -> u64| self.lives.values().map(figure).max().unwrap_or(0);
        let pages = |now: fn(&Life) -> u64, gained: fn(&Life) -> u64, (dead_gained, lost): (u64, u64)| {
            Pages { sum: sum(now), most: most(now), gained: sum(gained), dead_gained, lost }
        };
        Point {
            at_s,
            count: self.lives.len() as u32,
            anon: sum(|life| life.now.anon),
            swap: sum(|life| life.now.swap),
            huge: sum(|life| life.now.huge),
            largest: most(|life| life.now.all()),
            base: sum(|life| life.base),
            shed: self.shed,
            anon_moved: self.anon_moved,
            file: pages(|life| life.now.file, |life| life.gained_file, self.file),
            shmem: pages(|life| life.now.shmem, |life| life.gained_shmem, self.shmem),
            group,
        }
    }

    /// The largest size of a process in any sample; 0 where it is not known.
    pub fn most_of(&self, pid: i32) -> u64 {
        self.lives.get(&pid).map_or(0, |life| life.most)
    }

    fn go_on(&mut self, pid: i32, size: Size) {
        let life = self.lives.entry(pid).or_insert(Life { base: size.anon, ..Life::default() });
        // What was taken for files and turns out to be shared memory was that all the time.
        let told = life.now.file.saturating_sub(size.file).min(size.shmem.saturating_sub(life.now.shmem));
        (life.now.file, life.now.shmem) = (life.now.file - told, life.now.shmem + told);
        life.gained_file = life.gained_file.saturating_sub(told);
        life.gained_shmem += told;
        self.shed += life.base.saturating_sub(size.anon);
        self.anon_moved += life.now.anon.abs_diff(size.anon);
        life.base = life.base.min(size.anon);
        life.gained_file += size.file.saturating_sub(life.now.file);
        life.gained_shmem += size.shmem.saturating_sub(life.now.shmem);
        self.file.1 += life.now.file.saturating_sub(size.file);
        self.shmem.1 += life.now.shmem.saturating_sub(size.shmem);
        life.most = life.most.max(size.all());
        life.now = size;
    }

    fn end(&mut self, pid: i32) {
        let Some(life) = self.lives.remove(&pid) else { return };
        self.shed += life.base;
        self.anon_moved += life.now.anon;
        self.file = (self.file.0 + life.gained_file, self.file.1 + life.now.file);
        self.shmem = (self.shmem.0 + life.gained_shmem, self.shmem.1 + life.now.shmem);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sizes(all: &[(i32, u64, u64)]) -> BTreeMap<i32, Size> {
        let size = |anon, file| Size { anon, file, ..Size::default() };
        all.iter().map(|(pid, anon, file)| (*pid, size(*anon, *file))).collect()
    }

    #[test]
    fn gains_and_losses_add_up_and_the_dead_take_theirs_along() {
        let mut tally = Tally::default();
        let first = tally.sample(0.0, &sizes(&[(1, 50, 8)]), None);
        assert_eq!((first.count, first.sum(), first.own()), (1, 58, 0));
        assert_eq!((first.file.gained, first.file.lost), (8, 0));
        // A child that shares the 50, and adds 10.
        let forked = tally.sample(0.1, &sizes(&[(1, 50, 8), (2, 50, 8)]), None);
        assert_eq!(forked.moved_since(&first), [50, 8, 0]);
        let grown = tally.sample(0.2, &sizes(&[(1, 50, 7), (2, 60, 20)]), None);
        assert_eq!((grown.own(), grown.base, grown.file.gained, grown.file.lost), (10, 100, 28, 1));
        assert_eq!((grown.largest, grown.file.most, grown.anon), (80, 20, 110));
        assert_eq!(grown.moved_since(&forked), [10, 13, 0]);
        assert_eq!(tally.most_of(2), 80);
        let alone = tally.sample(0.3, &sizes(&[(1, 50, 7)]), None);
        assert_eq!((alone.own(), alone.base, alone.shed), (0, 50, 50));
        assert_eq!((alone.file.gained, alone.file.dead_gained, alone.file.lost), (8, 20, 21));
        assert_eq!(alone.moved_since(&grown), [60, 20, 0]);
    }

    #[test]
    fn what_turns_out_to_be_shared_memory_was_no_file() {
        let mut tally = Tally::default();
        let first = tally.sample(0.0, &sizes(&[(1, 5, 8)]), None);
        let told = Size { anon: 5, file: 2, shmem: 7, ..Size::default() };
        let second = tally.sample(0.1, &BTreeMap::from([(1, told)]), None);
        assert_eq!((second.file.gained, second.file.lost, second.shmem.gained), (2, 0, 7));
        assert_eq!(second.moved_since(&first)[1], 0);
    }

    #[test]
    fn a_copy_on_write_moves_what_the_group_counts() {
        let mut tally = Tally::default();
        let counted = |anon| Some(Counted { anon, ..Counted::default() });
        let before = tally.sample(0.0, &sizes(&[(1, 50, 8), (2, 50, 8)]), counted(50));
        let after = tally.sample(0.1, &sizes(&[(1, 50, 8), (2, 50, 8)]), counted(70));
        assert_eq!(after.moved_since(&before), [20, 0, 0]);
    }
}
