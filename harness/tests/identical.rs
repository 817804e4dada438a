//! Candidates that cannot differ are called better or worse no more often than the stated confidence allows,
//! in simulated campaigns on a noisy and drifting host. The seeds are fixed: this never fails by chance.

use arenalab::decide::choose::choose;
use arenalab::decide::observations::{Arm, Cell, Figures, Observations, RoundData, ScenarioData};
use arenalab::decide::question::Question;
use arenalab::format::decision::{Comparison, Verdict};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const ARMS: [&str; 4] = ["glibc", "glibc:arena_max=100", "glibc:arena_max=200", "glibc"];

/// Heavy-tailed noise around 0: one trial in twenty meets a disturbance.
fn noise(rng: &mut ChaCha8Rng, deviation: f64) -> f64 {
    let (u, v): (f64, f64) = (rng.random_range(1e-12..1.0), rng.random_range(0.0..1.0));
    let normal = (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos();
    let disturbed = if rng.random_range(0.0..1.0) < 0.05 { 3.0 } else { 1.0 };
    normal * deviation * disturbed
}

/// A campaign of four arms that are the same thing, on a host that slows down as it goes on.
fn campaign(seed: u64, rounds: u32, deviation: f64) -> Observations {
    let rng = &mut ChaCha8Rng::seed_from_u64(seed);
    let round = |index: u32| {
        let drift = -0.3 * f64::from(index) / f64::from(rounds) + noise(rng, 0.2);
        let mut cell = || {
            Some(Cell::Measured(Figures {
                throughput: (14.0 + drift + noise(rng, deviation)).exp(),
                rss: [Some((18.0 + noise(rng, 0.05)).exp()); 4],
                p99: None,
                elapsed_s: 1.0,
            }))
        };
        RoundData { index, cells: (0..ARMS.len()).map(|_| cell()).collect() }
    };
    Observations {
        arms: ARMS.iter().map(|name| Arm { name: (*name).to_owned(), rung: None }).collect(),
        baseline: 0,
        twin: Some(3),
        scenarios: vec![ScenarioData {
            workload: "larson".to_owned(),
            threads: 4,
            libc: "host".to_owned(),
            unit: "operations/s".to_owned(),
            rounds: (0..rounds).map(round).collect(),
        }],
    }
}

#[test]
fn what_cannot_differ_is_equivalent_or_undecided() {
    for (rounds, deviation) in [(6, 0.08), (16, 0.08), (16, 0.3)] {
        let campaigns = 400;
        let (mut words, mut wrong, mut chosen) = (0, 0, 0);
        for seed in 0..campaigns {
            let decision = choose(&campaign(seed, rounds, deviation), &Question::default());
            chosen += u32::from(decision.verdict == Verdict::Chosen);
            for standing in &decision.scenarios[0].standings[1..] {
                for word in [standing.throughput_verdict, standing.rss_verdict] {
                    words += 1;
                    wrong += u32::from(matches!(word, Comparison::Better | Comparison::Worse));
                }
            }
        }
        assert_eq!(words, campaigns as u32 * 4);
        let share = f64::from(wrong) / f64::from(words);
        println!("{rounds} rounds, deviation {deviation}: {wrong} of {words} words wrong, {chosen} chosen");
        assert!(share <= 0.05, "{rounds} rounds, deviation {deviation}: {share} of the words are wrong");
        assert!(f64::from(chosen) <= 0.05 * campaigns as f64, "{chosen} of {campaigns} chose another");
    }
}
