//! Where a process's resident memory is: every byte in one row.

use std::collections::BTreeMap;

use crate::glibc::{Malloc, Mapped, Walk};
use crate::pages::{PAGE, Page, Pages};
use crate::smaps::Mapping;

/// A guard below a thread's stack is no larger than this.
const LARGEST_GUARD: u64 = 1 << 20;

/// What a page belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// The main arena, or what other allocators have from `brk`.
    MainHeap,
    /// The heaps of threads' arenas.
    ThreadArenas,
    /// Blocks of glibc's malloc with a mapping of their own.
    MappedBlocks,
    /// Stacks of threads.
    Stacks,
    /// Files: programs, libraries, data; their own writable data included.
    Files,
    /// Memory shared with other processes.
    SharedMemory,
    /// All other memory without a file: other allocators, managed heaps, `mmap` by the program.
    Anonymous,
}

/// What belongs to one kind, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// What it belongs to.
    pub kind: Kind,
    /// In memory.
    pub rss: u64,
    /// In memory, a page that n processes have mapped counting as one n-th; within a mapping by its parts' sizes.
    pub pss: u64,
    /// In memory as transparent huge pages.
    pub anon_huge: u64,
    /// In memory, but free to be taken (`MADV_FREE`).
    pub lazy_free: u64,
    /// In swap.
    pub swap: u64,
}

/// Sorts what is resident by what it belongs to; the sum of the rows is the sum of the mappings, to the byte.
pub fn rows(
    mappings: &[Mapping],
    heaps: Option<(&Malloc, &Walk, &[Mapped])>,
    pages: &dyn Pages,
    stack_pointers: &[u64],
) -> Vec<Row> {
    let owned = heaps.map_or_else(Vec::new, |(malloc, walk, mapped)| owned(malloc, walk, mapped));
    let mut rows: BTreeMap<Kind, Row> = BTreeMap::new();
    for (number, mapping) in mappings.iter().enumerate() {
        let before = number.checked_sub(1).map(|before| &mappings[before]);
        let base = base(mapping, before, stack_pointers);
        let shares = shares(mapping, &owned, base, pages);
        let largest = shares.iter().max_by_key(|(_, rss)| *rss).map_or(base, |(kind, _)| *kind);
        for (kind, rss) in shares {
            let row = row(&mut rows, kind);
            row.rss += rss;
            row.pss += part(mapping.pss, rss, mapping.rss);
        }
        // How much of these belongs to each part of a mapping is not told.
        let row = row(&mut rows, largest);
        row.anon_huge += mapping.anon_huge;
        row.lazy_free += mapping.lazy_free;
        row.swap += mapping.swap;
    }
    rows.into_values().filter(|row| row.rss + row.swap > 0).collect()
}

fn row(rows: &mut BTreeMap<Kind, Row>, kind: Kind) -> &mut Row {
    rows.entry(kind).or_insert(Row { kind, rss: 0, pss: 0, anon_huge: 0, lazy_free: 0, swap: 0 })
}

/// The share of `whole` that `part` is of `all`.
fn part(whole: u64, part: u64, all: u64) -> u64 {
    let share = u128::from(whole) * u128::from(part) / u128::from(all.max(1));
    u64::try_from(share).unwrap_or(u64::MAX)
}

/// What belongs to malloc, by address, none over another.
fn owned(malloc: &Malloc, walk: &Walk, mapped: &[Mapped]) -> Vec<(u64, u64, Kind)> {
    let arenas = malloc.arenas.iter().zip(&walk.arenas);
    let heaps = arenas.flat_map(|(arena, contents)| {
        let kind = if arena.main { Kind::MainHeap } else { Kind::ThreadArenas };
        contents.heaps.iter().map(move |heap| (heap.start, heap.end(), kind))
    });
    let blocks =
        mapped.iter().map(|block| (block.start, block.start.saturating_add(block.size), Kind::MappedBlocks));
    let mut owned: Vec<_> = heaps.chain(blocks).collect();
    owned.sort_unstable();
    owned.dedup_by(|next, before| next.0 < before.1);
    owned
}

/// How a mapping's resident bytes are shared out.
fn shares(mapping: &Mapping, owned: &[(u64, u64, Kind)], base: Kind, pages: &dyn Pages) -> Vec<(Kind, u64)> {
    let region = &mapping.region;
    let mut left = mapping.rss;
    let mut shares = Vec::new();
    let first = owned.partition_point(|(_, end, _)| *end <= region.start);
    for (start, end, kind) in owned[first..].iter().take_while(|(start, ..)| *start < region.end) {
        // A heap may begin or end within a page, which then is the heap's.
        let (start, end) = (start.max(&region.start) / PAGE * PAGE, *end.min(&region.end));
        let whole = start == region.start && end.div_ceil(PAGE) * PAGE >= region.end;
        let count = end.saturating_sub(start).div_ceil(PAGE) as usize;
        let present = || {
            let states = pages.states(start, count)?;
            Some(states.iter().filter(|state| **state == Page::Present).count() as u64 * PAGE)
        };
        let rss = if whole { left } else { present().unwrap_or(0).min(left) };
        left -= rss;
        shares.push((*kind, rss));
    }
    shares.push((base, left));
    shares
}

/// What a mapping is, but for what malloc owns of it.
fn base(mapping: &Mapping, before: Option<&Mapping>, stack_pointers: &[u64]) -> Kind {
    let region = &mapping.region;
    let shared = ["/dev/zero", "/dev/shm/", "/memfd:", "/SYSV", "[anon_shmem"];
    let guarded = before.is_some_and(|guard| {
        let closed = !guard.region.read && !guard.region.write && !guard.region.exec;
        closed
            && guard.region.end == region.start
            && !guard.region.has_file()
            && guard.region.len() <= LARGEST_GUARD
    });
    let anonymous = !region.has_file() && region.private_and_writable();
    if region.name == "[heap]" {
        Kind::MainHeap
    } else if region.name.starts_with("[stack")
        || anonymous && stack_pointers.iter().any(|at| region.contains(*at))
    {
        Kind::Stacks
    } else if region.shared && shared.iter().any(|name| region.name.starts_with(name)) {
        Kind::SharedMemory
    } else if region.has_file() {
        Kind::Files
    } else if anonymous && guarded {
        Kind::Stacks
    } else {
        Kind::Anonymous
    }
}
