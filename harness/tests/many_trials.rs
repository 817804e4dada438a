//! A campaign of ten thousand trials stays small in the harness's memory. A test by itself, so that no other
//! shares its process.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use arenalab::campaign::prepare::{self, Ingredients};
use arenalab::campaign::run::{self, Ended};
use arenalab::campaign::store;
use arenalab::decide::strategy::FullGrid;
use arenalab::format::manifest::Manifest;
use arenalab::format::trial::{Effect, Rss, Status, Throughput};
use arenalab::plan::Plan;
use arenalab::trial::executor::{Executor, Trial, TrialSpec};
use arenalab::trial::host;
use arenalab::trial::record;

const ROUNDS: u32 = 910;
const ARMS: usize = 11;
const LIMIT: u64 = 64 << 20;

/// Answers at once, with a record as long as a real one.
struct Instant;

impl Executor for Instant {
    fn run(&mut self, spec: &TrialSpec) -> Result<Trial, String> {
        let mut record = record::not_run("host", spec, Status::Ok, "");
        record.reason = None;
        record.throughput = Some(Throughput { value: 1e6, unit: "operations/s".to_owned() });
        record.effect = Effect { verified: true, how: "x".repeat(400) };
        record.rss = Some(Rss {
            peak: 1 << 27,
            mean: 1 << 26,
            end: 1 << 26,
            drained: Some(1 << 25),
            lazy_free: Some(0),
            anon_huge: Some(0),
            pss: Some(1 << 26),
            swap: Some(0),
            samples: 100,
            reading_s: 0.001,
            source: "y".repeat(100),
        });
        Ok(Trial { record, series: None })
    }
}

fn manifest() -> Manifest {
    let limits: Vec<String> = (1..=9).map(|max| format!("\"glibc:arena_max={max}\"")).collect();
    let text = format!(
        "[[workload]]\nname = \"larson\"\n[sweep]\nthreads = [64]\ncandidates = [\"glibc\", {}]\n[measure]\nrounds = {ROUNDS}",
        limits.join(", ")
    );
    prepare::manifest(Ingredients {
        plan: Plan::from_toml(&text, "test").unwrap(),
        command: Vec::new(),
        created_at: String::new(),
        strategy: "full-grid".to_owned(),
        host: host::fingerprint(None).unwrap(),
        binaries: BTreeMap::new(),
        libc_version: None,
    })
}

fn high_water() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

#[test]
fn ten_thousand_trials_take_less_than_64_mib() {
    let parent = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
    let dir = parent.path().join("campaign");
    let manifest = manifest();
    assert_eq!(manifest.candidates.len() + 1, ARMS);
    let mut store = store::create(&dir, &manifest).unwrap();
    let programs = BTreeMap::from([("glibc".to_owned(), PathBuf::from("/bin/true"))]);
    let setup = prepare::setup(&manifest, &programs).unwrap();
    let mut count = 0usize;
    let ended = run::run(
        &setup,
        &mut FullGrid { rounds: ROUNDS },
        &mut Instant,
        &mut store,
        Vec::new(),
        &AtomicBool::new(false),
        &mut |event| count += usize::from(matches!(event, run::Event::TrialEnded { .. })),
    );
    assert_eq!(ended, Ok(Ended::Complete));
    assert_eq!(count, ROUNDS as usize * ARMS);
    let while_running = high_water();
    assert!(while_running < LIMIT, "running it took {} MiB", while_running >> 20);
    drop(store);
    let read = store::read(&dir).unwrap();
    assert_eq!(read.trials.len(), count);
    assert!(high_water() < LIMIT, "reading it back took {} MiB", high_water() >> 20);
}
