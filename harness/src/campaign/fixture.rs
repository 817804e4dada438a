//! A trial for the tests of this floor.

use crate::format::trial::{Effect, Noise, Served, Status, TrialRecord};

/// A finished trial under an allocator, of which nothing more is known.
pub fn trial(allocator: &str) -> TrialRecord {
    TrialRecord {
        strays: 0,
        workload: "larson".to_owned(),
        threads: 4,
        libc: "host".to_owned(),
        libc_version: None,
        candidate: "glibc".to_owned(),
        round: 0,
        attempt: 0,
        position: 0,
        twin: false,
        host: "test".to_owned(),
        status: Status::Ok,
        reason: None,
        wall_s: None,
        throughput: None,
        latency_ns: None,
        cpu: None,
        faults: None,
        switches: None,
        rss: None,
        burst: None,
        live: None,
        arenas: None,
        anatomy: None,
        program: None,
        memory_group: None,
        pretended_cpus: None,
        allocator: Some(Served { name: allocator.to_owned(), version: String::new(), how: String::new() }),
        effect: Effect { verified: true, how: String::new() },
        noise: Noise::default(),
        started_at: String::new(),
        elapsed_s: 1.0,
    }
}
