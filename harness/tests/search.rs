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
    // There is nothing left to measure, and nothing else is decided.
    let again = run(&["tune", "--resume", "--json", "--out", text(&dir)]);
    assert_eq!(json(&again), decision, "{}", both(&again));
    assert_eq!(trials(&dir).len(), measured.len());
    // Another command must not go on with it.
    run_expecting(2, &["sweep", "--resume", "--out", text(&dir)]);
}

#[test]
fn a_campaign_is_equivalent_to_itself_and_not_compared_with_other_work() {
    let (parent, dir) = fresh();
    let sweep =
        ["sweep", "--threads", "1", "--rounds", "4", "--allocators", "glibc", "--arena-max", "default"];
    run_expecting(0, &[&sweep[..], &["larson:ops=5k", "--out", text(&dir)]].concat());
    let same = run_expecting(0, &["compare", text(&dir), text(&dir), "--json"]);
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
