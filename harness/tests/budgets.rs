//! Time budgets from end to end, by a clock that is exact: a campaign ends within one trial's time of its budget, whatever
//! the strategy, and uses it while anything is open; a larger one goes on.

mod fake;

use std::path::Path;
use std::sync::atomic::AtomicBool;

use arenalab::campaign::decision;
use arenalab::campaign::prepare;
use arenalab::campaign::run::{self, Ended};
use arenalab::campaign::search;
use arenalab::campaign::store;
use arenalab::format::decision::{Decision, Verdict};
use arenalab::format::trial::{Status, TrialRecord};
use arenalab::trial::executor::{Executor, Trial, TrialSpec};
use arenalab::trial::record;

/// Makes trials up that take their time by a clock of its own, and whose figures are noise.
struct Clocked {
    now_s: f64,
    /// What the program takes before its first trial, and around each.
    before_s: f64,
    around_s: f64,
    trial_s: f64,
    /// Of throughput and RSS, logarithm.
    noise: f64,
    longest_s: f64,
    ran: usize,
}

impl Clocked {
    fn new(trial_s: f64, noise: f64) -> Self {
        Self { now_s: 1000.0, before_s: 0.0, around_s: 0.0, trial_s, noise, longest_s: 0.0, ran: 0 }
    }

    /// A number from -1 to 1 that looks like chance, the same in every run.
    fn sway(&self, salt: u64) -> f64 {
        let mut x = (self.ran as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15)
            ^ salt.wrapping_mul(0xff51_afd7_ed55_8ccd);
        x = (x ^ (x >> 31)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        (x >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    }
}

impl Executor for Clocked {
    fn run(&mut self, spec: &TrialSpec) -> Result<Trial, String> {
        let wanted = self.trial_s * (1.0 + 0.2 * self.sway(1));
        let limit = spec.timeout.as_secs_f64();
        let took = wanted.min(limit);
        let mut record = if wanted > limit {
            record::not_run("host", spec, Status::Timeout, "made up")
        } else {
            fake::finished(spec)
        };
        record.elapsed_s = took;
        if let Some(throughput) = &mut record.throughput {
            throughput.value *= (self.noise * self.sway(2)).exp();
        }
        if let Some(rss) = &mut record.rss {
            rss.peak = (rss.peak as f64 * (self.noise * self.sway(3)).exp()) as u64;
        }
        self.now_s += took + self.around_s;
        self.longest_s = self.longest_s.max(wanted + self.around_s);
        self.ran += 1;
        Ok(Trial { record, series: None })
    }

    fn now_s(&self) -> f64 {
        self.now_s
    }

    fn spent_s(&self) -> f64 {
        self.before_s
    }
}

fn begin(dir: &Path, strategy: &str, budget_s: f64) {
    let mut manifest = fake::manifest(
        "[[workload]]\nname = \"larson\"\n[sweep]\nthreads = [8]\ncandidates = [\"glibc\", \"glibc:arena_max=1\", \
         \"glibc:arena_max=2\", \"glibc:arena_max=4\"]\n[measure]\nrounds = 1000",
    );
    strategy.clone_into(&mut manifest.strategy);
    manifest.time_budget_s = Some(budget_s);
    store::create(dir, &manifest).unwrap();
}

/// Goes on with the campaign in `dir` until it ends; what it decides.
fn go_on(dir: &Path, clocked: &mut Clocked) -> Decision {
    let (mut store, campaign) = store::resume(dir).unwrap();
    let manifest = campaign.manifest;
    let question = decision::question_of(&manifest);
    let mut strategy = search::strategy(&manifest, &question).unwrap();
    let setup = prepare::setup(&manifest, &fake::programs()).unwrap();
    let stop = AtomicBool::new(false);
    let ended = run::run(&setup, strategy.as_mut(), clocked, &mut store, campaign.trials, &stop, &mut |_| ())
        .unwrap();
    assert_eq!(ended, Ended::Complete);
    drop(store);
    decision::decide(&store::read(dir).unwrap(), &question)
}

fn rows(dir: &Path) -> Vec<TrialRecord> {
    store::read(dir).unwrap().trials
}

/// What `next` may say of a campaign whose figures are noise: a command that goes on, or that none would help. Where the twin
/// is accused by chance, another host is asked for.
fn is_a_way_on(next: &str, trusted: bool) -> bool {
    if !trusted {
        return next.contains("measure again on a host at rest") && !next.contains("--resume");
    }
    let resumes = next.contains("--resume --time-budget");
    let ends = next.starts_with("No length") || next.starts_with("No candidate can be chosen");
    resumes != ends
}

fn a_budget_is_kept_and_used(strategy: &str, trial_s: f64, budget: f64) {
    let parent = fake::in_memory();
    let dir = parent.path().join("c");
    begin(&dir, strategy, budget);
    let mut clocked = Clocked { before_s: 3.0, around_s: 0.1, ..Clocked::new(trial_s, 1.0) };
    let decision = go_on(&dir, &mut clocked);
    let took = clocked.before_s + clocked.now_s - 1000.0;
    let what = format!("{strategy}, trials of {trial_s} s: {took:.1} s of {budget} s");
    assert!(took <= budget + clocked.longest_s, "{what}");
    assert_eq!(decision.verdict, Verdict::Undecided, "{what}: noise decides nothing");
    assert!(took >= budget - clocked.longest_s, "{what}: {}", decision.reason);
    let next = decision.next.unwrap_or_default();
    let trusted = decision.twin.is_none_or(|twin| twin.trustworthy);
    assert!(is_a_way_on(&next, trusted), "{what}: {next}");
    // Nothing more is run without a larger budget, and nothing else is decided.
    let rows_before = rows(&dir).len();
    let again = go_on(&dir, &mut clocked);
    assert_eq!((rows(&dir).len(), again.reason), (rows_before, decision.reason), "{what}");
}

/// Trials of a fraction of a second to some tens, budgets of half a minute to five; at most so many trials in each.
fn every_budget(strategy: &str, most_trials: f64) {
    for trial_s in [0.2, 1.0, 5.0, 20.0] {
        for budget in [30.0, 60.0, 120.0, 300.0].into_iter().filter(|budget| budget / trial_s <= most_trials)
        {
            a_budget_is_kept_and_used(strategy, trial_s, budget);
        }
    }
}

#[test]
fn a_search_ends_within_one_trial_of_its_budget_and_uses_it_while_anything_is_open() {
    every_budget("screen-and-confirm", 150.0);
}

#[test]
fn a_race_ends_within_one_trial_of_its_budget_and_uses_it_while_anything_is_open() {
    every_budget("race", 150.0);
}

#[test]
fn a_grid_ends_within_one_trial_of_its_budget_and_uses_it() {
    every_budget("full-grid", 1500.0);
}

#[test]
fn a_budget_too_small_for_a_word_says_how_much_is_needed() {
    let parent = fake::in_memory();
    let dir = parent.path().join("c");
    begin(&dir, "screen-and-confirm", 30.0);
    let decision = go_on(&dir, &mut Clocked::new(10.0, 0.01));
    assert_eq!((decision.verdict, decision.tested), (Verdict::Undecided, Some(false)));
    let next = decision.next.unwrap();
    assert!(next.contains("--resume --time-budget") && next.contains("below 5 rounds"), "{next}");
    assert!(decision.undecided.iter().all(|open| open.minutes_needed.is_none()));
}

#[test]
fn a_trial_that_the_budget_cuts_off_is_not_held_against_its_candidate() {
    let parent = fake::in_memory();
    let dir = parent.path().join("c");
    begin(&dir, "full-grid", 30.0);
    // The first trial would take longer than the whole budget.
    let mut clocked = Clocked::new(50.0, 0.01);
    let decision = go_on(&dir, &mut clocked);
    assert!(clocked.now_s - 1000.0 <= 30.0 + 1e-9);
    assert_eq!(rows(&dir)[0].status, Status::Interrupted);
    assert!(decision.eliminated.is_empty(), "{:?}", decision.eliminated);
    assert_eq!(decision.verdict, Verdict::Undecided);
}

#[test]
fn a_larger_budget_goes_on_where_the_smaller_ended() {
    for strategy in ["screen-and-confirm", "race", "full-grid"] {
        let parent = fake::in_memory();
        let dir = parent.path().join("c");
        begin(&dir, strategy, 40.0);
        let mut clocked = Clocked::new(1.0, 0.05);
        let first = go_on(&dir, &mut clocked);
        let before = rows(&dir);
        let (mut store, mut campaign) = store::resume(&dir).unwrap();
        store::extend(&mut store, &mut campaign, (1000, Some(300.0))).unwrap();
        drop(store);
        let ran = clocked.ran;
        let second = go_on(&dir, &mut clocked);
        let after = rows(&dir);
        assert_eq!(after[..before.len()], before[..], "{strategy}: what was measured stays");
        if first.verdict == Verdict::Undecided {
            assert!(clocked.ran > ran, "{strategy}: {}", second.reason);
            let until = campaign.manifest.extended[0].until_round;
            let added = &after[before.len()..];
            assert!(
                added.iter().all(|row| row.round >= until),
                "{strategy}: added to rounds that were looked at"
            );
            let spent: f64 = after.iter().map(|row| row.elapsed_s).sum();
            assert!(spent <= 300.0 + clocked.longest_s, "{strategy}");
            if second.verdict == Verdict::Undecided {
                assert!(spent >= 300.0 - clocked.longest_s, "{strategy}: {spent}, {}", second.reason);
            }
        }
        // The look that was made is paid for.
        if strategy == "full-grid" {
            assert!((second.confidence - (1.0 - 0.05 * 1.5)).abs() < 1e-9, "{}", second.confidence);
        }
    }
}
