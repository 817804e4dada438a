use super::*;
use crate::format::inspect::{Cached, Contention, Mapped, Row, Settings};

const MIB: u64 = 1 << 20;

fn arena(system: u64, in_use: u64, free: u64) -> Arena {
    Arena {
        main: false,
        threads: Some(1),
        heaps: 1,
        system,
        max_system: system,
        in_use,
        free,
        free_chunks: 100,
        largest_free: 4096,
        above_largest: Some(system / 2),
        free_resident: Some(free),
        fast: 0,
        top: system - in_use - free,
        top_resident: Some(0),
        rss: Some(system),
        swapped: Some(0),
        trim_gives: Some(0),
        moved: false,
        free_error: None,
        contention: None,
    }
}

/// A process of 100 MiB under glibc, with these arenas, the first of them the main one.
fn process(mut arenas: Vec<Arena>) -> Inspected {
    arenas[0].main = true;
    let row = |kind: &str, rss| Row {
        kind: kind.to_owned(),
        rss,
        pss: Some(rss),
        anon_huge: 0,
        lazy_free: 0,
        swap: 0,
    };
    let mut seen = Inspected { rss: Some(100 * MIB), arenas, ..Inspected::default() };
    seen.rows = vec![row("main heap", 90 * MIB), row("other anonymous", 4 * MIB), row("mapped blocks", 0)];
    "glibc".clone_into(&mut seen.allocator.name);
    seen.mmapped = Some(Mapped { count: 0, bytes: 0, found: 0, largest: Vec::new() });
    seen.free_is_whole = true;
    seen.settings = Some(Settings {
        arena_max: 0,
        arena_test: 8,
        trim_threshold: 128 << 10,
        top_pad: 128 << 10,
        mmap_threshold: 128 << 10,
        mmap_max: 65536,
        dynamic_thresholds: true,
        tcache_count: Some(7),
        tcache_max: Some(1032),
        thp_pagesize: Some(0),
        hp_pagesize: Some(0),
    });
    seen
}

fn rules(seen: &Inspected) -> Vec<String> {
    of(seen).into_iter().map(|advice| advice.rule).collect()
}

#[test]
fn nothing_is_said_where_nothing_is_wrong_or_nothing_is_known() {
    assert!(rules(&process(vec![arena(50 * MIB, 38 * MIB, 4 * MIB)])).is_empty());
    assert!(rules(&process(vec![arena(MIB, 0, MIB)])).is_empty());
    assert!(rules(&Inspected::default()).is_empty());
}

#[test]
fn each_situation_has_its_rule() {
    let mut trims = process(vec![arena(90 * MIB, 20 * MIB, 60 * MIB)]);
    trims.arenas[0].trim_gives = Some(55 * MIB);
    assert_eq!(rules(&trims), ["freed but kept"]);

    let full_of_holes = process(vec![arena(90 * MIB, 40 * MIB, 50 * MIB)]);
    assert_eq!(rules(&full_of_holes), ["fragmented"]);

    let leak = process(vec![arena(90 * MIB, 88 * MIB, MIB)]);
    assert_eq!(rules(&leak), ["in use"]);

    let mut bloat = process(vec![arena(20 * MIB, 5 * MIB, 14 * MIB); 6]);
    for arena in &mut bloat.arenas {
        arena.trim_gives = Some(5 * MIB);
    }
    assert_eq!(rules(&bloat), ["many arenas, mostly free"]);
    bloat.settings.as_mut().unwrap().mmap_threshold = 20 * MIB;
    bloat.arenas[2].largest_free = 11 * MIB;
    assert_eq!(rules(&bloat), ["risen threshold"], "the cause, not the number of arenas");

    let mut tops = process(vec![arena(60 * MIB, 20 * MIB, MIB); 2]);
    tops.arenas[1].top_resident = Some(39 * MIB);
    assert_eq!(rules(&tops), ["tops of threads' arenas"]);

    let mut left = process(vec![arena(40 * MIB, 30 * MIB, MIB); 2]);
    left.arenas[1].threads = Some(0);
    assert_eq!(rules(&left), ["arenas without threads"]);

    let mut large = process(vec![arena(MIB, MIB, 0)]);
    large.rows[2].rss = 80 * MIB;
    assert_eq!(rules(&large), ["large blocks"]);

    let mut managed = process(vec![arena(MIB, MIB, 0)]);
    managed.rows[0].rss = MIB;
    managed.rows[1].rss = 90 * MIB;
    assert_eq!(rules(&managed), ["memory is elsewhere"]);
}

#[test]
fn a_setting_that_does_nothing_is_told() {
    let mut overridden = process(vec![arena(MIB, MIB, 0)]);
    overridden.environment = vec!["MALLOC_ARENA_MAX=2".to_owned()];
    overridden.settings.as_mut().unwrap().arena_max = 2;
    assert!(rules(&overridden).is_empty());
    overridden.settings.as_mut().unwrap().arena_max = 3;
    assert_eq!(rules(&overridden), ["setting not in force"]);

    let mut other = Inspected { environment: overridden.environment, ..Inspected::default() };
    "jemalloc".clone_into(&mut other.allocator.name);
    assert_eq!(rules(&other), ["another allocator"]);
}

#[test]
fn names_that_glibc_does_not_read_are_told() {
    let mut seen = process(vec![arena(MIB, MIB, 0)]);
    for (wrong, right) in [
        ("MALLOC_ARENAS_MAX=2", "MALLOC_ARENA_MAX"),
        ("MALLOC_TRIM_THRESHOLD=65536", "MALLOC_TRIM_THRESHOLD_"),
        ("GLIBC_TUNABLES=glibc.malloc.arenamax=2", "glibc.malloc.arena_max"),
        ("GLIBC_TUNABLE=glibc.malloc.arena_max=2", "GLIBC_TUNABLES"),
    ] {
        seen.environment = vec![wrong.to_owned()];
        let said = of(&seen);
        assert_eq!(said.len(), 1, "{wrong}: {said:?}");
        assert!(said[0].rule == "misspelt setting" && said[0].evidence.contains(right), "{said:?}");
    }
    for fine in
        ["MALLOC_PERTURB_=3", "GLIBC_TUNABLES=glibc.cpu.x=1:glibc.malloc.top_pad=0x20000", "MALLOC_CONF=a:1"]
    {
        seen.environment = vec![fine.to_owned()];
        assert!(rules(&seen).is_empty(), "{fine}");
    }
    seen.environment = vec!["GLIBC_TUNABLES=glibc.malloc.top_pad=0x30000".to_owned()];
    assert_eq!(rules(&seen), ["setting not in force"]);
}

#[test]
fn one_hole_below_the_top_is_no_common_one() {
    let mut pinned = process(vec![arena(90 * MIB, 10 * MIB, 79 * MIB)]);
    (pinned.arenas[0].largest_free, pinned.arenas[0].above_largest) = (70 * MIB, Some(4096));
    pinned.arenas[0].trim_gives = Some(70 * MIB);
    assert_eq!(rules(&pinned), ["pinned top"]);
    pinned.arenas[0].above_largest = None;
    assert_eq!(rules(&pinned), ["freed but kept"], "an arena in pieces tells nothing of its top");
}

#[test]
fn waiting_threads_are_told_by_many_samples_only() {
    let mut seen = process(vec![arena(MIB, MIB, 0); 2]);
    let mut with = |looks, held, waited_for| {
        seen.arenas[1].contention = Some(Contention { looks, held, waited_for });
        rules(&seen)
    };
    assert_eq!(with(2000, 1500, 200), ["contended"]);
    assert!(with(2000, 2000, 10).is_empty(), "one thread may hold it all the time");
    assert!(with(100, 100, 100).is_empty(), "few samples");
}

#[test]
fn caches_and_huge_pages_are_told_where_they_weigh() {
    let mut seen = process(vec![arena(60 * MIB, 40 * MIB, 4 * MIB)]);
    seen.rows[0].anon_huge = 80 * MIB;
    assert_eq!(rules(&seen), ["huge pages"]);
    seen.rows[0].anon_huge = 40 * MIB;
    assert!(rules(&seen).is_empty());
    seen.tcache = Some(Cached { caches: 100, chunks: 1000, bytes: 20 * MIB, coverage: 1.0 });
    assert_eq!(rules(&seen), ["threads' caches"]);
    seen.tcache.as_mut().unwrap().bytes = 2 * MIB;
    assert!(rules(&seen).is_empty());
}
