//! Whole files: sound ones are found sound and put in an order without contradictions, damaged ones are told.

mod common;

use std::path::{Path, PathBuf};

use arenalab_trace::event::Event;
use arenalab_trace::read::{Merge, Recording, TraceFile, compress, summarize};

fn written(directory: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = directory.join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

fn merged(file: &TraceFile) -> (Vec<(u32, Event)>, arenalab_trace::read::Order) {
    let mut merge = Merge::new(file).unwrap();
    let mut events = Vec::new();
    while let Some(merged) = merge.next().unwrap() {
        if merged.event.is_call() {
            events.push((merged.thread, merged.event));
        }
    }
    (events, merge.order())
}

/// In these histories addresses are reused by other threads far more often than by programs.
#[test]
fn a_program_s_history_is_put_in_an_order_in_which_addresses_alternate() {
    let directory = tempfile::tempdir().unwrap();
    for seed in 1..250 {
        let threads = 2 + seed % 5;
        let history = common::history(threads, 3000, seed * 7919);
        let path = written(directory.path(), "7-1.trace", &common::file(&history, threads as u32));
        let file = TraceFile::open(&path).unwrap();
        assert_eq!(file.check().unwrap(), []);
        let (events, order) = merged(&file);
        assert_eq!(events.len(), history.len());
        assert_eq!(order.unread, 0);
        assert_eq!((order.contradictions, order.unknown_frees), (0, 0), "history {seed}: {order:?}");
        for thread in 0..threads as u32 {
            let of = |all: &[(u32, Event)]| {
                all.iter().filter(|(who, _)| *who == thread).map(|(_, event)| *event).collect::<Vec<_>>()
            };
            assert_eq!(of(&events), of(&history), "each thread keeps its own order");
        }
    }
}

#[test]
fn a_free_by_another_thread_comes_between_the_two_lives_of_its_address() {
    let (p, size) = (0x7f00_0000_1000, 10);
    let began = 1000;
    // The second thread's stamps are later, so that only the alternation can tell.
    let mut bytes = common::page();
    let first =
        [Event::Malloc { pointer: p, size }, Event::Malloc { pointer: p, size }, Event::Stamp { at: 9000 }];
    bytes.extend(common::chunk(0, 0, 0, began, &first, 4096));
    bytes.extend(common::chunk(1, 0, 0, began + 1000, &[Event::Free { pointer: p }], 4096));
    let directory = tempfile::tempdir().unwrap();
    let file = TraceFile::open(&written(directory.path(), "7-1.trace", &bytes)).unwrap();
    let (events, order) = merged(&file);
    assert_eq!(events.iter().map(|(thread, _)| *thread).collect::<Vec<_>>(), [0, 1, 0]);
    assert_eq!(order.contradictions, 0);
}

/// A thread was killed at each moment of the moving of its second chunk from its window to its place.
#[test]
fn a_window_is_read_in_one_place_whenever_its_thread_was_killed() {
    let pair = |pointer| [Event::Malloc { pointer, size: 9 }, Event::Free { pointer }];
    let closed = |pointer| [&pair(pointer)[..], &[Event::Close]].concat();
    let (length, place) = (4096usize, 4096 + 4096);
    let second = common::chunk(0, 1, 2, 60, &closed(0x2000), length - 64);
    let third = common::chunk(0, 2, 4, 70, &pair(0x3000), length - 64);
    let first = common::chunk(0, 0, 0, 50, &closed(0x1000), 4096);
    let before = [&second[..], &[0; 64]].concat();
    let mut torn = before.clone();
    torn[200..4096 - 64].fill(0xee);
    let at = place as u64 + 4096;
    let (full, moving, moved) =
        (common::window(length, 0, 0), common::window(length, 0, at), common::window(length, 1, at));
    let half: Vec<u8> = third.iter().map(|byte| byte ^ 0x55).collect();
    let empty = vec![0; 4096];
    let moments = [
        ("not moved", &full, &second, &empty, 2),
        ("reserved", &moving, &second, &empty, 2),
        ("being moved", &moving, &second, &torn, 2),
        ("written", &moving, &second, &before, 2),
        ("being emptied", &moved, &half, &before, 2),
        ("used again", &full, &third, &before, 3),
    ];
    let directory = tempfile::tempdir().unwrap();
    for (what, window, body, there, chunks) in moments {
        let bytes = [&common::page()[..], &first, window, body, there].concat();
        let file = TraceFile::open(&written(directory.path(), "7-1.trace", &bytes)).unwrap();
        assert_eq!((file.check().unwrap(), file.chunks.len()), (vec![], chunks), "{what}");
        assert_eq!(merged(&file).0.len(), 2 * chunks, "{what}");
    }
}

#[test]
fn what_cannot_be_is_counted() {
    let (p, size) = (0x7f00_0000_1000, 10);
    let events = [
        Event::Free { pointer: p },
        Event::Malloc { pointer: p, size },
        Event::Malloc { pointer: p, size },
        Event::ReallocFreed,
    ];
    let mut bytes = common::page();
    bytes.extend(common::chunk(0, 0, 0, 5, &events, 4096));
    let directory = tempfile::tempdir().unwrap();
    let file = TraceFile::open(&written(directory.path(), "7-1.trace", &bytes)).unwrap();
    let (_, order) = merged(&file);
    assert_eq!((order.unknown_frees, order.contradictions), (1, 2));
}

#[test]
fn a_file_cut_at_any_place_is_told_or_sound_and_never_more_than_it_was() {
    let directory = tempfile::tempdir().unwrap();
    let history = common::history(2, 300, 99);
    let bytes = common::file(&history, 2);
    for cut in (0..bytes.len()).step_by(61) {
        let path = written(directory.path(), "7-1.trace", &bytes[..cut]);
        let Ok(file) = TraceFile::open(&path) else {
            assert!(cut < 4096);
            continue;
        };
        let cut_a_chunk = file.chunks.iter().any(|chunk| chunk.at + u64::from(chunk.length) > cut as u64);
        assert_eq!(
            !file.check().unwrap().is_empty(),
            cut_a_chunk || !(cut - 4096).is_multiple_of(16 << 10),
            "{cut}"
        );
        assert!(merged(&file).0.len() <= history.len());
    }
}

#[test]
fn every_rule_of_a_header_is_held_to() {
    let directory = tempfile::tempdir().unwrap();
    let history = common::history(2, 3000, 5);
    let sound = common::file(&history, 2);
    let damaged = |at: usize, byte: u8| {
        let mut bytes = sound.clone();
        assert_ne!(bytes[at], byte);
        bytes[at] = byte;
        let file = TraceFile::open(&written(directory.path(), "7-1.trace", &bytes));
        file.map(|file| !file.check().unwrap().is_empty())
    };
    for at in [0, 7, 8, 12, 40] {
        assert!(damaged(at, 0x7f - sound[at] % 2).is_err() || at == 40, "page, byte {at}");
    }
    let chunk = 4096;
    for (what, at) in [
        ("magic", 0),
        ("length", 8),
        ("flags", 12),
        ("version", 16),
        ("pid", 20),
        ("thread", 28),
        ("sequence", 32),
        ("stored", 36),
        ("before", 48),
    ] {
        assert_eq!(damaged(chunk + at, 0x55).ok(), Some(true), "{what}");
    }
    assert_eq!(damaged(chunk + (15 << 10), 1).ok(), Some(true), "something after the end");
}

#[test]
fn compressed_it_says_the_same_in_less() {
    let directory = tempfile::tempdir().unwrap();
    let history = common::history(3, 5000, 12);
    let path = written(directory.path(), "7-1.trace", &common::file(&history, 3));
    let file = TraceFile::open(&path).unwrap();
    let packed = directory.path().join("packed.trace");
    let sizes = compress(&file, &packed, 3).unwrap();
    assert_eq!(sizes.after, std::fs::metadata(&packed).unwrap().len());
    assert!(sizes.after * 2 < sizes.before, "{sizes:?}");
    let again = TraceFile::open(&packed).unwrap();
    assert!(again.is_packed() && !file.is_packed());
    assert_eq!(again.check().unwrap(), []);
    assert_eq!(merged(&again).0, merged(&file).0);
    assert_eq!(summarize(&again).unwrap(), summarize(&file).unwrap());
    assert!(compress(&file, &packed, 3).is_err(), "nothing is overwritten");
}

#[test]
fn a_summary_counts_what_happened() {
    let directory = tempfile::tempdir().unwrap();
    let history = common::history(4, 4000, 3);
    let file = TraceFile::open(&written(directory.path(), "7-1.trace", &common::file(&history, 4))).unwrap();
    let summary = summarize(&file).unwrap();
    let (mut live, mut peak, mut gains, mut frees) = (std::collections::HashMap::new(), 0u64, 0, 0);
    for (_, event) in &history {
        match *event {
            Event::Malloc { pointer, size } | Event::ReallocEnd { pointer, size } => {
                gains += 1;
                live.insert(pointer, size);
            }
            Event::Free { pointer } => {
                frees += 1;
                live.remove(&pointer);
            }
            Event::ReallocBegin { pointer } => {
                live.remove(&pointer);
            }
            _ => {}
        }
        peak = peak.max(live.values().sum());
    }
    assert_eq!((summary.gains, summary.frees, summary.threads), (gains, frees, 4));
    assert_eq!(summary.calls as usize, history.len());
    assert_eq!(summary.curve.iter().map(|point| point.bytes).max(), Some(summary.peak));
    // The order between stamps is not the true one, so that the peak is nearly the true one.
    assert!(summary.peak.abs_diff(peak) * 5 < peak, "{} for {peak}", summary.peak);
    assert!(summary.cross_thread > 0 && summary.sizes.total() == gains);
    assert!(summary.curve.len() <= 240);
}

#[test]
fn a_directory_says_what_it_holds() {
    let directory = tempfile::tempdir().unwrap();
    assert!(Recording::open(directory.path()).unwrap_err().to_string().contains("holds no recording"));
    written(directory.path(), "7-1.trace", &common::file(&common::history(1, 10, 1), 1));
    written(directory.path(), "8-1.trace", b"something");
    // Killed in the moment in which their files were made.
    written(directory.path(), "9-1.trace", b"");
    written(directory.path(), "10-1.trace", &[0; 4096]);
    let recording = Recording::open(directory.path()).unwrap();
    assert_eq!((recording.files.len(), recording.refused.len()), (1, 1));
    assert!(recording.refused[0].to_string().ends_with("is not a recording of a process"));
}
