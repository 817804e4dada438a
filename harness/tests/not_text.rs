//! Paths, variables and arguments that are not UTF-8: they work, or are refused in one line at once; nothing hangs.

mod common;

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use common::{arenalab, both, fresh, text, trials};

/// A directory whose name has the byte e9, as Latin-1 spells é.
fn odd_directory(parent: &Path) -> PathBuf {
    let dir = parent.join(OsStr::from_bytes(b"caf\xe9"));
    std::fs::create_dir(&dir).unwrap();
    dir
}

const QUICK: [&str; 6] = ["--rounds", "1", "--allocators", "glibc", "--arena-max", "default"];

#[test]
fn a_program_is_swept_in_a_directory_whose_name_is_no_text() {
    let (parent, _) = fresh();
    let dir = odd_directory(parent.path());
    std::fs::copy("/bin/sh", dir.join("app")).unwrap();
    let mut command = arenalab();
    command.args(["sweep", "--json", "--timeout", "20s", "--out", "campaign"]).args(QUICK);
    let output = command.args(["--", "./app", "-c", "pwd"]).current_dir(&dir).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", both(&output));
    let rows = trials(&dir.join("campaign"));
    assert_eq!(rows.len(), 2);
    for row in &rows {
        assert_eq!(row["status"], "ok", "{row}");
        let kept = row["program"]["output"][0].as_str().unwrap();
        let printed = std::fs::read(dir.join("campaign").join(kept)).unwrap();
        assert_eq!(printed.strip_suffix(b"\n"), Some(dir.as_os_str().as_bytes()));
    }
}

#[test]
fn a_built_in_workload_is_swept_there_too() {
    let (parent, _) = fresh();
    let dir = odd_directory(parent.path());
    let mut command = arenalab();
    command.args(["sweep", "larson:ops=2k", "--threads", "1", "--out", "campaign"]).args(QUICK);
    let output = command.current_dir(&dir).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", both(&output));
    assert!(trials(&dir.join("campaign")).iter().all(|row| row["status"] == "ok"));
}

#[test]
fn a_variable_that_is_no_text_reaches_the_program_unchanged() {
    let (_parent, dir) = fresh();
    let value = OsString::from_vec(b"a\xe9\xffz".to_vec());
    let mut command = arenalab();
    command.args(["sweep", "--out", text(&dir)]).args(QUICK).env("ARENALAB_ODD", &value);
    let output = command.args(["--", "sh", "-c", "printf %s \"$ARENALAB_ODD\""]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", both(&output));
    for row in trials(&dir) {
        let kept = row["program"]["output"][0].as_str().unwrap();
        assert_eq!(std::fs::read(dir.join(kept)).unwrap(), value.as_bytes());
    }
}

#[test]
fn words_of_a_plan_that_are_no_text_are_refused_in_one_line() {
    let (_parent, dir) = fresh();
    let odd = OsString::from_vec(b"X=\xe9".to_vec());
    let word = OsString::from_vec(b"\xe9".to_vec());
    for (more, last) in [
        ([OsStr::new("--env"), &odd], OsStr::new("x")),
        ([OsStr::new("--host-name"), OsStr::new("x")], &word),
    ] {
        let mut command = arenalab();
        command
            .args(["sweep", "--print-plan", "--out", text(&dir)])
            .args(more)
            .args(["--", "echo"])
            .arg(last);
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), said.lines().count()), (Some(2), 1), "{}", both(&output));
        assert!(said.contains("UTF-8"), "{said}");
    }
}

#[test]
fn a_shell_reads_each_path_that_is_printed_for_it_as_it_is() {
    use arenalab::plan::shell;
    let odd: [&[u8]; 6] =
        [b"plain/dir", b"two words", b"it's \"quoted\"", b"$HOME `id` \\", b"caf\xe9 'x'", b"-n*"];
    for bytes in odd {
        let line = format!("printf %s {}", shell::path(Path::new(OsStr::from_bytes(bytes))));
        let said = std::process::Command::new("sh").args(["-c", &line]).output().unwrap();
        assert_eq!(said.stdout, bytes, "{line}");
    }
    assert_eq!(shell::path(Path::new("results/a-1")), "results/a-1");
}
