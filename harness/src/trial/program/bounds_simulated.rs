//! A made-up tree whose union is known: pages with their holders, forks, exits, writes to shared pages. Its bounds must
//! hold at every sample, with a control group's count and without, and where a look is not of one instant.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::{Known, Mark, Point, Within, union};
use crate::trial::program::mapped::Mapped;
use crate::trial::program::tally::{Counted, Size, Tally};

/// One page; large, so that what is counted elsewhere does not hide everything.
const PAGE: u64 = 1 << 20;

#[derive(Clone, Copy, Debug)]
enum Step {
    Fork(usize),
    Exit(usize),
    Grow(usize, u8),
    Shrink(usize, u8),
    Write(usize, u8),
    Map(usize, u8),
    Unmap(usize, u8),
    Share(usize, u8),
    Sample,
    Look,
    /// Files are counted, and shared memory or not.
    Count(bool),
    /// A look that reads the processes one by one, and this between the first and the others.
    Torn(usize, u8, Tear),
}

/// What happens while a look is taken.
#[derive(Clone, Copy, Debug)]
enum Tear {
    Exit,
    Fork,
    Share,
    Grow,
}

#[derive(Clone, Default)]
struct Process {
    anon: BTreeSet<u32>,
    shared: BTreeSet<u32>,
    shmem: BTreeSet<u32>,
}

/// The tree, and the next page.
struct Tree {
    processes: BTreeMap<i32, Process>,
    next_pid: i32,
    next_page: u32,
}

impl Tree {
    fn new() -> Self {
        let first = Process { anon: (0..4).collect(), shared: (0..2).collect(), shmem: BTreeSet::new() };
        Self { processes: BTreeMap::from([(1, first)]), next_pid: 2, next_page: 4 }
    }

    fn pid(&self, which: usize) -> i32 {
        *self.processes.keys().nth(which % self.processes.len()).unwrap()
    }

    fn play(&mut self, step: Step) {
        match step {
            Step::Fork(which) if self.processes.len() < 8 => {
                let copy = self.processes[&self.pid(which)].clone();
                self.processes.insert(self.next_pid, copy);
                self.next_pid += 1;
            }
            Step::Exit(which) if self.processes.len() > 1 => drop(self.processes.remove(&self.pid(which))),
            Step::Grow(which, pages) => {
                let (pid, from) = (self.pid(which), self.next_page);
                self.next_page += u32::from(pages);
                self.processes.get_mut(&pid).unwrap().anon.extend(from..self.next_page);
            }
            Step::Shrink(which, pages) => {
                let pid = self.pid(which);
                let anon = &mut self.processes.get_mut(&pid).unwrap().anon;
                for _ in 0..pages {
                    anon.pop_last();
                }
            }
            // A copy on write: as large as before, but nobody else's.
            Step::Write(which, pages) => {
                let pid = self.pid(which);
                for _ in 0..pages {
                    let page = self.next_page;
                    let anon = &mut self.processes.get_mut(&pid).unwrap().anon;
                    if anon.pop_first().is_some() {
                        anon.insert(page);
                        self.next_page += 1;
                    }
                }
            }
            Step::Map(which, pages) => {
                let pid = self.pid(which);
                self.processes.get_mut(&pid).unwrap().shared.extend(0..u32::from(pages) * 3);
            }
            Step::Unmap(which, pages) => {
                let pid = self.pid(which);
                self.processes.get_mut(&pid).unwrap().shared.retain(|page| *page >= u32::from(pages));
            }
            Step::Share(which, pages) => {
                let pid = self.pid(which);
                self.processes.get_mut(&pid).unwrap().shmem.extend(0..u32::from(pages) * 4);
            }
            _ => {}
        }
    }

    fn sizes(&self) -> BTreeMap<i32, Size> {
        let size = |process: &Process| Size {
            anon: process.anon.len() as u64 * PAGE,
            file: process.shared.len() as u64 * PAGE,
            shmem: process.shmem.len() as u64 * PAGE,
            ..Size::default()
        };
        self.processes
            .iter()
            .map(|(pid, process)| (*pid, size(process)))
            .filter(|(_, size)| size.all() > 0)
            .collect()
    }

    fn truth(&self) -> [u64; 3] {
        let count = |pages: fn(&Process) -> &BTreeSet<u32>| {
            self.processes.values().flat_map(pages).collect::<BTreeSet<_>>().len() as u64 * PAGE
        };
        [count(|process| &process.anon), count(|process| &process.shared), count(|process| &process.shmem)]
    }

    /// What a control group counts: of files, pages from the third on; the others were in memory before.
    fn counted(&self) -> Counted {
        let [anon, _, shmem] = self.truth();
        let files: BTreeSet<_> = self.processes.values().flat_map(|process| &process.shared).collect();
        let own = files.into_iter().filter(|page| **page >= 3).count() as u64 * PAGE;
        Counted { anon, mapped: own + shmem, shmem: Some(shmem), slack: 0 }
    }

    /// The shares that one process has, by kind, in pages.
    fn shares(&self, pid: i32) -> [f64; 3] {
        let of = |pages: fn(&Process) -> &BTreeSet<u32>| {
            let Some(process) = self.processes.get(&pid) else { return 0.0 };
            let holders =
                |page| self.processes.values().filter(|other| pages(other).contains(page)).count() as f64;
            pages(process).iter().map(|page| 1.0 / holders(page)).sum()
        };
        [of(|process| &process.anon), of(|process| &process.shared), of(|process| &process.shmem)]
    }

    /// What some processes have mapped of files and of shared memory.
    fn mapped(&self, pids: &[i32]) -> BTreeSet<(bool, u32)> {
        let of = |pid: &i32| self.processes.get(pid);
        let pages = |process: &Process| {
            let shmem = process.shmem.iter().map(|page| (true, *page));
            process.shared.iter().map(|page| (false, *page)).chain(shmem).collect::<Vec<_>>()
        };
        pids.iter().filter_map(of).flat_map(pages).collect()
    }

    /// Reads the shares of all, and what they have mapped, and lets something happen after the first.
    fn torn(&mut self, which: usize, pages: u8, tear: Tear) -> ([u64; 3], u64) {
        let pids: Vec<i32> = self.processes.keys().copied().collect();
        let mut sums = self.shares(pids[0]);
        let mut mapped = self.mapped(&pids[..1]);
        match tear {
            Tear::Exit => self.play(Step::Exit(which)),
            Tear::Fork => self.play(Step::Fork(which)),
            Tear::Share => (0..8).for_each(|pid| self.play(Step::Share(pid, pages))),
            Tear::Grow => self.play(Step::Grow(which, pages)),
        }
        for pid in &pids[1..] {
            for (sum, share) in sums.iter_mut().zip(self.shares(*pid)) {
                *sum += share;
            }
        }
        mapped.extend(self.mapped(&pids[1..]));
        (sums.map(|pages| (pages * PAGE as f64).round() as u64), mapped.len() as u64 * PAGE)
    }
}

fn step() -> impl Strategy<Value = Step> {
    let (which, pages) = (0..8_usize, 0..6_u8);
    let tear = prop_oneof![Just(Tear::Exit), Just(Tear::Fork), Just(Tear::Share), Just(Tear::Grow)];
    prop_oneof![
        2 => which.clone().prop_map(Step::Fork),
        1 => which.clone().prop_map(Step::Exit),
        3 => (which.clone(), pages.clone()).prop_map(|(w, p)| Step::Grow(w, p)),
        2 => (which.clone(), pages.clone()).prop_map(|(w, p)| Step::Shrink(w, p)),
        2 => (which.clone(), pages.clone()).prop_map(|(w, p)| Step::Write(w, p)),
        2 => (which.clone(), pages.clone()).prop_map(|(w, p)| Step::Map(w, p)),
        2 => (which.clone(), pages.clone()).prop_map(|(w, p)| Step::Share(w, p)),
        1 => (which.clone(), pages.clone()).prop_map(|(w, p)| Step::Unmap(w, p)),
        1 => (which, pages, tear).prop_map(|(w, p, tear)| Step::Torn(w, p, tear)),
        1 => Just(Step::Look),
        1 => prop::bool::ANY.prop_map(Step::Count),
        1 => Just(Step::Sample),
    ]
}

/// Plays a tree; a sample after every step, and before what is no single instant.
fn played(steps: &[Step], grouped: bool) -> (Vec<Point>, Vec<Mark>, Vec<Mapped>, Vec<u64>) {
    let (mut tree, mut tally) = (Tree::new(), Tally::default());
    let (mut points, mut marks, mut counts, mut truths) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut at = 0.0;
    let mut sample = |tree: &Tree| {
        at += 1.0;
        let sizes = tree.sizes();
        let point = tally.sample(at, &sizes, grouped.then(|| tree.counted()));
        if !sizes.is_empty() {
            points.push(point);
            let largest = sizes.values().map(|size| size.all()).max().unwrap_or(0);
            truths.push(tree.truth().iter().sum::<u64>().max(largest));
        }
        point
    };
    for step in steps {
        let before = sample(&tree);
        let ([anon, file, shmem], shared) = match *step {
            Step::Torn(which, pages, tear) => tree.torn(which, pages, tear),
            step => {
                tree.play(step);
                let [anon, file, shmem] = tree.truth();
                ([anon, file, shmem], file + shmem)
            }
        };
        let after = sample(&tree);
        match step {
            Step::Torn(..) => {
                marks.push(Mark { before, after, anon, file, shmem });
                counts.push(Mapped { before, after, bytes: shared, whole: true });
            }
            Step::Count(whole) => {
                let bytes = if *whole { shared } else { tree.truth()[1] };
                counts.push(Mapped { before: after, after, bytes, whole: *whole });
            }
            Step::Look => marks.push(Mark { before: after, after, anon, file, shmem }),
            _ => {}
        }
    }
    (points, marks, counts, truths)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn the_union_lies_within_its_bounds_and_bounds_keep_their_order(
        steps in prop::collection::vec(step(), 1..60),
        grouped: bool,
    ) {
        let (points, marks, mapped, truths) = played(&steps, grouped);
        let known = Known { marks: &marks, mapped: &mapped };
        for ((point, within), truth) in points.iter().zip(union(&points, known)).zip(truths) {
            let Within { low, estimate, high } = within;
            prop_assert!(low <= truth && truth <= high, "{truth} is not in {within:?} at {point:?}, {known:?}");
            prop_assert!(low <= estimate && estimate <= high, "{within:?}");
            prop_assert!(high <= point.sum() && estimate >= point.largest, "{within:?} at {point:?}");
        }
    }
}
