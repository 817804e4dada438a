//! The ways to a verdict, and the words at the end of each: "confidence" stands only where the verdict's test was made, no
//! word rests on fewer than four rounds, and exit codes say what verdicts say.

use arenalab::cli::exit;
use arenalab::decide::observations::{Arm, Cell, Figures, Observations, RoundData, ScenarioData};
use arenalab::decide::question::Question;
use arenalab::decide::strategy::{Effort, NAMES, by_name};
use arenalab::format::decision::{Comparison, Constraints, Decision, Feasible, OutBy, Verdict};
use arenalab::report::{self, words};
use proptest::prelude::*;

const RSS: f64 = 1e8;

/// What is true of an arm: throughput and RSS against the baseline, and whether it finishes.
#[derive(Clone, Copy, Debug)]
struct Truth(f64, f64, bool);

const SAME: Truth = Truth(1.0, 1.0, true);

/// A campaign in which figures sway by `noise` in a fixed pattern. The twin is the last arm.
fn campaign(truths: &[Truth], rounds: u32, noise: f64, phase: f64) -> Observations {
    let arms = truths.len() + 1;
    let cell = |round: u32, arm: usize| {
        let Truth(throughput, rss, finishes) = truths.get(arm).copied().unwrap_or(SAME);
        if !finishes {
            return Some(Cell::Unfinished("crashed".to_owned()));
        }
        let sway = |at: f64| (noise * (f64::from(round) * 2.4 + arm as f64 * 1.3 + at + phase).sin()).exp();
        Some(Cell::Measured(Figures {
            throughput: 1e6 * throughput * sway(0.0),
            rss: [Some(RSS * rss * sway(1.0)), None, None, None],
            p99: None,
            elapsed_s: 2.0,
        }))
    };
    let round = |index| RoundData { index, cells: (0..arms).map(|arm| cell(index, arm)).collect() };
    let name =
        |arm: usize| if arm == 0 || arm == truths.len() { "glibc".to_owned() } else { format!("c{arm}") };
    Observations {
        arms: (0..arms).map(|arm| Arm { name: name(arm), rung: None }).collect(),
        baseline: 0,
        twin: Some(truths.len()),
        scenarios: vec![ScenarioData {
            workload: "larson".into(),
            threads: 4,
            libc: "host".into(),
            unit: "operations/s".into(),
            rounds: (0..rounds).map(round).collect(),
        }],
        out_of_time: true,
    }
}

fn decide(strategy: &str, seen: &Observations, question: &Question) -> Decision {
    let effort = Effort { time_budget_s: Some(1e9), ..Effort::default() };
    by_name(strategy, question, effort).unwrap().decide(seen, question)
}

/// Everything that a reader is told.
fn said(decision: &Decision) -> String {
    let (headline, otherwise) = words::headline(decision);
    format!("{headline} {} {}", otherwise.unwrap_or_default(), report::terminal(decision, 200, false))
}

/// What must hold of any answer to any data.
fn must_be_true(decision: &Decision, question: &Question) -> Result<(), TestCaseError> {
    let text = said(decision);
    let rounds = |name: &String| {
        let standings = decision.scenarios.iter().flat_map(|scenario| &scenario.standings);
        standings.filter(|s| s.candidate == *name).map(|s| s.rounds).min().unwrap_or(0)
    };
    let tested = match decision.verdict {
        Verdict::Chosen => {
            let choice = decision.choice.as_ref().unwrap();
            prop_assert!(rounds(choice) >= 4, "chosen after {} rounds", rounds(choice));
            prop_assert!(decision.rss_ratio.unwrap().high < 1.0, "the bound that the word claims");
            let floor = 1.0 - question.constraints.max_throughput_loss.unwrap_or(1.0);
            prop_assert!(decision.throughput_ratio.unwrap().low >= floor - 1e-9);
            true
        }
        Verdict::KeepBaseline => {
            prop_assert!(decision.undecided.is_empty(), "kept while {:?} is open", decision.undecided);
            let by = |by| decision.eliminated.iter().filter(|out| out.by == Some(by)).collect::<Vec<_>>();
            prop_assert!(
                by(OutBy::SetAside).is_empty() && by(OutBy::Beaten).is_empty(),
                "kept without a test"
            );
            for out in by(OutBy::Test) {
                prop_assert!(rounds(&out.candidate) >= 4, "{out:?} after {} rounds", rounds(&out.candidate));
                prop_assert!(out.bound.is_some());
            }
            !by(OutBy::Test).is_empty()
        }
        Verdict::NoneFeasible => decision.tested == Some(true),
        Verdict::Undecided => false,
    };
    prop_assert_eq!(decision.tested, Some(tested));
    let confident = text.contains("confidence");
    let may = tested || decision.verdict == Verdict::Undecided && !words::trustworthy(decision);
    prop_assert!(!confident || may, "{}", text);
    if decision.verdict == Verdict::Chosen || decision.verdict == Verdict::KeepBaseline && tested {
        prop_assert!(confident, "{}", text);
    }
    for standing in decision.scenarios.iter().flat_map(|scenario| &scenario.standings) {
        let words = [standing.rss_verdict, standing.throughput_verdict];
        let is_baseline = standing.candidate == decision.baseline;
        if standing.rounds < 4 && !is_baseline {
            prop_assert_eq!(words, [Comparison::Undecided; 2]);
            prop_assert!(
                standing.rss_ratio.is_none() && standing.rss.is_none(),
                "an interval of {} rounds",
                standing.rounds
            );
            prop_assert!(standing.feasible != Feasible::Yes);
        }
    }
    for open in decision.undecided.iter().filter(|open| rounds(&open.candidate) < 5) {
        prop_assert_eq!(
            open.minutes_needed,
            None,
            "{} after {} rounds",
            &open.candidate,
            rounds(&open.candidate)
        );
    }
    let code = exit::of_verdict(decision.verdict);
    let expected = match decision.verdict {
        Verdict::Chosen | Verdict::KeepBaseline => 0,
        Verdict::NoneFeasible => 3,
        Verdict::Undecided => 4,
    };
    prop_assert_eq!(code, expected);
    // No number beyond a factor of ten.
    let json = serde_json::to_value(decision).unwrap();
    no_far_ratio(&json)?;
    Ok(())
}

fn no_far_ratio(value: &serde_json::Value) -> Result<(), TestCaseError> {
    match value {
        serde_json::Value::Object(map) => {
            for (key, value) in map {
                if key.ends_with("_ratio")
                    && let Some(ratio) = value.as_object()
                {
                    for (name, bound) in ratio {
                        let near = bound.as_f64().is_none_or(|bound| (0.1..=10.0).contains(&bound));
                        prop_assert!(near, "{key}.{name} = {bound}");
                    }
                }
                no_far_ratio(value)?;
            }
        }
        serde_json::Value::Array(items) => items.iter().try_for_each(no_far_ratio)?,
        _ => {}
    }
    Ok(())
}

/// A way to an answer: what is true, rounds, noise, the largest RSS that is asked for, and the answer by strategy, in the
/// order of [`NAMES`].
type Way = (&'static str, &'static [Truth], u32, f64, Option<u64>, [Verdict; 3]);

const LEAN: Truth = Truth(1.0, 0.6, true);
const SLOW: Truth = Truth(0.5, 0.6, true);
const FAT: Truth = Truth(1.0, 1.4, true);
const DEAD: Truth = Truth(1.0, 1.0, false);

const WAYS: &[Way] = {
    use Verdict::{Chosen, KeepBaseline, NoneFeasible, Undecided};
    &[
        ("nothing ran", &[SAME, LEAN], 0, 0.01, None, [Undecided; 3]),
        ("one round", &[SAME, LEAN], 1, 0.01, None, [Undecided; 3]),
        ("two rounds of what is far better", &[SAME, LEAN], 2, 0.001, None, [Undecided; 3]),
        ("three rounds of what is far worse", &[SAME, SLOW, FAT], 3, 0.001, None, [Undecided; 3]),
        ("noise without end", &[SAME, LEAN, SLOW], 3, 3.0, None, [Undecided; 3]),
        ("noise, and some more rounds of it", &[SAME, LEAN, SLOW], 12, 2.0, None, [Undecided; 3]),
        ("far better, shown", &[SAME, LEAN, SLOW], 30, 0.01, None, [Chosen; 3]),
        ("all worse, shown", &[SAME, SLOW, FAT], 30, 0.01, None, [KeepBaseline; 3]),
        ("all fail", &[SAME, DEAD, DEAD], 8, 0.01, None, [KeepBaseline; 3]),
        ("all fail at once", &[SAME, DEAD], 2, 0.01, None, [Undecided; 3]),
        ("some fail, the others are worse", &[SAME, DEAD, FAT], 30, 0.01, None, [KeepBaseline; 3]),
        ("the baseline alone", &[SAME], 8, 0.01, None, [KeepBaseline; 3]),
        ("nothing fits", &[SAME, LEAN], 30, 0.01, Some(1000), [NoneFeasible; 3]),
        ("nothing fits, after two rounds", &[SAME, LEAN], 2, 0.01, Some(1000), [Undecided; 3]),
    ]
};

#[test]
fn every_way_to_an_answer_says_confidence_only_where_its_test_was_made() {
    for (name, truths, rounds, noise, max_rss, expected) in WAYS {
        let constraints =
            Constraints { max_throughput_loss: Some(0.05), max_p99_loss: None, max_rss: *max_rss };
        let question = Question { constraints, ..Question::default() };
        for (strategy, expected) in NAMES.iter().zip(expected) {
            let decision = decide(strategy, &campaign(truths, *rounds, *noise, 0.0), &question);
            assert_eq!(decision.verdict, *expected, "{name}, {strategy}: {}", said(&decision));
            must_be_true(&decision, &question).unwrap_or_else(|e| panic!("{name}, {strategy}: {e}"));
        }
    }
}

#[test]
fn a_host_that_is_not_to_be_trusted_ends_undecided() {
    let mut seen = campaign(&[SAME, LEAN], 30, 0.01, 0.0);
    for round in &mut seen.scenarios[0].rounds {
        if let Some(Some(Cell::Measured(figures))) = round.cells.last_mut() {
            figures.throughput *= 0.8;
        }
    }
    for strategy in NAMES {
        let decision = decide(strategy, &seen, &Question::default());
        assert_eq!(decision.verdict, Verdict::Undecided, "{strategy}");
        assert_eq!(decision.tested, Some(false));
    }
}

#[test]
fn what_is_beyond_a_factor_of_ten_is_told_in_words() {
    let decision =
        decide("full-grid", &campaign(&[SAME, Truth(50.0, 0.01, true)], 30, 0.01, 0.0), &Question::default());
    let text = said(&decision);
    assert!(text.contains("over 10 times") && text.contains("less than a tenth"), "{text}");
    assert!(!text.contains("4900") && !text.contains("99.0 %"), "{text}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_data_make_a_word_without_evidence(
        rounds in 0u32..20,
        noise in prop::sample::select(vec![0.0005, 0.01, 0.1, 0.5, 3.0]),
        phase in 0.0..7.0f64,
        others in prop::collection::vec((0.3..1.5f64, 0.3..1.5f64, 0..12u8), 0..5),
        strategy in prop::sample::select(NAMES.to_vec()),
    ) {
        let others = others.into_iter().map(|(rate, rss, luck)| Truth(rate, rss, luck > 0));
        let truths: Vec<Truth> = std::iter::once(SAME).chain(others).collect();
        let question = Question::default();
        let decision = decide(strategy, &campaign(&truths, rounds, noise, phase), &question);
        must_be_true(&decision, &question)?;
    }
}
