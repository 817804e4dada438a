//! `phong`: small sizes first, growth by realloc, after the tests of vmalloc.

use super::Workload;
use crate::catalogue::{Description, Param};
use crate::engine::actor::Actor;
use crate::engine::crew::even_share;
use crate::heap::{Heap, Object};
use crate::random::InverseSquares;
use crate::spec::Spec;

/// The pattern.
pub struct Phong {
    threads: u32,
    slots: usize,
    sizes: InverseSquares,
    growth: usize,
    resized: usize,
}

impl Workload for Phong {
    type Seat = Vec<Object>;

    const DESCRIPTION: Description = Description {
        name: "phong",
        summary: "mostly small objects, a third of them grown by realloc",
        description: "Each thread holds an array of objects. An operation takes a random one and either grows it \
            by half with realloc, as long as it stays below a limit, or frees it and allocates a new one whose \
            density falls with the square of the size. After the tests of vmalloc by Phong Vo; our own code from \
            the pattern, not from the program, so that only the mix is comparable. It stresses \
            growth in place against copying, and the top of the heap. Look at throughput, at free bytes inside \
            arenas, and at RSS against live bytes.",
        unit: "operations",
        params: &[
            Param::ops(40_000_000),
            Param::WARMUP,
            Param::TOUCH,
            Param::bytes("size_min", 16, 1, 1 << 30, "smallest new object"),
            Param::bytes("size_max", 4 << 10, 1, 1 << 30, "largest new object"),
            Param::bytes("growth", 16 << 10, 1, 1 << 30, "objects do not grow beyond this"),
            Param::percent("resized", 33, "operations that grow an object"),
            Param::count("slots", 4_000, 1, 10_000_000, "objects held by each thread"),
        ],
        replaces_threads: false,
        hidden: false,
    };

    fn new(spec: &Spec, threads: u32) -> Self {
        Self {
            threads,
            slots: spec.get("slots") as usize,
            sizes: InverseSquares::new(spec.get("size_min"), spec.get("size_max")),
            growth: spec.get("growth") as usize,
            resized: spec.get("resized") as usize,
        }
    }

    fn seat(&self, _index: u32) -> Vec<Object> {
        Vec::with_capacity(self.slots)
    }

    fn share(&self, ops: u64, index: u32) -> u64 {
        even_share(ops, self.threads, index)
    }

    fn setup<H: Heap>(&self, seat: &mut Vec<Object>, actor: &mut Actor<H>) {
        for _ in 0..self.slots {
            let size = self.sizes.draw(&mut actor.rng);
            seat.push(actor.malloc(size));
        }
    }

    fn work<H: Heap>(&self, seat: &mut Vec<Object>, actor: &mut Actor<H>, ops: u64, _steady: bool) {
        for _ in 0..ops {
            let slot = &mut seat[actor.rng.below(self.slots)];
            let grown = slot.size() + slot.size() / 2 + 1;
            if actor.rng.chance(self.resized) && grown <= self.growth {
                actor.resize(slot, grown);
            } else {
                let size = self.sizes.draw(&mut actor.rng);
                actor.replace(slot, |actor| actor.malloc(size));
            }
            actor.operation();
        }
    }

    fn drain<H: Heap>(&self, seat: &mut Vec<Object>, actor: &mut Actor<H>) {
        seat.drain(..).for_each(|object| actor.free(object));
    }
}
