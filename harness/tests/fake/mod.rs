//! Trials that were never run, for tests of what leads and keeps them.
#![allow(dead_code, reason = "each test file uses its part")]

use std::collections::BTreeMap;
use std::path::PathBuf;

use arenalab::campaign::prepare::{self, Ingredients};
use arenalab::format::manifest::Manifest;
use arenalab::format::trial::{
    Anatomy, Arenas, Cpu, Effect, Faults, Latency, Live, Noise, Quantiles, Rss, Served, Status, Switches,
    Throughput, TrialRecord,
};
use arenalab::plan::Plan;
use arenalab::trial::executor::TrialSpec;
use arenalab::trial::{host, record};

/// The manifest of a campaign by the full grid.
pub fn manifest(plan: &str) -> Manifest {
    prepare::manifest(Ingredients {
        plan: Plan::from_toml(plan, "test").unwrap(),
        command: Vec::new(),
        created_at: String::new(),
        strategy: "full-grid".to_owned(),
        host: host::fingerprint(None).unwrap(),
        binaries: BTreeMap::new(),
        libcs: vec![prepare::host_libc(None)],
        pretence: None,
    })
}

/// A directory whose files need not wait for a disk, where there is such a place.
pub fn in_memory() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

/// Programs that are never started.
pub fn programs() -> BTreeMap<String, PathBuf> {
    BTreeMap::from([("glibc".to_owned(), PathBuf::from("/bin/true"))])
}

/// A finished trial with everything that a real one has, and about as long.
pub fn finished(spec: &TrialSpec) -> TrialRecord {
    let quantiles =
        Quantiles { p50: 41.0, p90: 80.5, p99: 310.25, p999: 4120.0, max: 81_234.0, samples: 31_250 };
    TrialRecord {
        strays: 0,
        reason: None,
        libc_version: Some("2.39".to_owned()),
        wall_s: Some(1.234_567_8),
        throughput: Some(Throughput { value: 1_234_567.8, unit: "operations/s".to_owned() }),
        latency_ns: Some(Latency { malloc: Some(quantiles), free: Some(quantiles), operation: None }),
        cpu: Some(Cpu { user_s: 3.456_789, system_s: 0.123_456 }),
        faults: Some(Faults { minor: 123_456, major: 0 }),
        switches: Some(Switches { voluntary: 12_345, involuntary: 678 }),
        rss: Some(rss()),
        burst: None,
        live: Some(Live { peak: 1 << 26, mean: 1 << 25, end: 1 << 25, drained: Some(0), engine: 1 << 21 }),
        arenas: Some(Arenas { limit: Some(4), observed: Some(4) }),
        anatomy: Some(Anatomy {
            allocated: Some(1 << 25),
            free: Some(1 << 24),
            free_drained: Some(1 << 25),
            mmapped: Some(1 << 20),
            metadata: Some(1 << 16),
            arena_system: vec![12_345_678; 16],
            other: (0..20).map(|n| (format!("stats.some_name_of_its_own.{n}"), 1_234_567 + n)).collect(),
        }),
        allocator: Some(Served {
            name: "glibc".to_owned(),
            version: "2.39".to_owned(),
            how: "gnu_get_libc_version, and malloc lies in libc.so.6".repeat(2),
        }),
        program: None,
        memory_group: None,
        pretended_cpus: None,
        effect: Effect { verified: true, how: "what was checked, and what was seen; ".repeat(10) },
        noise: Noise {
            psi_cpu_some_pct: Some(12.34),
            steal_s: Some(0.01),
            foreign_cpu_s: Some(0.02),
            cpus: Some(2),
            seconds: None,
        },
        started_at: "2026-11-22T01:02:03.456789012Z".to_owned(),
        elapsed_s: 1.567_89,
        ..record::not_run("host", spec, Status::Ok, "")
    }
}

fn rss() -> Rss {
    Rss {
        peak: 123_456_789,
        mean: 101_234_567,
        end: 101_234_567,
        drained: Some(51_234_567),
        trimmed: None,
        trim: None,
        lazy_free: Some(0),
        anon_huge: Some(0),
        pss: Some(101_234_567),
        swap: Some(0),
        hugetlb: Some(0),
        bounds: None,
        samples: 123,
        slope: Some(-1_234.5),
        slope_end: None,
        reading_s: 0.001_234,
        source: "peak from VmHWM, mean from statm samples, end and drained from smaps_rollup".to_owned(),
    }
}
