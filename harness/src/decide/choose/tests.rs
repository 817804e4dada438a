use super::choose;
use crate::decide::observations::{Arm, Cell, Figures, Observations, RoundData, ScenarioData};
use crate::decide::question::Question;
use crate::format::decision::{Comparison, Constraints, Decision, Feasible, Verdict};

/// An arm of a made-up campaign: name, throughput and RSS against the baseline, p99 against the baseline.
type Truth = (&'static str, f64, f64, f64);

const BASE: Truth = ("glibc", 1.0, 1.0, 1.0);
const RSS: f64 = 1e8;

/// A campaign without any chance in it: figures sway by `noise` in a fixed pattern, different by arm.
fn campaign(truths: &[Truth], rounds: u32, noise: f64) -> Observations {
    let arms = truths.len() + 1;
    let cell = |round: u32, arm: usize| {
        let (_, throughput, rss, p99) = if arm == truths.len() { BASE } else { truths[arm] };
        let sway = |phase: f64| (noise * (f64::from(round) * 2.4 + arm as f64 * 1.3 + phase).sin()).exp();
        Some(Cell::Measured(Figures {
            throughput: 1e6 * throughput * sway(0.0),
            rss: [Some(RSS * rss * sway(1.0)), None, None, None],
            p99: Some(100.0 * p99 * sway(2.0)),
            elapsed_s: 3.0,
        }))
    };
    let round = |index| RoundData { index, cells: (0..arms).map(|arm| cell(index, arm)).collect() };
    let arm = |name: &str| Arm { name: name.to_owned(), rung: None };
    Observations {
        arms: truths.iter().map(|t| arm(t.0)).chain([arm("glibc")]).collect(),
        baseline: 0,
        out_of_time: false,
        twin: Some(truths.len()),
        scenarios: vec![ScenarioData {
            workload: "larson".into(),
            threads: 4,
            libc: "host".into(),
            unit: "operations/s".into(),
            rounds: (0..rounds).map(round).collect(),
        }],
    }
}

fn ask(seen: &Observations) -> Decision {
    choose(seen, &Question::default())
}

/// Every candidate ends in exactly one place.
fn assert_all_accounted_for(seen: &Observations, decision: &Decision) {
    let names = super::candidates(seen).into_iter().map(|arm| seen.arms[arm].name.as_str());
    for name in names.filter(|name| *name != decision.baseline) {
        let places = [
            decision.choice.iter().filter(|c| *c == name).count(),
            decision.undecided.iter().filter(|u| u.candidate == name).count(),
            decision.eliminated.iter().filter(|e| e.candidate == name).count(),
        ];
        assert_eq!(places.iter().sum::<usize>(), 1, "{name}: {places:?}");
    }
}

#[test]
fn the_least_rss_above_the_floor_is_chosen() {
    let truths = [BASE, ("a", 0.99, 0.7, 1.0), ("b", 0.8, 0.5, 1.0), ("c", 1.0, 1.2, 1.0)];
    for rounds in [8, 20] {
        let seen = campaign(&truths, rounds, 0.01);
        let decision = ask(&seen);
        assert_eq!(decision.verdict, Verdict::Chosen, "{decision:#?}");
        assert_eq!(decision.choice.as_deref(), Some("a"));
        assert!(decision.throughput_ratio.unwrap().low >= 0.95);
        assert!(decision.rss_ratio.unwrap().high < 0.75);
        assert!(decision.twin.unwrap().trustworthy);
        assert!(decision.eliminated.iter().any(|e| e.candidate == "b" && e.bound.unwrap() < 0.95));
        // glibc is a mere 1 % faster than a, which is within the margin, and takes far more RSS.
        assert_eq!(decision.front, ["b", "a"]);
        let words: Vec<Comparison> = decision.scenarios[0].standings.iter().map(|s| s.rss_verdict).collect();
        assert_eq!(
            words,
            [Comparison::Equivalent, Comparison::Better, Comparison::Better, Comparison::Worse]
        );
        assert_all_accounted_for(&seen, &decision);
    }
}

#[test]
fn among_ties_in_rss_the_faster_is_chosen() {
    let truths = [BASE, ("slow", 0.97, 0.70, 1.0), ("fast", 1.05, 0.705, 1.0)];
    let decision = ask(&campaign(&truths, 20, 0.005));
    assert_eq!(decision.choice.as_deref(), Some("fast"));
}

#[test]
fn the_baseline_is_kept_where_nothing_saves_memory() {
    let truths = [BASE, ("a", 1.3, 1.0, 1.0), ("b", 0.5, 0.5, 1.0)];
    let seen = campaign(&truths, 20, 0.002);
    let decision = ask(&seen);
    assert_eq!((decision.verdict, decision.choice.as_deref()), (Verdict::KeepBaseline, Some("glibc")));
    assert_all_accounted_for(&seen, &decision);
}

#[test]
fn noise_that_hides_the_floor_is_undecided_with_minutes() {
    let seen = campaign(&[BASE, ("a", 0.97, 0.7, 1.0)], 10, 0.3);
    let decision = ask(&seen);
    assert_eq!((decision.verdict, decision.choice.clone()), (Verdict::Undecided, None));
    assert!(decision.undecided[0].minutes_needed.unwrap() > 1.0);
    assert!(decision.warnings.iter().any(|w| w.contains("5.0 % was asked for")), "{:?}", decision.warnings);
    assert_all_accounted_for(&seen, &decision);
}

#[test]
fn an_untrustworthy_twin_leads_and_silences_all_words() {
    let mut seen = campaign(&[BASE, ("a", 0.99, 0.7, 1.0), ("b", 0.5, 0.5, 1.0)], 12, 0.005);
    for round in &mut seen.scenarios[0].rounds {
        if let Some(Some(Cell::Measured(figures))) = round.cells.last_mut() {
            figures.throughput *= 0.9;
        }
    }
    let decision = ask(&seen);
    assert_eq!((decision.verdict, decision.choice.clone()), (Verdict::Undecided, None));
    assert!(!decision.twin.unwrap().trustworthy);
    assert!(decision.warnings[0].contains("twin"));
    for standing in &decision.scenarios[0].standings {
        assert!(!matches!(standing.rss_verdict, Comparison::Better | Comparison::Worse));
    }
    assert_all_accounted_for(&seen, &decision);
}

#[test]
fn what_crashed_is_out_with_the_reason() {
    let mut seen = campaign(&[BASE, ("a", 0.99, 0.7, 1.0), ("b", 1.0, 0.5, 1.0)], 12, 0.005);
    seen.scenarios[0].rounds[3].cells[2] = Some(Cell::Unfinished("crashed".into()));
    let decision = ask(&seen);
    assert_eq!(decision.choice.as_deref(), Some("a"));
    assert!(decision.eliminated[0].why.contains("1 crashed"));
    assert!(!decision.front.contains(&"b".to_owned()));
}

#[test]
fn a_setting_must_hold_in_every_scenario() {
    let mut seen = campaign(&[BASE, ("a", 0.99, 0.6, 1.0), ("b", 1.0, 0.8, 1.0)], 12, 0.005);
    let mut slow = campaign(&[BASE, ("a", 0.70, 0.6, 1.0), ("b", 1.0, 0.8, 1.0)], 12, 0.005);
    slow.scenarios[0].threads = 16;
    seen.scenarios.append(&mut slow.scenarios);
    let decision = ask(&seen);
    assert_eq!(decision.choice.as_deref(), Some("b"));
    assert_eq!(decision.scenarios[0].choice.as_deref(), Some("a"));
    assert!(decision.eliminated[0].why.starts_with("larson, 16 threads: throughput at most"));
}

#[test]
fn budgets_and_latency_are_constraints_too() {
    let seen = campaign(&[BASE, ("a", 1.0, 0.6, 1.5), ("b", 1.0, 0.8, 1.0)], 12, 0.005);
    let with = |constraints| choose(&seen, &Question { constraints, ..Question::default() });
    let base = Constraints { max_throughput_loss: Some(0.05), ..Constraints::default() };
    let latency = with(Constraints { max_p99_loss: Some(0.1), ..base });
    assert_eq!(latency.choice.as_deref(), Some("b"));
    let budget = with(Constraints { max_rss: Some((0.7 * RSS) as u64), ..base });
    assert_eq!(budget.choice.as_deref(), Some("a"));
    assert!(budget.eliminated.iter().any(|e| e.candidate == "glibc"));
    let none = with(Constraints { max_rss: Some((0.1 * RSS) as u64), ..base });
    assert_eq!((none.verdict, none.choice), (Verdict::NoneFeasible, None));
}

#[test]
fn odd_data_have_clear_answers() {
    let good = campaign(&[BASE, ("a", 0.99, 0.7, 1.0)], 6, 0.01);
    let mut odd = vec![Observations::default(), campaign(&[BASE], 0, 0.0), campaign(&[BASE], 1, 0.0)];
    let mut break_cell = |seen: &dyn Fn(&mut Figures)| {
        let mut broken = good.clone();
        for cell in broken.scenarios[0].rounds.iter_mut().flat_map(|r| r.cells.iter_mut().flatten()) {
            if let Cell::Measured(figures) = cell {
                seen(figures);
            }
        }
        odd.push(broken);
    };
    break_cell(&|f| f.throughput = f64::NAN);
    break_cell(&|f| f.throughput = 0.0);
    break_cell(&|f| f.rss = [None; 4]);
    break_cell(&|f| f.elapsed_s = f64::INFINITY);
    odd.push(Observations { twin: None, ..good.clone() });
    odd.push(Observations { baseline: 99, ..good.clone() });
    let mut crashed = good.clone();
    for cell in crashed.scenarios[0].rounds.iter_mut().flat_map(|r| &mut r.cells) {
        *cell = Some(Cell::Unfinished("oom".into()));
    }
    odd.push(crashed);
    let mut ragged = good.clone();
    ragged.scenarios[0].rounds[2].cells.clear();
    odd.push(ragged);
    for seen in odd {
        for confidence in [0.95, f64::NAN, 2.0, -1.0] {
            let constraints = Constraints {
                max_throughput_loss: Some(confidence),
                max_p99_loss: Some(-3.0),
                max_rss: Some(0),
            };
            for question in [
                Question { confidence, ..Question::default() },
                Question { constraints, tolerance: f64::NAN, ..Question::default() },
            ] {
                let decision = choose(&seen, &question);
                assert!(!decision.reason.is_empty());
                let json = serde_json::to_string(&decision).unwrap();
                assert!(serde_json::from_str::<Decision>(&json).is_ok(), "{json}");
            }
        }
    }
    let missing = ask(&Observations { twin: None, ..good });
    assert!(missing.warnings.iter().any(|w| w.contains("no twin")));
}

#[test]
fn one_round_settles_nothing() {
    let decision = ask(&campaign(&[BASE, ("a", 0.99, 0.7, 1.0)], 1, 0.01));
    assert_eq!(decision.verdict, Verdict::Undecided);
    assert_eq!(decision.scenarios[0].standings[1].feasible, Feasible::Undecided);
    assert!(decision.undecided[0].why.contains("four rounds"));
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let seen = campaign(&[BASE, ("a", 0.97, 0.7, 1.0), ("b", 1.0, 0.9, 1.0)], 30, 0.05);
    let json =
        |seed| serde_json::to_string(&choose(&seen, &Question { seed, ..Question::default() })).unwrap();
    assert_eq!(json(5), json(5));
    assert_ne!(json(5), json(6));
}

#[test]
fn two_hundred_candidates_are_chosen_from() {
    let names: Vec<String> = (0..200).map(|i| format!("jemalloc:narenas={i}")).collect();
    let mut truths = vec![BASE];
    truths.extend((0..199).map(|i| ("x", 0.9 + f64::from(i) / 1000.0, 0.6 + f64::from(i) / 400.0, 1.0)));
    let mut seen = campaign(&truths, 20, 0.02);
    for (arm, name) in seen.arms.iter_mut().skip(1).take(199).zip(names) {
        arm.name = name;
    }
    let decision = ask(&seen);
    assert_eq!(decision.verdict, Verdict::Chosen);
    assert_all_accounted_for(&seen, &decision);
}
