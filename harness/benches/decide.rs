//! How long deciding takes: a campaign of 200 candidates and 100 rounds is to be decided within a second.

use std::hint::black_box;

use arenalab::decide::choose::choose;
use arenalab::decide::observations::Observations;
use arenalab::decide::question::Question;
use arenalab::decide::simulate::campaign::{begin, run, run_round};
use arenalab::decide::simulate::host::Chance;
use arenalab::decide::simulate::landscape::Kind;
use arenalab::decide::strategy::{Effort, ScreenAndConfirm, Strategy};
use criterion::{Criterion, criterion_group, criterion_main};

fn campaign(candidates: usize, rounds: usize) -> Observations {
    let mut chance = Chance::new(1);
    let landscape = Kind::Ladder.draw(candidates, 0.08, &mut chance);
    let mut seen = begin(&landscape);
    let arms: Vec<usize> = (0..=candidates).collect();
    for _ in 0..rounds {
        run_round(&landscape, &arms, &mut seen, &mut chance);
    }
    seen
}

fn decide(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("choose");
    group.sample_size(10);
    for (candidates, rounds) in [(12, 16), (64, 20), (200, 100)] {
        let seen = campaign(candidates, rounds);
        group.bench_function(format!("{candidates} candidates, {rounds} rounds"), |bencher| {
            bencher.iter(|| choose(black_box(&seen), &Question::default()));
        });
    }
    group.finish();
    criterion.bench_function("a simulated campaign of 64 candidates, screened and confirmed", |bencher| {
        bencher.iter(|| {
            let mut chance = Chance::new(2);
            let landscape = Kind::Ladder.draw(64, 0.03, &mut chance);
            let mut strategy = ScreenAndConfirm::new(Question::default(), Effort::default());
            let seen = run(&landscape, &mut strategy, 400, &mut chance);
            strategy.decide(black_box(&seen), &Question::default())
        });
    });
}

criterion_group!(benches, decide);
criterion_main!(benches);
