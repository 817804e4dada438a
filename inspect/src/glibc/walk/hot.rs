//! Arenas that the process changes while they are read.
//!
//! Chunks go from list to list, so that a walk list by list meets some twice and others never, and what it takes
//! longest for is hottest. In a heap every byte is in one chunk at any moment: going from chunk to chunk through a copy
//! meets each once, whatever list it is in.

use super::blocks::Blocks;
use super::free::Free;
use super::heaps::{self, Place};
use super::sample::Sample;
use super::scan::{self, Range};
use crate::Memory;
use crate::glibc::{Arena, Layout, Malloc, bins};
use crate::pages::Pages;

/// How often an arena is gone through, until the chain of its chunks never breaks.
const MOST_TRIES: u32 = 3;
/// From an arena's bins back to its first fast bin.
const TO_FAST: u64 = 96;
/// From an arena's bins back to its top.
const TO_TOP: u64 = 16;
/// From the end of the bins on: binmap, `next`, `next_free`, `attached_threads`, `system_mem`, `max_system_mem`.
const BEHIND: u64 = 16 + 40;

/// What of an arena changes with every call that takes its lock: fast bins, top, lists, and its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State(Option<Vec<u8>>);

impl State {
    /// Those of all arenas.
    pub fn of_all(memory: &dyn Memory, arenas: &[Arena], layout: Layout) -> Vec<Self> {
        let before = if layout.has_fast_bins() { TO_FAST } else { TO_TOP };
        let each = (before + 16 * bins::COUNT as u64 + BEHIND) as usize;
        let places: Vec<u64> = arenas
            .iter()
            .map(|arena| arena.address.saturating_add(layout.bins).saturating_sub(before))
            .collect();
        let mut bytes = vec![0; places.len() * each];
        let read = memory.read_many(&places, each, &mut bytes);
        let state = |(read, bytes): (bool, &[u8])| Self(read.then(|| bytes.to_vec()));
        read.into_iter().zip(bytes.chunks(each)).map(state).collect()
    }

    /// Whether nothing changed between two looks.
    pub fn is_still(&self, later: &Self) -> bool {
        self.0.is_some() && self == later
    }
}

/// What an arena was seen to have.
pub struct Gone {
    pub place: Place,
    pub free: Free,
    /// Whether nothing changed meanwhile.
    pub still: bool,
    /// What stands for all free chunks, where these are too many.
    pub sample: Option<Sample>,
}

/// Goes through an arena from chunk to chunk, again where the chain broke; `None` where its heaps do not hold together.
/// Chunks that merely changed meanwhile are counted right, each as it was when it was passed.
pub fn through(malloc: &Malloc, memory: &dyn Memory, pages: &dyn Pages, arena: &Arena) -> Option<Gone> {
    let state = || State::of_all(memory, std::slice::from_ref(arena), malloc.layout);
    let mut best: Option<Gone> = None;
    let mut retries = 0;
    for _ in 0..MOST_TRIES {
        let before = state();
        let Some(mut gone) = once(malloc, memory, pages, arena) else { continue };
        gone.still = before[0].is_still(&state()[0]) && gone.free.torn + gone.free.retries == 0;
        retries += gone.free.retries;
        let whole = gone.free.torn == 0;
        if best.as_ref().is_none_or(|best| gone.free.torn <= best.free.torn) {
            best = Some(gone);
        }
        if whole {
            break;
        }
        retries += 1;
    }
    best.map(|gone| Gone { free: Free { retries, ..gone.free }, ..gone })
}

fn once(malloc: &Malloc, memory: &dyn Memory, pages: &dyn Pages, arena: &Arena) -> Option<Gone> {
    let mut place = Place::of(malloc, memory, arena);
    let mut free = Free::default();
    let mut top = None;
    for (number, heap) in place.heaps.iter().enumerate() {
        let first = heaps::first_chunk(malloc.layout, &place.arena, heap);
        // The newest heap is the one that top lies in.
        let range = Range { first, end: heap.end(), has_top: number == 0 };
        let scanned = scan::heap(&mut Blocks::new(memory, pages), range, &mut |chunk| {
            if !chunk.in_use {
                free.chunks.push((chunk.at, chunk.size));
            }
        });
        free.retries += scanned.retries;
        free.torn += scanned.breaks;
        top = top.or(scanned.top);
    }
    free.add_fast(memory, &place.arena, malloc.layout);
    (place.arena.top, place.top) = top?;
    Some(Gone { place, free, still: false, sample: None })
}
