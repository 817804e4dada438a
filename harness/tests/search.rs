//! `tune` and `compare` from end to end, on small real trials.

mod common;

use common::{both, fresh, json, run, run_expecting, text, trials};

const TUNE: [&str; 9] =
    ["tune", "larson:ops=30k", "--threads", "2", "--rounds", "8", "--allocators", "glibc,jemalloc", "--json"];

#[test]
fn a_search_decides_as_choose_does_later() {
    let (_parent, dir) = fresh();
    let tuned = run(&[&TUNE[..], &["--out", text(&dir)]].concat());
    assert!([0, 3, 4].contains(&tuned.status.code().unwrap()), "{}", both(&tuned));
    let decision = json(&tuned);
    let measured = trials(&dir);
    assert!(measured.iter().all(|trial| trial["status"] == "ok"));
    assert!(measured.iter().any(|trial| trial["twin"] == true));
    assert!(measured.iter().all(|trial| trial["round"].as_u64().unwrap() < 8));
    let chosen = run(&["choose", text(&dir), "--json"]);
    assert_eq!(json(&chosen), decision);
    assert_eq!(chosen.status.code(), tuned.status.code());
    // Every step is journaled, with what it dropped.
    let journal = dir.join("steps.jsonl");
    let steps = std::fs::read_to_string(&journal).unwrap();
    let lines: Vec<serde_json::Value> =
        steps.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines[0]["round"], 0);
    assert_eq!(lines[0]["phase"], "sieve");
    assert!(lines.last().unwrap()["stopped"].is_string(), "{steps}");
    assert!(lines.is_sorted_by_key(|line| line["round"].as_u64()));
    // There is nothing left to measure, and nothing else is decided.
    let again = run(&["tune", "--resume", "--json", "--out", text(&dir)]);
    assert_eq!(json(&again), decision, "{}", both(&again));
    assert_eq!(trials(&dir).len(), measured.len());
    assert_eq!(std::fs::read_to_string(&journal).unwrap(), steps);
    // Another command must not go on with it.
    run_expecting(2, &["sweep", "--resume", "--out", text(&dir)]);
}

#[test]
fn candidates_are_compared_with_the_baseline_that_was_named_and_counted_on_a_host() {
    let (_parent, dir) = fresh();
    let sweep = ["sweep", "larson:ops=5k", "--threads", "2", "--rounds", "4", "--candidate", "glibc"];
    let named = ["--baseline", "glibc:arena_max=1", "--json", "--out", text(&dir)];
    let swept = run(&[&sweep[..], &named].concat());
    assert!(swept.status.success(), "{}", both(&swept));
    assert!(trials(&dir).iter().all(|t| t["twin"] == false || t["candidate"] == "glibc:arena_max=1"));
    let decision = json(&run(&["choose", text(&dir), "--json", "--host-memory", "64GiB"]));
    assert_eq!(decision["baseline"], "glibc:arena_max=1");
    assert_eq!(decision["host_memory"], 64u64 << 30);
    for standing in decision["scenarios"][0]["standings"].as_array().unwrap() {
        let fit = standing["instances"].as_u64().unwrap();
        let largest = standing["rss"]["high"].as_f64().unwrap();
        assert_eq!(fit, ((64u64 << 30) as f64 / largest) as u64);
        assert!(standing["per_gib"]["low"].as_f64() <= standing["per_gib"]["estimate"].as_f64());
    }
    let shown = both(&run(&["choose", text(&dir), "--host-memory", "64GiB"]));
    assert!(shown.contains("in 64 GiB of memory") || shown.contains("in 64.0 GiB of memory"), "{shown}");
    run_expecting(2, &["choose", text(&dir), "--host-memory", "0"]);
    run_expecting(2, &["sweep", "larson", "--baseline", "glibk"]);
}

#[test]
fn a_campaign_is_equivalent_to_itself_and_not_compared_with_other_work() {
    let (parent, dir) = fresh();
    let sweep =
        ["sweep", "--threads", "1", "--rounds", "4", "--allocators", "glibc", "--arena-max", "default"];
    run_expecting(0, &[&sweep[..], &["larson:ops=5k", "--out", text(&dir)]].concat());
    let same = run_expecting(0, &["compare", text(&dir), text(&dir), "--accept-busy-host", "--json"]);
    let entries = json(&same)["entries"].as_array().unwrap().clone();
    assert!(!entries.is_empty());
    for entry in &entries {
        assert!(["equivalent", "undecided"].contains(&entry["verdict"].as_str().unwrap()), "{entry}");
        assert!((entry["ratio"]["estimate"].as_f64().unwrap() - 1.0).abs() < 1e-9, "{entry}");
    }
    let other = parent.path().join("other");
    run_expecting(0, &[&sweep[..], &["churn:ops=5k", "--out", text(&other)]].concat());
    let refused = run_expecting(2, &["compare", text(&dir), text(&other)]);
    assert!(both(&refused).contains("nothing to compare"), "{}", both(&refused));
    run_expecting(2, &["compare", text(&dir), text(&dir), "--fail-on", "speed:worse"]);
}
