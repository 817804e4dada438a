//! What arenas hold, against the process's own account, and what `malloc_trim` then really gives back.

mod common;

use std::process::Command;

use arenalab_inspect::Live;
use arenalab_inspect::glibc::How;
use arenalab_inspect::rows::{Kind, rows};
use common::{Waiting, assert_walked, compile, roots};

const SHAPES: [&str; 5] = ["holes", "sorted", "pinned", "all-free", "threads"];

/// Walks each shape, lets the process trim its heap, and compares.
fn assert_shapes(name: &str, command: impl Fn() -> Command) {
    for shape in SHAPES {
        let mut truth = Waiting::start(command().arg(shape));
        let (malloc, walk) = truth.walk(true);
        assert_walked(&malloc, &walk, &truth);
        let predicted: u64 = walk.arenas.iter().map(|arena| arena.trim_gives.unwrap()).sum();
        truth.go_on();
        let gave = truth.numbers("gave")[0];
        println!("{name} {shape}: {predicted} predicted, {gave} given back");
        // Looking at itself costs the process a page or two.
        assert!(predicted.abs_diff(gave) <= gave / 100 + 4 * 4096, "{name} {shape}: {predicted}, but {gave}");
    }
}

#[test]
fn free_memory_and_what_trim_gives_back_are_those_of_the_process() {
    let dir = tempfile::tempdir().unwrap();
    let program = compile("shapes", dir.path(), &[]);
    assert_shapes("this one", || Command::new(&program));
}

#[test]
fn other_releases() {
    for root in roots() {
        let dir = tempfile::tempdir().unwrap();
        let program = root.compile("shapes", dir.path());
        assert_shapes(&root.name, || root.command(&program));
    }
}

#[test]
fn threads_caches_are_found_in_what_is_in_use() {
    let dir = tempfile::tempdir().unwrap();
    let program = compile("heap", dir.path(), &[]);
    assert_caches("this one", || Command::new(&program));
    for root in roots() {
        let dir = tempfile::tempdir().unwrap();
        let program = root.compile("heap", dir.path());
        assert_caches(&root.name, || root.command(&program));
    }
}

fn assert_caches(name: &str, command: impl Fn() -> Command) {
    let caches = |tunables: &str| {
        let mut command = command();
        let truth = Waiting::start(command.args(["5", "6000"]).env("GLIBC_TUNABLES", tunables));
        let (malloc, walk) = truth.walk(true);
        assert_walked(&malloc, &walk, &truth);
        walk.deep.unwrap()
    };
    // Sizes of up to 415 bytes are freed in numbers: 25 lists of a cache are full.
    let seven = caches("glibc.malloc.tcache_count=7");
    assert_eq!(seven.caches, 6, "{name}: {seven:?}");
    let full: u64 = (32..=416).step_by(16).map(|size| size * 7 * 6).sum();
    assert!(seven.cached_bytes >= full, "{name}: {seven:?}");
    let three = caches("glibc.malloc.tcache_count=3");
    let right = three.cached_chunks < seven.cached_chunks && three.cached_chunks >= 25 * 3 * 6;
    assert!(right, "{name}: {three:?}");
    assert_eq!(caches("glibc.malloc.tcache_count=0").cached_chunks, 0, "{name}");
}

#[test]
fn rows_sum_to_what_is_resident_and_mapped_blocks_are_all_found() {
    let dir = tempfile::tempdir().unwrap();
    let program = compile("heap", dir.path(), &[]);
    assert_rows("this one", Command::new(&program));
    for root in roots() {
        let dir = tempfile::tempdir().unwrap();
        let program = root.compile("heap", dir.path());
        assert_rows(&root.name, root.command(&program));
    }
}

fn assert_rows(name: &str, mut command: Command) {
    let truth = Waiting::start(command.args(["4", "5000"]));
    let (malloc, walk) = truth.walk(false);
    let live = Live::open(truth.pid()).unwrap();
    let (mappings, pages) = (live.mappings().unwrap(), live.pagemap().unwrap());
    let mapped = malloc.mapped(&live, &truth.regions(), &pages, &walk);
    let bytes: u64 = mapped.iter().map(|block| block.size).sum();
    assert_eq!([mapped.len() as u64, bytes], truth.numbers("mapped")[..], "{name}");

    let rows = rows(&mappings, Some((&malloc, &walk, &mapped)), &pages, &live.stack_pointers());
    let resident: u64 = mappings.iter().map(|mapping| mapping.rss).sum();
    assert_eq!(rows.iter().map(|row| row.rss).sum::<u64>(), resident);
    let of = |kind| rows.iter().find(|row| row.kind == kind).map_or(0, |row| row.rss);
    let arenas: u64 = walk.arenas[1..].iter().map(|arena| arena.resident.unwrap()).sum();
    assert_eq!(
        (of(Kind::ThreadArenas), of(Kind::MainHeap)),
        (arenas, walk.arenas[0].resident.unwrap()),
        "{name}"
    );
    // Three blocks of which only the header was touched, and five stacks of a few pages.
    assert_eq!(of(Kind::MappedBlocks), 3 * 4096, "{name}");
    assert!((5 * 4096..=5 << 17).contains(&of(Kind::Stacks)), "{name}: {rows:?}");
    assert_eq!(of(Kind::SharedMemory), 0);
}

#[test]
fn a_quick_look_reads_no_more_than_it_may_and_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let program = compile("heap", dir.path(), &[]);
    let truth = Waiting::start(Command::new(&program).args(["3", "3000"]));
    let (malloc, whole) = truth.walk(false);
    let live = Live::open(truth.pid()).unwrap();
    let how = How { most_free: 400, most_bytes: 0, deep: false };
    let cut = malloc.walk(&live, &truth.regions(), &live.pagemap().unwrap(), how);
    assert!(whole.arenas.iter().all(|arena| !arena.cut && arena.free_chunks > 400));
    let read: u64 = cut.arenas.iter().map(|arena| arena.free_chunks).sum();
    assert_eq!(read, 400);
    for (cut, whole) in cut.arenas.iter().zip(&whole.arenas) {
        // An even share for each arena; it is never called torn, and never more than there is.
        assert!(cut.cut && cut.torn_bins == 0 && cut.retries == 0 && cut.free_chunks == 100, "{cut:?}");
        assert!(cut.free < whole.free && cut.trim_gives <= whole.trim_gives, "{cut:?} {whole:?}");
    }
}

#[test]
fn a_sample_of_a_large_arena_is_near_what_it_holds_and_says_how_near() {
    let dir = tempfile::tempdir().unwrap();
    let program = compile("heap", dir.path(), &[]);
    let truth = Waiting::start(Command::new(&program).args(["1", "120000"]));
    let (malloc, whole) = truth.walk(false);
    let live = Live::open(truth.pid()).unwrap();
    let how = How { most_free: 1000, most_bytes: 64 << 20, deep: false };
    let sampled = malloc.walk(&live, &truth.regions(), &live.pagemap().unwrap(), how);
    for (number, (some, all)) in sampled.arenas.iter().zip(&whole.arenas).enumerate() {
        println!(
            "{} free, sampled {} ± {:?}; {} and {} chunks",
            all.free, some.free, some.free_error, all.free_chunks, some.free_chunks
        );
        assert!(!some.cut && !some.moved && some.torn_bins == 0, "{some:?}");
        let error = some.free_error.expect("it is an estimate");
        assert_eq!(whole.arenas[number].free_error, None);
        // The error is that of a few dozen pieces: it is itself not exact.
        assert!(error < all.free / 8, "{error} of {}", all.free);
        assert!(all.free.abs_diff(some.free) <= 5 * error, "{some:?} {all:?}");
        let near = |some: u64, all: u64| all.abs_diff(some) <= all / 5;
        assert!(near(some.free_chunks, all.free_chunks), "{some:?} {all:?}");
        assert!(near(some.free_resident.unwrap(), all.free_resident.unwrap()), "{some:?} {all:?}");
        assert!(near(some.trim_gives.unwrap(), all.trim_gives.unwrap()), "{some:?} {all:?}");
        // What is not chosen by chance is exact.
        assert_eq!(
            (some.system, some.top, some.fast, some.resident),
            (all.system, all.top, all.fast, all.resident)
        );
    }
    // Where nearly all of it may be read, all is read.
    let how = How { most_bytes: u64::MAX, ..how };
    let gone_through = malloc.walk(&live, &truth.regions(), &live.pagemap().unwrap(), how);
    for (gone, all) in gone_through.arenas.iter().zip(&whole.arenas) {
        assert_eq!((gone.free, gone.free_chunks, gone.free_error), (all.free, all.free_chunks, None));
        assert_eq!((gone.trim_gives, gone.in_use, gone.cut), (all.trim_gives, all.in_use, false));
    }
}
