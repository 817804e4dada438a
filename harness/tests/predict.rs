//! `predict` as a command, and held against what this host's glibc really does.

mod common;

use common::{both, fresh, json, run, run_expecting, text, trials};

fn changes(arguments: &[&str]) -> Vec<String> {
    let predicted = json(&run_expecting(0, &[&["predict", "--json"], arguments].concat()));
    let key = |change: &serde_json::Value| change["key"].as_str().unwrap().to_owned();
    predicted["changes"].as_array().unwrap().iter().map(key).collect()
}

#[test]
fn an_upgrade_is_told_with_what_applies_and_nothing_else() {
    let old =
        changes(&["--from", "2.17", "--to", "2.28", "--cpus", "32", "--threads", "100", "--arch", "x86_64"]);
    assert!(old.iter().any(|key| key == "tcache") && old.iter().all(|key| key != "cpus-affinity"), "{old:?}");
    let rhel = changes(&["--from", "rhel8", "--to", "rhel9"]);
    assert!(
        rhel.iter().any(|key| key == "cpus-affinity") && rhel.iter().all(|key| key != "tcache"),
        "{rhel:?}"
    );
    let newest = changes(&["--to", "2.44", "--cpus", "2"]);
    assert!(newest.iter().any(|key| key == "limit-n"), "{newest:?}");
    let shown = both(&run_expecting(0, &["predict", "--from", "rhel8", "--to", "rhel9"]));
    assert!(shown.contains("2.34-83.8") && shown.contains("unverified for yours"), "{shown}");
}

#[test]
fn what_is_not_known_is_refused_with_the_nearest() {
    for (wrong, hint) in [("rhl9", "rhel9"), ("3.1", "2.5 to 2.44"), ("", "neither"), ("2.45", "2.44")] {
        let refused = run_expecting(2, &["predict", "--to", wrong]);
        assert!(both(&refused).contains(hint), "{wrong}: {}", both(&refused));
        assert_eq!(both(&refused).trim().lines().count(), 1);
    }
    run_expecting(2, &["predict", "--cpus", "0"]);
}

/// The arenas that exist at the end of a trial with all its threads alive are those that were predicted.
#[test]
fn arenas_are_as_predicted_from_1_to_64_threads() {
    let (_parent, dir) = fresh();
    let swept = run(&[
        "sweep",
        "churn:ops=20k",
        "--rounds",
        "1",
        "--threads",
        "1,2,3,4,7,8,9,15,16,17,32,64",
        "--arena-max",
        "default,1,3,12",
        "--candidate",
        "glibc:arena_test=32",
        "--allocators",
        "glibc",
        "--out",
        text(&dir),
        "-q",
    ]);
    let trials = trials(&dir);
    assert!(trials.len() >= 12 * 3 && trials.iter().all(|trial| trial["status"] == "ok"), "{}", both(&swept));
    for trial in &trials {
        let threads = trial["threads"].to_string();
        let mut asked = vec!["predict", "--json", "--threads", &threads];
        let setting =
            trial["candidate"].as_str().unwrap().split_once(':').and_then(|(_, s)| s.split_once('='));
        match setting {
            Some(("arena_max", value)) => asked.extend(["--arena-max", value]),
            Some((_, value)) => asked.extend(["--arena-test", value]),
            None => {}
        }
        let arenas = json(&run_expecting(0, &asked))["to"]["arenas"].clone();
        let seen = &trial["arenas"]["observed"];
        assert!(
            arenas["low"].as_u64() <= seen.as_u64() && seen.as_u64() <= arenas["high"].as_u64(),
            "{} threads, {}: predicted {arenas}, seen {seen}",
            threads,
            trial["candidate"]
        );
    }
}
