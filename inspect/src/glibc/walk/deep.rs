//! A look at every chunk, in use or not, from the start of each heap to its end.

mod cache;

use std::collections::BTreeMap;

use super::free::Free;
use super::{Contents, heaps};
use crate::Memory;
use crate::glibc::{Arena, Malloc};
use crate::pages::{PAGE, Page, Pages};

/// Bytes that are read at once: what was read long before it is looked at has changed by then.
const BLOCK: u64 = 64 << 10;
/// How often one place is read again before the rest of its heap is left out.
const MOST_RETRIES: u32 = 20;
const PREV_INUSE: u64 = 1;
const MIN_SIZE: u64 = 32;

/// What a look at every chunk showed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Deep {
    /// Chunks in use by the program, by size, the smallest first; those in threads' caches and fast bins are left out.
    pub in_use: Vec<InUse>,
    /// Threads' caches that hold something.
    pub caches: u64,
    /// Chunks in threads' caches.
    pub cached_chunks: u64,
    /// Their bytes. malloc counts them as in use.
    pub cached_bytes: u64,
    /// Bytes of heaps that were looked at.
    pub covered: u64,
    /// Bytes of all arenas. Where it is more than was covered, the program changed them, or a heap was in pieces.
    pub system: u64,
    /// How often a place was read again.
    pub retries: u32,
}

/// Chunks of one power of two of sizes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InUse {
    /// Their sizes, with their headers, are below this and at least half of it.
    pub below: u64,
    /// Their number.
    pub chunks: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl Deep {
    pub(super) fn look(malloc: &Malloc, arenas: &[Contents], memory: &dyn Memory, pages: &dyn Pages) -> Self {
        let mut deep = Self { system: malloc.system(), ..Self::default() };
        let mut sizes = Sizes::default();
        let mut caches = Vec::new();
        for (arena, contents) in malloc.arenas.iter().zip(arenas) {
            for (number, heap) in contents.heaps.iter().enumerate() {
                let mut scan =
                    Scan { blocks: Blocks::new(memory, pages), sizes: &mut sizes, caches: &mut caches };
                let first = heaps::first_chunk(malloc.layout, arena, heap);
                // The newest heap is the one that top lies in.
                let top = (number == 0).then_some(arena.top);
                let (reached, retries) = scan.heap(first, heap.end(), top);
                deep.covered = deep.covered.saturating_add(reached.saturating_sub(heap.start));
                deep.retries = deep.retries.saturating_add(retries);
            }
            for (_, size) in fast_chunks(malloc, arena, memory) {
                sizes.take_off(size);
            }
        }
        for cached in caches.iter().filter_map(|at| cache::chunks(memory, malloc, *at)) {
            deep.caches += 1;
            deep.cached_chunks += cached.len() as u64;
            for size in cached {
                deep.cached_bytes = deep.cached_bytes.saturating_add(size);
                sizes.take_off(size);
            }
        }
        deep.in_use = sizes.list();
        deep
    }
}

/// Chunks of these sizes, by powers of two.
pub(super) fn by_size(chunks: impl Iterator<Item = u64>) -> Vec<InUse> {
    let mut sizes = Sizes::default();
    chunks.filter(|size| *size > 0).for_each(|size| sizes.add(size));
    sizes.list()
}

fn fast_chunks(malloc: &Malloc, arena: &Arena, memory: &dyn Memory) -> Vec<(u64, u64)> {
    if arena.system == 0 { Vec::new() } else { Free::fast_of(memory, arena, malloc.layout).fast }
}

/// Chunks by power of two: their number and their bytes.
#[derive(Default)]
struct Sizes(BTreeMap<u32, (u64, u64)>);

impl Sizes {
    fn add(&mut self, size: u64) {
        let (chunks, bytes) = self.0.entry(size.ilog2()).or_default();
        *chunks += 1;
        *bytes = bytes.saturating_add(size);
    }

    fn take_off(&mut self, size: u64) {
        if let Some((chunks, bytes)) = self.0.get_mut(&size.max(1).ilog2()) {
            *chunks = chunks.saturating_sub(1);
            *bytes = bytes.saturating_sub(size);
        }
    }

    fn list(&self) -> Vec<InUse> {
        let one = |(log, (chunks, bytes)): (&u32, &(u64, u64))| InUse {
            below: 1_u64.checked_shl(log + 1).unwrap_or(u64::MAX),
            chunks: *chunks,
            bytes: *bytes,
        };
        self.0.iter().map(one).filter(|class| class.chunks > 0).collect()
    }
}

struct Scan<'a> {
    blocks: Blocks<'a>,
    sizes: &'a mut Sizes,
    /// Chunks of the size of a thread's cache.
    caches: &'a mut Vec<u64>,
}

impl Scan<'_> {
    /// Goes from chunk to chunk; how far it came, and how often it had to read again.
    fn heap(&mut self, first: u64, end: u64, top: Option<u64>) -> (u64, u32) {
        let mut at = first;
        let mut before: Option<(u64, u64)> = None;
        let mut retries = 0;
        // How far it got, and how often it failed there.
        let (mut furthest, mut failed) = (first, 0);
        loop {
            let header = at.checked_add(8).and_then(|place| self.blocks.word(place));
            let size = header.unwrap_or(0) & !7;
            let is_top = top == Some(at);
            // Two headers close a heap that another one follows.
            let is_end = top.is_none() && at.saturating_add(32) >= end;
            let fits = size >= MIN_SIZE && size <= end.saturating_sub(at) && size.is_multiple_of(16);
            if header.is_none() || !(fits || is_top || is_end) {
                failed = if at > furthest { 1 } else { failed + 1 };
                furthest = furthest.max(at);
                if failed > MOST_RETRIES {
                    return (furthest, retries);
                }
                retries += 1;
                // The chunk before may have changed its size meanwhile: a step back.
                at = before.map_or(at, |(place, _)| place);
                before = None;
                self.blocks.forget();
                continue;
            }
            if let Some((place, size)) = before.filter(|_| header.is_some_and(|word| word & PREV_INUSE != 0))
            {
                self.sizes.add(size);
                if cache::has_its_size(size) {
                    self.caches.push(place);
                }
            }
            if is_top || is_end || at >= end {
                return (end, retries);
            }
            before = Some((at, size));
            at += size;
        }
    }
}

/// Memory read block by block; pages that are not in memory are never read, which would bring them in.
struct Blocks<'a> {
    memory: &'a dyn Memory,
    pages: &'a dyn Pages,
    start: u64,
    bytes: Vec<u8>,
}

impl<'a> Blocks<'a> {
    fn new(memory: &'a dyn Memory, pages: &'a dyn Pages) -> Self {
        Self { memory, pages, start: 0, bytes: Vec::new() }
    }

    fn forget(&mut self) {
        self.bytes.clear();
    }

    fn word(&mut self, at: u64) -> Option<u64> {
        if self.known(at).is_none() {
            self.load(at)?;
        }
        self.known(at)
    }

    fn known(&self, at: u64) -> Option<u64> {
        let from = usize::try_from(at.checked_sub(self.start)?).ok()?;
        let bytes = self.bytes.get(from..from.checked_add(8)?)?;
        bytes.try_into().ok().map(u64::from_le_bytes)
    }

    fn load(&mut self, at: u64) -> Option<()> {
        let page = at / PAGE * PAGE;
        let count = match self.pages.states(page, (BLOCK / PAGE) as usize) {
            Some(states) => states.iter().take_while(|state| **state == Page::Present).count() as u64,
            None => 1,
        };
        self.start = page;
        self.bytes = vec![0; (count * PAGE) as usize];
        self.memory.read(page, &mut self.bytes).ok()
    }
}
