//! mimalloc, asked through its extended interface.

use std::collections::BTreeMap;
use std::ffi::{c_char, c_int, c_long, c_void};
use std::io;

use arenalab_wire::message::{Identity, Inspection};
use serde_json::Value;

use super::{Allocator, libc_version, object_of_malloc, with_probe};

/// The functions of a mimalloc in this process.
#[derive(Clone, Copy)]
pub struct Functions {
    /// `mi_version`.
    pub version: unsafe extern "C" fn() -> c_int,
    /// `mi_option_get`.
    pub option_get: unsafe extern "C" fn(c_int) -> c_long,
    /// `mi_is_in_heap_region`.
    pub is_in_heap_region: unsafe extern "C" fn(*const c_void) -> bool,
    /// `mi_stats_get_json`.
    pub stats_get_json: Option<unsafe extern "C" fn(usize, *mut c_char) -> *mut c_char>,
    /// `mi_collect`.
    pub collect: Option<unsafe extern "C" fn(bool)>,
}

/// A mimalloc in this process.
pub struct Mimalloc {
    functions: Functions,
}

/// The version whose `mi_option_t` [`OPTIONS`] was read from.
const KNOWN: c_int = 30_302;
/// Options that are sizes are kept in KiB.
const KIB: c_long = 1024;

/// Options by the key of a candidate (mimalloc's own name), their number in `mi_option_t` of mimalloc
/// 3.3.2 (include/mimalloc.h), and the unit in which they are kept.
const OPTIONS: &[(&str, c_int, c_long)] = &[
    ("arena_eager_commit", 4, 1),
    ("purge_decommits", 5, 1),
    ("allow_large_os_pages", 6, 1),
    ("reserve_huge_os_pages", 7, 1),
    ("reserve_os_memory", 9, KIB),
    ("purge_delay", 15, 1),
    ("use_numa_nodes", 16, 1),
    ("disallow_os_alloc", 17, 1),
    ("arena_reserve", 23, KIB),
    ("arena_purge_mult", 24, 1),
    ("disallow_arena_alloc", 26, 1),
    ("generic_collect", 34, 1),
    ("page_reclaim_on_free", 35, 1),
    ("page_full_retain", 36, 1),
    ("page_max_candidates", 37, 1),
    ("pagemap_commit", 39, 1),
    ("page_commit_on_demand", 40, 1),
    ("page_max_reclaim", 41, 1),
    ("page_cross_thread_max_reclaim", 42, 1),
    ("allow_thp", 43, 1),
    ("minimal_purge_size", 44, KIB),
    ("arena_max_object_size", 45, KIB),
];

impl Mimalloc {
    /// Takes mimalloc's functions.
    ///
    /// # Safety
    /// They are those of one mimalloc in this process.
    pub const unsafe fn new(functions: Functions) -> Self {
        Self { functions }
    }

    fn version(&self) -> c_int {
        // SAFETY: the promise made to `new`.
        unsafe { (self.functions.version)() }
    }

    /// Empty for another version than the one whose numbering is known.
    fn settings(&self) -> BTreeMap<String, String> {
        if self.version() != KNOWN {
            return BTreeMap::new();
        }
        // SAFETY: the number is one of this version's options.
        let ask = |number: c_int| unsafe { (self.functions.option_get)(number) };
        OPTIONS
            .iter()
            .map(|(key, number, unit)| ((*key).to_owned(), (ask(*number) * unit).to_string()))
            .collect()
    }

    fn statistics(&self) -> Option<Value> {
        let stats_get_json = self.functions.stats_get_json?;
        let mut buffer = vec![0u8; 64 << 10];
        // SAFETY: mimalloc writes at most `len` bytes and ends them with a zero.
        let written = unsafe { stats_get_json(buffer.len(), buffer.as_mut_ptr().cast()) };
        if written.is_null() {
            return None;
        }
        let end = buffer.iter().position(|byte| *byte == 0)?;
        serde_json::from_slice(&buffer[..end]).ok()
    }
}

/// `3.3.2` from 30302.
fn version_text(version: c_int) -> String {
    if version >= 10_000 {
        return format!("{}.{}.{}", version / 10_000, version / 100 % 100, version % 100);
    }
    // Before 3.0 the number had one digit for the minor version.
    format!("{}.{}.{}", version / 100, version / 10 % 10, version % 10)
}

impl Allocator for Mimalloc {
    fn identity(&self) -> Identity {
        let place = object_of_malloc().unwrap_or_else(|| "the program".to_owned());
        // SAFETY: may be asked of any address.
        let served = with_probe(|probe| unsafe { (self.functions.is_in_heap_region)(probe) });
        let how = if served {
            format!("malloc resolves to {place}; mi_is_in_heap_region is true of a probe of 40 KiB")
        } else {
            format!("malloc resolves to {place}; mimalloc is present, but a probe did not come from it")
        };
        Identity {
            name: if served { "mimalloc" } else { "unknown" }.to_owned(),
            version: version_text(self.version()),
            how,
            libc_version: libc_version(),
            settings: self.settings(),
            counted_cpus: None,
        }
    }

    fn inspect(&self) -> io::Result<Inspection> {
        let Some(statistics) = self.statistics() else { return Ok(Inspection::default()) };
        Ok(from_statistics(&statistics))
    }

    /// Collects the heap of the calling thread, and the arenas; heaps of other threads are their own.
    fn trim(&self) -> Option<String> {
        let collect = self.functions.collect?;
        // SAFETY: the promise made to `new`; may be called at any time.
        unsafe { collect(true) };
        Some("mi_collect(true), which collects the calling thread's heap and the arenas".to_owned())
    }
}

/// What mimalloc's JSON statistics say. A release build keeps no count of bytes handed out.
fn from_statistics(statistics: &Value) -> Inspection {
    let current = |name: &str| statistics.get(name)?.get("current")?.as_u64();
    let total = |name: &str| statistics.get(name)?.get("total").unwrap_or(&statistics[name]).as_u64();
    let currents =
        ["reserved", "committed", "page_committed", "pages", "pages_abandoned", "threads", "theaps"];
    let totals = ["reset", "purged", "mmap_calls", "commit_calls", "purge_calls", "arena_count"];
    let mut other = BTreeMap::new();
    other.extend(currents.into_iter().filter_map(|name| Some((name.to_owned(), current(name)?))));
    other.extend(totals.into_iter().filter_map(|name| Some((name.to_owned(), total(name)?))));
    Inspection { other, ..Inspection::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_both_numberings_are_read() {
        assert_eq!(version_text(30_302), "3.3.2");
        assert_eq!(version_text(227), "2.2.7");
    }

    #[test]
    fn figures_that_are_missing_stay_unknown() {
        let json = serde_json::json!({"committed": {"total": 9, "peak": 9, "current": 5}, "purged": 7});
        let seen = from_statistics(&json);
        assert_eq!(seen.other.get("committed"), Some(&5));
        assert_eq!(seen.other.get("purged"), Some(&7));
        assert_eq!(seen.other.len(), 2);
        assert_eq!((seen.arenas, seen.allocated), (None, None));
    }
}
