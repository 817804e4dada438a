//! Other releases of glibc: those in the directory that `ARENALAB_TEST_LIBCS` names, as `scripts/fetch-libc` makes
//! them. Without it this says that it was skipped; with `ARENALAB_REQUIRE_LIBCS=1` that is a failure.

mod common;

use common::{Waiting, assert_true, roots};

#[test]
fn arenas_and_settings_of_other_releases() {
    for root in roots() {
        let dir = tempfile::tempdir().unwrap();
        let program = root.compile("heap", dir.path());
        for threads in ["0", "4"] {
            let mut command = root.command(&program);
            command.args([threads, "2000", "MMAP_THRESHOLD=7000000"]).env("MALLOC_ARENA_MAX", "3");
            let truth = Waiting::start(&mut command);
            let malloc = truth.malloc();
            println!("{}: {:?}", root.name, malloc.layout);
            assert_true(&malloc, &truth);
            let settings = malloc.settings.unwrap();
            assert_eq!((settings.arena_max, settings.mmap_threshold), (3, 7_000_000));
            assert!(settings.no_dyn_threshold);
        }
    }
}
