//! `contention`: all threads swap objects in and out of the same slots.

use super::Workload;
use crate::catalogue::{Description, Param};
use crate::engine::actor::Actor;
use crate::engine::crew::even_share;
use crate::engine::exchange::Exchange;
use crate::heap::Heap;
use crate::random::Sizes;
use crate::spec::Spec;

/// The pattern.
pub struct Contention {
    threads: u32,
    sizes: Sizes,
    shared: Exchange,
}

impl Workload for Contention {
    /// The seat's number.
    type Seat = u32;

    const DESCRIPTION: Description = Description {
        name: "contention",
        summary: "all threads swap objects in and out of the same slots",
        description: "An operation allocates an object of 16 B to 2 KiB, swaps it into a random one of the slots \
            that all threads share, and frees what was there before: with T threads all but one in T frees are of \
            another thread's object, and a heap's memory wanders through all threads. Our own, as in many suites. \
            Which object a thread finds depends on timing, the sizes asked for do not. It stresses frees into \
            arenas that their owners are using, without any queue between. Look at throughput against the arena \
            limit, and at system time.",
        unit: "operations",
        params: &[
            Param::ops(12_000_000),
            Param::WARMUP,
            Param::TOUCH,
            Param::bytes("size_min", 16, 1, 1 << 30, "smallest object"),
            Param::bytes("size_max", 2 << 10, 1, 1 << 30, "largest object"),
            Param::count("slots", 20_000, 1, 10_000_000, "slots shared by all threads"),
        ],
        replaces_threads: false,
        hidden: false,
    };

    fn new(spec: &Spec, threads: u32) -> Self {
        let sizes = Sizes::log_uniform(spec.get("size_min"), spec.get("size_max"));
        Self { threads, sizes, shared: Exchange::new(spec.get("slots") as usize) }
    }

    fn seat(&self, index: u32) -> u32 {
        index
    }

    fn share(&self, ops: u64, index: u32) -> u64 {
        even_share(ops, self.threads, index)
    }

    fn setup<H: Heap>(&self, index: &mut u32, actor: &mut Actor<H>) {
        for slot in (*index as usize..self.shared.len()).step_by(self.threads as usize) {
            let size = self.sizes.draw(&mut actor.rng);
            self.shared.swap(slot, Some(actor.malloc(size)));
        }
    }

    fn work<H: Heap>(&self, _index: &mut u32, actor: &mut Actor<H>, ops: u64, _steady: bool) {
        for _ in 0..ops {
            let size = self.sizes.draw(&mut actor.rng);
            let object = actor.malloc(size);
            let slot = actor.rng.below(self.shared.len());
            if let Some(old) = self.shared.swap(slot, Some(object)) {
                actor.free(old);
            }
            actor.operation();
        }
    }

    fn drain<H: Heap>(&self, index: &mut u32, actor: &mut Actor<H>) {
        for slot in (*index as usize..self.shared.len()).step_by(self.threads as usize) {
            if let Some(object) = self.shared.swap(slot, None) {
                actor.free(object);
            }
        }
    }
}
