//! `mleak`: threads that allocate an object, leave it to others and end, after Leijen's test.

use super::Workload;
use crate::catalogue::{Description, Param};
use crate::engine::actor::Actor;
use crate::engine::crew::even_share;
use crate::engine::exchange::Exchange;
use crate::heap::Heap;
use crate::spec::Spec;

/// The pattern.
pub struct Mleak {
    threads: u32,
    size: usize,
    lifetime: u64,
    left_behind: Exchange,
}

impl Workload for Mleak {
    /// The seat's number.
    type Seat = u32;

    const DESCRIPTION: Description = Description {
        name: "mleak",
        summary: "threads allocate one object, leave it to others, and end",
        description: "A thread allocates an object of 128 B, swaps it into a random one of 1000 slots that all \
            threads share, frees what was there before, and ends. After mleak \
            (Leijen, mimalloc-bench): as there the main thread starts all threads, waits for the end of all of them, and \
            starts the next. Allocators that keep something for \
            every thread that ever lived grow. It stresses arenas left by dead threads and frees into them. \
            Most of its time is the system's, for starting threads. Look at RSS over time and at the number of \
            arenas.",
        unit: "objects",
        params: &[
            Param::ops(40_000),
            Param::WARMUP,
            Param::TOUCH,
            Param::bytes("size", 128, 1, 1 << 30, "bytes of each object"),
            Param::count("slots", 1_000, 1, 10_000_000, "objects that are left behind at any time"),
            Param::count("lifetime", 1, 1, 1 << 40, "objects that a thread allocates before it ends"),
        ],
        replaces_threads: true,
        hidden: false,
    };

    fn new(spec: &Spec, threads: u32) -> Self {
        Self {
            threads,
            size: spec.get("size") as usize,
            lifetime: spec.get("lifetime"),
            left_behind: Exchange::new(spec.get("slots") as usize),
        }
    }

    fn seat(&self, index: u32) -> u32 {
        index
    }

    fn share(&self, ops: u64, index: u32) -> u64 {
        even_share(ops, self.threads, index)
    }

    fn lifetime(&self, _index: u32) -> u64 {
        self.lifetime
    }

    fn in_generations(&self) -> bool {
        true
    }

    fn setup<H: Heap>(&self, _index: &mut u32, _actor: &mut Actor<H>) {}

    fn work<H: Heap>(&self, _index: &mut u32, actor: &mut Actor<H>, ops: u64, _steady: bool) {
        for _ in 0..ops {
            let object = actor.calloc(self.size);
            let slot = actor.rng.below(self.left_behind.len());
            if let Some(old) = self.left_behind.swap(slot, Some(object)) {
                actor.free(old);
            }
            actor.operation();
        }
    }

    fn drain<H: Heap>(&self, index: &mut u32, actor: &mut Actor<H>) {
        for slot in (*index as usize..self.left_behind.len()).step_by(self.threads as usize) {
            if let Some(object) = self.left_behind.swap(slot, None) {
                actor.free(object);
            }
        }
    }
}
