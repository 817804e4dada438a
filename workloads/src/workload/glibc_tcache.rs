//! `glibc-tcache`: bins of the thread cache filled to below, at and above their limit.

use super::Workload;
use crate::catalogue::{Description, Param};
use crate::engine::actor::Actor;
use crate::engine::crew::even_share;
use crate::heap::{Heap, Object};
use crate::spec::Spec;

/// Sizes are multiples of this: one bin of the thread cache each.
const STEP: usize = 16;

/// The pattern.
pub struct GlibcTcache {
    threads: u32,
    live: usize,
    size_max: usize,
}

/// What a seat holds.
pub struct Seat {
    /// Empty between two rounds.
    objects: Vec<Object>,
    size: usize,
}

impl Workload for GlibcTcache {
    type Seat = Seat;

    const DESCRIPTION: Description = Description {
        name: "glibc-tcache",
        summary: "so many objects of one size, then all freed; the size goes through all bins",
        description: "Each thread allocates 25 objects of one size and frees them in reverse order, then goes on to \
            the next size, 16 B larger, up to 1 KiB, and begins again. A bin of glibc's thread cache holds 7 \
            objects up to 2.41 and 16 from 2.42: with live=7 all of them come from the cache, with live=25 a \
            part goes through fast bins and the arena on every round. After the idea of bench-malloc-simple \
            (glibc's benchtests), which has few sizes; our own code. It measures the single-thread path and what \
            glibc.malloc.tcache_count changes. Look at throughput over live.",
        unit: "objects",
        params: &[
            Param::ops(40_000_000),
            Param::WARMUP,
            Param::TOUCH,
            Param::count("live", 25, 1, 10_000_000, "objects of one size that live at once"),
            Param::bytes("size_max", 1 << 10, 16, 1 << 30, "largest size"),
        ],
        replaces_threads: false,
        hidden: false,
    };

    fn new(spec: &Spec, threads: u32) -> Self {
        Self { threads, live: spec.get("live") as usize, size_max: spec.get("size_max") as usize }
    }

    fn seat(&self, _index: u32) -> Seat {
        Seat { objects: Vec::with_capacity(self.live), size: STEP }
    }

    fn share(&self, ops: u64, index: u32) -> u64 {
        even_share(ops, self.threads, index)
    }

    fn setup<H: Heap>(&self, _seat: &mut Seat, _actor: &mut Actor<H>) {}

    fn work<H: Heap>(&self, seat: &mut Seat, actor: &mut Actor<H>, ops: u64, _steady: bool) {
        let mut left = ops;
        while left > 0 {
            let round = left.min(self.live as u64);
            actor.malloc_each(round as usize, &mut seat.objects, |_| seat.size);
            actor.operations(round);
            actor.free_each(seat.objects.drain(..).rev());
            seat.size = if seat.size + STEP > self.size_max { STEP } else { seat.size + STEP };
            left -= round;
        }
    }

    fn drain<H: Heap>(&self, _seat: &mut Seat, _actor: &mut Actor<H>) {}
}
