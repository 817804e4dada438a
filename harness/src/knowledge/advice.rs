//! What follows from what was seen of a live process's heap. Each rule has figures that must be reached, so that a
//! small or healthy process is told nothing.

mod costs;
mod settings;

use crate::format::inspect::{Advice, Arena, InUse, Inspected};
use crate::units::format_bytes;

/// Memory below which nothing is worth a change.
const WORTH: u64 = 32 << 20;
/// The size from which on blocks have mappings of their own, unless it has risen.
const MMAP_THRESHOLD: u64 = 128 << 10;

fn bytes(bytes: u64) -> String {
    format_bytes(bytes as f64)
}

/// A rule: what it says of a process, or nothing.
type Rule = fn(&Inspected) -> Option<Advice>;

/// All advice for a process, the most telling first.
pub fn of(seen: &Inspected) -> Vec<Advice> {
    let rules: [Rule; 16] = [
        settings::misspelt,
        settings::not_in_force,
        settings::other_allocator,
        elsewhere,
        costs::contended,
        risen_threshold,
        pinned,
        trim,
        thread_tops,
        holes,
        arenas,
        left_behind,
        costs::caches,
        costs::huge_pages,
        mapped,
        in_use,
    ];
    rules.iter().filter_map(|rule| rule(seen)).collect()
}

fn advice(rule: &str, evidence: String, source: &str, next: &str) -> Advice {
    let (rule, source, next) = (rule.to_owned(), source.to_owned(), next.to_owned());
    Advice { rule, evidence, source, next }
}

fn sum(seen: &Inspected, field: impl Fn(&Arena) -> u64) -> u64 {
    seen.arenas.iter().map(field).fold(0, u64::saturating_add)
}

fn is_glibc(seen: &Inspected) -> bool {
    seen.allocator.name == "glibc"
}

/// Free bytes of an arena.
fn free(arena: &Arena) -> u64 {
    arena.free.saturating_add(arena.fast).saturating_add(arena.top)
}

/// Whether `part` is at least so many hundredths of `whole`.
fn is_share(part: u64, whole: u64, percent: u64) -> bool {
    whole > 0 && u128::from(part) * 100 >= u128::from(whole) * u128::from(percent)
}

/// Anonymous memory that is not malloc's.
fn elsewhere(seen: &Inspected) -> Option<Advice> {
    let of = |kinds: &[&str]| -> u64 {
        seen.rows.iter().filter(|row| kinds.contains(&row.kind.as_str())).map(|row| row.rss).sum()
    };
    let malloc = of(&["main heap", "thread arenas", "mapped blocks"]);
    let other = of(&["stacks", "other anonymous", "shared memory"]);
    if !is_glibc(seen) || other < WORTH || !is_share(other, malloc + other, 50) {
        return None;
    }
    Some(advice(
        "memory is elsewhere",
        format!("{} of {} without a file is not glibc's malloc", bytes(other), bytes(malloc + other)),
        "Linux: proc_pid_smaps(5)",
        "look at managed heaps, stacks and the program's own mmap first: no malloc setting changes them",
    ))
}

fn risen_threshold(seen: &Inspected) -> Option<Advice> {
    let settings = seen.settings.as_ref()?;
    let freed = sum(seen, free);
    let big = seen.arenas.iter().any(|arena| arena.largest_free >= MMAP_THRESHOLD);
    let risen = settings.dynamic_thresholds && settings.mmap_threshold > MMAP_THRESHOLD;
    if !risen || !big || freed < WORTH || !is_share(freed, sum(seen, |arena| arena.system), 30) {
        return None;
    }
    let threshold = bytes(settings.mmap_threshold);
    Some(advice(
        "risen threshold",
        format!(
            "mmap_threshold has risen to {threshold}: blocks below it now stay in arenas, where {} are free",
            bytes(freed)
        ),
        "mallopt(3), M_MMAP_THRESHOLD: the dynamic threshold; xearthlayer#242, seaweedfs#11255",
        "measure with the threshold fixed: arenalab sweep --candidate glibc:mmap_threshold=1MiB -- COMMAND",
    ))
}

/// The main arena is one large hole below a few chunks: `free` only ever gives back top.
fn pinned(seen: &Inspected) -> Option<Advice> {
    let main = seen.arenas.iter().find(|arena| arena.main)?;
    let above = main.above_largest?;
    let hole = main.largest_free;
    let few = is_share(hole, main.system, 50) && above <= hole / 8;
    if hole < WORTH || !few || !is_share(main.trim_gives?, hole, 50) || !is_share(hole, seen.rss?, 10) {
        return None;
    }
    Some(advice(
        "pinned top",
        format!(
            "{} are free in one piece of the main arena, and {} above it keep it: free() gives back the end of the heap only",
            bytes(hole),
            bytes(above)
        ),
        "glibc, malloc/malloc.c: systrim; nodejs#21332",
        "malloc_trim(0) gives it back in spite of them; allocate what lives long before the burst, or in another arena",
    ))
}

fn trim(seen: &Inspected) -> Option<Advice> {
    let gives = seen.arenas.iter().filter_map(|arena| arena.trim_gives).fold(0, u64::saturating_add);
    if pinned(seen).is_some() || gives < WORTH || !is_share(gives, seen.rss?, 10) {
        return None;
    }
    Some(advice(
        "freed but kept",
        format!("malloc_trim(0) would give back {} of {} now", bytes(gives), bytes(seen.rss?)),
        "malloc_trim(3); asterisk#2157, vllm-omni#6462",
        "call malloc_trim(0) after bursts (a JVM: jcmd PID System.trim_native_heap), or measure: arenalab sweep \
         --candidate glibc:trim_threshold=128KiB -- COMMAND",
    ))
}

fn thread_tops(seen: &Inspected) -> Option<Advice> {
    let kept = seen.arenas.iter().filter(|arena| !arena.main).filter_map(|arena| arena.top_resident).sum();
    if kept < WORTH || !is_share(kept, seen.rss?, 10) {
        return None;
    }
    Some(advice(
        "tops of threads' arenas",
        format!(
            "{} are free at the ends of threads' arenas, which malloc_trim does not give back",
            bytes(kept)
        ),
        "glibc, malloc/malloc.c: mtrim, and malloc/arena.c: heap_trim",
        "measure a lower trim_threshold, or fewer arenas: arenalab sweep --arena-max default,1,2,4 -- COMMAND",
    ))
}

fn holes(seen: &Inspected) -> Option<Advice> {
    let (freed, system) = (sum(seen, |arena| arena.free + arena.fast), sum(seen, |arena| arena.system));
    let gives: Option<u64> = seen.arenas.iter().map(|arena| arena.trim_gives).sum();
    if !seen.free_is_whole || freed < WORTH || !is_share(freed, system, 20) || is_share(gives?, freed, 30) {
        return None;
    }
    Some(advice(
        "fragmented",
        format!(
            "{} of {} are free, but only {} of it in whole pages{}",
            bytes(freed),
            bytes(system),
            bytes(gives?),
            most_pieces(&seen.free_by_size)
        ),
        "glibc, malloc/malloc.c: mtrim gives back whole pages only; omi#6938",
        "neither trimming nor fewer arenas helps: measure another allocator (arenalab sweep --allocators \
         glibc,jemalloc,mimalloc), or keep long-lived objects apart",
    ))
}

/// Which pieces most free bytes are in, as a clause.
fn most_pieces(sizes: &[InUse]) -> String {
    let most = sizes.iter().max_by_key(|class| class.bytes);
    most.map_or_else(String::new, |class| {
        let (from, below) = (bytes(class.below / 2), bytes(class.below));
        format!("; {} are in {} pieces of {from} to {below}", bytes(class.bytes), class.chunks)
    })
}

fn arenas(seen: &Inspected) -> Option<Advice> {
    let mostly_free: Vec<&Arena> =
        seen.arenas.iter().filter(|arena| !arena.main && is_share(free(arena), arena.system, 50)).collect();
    let freed: u64 = mostly_free.iter().map(|arena| free(arena)).sum();
    if mostly_free.len() < 4 || freed < WORTH || risen_threshold(seen).is_some() {
        return None;
    }
    Some(advice(
        "many arenas, mostly free",
        format!(
            "{} of {} arenas are at least half free, with {} together: that is the most that fewer arenas could save",
            mostly_free.len(),
            seen.arenas.len(),
            bytes(freed)
        ),
        "mallopt(3), M_ARENA_MAX; amule#1095",
        "measure what it costs: arenalab sweep --arena-max default,1,2,4 -- COMMAND",
    ))
}

fn left_behind(seen: &Inspected) -> Option<Advice> {
    let left: Vec<&Arena> = seen.arenas.iter().filter(|arena| arena.threads == Some(0)).collect();
    let held: u64 = left.iter().filter_map(|arena| arena.rss).sum();
    if held < WORTH {
        return None;
    }
    Some(advice(
        "arenas without threads",
        format!(
            "{} arenas have no thread any more, and {} resident; only new threads use them again",
            left.len(),
            bytes(held)
        ),
        "glibc, malloc/arena.c: detach_arena, get_free_list",
        "keep a fixed pool of threads, or measure fewer arenas: arenalab sweep --arena-max default,1,2,4 -- COMMAND",
    ))
}

fn mapped(seen: &Inspected) -> Option<Advice> {
    let blocks = seen.mmapped.as_ref()?;
    let resident: u64 = seen.rows.iter().filter(|row| row.kind == "mapped blocks").map(|row| row.rss).sum();
    if resident < WORTH || !is_share(resident, seen.rss?, 50) {
        return None;
    }
    let largest =
        blocks.largest.first().map_or_else(String::new, |size| format!(", the largest of {}", bytes(*size)));
    Some(advice(
        "large blocks",
        format!("{} are in {} large blocks{largest}, each outside the arenas", bytes(resident), blocks.count),
        "mallopt(3), M_MMAP_THRESHOLD",
        "the program holds them: arenas and trimming do not change them",
    ))
}

fn in_use(seen: &Inspected) -> Option<Advice> {
    let (used, system) = (sum(seen, |arena| arena.in_use), sum(seen, |arena| arena.system));
    // What was never touched is in use too, but costs nothing.
    let resident = seen.arenas.iter().map(|arena| arena.rss).sum::<Option<u64>>();
    let used = used.min(resident.or(seen.rss)?);
    // Where lists could not be read, what is in use is at most this.
    if !seen.free_is_whole
        || used < 2 * WORTH
        || !is_share(used, system, 80)
        || !is_share(used, seen.rss?, 50)
    {
        return None;
    }
    Some(advice(
        "in use",
        format!(
            "{} of {} in arenas are in use and resident: live data or a leak",
            bytes(used),
            bytes(system)
        ),
        "google-cloud-swift#648",
        "no malloc setting helps; see whether it grows (--watch 1m --for 30m), and which sizes (--deep), then use a heap profiler",
    ))
}

#[cfg(test)]
mod tests;
