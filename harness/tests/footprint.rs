//! What the workload program itself needs does not stand in RSS as if the allocator held it.

mod common;

use common::{both, fresh, run, text, trials};

/// A workload that holds 50 KiB, under the host's glibc and once more through its loader.
#[test]
fn a_workload_that_holds_little_has_little_resident() {
    let (_parent, dir) = fresh();
    let mut words =
        vec!["sweep", "glibc-thread:ops=2M", "--threads", "1", "--rounds", "1", "--out", text(&dir)];
    words.extend(["--allocators", "glibc", "--arena-max", "default", "--libc", "again=/"]);
    let output = run(&words);
    assert_eq!(output.status.code(), Some(0), "{}", both(&output));
    let trials = trials(&dir);
    assert_eq!(trials.len(), 4, "two libcs, the baseline and its twin");
    for trial in trials {
        // Program and libraries have some 5 MiB of text, of which more than 3 MiB would be resident.
        let rss = &trial["rss"];
        assert!(rss["end"].as_u64().unwrap() < 5 << 19, "{trial}");
        assert!(rss["peak"].as_u64().unwrap() < 3 << 20, "{trial}");
    }
}
