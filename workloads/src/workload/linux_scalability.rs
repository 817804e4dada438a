//! `linux-scalability`: malloc and free at once, after Lever and Boreham (USENIX 2000).

use super::Workload;
use crate::catalogue::{Description, Param};
use crate::engine::actor::Actor;
use crate::engine::crew::even_share;
use crate::heap::Heap;
use crate::spec::Spec;

/// The pattern.
pub struct LinuxScalability {
    threads: u32,
    size: usize,
}

impl Workload for LinuxScalability {
    type Seat = ();

    const DESCRIPTION: Description = Description {
        name: "linux-scalability",
        summary: "every object freed as soon as it is allocated, one size",
        description: "Each thread allocates an object of 512 B and frees it at once, again and again. After the \
            first benchmark of Lever and Boreham (Malloc Performance in a Multithreaded Linux Environment, \
            USENIX 2000). Its live set is one object a thread: with thread caches it measures the shortest path \
            of malloc and free and nothing else, and with size=2KiB, beyond the reach of the thread cache, the \
            lock of the arena. Look at \
            throughput at each number of threads.",
        unit: "objects",
        params: &[
            Param::ops(240_000_000),
            Param::WARMUP,
            Param::TOUCH,
            Param::bytes("size", 512, 0, 1 << 40, "bytes of each object"),
        ],
        replaces_threads: false,
        hidden: false,
    };

    fn new(spec: &Spec, threads: u32) -> Self {
        Self { threads, size: spec.get("size") as usize }
    }

    fn seat(&self, _index: u32) {}

    fn share(&self, ops: u64, index: u32) -> u64 {
        even_share(ops, self.threads, index)
    }

    fn setup<H: Heap>(&self, (): &mut (), _actor: &mut Actor<H>) {}

    fn work<H: Heap>(&self, (): &mut (), actor: &mut Actor<H>, ops: u64, _steady: bool) {
        actor.malloc_and_free(self.size, ops);
        actor.operations(ops);
    }

    fn drain<H: Heap>(&self, (): &mut (), _actor: &mut Actor<H>) {}
}
