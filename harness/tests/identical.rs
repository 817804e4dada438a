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
        out_of_time: false,
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

/// The share of errors that a confidence of 95 % allows.
const ALLOWED: f64 = 0.05;

/// Fails where the mean of `shares`, one of each campaign, is above what is allowed by more than three of its
/// standard errors. The words of one campaign share its baseline and err together, so that the campaign is
/// what is counted.
#[track_caller]
fn within_what_is_allowed(what: &str, shares: &[f64]) {
    let count = shares.len() as f64;
    let mean = shares.iter().sum::<f64>() / count;
    let variance = shares.iter().map(|share| (share - mean).powi(2)).sum::<f64>() / (count - 1.0);
    let bound = ALLOWED + 3.0 * (variance / count).sqrt();
    println!("{what}: {mean:.4}, at most {bound:.4}");
    assert!(mean <= bound, "{what}: {mean:.4}, above {bound:.4}");
}

#[track_caller]
fn errs_no_more_than_allowed(campaigns: u64, rounds: u32, deviation: f64) {
    let (mut wrong, mut chosen) = (Vec::new(), Vec::new());
    for seed in 0..campaigns {
        let decision = choose(&campaign(seed, rounds, deviation), &Question::default());
        chosen.push(f64::from(u8::from(decision.verdict == Verdict::Chosen)));
        let standings = &decision.scenarios[0].standings[1..];
        let words: Vec<Comparison> =
            standings.iter().flat_map(|s| [s.throughput_verdict, s.rss_verdict]).collect();
        assert_eq!(words.len(), 4);
        let errors = words.iter().filter(|w| matches!(w, Comparison::Better | Comparison::Worse)).count();
        wrong.push(errors as f64 / words.len() as f64);
    }
    within_what_is_allowed("share of words that are wrong", &wrong);
    within_what_is_allowed("share of campaigns that chose another", &chosen);
}

#[test]
fn few_rounds_that_cannot_differ_are_equivalent_or_undecided() {
    errs_no_more_than_allowed(400, 6, 0.08);
}

// From here on intervals are resampled, which takes its time.

#[test]
fn many_rounds_that_cannot_differ_are_equivalent_or_undecided() {
    errs_no_more_than_allowed(120, 16, 0.08);
}

#[test]
fn noisy_rounds_that_cannot_differ_are_equivalent_or_undecided() {
    errs_no_more_than_allowed(80, 16, 0.3);
}

#[test]
#[should_panic(expected = "above")]
fn twice_the_errors_would_be_seen() {
    let shares: Vec<f64> = (0..400).map(|n| if n % 10 == 0 { 1.0 } else { 0.0 }).collect();
    within_what_is_allowed("errors", &shares);
}
