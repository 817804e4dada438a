//! `churn`: every thread for itself, sizes over four decades.

use super::Workload;
use crate::catalogue::{Description, Param};
use crate::engine::actor::Actor;
use crate::engine::crew::even_share;
use crate::heap::{Heap, Object};
use crate::random::Sizes;
use crate::spec::Spec;

/// The pattern.
pub struct Churn {
    threads: u32,
    slots: usize,
    sizes: Sizes,
    /// Shares of the calls other than malloc, added up, in percent.
    calloc: usize,
    realloc: usize,
    aligned: usize,
}

impl Churn {
    fn fresh<H: Heap>(&self, actor: &mut Actor<H>, size: usize, kind: usize) -> Object {
        match kind {
            kind if kind < self.calloc => actor.calloc(size),
            kind if (self.realloc..self.aligned).contains(&kind) => actor.aligned_alloc(64, size),
            _ => actor.malloc(size),
        }
    }
}

impl Workload for Churn {
    type Seat = Vec<Object>;

    const DESCRIPTION: Description = Description {
        name: "churn",
        summary: "thread-local random sizes, log-uniform from 16 B to 64 KiB",
        description: "Each thread holds an array of objects of its own; an operation replaces the object in a \
            random slot by one of a new size, mostly with free and malloc, sometimes with calloc, aligned_alloc, \
            or realloc of the object in place. Every doubling of the size is equally likely, so that small bins, \
            large bins and the top of the heap are all in use, and most bytes are in objects above the reach of \
            thread caches. Nothing crosses threads: where arenas are shared it shows the price of their locks, and \
            where each thread has its own the price in memory. Look at throughput against the arena limit, and at \
            free bytes inside arenas.",
        unit: "operations",
        params: &[
            Param::ops(8_000_000),
            Param::WARMUP,
            Param::TOUCH,
            Param::bytes("size_min", 16, 1, 1 << 30, "smallest object"),
            Param::bytes("size_max", 64 << 10, 1, 1 << 30, "largest object"),
            Param::count("slots", 600, 1, 10_000_000, "objects held by each thread"),
            Param::percent("calloc", 5, "operations that use calloc"),
            Param::percent("realloc", 5, "operations that resize the object in place"),
            Param::percent("aligned", 2, "operations that use aligned_alloc with 64 bytes"),
        ],
        replaces_threads: false,
        hidden: false,
    };

    fn new(spec: &Spec, threads: u32) -> Self {
        let calloc = spec.get("calloc") as usize;
        let realloc = calloc + spec.get("realloc") as usize;
        let aligned = realloc + spec.get("aligned") as usize;
        let sizes = Sizes::log_uniform(spec.get("size_min"), spec.get("size_max"));
        Self { threads, slots: spec.get("slots") as usize, sizes, calloc, realloc, aligned }
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
            let slot = actor.rng.below(self.slots);
            let size = self.sizes.draw(&mut actor.rng);
            let kind = actor.rng.below(100);
            if (self.calloc..self.realloc).contains(&kind) {
                actor.resize(&mut seat[slot], size);
            } else {
                actor.replace(&mut seat[slot], |actor| self.fresh(actor, size, kind));
            }
            actor.operation();
        }
    }

    fn drain<H: Heap>(&self, seat: &mut Vec<Object>, actor: &mut Actor<H>) {
        seat.drain(..).for_each(|object| actor.free(object));
    }
}
