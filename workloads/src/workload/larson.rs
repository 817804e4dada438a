//! `larson`: the server simulation of Larson and Krishnan (ISMM 1998).

use super::Workload;
use crate::catalogue::{Description, Param};
use crate::engine::actor::Actor;
use crate::engine::crew::even_share;
use crate::heap::{Heap, Object};
use crate::spec::Spec;

/// The pattern.
pub struct Larson {
    threads: u32,
    slots: usize,
    size_min: usize,
    size_max: usize,
    lifetime: u64,
}

impl Workload for Larson {
    type Seat = Vec<Object>;

    const DESCRIPTION: Description = Description {
        name: "larson",
        summary: "server simulation: random slots replaced, objects handed from thread to thread",
        description: "Each thread holds an array of objects; an operation frees the object in a random slot and \
            puts a new one of random size there. After a while the thread starts a successor, passes its array \
            on and ends, as the threads of a server come and go, so that most objects are freed by another \
            thread than the one that allocated them. After Larson and Krishnan, Memory Allocation for \
            Long-Running Server Applications (ISMM 1998); unlike the original it does a fixed number of \
            operations and touches every page. It stresses the reuse of arenas left by dead threads and the \
            locks met by remote frees. Look at arenas created against threads alive, and at RSS above live bytes.",
        unit: "operations",
        params: &[
            Param::ops(20_000_000),
            Param::WARMUP,
            Param::TOUCH,
            Param::bytes("size_min", 8, 1, 1 << 30, "smallest object"),
            Param::bytes("size_max", 1000, 1, 1 << 30, "largest object"),
            Param::count("slots", 5_000, 1, 10_000_000, "objects held by each thread"),
            Param::count(
                "lifetime",
                50_000,
                1,
                1 << 40,
                "operations that a thread does before it is replaced",
            ),
        ],
        replaces_threads: true,
        hidden: false,
    };

    fn new(spec: &Spec, threads: u32) -> Self {
        Self {
            threads,
            slots: spec.get("slots") as usize,
            size_min: spec.get("size_min") as usize,
            size_max: spec.get("size_max") as usize,
            lifetime: spec.get("lifetime"),
        }
    }

    fn seat(&self, _index: u32) -> Vec<Object> {
        Vec::with_capacity(self.slots)
    }

    fn share(&self, ops: u64, index: u32) -> u64 {
        even_share(ops, self.threads, index)
    }

    fn lifetime(&self, _index: u32) -> u64 {
        self.lifetime
    }

    fn setup<H: Heap>(&self, seat: &mut Vec<Object>, actor: &mut Actor<H>) {
        for _ in 0..self.slots {
            let size = actor.rng.between(self.size_min, self.size_max);
            seat.push(actor.malloc(size));
        }
    }

    fn work<H: Heap>(&self, seat: &mut Vec<Object>, actor: &mut Actor<H>, ops: u64, _steady: bool) {
        for _ in 0..ops {
            let slot = actor.rng.below(self.slots);
            let size = actor.rng.between(self.size_min, self.size_max);
            actor.replace(&mut seat[slot], |actor| actor.malloc(size));
            actor.operation();
        }
    }

    fn drain<H: Heap>(&self, seat: &mut Vec<Object>, actor: &mut Actor<H>) {
        seat.drain(..).for_each(|object| actor.free(object));
    }
}
