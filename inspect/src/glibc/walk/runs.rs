//! What is free side by side, and what of it `malloc_trim(0)` would give back.

use super::Heap;
use crate::glibc::{Arena, Malloc};
use crate::pages::{PAGE, Page, Pages};
use crate::regions::{self, Region};

/// A free chunk's own fields (`struct malloc_chunk`), which `malloc_trim` keeps.
const CHUNK_FIELDS: u64 = 48;
/// `MINSIZE` and one byte, which `systrim` keeps of the main arena's top.
const KEPT_OF_TOP: u64 = 33;
/// Pages whose state is read at once.
const PAGES_AT_ONCE: usize = 1 << 16;

/// What of free memory is in memory; `None` where that cannot be told.
#[derive(Debug, Clone, Copy, Default)]
pub struct Resident {
    pub free: Option<u64>,
    pub top: Option<u64>,
    /// What trimming gives back of free chunks, and of the main arena's top.
    pub given: Option<u64>,
    pub given_of_top: Option<u64>,
}

/// Free memory by address, as `malloc_consolidate` would leave it, and top.
pub struct Runs {
    /// From where to where, by address.
    free: Vec<(u64, u64)>,
    top: (u64, u64),
    /// Top with the runs that touch it.
    merged_top: (u64, u64),
}

impl Runs {
    pub fn of<'a>(free: impl Iterator<Item = &'a (u64, u64)>, (top, top_size): (u64, u64)) -> Self {
        let end = |(at, size): &(u64, u64)| (*at, at.saturating_add(*size));
        let mut chunks: Vec<(u64, u64)> = free.map(end).collect();
        chunks.sort_unstable();
        let mut runs: Vec<(u64, u64)> = Vec::with_capacity(chunks.len());
        for (start, end) in chunks {
            match runs.last_mut() {
                // A chunk seen twice, in a list that changed meanwhile, counts once.
                Some(last) if start <= last.1 => last.1 = last.1.max(end),
                _ => runs.push((start, end)),
            }
        }
        let top = (top, top.saturating_add(top_size));
        let mut merged_top = top;
        while let Some(last) = runs.last().copied().filter(|run| run.1 == merged_top.0 && run.1 != 0) {
            merged_top.0 = last.0;
            runs.pop();
        }
        Self { free: runs, top, merged_top }
    }

    /// How much of it is in memory.
    pub fn reside(&self, malloc: &Malloc, arena: &Arena, regions: &[Region], pages: &dyn Pages) -> Resident {
        let mut states = States { pages, start: 0, known: Vec::new() };
        let merged = (self.merged_top.0, self.top.0);
        let runs = self.free.iter().chain((merged.0 < merged.1).then_some(&merged));
        let present = |sum: u64, run: &(u64, u64)| Some(sum + states.present(*run)?);
        let free = runs.copied().collect::<Vec<_>>().iter().try_fold(0, present);
        Resident {
            free,
            top: states.present(self.top),
            given: self.given(&mut states),
            given_of_top: self.given_of_top(malloc, arena, regions, &mut states),
        }
    }

    /// What `malloc_trim(0)` gives back of free chunks (malloc/malloc.c: `mtrim`).
    fn given(&self, states: &mut States) -> Option<u64> {
        let whole_pages = |(start, end): &(u64, u64)| {
            let start = start.saturating_add(CHUNK_FIELDS).checked_next_multiple_of(PAGE)?;
            Some((start, end / PAGE * PAGE)).filter(|(start, end)| start < end)
        };
        let mut runs = self.free.iter().filter_map(whole_pages);
        runs.try_fold(0_u64, |sum, run| Some(sum + states.present(run)?))
    }

    /// What it gives back of the main arena's top (`systrim`).
    fn given_of_top(
        &self,
        malloc: &Malloc,
        arena: &Arena,
        regions: &[Region],
        states: &mut States,
    ) -> Option<u64> {
        let (start, end) = self.merged_top;
        // The kernel's break has to be where top ends; otherwise somebody else moved it.
        let heap_end = end.checked_sub(1).and_then(|last| regions::at(regions, last));
        let shrinks = arena.main
            && !arena.non_contiguous
            && heap_end.is_some_and(|heap| heap.name == "[heap]" && heap.end == end);
        if !shrinks {
            return Some(0);
        }
        let thp = malloc.settings.as_ref().and_then(|settings| settings.thp_pagesize).unwrap_or(0);
        let step = if thp.is_power_of_two() { thp.max(PAGE) } else { PAGE };
        let extra = (end - start).saturating_sub(KEPT_OF_TOP) / step * step;
        states.present((end - extra, end))
    }
}

/// What of heaps is in memory, and what in swap; `None` where that cannot be told, or there is no heap.
pub fn of_heaps(pages: &dyn Pages, heaps: &[Heap]) -> Option<(u64, u64)> {
    let mut each = heaps.iter().map(|heap| of_heap(pages, heap));
    let sum = each.try_fold((0, 0), |sum, one| one.map(|one| (sum.0 + one.0, sum.1 + one.1)));
    // A main arena in several pieces has no heap of its own here: only its free memory can be looked at.
    sum.filter(|_| !heaps.is_empty())
}

/// How much of a heap is in memory and in swap, in whole pages.
fn of_heap(pages: &dyn Pages, heap: &Heap) -> Option<(u64, u64)> {
    let (mut present, mut swapped) = (0, 0);
    let mut at = heap.start / PAGE * PAGE;
    while at < heap.end() {
        let count = ((heap.end() - at).div_ceil(PAGE) as usize).min(PAGES_AT_ONCE);
        let states = pages.states(at, count)?;
        present += states.iter().filter(|state| **state == Page::Present).count() as u64 * PAGE;
        swapped += states.iter().filter(|state| **state == Page::Swapped).count() as u64 * PAGE;
        at = at.checked_add(count as u64 * PAGE)?;
    }
    Some((present, swapped))
}

/// States of pages, read some thousands at a time.
struct States<'a> {
    pages: &'a dyn Pages,
    start: u64,
    known: Vec<Page>,
}

impl States<'_> {
    /// How many bytes of a range are in memory.
    fn present(&mut self, (start, end): (u64, u64)) -> Option<u64> {
        let mut sum = 0;
        let mut at = start;
        while at < end {
            let page = at / PAGE * PAGE;
            let next = page.saturating_add(PAGE).min(end);
            if self.at(page)? == Page::Present {
                sum += next - at;
            }
            if next == at {
                return None;
            }
            at = next;
        }
        Some(sum)
    }

    fn at(&mut self, page: u64) -> Option<Page> {
        let index = |start: u64| (page.checked_sub(start)? / PAGE).try_into().ok();
        let known = index(self.start).and_then(|index: usize| self.known.get(index));
        if let Some(state) = known {
            return Some(*state);
        }
        self.known = self.pages.states(page, 512)?;
        self.start = page;
        self.known.first().copied()
    }
}
