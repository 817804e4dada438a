//! How a campaign is led from trial to trial, with trials that are made up: what becomes of each, where it is
//! stopped, and how it goes on.

mod fake;

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use arenalab::campaign::prepare;
use arenalab::campaign::run::{self, Ended, Event};
use arenalab::campaign::store;
use arenalab::decide::observations::Observations;
use arenalab::decide::strategy::{FullGrid, RoundRequest, Step, Strategy};
use arenalab::format::decision::Eliminated;
use arenalab::format::manifest::Manifest;
use arenalab::format::trial::{Status, TrialRecord};
use arenalab::trial::executor::{Executor, Trial, TrialSpec};

const ROUNDS: u32 = 4;
/// Two scenarios; three candidates and the twin in each.
const IN_A_ROUND: usize = 2 * 4;
const TRIALS: usize = ROUNDS as usize * IN_A_ROUND;

fn manifest() -> Manifest {
    fake::manifest(&format!(
        "[[workload]]\nname = \"larson\"\n[[workload]]\nname = \"churn\"\n[sweep]\nthreads = [8]\n\
         candidates = [\"glibc\", \"glibc:arena_max=1\", \"glibc:arena_max=2\"]\n[measure]\nrounds = {ROUNDS}"
    ))
}

/// All that makes a trial that trial.
fn identity(spec: &TrialSpec) -> String {
    let TrialSpec { workload, candidate, twin, round, attempt, position, seed, .. } = spec;
    format!("{workload} {candidate} {twin} {round}.{attempt}.{position} {seed}")
}

/// Makes trials up, and remembers which.
struct Invented {
    ran: Vec<String>,
    status: fn(&TrialSpec) -> Status,
    /// The trial, counted from 0, that is interrupted.
    interrupted: Option<usize>,
}

impl Invented {
    fn new() -> Self {
        Self { ran: Vec::new(), status: |_| Status::Ok, interrupted: None }
    }
}

impl Executor for Invented {
    fn run(&mut self, spec: &TrialSpec) -> Result<Trial, String> {
        let interrupted = self.interrupted == Some(self.ran.len());
        let status = if interrupted { Status::Interrupted } else { (self.status)(spec) };
        if !interrupted {
            self.ran.push(identity(spec));
        }
        let record = match status {
            Status::Ok => fake::finished(spec),
            status => arenalab::trial::record::not_run("host", spec, status, "made up"),
        };
        Ok(Trial { record, series: None })
    }
}

/// Half of the rounds with all arms, then those without the second.
struct Narrowing;

impl Strategy for Narrowing {
    fn name(&self) -> &'static str {
        "narrowing"
    }

    fn next(&mut self, seen: &Observations) -> Step {
        let done = seen.scenarios.iter().map(|scenario| scenario.rounds.len()).min().unwrap_or(0) as u32;
        if done == ROUNDS {
            return Step::Stop { why: "enough".to_owned(), eliminated: Vec::new() };
        }
        let narrow = done >= ROUNDS / 2;
        let arms = (0..seen.arms.len()).filter(|arm| !narrow || *arm != 1).collect();
        let out = Eliminated {
            candidate: "glibc:arena_max=1".to_owned(),
            why: "made up".to_owned(),
            bound: None,
            by: None,
        };
        let eliminated = if done == ROUNDS / 2 { vec![out] } else { Vec::new() };
        Step::Round(RoundRequest { arms, phase: "grid".to_owned(), eliminated })
    }
}

/// What a part of a campaign was.
struct Part {
    ended: Ended,
    replayed: usize,
    eliminated: Vec<String>,
}

/// Begins the campaign in `dir`, or goes on with it; stops it after so many trials that were run.
fn play(dir: &Path, strategy: &mut dyn Strategy, invented: &mut Invented, stop_after: usize) -> Part {
    let (mut store, manifest, past) = if dir.exists() {
        let (store, campaign) = store::resume(dir).unwrap();
        (store, campaign.manifest, campaign.trials)
    } else {
        let manifest = manifest();
        (store::create(dir, &manifest).unwrap(), manifest, Vec::new())
    };
    let setup = prepare::setup(&manifest, &fake::programs()).unwrap();
    let stop = AtomicBool::new(stop_after == 0);
    let (mut ran, mut replayed, mut eliminated) = (0, 0, Vec::new());
    let mut on = |event: &Event| match event {
        Event::TrialEnded { replayed: true, .. } => replayed += 1,
        Event::TrialEnded { .. } => {
            ran += 1;
            stop.store(ran >= stop_after, Ordering::Relaxed);
        }
        Event::Eliminated(out) => eliminated.extend(out.iter().map(|one| one.candidate.clone())),
        _ => {}
    };
    let ended = run::run(&setup, strategy, invented, &mut store, past, &stop, &mut on).unwrap();
    Part { ended, replayed, eliminated }
}

fn rows(dir: &Path) -> Vec<TrialRecord> {
    store::read(dir).unwrap().trials
}

/// A campaign that nobody disturbs.
fn undisturbed(strategy: &mut dyn Strategy) -> Vec<String> {
    let parent = fake::in_memory();
    let mut invented = Invented::new();
    let part = play(&parent.path().join("c"), strategy, &mut invented, usize::MAX);
    assert_eq!((part.ended, part.replayed), (Ended::Complete, 0));
    invented.ran
}

fn grid() -> FullGrid {
    FullGrid { rounds: ROUNDS }
}

#[test]
fn whatever_becomes_of_trials_all_are_run_and_none_is_run_again() {
    let parent = fake::in_memory();
    let dir = parent.path().join("c");
    let mut invented = Invented::new();
    invented.status = |spec| {
        let all =
            [Status::Ok, Status::Failed, Status::Crashed, Status::Timeout, Status::Oom, Status::Unsupported];
        // A campaign whose baseline fails in all of the first round is stopped there.
        let baseline = spec.round == 0 && !spec.twin && spec.candidate == "glibc";
        if baseline { Status::Ok } else { all[(spec.position + spec.round) as usize % all.len()] }
    };
    assert_eq!(play(&dir, &mut grid(), &mut invented, usize::MAX).ended, Ended::Complete);
    assert_eq!(invented.ran, undisturbed(&mut grid()));
    let statuses = |status| rows(&dir).iter().filter(|row| row.status == status).count();
    for status in
        [Status::Ok, Status::Failed, Status::Crashed, Status::Timeout, Status::Oom, Status::Unsupported]
    {
        assert!(statuses(status) >= TRIALS / 8, "{status:?}");
    }
    let mut idle = Invented::new();
    let again = play(&dir, &mut grid(), &mut idle, usize::MAX);
    assert_eq!((again.ended, again.replayed, idle.ran.len()), (Ended::Complete, TRIALS, 0));
    assert_eq!(rows(&dir).len(), TRIALS);
}

#[test]
fn stopped_between_any_two_trials_it_goes_on_where_it_was() {
    let expected = undisturbed(&mut grid());
    assert_eq!(expected.len(), TRIALS);
    for stop_after in 0..TRIALS {
        let parent = fake::in_memory();
        let dir = parent.path().join("c");
        let mut invented = Invented::new();
        assert_eq!(play(&dir, &mut grid(), &mut invented, stop_after).ended, Ended::Interrupted);
        assert_eq!((invented.ran.len(), rows(&dir).len()), (stop_after, stop_after));
        let rest = play(&dir, &mut grid(), &mut invented, usize::MAX);
        assert_eq!((rest.ended, rest.replayed), (Ended::Complete, stop_after));
        assert_eq!(invented.ran, expected);
    }
}

#[test]
fn an_interrupted_trial_is_a_row_and_is_run_again() {
    let expected = undisturbed(&mut grid());
    for at in [0, 1, IN_A_ROUND - 1, IN_A_ROUND, TRIALS - 1] {
        let parent = fake::in_memory();
        let dir = parent.path().join("c");
        let mut invented = Invented::new();
        invented.interrupted = Some(at);
        assert_eq!(play(&dir, &mut grid(), &mut invented, usize::MAX).ended, Ended::Interrupted);
        assert_eq!((invented.ran.len(), rows(&dir).len()), (at, at + 1));
        assert_eq!(rows(&dir)[at].status, Status::Interrupted);
        invented.interrupted = None;
        let rest = play(&dir, &mut grid(), &mut invented, usize::MAX);
        assert_eq!((rest.ended, rest.replayed), (Ended::Complete, at));
        assert_eq!(invented.ran, expected);
        assert_eq!(rows(&dir).iter().filter(|row| row.status == Status::Ok).count(), TRIALS);
    }
}

#[test]
fn a_strategy_that_drops_an_arm_is_followed_and_resumed_alike() {
    let expected = undisturbed(&mut Narrowing);
    let half = ROUNDS as usize / 2;
    assert_eq!(expected.len(), half * IN_A_ROUND + half * (IN_A_ROUND - 2));
    let dropped = |ran: &[String]| ran.iter().filter(|trial| trial.contains("arena_max=1")).count();
    assert_eq!((dropped(&expected), dropped(&expected[half * IN_A_ROUND..])), (half * 2, 0));
    // Before, at and after the change.
    for stop_after in [5, half * IN_A_ROUND, half * IN_A_ROUND + 3] {
        let parent = fake::in_memory();
        let dir = parent.path().join("c");
        let mut invented = Invented::new();
        assert_eq!(play(&dir, &mut Narrowing, &mut invented, stop_after).ended, Ended::Interrupted);
        let rest = play(&dir, &mut Narrowing, &mut invented, usize::MAX);
        assert_eq!((rest.ended, rest.replayed), (Ended::Complete, stop_after));
        assert_eq!(rest.eliminated, ["glibc:arena_max=1"]);
        assert_eq!(invented.ran, expected);
    }
}
