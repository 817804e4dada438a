use super::*;
use crate::campaign::fixture::trial;
use crate::format::trial::{Anatomy, Arenas, Cpu, Faults, Switches, Throughput};

fn with_switches(voluntary: u64) -> TrialRecord {
    TrialRecord { switches: Some(Switches { voluntary, involuntary: 0 }), ..trial("glibc") }
}

fn with_heap(allocator: &str, arenas: u32, free: u64) -> TrialRecord {
    TrialRecord {
        strays: 0,
        arenas: Some(Arenas { limit: None, observed: Some(arenas) }),
        anatomy: Some(Anatomy { free: Some(free), mmapped: Some(free / 2), ..Anatomy::default() }),
        ..trial(allocator)
    }
}

fn seen_in(theirs: &[TrialRecord], baseline: &[TrialRecord]) -> Vec<String> {
    seen(&theirs.iter().collect::<Vec<_>>(), &baseline.iter().collect::<Vec<_>>())
}

#[test]
fn a_figure_that_matters_on_one_side_only_is_told() {
    let words = seen_in(&[with_switches(200_000)], &[with_switches(60)]);
    assert_eq!(words, ["200000 voluntary context switches (a thread waited) (baseline 60)"]);
    let words = seen_in(&[with_switches(0)], &[with_switches(9000)]);
    assert_eq!(words, ["0.00 voluntary context switches (a thread waited) (baseline 9000)"]);
}

#[test]
fn where_nothing_differs_one_sentence_says_so() {
    for (a, b) in [(60, 6), (1000, 1100), (0, 0)] {
        let words = seen_in(&[with_switches(a)], &[with_switches(b)]);
        assert_eq!(words, [NOT_SEEN]);
    }
    assert_eq!(seen_in(&[trial("glibc")], &[trial("jemalloc")]), [NOT_SEEN]);
}

#[test]
fn without_a_finished_trial_nothing_is_said() {
    let crashed = TrialRecord { status: Status::Crashed, ..with_switches(200_000) };
    assert!(seen_in(&[crashed], &[with_switches(60)]).is_empty());
    assert!(seen_in(&[with_switches(1)], &[]).is_empty());
}

#[test]
fn the_median_of_an_even_number_is_the_mean_of_the_middle_two() {
    let median_of = |values: &[u64]| {
        let trials: Vec<_> = values.iter().map(|v| with_switches(*v)).collect();
        median(&trials.iter().collect::<Vec<_>>(), voluntary)
    };
    assert_eq!(median_of(&[4, 1]), Some(2.5));
    assert_eq!(median_of(&[9, 1, 4]), Some(4.0));
    assert_eq!(median_of(&[9, 1, 4, 5]), Some(4.5));
    assert_eq!(median_of(&[]), None);
}

#[test]
fn an_allocators_own_account_is_compared_with_its_own_kind_alone() {
    let few = with_heap("glibc", 1, 10 << 20);
    let many = with_heap("glibc", 8, 40 << 20);
    let words = seen_in(std::slice::from_ref(&few), &[many]);
    assert_eq!(words[0], "1 arenas were created (baseline 8)");
    assert!(words[1].contains("free inside the allocator") && words[1].contains("baseline"), "{words:?}");
    assert!(words[2].contains("in chunks mapped one by one"), "{words:?}");
    for other in ["jemalloc", "mimalloc"] {
        assert_eq!(seen_in(&[with_heap(other, 8, 40 << 20)], std::slice::from_ref(&few)), [NOT_SEEN]);
    }
    let unknown = [with_heap("unknown", 8, 40 << 20)];
    assert_eq!(seen_in(&unknown, &[with_heap("unknown", 1, 1 << 20)]), [NOT_SEEN]);
}

#[test]
fn halves_of_arenas_are_shown_as_such() {
    let theirs = [with_heap("glibc", 2, 0), with_heap("glibc", 3, 0)];
    assert_eq!(seen_in(&theirs, &[with_heap("glibc", 2, 0)]), ["2.5 arenas were created (baseline 2)"]);
}

#[test]
fn kernel_work_is_compared_across_allocators() {
    let busy = |allocator: &str, minor, system_s| TrialRecord {
        faults: Some(Faults { minor, major: 0 }),
        cpu: Some(Cpu { user_s: 1.0, system_s }),
        throughput: Some(Throughput { value: 1000.0, unit: "operations/s".to_owned() }),
        wall_s: Some(1.0),
        ..trial(allocator)
    };
    let words = seen_in(&[busy("jemalloc", 500, 0.01)], &[busy("glibc", 50_000, 1.0)]);
    assert_eq!(words.len(), 3, "{words:?}");
    assert_eq!(words[0], "500 page faults (baseline 50000)");
    assert_eq!(words[2], "CPU time per operation x0.51");
}
