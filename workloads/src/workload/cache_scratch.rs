//! `cache-scratch`: passive false sharing, after Hoard's benchmark.

use super::Workload;
use crate::catalogue::{Description, Param};
use crate::engine::actor::Actor;
use crate::engine::crew::even_share;
use crate::engine::exchange::Exchange;
use crate::heap::Heap;
use crate::spec::Spec;

/// The pattern.
pub struct CacheScratch {
    threads: u32,
    size: usize,
    repetitions: usize,
    reads: bool,
    /// One object for each seat, all from one thread.
    gifts: Exchange,
}

impl Workload for CacheScratch {
    /// The seat's number.
    type Seat = u32;

    const DESCRIPTION: Description = Description {
        name: "cache-scratch",
        summary: "passive false sharing: tiny neighbours handed to threads that free and allocate again",
        description: "One thread allocates a tiny object for each of the others, side by side. Each thread frees \
            the one it was given, and then allocates, writes the object many times over, and frees it. An \
            allocator that gives the freed memory back to the thread that freed it lets threads go on sharing a \
            cache line. After cache-scratch (Berger and others, Hoard, ASPLOS 2000); unlike the original the \
            number of writes does not shrink with the number of threads, and the objects are there: compilers take calls \
            and writes out of the original, whose throughput is therefore the same under every allocator. Writes alone \
            gather in the CPU's store buffer and hardly show that a line is shared; with `reads=1` each write is \
            read back, and with thread caches that take remote frees it is several times slower on real \
            cores. On one core it shows nothing. It measures placement, not the speed \
            of the allocator. Look at throughput alone.",
        unit: "objects",
        params: &[
            Param::ops(320_000),
            Param::WARMUP,
            Param::TOUCH,
            Param::bytes("size", 1, 1, 1 << 20, "bytes of each object"),
            Param::count("repetitions", 20_000, 0, 1_000_000_000, "times that each object is written"),
            Param::count("reads", 0, 0, 1, "1: what is written is read back each time"),
        ],
        replaces_threads: false,
        hidden: false,
    };

    fn new(spec: &Spec, threads: u32) -> Self {
        Self {
            threads,
            size: spec.get("size") as usize,
            repetitions: spec.get("repetitions") as usize,
            reads: spec.get("reads") == 1,
            gifts: Exchange::new(threads as usize),
        }
    }

    fn seat(&self, index: u32) -> u32 {
        index
    }

    fn share(&self, ops: u64, index: u32) -> u64 {
        even_share(ops, self.threads, index)
    }

    fn prepare<H: Heap>(&self, actor: &mut Actor<H>) {
        for slot in 0..self.gifts.len() {
            self.gifts.swap(slot, Some(actor.malloc(self.size)));
        }
    }

    fn setup<H: Heap>(&self, _index: &mut u32, _actor: &mut Actor<H>) {}

    fn work<H: Heap>(&self, index: &mut u32, actor: &mut Actor<H>, ops: u64, _steady: bool) {
        if let Some(gift) = self.gifts.swap(*index as usize, None) {
            actor.free(gift);
        }
        for _ in 0..ops {
            let mut object = actor.malloc(self.size);
            if self.reads {
                actor.use_bytes::<true>(&mut object, self.repetitions);
            } else {
                actor.use_bytes::<false>(&mut object, self.repetitions);
            }
            actor.free(object);
            actor.operation();
        }
    }

    fn drain<H: Heap>(&self, _index: &mut u32, _actor: &mut Actor<H>) {}
}
