//! The settings in force: glibc's `mp_` (malloc/malloc.c: `malloc_par`), which the environment, `GLIBC_TUNABLES` and
//! the program's own `mallopt` have all written to.

use super::{Arena, Layout};
use crate::Memory;
use crate::memory::{word, words};
use crate::regions::{self, Region};

/// How far from the main arena it is looked for, in bytes. Seen: 2.3 to 2.5 kB below it.
const REACH: u64 = 64 << 10;
/// How often it is read again.
const MOST_RETRIES: u32 = 10;
/// Words read of it.
const WORDS: usize = 18;
/// The largest block that a thread's cache can be told to keep is 4 MiB (from 2.42 on).
const MOST_CACHED: u64 = 8 << 20;
/// Signs that the settings have to have: see [`Known::likeness`].
const LEAST_LIKENESS: u32 = 3;

/// The settings in force, and what goes with them. Sizes are in bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// Where it was found.
    pub address: u64,
    /// The most arenas; 0 where not set, which means 8 a CPU (after `arena_test` of them).
    pub arena_max: u64,
    /// Arenas that are made before CPUs are counted, where `arena_max` is not set.
    pub arena_test: u64,
    /// The size of the main arena's top from which on it is given back. It rises with `mmap_threshold`.
    pub trim_threshold: u64,
    /// Bytes asked for beyond what is needed.
    pub top_pad: u64,
    /// The size from which on a block gets a mapping of its own. It rises as such blocks are freed, unless
    /// [`no_dyn_threshold`](Self::no_dyn_threshold).
    pub mmap_threshold: u64,
    /// The most blocks with a mapping of their own (`n_mmaps_max`).
    pub mmap_max: u64,
    /// Whether the thresholds stay as they are, because one of them (or `top_pad`, or `mmap_max`) was set.
    pub no_dyn_threshold: bool,
    /// Blocks with a mapping of their own now.
    pub mmapped_count: u64,
    /// Their bytes.
    pub mmapped_bytes: u64,
    /// The most bytes that they ever had.
    pub max_mmapped_bytes: u64,
    /// Where the main arena's first memory begins; 0 before it has any.
    pub sbrk_base: u64,
    /// The most chunks a size in each thread's cache; `None` before 2.26, which has no such cache.
    pub tcache_count: Option<u64>,
    /// The largest block that goes into a thread's cache; `None` before 2.26.
    pub tcache_max: Option<u64>,
    /// The size of transparent huge pages that `madvise` is asked for, 0 where it is not (`glibc.malloc.hugetlb=1`);
    /// `None` before 2.35.
    pub thp_pagesize: Option<u64>,
    /// The size of huge pages that memory is mapped with, 0 where it is not (`glibc.malloc.hugetlb=2`); `None` before
    /// 2.35.
    pub hp_pagesize: Option<u64>,
}

/// Where a release has its fields, as words from the start.
struct Fields {
    /// `thp_pagesize`, which `hp_pagesize` follows.
    huge: Option<usize>,
    /// `n_mmaps` and `n_mmaps_max`, which `max_n_mmaps` and `no_dyn_threshold` follow in the next word.
    counts: usize,
    /// Whether `counts` begins in the upper half of the word, after `hp_flags`.
    half: bool,
    mmapped: usize,
    sbrk_base: usize,
    /// `tcache_bins`, `tcache_max_bytes`, `tcache_count`.
    tcache: Option<usize>,
}

/// 2.23 to 2.25.
const A: Fields = Fields { huge: None, counts: 5, half: false, mmapped: 7, sbrk_base: 10, tcache: None };
/// 2.26 to 2.34.
const B: Fields = Fields { huge: None, counts: 5, half: false, mmapped: 7, sbrk_base: 9, tcache: Some(10) };
/// 2.35 to 2.42.
const C: Fields =
    Fields { huge: Some(5), counts: 7, half: true, mmapped: 10, sbrk_base: 12, tcache: Some(13) };
/// From 2.43 on.
const D: Fields =
    Fields { huge: Some(6), counts: 8, half: true, mmapped: 11, sbrk_base: 13, tcache: Some(14) };

/// The fields that go with an arena's layout.
fn fields(layout: Layout) -> &'static [Fields] {
    match (layout.bins, layout.heap_info) {
        (24, _) => &[D],
        (104, _) => &[A, B],
        (_, Some(0x20)) => &[B],
        (_, Some(0x30)) => &[C],
        _ => &[B, C],
    }
}

/// Finds the settings near the main arena, and how often they had to be read again.
pub fn find(
    memory: &dyn Memory,
    regions: &[Region],
    place: &Region,
    main: &Arena,
    layout: Layout,
) -> (Option<Settings>, u32) {
    let start = place.start.max(main.address.saturating_sub(REACH) / 8 * 8);
    let end = place.end.min(main.address.saturating_add(REACH));
    let count = (end.saturating_sub(start) / 8) as usize;
    for retries in 0..MOST_RETRIES {
        let Ok(near) = words(memory, start, count) else { continue };
        let known = Known { regions, main, top_end: top_end(memory, main) };
        let windows = (start..).step_by(8).zip(near.windows(WORDS));
        let read = |(at, words)| fields(layout).iter().filter_map(move |fields| read(at, words, fields));
        let judged = windows.flat_map(read).filter_map(|found| Some((known.likeness(&found)?, found)));
        let mut best: Vec<(u32, Settings)> = judged.collect();
        let most = best.iter().map(|(likeness, _)| *likeness).max();
        best.retain(|(likeness, _)| Some(*likeness) == most);
        if most.is_some() {
            let one = if best.len() == 1 { best.pop() } else { None };
            return (one.map(|(_, settings)| settings), retries);
        }
    }
    (None, MOST_RETRIES)
}

/// The address after the main arena's top.
fn top_end(memory: &dyn Memory, main: &Arena) -> Option<u64> {
    let size = word(memory, main.top.checked_add(8)?).ok()? & !7;
    main.top.checked_add(size).filter(|_| main.top != 0)
}

/// Reads what may be the settings; `None` where it contradicts itself.
fn read(address: u64, words: &[u64], fields: &Fields) -> Option<Settings> {
    let int = |index: usize| {
        let number = words[index / 2] >> (index % 2 * 32) & 0xffff_ffff;
        i32::try_from(number).ok().map(i64::from)?.try_into().ok()
    };
    let first = fields.counts * 2 + usize::from(fields.half);
    let (count, mmap_max, most): (u64, u64, u64) = (int(first)?, int(first + 1)?, int(first + 2)?);
    let no_dyn: u64 = int(first + 3)?;
    let (bytes, max_bytes) = (words[fields.mmapped], words[fields.mmapped + 1]);
    let counts_right =
        count <= most && (count == 0) == (bytes == 0) && bytes.is_multiple_of(4096) && bytes <= max_bytes;
    let huge = fields.huge.map(|at| [words[at], words[at + 1]]);
    let huge_right = huge.is_none_or(|sizes| sizes.iter().all(|size| *size == 0 || is_huge(*size)));
    let tcache = fields.tcache.map(|at| [words[at], words[at + 1], words[at + 2]]);
    let tcache_right = tcache
        .is_none_or(|[bins, most, count]| bins <= 128 && most <= MOST_CACHED && u16::try_from(count).is_ok());
    let right = counts_right && huge_right && tcache_right && no_dyn <= 1 && (1..1 << 32).contains(&words[3]);
    right.then_some(Settings {
        address,
        trim_threshold: words[0],
        top_pad: words[1],
        mmap_threshold: words[2],
        arena_test: words[3],
        arena_max: words[4],
        mmap_max,
        no_dyn_threshold: no_dyn == 1,
        mmapped_count: count,
        mmapped_bytes: bytes,
        max_mmapped_bytes: max_bytes,
        sbrk_base: words[fields.sbrk_base],
        tcache_count: tcache.map(|[_, _, count]| count),
        tcache_max: tcache.map(|[_, most, _]| most),
        thp_pagesize: huge.map(|[transparent, _]| transparent),
        hp_pagesize: huge.map(|[_, mapped]| mapped),
    })
}

fn is_huge(size: u64) -> bool {
    size.is_power_of_two() && (1 << 16..=1 << 34).contains(&size)
}

/// What the settings must agree with.
struct Known<'a> {
    regions: &'a [Region],
    main: &'a Arena,
    top_end: Option<u64>,
}

impl Known<'_> {
    /// How much they look like the settings; `None` where they cannot be.
    fn likeness(&self, settings: &Settings) -> Option<u32> {
        let base = settings.sbrk_base;
        let writable = || regions::at(self.regions, base).is_some_and(Region::private_and_writable);
        let right = if self.main.system == 0 { base == 0 } else { writable() };
        // The main arena begins there and ends with its top, unless something else called `sbrk` too.
        let whole = base != 0 && base.checked_add(self.main.system) == self.top_end;
        let defaults = [
            settings.trim_threshold == 128 << 10,
            settings.top_pad == 128 << 10,
            settings.mmap_threshold == 128 << 10,
            settings.arena_test == 8,
            settings.mmap_max == 1 << 16,
            matches!(settings.tcache_count, Some(7 | 16)),
            settings.tcache_max.is_some_and(|most| (1024..=1040).contains(&most)),
        ];
        let likeness = u32::from(whole) * 8 + defaults.iter().map(|default| u32::from(*default)).sum::<u32>();
        (right && likeness >= LEAST_LIKENESS).then_some(likeness)
    }
}
