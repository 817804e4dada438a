//! The pieces of memory that an arena consists of.

use super::size_of_arena;
use crate::Memory;
use crate::glibc::{Arena, Layout, Malloc, ring};
use crate::memory::{word, words};

/// More heaps than an arena has: 4 TiB in heaps of 64 MiB.
const MOST_HEAPS: usize = 1 << 16;
/// How often the heaps of an arena are read again.
const MOST_RETRIES: u32 = 10;
/// The size of a heap at most, and what it is aligned to (`HEAP_MAX_SIZE`).
const HEAP_MAX: u64 = 64 << 20;
/// A heap has a page at least.
const LEAST: u64 = 4096;
/// Two headers that close a heap when the next one begins.
const FENCE_POSTS: u64 = 32;

/// A piece of memory of an arena.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heap {
    /// Where it begins.
    pub start: u64,
    /// Its bytes.
    pub size: u64,
}

impl Heap {
    /// The address after its last byte.
    pub fn end(&self) -> u64 {
        self.start.saturating_add(self.size)
    }
}

/// An arena as it is at a moment: where its memory and its top are.
#[derive(Debug, Clone)]
pub struct Place {
    pub arena: Arena,
    pub heaps: Vec<Heap>,
    /// The bytes of its top, the chunk at its end.
    pub top: u64,
    /// Whether top ends where the newest heap ends.
    pub holds: bool,
}

impl Place {
    /// Reads an arena again, which has moved since it was found; what no longer makes sense stays as it was found.
    pub fn of(malloc: &Malloc, memory: &dyn Memory, found: &Arena) -> Self {
        let arena = ring::arena(memory, found.address, found.main, malloc.layout);
        let arena = arena.unwrap_or_else(|| found.clone());
        let size = arena.top.checked_add(8).and_then(|at| word(memory, at).ok());
        let top = size.map_or(0, |size| (size & !7).min(arena.system));
        let heaps = of(malloc, memory, &arena, top);
        let end = arena.top.checked_add(top);
        let holds = heaps.first().is_none_or(|heap| Some(heap.end()) == end);
        Self { arena, heaps, top, holds }
    }
}

/// The heaps of an arena, the newest first; none where they do not add up.
fn of(malloc: &Malloc, memory: &dyn Memory, arena: &Arena, top: u64) -> Vec<Heap> {
    if arena.main {
        let start = malloc.settings.as_ref().map_or(0, |settings| settings.sbrk_base);
        let end = arena.top.saturating_add(top);
        // What does not begin at its base is not in one piece.
        let size = end.saturating_sub(start);
        let right = start != 0 && (1..=arena.system).contains(&size) && !arena.non_contiguous;
        return if right { vec![Heap { start, size: end - start }] } else { Vec::new() };
    }
    // With glibc.malloc.hugetlb=2 heaps of 2.35 to 2.41 are four huge pages long.
    let huge = malloc.settings.as_ref().and_then(|settings| settings.hp_pagesize).unwrap_or(0);
    let sizes = [HEAP_MAX, huge.saturating_mul(4), 8 << 20];
    let chain = |heap_max: &u64| chain(memory, arena, *heap_max);
    let chains =
        (0..MOST_RETRIES).find_map(|_| sizes.iter().filter(|size| size.is_power_of_two()).find_map(chain));
    chains.unwrap_or_default()
}

/// Follows `prev` from the heap that top lies in to the first one, where the arena itself is.
fn chain(memory: &dyn Memory, arena: &Arena, heap_max: u64) -> Option<Vec<Heap>> {
    let mut heaps = Vec::new();
    let mut start = arena.top & !(heap_max - 1);
    let mut sum = 0_u64;
    while start != 0 && heaps.len() < MOST_HEAPS {
        let info = words(memory, start, 3).ok()?;
        let (owner, previous, size) = (info[0], info[1], info[2]);
        sum = sum.checked_add(size)?;
        if owner != arena.address || !(LEAST..=heap_max).contains(&size) || sum > arena.system {
            return None;
        }
        heaps.push(Heap { start, size });
        start = previous;
    }
    let first = heaps.last()?;
    (sum == arena.system && arena.address > first.start && arena.address < first.end()).then_some(heaps)
}

/// Bytes of a thread's arena that are neither chunks nor top: its structure, and the ends of its heaps.
pub fn overhead(layout: Layout, arena: &Arena, heaps: usize) -> u64 {
    if arena.main {
        return 0;
    }
    let info = layout.heap_info.unwrap_or(0x30);
    let later = (heaps as u64).saturating_sub(1);
    (info + size_of_arena(layout)).next_multiple_of(16) + later * (info + FENCE_POSTS)
}

/// Where the chunks of a heap begin.
pub fn first_chunk(layout: Layout, arena: &Arena, heap: &Heap) -> u64 {
    let info = layout.heap_info.unwrap_or(0x30);
    let start = if arena.main {
        heap.start
    } else if arena.address.wrapping_sub(heap.start) < 4096 {
        arena.address.saturating_add(size_of_arena(layout))
    } else {
        heap.start.saturating_add(info)
    };
    start.checked_next_multiple_of(16).unwrap_or(start)
}
