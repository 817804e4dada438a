//! mimalloc 3: what can be set through `MIMALLOC_*`. Sources: include/mimalloc.h, src/options.c of 3.3.
//!
//! An unknown `MIMALLOC_*` variable is ignored without a word.

use super::{Kind, Passing, Setting, Unset};

const fn option(
    key: &'static str,
    name: &'static str,
    kind: Kind,
    range: (i64, i64),
    unset: Unset,
    what: &'static str,
) -> Setting {
    Setting {
        key,
        kind,
        min: range.0,
        max: range.1,
        unset,
        passing: Passing::Variable(name),
        zero_is_ignored: false,
        what,
        since: None,
        until: None,
        source: "mimalloc.h, mi_option_t; src/options.c of 3.3",
    }
}

/// Settings by key.
pub const SETTINGS: &[Setting] = &[
    option(
        "allow_large_os_pages",
        "MIMALLOC_ALLOW_LARGE_OS_PAGES",
        Kind::Switch,
        (0, 1),
        Unset::Number(0),
        "uses reserved huge pages (2 MiB) where there are any; these are not in RSS",
    ),
    option(
        "allow_thp",
        "MIMALLOC_ALLOW_THP",
        Kind::Count,
        (0, 2),
        Unset::Number(1),
        "transparent huge pages: 0 turns them off for the process, 1 leaves them to the system, 2 also purges in \
         steps of 2 MiB so as not to break them",
    ),
    option(
        "arena_eager_commit",
        "MIMALLOC_ARENA_EAGER_COMMIT",
        Kind::Count,
        (0, 2),
        Unset::Number(2),
        "commits an arena when it is reserved: 0 no, 1 yes, 2 where the system overcommits",
    ),
    option(
        "arena_max_object_size",
        "MIMALLOC_ARENA_MAX_OBJECT_SIZE",
        Kind::Bytes { step: 1024 },
        (0, 1 << 40),
        Unset::Depends("by build; about 2GiB on 64-bit"),
        "larger objects are mapped one by one",
    ),
    option(
        "arena_purge_mult",
        "MIMALLOC_ARENA_PURGE_MULT",
        Kind::Count,
        (0, 1_000_000),
        Unset::Number(1),
        "multiplies purge_delay for whole arenas",
    ),
    option(
        "arena_reserve",
        "MIMALLOC_ARENA_RESERVE",
        Kind::Bytes { step: 1024 },
        (0, 1 << 40),
        Unset::Depends("1GiB on 64-bit, 128MiB on 32-bit"),
        "address space that is reserved at a time",
    ),
    option(
        "disallow_arena_alloc",
        "MIMALLOC_DISALLOW_ARENA_ALLOC",
        Kind::Switch,
        (0, 1),
        Unset::Number(0),
        "takes memory from the system directly instead of from arenas",
    ),
    option(
        "generic_collect",
        "MIMALLOC_GENERIC_COLLECT",
        Kind::Count,
        (1, 1_000_000),
        Unset::Number(10_000),
        "a thread tidies up every N slow-path allocations",
    ),
    option(
        "minimal_purge_size",
        "MIMALLOC_MINIMAL_PURGE_SIZE",
        Kind::Bytes { step: 1024 },
        (0, 1 << 30),
        Unset::Depends("64KiB; 2MiB with allow_thp=2"),
        "the least that is given back at a time; 0 takes the default",
    ),
    option(
        "page_cross_thread_max_reclaim",
        "MIMALLOC_PAGE_CROSS_THREAD_MAX_RECLAIM",
        Kind::Count,
        (-1, 1_000_000),
        Unset::Number(32),
        "a thread takes over another's abandoned pages only while it has fewer of that size; -1 is no limit",
    ),
    option(
        "page_full_retain",
        "MIMALLOC_PAGE_FULL_RETAIN",
        Kind::Count,
        (-1, 32),
        Unset::Number(2),
        "full pages of a size that a thread keeps before it abandons them to all threads; -1 keeps every one",
    ),
    option(
        "page_max_candidates",
        "MIMALLOC_PAGE_MAX_CANDIDATES",
        Kind::Count,
        (0, 1_000_000),
        Unset::Number(4),
        "pages that are looked at to find the fullest to allocate from",
    ),
    option(
        "page_max_reclaim",
        "MIMALLOC_PAGE_MAX_RECLAIM",
        Kind::Count,
        (-1, 1_000_000),
        Unset::Number(-1),
        "a thread takes back its own abandoned pages only while it has fewer of that size; -1 is no limit",
    ),
    option(
        "page_reclaim_on_free",
        "MIMALLOC_PAGE_RECLAIM_ON_FREE",
        Kind::Count,
        (-1, 1),
        Unset::Number(0),
        "takes over abandoned pages at a free: -1 never, 0 its own only, 1 those of any thread",
    ),
    option(
        "purge_decommits",
        "MIMALLOC_PURGE_DECOMMITS",
        Kind::Switch,
        (0, 1),
        Unset::Number(1),
        "gives memory back with MADV_DONTNEED; false uses MADV_FREE, which leaves it in RSS until there is need",
    ),
    option(
        "purge_delay",
        "MIMALLOC_PURGE_DELAY",
        Kind::Millis,
        (-1, i32::MAX as i64),
        Unset::Number(1000),
        "unused memory is given back after this time; 0 at once, -1 never",
    ),
    option(
        "use_numa_nodes",
        "MIMALLOC_USE_NUMA_NODES",
        Kind::Count,
        (0, 1024),
        Unset::Number(0),
        "NUMA nodes that are told apart; 0 asks the system",
    ),
];
