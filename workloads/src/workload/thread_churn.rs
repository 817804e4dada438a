//! `thread-churn`: short-lived threads with a live set that mostly dies with them.

use super::{Workload, own_ops, phases, room};
use crate::catalogue::{Description, Param};
use crate::engine::actor::Actor;
use crate::engine::crew::even_share;
use crate::heap::Heap;
use crate::object::Object;
use crate::random::Sizes;
use crate::spec::Spec;

/// The pattern.
pub struct ThreadChurn {
    threads: u32,
    lifetime: u64,
    /// Operations of warm-up and steady phase.
    phases: [u64; 2],
    survivors: usize,
    sizes: Sizes,
}

impl Workload for ThreadChurn {
    /// What the last thread has left.
    type Seat = Vec<Object>;

    const DESCRIPTION: Description = Description {
        name: "thread-churn",
        summary: "short-lived threads; most objects die with them, some are left to the next",
        description: "A thread frees what its predecessor has left, allocates 500 objects from 16 B to 4 KiB, frees \
            nine of ten and ends; a successor begins at once. It is the pattern of servers with a thread for each \
            request; our own, as in many suites. A dying thread's cache is emptied and its arena goes to a free \
            list, from which the next thread takes one, with holes left by survivors. It stresses the start \
            and end of threads, arena reuse, and remote frees. Look at the number of arenas against threads, at \
            free bytes inside them, and at system time.",
        unit: "objects",
        params: &[
            Param::ops(16_000_000),
            Param::WARMUP,
            Param::TOUCH,
            Param::bytes("size_min", 16, 1, 1 << 30, "smallest object"),
            Param::bytes("size_max", 4 << 10, 1, 1 << 30, "largest object"),
            Param::count("lifetime", 500, 1, 10_000_000, "objects that a thread allocates before it ends"),
            Param::percent("survivors", 10, "objects that are left to the next thread"),
        ],
        replaces_threads: true,
        hidden: false,
    };

    fn new(spec: &Spec, threads: u32) -> Self {
        Self {
            threads,
            lifetime: spec.get("lifetime"),
            phases: phases(spec),
            survivors: spec.get("survivors") as usize,
            sizes: Sizes::log_uniform(spec.get("size_min"), spec.get("size_max")),
        }
    }

    fn seat(&self, index: u32) -> Vec<Object> {
        let own = own_ops(self.phases, self.threads, index);
        Vec::with_capacity(room(self.lifetime as usize, own))
    }

    fn share(&self, ops: u64, index: u32) -> u64 {
        even_share(ops, self.threads, index)
    }

    fn lifetime(&self, _index: u32) -> u64 {
        self.lifetime
    }

    fn setup<H: Heap>(&self, _seat: &mut Vec<Object>, _actor: &mut Actor<H>) {}

    fn work<H: Heap>(&self, seat: &mut Vec<Object>, actor: &mut Actor<H>, ops: u64, _steady: bool) {
        self.drain(seat, actor);
        for _ in 0..ops {
            let size = self.sizes.draw(&mut actor.rng);
            seat.push(actor.malloc(size));
            actor.operation();
        }
        let mut at = 0;
        while at < seat.len() {
            if actor.rng.chance(self.survivors) {
                at += 1;
            } else {
                actor.free(seat.swap_remove(at));
            }
        }
    }

    fn drain<H: Heap>(&self, seat: &mut Vec<Object>, actor: &mut Actor<H>) {
        seat.drain(..).for_each(|object| actor.free(object));
    }
}
