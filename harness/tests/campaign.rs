//! A small real campaign from end to end.

mod common;

use std::path::Path;

use common::{both, fresh, json, run_expecting, text, trials};
use serde_json::Value;

fn schema(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../schemas").join(name);
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

#[track_caller]
fn must_match(schema_name: &str, value: &Value) {
    let validator = jsonschema::validator_for(&schema(schema_name)).unwrap();
    let errors: Vec<String> =
        validator.iter_errors(value).map(|e| format!("{}: {e}", e.instance_path())).collect();
    assert!(errors.is_empty(), "{schema_name}: {}", errors.join("\n"));
}

fn sweep(dir: &Path, more: &[&str]) {
    let mut args = vec!["sweep", "larson:ops=60k", "churn:ops=40k", "--threads", "3", "--rounds", "2"];
    args.extend(["--arena-max", "default,1,2", "--out", text(dir), "--json"]);
    args.extend(more);
    let said = json(&run_expecting(0, &args));
    assert_eq!(said["complete"], true);
    assert_eq!(said["campaign"], text(dir));
}

#[test]
fn a_sweep_measures_every_candidate_and_proves_its_effect() {
    let (_parent, dir) = fresh();
    sweep(&dir, &[]);
    let manifest: Value = serde_json::from_slice(&std::fs::read(dir.join("manifest.json")).unwrap()).unwrap();
    must_match("manifest.schema.json", &manifest);
    let trials = trials(&dir);
    // 2 workloads x 2 rounds x (glibc, its twin, 2 limits, jemalloc, mimalloc).
    assert_eq!(trials.len(), 24);
    for trial in &trials {
        must_match("trial.schema.json", trial);
        assert_eq!(trial["status"], "ok", "{trial}");
        assert_eq!(trial["effect"]["verified"], true, "{trial}");
        let rss = &trial["rss"];
        let figure = |name: &str| rss[name].as_u64().unwrap();
        assert!(figure("peak") + 65_536 * 4 >= figure("end"), "{trial}");
        assert!(figure("peak") >= trial["live"]["end"].as_u64().unwrap());
        assert_eq!(trial["live"]["drained"], 0);
        assert!(trial["throughput"]["value"].as_f64().unwrap() > 0.0);
    }
    let arenas = |candidate: &str| {
        let of = trials.iter().filter(|t| t["candidate"] == candidate);
        of.map(|t| t["arenas"]["observed"].as_u64().unwrap()).max().unwrap()
    };
    assert_eq!(arenas("glibc:arena_max=1"), 1);
    assert!(arenas("glibc:arena_max=2") <= 2);
    assert!(arenas("glibc") > 2);
    assert!(
        trials.iter().filter(|t| t["candidate"] == "jemalloc").all(|t| t["allocator"]["name"] == "jemalloc")
    );

    let decision = common::run(&["choose", text(&dir), "--json"]);
    assert!([0, 3, 4].contains(&decision.status.code().unwrap()), "{}", both(&decision));
    let decision = json(&decision);
    must_match("decision.schema.json", &decision);
    assert_eq!(decision["trials_run"], 24);
    assert_eq!(decision["scenarios"].as_array().unwrap().len(), 2);

    run_expecting(0, &["report", text(&dir)]);
    for file in ["index.html", "report.md"] {
        assert!(dir.join("report").join(file).metadata().unwrap().len() > 1000, "{file}");
    }
    let charts = std::fs::read_dir(dir.join("report/charts")).unwrap().count();
    assert!(charts >= 6, "{charts} charts");
}

#[test]
fn rounds_are_interleaved_in_the_order_of_the_seed() {
    let order = |seed: &str| {
        let (_parent, dir) = fresh();
        let args =
            ["sweep", "larson:ops=2k", "--threads", "1", "--rounds", "3", "--allocators", "glibc,jemalloc"];
        run_expecting(0, &[&args[..], &["--seed", seed, "--out", text(&dir)]].concat());
        let name = |t: &Value| format!("{} {} {}", t["round"], t["candidate"], t["twin"]);
        trials(&dir).iter().map(name).collect::<Vec<_>>()
    };
    let first = order("5");
    assert_eq!(first, order("5"));
    assert_ne!(first, order("6"));
}

#[test]
fn a_second_sweep_never_overwrites_the_first() {
    let (_parent, dir) = fresh();
    let args = ["sweep", "larson:ops=2k", "--threads", "1", "--rounds", "1", "--allocators", "glibc"];
    let args = [&args[..], &["--arena-max", "default", "--out", text(&dir)]].concat();
    run_expecting(0, &args);
    let before = std::fs::read(dir.join("trials.jsonl")).unwrap();
    let refused = run_expecting(2, &args);
    assert!(both(&refused).contains("--resume"), "{}", both(&refused));
    assert_eq!(std::fs::read(dir.join("trials.jsonl")).unwrap(), before);
}
