use super::ScreenAndConfirm;
use crate::decide::observations::Observations;
use crate::decide::question::Question;
use crate::decide::simulate::campaign::{begin, run, run_round};
use crate::decide::simulate::host::{Chance, Host};
use crate::decide::simulate::landscape::{Kind, Landscape};
use crate::decide::strategy::Effort;
use crate::decide::strategy::{Step, Strategy, by_name};
use crate::format::decision::{Constraints, Verdict};

fn strategy(effort: Effort) -> ScreenAndConfirm {
    ScreenAndConfirm::new(Question::default(), effort)
}

fn landscape(kind: Kind, candidates: usize, seed: u64) -> (Landscape, Chance) {
    let mut chance = Chance::new(seed);
    (kind.draw(candidates, 0.03, &mut chance), chance)
}

#[test]
fn a_campaign_taken_up_again_goes_on_where_it_stopped() {
    for kind in [Kind::Ladder, Kind::Crashes] {
        let (landscape, mut chance) = landscape(kind, 24, 3);
        let mut running = strategy(Effort::default());
        let seen = run(&landscape, &mut running, 400, &mut chance);
        let rounds = seen.scenarios[0].rounds.len();
        assert!(rounds > 10, "{rounds}");
        let mut running = strategy(Effort::default());
        for done in 0..=rounds {
            let part = seen.first_rounds(done);
            let step = running.next(&part);
            assert_eq!(step, strategy(Effort::default()).next(&part), "after {done} rounds");
            assert_eq!(matches!(step, Step::Stop { .. }), done == rounds);
            if let Step::Round(request) = step {
                let ran: Vec<usize> = (0..part.arms.len())
                    .filter(|arm| seen.scenarios[0].rounds[done].cells[*arm].is_some())
                    .collect();
                assert_eq!(request.arms, ran);
                assert!(ran.contains(&seen.baseline) && ran.contains(&seen.twin.unwrap()));
            }
        }
    }
}

#[test]
fn every_candidate_is_told_of_once_and_ends_in_one_place() {
    for kind in Kind::ALL {
        let (landscape, mut chance) = landscape(kind, 20, 5);
        let mut told: Vec<String> = Vec::new();
        let mut seen = begin(&landscape);
        let mut running = strategy(Effort::default());
        loop {
            let (next, eliminated) = match running.next(&seen) {
                Step::Round(request) => (Some(request.arms), request.eliminated),
                Step::Stop { eliminated, .. } => (None, eliminated),
            };
            // What was set aside may come back in a second plan, and what is shown to be out may not.
            told.extend(
                eliminated.into_iter().filter(|e| !e.why.starts_with("set aside")).map(|e| e.candidate),
            );
            let Some(arms) = next else { break };
            run_round(&landscape, &arms, &mut seen, &mut chance);
        }
        let decision = running.decide(&seen, &Question::default());
        let mut placed: Vec<String> = decision.eliminated.iter().map(|e| e.candidate.clone()).collect();
        placed.extend(decision.undecided.iter().map(|u| u.candidate.clone()));
        placed.extend(decision.choice.clone().filter(|choice| *choice != decision.baseline));
        placed.sort();
        let mut all: Vec<String> = landscape.truths[1..].iter().map(|t| t.name.clone()).collect();
        all.sort();
        assert_eq!(placed, all, "{}", kind.name());
        let count = told.len();
        told.sort();
        told.dedup();
        assert_eq!(told.len(), count, "{}: told twice", kind.name());
    }
}

#[test]
fn a_host_that_favours_one_of_two_twins_is_not_believed() {
    let (mut landscape, mut chance) = landscape(Kind::Scatter, 20, 1);
    landscape.host = Host { twin_bias: 0.1, ..landscape.host };
    let mut running = strategy(Effort::default());
    let seen = run(&landscape, &mut running, 400, &mut chance);
    let decision = running.decide(&seen, &Question::default());
    assert_eq!((decision.verdict, decision.choice), (Verdict::Undecided, None));
    assert!(!decision.twin.unwrap().trustworthy);
}

#[test]
fn a_time_budget_is_kept() {
    for budget in [10.0, 100.0, 200.0, 400.0] {
        let (landscape, mut chance) = landscape(Kind::Ladder, 20, 2);
        let mut running = strategy(Effort { time_budget_s: Some(budget), ..Effort::default() });
        let seen = run(&landscape, &mut running, 400, &mut chance);
        let spent = crate::decide::logs::spent_s(&seen);
        // The round that is under way when the time ends is finished: at most 21 trials of 2 s.
        assert!(spent <= budget + 42.0, "{spent} of {budget}");
        let decision = running.decide(&seen, &Question::default());
        assert!(!decision.reason.is_empty());
    }
}

#[test]
fn noise_beyond_all_measure_is_undecided_with_minutes() {
    let mut chance = Chance::new(4);
    let landscape = Kind::Ladder.draw(12, 0.5, &mut chance);
    let mut running = strategy(Effort { most_rounds: 20, ..Effort::default() });
    let seen = run(&landscape, &mut running, 400, &mut chance);
    let decision = running.decide(&seen, &Question::default());
    assert_eq!(decision.verdict, Verdict::Undecided);
    assert!(decision.undecided.iter().any(|u| u.minutes_needed.is_some_and(|m| m > 1.0)), "{decision:#?}");
}

#[test]
fn a_budget_that_nothing_meets_is_none_feasible() {
    let (landscape, mut chance) = landscape(Kind::Ladder, 12, 3);
    let constraints = Constraints { max_rss: Some(1_000_000), ..Constraints::default() };
    let question = Question { constraints, ..Question::default() };
    let mut running = ScreenAndConfirm::new(question, Effort::default());
    let seen = run(&landscape, &mut running, 400, &mut chance);
    let decision = running.decide(&seen, &question);
    assert_eq!((decision.verdict, decision.choice), (Verdict::NoneFeasible, None));
}

#[test]
fn no_data_stop_a_search_at_once() {
    let empty = Observations::default();
    let (landscape, _) = landscape(Kind::Ladder, 4, 3);
    let stray = Observations { baseline: 99, ..begin(&landscape) };
    for seen in [empty, stray] {
        for name in crate::decide::strategy::NAMES {
            let mut strategy = by_name(name, &Question::default(), Effort::default()).unwrap();
            assert!(matches!(strategy.next(&seen), Step::Stop { .. }), "{name}");
            assert_eq!(strategy.decide(&seen, &Question::default()).verdict, Verdict::Undecided);
        }
    }
    let begun = begin(&landscape);
    for name in crate::decide::strategy::NAMES {
        let mut strategy = by_name(name, &Question::default(), Effort::default()).unwrap();
        assert_eq!(strategy.name(), name);
        assert!(matches!(strategy.next(&begun), Step::Round(_)), "{name}");
        assert_eq!(strategy.decide(&begun, &Question::default()).verdict, Verdict::Undecided);
    }
    assert!(by_name("guess", &Question::default(), Effort::default()).is_none());
}

#[test]
fn once_all_tests_are_used_up_no_further_rounds_choose_anything() {
    let (mut promising, mut chance) = landscape(Kind::Ties, 3, 1);
    promising.truths[1..].iter_mut().for_each(|truth| truth.rss = -0.2);
    // Whenever it is put to the test, it lies at the floor itself.
    let mut tested = Landscape { truths: promising.truths.clone(), host: promising.host };
    tested.truths[1..].iter_mut().for_each(|truth| truth.throughput = 0.95f64.ln());
    let mut running = strategy(Effort { time_budget_s: Some(1e6), ..Effort::default() });
    let mut seen = begin(&promising);
    let mut confirmed = Vec::new();
    let mut further = 0;
    while further < 12 && seen.scenarios[0].rounds.len() < 250 {
        let Step::Round(request) = running.next(&seen) else { break };
        let confirms = request.phase == "confirm";
        if running.is_spent(&seen) {
            further += 1;
            assert!(!confirms, "nothing is left to confirm with");
            assert_ne!(running.decide(&seen, &Question::default()).verdict, Verdict::Chosen);
        }
        confirmed.push(confirms);
        run_round(if confirms { &tested } else { &promising }, &request.arms, &mut seen, &mut chance);
    }
    assert_eq!(further, 12, "the tests were never used up: {confirmed:?}");
    assert!(running.is_spent(&seen) && confirmed.contains(&true));
}
