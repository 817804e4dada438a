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
    /// Pages of files, of shared memory and of hugetlbfs.
    pub shared: u64,
}

impl Size {
    /// All of it.
    pub const fn all(self) -> u64 {
        self.anon + self.shared
    }
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
    /// Shared memory of all processes, counted for each.
    pub shared: u64,
    /// All memory of the largest process.
    pub largest: u64,
    /// The most shared memory of one process.
    pub most_shared: u64,
    /// Anonymous memory that each of the living never fell below since it was first seen, summed: a forked child may
    /// share it with its parent.
    pub base: u64,
    /// What went of such bases, as processes ended or fell below, added up.
    pub shed: u64,
    /// Shared memory that the living ever gained, their first included.
    pub gained: u64,
    /// The same of those that have ended, added up.
    pub dead_gained: u64,
    /// Shared memory that was lost by any process, at its end all of it, added up.
    pub lost: u64,
}

impl Point {
    /// Sum of the resident sizes of all processes.
    pub const fn sum(&self) -> u64 {
        self.anon + self.shared
    }

    /// Anonymous memory beyond the bases: pages that are new since their process was first seen, and nobody else's.
    pub const fn own(&self) -> u64 {
        self.anon - self.base
    }
}

#[derive(Clone, Copy, Default)]
struct Life {
    /// The least anonymous memory so far.
    base: u64,
    now: Size,
    gained: u64,
    /// The largest that was sampled.
    most: u64,
}

/// Adds up samples.
#[derive(Default)]
pub struct Tally {
    lives: BTreeMap<i32, Life>,
    shed: u64,
    dead_gained: u64,
    lost: u64,
}

impl Tally {
    /// Takes a sample of all processes that hold memory. Those that are missing have ended.
    pub fn sample(&mut self, at_s: f64, sizes: &BTreeMap<i32, Size>) -> Point {
        let ended: Vec<i32> = self.lives.keys().filter(|pid| !sizes.contains_key(pid)).copied().collect();
        for pid in ended {
            self.end(pid);
        }
        for (pid, size) in sizes {
            self.go_on(*pid, *size);
        }
        let sum = |figure: fn(&Life) -> u64| self.lives.values().map(figure).sum::<u64>();
        let most = |figure: fn(&Life) -> u64| self.lives.values().map(figure).max().unwrap_or(0);
        Point {
            at_s,
            count: self.lives.len() as u32,
            anon: sum(|life| life.now.anon),
            shared: sum(|life| life.now.shared),
            largest: most(|life| life.now.all()),
            most_shared: most(|life| life.now.shared),
            base: sum(|life| life.base),
            shed: self.shed,
            gained: sum(|life| life.gained),
            dead_gained: self.dead_gained,
            lost: self.lost,
        }
    }

    /// The largest size of a process in any sample; 0 where it is not known.
    pub fn most_of(&self, pid: i32) -> u64 {
        self.lives.get(&pid).map_or(0, |life| life.most)
    }

    fn go_on(&mut self, pid: i32, size: Size) {
        let life = self.lives.entry(pid).or_insert(Life { base: size.anon, ..Life::default() });
        self.shed += life.base.saturating_sub(size.anon);
        life.base = life.base.min(size.anon);
        life.gained += size.shared.saturating_sub(life.now.shared);
        self.lost += life.now.shared.saturating_sub(size.shared);
        life.most = life.most.max(size.all());
        life.now = size;
    }

    fn end(&mut self, pid: i32) {
        let Some(life) = self.lives.remove(&pid) else { return };
        self.shed += life.base;
        self.dead_gained += life.gained;
        self.lost += life.now.shared;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sizes(all: &[(i32, u64, u64)]) -> BTreeMap<i32, Size> {
        all.iter().map(|(pid, anon, shared)| (*pid, Size { anon: *anon, shared: *shared })).collect()
    }

    #[test]
    fn gains_and_losses_add_up_and_the_dead_take_theirs_along() {
        let mut tally = Tally::default();
        let first = tally.sample(0.0, &sizes(&[(1, 50, 8)]));
        assert_eq!((first.count, first.sum(), first.own(), first.gained, first.lost), (1, 58, 0, 8, 0));
        // A child that shares the 50, and adds 10.
        tally.sample(0.1, &sizes(&[(1, 50, 8), (2, 50, 8)]));
        let grown = tally.sample(0.2, &sizes(&[(1, 50, 7), (2, 60, 20)]));
        assert_eq!((grown.own(), grown.base, grown.gained, grown.lost), (10, 100, 28, 1));
        assert_eq!((grown.largest, grown.most_shared, grown.anon), (80, 20, 110));
        assert_eq!(tally.most_of(2), 80);
        let alone = tally.sample(0.3, &sizes(&[(1, 50, 7)]));
        assert_eq!((alone.own(), alone.base, alone.shed), (0, 50, 50));
        assert_eq!((alone.gained, alone.dead_gained, alone.lost), (8, 20, 21));
    }
}
