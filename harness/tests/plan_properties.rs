//! Properties: what is written is read back, and no input makes the readers panic.

use std::collections::BTreeMap;
use std::time::Duration;

use arenalab::format::decision::{Constraints, Objective};
use arenalab::knowledge::{self, Kind};
use arenalab::plan::{Candidate, Choose, Measure, Plan, PlannedWorkload, Sweep, fields};
use proptest::prelude::*;

/// A valid setting of an allocator as text, from two drawn numbers.
fn setting(allocator: usize, which: usize, draw: u64) -> Option<(&'static str, String)> {
    let (_, settings) = knowledge::ALLOCATORS.get(allocator)?;
    let setting = settings.get(which % settings.len())?;
    let span = setting.max.abs_diff(setting.min).saturating_add(1);
    let drawn = setting.min.saturating_add_unsigned(draw % span);
    let number = if setting.zero_is_ignored { drawn.max(1) } else { drawn };
    let text = match setting.kind {
        Kind::Switch => draw.is_multiple_of(2).to_string(),
        Kind::Choice(words) => words[draw as usize % words.len()].to_owned(),
        Kind::Bytes { step } => (number / step * step).to_string(),
        Kind::Count | Kind::Millis => number.to_string(),
    };
    Some((setting.key, text))
}

fn known_candidate() -> impl Strategy<Value = Candidate> {
    let draws = prop::collection::vec((any::<usize>(), any::<u64>()), 0..4);
    (0..3usize, draws).prop_map(|(allocator, draws)| {
        let drawn = draws.into_iter().filter_map(|(which, draw)| setting(allocator, which, draw));
        let settings: BTreeMap<_, _> = drawn.collect();
        let pairs: Vec<_> = settings.iter().map(|(key, value)| format!("{key}={value}")).collect();
        let separator = if pairs.is_empty() { "" } else { ":" };
        format!("{}{separator}{}", knowledge::ALLOCATORS[allocator].0, pairs.join(",")).parse().unwrap()
    })
}

fn preloaded_candidate() -> impl Strategy<Value = Candidate> {
    let parts = ("/[a-z/.+-]{1,12}", "[A-P_]{1,5}", "[!-~]{0,16}", "[a-z,=\\\\:]{0,9}");
    parts.prop_filter_map("values that name a variable twice", |(path, name, first, second)| {
        format!("preload={path}:{name}={first},Q9={second}").parse().ok()
    })
}

fn any_plan() -> impl Strategy<Value = Plan> {
    let names = vec!["larson", "churn:ops=5k", "mail-server", "larson:ops=1,touch=2", "producer-consumer"];
    let workloads = prop::sample::subsequence(names, 1..4);
    let candidates =
        prop::collection::vec(prop_oneof![4 => known_candidate(), 1 => preloaded_candidate()], 1..6);
    let threads = prop::collection::btree_set(1..=4096u32, 1..4);
    let baseline = prop_oneof![Just(Candidate::baseline()), known_candidate()];
    (workloads, candidates, threads, baseline, any_measure(), any_choose()).prop_map(
        |(workloads, mut candidates, threads, baseline, measure, choose)| {
            let baseline_added = !candidates.contains(&baseline);
            if baseline_added {
                candidates.insert(0, baseline.clone());
            }
            let workloads = workloads.iter().map(|text| PlannedWorkload::BuiltIn(text.parse().unwrap()));
            let threads = threads.into_iter().collect();
            let sweep = Sweep {
                threads,
                baseline,
                candidates,
                baseline_added,
                libcs: vec![arenalab::plan::PlannedLibc::Host],
            };
            Plan { workloads: workloads.collect(), sweep, measure, choose }
        },
    )
}

fn any_measure() -> impl Strategy<Value = Measure> {
    let objectives = vec![Objective::Peak, Objective::Mean, Objective::End, Objective::Drained];
    let objective = prop::sample::select(objectives);
    let day = 86_400_000_000u64;
    let strategies = fields::STRATEGIES.map(|(_, strategy)| strategy).to_vec();
    let search = (prop::sample::select(strategies), prop::option::of(1_000_000..day));
    (1..100_000u32, objective, 0..day, 10_000..day, 0..=i64::MAX as u64, search).prop_map(
        |(rounds, objective, idle, timeout, seed, (strategy, budget))| Measure {
            trim: seed % 2 == 0,
            strategy,
            time_budget: budget.map(Duration::from_micros),
            rounds,
            objective,
            idle: Duration::from_micros(idle),
            timeout: Duration::from_micros(timeout),
            memory_limit: None,
            cpus: (seed % 3 == 0).then_some((seed % 8192) as u32 + 1),
            seed,
        },
    )
}

fn any_choose() -> impl Strategy<Value = Choose> {
    let rss = prop::option::of(1..9_000_000_000_000_000u64);
    (prop::option::of(0.0..0.999f64), prop::option::of(0..1000u32), rss, 0.5..0.999f64, 0.0..0.499f64)
        .prop_map(|(max_throughput_loss, p99, max_rss, confidence, tolerance)| {
            let max_p99_loss = p99.map(|percent| f64::from(percent) / 100.0);
            let constraints = Constraints { max_throughput_loss, max_p99_loss, max_rss };
            Choose { constraints, confidence, tolerance, accept_busy_host: false }
        })
}

proptest! {
    #[test]
    fn candidates_are_read_back(candidate in prop_oneof![known_candidate(), preloaded_candidate()]) {
        let text = candidate.to_string();
        let read: Candidate = text.parse().unwrap();
        prop_assert_eq!(&read, &candidate);
        prop_assert_eq!(read.to_string(), text);
    }

    #[test]
    fn plans_are_read_back(plan in any_plan()) {
        let text = plan.to_toml();
        let read = Plan::from_toml(&text, "p.toml");
        prop_assert_eq!(read.as_ref(), Ok(&plan), "{}", text);
    }

    #[test]
    fn no_text_makes_it_panic_or_take_more_than_a_line(
        allocator in "(glibc|jemalloc|mimalloc|preload=/a|)",
        text in "\\PC{0,30}|[a-z_0-9=,:.\\\\ -]{0,30}|[\\x00-\\xff]{0,12}",
    ) {
        for candidate in [text.clone(), format!("{allocator}:{text}"), format!("glibc:arena_max={text}")] {
            if let Err(error) = candidate.parse::<Candidate>() {
                prop_assert!(!error.to_string().contains('\n'));
            }
        }
        let named = format!("[[workload]]\nname = \"{text}\"\n");
        for plan in [text.clone(), format!("[sweep]\n{text}"), format!("[measure]\nidle = \"{text}\""), named] {
            if let Err(error) = Plan::from_toml(&plan, "p.toml") {
                prop_assert!(!error.to_string().contains('\n'), "{}", error);
            }
        }
    }
}
