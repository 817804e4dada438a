use serde_json::json;

use super::{Refusal, Side, compare};
use crate::decide::observations::{Cell, Figures, Observations, RoundData};
use crate::decide::question::Question;
use crate::decide::simulate::campaign::begin;
use crate::decide::simulate::host::Chance;
use crate::decide::simulate::landscape::Kind;
use crate::format::compare::Metric;
use crate::format::decision::Comparison;
use crate::format::manifest::Manifest;

fn manifest(sha: &str) -> Manifest {
    serde_json::from_value(json!({
        "format": 1, "arenalab": "0", "created_at": "", "command": [], "seed": 1, "strategy": "sweep",
        "rounds": 2, "plan": "", "objective": "peak", "constraints": {}, "confidence": 0.95,
        "host": {"name": "h", "kernel": "", "arch": "x", "cpus_online": 2, "cpus_allowed": 2,
                 "memory": 1, "page_size": 4096},
        "binaries": {"glibc": {"file": "f", "sha256": sha, "allocator": "glibc"}},
        "libcs": [{"name": "host"}, {"name": "new"}],
        "scenarios": [], "candidates": [], "baseline": "glibc"
    }))
    .unwrap()
}

/// Twelve rounds whose levels are off by factors, and sway together within a round.
fn campaign(throughput: f64, rss: f64) -> Observations {
    let mut seen = begin(&Kind::Ties.draw(2, 0.0, &mut Chance::new(1)));
    for index in 0..12u32 {
        let sway = 1.0 + 0.2 * f64::from(index).sin();
        let cell = |arm: usize| {
            let own = 1.0 + 0.002 * (f64::from(index) * 2.4 + arm as f64).sin();
            Some(Cell::Measured(Figures {
                throughput: 1e6 * throughput * sway * own,
                rss: [Some(1e8 * rss * own), None, None, None],
                p99: None,
                elapsed_s: 1.0,
            }))
        };
        seen.scenarios[0].rounds.push(RoundData { index, cells: (0..3).map(cell).collect() });
    }
    seen
}

fn side<'a>(manifest: &'a Manifest, seen: &'a Observations, libc: Option<&'a str>) -> Side<'a> {
    Side { manifest, seen, libc }
}

#[test]
fn a_regression_is_seen_and_an_equality_too() {
    let (manifest, old, new) = (manifest("a"), campaign(1.0, 1.0), campaign(1.0, 1.2));
    let compared =
        compare(&side(&manifest, &old, None), &side(&manifest, &new, None), &Question::default()).unwrap();
    let word = |metric| compared.entries.iter().find(|e| e.metric == metric).unwrap().verdict;
    assert_eq!(compared.entries.len(), 4);
    assert_eq!(word(Metric::Rss), Comparison::Worse);
    assert_eq!(word(Metric::Throughput), Comparison::Undecided, "the sway of the rounds hides it");
    assert!(compared.warnings[0].contains("different times"));
}

#[test]
fn two_libcs_of_one_campaign_are_compared_within_rounds() {
    let manifest = manifest("a");
    let mut seen = campaign(1.0, 1.0);
    let mut other = campaign(0.9, 1.0).scenarios.remove(0);
    other.libc = "new".to_owned();
    seen.scenarios.push(other);
    let sides = (side(&manifest, &seen, Some("host")), side(&manifest, &seen, Some("new")));
    let compared = compare(&sides.0, &sides.1, &Question::default()).unwrap();
    let throughput = &compared.entries[0];
    assert!(throughput.paired);
    assert_eq!(throughput.verdict, Comparison::Worse, "within rounds the sway falls out");
    assert_eq!(compared.entries[1].verdict, Comparison::Equivalent);
    let missing = side(&manifest, &seen, Some("old"));
    let refusal = compare(&missing, &sides.1, &Question::default()).unwrap_err();
    assert_eq!(refusal.to_string(), "the campaign has no libc 'old'; it has host, new");
}

#[test]
fn what_must_not_be_compared_is_refused_in_words() {
    let (a, b) = (manifest("aaaa"), manifest("bbbb"));
    let seen = campaign(1.0, 1.0);
    let engines = compare(&side(&a, &seen, None), &side(&b, &seen, None), &Question::default()).unwrap_err();
    assert!(matches!(engines, Refusal::Engines { .. }));
    let mut other = seen.clone();
    other.scenarios[0].threads = 16;
    let refusal = compare(&side(&a, &seen, None), &side(&a, &other, None), &Question::default()).unwrap_err();
    assert!(refusal.to_string().contains("simulated, 16 threads, host is only in the second"), "{refusal}");
}

#[test]
fn one_round_is_undecided() {
    let manifest = manifest("a");
    let mut seen = campaign(1.0, 1.0);
    seen.scenarios[0].rounds.truncate(1);
    let again = seen.clone();
    let compared =
        compare(&side(&manifest, &seen, None), &side(&manifest, &again, None), &Question::default()).unwrap();
    assert!(compared.entries.iter().all(|e| e.verdict == Comparison::Undecided && e.ratio.is_none()));
}

#[test]
fn below_four_rounds_there_is_neither_an_interval_nor_a_word() {
    let manifest = manifest("a");
    let cut = |throughput, rss, rounds| {
        let mut seen = campaign(throughput, rss);
        seen.scenarios[0].rounds.truncate(rounds);
        seen
    };
    let of = |before: usize, after: usize| {
        let (old, new) = (cut(1.0, 1.0, before), cut(1.0, 2.0, after));
        let compared =
            compare(&side(&manifest, &old, None), &side(&manifest, &new, None), &Question::default());
        compared.unwrap().entries.into_iter().find(|e| e.metric == Metric::Rss).unwrap()
    };
    for (before, after) in [(2, 12), (12, 3), (3, 3)] {
        let entry = of(before, after);
        assert_eq!((entry.ratio, entry.verdict), (None, Comparison::Undecided), "{before} and {after}");
    }
    assert_eq!(of(4, 4).verdict, Comparison::Worse, "twice the memory is seen in four");
}
