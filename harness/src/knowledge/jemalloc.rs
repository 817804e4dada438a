//! jemalloc 5.3: what can be set through `MALLOC_CONF`. Sources: jemalloc(3), src/conf.c.
//!
//! An unknown key or a bad value is reported on stderr and then ignored, but for `abort_conf:true`.

use super::nearest::{nearest, quote};
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

/// Further options of jemalloc 5.0 to 5.3, which a `MALLOC_CONF` may have (`CONF_HANDLE_*` in src/jemalloc.c and
/// src/conf.c of these versions). Some are there in certain builds only.
const OPTIONS: &[&str] = &[
    "abort",
    "abort_conf",
    "bin_shards",
    "cache_oblivious",
    "calloc_madvise_threshold",
    "confirm_conf",
    "debug_double_free_max_scan",
    "disable_large_size_classes",
    "dss",
    "experimental_hpa_max_purge_nhp",
    "experimental_hpa_start_huge_if_thp_always",
    "experimental_infallible_new",
    "experimental_tcache_gc",
    "hpa",
    "hpa_dirty_mult",
    "hpa_hugification_threshold",
    "hpa_hugification_threshold_ratio",
    "hpa_hugify_delay_ms",
    "hpa_hugify_style",
    "hpa_hugify_sync",
    "hpa_min_purge_delay_ms",
    "hpa_min_purge_interval_ms",
    "hpa_purge_threshold",
    "hpa_purge_threshold_ratio",
    "hpa_sec_batch_fill_extra",
    "hpa_sec_bytes_after_flush",
    "hpa_sec_max_alloc",
    "hpa_sec_max_bytes",
    "hpa_sec_nshards",
    "hpa_slab_max_alloc",
    "huge_arena_pac_thp",
    "junk",
    "lg_prof_interval",
    "lg_prof_sample",
    "lg_san_uaf_align",
    "lg_tcache_flush_large_div",
    "lg_tcache_flush_small_div",
    "lg_tcache_max",
    "lg_tcache_nslots_mul",
    "log",
    "mutex_max_spin",
    "narenas_ratio",
    "process_madvise_max_batch",
    "prof",
    "prof_accum",
    "prof_active",
    "prof_bt_max",
    "prof_final",
    "prof_gdump",
    "prof_leak",
    "prof_leak_error",
    "prof_log",
    "prof_pid_namespace",
    "prof_prefix",
    "prof_recent_alloc_max",
    "prof_stats",
    "prof_sys_thread_name",
    "prof_thread_active_init",
    "prof_threshold",
    "prof_time_resolution",
    "prof_unbias",
    "remote_free_max",
    "remote_free_max_batch",
    "san_guard_large",
    "san_guard_small",
    "slab_sizes",
    "stats_interval",
    "stats_interval_opts",
    "stats_print",
    "stats_print_opts",
    "tcache_gc_delay_bytes",
    "tcache_gc_incr_bytes",
    "tcache_ncached_max",
    "tcache_nslots_large",
    "tcache_nslots_small_max",
    "tcache_nslots_small_min",
    "trust_madvise",
    "utrace",
    "xmalloc",
    "zero",
    "zero_realloc",
];

/// Options that jemalloc 3 and 4 had and 5 does not know (its change log of 4.0, 4.1 and 5.0).
const FORMER: [&str; 9] = [
    "decay_time",
    "lg_chunk",
    "lg_dirty_mult",
    "lg_tcache_gc_sweep",
    "purge",
    "quarantine",
    "redzone",
    "tcache_gc_sweep",
    "valgrind",
];

/// Names that stand in a `MALLOC_CONF`; an item without a value as it is.
fn names(conf: &str) -> impl Iterator<Item = &str> {
    conf.split(',')
        .filter(|item| !item.is_empty())
        .map(|item| item.split_once(':').map_or(item, |(name, _)| name))
}

fn known() -> impl Iterator<Item = &'static str> + Clone {
    SETTINGS.iter().map(|setting| setting.key).chain(OPTIONS.iter().copied())
}

/// Checks a `MALLOC_CONF`, which jemalloc itself would only complain of while it goes on. Of a library of this
/// workspace, `ours`, all options are known; of another build only what is misspelt is refused.
///
/// # Errors
/// One clause: an item has no value, or an option is not known.
pub fn check_conf(variable: &str, conf: &str, ours: bool) -> Result<(), String> {
    if let Some(item) = conf.split(',').find(|item| !item.is_empty() && !item.contains(':')) {
        return Err(format!("{variable} takes KEY:VALUE[,KEY:VALUE…], and {} is none", quote(item)));
    }
    for name in names(conf).filter(|name| !known().any(|known| known == *name)) {
        let former = FORMER.contains(&name);
        if ours && former {
            return Err(format!("{variable}: jemalloc 5 knows no {name}, which jemalloc 4 had"));
        }
        if ours || (!former && !nearest(name, known()).is_empty()) {
            let near = nearest(name, known());
            let hint = if near.is_empty() {
                String::new()
            } else {
                format!("; did you mean {}?", near.join(" or "))
            };
            return Err(format!("{variable}: jemalloc has no option {}{hint}", quote(name)));
        }
    }
    Ok(())
}

/// Which options of a `MALLOC_CONF` jemalloc 5 does not know, in a clause.
pub fn caveat(conf: &str) -> Option<String> {
    let unknown: Vec<&str> = names(conf).filter(|name| !known().any(|known| known == *name)).collect();
    if unknown.is_empty() {
        return None;
    }
    let former = if unknown.iter().all(|name| FORMER.contains(name)) { " (jemalloc 4 had them)" } else { "" };
    let names: Vec<String> = unknown.into_iter().map(quote).collect();
    Some(format!("jemalloc 5 does not know {}{former}: there it changes nothing", names.join(" and ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_that_jemalloc_5_does_not_know_are_told_or_refused() {
        let check = |conf, ours| check_conf("MALLOC_CONF", conf, ours);
        assert_eq!(
            (check("narenas:4,tcache:false", true), check("prof:true,lg_prof_sample:19,", true)),
            (Ok(()), Ok(()))
        );
        for (conf, ours, word) in [
            ("nareas:4", false, "did you mean narenas"),
            ("nareas:4", true, "did you mean narenas"),
            ("narenas=4", false, "KEY:VALUE"),
            ("lg_dirty_mult:8", true, "which jemalloc 4 had"),
            ("something_else:1", true, "no option 'something_else'"),
        ] {
            let why = check(conf, ours).unwrap_err();
            assert!(why.contains(word), "{conf}: {why}");
        }
        assert_eq!(
            (check("lg_dirty_mult:8,lg_chunk:18", false), check("something_else:1", false)),
            (Ok(()), Ok(()))
        );
        let told = caveat("lg_dirty_mult:8,narenas:1,lg_chunk:18").unwrap();
        assert!(
            told.contains("does not know 'lg_dirty_mult' and 'lg_chunk' (jemalloc 4 had them)"),
            "{told}"
        );
        assert_eq!(caveat("narenas:1"), None);
    }
}
