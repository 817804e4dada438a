//! Settings that do not do what was meant.

use super::{advice, is_glibc};
use crate::format::inspect::{Advice, Inspected, Settings};
use crate::knowledge::nearest::nearest;

/// Variables that glibc reads (malloc/arena.c up to 2.25, elf/dl-tunables.list since), and one of jemalloc.
const VARIABLES: [&str; 10] = [
    "MALLOC_ARENA_MAX",
    "MALLOC_ARENA_TEST",
    "MALLOC_CHECK_",
    "MALLOC_CONF",
    "MALLOC_MMAP_MAX_",
    "MALLOC_MMAP_THRESHOLD_",
    "MALLOC_PERTURB_",
    "MALLOC_TOP_PAD_",
    "MALLOC_TRACE",
    "MALLOC_TRIM_THRESHOLD_",
];
const TUNABLES: &str = "GLIBC_TUNABLES";
const NAMESPACE: &str = "glibc.malloc.";
/// Tunables of malloc, in any release (elf/dl-tunables.list).
const MALLOC_TUNABLES: [&str; 13] = [
    "glibc.malloc.arena_max",
    "glibc.malloc.arena_test",
    "glibc.malloc.check",
    "glibc.malloc.hugetlb",
    "glibc.malloc.mmap_max",
    "glibc.malloc.mmap_threshold",
    "glibc.malloc.mxfast",
    "glibc.malloc.perturb",
    "glibc.malloc.tcache_count",
    "glibc.malloc.tcache_max",
    "glibc.malloc.tcache_unsorted_limit",
    "glibc.malloc.top_pad",
    "glibc.malloc.trim_threshold",
];
const MANUAL: &str = "glibc manual, Memory Allocation Tunables; mallopt(3)";

/// What was asked for, `NAME` and value; tunables by their own names.
fn asked(seen: &Inspected) -> impl Iterator<Item = (&str, &str)> {
    let variables = seen.environment.iter().filter_map(|one| one.split_once('='));
    variables.flat_map(|(name, value)| {
        let tunables = (name == TUNABLES).then(|| value.split(':').filter_map(|one| one.split_once('=')));
        let own = (name != TUNABLES).then_some((name, value));
        own.into_iter().chain(tunables.into_iter().flatten())
    })
}

/// A name that no glibc knows, but that is close to one.
pub fn misspelt(seen: &Inspected) -> Option<Advice> {
    let near = |name: &str| -> Option<&'static str> {
        let known = if name.starts_with(NAMESPACE) { &MALLOC_TUNABLES[..] } else { &VARIABLES[..] };
        let all = known.iter().copied().chain([TUNABLES]);
        if all.clone().any(|one| one == name) {
            return None;
        }
        // The underscore at the end of some names is forgotten more often than anything else.
        let ended = known.iter().copied().find(|one| one.strip_suffix('_') == Some(name));
        ended.or_else(|| nearest(name, all).first().copied())
    };
    let steers = |name: &str| {
        let upper = name.to_ascii_uppercase();
        upper.starts_with("MALLOC") || upper.starts_with("GLIBC_TUN") || name.starts_with(NAMESPACE)
    };
    let found = asked(seen)
        .filter(|(name, _)| steers(name))
        .find_map(|(name, value)| Some((name, value, near(name)?)));
    let (name, value, near) = found.filter(|_| is_glibc(seen))?;
    Some(advice(
        "misspelt setting",
        format!("{name}={value} is set, but glibc reads no such name; {near} is close to it"),
        MANUAL,
        &format!("set {near} if that was meant; arenalab list allocators shows the settings"),
    ))
}

/// A setting in the environment that the process does not have.
pub fn not_in_force(seen: &Inspected) -> Option<Advice> {
    let settings = seen.settings.as_ref()?;
    let wrong = asked(seen).find_map(|(name, value)| {
        let in_force = in_force(settings, name)?;
        (number(value)? != in_force).then_some((name, value, in_force))
    });
    let (name, asked, in_force) = wrong?;
    Some(advice(
        "setting not in force",
        format!("{name}={asked} is in the environment, but the value in force is {in_force}"),
        "glibc manual, Memory Allocation Tunables; mallopt(3): the program's own call has the last word",
        "look for mallopt in the program, for the same setting under another name, and whether it runs setuid",
    ))
}

/// The value in force of what a variable or a tunable sets.
fn in_force(settings: &Settings, name: &str) -> Option<u64> {
    let key = name.strip_prefix(NAMESPACE).map(str::to_owned);
    // Some names end in an underscore; what is misspelt is none of them.
    let known = VARIABLES.contains(&name).then_some(name);
    let variable = || Some(known?.strip_prefix("MALLOC_")?.trim_end_matches('_').to_ascii_lowercase());
    match key.or_else(variable)?.as_str() {
        "arena_max" => Some(settings.arena_max),
        "arena_test" => Some(settings.arena_test),
        "trim_threshold" => Some(settings.trim_threshold),
        "top_pad" => Some(settings.top_pad),
        "mmap_threshold" => Some(settings.mmap_threshold),
        "mmap_max" => Some(settings.mmap_max),
        "tcache_count" => settings.tcache_count,
        _ => None,
    }
}

/// A number as glibc reads it (`strtoul`, base 0).
fn number(text: &str) -> Option<u64> {
    let text = text.trim();
    match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None if text.len() > 1 && text.starts_with('0') => u64::from_str_radix(text, 8).ok(),
        None => text.parse().ok(),
    }
}

/// A setting of glibc, where another allocator serves.
pub fn other_allocator(seen: &Inspected) -> Option<Advice> {
    let glibcs = |name: &str| {
        let known = VARIABLES.contains(&name) && name != "MALLOC_CONF";
        known || name.starts_with(NAMESPACE)
    };
    let known = !is_glibc(seen) && seen.not_seen.iter().all(|one| one.what != "memory");
    let (name, value) = asked(seen).find(|(name, _)| glibcs(name)).filter(|_| known)?;
    Some(advice(
        "another allocator",
        format!("{name}={value} is set, but {} serves malloc: {}", seen.allocator.name, seen.allocator.how),
        "jemalloc#2758",
        "drop the variable, or set what this allocator reads (arenalab list allocators)",
    ))
}
