//! What the arenas hold: free chunks by their lists, heaps, and how much of it is resident.
//!
//! Each list is read by itself, and read again by itself where the process changed it meanwhile: on a busy arena a
//! walk of everything tears nearly always, a single list nearly never (measured: 15 of 15 against 0 of 15).

mod deep;
mod free;
mod heaps;
mod runs;

pub use deep::{Deep, InUse};
pub use heaps::Heap;

use super::{Arena, Malloc, bins};
use crate::Memory;
use crate::memory::word;
use crate::pages::Pages;
use crate::regions::Region;
use free::Free;
use runs::Runs;

/// Free chunks that are read at most, of all arenas together, unless more are asked for: some seconds of reading.
pub const MOST_FREE: usize = 1 << 21;

/// What a walk may do and needs to know.
#[derive(Debug, Clone, Copy)]
pub struct How {
    /// Free chunks that are read at most, of all arenas together. Each arena has an even share of what is left.
    pub most_free: usize,
    /// Whether every chunk is looked at, in use or not: the sizes in use, and what the threads' caches hold.
    pub deep: bool,
}

/// What all arenas hold.
#[derive(Debug, Clone)]
pub struct Walk {
    /// One for each of [`Malloc::arenas`], in their order.
    pub arenas: Vec<Contents>,
    /// What a look at every chunk showed, where that was asked for.
    pub deep: Option<Deep>,
}

/// What an arena holds, in bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Contents {
    /// Its pieces of memory, the newest first; the main arena's is what `brk` gave. Empty where they did not hold
    /// together.
    pub heaps: Vec<Heap>,
    /// In use by the program, the threads' caches included: what is left of its bytes when all free ones are taken
    /// off. In the main arena also what others got from `sbrk`.
    pub in_use: u64,
    /// Free chunks in lists, without the fast ones and without top.
    pub free: u64,
    /// Their number.
    pub free_chunks: u64,
    /// The largest of them.
    pub largest_free: u64,
    /// Bytes between the end of the largest of them and top, in use or in smaller pieces: what keeps it from being top.
    /// `None` where there is none, or the arena is not in one piece.
    pub above_largest: Option<u64>,
    /// Free chunks in lists by powers of two of their sizes, the smallest first.
    pub free_by_size: Vec<InUse>,
    /// Free chunks in fast bins.
    pub fast: u64,
    /// Their number.
    pub fast_chunks: u64,
    /// The free chunk at its end.
    pub top: u64,
    /// How much of its heaps is in memory, in whole pages.
    pub resident: Option<u64>,
    /// How much of them is in swap.
    pub swapped: Option<u64>,
    /// How much of the free chunks (fast ones, not top) is in memory.
    pub free_resident: Option<u64>,
    /// How much of top is in memory.
    pub top_resident: Option<u64>,
    /// What `malloc_trim(0)` would give back of it now: whole pages of merged free chunks, and the main arena's top.
    /// A thread's arena keeps its top.
    pub trim_gives: Option<u64>,
    /// Lists that changed each time that they were read; what is free is then at least what is said.
    pub torn_bins: u32,
    /// How often a list was read again.
    pub retries: u32,
    /// Whether there are more free chunks than were to be read; what is free is then at least what is said.
    pub cut: bool,
}

impl How {
    /// The quick look: no chunks in use, and not more free ones than can be read in some seconds.
    pub const QUICK: Self = Self { most_free: MOST_FREE, deep: false };
    /// Every chunk, however long it takes.
    pub const DEEP: Self = Self { most_free: usize::MAX, deep: true };
}

impl Malloc {
    /// Walks the lists of all arenas.
    pub fn walk(&self, memory: &dyn Memory, regions: &[Region], pages: &dyn Pages, how: How) -> Walk {
        let mut left = how.most_free;
        let mut arenas: Vec<Contents> = Vec::with_capacity(self.arenas.len());
        for (number, arena) in self.arenas.iter().enumerate() {
            let share = left / (self.arenas.len() - number);
            let contents = self.contents(memory, regions, pages, arena, share);
            left = left.saturating_sub(usize::try_from(contents.free_chunks).unwrap_or(usize::MAX));
            arenas.push(contents);
        }
        let deep = how.deep.then(|| Deep::look(self, &arenas, memory, pages));
        Walk { arenas, deep }
    }

    fn contents(
        &self,
        memory: &dyn Memory,
        regions: &[Region],
        pages: &dyn Pages,
        arena: &Arena,
        most_free: usize,
    ) -> Contents {
        if arena.system == 0 {
            return Contents::default();
        }
        let free = Free::of(memory, arena, self.layout, most_free);
        let top_size = |at: u64| word(memory, at.checked_add(8)?).ok();
        let top = top_size(arena.top).map_or(0, |size| (size & !7).min(arena.system));
        let heaps = heaps::of(self, memory, arena, top);
        let sum =
            |chunks: &[(u64, u64)]| chunks.iter().fold(0_u64, |sum, (_, size)| sum.saturating_add(*size));
        let (listed, fast) = (sum(&free.chunks), sum(&free.fast));
        let largest = free.chunks.iter().copied().max_by_key(|(_, size)| *size);
        let one_piece = heaps.len() == 1;
        let above = largest.and_then(|(at, size)| arena.top.checked_sub(at.checked_add(size)?));
        let mut contents = Contents {
            in_use: arena
                .system
                .saturating_sub(listed)
                .saturating_sub(fast)
                .saturating_sub(top)
                .saturating_sub(heaps::overhead(self.layout, arena, heaps.len())),
            free: listed,
            free_chunks: free.chunks.len() as u64,
            largest_free: largest.map_or(0, |(_, size)| size),
            above_largest: above.filter(|_| one_piece),
            free_by_size: deep::by_size(free.chunks.iter().map(|(_, size)| *size)),
            fast,
            fast_chunks: free.fast.len() as u64,
            top,
            torn_bins: free.torn,
            retries: free.retries,
            cut: free.cut,
            heaps,
            ..Contents::default()
        };
        let runs = Runs::of(&free, (arena.top, top));
        runs.reside(self, arena, regions, pages, &mut contents);
        contents
    }
}

/// The bytes of an arena's own structure.
fn size_of_arena(layout: super::Layout) -> u64 {
    layout.bins + bins::TO_NEXT + if layout.attached_threads { 40 } else { 32 }
}
