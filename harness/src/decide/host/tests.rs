use serde_json::{Value, json};

use super::*;
use crate::format::decision::Eliminated;

/// A finished trial of a second on a host with two CPUs, on which others used so many CPU seconds.
fn trial(round: u32, position: u32, foreign_cpu_s: f64, change: &Value) -> TrialRecord {
    let mut record = json!({
        "workload": "larson", "threads": 4, "libc": "host", "candidate": "glibc", "round": round, "attempt": 0,
        "position": position, "twin": false, "host": "h", "status": "ok", "wall_s": 1.0,
        "effect": {"verified": true, "how": ""}, "noise": {"foreign_cpu_s": foreign_cpu_s, "steal_s": 0.0, "cpus": 2},
        "started_at": "", "elapsed_s": 1.2
    });
    for (key, value) in change.as_object().into_iter().flatten() {
        record[key] = value.clone();
    }
    serde_json::from_value(record).unwrap()
}

/// Trials of a second each, of which so many are disturbed.
fn campaign(trials: u32, disturbed: u32) -> Vec<TrialRecord> {
    (0..trials).map(|i| trial(i, 0, if i < disturbed { 1.2 } else { 0.02 }, &json!({}))).collect()
}

fn judged(trials: &[TrialRecord]) -> HostState {
    judge(trials, 2, None, false)
}

#[test]
fn all_trials_are_judged_and_a_quarter_is_borne() {
    let quiet = judged(&campaign(20, 0));
    assert_eq!((quiet.disturbed_share, quiet.busy, quiet.trials), (Some(0.0), false, 20));
    assert_eq!((quiet.why.as_deref(), lead(&quiet)), (None, None));
    let some = judged(&campaign(20, 5));
    assert_eq!((some.disturbed_share, some.busy), (Some(0.25), false));
    assert_eq!(lead(&some), None);
    let busy = judged(&campaign(20, 6));
    assert!(busy.busy);
    assert_eq!(busy.why.as_deref(), Some("other work used the CPUs 59.5 % of the time in 6 trials"));
    assert!(lead(&busy).unwrap().starts_with("Undecided: the host was busy: 30.0 % of the counted trials"));
}

#[test]
fn nothing_known_is_null_and_no_verdict_on_the_host() {
    let old = [trial(0, 0, 0.0, &json!({"noise": {}}))];
    let state = judged(&old);
    assert_eq!((state.disturbed_share, state.trials, state.busy), (None, 0, false));
    assert_eq!(judged(&[]).disturbed_share, None);
}

#[test]
fn only_finished_trials_of_the_last_run_of_a_round_count() {
    let mut trials = campaign(4, 4);
    trials.extend((0..4).map(|round| trial(round, 0, 0.0, &json!({"attempt": 1}))));
    trials.push(trial(4, 0, 2.0, &json!({"status": "crashed"})));
    let state = judged(&trials);
    assert_eq!((state.trials, state.disturbed_share), (4, Some(0.0)));
}

#[test]
fn short_trials_are_judged_together() {
    // Of trials of 50 ms one in eight catches a burst of a tick's counting: nothing, seen over a second.
    let quiet =
        |i: u32| trial(i / 8, i % 8, if i.is_multiple_of(8) { 0.03 } else { 0.0 }, &json!({"wall_s": 0.05}));
    let state = judged(&(0..80).map(quiet).collect::<Vec<_>>());
    assert_eq!((state.disturbed_share, state.trials), (Some(0.0), 80));
    // Others on both CPUs are seen all the same, also where the whole campaign takes less than a second.
    for count in [80, 8] {
        let loaded = |i: u32| trial(i / 8, i % 8, 0.05, &json!({"wall_s": 0.05}));
        let state = judged(&(0..count).map(loaded).collect::<Vec<_>>());
        assert_eq!((state.disturbed_share, state.busy), (Some(1.0), true));
    }
}

#[test]
fn a_program_that_waits_for_itself_does_not_make_its_host_busy() {
    let own = json!({"threads": 0, "noise": {"psi_cpu_some_pct": 95.0, "foreign_cpu_s": 0.05, "steal_s": 0.0, "cpus": 2}});
    let state = judged(&(0..10).map(|i| trial(i, 0, 0.0, &own)).collect::<Vec<_>>());
    assert_eq!((state.disturbed_share, state.busy), (Some(0.0), false));
}

#[test]
fn one_scenario_on_a_busy_host_is_enough_and_is_named() {
    let mut trials = campaign(90, 0);
    let other = json!({"workload": "mail-server"});
    trials.extend((0..10).map(|i| trial(i, 0, if i < 4 { 1.0 } else { 0.0 }, &other)));
    let state = judged(&trials);
    assert_eq!((state.disturbed_share, state.busy), (Some(0.04), true));
    assert!(state.why.unwrap().starts_with("of mail-server, 4 threads 40.0 %"));
    assert!(!judge(&trials, 2, Some("other"), false).busy, "on no such libc was anything measured");
}

fn decision() -> Decision {
    let ratio = json!({"estimate": 0.8, "low": 0.7, "high": 0.9});
    let standing = |candidate: &str, unfinished: Value, feasible: &str| {
        json!({
            "candidate": candidate, "rounds": 9, "unfinished": unfinished, "throughput": null, "rss": null,
            "throughput_ratio": ratio, "rss_ratio": ratio, "p99_ratio": null, "throughput_verdict": "worse",
            "rss_verdict": "better", "per_gib": null, "instances": null, "resolvable": null, "feasible": feasible,
            "on_front": true, "mechanism": []
        })
    };
    let scenario = json!({
        "workload": "larson", "threads": 4, "libc": "host", "unit": "operations/s", "verdict": "chosen",
        "choice": "a", "twin": null, "front": ["a"], "knee": "a",
        "standings": [standing("a", json!({}), "yes"), standing("b", json!({"crashed": 2}), "no")]
    });
    serde_json::from_value(json!({
        "format": 1, "baseline": "glibc", "objective": "peak", "constraints": {}, "confidence": 0.95, "host_memory": null,
        "verdict": "chosen", "choice": "a", "reason": "a is best", "throughput_ratio": ratio, "rss_ratio": ratio,
        "twin": null, "front": ["a"], "undecided": [], "trials_run": 20, "apply": null, "scenarios": [scenario],
        "eliminated": [
            {"candidate": "b", "why": "a trial crashed", "bound": null},
            {"candidate": "c", "why": "throughput is at most -9 %", "bound": 0.91}
        ],
        "warnings": ["something else"]
    }))
    .unwrap()
}

#[test]
fn of_a_busy_host_every_word_is_taken_back_and_what_did_not_run_stays_out() {
    let mut said = decision();
    weigh(&mut said, &judged(&campaign(10, 8)));
    assert_eq!((said.verdict, said.choice.as_deref(), said.rss_ratio), (Verdict::Undecided, None, None));
    assert!(said.warnings[0].starts_with("Undecided: the host was busy"), "{}", said.warnings[0]);
    assert_eq!(said.warnings[1], "something else");
    let scenario = &said.scenarios[0];
    assert_eq!((scenario.verdict, scenario.choice.as_deref()), (Verdict::Undecided, None));
    for standing in &scenario.standings {
        assert_eq!(standing.rss_verdict, Comparison::Undecided);
        assert_eq!(standing.throughput_verdict, Comparison::Undecided);
    }
    assert_eq!(
        scenario.standings.iter().map(|s| s.feasible).collect::<Vec<_>>(),
        [Feasible::Undecided, Feasible::No]
    );
    let names = |out: &[Eliminated]| out.iter().map(|e| e.candidate.clone()).collect::<Vec<_>>();
    assert_eq!(names(&said.eliminated), ["b"], "it crashed");
    assert_eq!(said.undecided[0].candidate, "c");
    let state = said.host.unwrap();
    assert!(state.busy && state.disturbed_share == Some(0.8));
}

#[test]
fn accepted_words_stay_and_the_warning_still_leads() {
    let mut said = decision();
    weigh(&mut said, &judge(&campaign(10, 8), 2, None, true));
    assert_eq!((said.verdict, said.choice.as_deref()), (Verdict::Chosen, Some("a")));
    assert!(said.warnings[0].starts_with("Do not rely on these words: the host was busy"));
    let mut quiet = decision();
    weigh(&mut quiet, &judged(&campaign(10, 1)));
    assert_eq!(quiet.warnings, ["something else"]);
    assert_eq!(quiet.verdict, Verdict::Chosen);
    assert_eq!(quiet.host.unwrap().disturbed_share, Some(0.1));
}

fn compared() -> Compared {
    serde_json::from_value(json!({
        "format": 1, "confidence": 0.95, "unmatched": [], "warnings": ["different times"],
        "entries": [{
            "workload": "larson", "threads": 4, "libc": ["host", "host"], "candidate": "glibc", "metric": "rss",
            "ratio": {"estimate": 1.2, "low": 1.1, "high": 1.3}, "verdict": "worse", "resolvable": null,
            "rounds": [9, 9], "paired": false
        }]
    }))
    .unwrap()
}

#[test]
fn a_comparison_with_one_busy_side_has_no_word() {
    let (quiet, busy) = (judged(&campaign(10, 0)), judged(&campaign(10, 9)));
    for (before, after, side) in [(&quiet, &busy, "(after: "), (&busy, &quiet, "(before: ")] {
        let mut said = compared();
        weigh_comparison(&mut said, before.clone(), after.clone());
        assert_eq!(said.entries[0].verdict, Comparison::Undecided);
        assert!(said.warnings[0].starts_with("Undecided: the host was busy"), "{}", said.warnings[0]);
        assert!(said.warnings[0].contains(side), "{}", said.warnings[0]);
        assert_eq!(said.host.unwrap().disturbed_share, Some(0.9));
    }
    let mut said = compared();
    weigh_comparison(&mut said, quiet.clone(), quiet);
    assert_eq!((said.entries[0].verdict, said.warnings.len()), (Comparison::Worse, 1));
}

#[test]
fn a_rehearsal_on_a_busy_host_is_undecided() {
    let rehearsal = || -> Rehearsal {
        serde_json::from_value(json!({
            "format": 1, "baseline": "glibc", "objective": "peak", "constraints": {}, "confidence": 0.95, "margin": 0.03,
            "libcs": [], "warnings": [],
            "steps": [{
                "from": "old", "from_version": null, "to": "new", "to_version": null, "verdict": "regression",
                "reason": "RSS rises", "rounds_needed": 3, "setting": null, "best": decision(), "expected": [],
                "scenarios": []
            }]
        }))
        .unwrap()
    };
    let mut said = rehearsal();
    weigh_rehearsal(&mut said, &judged(&campaign(10, 8)));
    assert_eq!((said.steps[0].verdict, said.steps[0].best.choice.as_deref()), (StepVerdict::Undecided, None));
    assert!(said.warnings[0].starts_with("Undecided: the host was busy"));
    let mut accepted = rehearsal();
    weigh_rehearsal(&mut accepted, &judge(&campaign(10, 8), 2, None, true));
    assert_eq!(accepted.steps[0].verdict, StepVerdict::Regression);
    assert!(accepted.warnings[0].starts_with("Do not rely"));
}
