//! The environment variables that steer an allocator. They are taken out of the environment before a trial,
//! so that only the candidate decides; `doctor` tells which of them the user has set.
//!
//! Two of them carry other things as well, which a program may need: of `GLIBC_TUNABLES` only `glibc.malloc.*` and
//! `glibc.mem.*` are taken out, and `LD_PRELOAD` stays, where its libraries bring no malloc. A candidate's own are put
//! in front of them ([`merge`]).

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};

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
    // what puts another malloc in front, where the library has one
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

/// The variable that carries glibc's tunables.
const TUNABLES: &str = "GLIBC_TUNABLES";
/// The variable that carries preloaded libraries.
const PRELOAD: &str = "LD_PRELOAD";
/// The tunables that are the lab's.
const OURS: [&str; 2] = ["glibc.malloc.", "glibc.mem."];

/// Whether a tunable, `NAME=VALUE`, steers malloc.
pub fn is_tunable_of_ours(item: &str) -> bool {
    OURS.iter().any(|prefix| item.starts_with(prefix))
}

/// The libraries of an `LD_PRELOAD`: ld.so parts them at blanks and colons.
pub fn preloads(value: &str) -> impl Iterator<Item = &str> {
    value.split([' ', ':', '\t', '\n']).filter(|library| !library.is_empty())
}

/// Whether a variable with this value steers an allocator. Of a preloaded library this cannot be told from here.
pub fn steers(name: &str, value: &str) -> bool {
    match name {
        PRELOAD => false,
        TUNABLES => value.split(':').any(is_tunable_of_ours),
        _ => is_scrubbed(name),
    }
}

/// What stays of a variable, and what is taken out of it.
pub fn part(name: &OsStr, value: &OsStr) -> (Option<OsString>, Option<OsString>) {
    if !name.to_str().is_some_and(is_scrubbed) {
        return (Some(value.to_owned()), None);
    }
    match (name.to_str(), value.to_str()) {
        (Some(PRELOAD), Some(libraries)) => {
            let there = preloads(libraries).next().is_some();
            (there.then(|| value.to_owned()), None)
        }
        (Some(TUNABLES), Some(tunables)) => {
            let of = |ours: bool| {
                let items: Vec<&str> = tunables
                    .split(':')
                    .filter(|item| !item.is_empty() && is_tunable_of_ours(item) == ours)
                    .collect();
                (!items.is_empty()).then(|| OsString::from(items.join(":")))
            };
            (of(false), of(true))
        }
        _ => (None, Some(value.to_owned())),
    }
}

/// An environment without what steers an allocator.
pub fn scrubbed(environment: impl IntoIterator<Item = (OsString, OsString)>) -> Vec<(OsString, OsString)> {
    let kept = |(name, value): (OsString, OsString)| part(&name, &value).0.map(|value| (name, value));
    environment.into_iter().filter_map(kept).collect()
}

/// Adds a candidate's variables to an environment that was scrubbed. Its tunables and libraries come first, and what
/// the environment has besides stays.
pub fn merge(environment: &mut BTreeMap<String, String>, candidate: &BTreeMap<String, String>) {
    for (name, value) in candidate {
        let besides = environment.remove(name);
        let merged = match (name.as_str(), besides) {
            (PRELOAD, Some(besides)) => {
                preloads(value).chain(preloads(&besides)).collect::<Vec<_>>().join(":")
            }
            (TUNABLES, Some(besides)) => format!("{value}:{besides}"),
            _ => value.clone(),
        };
        environment.insert(name.clone(), merged);
    }
}

/// Whether a variable as it is carries what a candidate asked for: all its tunables; its libraries first, in order.
pub fn carries(name: &str, asked: &str, there: &str) -> bool {
    match name {
        PRELOAD => {
            let mut first = preloads(there);
            preloads(asked).all(|library| first.next() == Some(library))
        }
        TUNABLES => asked.split(':').all(|item| there.split(':').any(|other| other == item)),
        _ => asked == there,
    }
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
        assert!(
            steers("GLIBC_TUNABLES", "glibc.pthread.rseq=0:glibc.malloc.perturb=1")
                && steers("MALLOC_CONF", "x")
        );
        assert!(!steers("GLIBC_TUNABLES", "glibc.pthread.rseq=0") && !steers("LD_PRELOAD", "/x.so"));
        for name in ["PATH", "HOME", "LD_LIBRARY_PATH", "MY_MALLOC_ARENA_MAX", "MALLOC", ""] {
            assert!(!is_scrubbed(name), "{name}");
        }
    }

    #[test]
    fn what_a_program_needs_besides_stays() {
        let of = |name: &str, value: &str| {
            let (kept, dropped) = part(OsStr::new(name), OsStr::new(value));
            let text = |part: Option<OsString>| part.map(|part| part.into_string().unwrap());
            (text(kept), text(dropped))
        };
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(of("GLIBC_TUNABLES", "glibc.pthread.rseq=0"), (some("glibc.pthread.rseq=0"), None));
        assert_eq!(
            of(
                "GLIBC_TUNABLES",
                "glibc.malloc.arena_max=1:glibc.pthread.rseq=0:glibc.mem.tagging=1:glibc.cpu.x=2"
            ),
            (
                some("glibc.pthread.rseq=0:glibc.cpu.x=2"),
                some("glibc.malloc.arena_max=1:glibc.mem.tagging=1")
            )
        );
        assert_eq!(of("LD_PRELOAD", "/a.so /b.so"), (some("/a.so /b.so"), None));
        assert_eq!(of("LD_PRELOAD", " "), (None, None));
        assert_eq!(of("MALLOC_CONF", "x:1"), (None, some("x:1")));
        assert_eq!(of("PATH", "/bin"), (some("/bin"), None));
    }

    #[test]
    fn a_candidate_s_own_come_first_and_are_found_again() {
        let map = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
            pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
        };
        let mut env =
            map(&[("LD_PRELOAD", "/u.so /v.so"), ("GLIBC_TUNABLES", "glibc.pthread.rseq=0"), ("A", "1")]);
        let asked = map(&[("LD_PRELOAD", "/c.so"), ("GLIBC_TUNABLES", "glibc.malloc.hugetlb=1"), ("A", "2")]);
        merge(&mut env, &asked);
        assert_eq!(
            env,
            map(&[
                ("LD_PRELOAD", "/c.so:/u.so:/v.so"),
                ("GLIBC_TUNABLES", "glibc.malloc.hugetlb=1:glibc.pthread.rseq=0"),
                ("A", "2"),
            ])
        );
        assert!(asked.iter().all(|(name, value)| carries(name, value, &env[name])));
        assert!(!carries("LD_PRELOAD", "/c.so", "/u.so:/c.so") && !carries("LD_PRELOAD", "/c.so", ""));
        assert!(!carries("GLIBC_TUNABLES", "glibc.malloc.hugetlb=1", "glibc.malloc.hugetlb=12"));
    }
}
