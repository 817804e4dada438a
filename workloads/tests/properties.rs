//! Any valid parameters: all work is done, nothing is freed twice or while another holds it, and in the end
//! nothing is left.

#[path = "support/watched.rs"]
#[allow(dead_code, reason = "each test file uses its part")]
mod watched;

use arenalab_wire::telemetry::Page;
use arenalab_workloads::catalogue::{self, Description, Kind};
use arenalab_workloads::spec::Spec;
use arenalab_workloads::workload::{self, Run};
use proptest::prelude::*;
use watched::{Spectator, Turn, Watched};

/// A value of every parameter, in range and small enough to be quick.
fn spec(entry: &'static Description, draws: &[u64]) -> Result<Spec, String> {
    let values = entry.params.iter().zip(draws).map(|(param, draw)| {
        let most = match (param.name, param.kind) {
            ("ops", _) => 400,
            (_, Kind::Bytes) => 3000,
            (_, Kind::Count | Kind::Percent) => 120,
        };
        let (top, least) =
            (param.max.min(most.max(param.min)), param.min.max(u64::from(param.name == "ops")));
        format!("{}={}", param.name, least + draw % (top - least + 1))
    });
    let text = format!("{}:{}", entry.name, values.collect::<Vec<_>>().join(","));
    text.parse().map_err(|error| format!("{text}: {error}"))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_parameters_are_safe(
        which in any::<prop::sample::Index>(),
        threads in 1u32..7,
        seed in any::<u64>(),
        draws in prop::collection::vec(any::<u64>(), 24),
    ) {
        let shown: Vec<&Description> = catalogue::all().iter().filter(|entry| !entry.hidden).collect();
        let Ok(spec) = spec(shown[which.index(shown.len())], &draws) else { return Err(TestCaseError::reject("ranges")) };
        let turn = Turn::take();
        let (page, _) = Page::create(threads as usize).unwrap();
        let run = Run { spec, threads, seed, page: Box::leak(Box::new(page)) };
        let mut seen = Spectator::default();
        workload::start(&run, Watched, &mut seen).unwrap();
        let ops = run.spec.get("ops");
        let done: Vec<u64> = seen.0.iter().map(|border| border.ops).collect();
        prop_assert_eq!(done, [0, ops * run.spec.get("warmup") / 100, ops, 0], "{}", run.spec);
        let left = turn.left();
        prop_assert_eq!(left as u64, seen.0[3].live_bytes, "{}", run.spec);
        let leaks = run.spec.description().param("leak").is_some_and(|_| run.spec.get("leak") > 0);
        prop_assert!(leaks || left == 0, "{} leaves {left} B", run.spec);
    }
}
