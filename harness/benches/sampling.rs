//! Does sampling disturb what is sampled? Runs the same trial sampled and unsampled in interleaved pairs, and
//! prints the ratio of their throughputs with its 95 % interval.
//!
//!     cargo build --release --workspace && cargo bench -p arenalab --bench sampling -- PAIRS
//!
//! `cargo bench` builds this package only; the workload binaries come from the build before it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arenalab::format::trial::Status;
use arenalab::statistics::summary::Summary;
use arenalab::trial::companions::Companions;
use arenalab::trial::executor::{Asked, Executor, TrialSpec};
use arenalab::trial::real::RealExecutor;
use arenalab::trial::sampler;

/// Pairs to run where none are named.
const PAIRS: u32 = 40;

/// As many as this makes every CPU of a small host busy, so that the sampler takes its time from them.
const THREADS: u32 = 2;

const WORKLOAD: &str = "churn:ops=4M";

fn main() {
    let pairs = std::env::args().find_map(|arg| arg.parse().ok()).unwrap_or(PAIRS);
    let arenalab = PathBuf::from(env!("CARGO_BIN_EXE_arenalab"));
    let program = match Companions::new(Some(&arenalab), None).workload("glibc") {
        Ok(program) => program,
        Err(missing) => return eprintln!("{missing}"),
    };
    let environment = std::env::vars().filter(|(name, _)| name == "PATH").collect();
    let mut executor = RealExecutor::new(arenalab, "bench".to_owned(), Arc::default(), environment);
    let mut run = |sampled: bool, seed: u32| {
        let trial = executor.run(&spec(&program, sampled, seed)).expect("the launcher runs");
        assert_eq!(trial.record.status, Status::Ok, "{:?}", trial.record.reason);
        trial.record.throughput.map_or(f64::NAN, |throughput| throughput.value)
    };
    let logs: Vec<f64> = (0..pairs)
        .map(|pair| {
            if pair % 2 == 0 {
                let sampled = run(true, pair);
                (sampled / run(false, pair)).ln()
            } else {
                let unsampled = run(false, pair);
                (run(true, pair) / unsampled).ln()
            }
        })
        .collect();
    let summary = Summary::of(&logs).expect("there are pairs");
    let interval = summary.t_interval(0.025).expect("there are several pairs");
    println!(
        "throughput sampled / unsampled: {:.4} ({:.4} to {:.4}), {pairs} pairs of {WORKLOAD} with {THREADS} \
         threads, a sample each {:?}",
        interval.estimate.exp(),
        interval.low.exp(),
        interval.high.exp(),
        sampler::INTERVAL,
    );
}

fn spec(program: &Path, sampled: bool, seed: u32) -> TrialSpec {
    TrialSpec {
        workload: WORKLOAD.to_owned(),
        threads: THREADS,
        libc: "host".to_owned(),
        footing: None,
        candidate: "glibc".to_owned(),
        round: 0,
        attempt: 0,
        position: 0,
        twin: false,
        program: program.to_owned(),
        own: None,
        seed: u64::from(seed),
        args: ["run", WORKLOAD, "--threads", &THREADS.to_string()].map(str::to_owned).to_vec(),
        asked: Asked {
            allocator: "glibc".to_owned(),
            settings: Vec::new(),
            env: BTreeMap::new(),
            preload: None,
            foreign: |_| false,
        },
        unsupported: None,
        timeout: Duration::from_secs(60),
        trim: false,
        idle: Duration::ZERO,
        memory_limit: None,
        pretended: None,
        sampled,
        keep_series: false,
    }
}
