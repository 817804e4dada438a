//! The lists of all arenas, many of them followed at once: each call of the kernel reads the next chunk of a thousand.

use std::collections::HashSet;

use super::free::{Free, link, most_chunks};
use super::heaps::Place;
use crate::Memory;
use crate::glibc::{Arena, Layout, bins};
use crate::memory::words_of_many;

/// Chunks of one list that are read: one call of the kernel each, where no other list is as long. Going through the heap
/// takes less time then.
const MOST_IN_A_ROW: usize = 1 << 17;

/// A list that is being followed.
struct Chase {
    /// The arena's number.
    owner: usize,
    head: u64,
    /// The list's number, from 1 on.
    number: u64,
    at: u64,
    before: u64,
    chunks: Vec<(u64, u64)>,
}

/// What became of a list.
enum Step {
    On(Chase),
    Whole(Chase),
    Torn(Chase),
}

/// What following the lists of an arena showed.
#[derive(Default)]
pub struct Listed {
    pub free: Free,
    /// Lists that did not hold together.
    torn: Vec<Chase>,
}

impl Listed {
    /// Whether a list did not hold together.
    pub fn is_torn(&self) -> bool {
        !self.torn.is_empty() || self.free.torn > 0 || self.free.retries > 0
    }

    /// Reads what tore again, list by list, each until it holds together.
    pub fn settle(mut self, memory: &dyn Memory, arena: &Arena) -> Free {
        for chase in self.torn {
            self.free.again(memory, arena, chase.head, chase.number, most_chunks(arena));
        }
        self.free
    }
}

/// Reads the free chunks of all arenas, at most so many of all together; each arena has an even share of them.
pub fn of_all(memory: &dyn Memory, places: &[Place], layout: Layout, most: usize) -> Vec<Listed> {
    let arenas: Vec<&Arena> = places.iter().map(|place| &place.arena).collect();
    let used = || (0..).zip(arenas.iter().copied()).filter(|(_, arena)| arena.system > 0);
    let mut lists = Lists {
        memory,
        arenas: &arenas,
        found: arenas.iter().map(|_| Listed::default()).collect(),
        read: vec![0; arenas.len()],
    };
    let mut open: Vec<Chase> =
        used().flat_map(|(owner, arena)| heads(memory, owner, arena, layout)).collect();
    let mut share = most / used().count().max(1);
    while !open.is_empty() {
        let waiting = lists.follow(open, share);
        // What others left of their shares is for those that have more.
        let owners: HashSet<usize> = waiting.iter().map(|chase| chase.owner).collect();
        let left = most.saturating_sub(lists.read.iter().sum());
        let more = left / owners.len().max(1);
        if more == 0 || waiting.iter().any(|chase| chase.chunks.len() >= MOST_IN_A_ROW) {
            for chase in waiting {
                lists.cut(chase);
            }
            break;
        }
        share = share.saturating_add(more);
        open = waiting;
    }
    for (owner, arena) in used() {
        lists.found[owner].free.add_fast(memory, arena, layout);
    }
    lists.found
}

/// The lists of an arena that are not empty.
fn heads(memory: &dyn Memory, owner: usize, arena: &Arena, layout: Layout) -> Vec<Chase> {
    let Some(bins) = arena.address.checked_add(layout.bins) else { return Vec::new() };
    let places: Vec<u64> =
        (0..bins::COUNT as u64).map_while(|number| bins.checked_add(16 * number)).collect();
    let pairs = words_of_many::<1>(memory, &places);
    let chase = |(number, (place, fd)): (u64, (&u64, &Option<[u64; 1]>))| {
        let head = place - 16;
        // What could not be read is read again, as what does not hold together is.
        let at = fd.map_or(0, |[fd]| fd);
        (at != head).then(|| Chase { owner, head, number, at, before: head, chunks: Vec::new() })
    };
    (1..).zip(places.iter().zip(&pairs)).filter_map(chase).collect()
}

struct Lists<'a> {
    memory: &'a dyn Memory,
    arenas: &'a [&'a Arena],
    found: Vec<Listed>,
    /// Chunks of each arena.
    read: Vec<usize>,
}

impl Lists<'_> {
    /// Follows lists to their ends; those of arenas that have had their share are returned.
    fn follow(&mut self, mut open: Vec<Chase>, share: usize) -> Vec<Chase> {
        let mut waiting = Vec::new();
        while !open.is_empty() {
            let (on, full): (Vec<_>, Vec<_>) = open.into_iter().partition(|chase| {
                let goes = self.read[chase.owner] < share && chase.chunks.len() < MOST_IN_A_ROW;
                self.read[chase.owner] += usize::from(goes);
                goes
            });
            waiting.extend(full);
            let places: Vec<u64> = on.iter().map(|chase| chase.at).collect();
            let words = words_of_many::<4>(self.memory, &places);
            open = Vec::with_capacity(on.len());
            for (chase, words) in on.into_iter().zip(words) {
                match step(chase, words, self.arenas) {
                    Step::On(chase) => open.push(chase),
                    Step::Whole(chase) => self.keep(chase),
                    Step::Torn(chase) => {
                        self.read[chase.owner] -= chase.chunks.len() + 1;
                        self.found[chase.owner].torn.push(chase);
                    }
                }
            }
        }
        waiting
    }

    fn keep(&mut self, chase: Chase) {
        self.found[chase.owner].free.chunks.extend(chase.chunks);
    }

    fn cut(&mut self, chase: Chase) {
        self.found[chase.owner].free.cut = true;
        self.keep(chase);
    }
}

fn step(mut chase: Chase, words: Option<[u64; 4]>, arenas: &[&Arena]) -> Step {
    let arena = arenas[chase.owner];
    let linked = words.and_then(|words| link(arena, chase.number, chase.at, chase.before, &words));
    let Some((size, fd)) = linked.filter(|_| chase.chunks.len() < most_chunks(arena)) else {
        return Step::Torn(chase);
    };
    chase.chunks.push((chase.at, size));
    (chase.before, chase.at) = (chase.at, fd);
    if fd == chase.head { Step::Whole(chase) } else { Step::On(chase) }
}
