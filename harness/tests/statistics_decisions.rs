//! The default strategy and the full grid against known truth: a small, seeded cousin of
//! `examples/validate_decisions.rs`, whose full table is in `docs/validation.md`. The same campaigns come out
//! every time, so this fails when the engine changes, and not by chance.

use arenalab::decide::choose::choose;
use arenalab::decide::question::Question;
use arenalab::decide::simulate::campaign::{Mark, begin, best_mean, mark, mark_shipped, run, run_round};
use arenalab::decide::simulate::host::Chance;
use arenalab::decide::simulate::landscape::Kind;
use arenalab::decide::simulate::tally::Tally;
use arenalab::decide::strategy::{Effort, FullGrid, ScreenAndConfirm, Step, Strategy};
use arenalab::format::decision::Verdict;

const CANDIDATES: usize = 32;

fn screened(kind: Kind, noise: f64, seed: u64) -> Mark {
    let mut chance = Chance::new(seed);
    let landscape = kind.draw(CANDIDATES, noise, &mut chance);
    let question = Question { seed, ..Question::default() };
    let mut strategy = ScreenAndConfirm::new(question, Effort::default());
    let seen = run(&landscape, &mut strategy, 400, &mut chance);
    mark(&landscape, &seen, &strategy.decide(&seen, &question), &question)
}

fn tally(kind: Kind, noise: f64, campaigns: u64) -> Tally {
    let marks: Vec<Mark> = (1..=campaigns).map(|seed| screened(kind, noise, seed)).collect();
    Tally::of(&marks)
}

#[test]
fn the_floor_is_met_as_often_as_is_claimed() {
    let kinds = [Kind::Scatter, Kind::Ladder, Kind::Cliff, Kind::Edge, Kind::HeavyTails, Kind::Crashes];
    for kind in kinds {
        let counted = tally(kind, 0.03, 16);
        assert!(counted.met >= 15, "{}: {counted:?}", kind.name());
        if kind != Kind::Edge {
            assert!(counted.regret < 0.05, "{}: {counted:?}", kind.name());
            assert!(counted.trials < 9.0, "{}: {counted:?}", kind.name());
            assert!(counted.chosen >= 15, "{}: {counted:?}", kind.name());
        }
    }
}

#[test]
fn identical_candidates_are_rarely_called_different() {
    let counted = tally(Kind::Ties, 0.03, 12);
    assert!(counted.false_words() < 0.05, "{counted:?}");
    assert_eq!(counted.met, 12);
    assert!(counted.chosen <= 1, "{counted:?}");
}

#[test]
fn picking_the_best_mean_breaks_the_floor_where_the_engine_does_not() {
    let question = Question::default();
    let naive: Vec<Mark> = (1..=20)
        .map(|seed| {
            let mut chance = Chance::new(seed);
            let landscape = Kind::Edge.draw(CANDIDATES, 0.08, &mut chance);
            let seen = run(&landscape, &mut FullGrid { rounds: 10 }, 400, &mut chance);
            mark_shipped(&landscape, &seen, best_mean(&seen, &question), &question)
        })
        .collect();
    assert!(Tally::of(&naive).met < 14);
    assert!(tally(Kind::Edge, 0.08, 12).met >= 11);
}

#[test]
fn a_setting_that_fails_in_one_of_two_scenarios_is_not_shipped() {
    let mut chance = Chance::new(8);
    let good = Kind::Scatter.draw(12, 0.03, &mut chance);
    // In the second scenario everything that saves memory is slow, but for two.
    let mut bad = good.clone();
    let mut lean: Vec<usize> = (1..12).filter(|i| good.truths[*i].rss < 0.0).collect();
    lean.sort_by(|a, b| good.truths[*a].rss.total_cmp(&good.truths[*b].rss));
    for arm in &lean[..lean.len() - 2] {
        bad.truths[*arm].throughput -= 0.4;
    }
    let question = Question::default();
    let mut strategy = ScreenAndConfirm::new(question, Effort::default());
    let mut seen = begin(&good);
    let mut second = begin(&bad);
    second.scenarios[0].threads = 16;
    seen.scenarios.append(&mut second.scenarios);
    while let Step::Round(request) = strategy.next(&seen) {
        let arrived = request.arms;
        for (index, landscape) in [&good, &bad].into_iter().enumerate() {
            let mut alone = seen.clone();
            alone.scenarios = vec![seen.scenarios[index].clone()];
            run_round(landscape, &arrived, &mut alone, &mut chance);
            seen.scenarios[index] = alone.scenarios.remove(0);
        }
    }
    let decision = strategy.decide(&seen, &question);
    let floor = 0.95f64.ln();
    if let Some(choice) = decision.choice.as_ref().filter(|_| decision.verdict == Verdict::Chosen) {
        let truth = bad.truths.iter().find(|truth| truth.name == *choice).unwrap();
        assert!(truth.throughput >= floor, "{choice}");
    }
    assert!(decision.scenarios.len() == 2 && !decision.reason.is_empty());
    let whole = choose(&seen, &question);
    assert_eq!(whole.scenarios.len(), 2);
}
