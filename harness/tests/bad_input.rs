//! Bad input gives one clear line on standard error and exit 2, and never a panic.

mod common;

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use common::{both, fresh, run_expecting, text};

/// Runs a command line that is wrong; its one line must have all of `words`.
#[track_caller]
fn refused(args: &[&str], words: &[&str]) {
    let output = run_expecting(2, args);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.stdout.is_empty(), "{}", both(&output));
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(said.starts_with("arenalab: ") && !said.contains("panicked"), "{said}");
    for word in words {
        assert!(said.contains(word), "'{word}' is not in: {said}");
    }
}

/// A campaign with one finished round.
fn small_campaign(dir: &Path) {
    let args = ["sweep", "larson:ops=2k", "--threads", "1", "--rounds", "1", "--allocators", "glibc"];
    run_expecting(0, &[&args[..], &["--arena-max", "default", "--out", text(dir)]].concat());
}

#[test]
fn command_lines() {
    let (_parent, dir) = fresh();
    let table: &[(&[&str], &[&str])] = &[
        (&["sweep", "larsen"], &["larsen", "larson"]),
        (&["sweep", "larson:size_mux=5"], &["size_mux", "size_max"]),
        (&["sweep", "larson:size_max=5parsecs"], &["5parsecs"]),
        (&["sweep"], &["workload"]),
        (&["sweep", "larson", "--threads", "0"], &["threads", "0"]),
        (&["sweep", "larson", "--threads", "many"], &["many"]),
        (&["sweep", "larson", "--rounds", "0"], &["rounds"]),
        (&["sweep", "larson", "--arena-max", "0"], &["arena", "0", "ignore"]),
        (&["sweep", "larson", "--candidate", "glibc:arena_max=0"], &["silently ignore"]),
        (&["sweep", "larson", "--candidate", "jmalloc"], &["jmalloc", "jemalloc"]),
        (&["sweep", "larson", "--candidate", "glibc:arena_mx=2"], &["arena_mx", "arena_max"]),
        (&["sweep", "larson", "--timeout", "5"], &["5", "unit"]),
        (&["sweep", "larson", "--max-throughput-loss", "150%"], &["150%"]),
        (&["sweep", "larson", "--confidence", "7"], &["confidence"]),
        (&["sweep", "larson", "--roundz", "7"], &["--roundz", "--rounds"]),
        (&["sweep", "--plan", "/no/such/plan.toml"], &["/no/such/plan.toml", "No such file"]),
        (&["choose", "/no/such/campaign"], &["/no/such/campaign"]),
        (&["report", "/no/such/campaign"], &["/no/such/campaign"]),
    ];
    for (args, words) in table {
        let out = ["--out", text(&dir)];
        let args = if args[0] == "sweep" { [args, &out[..]].concat() } else { args.to_vec() };
        refused(&args, words);
        assert!(!dir.exists(), "{args:?} left something behind");
    }
}

#[test]
fn an_unwritable_directory() {
    // Root may write anywhere; but not below a file, and not in procfs.
    for out in ["/proc/campaign", "/dev/null/campaign"] {
        refused(&["sweep", "larson", "--out", out], &[out]);
    }
    let parent = tempfile::tempdir().unwrap();
    std::fs::set_permissions(parent.path(), std::fs::Permissions::from_mode(0o500)).unwrap();
    if !rustix::process::getuid().is_root() {
        let out = parent.path().join("campaign");
        refused(&["sweep", "larson", "--out", text(&out)], &[text(&out)]);
    }
}

#[test]
fn a_corrupt_manifest() {
    let (_parent, dir) = fresh();
    small_campaign(&dir);
    let manifest = dir.join("manifest.json");
    let good = std::fs::read_to_string(&manifest).unwrap();
    for bad in [&good[..good.len() / 2], "", "[]", "{\"format\": \"one\"}", "\0\0\0"] {
        std::fs::write(&manifest, bad).unwrap();
        for command in ["choose", "report"] {
            refused(&[command, text(&dir)], &["manifest.json"]);
        }
        refused(&["sweep", "--resume", "--out", text(&dir)], &["manifest.json"]);
    }
}

#[test]
fn a_newer_manifest() {
    let (_parent, dir) = fresh();
    small_campaign(&dir);
    let manifest = dir.join("manifest.json");
    let newer = std::fs::read_to_string(&manifest).unwrap().replacen("\"format\": 1", "\"format\": 99", 1);
    std::fs::write(&manifest, newer).unwrap();
    refused(&["choose", text(&dir)], &["format 99", "newer arenalab"]);
}

#[test]
fn a_truncated_last_line_is_tolerated_and_told() {
    let (_parent, dir) = fresh();
    small_campaign(&dir);
    let path = dir.join("trials.jsonl");
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, &whole[..whole.len() - 20]).unwrap();
    let output = common::run(&["choose", text(&dir), "--json"]);
    assert_ne!(output.status.code(), Some(2), "{}", both(&output));
    let decision = common::json(&output);
    assert_eq!(decision["trials_run"], 1);
    assert!(decision["warnings"].to_string().contains("cut off"), "{}", decision["warnings"]);
    run_expecting(0, &["sweep", "--resume", "--out", text(&dir)]);
    assert_eq!(common::trials(&dir).len(), 2);
}

#[test]
fn a_foreign_line_in_the_middle_is_named() {
    let (_parent, dir) = fresh();
    small_campaign(&dir);
    let path = dir.join("trials.jsonl");
    let whole = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, format!("{{\"not\":\"ours\"}}\n{whole}")).unwrap();
    refused(&["choose", text(&dir)], &["trials.jsonl", "line 1"]);
}

#[test]
fn a_campaign_is_not_resumed_with_another_plan() {
    let (_parent, dir) = fresh();
    small_campaign(&dir);
    refused(&["sweep", "churn", "--resume", "--out", text(&dir)], &["another plan"]);
}
