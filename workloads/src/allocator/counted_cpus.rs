//! Which CPUs this glibc counts for its limit on arenas: those online, or those that a thread may run on. From 2.34 to
//! 2.38 builds of one version differ (BZ 30945), so it is tried.

use std::sync::Barrier;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use super::Allocator;

/// Threads that hold an arena at once, with the main thread more than one CPU allows and not more than two do.
const THREADS: usize = 11;
/// Arenas on one CPU: `arena_test` + 1 (malloc/arena.c up to 2.43).
const ON_ONE_CPU: u32 = 9;
/// A size that no thread cache has at the start.
const SIZE: usize = 2000;

/// `online` or `affinity`; `None` where it cannot be told: with a single CPU online, or under another rule than that
/// of 8 arenas for each. Pins the calling thread to one CPU; to be asked in a process that ends after it.
pub fn counted_cpus(glibc: &dyn Allocator) -> Option<String> {
    let online = std::fs::read_to_string("/sys/devices/system/cpu/online").ok()?;
    if !online.contains(['-', ',']) {
        return None;
    }
    let allowed = sched_getaffinity(None).ok()?;
    let mut one = CpuSet::new();
    one.set((0..CpuSet::MAX_CPU).find(|cpu| allowed.is_set(*cpu))?);
    sched_setaffinity(None, &one).ok()?;
    match arenas_of_threads(glibc)? {
        arenas if arenas as usize > THREADS => Some("online".to_owned()),
        ON_ONE_CPU => Some("affinity".to_owned()),
        _ => None,
    }
}

/// Arenas while each of some threads holds memory.
fn arenas_of_threads(glibc: &dyn Allocator) -> Option<u32> {
    let (have, counted) = (Barrier::new(THREADS + 1), Barrier::new(THREADS + 1));
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                // SAFETY: any size may be asked for.
                let held = std::hint::black_box(unsafe { libc::malloc(SIZE) });
                have.wait();
                counted.wait();
                // SAFETY: from malloc, or NULL.
                unsafe { libc::free(held) };
            });
        }
        have.wait();
        let arenas = glibc.inspect().ok().and_then(|seen| seen.arenas);
        counted.wait();
        arenas
    })
}
