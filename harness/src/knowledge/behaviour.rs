//! What glibc's malloc does, by version: each behaviour with the versions in which it is in force, and
//! where that is written. What an upgrade changes follows: a behaviour that is in force on one side only.
//!
//! Commit ids and BZ numbers are glibc's.

use super::Version;

/// The machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arch {
    /// 64-bit x86.
    X86_64,
    /// 64-bit Arm.
    Aarch64,
}

/// A behaviour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Behaviour {
    /// Name, stable.
    pub key: &'static str,
    /// First version in which it is in force; `None` where every version of interest has it.
    pub since: Option<Version>,
    /// Last version in which it is in force.
    pub until: Option<Version>,
    /// The machine that it is limited to.
    pub arch: Option<Arch>,
    /// What happens while it is in force, in a sentence.
    pub what: &'static str,
    /// What happens after it, where something takes its place that is not named by itself.
    pub after: Option<&'static str>,
    /// Where this is written.
    pub source: &'static str,
}

impl Behaviour {
    /// Whether a version has it, on a machine.
    pub fn in_force(&self, version: Version, arch: Arch) -> bool {
        self.since.is_none_or(|since| version >= since)
            && self.until.is_none_or(|until| version <= until)
            && self.arch.is_none_or(|only| only == arch)
    }
}

const ALWAYS: Behaviour =
    Behaviour { key: "", since: None, until: None, arch: None, what: "", after: None, source: "" };

const fn since(minor: u32, key: &'static str, what: &'static str, source: &'static str) -> Behaviour {
    Behaviour { key, since: Some(Version::new(2, minor)), what, source, ..ALWAYS }
}

const fn between(
    (first, last): (u32, u32),
    key: &'static str,
    what: &'static str,
    source: &'static str,
) -> Behaviour {
    Behaviour { until: Some(Version::new(2, last)), ..since(first, key, what, source) }
}

/// All, in the order in which they came.
pub const ALL: &[Behaviour] = &[
    between(
        (5, 9),
        "arenas-by-lock",
        "a thread makes another arena only when it finds all of them locked; nothing limits their number",
        "malloc/arena.c of 2.5 to 2.9",
    ),
    between(
        (10, 14),
        "arenas-per-thread-optional",
        "each thread gets an arena of its own only where glibc was built with --enable-experimental-malloc",
        "malloc/arena.c and configure.in of 2.10 to 2.14",
    ),
    between(
        (10, 14),
        "cpus-proc-stat",
        "CPUs are counted from /proc/stat",
        "sysdeps/unix/sysv/linux/getsysstats.c",
    ),
    between(
        (10, 15),
        "small-caps-ignored",
        "a MALLOC_ARENA_MAX below MALLOC_ARENA_TEST + 1, that is 9, is not honoured",
        "malloc/arena.c, reused_arena; mended by 41b81892f1 in 2.16",
    ),
    since(
        15,
        "arenas-per-thread",
        "each thread gets an arena of its own, up to the limit",
        "77cdc054e0 (2.15)",
    ),
    between(
        (15, 22),
        "cyclic-free-list",
        "the list of arenas left by dead threads can become a cycle, which piles threads onto few arenas",
        "BZ 19048, mended in 2.23",
    ),
    between(
        (15, 33),
        "cpus-online-file",
        "CPUs are counted from /sys/devices/system/cpu/online, else from /proc/stat",
        "sysdeps/unix/sysv/linux/getsysstats.c",
    ),
    Behaviour {
        until: Some(Version::new(2, 43)),
        ..since(
            15,
            "limit-8n",
            "the limit on arenas, where MALLOC_ARENA_MAX is unset, is max(MALLOC_ARENA_TEST + 1, 8 for each CPU)",
            "malloc/arena.c, arena_get2; 41b81892f1",
        )
    },
    Behaviour {
        until: Some(Version::new(2, 21)),
        key: "thread-heaps-shrink-always",
        what: "the heap of a thread's arena shrinks as soon as a page beyond top_pad is free at its top, whatever \
               trim_threshold says",
        source: "malloc/arena.c, heap_trim, up to 2.21",
        ..ALWAYS
    },
    since(
        22,
        "thread-heaps-obey-trim-threshold",
        "the heap of a thread's arena shrinks only once trim_threshold is free at its top, so threads keep more",
        "c26efef979 (2.22)",
    ),
    since(
        25,
        "tunables",
        "settings are read from GLIBC_TUNABLES as well (built in by default from 2.26 on)",
        "NEWS for 2.25 and 2.26",
    ),
    since(
        26,
        "tcache",
        "each thread keeps freed chunks of up to 1032 B in a cache of its own (tcache, 64 sizes), outside the arena's lock",
        "NEWS for 2.26; malloc/malloc.c, tcache_put",
    ),
    between(
        (26, 42),
        "tcache-count-7",
        "tcache keeps 7 chunks of a size",
        "malloc/malloc.c, TCACHE_FILL_COUNT",
    ),
    between(
        (26, 29),
        "tcache-max-count-127",
        "glibc.malloc.tcache_count takes at most 127",
        "malloc/malloc.c of 2.26 to 2.29",
    ),
    since(30, "tcache-max-count-65535", "glibc.malloc.tcache_count takes up to 65535", "NEWS for 2.30"),
    since(33, "mallinfo2", "mallinfo2 counts beyond 2 GiB", "NEWS for 2.33"),
    since(33, "list-tunables", "ld.so --list-tunables prints the settings in force", "NEWS for 2.33"),
    Behaviour {
        key: "malloc-hooks",
        until: Some(Version::new(2, 33)),
        what: "programs and tools can replace malloc through __malloc_hook and its kin",
        after: Some("the hooks are gone from the API; tools that need them must preload a library"),
        source: "NEWS for 2.34",
        ..ALWAYS
    },
    between(
        (34, 38),
        "cpus-affinity",
        "CPUs are counted from the affinity mask of the process, but in builds of these branches from 2024-02-12 on, \
         which count online CPUs again",
        "11a02b035b (2.35); 472894d2cf, BZ 30945",
    ),
    since(35, "hugetlb", "glibc.malloc.hugetlb asks for huge pages; off unless set", "NEWS for 2.35"),
    between(
        (35, 41),
        "hugetlb-heaps",
        "with glibc.malloc.hugetlb at 2 or more, heaps are 4 huge pages large",
        "malloc/arena.c of 2.35 to 2.41",
    ),
    between(
        (37, 37),
        "realloc-growth",
        "realloc can make memory grow without need",
        "BZ 30579, mended in 2.38",
    ),
    since(
        39,
        "cpus-online-again",
        "CPUs are counted from /sys/devices/system/cpu/online, whatever the affinity mask",
        "472894d2cf, BZ 30945",
    ),
    since(
        39,
        "decorate-maps",
        "glibc.mem.decorate_maps names the arenas in /proc/PID/maps; off unless set",
        "NEWS for 2.39",
    ),
    since(
        39,
        "bad-tunable-drops-all",
        "one bad item makes the whole of GLIBC_TUNABLES be ignored, with a warning",
        "elf/dl-tunables.c of 2.39",
    ),
    since(39, "setuid-ignores-tunables", "setuid programs ignore every tunable", "NEWS for 2.39"),
    since(41, "calloc-tcache", "calloc takes chunks from tcache too", "NEWS for 2.41"),
    since(
        42,
        "tcache-large",
        "glibc.malloc.tcache_max takes up to 4 MiB, so that large chunks can be cached; 1032 B unless set",
        "NEWS for 2.42",
    ),
    Behaviour {
        key: "fastbins",
        until: Some(Version::new(2, 42)),
        what: "small freed chunks go to fastbins, which are not coalesced",
        after: Some(
            "there are no fastbins: small chunks are coalesced, and glibc.malloc.mxfast has no effect",
        ),
        source: "NEWS for 2.43",
        ..ALWAYS
    },
    since(43, "tcache-count-16", "tcache keeps 16 chunks of a size", "NEWS for 2.43"),
    Behaviour {
        arch: Some(Arch::Aarch64),
        ..since(
            43,
            "aarch64-thp",
            "malloc asks for transparent huge pages without being told to (glibc.malloc.hugetlb=1)",
            "NEWS for 2.43",
        )
    },
    since(
        44,
        "limit-n",
        "the limit on arenas, where MALLOC_ARENA_MAX is unset, is max(MALLOC_ARENA_TEST, 1 for each CPU): no longer 8 \
         for each CPU",
        "93e6135904 (2.44)",
    ),
    since(
        44,
        "tunables-file",
        "tunables can be set for the whole system in /etc/tunables.conf",
        "NEWS for 2.44",
    ),
];

/// Behaviours of which each version has one: where one ends another begins, and only the new one is told.
const FAMILIES: [&str; 6] =
    ["arenas-", "cpus-", "limit-", "tcache-count-", "tcache-max-count-", "thread-heaps-"];

/// The family of a behaviour.
pub fn family(key: &str) -> Option<&'static str> {
    FAMILIES.into_iter().find(|family| key.starts_with(family))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_unique_and_every_behaviour_is_described() {
        let mut keys: Vec<&str> = ALL.iter().map(|b| b.key).collect();
        keys.sort_unstable();
        assert!(keys.windows(2).all(|pair| pair[0] != pair[1]), "{keys:?}");
        assert!(ALL.iter().all(|b| !b.what.is_empty() && !b.source.is_empty() && !b.key.is_empty()));
    }

    #[test]
    fn where_cpus_come_from_is_said_once_for_every_version() {
        for minor in 10..45 {
            let version = Version::new(2, minor);
            let sources =
                ALL.iter().filter(|b| b.key.starts_with("cpus-") && b.in_force(version, Arch::X86_64));
            assert_eq!(sources.count(), 1, "2.{minor}");
            let limits =
                ALL.iter().filter(|b| b.key.starts_with("limit-") && b.in_force(version, Arch::X86_64));
            assert_eq!(limits.count(), usize::from(minor >= 15), "2.{minor}");
        }
    }
}
