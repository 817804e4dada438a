//! `api-mix`: all of the allocation calls, large sizes included.

use super::Workload;
use crate::catalogue::{Description, Param};
use crate::engine::actor::Actor;
use crate::engine::crew::even_share;
use crate::heap::{Heap, Object};
use crate::random::Sizes;
use crate::spec::Spec;

/// Alignments asked for are 2^4 to 2^12.
const ALIGNMENTS: (usize, usize) = (4, 12);

/// The pattern.
pub struct ApiMix {
    threads: u32,
    slots: usize,
    sizes: Sizes,
}

impl Workload for ApiMix {
    type Seat = Vec<Object>;

    const DESCRIPTION: Description = Description {
        name: "api-mix",
        summary: "malloc, calloc, realloc, aligned_alloc and usable_size alike, from 16 B to 512 KiB",
        description: "Each thread holds an array of objects of 16 B to 512 KiB, every doubling equally likely. An \
            operation picks a random one and, with equal chances, replaces it by one from malloc, from calloc, or \
            from aligned_alloc with an alignment of 16 to 4096 B, resizes it with realloc to another size, up or \
            down, or asks for its malloc_usable_size. Our own, as in many suites. Above the mmap threshold glibc \
            moves pages instead of bytes and needs not zero them. It stresses mremap, zeroing, the waste of \
            alignment, and page faults. Look at throughput, system time, page faults, and RSS against live bytes.",
        unit: "operations",
        params: &[
            Param::ops(2_000_000),
            Param::WARMUP,
            Param::TOUCH,
            Param::bytes("size_min", 16, 1, 1 << 30, "smallest object"),
            Param::bytes("size_max", 512 << 10, 1, 1 << 30, "largest object"),
            Param::count("slots", 200, 1, 10_000_000, "objects held by each thread"),
        ],
        replaces_threads: false,
        hidden: false,
    };

    fn new(spec: &Spec, threads: u32) -> Self {
        let sizes = Sizes::log_uniform(spec.get("size_min"), spec.get("size_max"));
        Self { threads, slots: spec.get("slots") as usize, sizes }
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
            let size = self.sizes.draw(&mut actor.rng);
            match actor.rng.below(5) {
                0 => actor.replace(slot, |actor| actor.malloc(size)),
                1 => actor.replace(slot, |actor| actor.calloc(size)),
                2 => {
                    let align = 1 << actor.rng.between(ALIGNMENTS.0, ALIGNMENTS.1);
                    actor.replace(slot, |actor| actor.aligned_alloc(align, size));
                }
                3 => actor.resize(slot, size),
                _ => {
                    actor.usable_size(slot);
                }
            }
            actor.operation();
        }
    }

    fn drain<H: Heap>(&self, seat: &mut Vec<Object>, actor: &mut Actor<H>) {
        seat.drain(..).for_each(|object| actor.free(object));
    }
}
