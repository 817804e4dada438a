//! What the end-to-end tests share: the real `arenalab`, started as a user would.
#![allow(dead_code)]

pub mod kit;
pub mod programs;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

/// The command, with an environment free of what the tests' own runner sets. Cargo leaves the shared libraries of the
/// workspace beside the test binaries where nothing but tests was built.
pub fn arenalab() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_arenalab"));
    command.env_remove("NO_COLOR");
    let test = std::env::current_exe().expect("a test knows its file");
    command.env("ARENALAB_LIBEXEC", test.parent().expect("a file is in a directory"));
    command
}

/// Runs it and gives what it said.
pub fn run(args: &[&str]) -> Output {
    arenalab().args(args).output().expect("arenalab can be started")
}

/// Runs it, and insists that it ends with `code`.
#[track_caller]
pub fn run_expecting(code: i32, args: &[&str]) -> Output {
    let output = run(args);
    assert_eq!(output.status.code(), Some(code), "arenalab {}\n{}", args.join(" "), both(&output));
    output
}

/// Both streams as text.
pub fn both(output: &Output) -> String {
    format!("{}\n{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// A directory's path as an argument.
pub fn text(path: &Path) -> &str {
    path.to_str().expect("the test's paths are text")
}

/// The trials of a campaign, as any reader of JSON sees them.
pub fn trials(dir: &Path) -> Vec<Value> {
    let lines = std::fs::read_to_string(dir.join("trials.jsonl")).expect("there is a journal");
    lines.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect()
}

/// Standard output as JSON.
#[track_caller]
pub fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {}", both(output)))
}

/// Process ids whose command line or environment has `needle`.
pub fn processes_with(needle: &str) -> Vec<i32> {
    let has = |pid: &i32, file: &str| {
        let content = std::fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
        content.windows(needle.len()).any(|window| window == needle.as_bytes())
    };
    let all = std::fs::read_dir("/proc").expect("there is procfs").flatten();
    all.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|pid| has(pid, "environ") || has(pid, "cmdline"))
        .filter(|pid| *pid != std::process::id().cast_signed())
        .collect()
}

/// Waits, for at most so many seconds, until `done` holds.
pub fn eventually(seconds: u64, mut done: impl FnMut() -> bool) -> bool {
    let end = std::time::Instant::now() + std::time::Duration::from_secs(seconds);
    while std::time::Instant::now() < end {
        if done() {
            return true;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    done()
}

/// A fresh directory for one campaign, inside one that lives as long as the first of the pair.
pub fn fresh() -> (tempfile::TempDir, PathBuf) {
    let parent = tempfile::tempdir().expect("a temporary directory");
    let dir = parent.path().join("campaign");
    (parent, dir)
}
