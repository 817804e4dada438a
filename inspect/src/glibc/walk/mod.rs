//! What the arenas hold: free chunks by their lists, heaps, and how much of it is resident.
//!
//! The lists of all arenas are followed at once, which takes few calls of the kernel. Where an arena changed meanwhile,
//! lists deceive, and its heaps are gone through instead ([`hot`]). Where it has more free chunks than may be read, a
//! sample tells about how many ([`sample`]).

mod blocks;
mod contents;
mod deep;
mod free;
mod heaps;
mod hot;
mod lists;
mod runs;
mod sample;
mod scan;

pub use contents::Contents;
pub use deep::{Deep, InUse};
pub use heaps::Heap;
use heaps::Place;

use super::{Malloc, bins};
use crate::Memory;
use crate::pages::Pages;
use crate::regions::Region;
use hot::{Gone, State};
use lists::Listed;

/// Free chunks that a quick look reads at most, of all arenas together: less than a second of reading.
const MOST_FREE: usize = 1 << 20;
/// Bytes of arenas that it goes through from chunk to chunk: less than a second, too.
const MOST_BYTES: u64 = 512 << 20;

/// What a walk may do and needs to know.
#[derive(Debug, Clone, Copy)]
pub struct How {
    /// Free chunks that are read at most, of all arenas together. Each arena has an even share of what is left.
    pub most_free: usize,
    /// Bytes of arenas that are gone through from chunk to chunk at most, where lists moved while they were read, and as
    /// many again where they are longer than may be read. Of an arena that is larger some places are read.
    pub most_bytes: u64,
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

impl How {
    /// The quick look: some seconds at most; where there is more, places are chosen by chance.
    pub const QUICK: Self = Self { most_free: MOST_FREE, most_bytes: MOST_BYTES, deep: false };
    /// Every chunk, however long it takes.
    pub const DEEP: Self = Self { most_bytes: u64::MAX, deep: true, ..Self::QUICK };
}

impl Malloc {
    /// Walks the lists of all arenas.
    pub fn walk(&self, memory: &dyn Memory, regions: &[Region], pages: &dyn Pages, how: How) -> Walk {
        let state = || State::of_all(memory, &self.arenas, self.layout);
        let before = state();
        let now: Vec<Place> = self.arenas.iter().map(|arena| Place::of(self, memory, arena)).collect();
        let listed = lists::of_all(memory, &now, self.layout, how.most_free);
        let after = state();
        let moved = |number: usize, place: &Place, listed: &Listed| {
            listed.is_torn() || !place.holds || !before[number].is_still(&after[number])
        };
        let large = now.iter().zip(&listed).filter(|(_, listed)| listed.free.cut);
        let large = large.fold(0_u64, |sum, (place, _)| sum.saturating_add(place.arena.system));
        let mut walker =
            Walker { malloc: self, memory, pages, left: how.most_bytes, most: how.most_bytes, large };
        let each = now.into_iter().zip(listed).enumerate().map(|(number, (place, listed))| {
            if place.arena.system == 0 {
                return Contents::default();
            }
            let moved = moved(number, &place, &listed);
            Contents::of(self, regions, pages, walker.look(place, listed, moved))
        });
        let arenas: Vec<Contents> = each.collect();
        let deep = how.deep.then(|| Deep::look(self, &arenas, memory, pages));
        Walk { arenas, deep }
    }
}

/// Chooses how each arena is read.
struct Walker<'a> {
    malloc: &'a Malloc,
    memory: &'a dyn Memory,
    pages: &'a dyn Pages,
    /// Bytes of arenas that moved which may still be gone through.
    left: u64,
    /// Bytes that may be gone through of those with too many free chunks.
    most: u64,
    /// The bytes of these.
    large: u64,
}

impl Walker<'_> {
    /// What an arena has by its lists; where these moved, or are too long, by going through its heaps, or parts of them.
    fn look(&mut self, place: Place, listed: Listed, moved: bool) -> Gone {
        let size = place.arena.system;
        let share = u128::from(self.most) * u128::from(size) / u128::from(self.large.max(1));
        let share = u64::try_from(share).unwrap_or(u64::MAX);
        let whole = if listed.free.cut { share >= size } else { moved && self.left >= size };
        if whole {
            self.left = self.left.saturating_sub(size);
            if let Some(gone) = hot::through(self.malloc, self.memory, self.pages, &place.arena) {
                return gone;
            }
        }
        let mut free = listed.settle(self.memory, &place.arena);
        let sample = free
            .cut
            .then(|| sample::of(self.malloc, self.memory, self.pages, &place, &free.chunks, share))
            .flatten();
        free.cut &= sample.is_none();
        Gone { free, place, still: !moved, sample }
    }
}

/// The bytes of an arena's own structure.
fn size_of_arena(layout: super::Layout) -> u64 {
    layout.bins + bins::TO_NEXT + if layout.attached_threads { 40 } else { 32 }
}
