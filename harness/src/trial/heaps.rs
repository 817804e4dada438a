//! glibc's arenas counted from outside, in the maps of a process that nobody can ask.
//!
//! A thread arena lives in heaps: anonymous mappings of `HEAP_MAX_SIZE` (64 MiB on 64-bit), aligned to it,
//! the first part readable and writable, the rest `PROT_NONE` (`new_heap` and `grow_heap`, malloc/arena.c).
//! An arena that outgrows its heap chains another, so that heaps are not arenas. Each heap begins with
//! `heap_info`: a pointer to its arena and one to the heap before it, which is null for the arena's first.
//! So the first heaps are counted, and the main arena, which has no heap, is added. Where the process's
//! memory may not be read, every heap counts as an arena: an upper bound.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::FileExt;

use arenalab_inspect::glibc::{self, Malloc, Settings};
use arenalab_inspect::{Live, Region};
use procfs::process::{MMPermissions, MMapPath, MemoryMap, Process};

/// `HEAP_MAX_SIZE` on 64-bit (malloc/arena.c; 2.35 to 2.41 with `glibc.malloc.hugetlb` excepted).
const HEAP: u64 = 64 << 20;

/// What a process shows of glibc's malloc.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Heap {
    /// Arenas, the main one included.
    pub arenas: u32,
    /// Whether they were told from the ring of arenas or from the heads of heaps; else heaps are counted.
    pub exact: bool,
    /// Bytes that its arenas and its mapped blocks have from the system.
    pub system: Option<u64>,
    /// Settings in force, by their keys.
    pub settings: BTreeMap<String, u64>,
}

/// The heap of a process that may run on glibc, by the structures of its malloc, which show the settings in force as well.
/// `None` where they are not found.
pub fn found(process: &Process, regions: &[Region]) -> Option<Heap> {
    let live = Live::open(process.pid.cast_unsigned()).ok()?;
    glibc::find(&live, regions).ok().map(|malloc| of(&malloc))
}

/// The same by the maps of a process that glibc is said to serve: arenas only.
pub fn counted(process: &Process, maps: &[MemoryMap]) -> Heap {
    let counted = count(process, maps);
    Heap { arenas: counted.arenas, exact: counted.exact, ..Heap::default() }
}

fn of(malloc: &Malloc) -> Heap {
    let mapped = malloc.settings.as_ref().map_or(0, |settings| settings.mmapped_bytes);
    Heap {
        arenas: u32::try_from(malloc.arenas.len()).unwrap_or(u32::MAX),
        exact: true,
        system: Some(malloc.system().saturating_add(mapped)),
        settings: malloc.settings.as_ref().map(in_force).unwrap_or_default(),
    }
}

/// The settings by the keys that candidates have. Whether huge pages are asked for shows only where they are: with
/// transparent ones always on, 1 changes nothing.
fn in_force(settings: &Settings) -> BTreeMap<String, u64> {
    let always = [
        ("arena_max", settings.arena_max),
        ("arena_test", settings.arena_test),
        ("trim_threshold", settings.trim_threshold),
        ("top_pad", settings.top_pad),
        ("mmap_threshold", settings.mmap_threshold),
        ("mmap_max", settings.mmap_max),
    ];
    let some = [("tcache_count", settings.tcache_count), ("tcache_max", settings.tcache_max)];
    let some = some.into_iter().filter_map(|(key, value)| Some((key, value?)));
    always.into_iter().chain(some).map(|(key, value)| (key.to_owned(), value)).collect()
}

/// What was counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counted {
    /// Arenas, the main one included.
    pub arenas: u32,
    /// Whether they were told from heaps; else `arenas` counts heaps.
    pub exact: bool,
}

/// Counts the arenas of a process whose malloc is glibc's.
pub fn count(process: &Process, maps: &[MemoryMap]) -> Counted {
    let memory = File::open(format!("/proc/{}/mem", process.pid)).ok();
    let starts = starts(maps);
    let mut counted = Counted { arenas: 1, exact: true };
    for start in starts {
        match memory.as_ref().and_then(|memory| head(memory, start)) {
            Some(head) => counted.arenas += u32::from(head.is_first(start)),
            None => counted = Counted { arenas: counted.arenas + 1, exact: false },
        }
    }
    counted
}

/// The addresses at which heaps may begin: aligned, writable, and with the whole of a heap mapped after them.
fn starts(maps: &[MemoryMap]) -> Vec<u64> {
    let anonymous = |map: &&MemoryMap| matches!(map.pathname, MMapPath::Anonymous | MMapPath::Other(_));
    let mapped: Vec<&MemoryMap> = maps.iter().filter(anonymous).collect();
    let writable = mapped.iter().filter(|map| map.perms.contains(MMPermissions::READ | MMPermissions::WRITE));
    let within = |map: &&&MemoryMap| {
        let (from, to) = map.address;
        (from.next_multiple_of(HEAP)..to).step_by(HEAP as usize).collect::<Vec<_>>()
    };
    let whole = |start: &u64| reaches(&mapped, *start) >= start + HEAP;
    writable.flat_map(|map| within(&map)).filter(whole).collect()
}

/// How far anonymous mappings go on from an address without a gap.
fn reaches(maps: &[&MemoryMap], from: u64) -> u64 {
    maps.iter()
        .fold(from, |end, map| if map.address.0 <= end && map.address.1 > end { map.address.1 } else { end })
}

/// The first words of `heap_info`.
struct Head {
    arena: u64,
    before: u64,
    size: u64,
}

impl Head {
    /// Whether these are of an arena's first heap: its arena lies right behind them, and none came before.
    fn is_first(&self, start: u64) -> bool {
        let behind = self.arena > start && self.arena < start + 4096;
        behind && self.before == 0 && self.size > 0 && self.size <= HEAP
    }
}

fn head(memory: &File, start: u64) -> Option<Head> {
    let mut bytes = [0u8; 24];
    memory.read_exact_at(&mut bytes, start).ok()?;
    let word = |at: usize| Some(u64::from_ne_bytes(bytes.get(at..at + 8)?.try_into().ok()?));
    Some(Head { arena: word(0)?, before: word(8)?, size: word(16)? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use procfs::FromRead;
    use procfs::process::MemoryMaps;

    fn starts_in(text: &str) -> Vec<u64> {
        starts(&MemoryMaps::from_read(text.as_bytes()).unwrap().0)
    }

    #[test]
    fn a_heap_is_aligned_and_whole() {
        let heap = "7f0000000000-7f0000021000 rw-p 00000000 00:00 0 \n\
                    7f0000021000-7f0004000000 ---p 00000000 00:00 0 \n";
        assert_eq!(starts_in(heap), [0x7f00_0000_0000]);
        let cut = "7f0000000000-7f0000021000 rw-p 00000000 00:00 0 \n";
        assert!(starts_in(cut).is_empty());
        let elsewhere = "7f0000100000-7f0004100000 rw-p 00000000 00:00 0 \n";
        assert!(starts_in(elsewhere).is_empty());
        let file = "7f0000000000-7f0004000000 rw-p 00000000 08:01 7 /lib/x.so\n";
        assert!(starts_in(file).is_empty());
    }

    #[test]
    fn neighbours_that_the_kernel_has_merged_are_two() {
        let full = "7f0000000000-7f0004021000 rw-p 00000000 00:00 0 \n\
                    7f0004021000-7f0008000000 ---p 00000000 00:00 0 \n";
        assert_eq!(starts_in(full), [0x7f00_0000_0000, 0x7f00_0400_0000]);
    }

    #[test]
    fn only_the_first_heap_of_an_arena_counts() {
        let start = 0x7f00_0000_0000;
        let head = |arena, before| Head { arena, before, size: 0x21000 };
        assert!(head(start + 0x30, 0).is_first(start));
        assert!(!head(start - HEAP + 0x30, start - HEAP).is_first(start));
        assert!(!Head { arena: 0, before: 0, size: 0 }.is_first(start), "a large zeroed block");
    }
}
