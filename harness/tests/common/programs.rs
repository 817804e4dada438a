//! What the tests of programs of the user's own share: campaigns whose processes all bear a mark.

use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::Value;

use super::{arenalab, both, eventually, processes_with, text, trials};

/// Writes a file and gives its path.
pub fn write(dir: &Path, name: &str, content: &str) -> PathBuf {
    let path = dir.join(name);
    std::fs::write(&path, content).unwrap();
    path
}

/// Sweeps with a mark in the environment of all processes, to the end whatever becomes of the trials.
pub fn sweep(dir: &Path, args: &[&str]) -> (Output, String) {
    let mark = format!("ARENALAB_TEST_MARK={}", dir.display());
    let (name, value) = mark.split_once('=').unwrap();
    let mut command = arenalab();
    command.args(["sweep", "--keep-going", "--out", text(dir)]).args(args).env(name, value);
    (command.output().unwrap(), mark)
}

/// The trials of a sweep that succeeds and leaves nothing running.
#[track_caller]
pub fn rows(dir: &Path, args: &[&str]) -> Vec<Value> {
    let (output, mark) = sweep(dir, args);
    assert_eq!(output.status.code(), Some(0), "{}", both(&output));
    nothing_is_left(&mark);
    trials(dir)
}

/// No process with the mark, which every listener would have.
#[track_caller]
pub fn nothing_is_left(mark: &str) {
    assert!(eventually(5, || processes_with(mark).is_empty()), "{:?}", processes_with(mark));
}
