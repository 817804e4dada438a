//! Where the baseline fails in all its runs of the first round the campaign stops there, says why, and can be taken up
//! again.

mod common;

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Output;

use common::programs::write;
use common::{arenalab, both, fresh, json, run_expecting, text, trials};

fn run_in(parent: &Path, args: &[&str]) -> Output {
    arenalab().args(args).current_dir(parent).output().unwrap()
}

/// Stopped after one round of all candidates; what is said has all of `words`.
#[track_caller]
fn stopped(output: &Output, dir: &Path, words: &[&str]) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{}", both(output));
    for word in [&["stopped after the first round", "--resume", "--keep-going"], words].concat() {
        assert!(said.contains(word), "'{word}' is not in: {said}");
    }
    assert!(trials(dir).iter().all(|trial| trial["round"] == 0), "{said}");
}

const PAIR: [&str; 4] = ["--candidate", "glibc:arena_max=1", "--rounds", "4"];

#[test]
fn a_sweep_of_a_program_that_fails_stops_after_one_round() {
    let (_parent, dir) = fresh();
    let line = "echo no configuration file; echo second line >&2; exit 3";
    let args = [&["sweep", "--out", text(&dir)], &PAIR[..], &["--", "sh", "-c", line]].concat();
    let output = run_expecting(1, &args);
    stopped(
        &output,
        &dir,
        &["failed in all its 2 runs", "code 3", "| no configuration file", "| second line"],
    );
    assert_eq!(trials(&dir).len(), 3);
}

#[test]
fn so_does_one_whose_throughput_is_never_printed() {
    let (_parent, dir) = fresh();
    let pattern = ["--throughput-regex", "rate: ([0-9.]+)"];
    let args = [&["sweep", "--out", text(&dir)], &PAIR[..], &pattern, &["--", "echo", "speed: 7"]].concat();
    stopped(&run_expecting(1, &args), &dir, &["nothing in it matches", "| speed: 7"]);
}

#[test]
fn tune_and_rehearse_do_the_same() {
    let (_parent, dir) = fresh();
    let args = [&["tune", "--out", text(&dir)], &PAIR[..], &["--", "false"]].concat();
    stopped(&run_expecting(1, &args), &dir, &["code 1"]);
    // A built-in workload, too.
    let (_parent, dir) = fresh();
    let args = [&["sweep", "selftest:mode=3", "--threads", "1", "--out", text(&dir)], &PAIR[..]].concat();
    stopped(&run_expecting(1, &args), &dir, &["selftest was asked to fail"]);
}

#[test]
fn told_to_keep_going_it_keeps_going() {
    let (_parent, dir) = fresh();
    let args = [
        "sweep",
        "--keep-going",
        "--rounds",
        "2",
        "--candidate",
        "glibc",
        "--out",
        text(&dir),
        "--",
        "false",
    ];
    run_expecting(0, &args);
    assert_eq!(trials(&dir).len(), 4);
    // Of what never ran nothing is said.
    let chosen = run_expecting(4, &["choose", text(&dir)]);
    assert!(both(&chosen).contains("nothing was measured: none of 4 trials finished"), "{}", both(&chosen));
    let printed = run_expecting(0, &[&["sweep", "--print-plan"], &args[1..6], &["--", "false"]].concat());
    assert!(String::from_utf8_lossy(&printed.stdout).contains("keep_going = true"), "{}", both(&printed));
}

#[test]
fn a_baseline_that_fails_now_and_then_is_no_reason_to_stop() {
    let (parent, dir) = fresh();
    // Every second run fails.
    let line = format!(
        "n={}; if [ -e $n ]; then rm $n; else touch $n; exit 1; fi",
        parent.path().join("n").display()
    );
    let args =
        ["sweep", "--rounds", "2", "--candidate", "glibc", "--out", text(&dir), "--", "sh", "-c", &line];
    run_expecting(0, &args);
    assert_eq!(trials(&dir).len(), 4);
}

#[test]
fn once_the_program_is_mended_resume_tries_the_first_round_again() {
    // A blank and a quote in the path: the line that is printed is one that a shell runs.
    let parent = tempfile::tempdir().unwrap();
    let inner = parent.path().join("it's mine");
    std::fs::create_dir(&inner).unwrap();
    let app = write(&inner, "app", "#!/bin/sh\nexit 1\n");
    std::fs::set_permissions(&app, std::fs::Permissions::from_mode(0o755)).unwrap();
    let dir = inner.join("campaign");
    let args = [&["sweep", "--out", text(&dir)], &PAIR[..2], &["--rounds", "2", "--", "./app"]].concat();
    let output = run_in(&inner, &args);
    stopped(&output, &dir, &["code 1"]);

    // Nothing was mended: the same again, in a further attempt.
    let output = run_in(&inner, &["sweep", "--resume", "--out", text(&dir)]);
    stopped(&output, &dir, &["code 1"]);
    assert_eq!(trials(&dir).len(), 6);

    std::fs::write(&app, "#!/bin/sh\nexit 0\n").unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let line = said.split("try again with ").nth(1).unwrap().split("; or").next().unwrap();
    let command = format!("{} sweep {line}", env!("CARGO_BIN_EXE_arenalab"));
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", &command]).current_dir(&inner);
    let resumed = shell.output().unwrap();
    assert_eq!(resumed.status.code(), Some(0), "{command}\n{}", both(&resumed));
    let rows = trials(&dir);
    assert_eq!(rows.len(), 12);
    assert!(rows[6..].iter().all(|row| row["status"] == "ok"), "{rows:?}");
    assert_eq!((&rows[6]["round"], &rows[6]["attempt"]), (&0.into(), &2.into()));

    // What was measured since is of this program, and of no other.
    std::fs::write(&app, "#!/bin/sh\nexit  0\n").unwrap();
    let refused = run_in(&inner, &["sweep", "--resume", "--out", text(&dir)]);
    assert_eq!(refused.status.code(), Some(2), "{}", both(&refused));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("two builds"), "{}", both(&refused));
    let decision = json(&arenalab().args(["choose", "--json", text(&dir)]).output().unwrap());
    assert!(decision["warnings"].to_string().contains("the baseline had failed"), "{}", decision["warnings"]);
}

#[test]
fn a_stopped_campaign_goes_on_in_spite_of_it_when_told() {
    let (_parent, dir) = fresh();
    let args = [&["sweep", "--out", text(&dir)], &PAIR[..2], &["--rounds", "2", "--", "false"]].concat();
    stopped(&run_expecting(1, &args), &dir, &[]);
    run_expecting(0, &["sweep", "--resume", "--keep-going", "--out", text(&dir)]);
    assert_eq!(trials(&dir).len(), 6);
    run_expecting(0, &["sweep", "--resume", "--keep-going", "--out", text(&dir)]);
    assert_eq!(trials(&dir).len(), 6);
}
