//! A look at every chunk, in use or not, from the start of each heap to its end.

mod cache;

use std::collections::BTreeMap;

use super::blocks::Blocks;
use super::free::Free;
use super::scan::{self, Range};
use super::{Contents, heaps};
use crate::Memory;
use crate::glibc::{Arena, Malloc};
use crate::pages::Pages;

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
                let first = heaps::first_chunk(malloc.layout, arena, heap);
                // The newest heap is the one that top lies in.
                let range = Range { first, end: heap.end(), has_top: number == 0 };
                let scanned = scan::heap(&mut Blocks::new(memory, pages), range, &mut |chunk| {
                    if chunk.in_use {
                        sizes.add(chunk.size);
                        if cache::has_its_size(chunk.size) {
                            caches.push(chunk.at);
                        }
                    }
                });
                deep.covered = deep.covered.saturating_add(heap.size.saturating_sub(scanned.lost));
                deep.retries = deep.retries.saturating_add(scanned.retries);
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
    let mut free = Free::default();
    if arena.system > 0 {
        free.add_fast(memory, arena, malloc.layout);
    }
    free.fast
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
