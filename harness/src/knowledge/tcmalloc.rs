//! gperftools' tcmalloc, as it is met as a preloaded library: what can be set through `TCMALLOC_*`. Sources:
//! `docs/tcmalloc`, `src/thread_cache.cc` and `src/page_heap.cc` of gperftools.
//!
//! An unknown `TCMALLOC_*` variable is ignored without a word.

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
        source: "gperftools, docs/tcmalloc, modifying runtime behavior",
    }
}

/// Settings by key.
pub const SETTINGS: &[Setting] = &[
    option(
        "aggressive_decommit",
        "TCMALLOC_AGGRESSIVE_DECOMMIT",
        Kind::Switch,
        (0, 1),
        Unset::Depends("false in most versions"),
        "pages are given back to the system as soon as they are free",
    ),
    option(
        "max_total_thread_cache_bytes",
        "TCMALLOC_MAX_TOTAL_THREAD_CACHE_BYTES",
        Kind::Bytes { step: 1 },
        (512 << 10, 1 << 30),
        Unset::Depends("32MiB; 16MiB in old versions"),
        "the most that all threads together keep for themselves",
    ),
    option(
        "release_rate",
        "TCMALLOC_RELEASE_RATE",
        Kind::Count,
        (0, 10),
        Unset::Number(1),
        "how eagerly unused pages are given back; 0 never",
    ),
];
