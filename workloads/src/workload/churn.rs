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

/// What a seat holds.
pub struct Seat {
    objects: Vec<Object>,
    /// Goes through 0..100 in a fixed order: decides the call.
    turn: usize,
}

/// Has no divisor in common with 100, so that turns come in a scattered order, each once in 100.
const STRIDE: usize = 37;

impl Seat {
    /// Exact shares in a fixed order: a random choice would cost more in mispredicted branches than in
    /// drawing it.
    #[inline]
    fn next_turn(&mut self) -> usize {
        self.turn += STRIDE;
        if self.turn >= 100 {
            self.turn -= 100;
        }
        self.turn
    }
}

impl Churn {
    /// An operation with another call than malloc; apart, so that the common case is one branch.
    #[inline(never)]
    fn special<H: Heap>(&self, object: &mut Object, actor: &mut Actor<H>, size: usize, kind: usize) {
        if kind < self.calloc {
            actor.replace(object, |actor| actor.calloc(size));
        } else if kind < self.realloc {
            actor.resize(object, size);
        } else {
            actor.replace(object, |actor| actor.aligned_alloc(64, size));
        }
    }
}

impl Workload for Churn {
    type Seat = Seat;

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
            Param::ops(14_000_000),
            Param::WARMUP,
            Param::TOUCH,
            Param::bytes("size_min", 16, 1, 1 << 30, "smallest object"),
            Param::bytes("size_max", 64 << 10, 1, 1 << 30, "largest object"),
            Param::count("slots", 600, 1, 10_000_000, "objects held by each thread"),
            Param::share("calloc", 5, "operations that use calloc"),
            Param::share("realloc", 5, "operations that resize the object in place"),
            Param::share("aligned", 2, "operations that use aligned_alloc with 64 bytes"),
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

    fn seat(&self, _index: u32) -> Seat {
        Seat { objects: Vec::with_capacity(self.slots), turn: 0 }
    }

    fn share(&self, ops: u64, index: u32) -> u64 {
        even_share(ops, self.threads, index)
    }

    fn setup<H: Heap>(&self, seat: &mut Seat, actor: &mut Actor<H>) {
        for _ in 0..self.slots {
            let size = self.sizes.draw(&mut actor.rng);
            seat.objects.push(actor.malloc(size));
        }
    }

    fn work<H: Heap>(&self, seat: &mut Seat, actor: &mut Actor<H>, ops: u64, _steady: bool) {
        for _ in 0..ops {
            let (slot, kind) = (actor.rng.below(self.slots), seat.next_turn());
            let size = self.sizes.draw(&mut actor.rng);
            if kind >= self.aligned {
                actor.replace(&mut seat.objects[slot], |actor| actor.malloc(size));
            } else {
                self.special(&mut seat.objects[slot], actor, size, kind);
            }
            actor.operation();
        }
    }

    fn drain<H: Heap>(&self, seat: &mut Seat, actor: &mut Actor<H>) {
        seat.objects.drain(..).for_each(|object| actor.free(object));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_turn_comes_once_in_a_hundred() {
        let mut seat = Seat { objects: Vec::new(), turn: 0 };
        let mut turns: Vec<usize> = (0..100).map(|_| seat.next_turn()).collect();
        assert!(turns.windows(2).all(|pair| pair[0].abs_diff(pair[1]) > 1));
        turns.sort_unstable();
        assert!(turns.into_iter().eq(0..100));
    }
}
