//! What arenas hold, against the process's own account, and what `malloc_trim` then really gives back.

mod common;

use std::process::Command;

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
    let caches = |tunables: &str| {
        let mut command = Command::new(&program);
        let truth = Waiting::start(command.args(["5", "6000"]).env("GLIBC_TUNABLES", tunables));
        let (malloc, walk) = truth.walk(true);
        assert_walked(&malloc, &walk, &truth);
        walk.deep.unwrap()
    };
    // Sizes of up to 415 bytes are freed in numbers: 26 lists of a cache are full.
    let seven = caches("glibc.malloc.tcache_count=7");
    assert_eq!(seven.caches, 6);
    let full: u64 = (32..=416).step_by(16).map(|size| size * 7 * 6).sum();
    assert!(seven.cached_bytes >= full, "{seven:?}");
    let three = caches("glibc.malloc.tcache_count=3");
    assert!(three.cached_chunks < seven.cached_chunks && three.cached_chunks >= 25 * 3 * 6, "{three:?}");
    assert_eq!(caches("glibc.malloc.tcache_count=0").cached_chunks, 0);
}
