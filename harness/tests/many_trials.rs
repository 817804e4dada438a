//! A campaign of ten thousand trials stays small in the harness's memory. A test by itself, so that no other
//! shares its process.

mod fake;

use std::sync::atomic::AtomicBool;

use arenalab::campaign::prepare;
use arenalab::campaign::run::{self, Ended};
use arenalab::campaign::store::{self, Store};
use arenalab::decide::strategy::FullGrid;
use arenalab::format::manifest::Manifest;
use arenalab::format::trial::TrialRecord;
use arenalab::trial::executor::{Executor, Trial, TrialSpec};

const ROUNDS: u32 = 910;
const ARMS: usize = 11;
const TRIALS: usize = ROUNDS as usize * ARMS;
/// What it may take while it runs, is taken up again, or is read.
const LIMIT: u64 = 64 << 20;

/// Answers at once, with a record as long as a real one.
struct Instant;

impl Executor for Instant {
    fn run(&mut self, spec: &TrialSpec) -> Result<Trial, String> {
        Ok(Trial { record: fake::finished(spec), series: None })
    }
}

fn manifest() -> Manifest {
    let limits: Vec<String> = (1..=9).map(|max| format!("\"glibc:arena_max={max}\"")).collect();
    fake::manifest(&format!(
        "[[workload]]\nname = \"larson\"\n[sweep]\nthreads = [64]\ncandidates = [\"glibc\", {}]\n[measure]\nrounds = {ROUNDS}",
        limits.join(", ")
    ))
}

fn high_water() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

#[track_caller]
fn stays_below(limit: u64, doing: &str) {
    let most = high_water();
    println!("{doing} it took {} MiB", most >> 20);
    assert!(most < limit, "{doing} it took {} MiB", most >> 20);
}

/// Trials that were run, and that were found in the journal.
fn play(manifest: &Manifest, store: &mut Store, past: Vec<TrialRecord>) -> (usize, usize) {
    let setup = prepare::setup(manifest, &fake::programs()).unwrap();
    let (mut ran, mut found) = (0, 0);
    let ended = run::run(
        &setup,
        &mut FullGrid { rounds: ROUNDS },
        &mut Instant,
        store,
        past,
        &AtomicBool::new(false),
        &mut |event| {
            if let run::Event::TrialEnded { replayed, .. } = event {
                *(if *replayed { &mut found } else { &mut ran }) += 1;
            }
        },
    );
    assert_eq!(ended, Ok(Ended::Complete));
    (ran, found)
}

#[test]
fn ten_thousand_trials_stay_small() {
    let parent = fake::in_memory();
    let dir = parent.path().join("campaign");
    let manifest = manifest();
    assert_eq!(manifest.candidates.len() + 1, ARMS);
    let mut store = store::create(&dir, &manifest).unwrap();
    assert_eq!(play(&manifest, &mut store, Vec::new()), (TRIALS, 0));
    drop(store);
    stays_below(LIMIT, "running");

    let (mut store, campaign) = store::resume(&dir).unwrap();
    assert_eq!(play(&manifest, &mut store, campaign.trials), (0, TRIALS));
    stays_below(LIMIT, "taking up");
}
