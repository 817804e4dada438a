//! A made-up tree whose union is known: pages with their holders, forks, exits, writes to shared pages. Its bounds must
//! hold at every sample.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::{Mark, Point, Within, union};
use crate::trial::program::tally::{Size, Tally};

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
    Sample,
    Look,
}

#[derive(Clone, Default)]
struct Process {
    anon: BTreeSet<u32>,
    shared: BTreeSet<u32>,
}

/// The tree, and the next page.
struct Tree {
    processes: BTreeMap<i32, Process>,
    next_pid: i32,
    next_page: u32,
}

impl Tree {
    fn new() -> Self {
        let first = Process { anon: (0..4).collect(), shared: (0..2).collect() };
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
            _ => {}
        }
    }

    fn sizes(&self) -> BTreeMap<i32, Size> {
        let size = |process: &Process| Size {
            anon: process.anon.len() as u64 * PAGE,
            shared: process.shared.len() as u64 * PAGE,
        };
        self.processes
            .iter()
            .map(|(pid, process)| (*pid, size(process)))
            .filter(|(_, size)| size.all() > 0)
            .collect()
    }

    fn truth(&self) -> (u64, u64) {
        let count = |pages: fn(&Process) -> &BTreeSet<u32>| {
            self.processes.values().flat_map(pages).collect::<BTreeSet<_>>().len() as u64 * PAGE
        };
        (count(|process| &process.anon), count(|process| &process.shared))
    }
}

fn step() -> impl Strategy<Value = Step> {
    let (which, pages) = (0..8_usize, 0..6_u8);
    prop_oneof![
        2 => which.clone().prop_map(Step::Fork),
        1 => which.clone().prop_map(Step::Exit),
        3 => (which.clone(), pages.clone()).prop_map(|(w, p)| Step::Grow(w, p)),
        2 => (which.clone(), pages.clone()).prop_map(|(w, p)| Step::Shrink(w, p)),
        2 => (which.clone(), pages.clone()).prop_map(|(w, p)| Step::Write(w, p)),
        2 => (which.clone(), pages.clone()).prop_map(|(w, p)| Step::Map(w, p)),
        1 => (which, pages).prop_map(|(w, p)| Step::Unmap(w, p)),
        1 => Just(Step::Look),
        1 => Just(Step::Sample),
    ]
}

/// Plays a tree; a sample after every step.
fn played(steps: &[Step]) -> (Vec<Point>, Vec<Mark>, Vec<u64>) {
    let (mut tree, mut tally) = (Tree::new(), Tally::default());
    let (mut points, mut marks, mut truths) = (Vec::new(), Vec::new(), Vec::new());
    for (at, step) in steps.iter().enumerate() {
        tree.play(*step);
        let sizes = tree.sizes();
        let point = tally.sample(at as f64, &sizes, None);
        let (anon, shared) = tree.truth();
        if matches!(step, Step::Look) {
            marks.push(Mark { before: point, after: point, anon, shared });
        }
        if !sizes.is_empty() {
            points.push(point);
            truths.push(anon + shared);
        }
    }
    (points, marks, truths)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn the_union_lies_within_its_bounds_and_bounds_keep_their_order(steps in prop::collection::vec(step(), 1..60)) {
        let (points, marks, truths) = played(&steps);
        for ((point, within), truth) in points.iter().zip(union(&points, &marks)).zip(truths) {
            let Within { low, estimate, high } = within;
            prop_assert!(low <= truth && truth <= high, "{truth} is not in {within:?} at {point:?}, marks {marks:?}");
            prop_assert!(low <= estimate && estimate <= high, "{within:?}");
            prop_assert!(high <= point.sum() && estimate >= point.largest, "{within:?} at {point:?}");
        }
    }
}
