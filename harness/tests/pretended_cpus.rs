//! A host with another number of CPUs is pretended: glibc itself computes what it would there, or is given it.

mod common;

use std::path::Path;
use std::process::Command;

use arenalab::knowledge::Version;
use arenalab::knowledge::arena_limit::{Asked, Cpus, limit};
use common::{both, fresh, run_expecting, text, trials};
use serde_json::Value;

/// Sweeps a small workload of many threads.
fn sweep(dir: &Path, cpus: &str, threads: &str, more: &[&str]) {
    let flags =
        ["sweep", "larson:ops=60k,slots=16", "--cpus", cpus, "--threads", threads, "--rounds", "1", "-q"];
    run_expecting(0, &[&flags[..], &["--out", text(dir)], more].concat());
}

fn manifest(dir: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(dir.join("manifest.json")).unwrap()).unwrap()
}

/// The most arenas of the host's glibc on so many CPUs.
fn predicted(manifest: &Value, cpus: u32, threads: u64) -> Option<u64> {
    let version: Version = manifest["libcs"][0]["version"].as_str()?.parse().ok()?;
    limit(Some(version), Cpus { online: cpus, allowed: cpus }, Asked::default()).within(threads + 1)
}

fn observed(dir: &Path) -> Vec<u64> {
    let trials = trials(dir);
    for trial in &trials {
        assert_eq!((trial["status"].as_str(), &trial["reason"]), (Some("ok"), &Value::Null), "{trial}");
        assert_eq!(trial["effect"]["verified"], true, "{trial}");
    }
    trials.iter().filter_map(|trial| trial["arenas"]["observed"].as_u64()).collect()
}

#[test]
fn the_arenas_are_those_of_the_host_that_is_pretended() {
    for (cpus, threads) in [(64, 600), (1, 40), (3, 40)] {
        let (_keep, dir) = fresh();
        sweep(&dir, &cpus.to_string(), &threads.to_string(), &["--candidate", "glibc"]);
        let manifest = manifest(&dir);
        assert_eq!(manifest["pretended_cpus"]["cpus"], cpus);
        let Some(predicted) = predicted(&manifest, cpus, threads) else { continue };
        assert_eq!(observed(&dir), [predicted, predicted], "{cpus} CPUs, {threads} threads: {manifest}");
        let trial = &trials(&dir)[0];
        assert_eq!(trial["pretended_cpus"], cpus);
    }
}

#[test]
fn each_candidate_says_how_and_jemalloc_is_given_its_arenas() {
    let (_keep, dir) = fresh();
    let candidates = "glibc,jemalloc,mimalloc";
    sweep(&dir, "16", "4", &["--allocators", candidates, "--arena-max", "default,2"]);
    assert!(!observed(&dir).is_empty());
    let manifest = manifest(&dir);
    let way = |candidate: &str| {
        let ways = manifest["pretended_cpus"]["ways"].as_array().unwrap();
        ways.iter().find(|way| way["candidate"] == candidate).unwrap().clone()
    };
    assert_eq!(way("jemalloc")["runs_as"], "jemalloc:narenas=64");
    assert_eq!(way("glibc:arena_max=2")["runs_as"], Value::Null);
    assert_eq!(way("mimalloc")["how"], "mimalloc does not count CPUs");
    let of =
        |candidate: &str| trials(&dir).into_iter().find(|trial| trial["candidate"] == candidate).unwrap();
    let how = of("jemalloc")["effect"]["how"].as_str().unwrap().to_owned();
    assert!(how.contains("jemalloc reports narenas=64"), "{how}");
    let chosen = common::json(&common::run(&["choose", text(&dir), "--json"]));
    assert!(chosen["warnings"].to_string().contains("is not simulated"), "{chosen}");
    run_expecting(0, &["report", text(&dir)]);
    let report = std::fs::read_to_string(dir.join("report/report.md")).unwrap();
    assert!(report.contains("narenas=64 is set") && report.contains("is not simulated"), "{report}");
}

#[test]
fn which_cpus_this_glibc_counts_is_tried() {
    let engine = Path::new(env!("CARGO_BIN_EXE_arenalab")).with_file_name("arenalab-workload-glibc");
    let output = Command::new(engine).arg("identify").output().unwrap();
    let identity: Value = serde_json::from_slice(&output.stdout).unwrap();
    let online = std::fs::read_to_string("/sys/devices/system/cpu/online").unwrap();
    let version: Version = identity["libc_version"].as_str().unwrap().parse().unwrap();
    let counted = identity["counted_cpus"].as_str();
    if !online.contains(['-', ',']) {
        assert_eq!(counted, None, "one CPU tells nothing");
    } else if (Version::new(2, 39)..Version::new(2, 44)).contains(&version) || version < Version::new(2, 34) {
        assert_eq!(counted, Some("online"), "{identity}");
    } else if version < Version::new(2, 39) {
        assert!(matches!(counted, Some("online" | "affinity")), "{identity}");
    }
}

#[test]
fn programs_read_the_pretended_cpus_too() {
    let (_keep, dir) = fresh();
    let script = "test \"$(cat /sys/devices/system/cpu/online)\" = 0-63";
    let flags = ["sweep", "--cpus", "64", "--rounds", "1", "--candidate", "glibc", "-q", "--out", text(&dir)];
    let output = run_expecting(0, &[&flags[..], &["--", "/bin/sh", "-c", script]].concat());
    if manifest(&dir)["pretended_cpus"]["file"] == false {
        eprintln!("skipped: this host allows no mount namespace\n{}", both(&output));
        return;
    }
    assert!(trials(&dir).iter().all(|trial| trial["status"] == "ok"), "{}", both(&output));
    // Outside nothing has changed.
    let here = std::fs::read_to_string("/sys/devices/system/cpu/online").unwrap();
    assert_ne!(here, "0-63\n", "a host of 64 CPUs cannot show it");
}

#[test]
fn where_no_namespace_is_allowed_the_limits_are_set() {
    // In a user namespace whose owner forbids mount namespaces.
    let forbid = "echo 0 >/proc/sys/user/max_mnt_namespaces";
    let inside = |script: &str| {
        let script = format!("{forbid} && {script}");
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "sh", "-c", &script]);
        command
    };
    if !inside("true").output().is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: this host allows no user namespace to forbid mount namespaces in");
        return;
    }
    let (_keep, dir) = fresh();
    let flags = "sweep larson:ops=60k,slots=16 --cpus 64 --threads 600 --rounds 1 -q --candidate glibc --candidate jemalloc";
    let arenalab = env!("CARGO_BIN_EXE_arenalab");
    let output = inside(&format!("exec {arenalab} {flags} --out {}", text(&dir))).output().unwrap();
    assert!(output.status.success(), "{}", both(&output));
    let manifest = manifest(&dir);
    let pretended = &manifest["pretended_cpus"];
    assert_eq!(pretended["file"], false);
    assert!(pretended["no_file"].as_str().unwrap().contains("no mount namespace"), "{pretended}");
    let Some(predicted) = predicted(&manifest, 64, 600) else { return };
    assert_eq!(pretended["ways"][0]["runs_as"], format!("glibc:arena_max={predicted}"));
    let glibc = trials(&dir).into_iter().filter(|trial| trial["candidate"] == "glibc");
    assert!(glibc.map(|trial| trial["arenas"]["observed"].as_u64()).all(|seen| seen == Some(predicted)));
    assert!(!observed(&dir).is_empty());
}

#[test]
fn numbers_out_of_range_are_refused_and_plans_have_the_key() {
    for wrong in ["0", "8193", "many"] {
        let output = run_expecting(2, &["sweep", "larson", "--cpus", wrong, "--print-plan"]);
        assert!(both(&output).contains("1 to 8192; 'none' pretends nothing"), "{}", both(&output));
    }
    let output = run_expecting(0, &["sweep", "larson", "--cpus", "64", "--print-plan"]);
    assert!(both(&output).contains("cpus = 64"), "{}", both(&output));
}
