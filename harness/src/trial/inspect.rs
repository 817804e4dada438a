//! A look at a live process that is no trial: what serves malloc in it, and what its heap holds. It is neither
//! stopped nor changed.

pub mod core;
mod refused;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use arenalab_inspect::glibc::{How, Locks, Malloc, NotFound, Sampled, Walk};
use arenalab_inspect::pages::{Pagemap, Pages, Unknown};
use arenalab_inspect::rows::{Kind, rows};
use arenalab_inspect::{Live, Region, glibc};

use super::elf;
use super::libc_root::banner;
use crate::format::inspect::{
    Allocator, Arena, ArenaLimit, Cached, Contention, InUse, Inspected, Mapped, NotSeen, Row, Settings,
};
use crate::knowledge::arena_limit::{Asked, Cpus, limit};
use crate::knowledge::libraries;
use crate::units::format_bytes;

/// The largest blocks that are listed.
const LISTED: usize = 10;
/// A standard error of free bytes, as a part of them, up to which advice can rest on them.
const CERTAIN: f64 = 0.05;
/// Variables that steer an allocator, or were meant to: misspelt ones too.
const STEERING: [&str; 5] = ["MALLOC", "GLIBC_TUN", "LD_PRELOAD=", "MIMALLOC_", "TCMALLOC_"];

/// The processes of a name, as the kernel keeps it (its first 15 bytes), or as its program's file is called.
pub fn named(name: &str) -> Vec<u32> {
    let own = std::process::id();
    let pids = fs::read_dir("/proc").into_iter().flatten().flatten();
    let mut found: Vec<u32> = pids.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    found.retain(|pid| {
        let exe = fs::read_link(format!("/proc/{pid}/exe")).ok();
        let file = exe.as_deref().and_then(Path::file_name).is_some_and(|file| file == name);
        *pid != own && (file || comm(*pid).is_some_and(|comm| comm == name))
    });
    found.sort_unstable();
    found
}

/// Whether there is a process with this PID.
pub fn exists(pid: u32) -> bool {
    comm(pid).is_some()
}

fn comm(pid: u32) -> Option<String> {
    let bytes = fs::read(format!("/proc/{pid}/comm")).ok()?;
    Some(String::from_utf8_lossy(&bytes).trim_end_matches('\n').to_owned())
}

/// How a process is looked at.
#[derive(Clone, Copy, Debug, Default)]
pub struct Look {
    /// Whether every chunk is looked at.
    pub deep: bool,
    /// For how long the arenas' mutexes are sampled, if at all.
    pub contention: Option<Duration>,
}

/// The time between two samples of the mutexes.
const BETWEEN_SAMPLES: Duration = Duration::from_millis(1);

/// Looks at a process; `None` where there is none with this PID. What may not be seen is named in the answer.
pub fn look(pid: u32, how: Look) -> Option<Inspected> {
    let mut seen = Inspected { format: crate::format::FORMAT, pid, comm: comm(pid)?, ..Inspected::default() };
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    seen.rss = number(&status, "VmRSS:").map(|kib| kib * 1024);
    seen.threads = number(&status, "Threads:");
    "unknown".clone_into(&mut seen.allocator.name);
    match Live::open(pid) {
        Ok(live) => inside(&live, how, &mut seen),
        Err(error) => refused::tell(&error, &status, &mut seen),
    }
    // It may have ended meanwhile.
    Path::new(&format!("/proc/{pid}")).exists().then_some(seen)
}

/// A field of `/proc/PID/status`.
fn number(status: &str, field: &str) -> Option<u64> {
    let rest = status.lines().find_map(|line| line.strip_prefix(field))?;
    rest.split_whitespace().next()?.parse().ok()
}

fn not_seen(seen: &mut Inspected, what: &str, why: &str) {
    seen.not_seen.push(NotSeen { what: what.to_owned(), why: why.to_owned() });
}

fn inside(live: &Live, how: Look, seen: &mut Inspected) {
    let regions = live.regions().unwrap_or_default();
    seen.environment = environment(seen.pid);
    let pagemap = live.pagemap();
    if pagemap.is_err() {
        not_seen(
            seen,
            "which pages are in memory",
            "/proc/PID/pagemap may not be read; CAP_SYS_PTRACE shows it",
        );
    }
    let pages: &dyn Pages = match &pagemap {
        Ok(pagemap) => pagemap as &Pagemap,
        Err(_) => &Unknown,
    };
    let found = glibc::find(live, &regions);
    seen.allocator = allocator(seen.pid, &regions, &found);
    let heaps = found.ok().filter(Malloc::in_use).map(|malloc| {
        let walk = malloc.walk(live, &regions, pages, if how.deep { How::DEEP } else { How::QUICK });
        let mapped = malloc.mapped(live, &regions, pages, &walk);
        heaps(&malloc, &walk, &mapped, seen);
        if let Some(time) = how.contention {
            contention(live, &malloc, time, seen);
        }
        (malloc, walk, mapped)
    });
    match live.mappings() {
        Ok(mappings) => {
            let heaps = heaps.as_ref().map(|(malloc, walk, mapped)| (malloc, walk, &mapped[..]));
            let rows = rows(&mappings, heaps, pages, &live.stack_pointers());
            seen.rows = rows.iter().map(row).collect();
        }
        Err(error) => not_seen(seen, "where its resident memory is", &format!("/proc/PID/smaps: {error}")),
    }
}

/// Samples the arenas' mutexes for a while.
fn contention(live: &Live, malloc: &Malloc, time: Duration, seen: &mut Inspected) {
    let mut locks = Locks::of(malloc);
    let begun = Instant::now();
    while begun.elapsed() < time {
        locks.look(live);
        std::thread::sleep(BETWEEN_SAMPLES);
    }
    for (arena, sampled) in seen.arenas.iter_mut().zip(locks.seen()) {
        let Sampled { looks, held, waited_for } = sampled;
        arena.contention = (looks > 0).then_some(Contention { looks, held, waited_for });
    }
}

pub(super) fn row(row: &arenalab_inspect::rows::Row) -> Row {
    let kind = match row.kind {
        Kind::MainHeap => "main heap",
        Kind::ThreadArenas => "thread arenas",
        Kind::MappedBlocks => "mapped blocks",
        Kind::Stacks => "stacks",
        Kind::Files => "files",
        Kind::SharedMemory => "shared memory",
        Kind::Anonymous => "other anonymous",
    };
    let (anon_huge, lazy_free) = (row.anon_huge, row.lazy_free);
    Row { kind: kind.to_owned(), rss: row.rss, pss: Some(row.pss), anon_huge, lazy_free, swap: row.swap }
}

fn environment(pid: u32) -> Vec<String> {
    let bytes = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    let all = bytes.split(|byte| *byte == 0).map(|one| String::from_utf8_lossy(one).into_owned());
    all.filter(|one| STEERING.iter().any(|name| one.starts_with(name))).collect()
}

/// What serves malloc: glibc where its malloc holds memory, else what the mapped files and the program tell.
pub(super) fn allocator(pid: u32, regions: &[Region], found: &Result<Malloc, NotFound>) -> Allocator {
    let say = |name: &str, how: String| Allocator { name: name.to_owned(), version: None, how };
    let library = regions.iter().find_map(|region| {
        let file = region.name.rsplit('/').next()?;
        let musl = || file.starts_with("ld-musl").then_some("musl");
        libraries::allocator(file).or_else(musl).map(|name| (name, &region.name))
    });
    match found {
        Ok(malloc) if malloc.in_use() => {
            let beside =
                library.map_or_else(String::new, |(_, path)| format!("; {path} is mapped beside it"));
            let how = format!("its main arena is in {}, and it holds memory{beside}", malloc.place.name);
            Allocator { version: version(pid, &malloc.place), ..say("glibc", how) }
        }
        _ => {
            let nothing = match found {
                Ok(_) => "glibc's malloc holds nothing".to_owned(),
                Err(why) => why.to_string(),
            };
            if let Some((name, path)) = library {
                return say(name, format!("{path} is mapped, and {nothing}"));
            }
            let facts = elf::read(&PathBuf::from(format!("/proc/{pid}/exe"))).unwrap_or_default();
            match facts.allocator {
                _ if facts.go => say("its own", format!("it is a Go program, with Go's own heap; {nothing}")),
                Some(name) => say(name, format!("the program has its symbols, and {nothing}")),
                None if facts.musl => say("musl", format!("the program runs on musl, and {nothing}")),
                None if facts.own_malloc => {
                    say("its own", format!("the program defines malloc, and {nothing}"))
                }
                None => say("unknown", nothing),
            }
        }
    }
}

/// The version of the glibc that the main arena lies in, read through the process's own root.
fn version(pid: u32, place: &Region) -> Option<String> {
    /// The last one that was read: a process that is looked at every second has its library read once.
    static LAST: Mutex<Option<(u32, Region, Option<String>)>> = Mutex::new(None);
    let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, _, version)) = last.as_ref().filter(|(of, at, _)| (*of, at) == (pid, place)) {
        return version.clone();
    }
    let path = place.name.trim_end_matches(" (deleted)");
    let version = banner::of_file(Path::new(&format!("/proc/{pid}/root{path}")));
    *last = Some((pid, place.clone(), version.clone()));
    version
}

fn heaps(malloc: &Malloc, walk: &Walk, mapped: &[glibc::Mapped], seen: &mut Inspected) {
    seen.arenas = malloc
        .arenas
        .iter()
        .zip(&walk.arenas)
        .map(|(arena, contents)| Arena {
            main: arena.main,
            threads: arena.attached_threads,
            heaps: contents.heaps.len() as u64,
            system: contents.system,
            max_system: arena.max_system,
            in_use: contents.in_use,
            free: contents.free,
            free_chunks: contents.free_chunks,
            largest_free: contents.largest_free,
            above_largest: contents.above_largest,
            free_resident: contents.free_resident,
            fast: contents.fast,
            top: contents.top,
            top_resident: contents.top_resident,
            rss: contents.resident,
            swapped: contents.swapped,
            trim_gives: contents.trim_gives,
            moved: contents.moved,
            free_error: contents.free_error,
            contention: None,
        })
        .collect();
    seen.free_by_size = free_by_size(walk);
    let sum =
        |field: fn(&glibc::Contents) -> u32| walk.arenas.iter().map(|one| u64::from(field(one))).sum::<u64>();
    seen.torn_walks = sum(|one| one.torn_bins);
    seen.retries = sum(|one| one.retries) + u64::from(malloc.retries);
    seen.free_is_whole = seen.torn_walks == 0;
    if seen.torn_walks > 0 {
        let why = format!(
            "{} lists changed each time that they were read; free bytes are at least what is said",
            seen.torn_walks
        );
        not_seen(seen, "all free chunks", &why);
    }
    let moved = walk.arenas.iter().filter(|one| one.moved).count();
    if moved > 0 {
        let why = format!(
            "{moved} of {} changed each time that they were read; their figures are of several moments, some milliseconds \
             apart",
            walk.arenas.len()
        );
        not_seen(seen, "all arenas at one moment", &why);
    }
    sampled(walk, seen);
    if walk.arenas.iter().zip(&malloc.arenas).any(|(one, arena)| one.heaps.is_empty() && arena.system > 0) {
        let why = "an arena is not in one piece, or changed each time that it was read; its rss is unknown";
        not_seen(seen, "the heaps of all arenas", why);
    }
    if let Some(deep) = &walk.deep {
        let coverage = if deep.system == 0 { 1.0 } else { deep.covered as f64 / deep.system as f64 };
        seen.tcache = Some(Cached {
            caches: deep.caches,
            chunks: deep.cached_chunks,
            bytes: deep.cached_bytes,
            coverage: coverage.min(1.0),
        });
        seen.in_use_by_size = deep.in_use.iter().map(class).collect();
    }
    let Some(settings) = &malloc.settings else {
        not_seen(seen, "the settings in force", "no place in memory, or more than one, looked like them");
        return;
    };
    let mut largest: Vec<u64> = mapped.iter().map(|block| block.size).collect();
    largest.sort_unstable_by(|a, b| b.cmp(a));
    largest.truncate(LISTED);
    let (count, bytes) = (settings.mmapped_count, settings.mmapped_bytes);
    seen.mmapped = Some(Mapped { count, bytes, found: mapped.len() as u64, largest });
    seen.arena_limit = Some(arena_limit(seen, settings));
    seen.settings = Some(Settings {
        arena_max: settings.arena_max,
        arena_test: settings.arena_test,
        trim_threshold: settings.trim_threshold,
        top_pad: settings.top_pad,
        mmap_threshold: settings.mmap_threshold,
        mmap_max: settings.mmap_max,
        dynamic_thresholds: !settings.no_dyn_threshold,
        tcache_count: settings.tcache_count,
        tcache_max: settings.tcache_max,
        thp_pagesize: settings.thp_pagesize,
        hp_pagesize: settings.hp_pagesize,
    });
}

/// Says of arenas that were not read whole how far their figures can be trusted.
fn sampled(walk: &Walk, seen: &mut Inspected) {
    let errors: Vec<f64> =
        walk.arenas.iter().filter_map(|one| one.free_error).map(|error| error as f64).collect();
    if !errors.is_empty() {
        let error = errors.iter().map(|error| error * error).sum::<f64>().sqrt();
        let free = walk.arenas.iter().map(|one| one.free as f64).sum::<f64>();
        let share = if free > 0.0 { error / free } else { f64::INFINITY };
        let why = format!(
            "{} of {} arenas have more than a quick look reads: places in them were chosen by chance, and free bytes of all \
             arenas are within {:.1} % (the standard error, {}); --deep reads all",
            errors.len(),
            walk.arenas.len(),
            share * 100.0,
            format_bytes(error)
        );
        seen.free_is_whole &= share <= CERTAIN;
        not_seen(seen, "all free chunks", &why);
    }
    if walk.arenas.iter().any(|one| one.cut) {
        let read: u64 = walk.arenas.iter().map(|one| one.free_chunks).sum();
        let why = format!(
            "there are more than the {read} that were read, or more in a fast bin than are ever read; free bytes, and what trimming \
             gives, are at least what is said; --deep reads all other lists"
        );
        seen.free_is_whole = false;
        not_seen(seen, "all free chunks", &why);
    }
}

fn class(one: &glibc::InUse) -> InUse {
    InUse { below: one.below, chunks: one.chunks, bytes: one.bytes }
}

/// The free chunks of all arenas by size.
fn free_by_size(walk: &Walk) -> Vec<InUse> {
    let mut all: BTreeMap<u64, InUse> = BTreeMap::new();
    for one in walk.arenas.iter().flat_map(|contents| &contents.free_by_size) {
        let sum = all.entry(one.below).or_insert(InUse { below: one.below, chunks: 0, bytes: 0 });
        sum.chunks += one.chunks;
        sum.bytes = sum.bytes.saturating_add(one.bytes);
    }
    all.into_values().collect()
}

fn arena_limit(seen: &Inspected, settings: &glibc::Settings) -> ArenaLimit {
    let version = seen.allocator.version.as_deref().and_then(|version| version.parse().ok());
    let online = super::host::fingerprint(None).map_or(1, |host| host.cpus_online);
    let pid = i32::try_from(seen.pid).ok().and_then(rustix::process::Pid::from_raw);
    let mask = rustix::thread::sched_getaffinity(pid).map(|set| set.count());
    let allowed = mask.ok().filter(|_| pid.is_some()).unwrap_or(online);
    let asked = Asked {
        arena_max: Some(settings.arena_max).filter(|max| *max > 0),
        arena_test: Some(settings.arena_test),
    };
    let limit = limit(version, Cpus { online, allowed }, asked);
    ArenaLimit { low: limit.low, high: Some(limit.high).filter(|high| *high != u64::MAX) }
}
