//! Blocks with a mapping of their own. [`super::Settings::mmapped_bytes`] is their true sum; this list finds them.

use super::{Malloc, Walk};
use crate::Memory;
use crate::memory::words;
use crate::pages::{PAGE, Page, Pages};
use crate::regions::Region;

/// Headers that are read at most.
const MOST_READS: usize = 1 << 18;
/// Pages whose state is read at once.
const PAGES_AT_ONCE: u64 = 512;
const IS_MMAPPED: u64 = 2;

/// A block with a mapping of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mapped {
    /// Where its mapping begins.
    pub start: u64,
    /// The mapping's bytes.
    pub size: u64,
}

impl Malloc {
    /// Looks for blocks with a mapping of their own: a header at the start of a page, in memory that is no heap's. The
    /// kernel joins neighbours into one mapping. Something stale can look like one; one can be missed in a very large
    /// process.
    pub fn mapped(
        &self,
        memory: &dyn Memory,
        regions: &[Region],
        pages: &dyn Pages,
        walk: &Walk,
    ) -> Vec<Mapped> {
        let settings = self.settings.as_ref();
        let wanted = settings.map_or((0, 0), |settings| (settings.mmapped_count, settings.mmapped_bytes));
        let mut search = Search {
            memory,
            pages,
            extra: if self.layout.bins == 24 { 16 } else { 0 },
            wanted,
            reads: 0,
            found: Vec::new(),
        };
        let mut heaps: Vec<(u64, u64)> =
            walk.arenas.iter().flat_map(|arena| &arena.heaps).map(|heap| (heap.start, heap.end())).collect();
        heaps.sort_unstable();
        for region in regions {
            let named = region.name.starts_with('[') && !region.name.starts_with("[anon:");
            let huge = region.name.starts_with("/anon_hugepage");
            let anonymous = region.private_and_writable() && (!region.has_file() || huge) && !named;
            if !anonymous {
                continue;
            }
            // A block right beside a heap shares its mapping.
            let mut at = region.start;
            let first = heaps.partition_point(|heap| heap.1 <= region.start);
            for heap in heaps[first..].iter().take_while(|heap| heap.0 < region.end) {
                search.range(at, heap.0);
                at = at.max(heap.1.checked_next_multiple_of(PAGE).unwrap_or(u64::MAX));
            }
            search.range(at, region.end);
        }
        search.found
    }
}

struct Search<'a> {
    memory: &'a dyn Memory,
    pages: &'a dyn Pages,
    /// From 2.43 on the size is without the header.
    extra: u64,
    /// How many there are, and their bytes.
    wanted: (u64, u64),
    reads: usize,
    found: Vec<Mapped>,
}

impl Search<'_> {
    fn is_complete(&self) -> bool {
        let bytes = self.found.iter().fold(0, |sum: u64, one| sum.saturating_add(one.size));
        (self.found.len() as u64, bytes) == self.wanted
    }

    fn range(&mut self, start: u64, end: u64) {
        let mut states = Vec::new();
        let mut known = 0..0;
        let mut at = start;
        while at < end && self.reads < MOST_READS && !self.is_complete() {
            if !known.contains(&at) {
                let count = PAGES_AT_ONCE.min((end - at).div_ceil(PAGE));
                // Where pages cannot be told, only the first one is surely in memory.
                let first = if at == start { Page::Present } else { Page::Absent };
                states = self.pages.states(at, count as usize).unwrap_or_else(|| vec![first]);
                known = at..at.saturating_add((states.len() as u64).max(1) * PAGE);
            }
            let index = ((at - known.start) / PAGE) as usize;
            let present = states.get(index) == Some(&Page::Present);
            match present.then(|| self.block(at, end)).flatten() {
                Some(block) => {
                    self.found.push(block);
                    at = block.start + block.size;
                }
                None => at += PAGE,
            }
        }
    }

    fn block(&mut self, at: u64, end: u64) -> Option<Mapped> {
        self.reads += 1;
        let header = words(self.memory, at, 2).ok()?;
        let size = (header[1] & !7).checked_add(self.extra)?;
        // From 2.43 on a 1 marks a block on huge pages.
        let first_right = header[0] == 0 || self.extra != 0 && header[0] == 1;
        let right = first_right && header[1] & 7 == IS_MMAPPED;
        let fits = size >= PAGE && size.is_multiple_of(PAGE) && size <= end.saturating_sub(at);
        (right && fits).then_some(Mapped { start: at, size })
    }
}
