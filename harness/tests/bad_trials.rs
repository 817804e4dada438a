//! A trial that goes wrong is a row with a status and a reason, and leaves nothing behind.

mod common;

use std::path::Path;

use common::{arenalab, both, eventually, fresh, processes_with, text, trials};
use serde_json::Value;

/// Sweeps one misbehaving workload once under the baseline; gives its rows and a mark that every process of
/// it has in its environment.
fn misbehave(dir: &Path, workload: &str, more: &[&str]) -> (Vec<Value>, String) {
    let mark = format!("ARENALAB_TEST_MARK={}", dir.display());
    let (name, value) = mark.split_once('=').unwrap();
    let mut command = arenalab();
    command.args(["sweep", workload, "--threads", "1", "--rounds", "1", "--allocators", "glibc"]);
    command.args(["--arena-max", "default", "--out", text(dir)]).args(more).env(name, value);
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", both(&output));
    (trials(dir), mark)
}

#[track_caller]
fn all_are(rows: &[Value], status: &str, reason: &str) {
    assert_eq!(rows.len(), 2, "the baseline and its twin");
    for row in rows {
        assert_eq!(row["status"], status, "{row}");
        assert!(row["reason"].as_str().unwrap().contains(reason), "{row}");
    }
}

#[test]
fn a_crash_is_a_row() {
    let (_parent, dir) = fresh();
    let (rows, _) = misbehave(&dir, "selftest:mode=1", &[]);
    all_are(&rows, "crashed", "signal");
}

#[test]
fn a_hang_is_a_row_and_is_ended() {
    let (_parent, dir) = fresh();
    let (rows, mark) = misbehave(&dir, "selftest:mode=2", &["--timeout", "500ms"]);
    all_are(&rows, "timeout", "0.5 s");
    assert!(eventually(5, || processes_with(&mark).is_empty()), "{:?}", processes_with(&mark));
}

#[test]
fn an_exit_with_an_error_is_a_row_with_its_last_words() {
    let (_parent, dir) = fresh();
    let (rows, _) = misbehave(&dir, "selftest:mode=3", &[]);
    all_are(&rows, "failed", "selftest was asked to fail");
}

#[test]
fn no_memory_is_a_row() {
    let (_parent, dir) = fresh();
    let (rows, _) = misbehave(&dir, "selftest:mode=4", &[]);
    all_are(&rows, "oom", "malloc");
}

#[test]
fn a_daemon_of_a_trial_does_not_outlive_it() {
    let (_parent, dir) = fresh();
    let (rows, mark) = misbehave(&dir, "selftest:mode=6", &["--timeout", "1s"]);
    all_are(&rows, "timeout", "1 s");
    assert!(eventually(5, || processes_with(&mark).is_empty()), "{:?}", processes_with(&mark));
}

#[test]
fn a_peak_depends_neither_on_the_harness_nor_on_the_trial_before() {
    let (_parent, dir) = fresh();
    let output = common::run(&[
        "sweep",
        "selftest:bytes=300MiB,mode=5",
        "selftest",
        "--threads",
        "1",
        "--rounds",
        "3",
        "--allocators",
        "glibc",
        "--arena-max",
        "default",
        "--out",
        text(&dir),
    ]);
    assert_eq!(output.status.code(), Some(0), "{}", both(&output));
    let rows = trials(&dir);
    let peaks = |tiny: bool| -> Vec<u64> {
        let of = rows.iter().filter(|row| (row["workload"] == "selftest") == tiny);
        of.map(|row| row["rss"]["peak"].as_u64().unwrap()).collect()
    };
    assert_eq!((peaks(true).len(), peaks(false).len()), (6, 6));
    assert!(peaks(false).iter().all(|peak| *peak > 300 << 20), "{:?}", peaks(false));
    assert!(peaks(true).iter().all(|peak| *peak < 40 << 20), "{:?}", peaks(true));
    // The order is random: make sure that a large one really did come before a tiny one.
    let large_then_tiny =
        rows.windows(2).any(|w| w[0]["workload"] != "selftest" && w[1]["workload"] == "selftest");
    assert!(large_then_tiny);
}
