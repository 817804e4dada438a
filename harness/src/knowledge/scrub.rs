//! The environment variables that steer an allocator. They are taken out of the environment before a trial,
//! so that only the candidate decides; `doctor` tells which of them the user has set.

use std::ffi::OsString;

/// Names that are taken out. A name that ends in `*` stands for all that begin so.
pub const SCRUBBED: [&str; 15] = [
    // glibc (malloc/arena.c, elf/dl-tunables.c) and, with MALLOC_CONF, jemalloc
    "MALLOC_*",
    "GLIBC_TUNABLES",
    // jemalloc with a symbol prefix, as the Rust crates build it
    "_RJEM_MALLOC_CONF",
    "JE_MALLOC_CONF",
    // mimalloc compares the names without regard to case
    "MIMALLOC_*",
    // gperftools and Google's tcmalloc
    "TCMALLOC_*",
    "HEAPPROFILE",
    "HEAPCHECK",
    "HEAP_PROFILE_*",
    "HEAP_CHECK_*",
    // others that are met as preloaded libraries
    "SCUDO_OPTIONS",
    "RPMALLOC_*",
    "SNMALLOC_*",
    // what puts another malloc in front
    "LD_PRELOAD",
    "LD_AUDIT",
];

/// Whether a variable is taken out of a trial's environment.
pub fn is_scrubbed(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    SCRUBBED.iter().any(|pattern| match pattern.strip_suffix('*') {
        Some(prefix) => name.starts_with(prefix),
        None => name == *pattern,
    })
}

/// An environment without them.
pub fn scrubbed<V>(environment: impl IntoIterator<Item = (OsString, V)>) -> Vec<(OsString, V)> {
    let kept = |name: &OsString| !name.to_str().is_some_and(is_scrubbed);
    environment.into_iter().filter(|(name, _)| kept(name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_an_allocator_is_taken_out_and_nothing_else() {
        for name in [
            "MALLOC_ARENA_MAX",
            "MALLOC_TRIM_THRESHOLD_",
            "MALLOC_CONF",
            "GLIBC_TUNABLES",
            "_RJEM_MALLOC_CONF",
            "MIMALLOC_PURGE_DELAY",
            "mimalloc_verbose",
            "TCMALLOC_RELEASE_RATE",
            "LD_PRELOAD",
        ] {
            assert!(is_scrubbed(name), "{name}");
        }
        for name in ["PATH", "HOME", "LD_LIBRARY_PATH", "MY_MALLOC_ARENA_MAX", "MALLOC", ""] {
            assert!(!is_scrubbed(name), "{name}");
        }
    }
}
