//! glibc's malloc: what can be set, and since when. Sources: mallopt(3), the manual's "Memory Allocation
//! Tunables", malloc/malloc.c and malloc/arena.c of the versions named, and their NEWS.
//!
//! Setting any of `trim_threshold`, `top_pad`, `mmap_threshold`, `mmap_max` also switches off the rule that
//! raises both thresholds as mapped chunks are freed: such a candidate differs from the default in two
//! ways, even at the default's own number.

use super::{Kind, Passing, Setting, Unset, Version};

/// Where most of it is written.
const MANUAL: &str = "mallopt(3); glibc manual, Memory Allocation Tunables";

/// Settings whose mere presence turns the dynamic thresholds off (malloc/malloc.c, `no_dyn_threshold`).
pub const STATIC_THRESHOLDS: [&str; 4] = ["mmap_max", "mmap_threshold", "top_pad", "trim_threshold"];

const fn variable(
    key: &'static str,
    kind: Kind,
    range: (i64, i64),
    unset: Unset,
    name: &'static str,
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
        source: MANUAL,
    }
}

/// Settings by key.
pub const SETTINGS: &[Setting] = &[
    Setting {
        since: Some(Version::new(2, 10)),
        zero_is_ignored: true,
        source: "malloc/arena.c, arena_get2; mallopt(3)",
        ..variable(
            "arena_max",
            Kind::Count,
            (1, 65_536),
            Unset::Depends("by version and CPUs: 8 per CPU up to 2.43, max(8, CPUs) from 2.44"),
            "MALLOC_ARENA_MAX",
            "the most arenas that threads are spread over, main arena included",
        )
    },
    Setting {
        since: Some(Version::new(2, 10)),
        zero_is_ignored: true,
        source: "malloc/arena.c, arena_get2; mallopt(3)",
        ..variable(
            "arena_test",
            Kind::Count,
            (1, 65_536),
            Unset::Number(8),
            "MALLOC_ARENA_TEST",
            "how many arenas are made before the default limit is looked at; without effect where arena_max is \
             given (from 2.16)",
        )
    },
    Setting {
        kind: Kind::Count,
        since: Some(Version::new(2, 35)),
        source: "glibc manual, glibc.malloc.hugetlb; NEWS for 2.35",
        passing: Passing::Tunable("glibc.malloc.hugetlb"),
        ..variable(
            "hugetlb",
            Kind::Count,
            (0, 1 << 34),
            Unset::Depends("0; on aarch64 1 from 2.43"),
            "",
            "0: off, 1: madvise transparent huge pages, 2: huge pages of the default size from the reserved \
             pool, more: of that many bytes",
        )
    },
    variable(
        "mmap_max",
        Kind::Count,
        (0, i32::MAX as i64),
        Unset::Number(65_536),
        "MALLOC_MMAP_MAX_",
        "the most chunks that are mapped one by one; 0 turns that off. Also stops the dynamic thresholds",
    ),
    variable(
        "mmap_threshold",
        Kind::Bytes { step: 1 },
        (0, 1 << 40),
        Unset::Depends("128KiB, raised up to 32MiB as mapped chunks are freed"),
        "MALLOC_MMAP_THRESHOLD_",
        "requests from this size on are mapped one by one; above 32MiB not known to be heeded before 2.36. Also \
         stops the dynamic thresholds",
    ),
    Setting {
        passing: Passing::Tunable("glibc.malloc.mxfast"),
        since: Some(Version::new(2, 31)),
        until: Some(Version::new(2, 42)),
        source: "glibc manual, glibc.malloc.mxfast; NEWS for 2.43 (fastbins removed)",
        ..variable(
            "mxfast",
            Kind::Bytes { step: 1 },
            (0, 160),
            Unset::Number(128),
            "",
            "chunks up to this size are freed to fastbins, which are not coalesced",
        )
    },
    variable(
        "perturb",
        Kind::Count,
        (0, 255),
        Unset::Number(0),
        "MALLOC_PERTURB_",
        "fills allocated and freed memory with this byte, which costs time; test environments set it",
    ),
    Setting {
        passing: Passing::Tunable("glibc.malloc.tcache_count"),
        since: Some(Version::new(2, 26)),
        source: "glibc manual, glibc.malloc.tcache_count; NEWS for 2.26, 2.30, 2.43",
        ..variable(
            "tcache_count",
            Kind::Count,
            (0, 65_535),
            Unset::Depends("7; 16 from 2.43"),
            "",
            "how many chunks of a size each thread keeps; 0 turns the per-thread cache off. Up to 127 before 2.30",
        )
    },
    Setting {
        passing: Passing::Tunable("glibc.malloc.tcache_max"),
        since: Some(Version::new(2, 26)),
        source: "glibc manual, glibc.malloc.tcache_max; NEWS for 2.26, 2.42",
        ..variable(
            "tcache_max",
            Kind::Bytes { step: 1 },
            (0, 4 << 20),
            Unset::Depends("1032B"),
            "",
            "the largest chunk that threads keep; more than 1032B only from 2.42",
        )
    },
    Setting {
        passing: Passing::Tunable("glibc.malloc.tcache_unsorted_limit"),
        since: Some(Version::new(2, 26)),
        until: Some(Version::new(2, 43)),
        source: "glibc manual, glibc.malloc.tcache_unsorted_limit; removed in 2.44",
        ..variable(
            "tcache_unsorted_limit",
            Kind::Count,
            (0, i32::MAX as i64),
            Unset::Number(0),
            "",
            "how many chunks of the unsorted list are looked at while the thread's cache is filled; 0 is no limit",
        )
    },
    variable(
        "top_pad",
        Kind::Bytes { step: 1 },
        (0, 1 << 40),
        Unset::Number(128 << 10),
        "MALLOC_TOP_PAD_",
        "slack that is taken with each growth and kept at each trim. Also stops the dynamic thresholds",
    ),
    variable(
        "trim_threshold",
        Kind::Bytes { step: 1 },
        (0, 1 << 40),
        Unset::Depends("128KiB, raised to twice the largest mapped chunk that was freed"),
        "MALLOC_TRIM_THRESHOLD_",
        "free memory at the top beyond this goes back to the system. Also stops the dynamic thresholds",
    ),
];

/// Why a setting has no effect in a version, if so.
pub fn without_effect(setting: &Setting, value: i64, version: Version) -> Option<String> {
    let key = setting.key;
    if let Some(since) = setting.since
        && version < since
    {
        return Some(format!("{key} exists from glibc {since} on, this is {version}"));
    }
    if let Some(until) = setting.until
        && version > until
    {
        return Some(format!("{key} has no effect after glibc {until}, this is {version}"));
    }
    if key == "tcache_max" && value > 1032 && version < Version::new(2, 42) {
        return Some(format!("tcache_max above 1032B is ignored before glibc 2.42, this is {version}"));
    }
    if key == "tcache_count" && value > 127 && version < Version::new(2, 30) {
        return Some(format!("tcache_count above 127 is not honoured before glibc 2.30, this is {version}"));
    }
    None
}

/// The largest `mmap_threshold` that every version takes: half of the largest heap of an arena (`HEAP_MAX_SIZE`,
/// malloc/arena.c, on 64-bit hosts). mallopt(3) says that larger ones are refused.
const MMAP_THRESHOLD_OF_OLD: i64 = 32 << 20;

/// The first version that was seen to heed a larger one (1 GiB, with a request of 100 MB then not mapped).
const LARGE_MMAP_THRESHOLD: Version = Version::new(2, 36);

/// What is not known of a setting in a version, in a sentence, if so: it is measured all the same.
pub fn unverified(setting: &Setting, value: i64, version: Version) -> Option<String> {
    let large = setting.key == "mmap_threshold" && value > MMAP_THRESHOLD_OF_OLD;
    (large && version < LARGE_MMAP_THRESHOLD).then(|| {
        format!(
            "mmap_threshold={} is above 32MiB, which mallopt(3) gives as the most: glibc from {LARGE_MMAP_THRESHOLD} on \
             heeds it, of {version} this is not verified",
            setting.spell(&super::Value::Number(value))
        )
    })
}

#[cfg(test)]
mod tests {
    use super::super::{Value, find};
    use super::*;

    #[test]
    fn a_large_mmap_threshold_is_taken_and_told_where_it_is_not_verified() {
        let setting = find("glibc", "mmap_threshold").unwrap();
        for (text, bytes) in [("64MiB", 64 << 20), ("1GiB", 1 << 30)] {
            assert_eq!(setting.parse(text), Ok(Value::Number(bytes)));
            let said = unverified(setting, bytes, Version::new(2, 35)).unwrap();
            assert!(said.contains(text) && said.contains("of 2.35 this is not verified"), "{said}");
            assert_eq!(unverified(setting, bytes, Version::new(2, 36)), None);
        }
        assert_eq!(unverified(setting, 32 << 20, Version::new(2, 17)), None);
        assert_eq!(unverified(find("glibc", "trim_threshold").unwrap(), 1 << 30, Version::new(2, 17)), None);
    }
}
