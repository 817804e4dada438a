//! `glibc-thread`: a private set of random sizes for each thread, after glibc's bench-malloc-thread.

use super::Workload;
use crate::catalogue::{Description, Param};
use crate::engine::actor::Actor;
use crate::engine::crew::even_share;
use crate::heap::{Heap, Object};
use crate::spec::Spec;

/// The pattern.
pub struct GlibcThread {
    threads: u32,
    slots: usize,
    size_min: usize,
    size_max: usize,
}

impl Workload for GlibcThread {
    type Seat = Vec<Option<Object>>;

    const DESCRIPTION: Description = Description {
        name: "glibc-thread",
        summary: "private set of 1024 slots, sizes whose density falls with their square",
        description: "Each thread has a set of slots that begins empty; an operation frees what is in a random \
            slot and puts a new object there. The density of sizes falls with their square from 4 B to 32 KiB: \
            half of all objects are below 8 B, and a thread holds some 40 KiB. Nothing crosses threads. After \
            bench-malloc-thread (glibc's benchtests, 2013); unlike the original slots and sizes are drawn anew \
            instead of from tables of 4096 and 8000, and the work is fixed instead of the time. It stresses the \
            thread cache and, where arenas are shared, their locks. Look at throughput against the arena limit.",
        unit: "operations",
        params: &[
            Param::ops(44_000_000),
            Param::WARMUP,
            Param::TOUCH_ALL,
            Param::bytes("size_min", 4, 1, 1 << 30, "smallest object"),
            Param::bytes("size_max", 32 << 10, 1, 1 << 30, "largest object"),
            Param::count("slots", 1024, 1, 10_000_000, "objects held by each thread"),
        ],
        replaces_threads: false,
        hidden: false,
    };

    fn new(spec: &Spec, threads: u32) -> Self {
        Self {
            threads,
            slots: spec.get("slots") as usize,
            size_min: spec.get("size_min") as usize,
            size_max: spec.get("size_max") as usize,
        }
    }

    fn seat(&self, _index: u32) -> Vec<Option<Object>> {
        (0..self.slots).map(|_| None).collect()
    }

    fn share(&self, ops: u64, index: u32) -> u64 {
        even_share(ops, self.threads, index)
    }

    fn setup<H: Heap>(&self, _seat: &mut Vec<Option<Object>>, _actor: &mut Actor<H>) {}

    fn work<H: Heap>(&self, seat: &mut Vec<Option<Object>>, actor: &mut Actor<H>, ops: u64, _steady: bool) {
        for _ in 0..ops {
            let slot = actor.rng.below(self.slots);
            if let Some(object) = seat[slot].take() {
                actor.free(object);
            }
            let size = actor.rng.inverse_square(self.size_min, self.size_max);
            seat[slot] = Some(actor.malloc(size));
            actor.operation();
        }
    }

    fn drain<H: Heap>(&self, seat: &mut Vec<Option<Object>>, actor: &mut Actor<H>) {
        seat.drain(..).flatten().for_each(|object| actor.free(object));
    }
}
