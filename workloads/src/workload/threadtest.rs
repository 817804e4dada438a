//! `threadtest`: private batches of one size, after Hoard's benchmark.

use super::{Workload, own_ops, phases, room};
use crate::catalogue::{Description, Param};
use crate::engine::actor::Actor;
use crate::engine::crew::even_share;
use crate::heap::Heap;
use crate::object::Object;
use crate::spec::Spec;

/// The pattern.
pub struct ThreadTest {
    threads: u32,
    /// Operations of warm-up and steady phase.
    phases: [u64; 2],
    size: usize,
    objects: u64,
}

impl Workload for ThreadTest {
    /// Empty between two rounds.
    type Seat = Vec<Object>;

    const DESCRIPTION: Description = Description {
        name: "threadtest",
        summary: "private batches of one size: all allocated, then all freed",
        description: "The threads share out a number of objects: each allocates its part, all of one size, and \
            then frees all of it in the same order, again and again. After threadtest (Berger and others, Hoard, \
            ASPLOS 2000), with its 30 000 objects of 8 B. Nothing crosses threads and nothing is random: with \
            far more objects than a thread cache holds, it stresses refills of the cache and the lock of a \
            shared arena, and should scale with the number of threads. Look at throughput at each number of \
            threads against the arena limit.",
        unit: "objects",
        params: &[
            Param::ops(70_000_000),
            Param::WARMUP,
            Param::TOUCH,
            Param::bytes("size", 8, 0, 1 << 30, "bytes of each object"),
            Param::count("objects", 30_000, 1, 100_000_000, "objects of a round, over all threads"),
        ],
        replaces_threads: false,
        hidden: false,
    };

    fn new(spec: &Spec, threads: u32) -> Self {
        Self { threads, phases: phases(spec), size: spec.get("size") as usize, objects: spec.get("objects") }
    }

    fn seat(&self, index: u32) -> Vec<Object> {
        let own = own_ops(self.phases, self.threads, index);
        Vec::with_capacity(room(even_share(self.objects, self.threads, index).max(1) as usize, own))
    }

    fn share(&self, ops: u64, index: u32) -> u64 {
        even_share(ops, self.threads, index)
    }

    fn setup<H: Heap>(&self, _seat: &mut Vec<Object>, _actor: &mut Actor<H>) {}

    fn work<H: Heap>(&self, seat: &mut Vec<Object>, actor: &mut Actor<H>, ops: u64, _steady: bool) {
        let mut left = ops;
        while left > 0 {
            let round = left.min(seat.capacity() as u64);
            actor.malloc_each(round as usize, seat, |_| self.size);
            actor.operations(round);
            actor.free_each(seat.drain(..));
            left -= round;
        }
    }

    fn drain<H: Heap>(&self, _seat: &mut Vec<Object>, _actor: &mut Actor<H>) {}
}
