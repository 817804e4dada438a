//! jemalloc 5.3: what can be set through `MALLOC_CONF`. Sources: jemalloc(3), src/conf.c.
//!
//! An unknown key or a bad value is reported on stderr and then ignored, but for `abort_conf:true`.

use super::{Kind, Passing, Setting, Unset};

/// Milliseconds that jemalloc accepts at most (`NSTIME_SEC_MAX`, include/jemalloc/internal/nstime.h).
const DECAY_MAX: i64 = 18_446_744_072_000;

const fn conf(key: &'static str, kind: Kind, range: (i64, i64), unset: Unset, what: &'static str) -> Setting {
    Setting {
        key,
        kind,
        min: range.0,
        max: range.1,
        unset,
        passing: Passing::MallocConf,
        zero_is_ignored: false,
        what,
        since: None,
        until: None,
        source: "jemalloc(3), opt.*; src/conf.c of 5.3",
    }
}

/// Settings by key.
pub const SETTINGS: &[Setting] = &[
    conf(
        "background_thread",
        Kind::Switch,
        (0, 1),
        Unset::Number(0),
        "threads of its own give unused pages back; without them an idle process never does",
    ),
    conf(
        "dirty_decay_ms",
        Kind::Millis,
        (-1, DECAY_MAX),
        Unset::Number(10_000),
        "over this time unused dirty pages are given back; 0 at once, -1 never",
    ),
    conf(
        "lg_extent_max_active_fit",
        Kind::Count,
        (0, 64),
        Unset::Number(6),
        "an extent is reused for a request only if it is at most 2^N times as large",
    ),
    conf(
        "max_background_threads",
        Kind::Count,
        (1, 4094),
        Unset::Depends("one per CPU, at most 4"),
        "the most background threads",
    ),
    conf(
        "metadata_thp",
        Kind::Choice(&["disabled", "auto", "always"]),
        (0, 0),
        Unset::Word("disabled"),
        "transparent huge pages for its own bookkeeping",
    ),
    conf(
        "muzzy_decay_ms",
        Kind::Millis,
        (-1, DECAY_MAX),
        Unset::Number(0),
        "over this time pages lazily given back (MADV_FREE) are given back for good; 0 at once, -1 never",
    ),
    conf(
        "narenas",
        Kind::Count,
        (1, 4094),
        Unset::Depends("4 per CPU that the process may run on; 1 on a single CPU"),
        "arenas that threads are spread over",
    ),
    conf(
        "oversize_threshold",
        Kind::Bytes { step: 1 },
        (0, 1 << 40),
        Unset::Number(8 << 20),
        "requests from this size on go to an arena of their own and are given back at once; 0 turns that off",
    ),
    conf(
        "percpu_arena",
        Kind::Choice(&["disabled", "percpu", "phycpu"]),
        (0, 0),
        Unset::Word("disabled"),
        "threads use the arena of the CPU they run on",
    ),
    conf(
        "retain",
        Kind::Switch,
        (0, 1),
        Unset::Depends("true on 64-bit Linux"),
        "address space is kept for reuse instead of being unmapped",
    ),
    conf("tcache", Kind::Switch, (0, 1), Unset::Number(1), "each thread keeps freed objects for itself"),
    conf(
        "tcache_max",
        Kind::Bytes { step: 1 },
        (0, 32 << 10),
        Unset::Number(32 << 10),
        "the largest object that threads keep for themselves; 5.3.1 clips it at 32KiB (4 KiB pages)",
    ),
    conf(
        "thp",
        Kind::Choice(&["default", "always", "never"]),
        (0, 0),
        Unset::Word("default"),
        "transparent huge pages for what the program gets",
    ),
];
