//! `cache-thrash`: active false sharing, after Hoard's benchmark.

use super::Workload;
use crate::catalogue::{Description, Param};
use crate::engine::actor::Actor;
use crate::engine::crew::even_share;
use crate::heap::Heap;
use crate::spec::Spec;

/// The pattern.
pub struct CacheThrash {
    threads: u32,
    size: usize,
    repetitions: usize,
}

impl Workload for CacheThrash {
    type Seat = ();

    const DESCRIPTION: Description = Description {
        name: "cache-thrash",
        summary: "active false sharing: tiny objects of all threads, written many times over",
        description: "Each thread allocates a tiny object, writes it many times over, and frees it. An allocator \
            that cuts one cache line into objects for several threads makes them share it, actively. After \
            cache-thrash (Berger and others, Hoard, ASPLOS 2000); unlike the original the number of writes does \
            not shrink with the number of threads. It measures placement, hardly the speed of the allocator: \
            compare with cache-scratch, where the sharing comes from a free. Threads that share one arena of \
            glibc can share lines; threads with arenas of their own cannot. Look at throughput alone.",
        unit: "objects",
        params: &[
            Param::ops(320_000),
            Param::WARMUP,
            Param::TOUCH,
            Param::bytes("size", 1, 1, 1 << 20, "bytes of each object"),
            Param::count(
                "repetitions",
                20_000,
                0,
                1_000_000_000,
                "times that each object is written and read",
            ),
        ],
        replaces_threads: false,
        hidden: false,
    };

    fn new(spec: &Spec, threads: u32) -> Self {
        let (size, repetitions) = (spec.get("size") as usize, spec.get("repetitions") as usize);
        Self { threads, size, repetitions }
    }

    fn seat(&self, _index: u32) {}

    fn share(&self, ops: u64, index: u32) -> u64 {
        even_share(ops, self.threads, index)
    }

    fn setup<H: Heap>(&self, (): &mut (), _actor: &mut Actor<H>) {}

    fn work<H: Heap>(&self, (): &mut (), actor: &mut Actor<H>, ops: u64, _steady: bool) {
        for _ in 0..ops {
            let mut object = actor.malloc(self.size);
            actor.use_bytes::<true>(&mut object, self.repetitions);
            actor.free(object);
            actor.operation();
        }
    }

    fn drain<H: Heap>(&self, (): &mut (), _actor: &mut Actor<H>) {}
}
