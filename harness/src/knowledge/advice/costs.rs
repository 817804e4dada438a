//! What settings and threads cost: waiting, caches, huge pages.

use super::{WORTH, advice, bytes, is_glibc, is_share};
use crate::format::inspect::{Advice, Contention, Inspected};

/// Samples that a share can be told from.
const ENOUGH_LOOKS: u64 = 200;
/// Of these, so many with threads waiting.
const ENOUGH_WAITS: u64 = 10;

/// Threads wait for arenas.
pub fn contended(seen: &Inspected) -> Option<Advice> {
    let sampled = seen.arenas.iter().filter_map(|arena| arena.contention);
    let worst: Contention = sampled.max_by_key(|one| one.waited_for)?;
    let enough = worst.looks >= ENOUGH_LOOKS && worst.waited_for >= ENOUGH_WAITS;
    if !enough || !is_share(worst.waited_for, worst.looks, 1) {
        return None;
    }
    let share = worst.waited_for as f64 * 100.0 / worst.looks as f64;
    let arenas = seen.arenas.len() as u64;
    let limit = seen.arena_limit.as_ref().and_then(|limit| limit.high);
    let reached = limit.is_some_and(|limit| arenas >= limit);
    let limit = limit.map_or_else(String::new, |limit| format!(" of at most {limit}"));
    let set = seen.settings.as_ref().is_some_and(|settings| settings.arena_max > 0);
    let next = if reached && set {
        "measure a higher limit, which costs memory: arenalab sweep --arena-max default,1,2,4,8 -- COMMAND"
    } else {
        "measure allocators with caches for threads: arenalab sweep --allocators glibc,jemalloc,mimalloc -- COMMAND"
    };
    Some(advice(
        "contended",
        format!(
            "threads waited for an arena in {share:.1} % of {} samples; {arenas} arenas{limit} exist",
            worst.looks
        ),
        "glibc, malloc/arena.c: arena_get; sysdeps/nptl/lowlevellock.h",
        next,
    ))
}

/// What threads' caches hold.
pub fn caches(seen: &Inspected) -> Option<Advice> {
    let cached = seen.tcache.as_ref()?;
    if cached.bytes < WORTH / 2 || !is_share(cached.bytes, seen.rss?, 5) {
        return None;
    }
    Some(advice(
        "threads' caches",
        format!(
            "{} of {} lie in the caches of {} threads",
            bytes(cached.bytes),
            bytes(seen.rss?),
            cached.caches
        ),
        "glibc manual, glibc.malloc.tcache_count; malloc/malloc.c: tcache_put",
        "measure smaller caches: arenalab sweep --candidate glibc:tcache_count=2 -- COMMAND",
    ))
}

/// malloc's memory in huge pages.
pub fn huge_pages(seen: &Inspected) -> Option<Advice> {
    let kinds = ["main heap", "thread arenas", "mapped blocks"];
    let rows = seen.rows.iter().filter(|row| kinds.contains(&row.kind.as_str()));
    let huge: u64 = rows.map(|row| row.anon_huge).sum();
    if !is_glibc(seen) || huge < WORTH || !is_share(huge, seen.rss?, 50) {
        return None;
    }
    let asked =
        seen.settings.as_ref().and_then(|settings| settings.thp_pagesize).is_some_and(|size| size > 0);
    let (who, next) = if asked {
        (
            "glibc asks for them (hugetlb=1)",
            "measure with and without: arenalab sweep --candidate glibc:hugetlb=1 -- COMMAND",
        )
    } else {
        (
            "the kernel gives them unasked, or the program asks",
            "compare with THP on request only: echo madvise > /sys/kernel/mm/transparent_hugepage/enabled, and start it again",
        )
    };
    Some(advice(
        "huge pages",
        format!(
            "{} of {} resident are malloc's in transparent huge pages; {who}. Memory comes and goes by 2MiB, touched or not",
            bytes(huge),
            bytes(seen.rss?)
        ),
        "Linux, Documentation/admin-guide/mm/transhuge.rst; glibc manual, glibc.malloc.hugetlb",
        next,
    ))
}
