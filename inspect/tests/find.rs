//! Arenas and settings, read from outside, against what the process says of itself.

mod common;

use std::process::Command;

use arenalab_inspect::Live;
use arenalab_inspect::glibc::{self, How, Malloc, NotFound, Settings};
use common::{Waiting, assert_true, compile};

fn settings(malloc: &Malloc) -> Settings {
    malloc.settings.clone().expect("the settings are found")
}

#[test]
fn arenas_and_their_bytes_are_those_of_malloc_info() {
    let dir = tempfile::tempdir().unwrap();
    let program = compile("heap", dir.path(), &[]);
    for threads in ["0", "1", "5"] {
        let truth = Waiting::start(Command::new(&program).args([threads, "3000"]));
        let malloc = truth.malloc();
        assert_true(&malloc, &truth);
        assert_eq!(malloc.arenas.len(), threads.parse::<usize>().unwrap() + 1);
        assert!(malloc.arenas.iter().all(|arena| arena.attached_threads == Some(1)));
        assert_eq!(malloc.layout.heap_info.is_some(), threads != "0");
    }
}

#[test]
fn a_static_program_has_its_arenas_too() {
    let dir = tempfile::tempdir().unwrap();
    for flags in [&["-static"][..], &["-static-pie"]] {
        let program = compile("heap", dir.path(), flags);
        let truth = Waiting::start(Command::new(&program).args(["3", "2000"]));
        let malloc = truth.malloc();
        assert_true(&malloc, &truth);
        assert!(malloc.place.name.ends_with("heap"), "{:?}", malloc.place);
    }
}

#[test]
fn settings_in_force_are_those_of_environment_tunables_and_mallopt() {
    let dir = tempfile::tempdir().unwrap();
    let program = compile("heap", dir.path(), &[]);
    let run = |variables: &[(&str, &str)], options: &[&str]| {
        let mut command = Command::new(&program);
        command.env_remove("MALLOC_ARENA_MAX").env_remove("GLIBC_TUNABLES");
        command.args(["4", "1000"]).args(options).envs(variables.iter().copied());
        let truth = Waiting::start(&mut command);
        let malloc = truth.malloc();
        assert_true(&malloc, &truth);
        malloc
    };
    let plain = settings(&run(&[], &[]));
    assert_eq!((plain.arena_max, plain.arena_test, plain.mmap_max), (0, 8, 65536));
    assert_eq!((plain.top_pad, plain.no_dyn_threshold), (128 << 10, false));
    assert_eq!((plain.mmap_threshold, plain.trim_threshold), (128 << 10, 128 << 10));
    assert!(plain.tcache_count > Some(0) && plain.tcache_max > Some(1000));

    let two = run(&[("MALLOC_ARENA_MAX", "2")], &[]);
    assert_eq!((settings(&two).arena_max, two.arenas.len()), (2, 2));
    let threads: u64 = two.arenas.iter().filter_map(|arena| arena.attached_threads).sum();
    assert_eq!(threads, 5);

    let overridden = run(&[("MALLOC_ARENA_MAX", "2")], &["ARENA_MAX=3", "MMAP_THRESHOLD=5000000"]);
    let in_force = settings(&overridden);
    assert_eq!((in_force.arena_max, overridden.arenas.len()), (3, 3), "mallopt has the last word");
    assert_eq!((in_force.mmap_threshold, in_force.no_dyn_threshold), (5_000_000, true));

    let options = ["ARENA_TEST=5", "TRIM_THRESHOLD=-1", "TOP_PAD=4096", "MMAP_MAX=77"];
    let odd = settings(&run(&[], &options));
    assert_eq!((odd.arena_test, odd.trim_threshold, odd.top_pad, odd.mmap_max), (5, u64::MAX, 4096, 77));

    let tunables = "glibc.malloc.tcache_count=3:glibc.malloc.trim_threshold=1000000:glibc.malloc.arena_max=1";
    let tuned = settings(&run(&[("GLIBC_TUNABLES", tunables)], &[]));
    assert_eq!((tuned.tcache_count, tuned.trim_threshold, tuned.arena_max), (Some(3), 1_000_000, 1));
    assert!(tuned.no_dyn_threshold);
}

#[test]
fn a_process_that_is_not_there_or_not_ours_is_said_to_be() {
    let ended = Command::new("true").spawn().and_then(|mut child| child.wait().map(|_| child.id())).unwrap();
    assert_eq!(Live::open(ended).unwrap_err().kind(), std::io::ErrorKind::NotFound);
    let mut child = Command::new("true").spawn().unwrap();
    let live = Live::open(child.id());
    child.wait().unwrap();
    if let Ok(live) = live {
        assert_eq!(glibc::find(&live, &[]).unwrap_err(), NotFound::Unreadable);
    }
}

#[test]
fn a_program_that_another_allocator_serves_has_a_malloc_that_holds_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let program = compile("own", dir.path(), &[]);
    let truth = Waiting::start(&mut Command::new(&program));
    let malloc = truth.malloc();
    assert!(!malloc.in_use() && !malloc.started && malloc.system() == 0, "{malloc:#?}");
    assert_eq!(settings(&malloc).mmap_threshold, 128 << 10);
}

#[test]
fn a_busy_process_is_read_while_it_runs() {
    let dir = tempfile::tempdir().unwrap();
    let program = compile("busy", dir.path(), &[]);
    let truth = Waiting::start(Command::new(&program).args(["1"]));
    let live = Live::open(truth.pid()).unwrap();
    let looks = (0..200).map(|_| glibc::find(&live, &live.regions().unwrap()));
    let found: Vec<Malloc> = looks.filter_map(Result::ok).collect();
    // Where nothing is retried, most looks fail.
    assert!(found.len() >= 190, "{} of 200", found.len());
    for malloc in &found {
        assert_eq!(malloc.arenas.len(), 2);
        assert!((1 << 17..1 << 26).contains(&malloc.system()), "{malloc:?}");
        assert_eq!(settings(malloc).arena_max, 2);
    }
    let pages = live.pagemap().unwrap();
    for malloc in found.iter().rev().take(20) {
        let walk = malloc.walk(&live, &live.regions().unwrap(), &pages, How::DEEP);
        for (arena, contents) in malloc.arenas.iter().zip(&walk.arenas) {
            // Free memory cannot be more than there is; how much there is moves by a tenth meanwhile.
            let all = contents.free + contents.fast + contents.top;
            assert!(all <= arena.max_system * 2 && contents.free_chunks > 0, "{contents:?}");
        }
    }
}
