//! What an arena holds, from what was read of it.

use super::hot::Gone;
use super::runs::{self, Runs};
use super::sample::Sample;
use super::{Heap, InUse, deep, heaps};
use crate::glibc::Malloc;
use crate::pages::Pages;
use crate::regions::Region;

/// What an arena holds, in bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Contents {
    /// Its pieces of memory, the newest first; the main arena's is what `brk` gave. Empty where they did not hold
    /// together.
    pub heaps: Vec<Heap>,
    /// Bytes that the arena had from the system when its lists were read.
    pub system: u64,
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
    /// The standard error of [`free`](Self::free), where the arena was sampled: free chunks, what of them is resident, and
    /// what trimming gives are then estimates.
    pub free_error: Option<u64>,
    /// Lists that changed each time that they were read; what is free is then at least what is said.
    pub torn_bins: u32,
    /// How often a list was read again.
    pub retries: u32,
    /// Whether the process changed the arena each time that it was read: its figures are of several moments.
    pub moved: bool,
    /// Whether there are more free chunks than were to be read; what is free is then at least what is said.
    pub cut: bool,
}

impl Contents {
    pub(super) fn of(malloc: &Malloc, regions: &[Region], pages: &dyn Pages, gone: Gone) -> Self {
        let Gone { place, free, still, sample } = gone;
        let (arena, top) = (&place.arena, place.top);
        let estimate = Estimate::of(&free.chunks, sample.as_ref());
        let sum = |chunks: &[(u64, u64)]| chunks.iter().fold(0_u64, |sum, chunk| sum.saturating_add(chunk.1));
        let fast = sum(&free.fast);
        let others =
            fast.saturating_add(top).saturating_add(heaps::overhead(malloc.layout, arena, place.heaps.len()));
        let left = arena.system.saturating_sub(others);
        let listed = estimate.scale(sum(estimate.chunks)).saturating_add(sum(estimate.large));
        // An estimate can be more than there is.
        let listed = if sample.is_some() { listed.min(left) } else { listed };

        let largest = free.chunks.iter().chain(estimate.chunks).copied().max_by_key(|(_, size)| *size);
        let above = largest.and_then(|(at, size)| arena.top.checked_sub(at.checked_add(size)?));
        let reside = |chunks: &[(u64, u64)], fast: &[(u64, u64)]| {
            Runs::of(chunks.iter().chain(fast), (arena.top, top)).reside(malloc, arena, regions, pages)
        };
        let (some, large) = (reside(estimate.chunks, &free.fast), reside(estimate.large, &[]));
        let both = |some: Option<u64>, large: Option<u64>| Some(estimate.scale(some?).saturating_add(large?));
        let resident = runs::of_heaps(pages, &place.heaps);
        Self {
            system: arena.system,
            in_use: left.saturating_sub(listed),
            free: listed,
            free_chunks: estimate.scale(estimate.chunks.len() as u64) + estimate.large.len() as u64,
            largest_free: largest.map_or(0, |(_, size)| size),
            above_largest: above.filter(|_| place.heaps.len() == 1),
            free_by_size: estimate.by_size(),
            fast,
            fast_chunks: free.fast.len() as u64,
            top,
            resident: resident.map(|(present, _)| present),
            swapped: resident.map(|(_, swapped)| swapped),
            free_resident: both(some.free, large.free),
            top_resident: some.top,
            trim_gives: both(some.given, large.given).zip(some.given_of_top).map(|(runs, top)| runs + top),
            free_error: sample.as_ref().map(|sample| sample.error),
            torn_bins: free.torn,
            retries: free.retries,
            moved: !still,
            cut: free.cut || free.fast_cut,
            heaps: place.heaps,
        }
    }
}

/// Free chunks, and what they stand for.
struct Estimate<'a> {
    chunks: &'a [(u64, u64)],
    /// Chunks that stand for themselves alone.
    large: &'a [(u64, u64)],
    /// `None` where all was read.
    factor: Option<f64>,
}

impl<'a> Estimate<'a> {
    fn of(all: &'a [(u64, u64)], sample: Option<&'a Sample>) -> Self {
        match sample {
            None => Self { chunks: all, large: &[], factor: None },
            Some(sample) => {
                Self { chunks: &sample.chunks, large: &sample.large, factor: Some(sample.factor) }
            }
        }
    }

    fn scale(&self, number: u64) -> u64 {
        self.factor.map_or(number, |factor| (number as f64 * factor) as u64)
    }

    fn by_size(&self) -> Vec<InUse> {
        let scale = |class: InUse| InUse {
            chunks: self.scale(class.chunks),
            bytes: self.scale(class.bytes),
            ..class
        };
        let sizes = |chunks: &[(u64, u64)]| deep::by_size(chunks.iter().map(|(_, size)| *size));
        let mut all: Vec<InUse> = sizes(self.chunks).into_iter().map(scale).collect();
        for class in sizes(self.large) {
            match all.iter_mut().find(|one| one.below == class.below) {
                Some(one) => {
                    one.chunks += class.chunks;
                    one.bytes = one.bytes.saturating_add(class.bytes);
                }
                None => all.push(class),
            }
        }
        all
    }
}
