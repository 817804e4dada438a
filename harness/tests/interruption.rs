//! Ctrl-C, kill -9, a second harness, a full disk: nothing survives, nothing that finished is lost, and
//! `--resume` completes the same campaign.

mod common;

use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Duration;

use common::{arenalab, both, eventually, fresh, processes_with, run_expecting, text, trials};
use serde_json::Value;

const PLAN: [&str; 10] = [
    "sweep",
    "larson:ops=1M",
    "--threads",
    "2",
    "--rounds",
    "4",
    "--arena-max",
    "default,1",
    "--allocators",
    "glibc,jemalloc",
];
const TRIALS: usize = 4 * 4;

fn start(dir: &Path, mark: &str) -> Child {
    let (name, value) = mark.split_once('=').unwrap();
    let mut command = arenalab();
    command.args(PLAN).args(["--out", text(dir)]).env(name, value);
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

fn mark(dir: &Path) -> String {
    format!("ARENALAB_TEST_MARK={}", dir.display())
}

fn signal(child: &Child, signal: rustix::process::Signal) {
    let pid = rustix::process::Pid::from_raw(child.id().cast_signed()).unwrap();
    rustix::process::kill_process(pid, signal).unwrap();
}

fn whole_lines(dir: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(dir.join("trials.jsonl")).unwrap_or_default();
    text.split_inclusive('\n').filter(|line| line.ends_with('\n')).map(str::to_owned).collect()
}

fn identity(trial: &Value) -> String {
    ["workload", "threads", "candidate", "round", "twin", "position"]
        .map(|key| trial[key].to_string())
        .join(" ")
}

/// What a campaign that nobody disturbs runs, in its order.
fn undisturbed() -> Vec<String> {
    let (_parent, dir) = fresh();
    run_expecting(0, &[&PLAN[..], &["--out", text(&dir)]].concat());
    trials(&dir).iter().map(identity).collect()
}

#[test]
fn kill_9_at_any_moment_loses_nothing_that_finished_and_leaves_nothing_running() {
    let expected = undisturbed();
    assert_eq!(expected.len(), TRIALS);
    let (_parent, dir) = fresh();
    let mark = mark(&dir);
    let mut kept: Vec<String> = Vec::new();
    // Moments of all kinds: before the first trial, within one, between two; in half of the cases counted
    // from the end of a trial.
    for (after_a_trial, wait_ms) in
        [(false, 15), (true, 40), (true, 0), (false, 333), (true, 111), (true, 63)]
    {
        let args = ["sweep", "--resume", "--out", text(&dir)];
        let mut child = if dir.join("manifest.json").exists() {
            let (name, value) = mark.split_once('=').unwrap();
            let mut command = arenalab();
            command.args(args).env(name, value).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
        } else {
            start(&dir, &mark)
        };
        if after_a_trial {
            assert!(eventually(30, || whole_lines(&dir).len() > kept.len()), "no trial was finished");
        }
        std::thread::sleep(Duration::from_millis(wait_ms));
        signal(&child, rustix::process::Signal::KILL);
        child.wait().unwrap();
        assert!(eventually(10, || processes_with(&mark).is_empty()), "{:?}", processes_with(&mark));
        let now = whole_lines(&dir);
        assert!(now.len() >= kept.len() && now[..kept.len()] == kept[..], "a finished trial was lost");
        kept = now;
    }
    if dir.join("manifest.json").exists() {
        run_expecting(0, &["sweep", "--resume", "--out", text(&dir)]);
    } else {
        run_expecting(0, &[&PLAN[..], &["--out", text(&dir)]].concat());
    }
    let got: Vec<String> = trials(&dir).iter().map(identity).collect();
    assert_eq!(got, expected);
}

#[test]
fn ctrl_c_ends_with_130_and_the_campaign_can_be_completed() {
    for (how, code) in [(rustix::process::Signal::INT, 130), (rustix::process::Signal::TERM, 143)] {
        let (_parent, dir) = fresh();
        let mark = mark(&dir);
        let mut child = start(&dir, &mark);
        assert!(eventually(20, || !whole_lines(&dir).is_empty()));
        signal(&child, how);
        assert_eq!(child.wait().unwrap().code(), Some(code));
        assert!(eventually(5, || processes_with(&mark).is_empty()));
        run_expecting(0, &["sweep", "--resume", "--out", text(&dir)]);
        let ok = trials(&dir).iter().filter(|trial| trial["status"] == "ok").count();
        assert_eq!(ok, TRIALS);
    }
}

#[test]
fn a_second_harness_keeps_out() {
    let (_parent, dir) = fresh();
    let mark = mark(&dir);
    let mut child = start(&dir, &mark);
    assert!(eventually(20, || dir.join("manifest.json").exists()));
    let refused = run_expecting(2, &["sweep", "--resume", "--out", text(&dir)]);
    assert!(both(&refused).contains("in use"), "{}", both(&refused));
    signal(&child, rustix::process::Signal::KILL);
    child.wait().unwrap();
}

#[test]
fn a_full_disk_is_told_and_loses_nothing() {
    let (parent, dir) = fresh();
    let disk = parent.path().join("disk");
    std::fs::create_dir(&disk).unwrap();
    // A file system of 320 KiB, in a mount namespace of its own.
    let mounted = r#"mount -t tmpfs -o size=320k tmpfs "$1""#;
    let namespace = |script: &str| {
        let mut command = std::process::Command::new("unshare");
        command.args(["-Urm", "sh", "-c", script, "sh", text(&disk)]);
        command
    };
    if !namespace(mounted).output().is_ok_and(|probe| probe.status.success()) {
        eprintln!("skipped: this host allows no mount in a namespace of one's own");
        return;
    }
    let script = format!(
        r#"{mounted} || exit 99
        "$2" sweep larson:ops=2k --threads 1 --rounds 200 --out "$1/c"; code=$?
        cp -r "$1/c" "$3"; exit $code"#
    );
    let mut command = namespace(&script);
    command.args([env!("CARGO_BIN_EXE_arenalab"), text(&dir)]);
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", both(&output));
    assert!(both(&output).contains("No space left on device"), "{}", both(&output));
    assert!(both(&output).contains("--resume"), "{}", both(&output));
    let rows = trials(&dir);
    let (last, before) = rows.split_last().unwrap();
    assert!(before.iter().all(|row| row["status"] == "ok"));
    assert_eq!(last["status"], "interrupted");
    assert!(last["reason"].as_str().unwrap().contains("space"), "{last}");
}
