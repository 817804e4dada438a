//! A trial that goes wrong is a row with a status and a reason, and leaves nothing behind.

mod common;

use std::path::Path;

use common::{arenalab, both, eventually, fresh, processes_with, text, trials};
use serde_json::Value;

/// What every process of a campaign has in its environment.
fn mark(dir: &Path) -> String {
    format!("ARENALAB_TEST_MARK={}", dir.display())
}

/// Sweeps one misbehaving workload once under the baseline; gives its rows and a mark that every process of
/// it has in its environment.
fn misbehave(dir: &Path, workload: &str, more: &[&str]) -> (Vec<Value>, String) {
    let mark = mark(dir);
    let (name, value) = mark.split_once('=').unwrap();
    let mut command = arenalab();
    command.args([
        "sweep",
        workload,
        "--keep-going",
        "--threads",
        "1",
        "--rounds",
        "1",
        "--allocators",
        "glibc",
    ]);
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
    let mark = mark(&dir);
    let watch = (dir.clone(), mark.clone());
    let trial = std::thread::spawn(move || misbehave(&watch.0, "selftest:mode=6", &["--timeout", "2s"]).0);
    // It must have been there, or its absence afterwards would show nothing.
    let daemon = || processes_with(&mark).into_iter().any(|pid| runs(pid, "sleep") && leads_its_session(pid));
    let seen = eventually(30, || trial.is_finished() || daemon());
    assert!(seen && !trial.is_finished(), "no daemon was seen while the trial ran");
    all_are(&trial.join().unwrap(), "timeout", "2 s");
    assert!(eventually(5, || processes_with(&mark).is_empty()), "{:?}", processes_with(&mark));
}

fn runs(pid: i32, program: &str) -> bool {
    let command = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    command.split(|byte| *byte == 0).next() == Some(program.as_bytes())
}

/// As a daemon does; a child of the trial's own group does not.
fn leads_its_session(pid: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let after_name = stat.rsplit(')').next().unwrap_or("");
    after_name.split_whitespace().nth(3) == Some(pid.to_string().as_str())
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
