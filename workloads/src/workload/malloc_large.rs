//! `malloc-large`: blocks of 5 to 25 MiB, after Kutenin's benchmark.

use super::Workload;
use crate::catalogue::{Description, Param};
use crate::engine::actor::Actor;
use crate::engine::crew::even_share;
use crate::heap::Heap;
use crate::object::Object;
use crate::spec::Spec;

/// The pattern.
pub struct MallocLarge {
    threads: u32,
    live: u64,
    size_min: usize,
    size_max: usize,
}

/// What a seat holds.
pub struct Seat {
    blocks: Vec<Option<Object>>,
}

impl Workload for MallocLarge {
    type Seat = Seat;

    const DESCRIPTION: Description = Description {
        name: "malloc-large",
        summary: "blocks of 5 to 25 MiB, twenty alive",
        description: "An operation allocates a block of 5 to 25 MiB, writes to it, and lets it take the place of a \
            random earlier one, which is freed afterwards. Twenty places are shared out among the threads; a \
            thread without a place frees its block at once. After malloc-large (Kutenin, mimalloc-bench), which \
            has one thread; unlike the original only a byte of each page is written. In glibc every block is \
            at first above the mmap threshold, which rises when such a block is freed, up to 32 MiB, so that \
            later blocks come from the heap and the main question is whether memory goes back to the system: \
            look at system time, page faults and peak RSS. The first seat is the main thread's, as in the \
            original: with one thread arenas do not matter. Further threads have arenas with heaps of at most \
            64 MiB, which are mapped and unmapped again and again: there one arena is several times faster.",
        unit: "blocks",
        params: &[
            Param::ops(4_000),
            Param::WARMUP,
            Param::TOUCH,
            Param::bytes("size_min", 5 << 20, 1, 1 << 40, "smallest block"),
            Param::bytes("size_max", 25 << 20, 1, 1 << 40, "largest block"),
            Param::count("live", 20, 0, 1_000_000, "blocks held, over all threads"),
        ],
        replaces_threads: false,
        hidden: false,
    };

    fn new(spec: &Spec, threads: u32) -> Self {
        Self {
            threads,
            live: spec.get("live"),
            size_min: spec.get("size_min") as usize,
            size_max: spec.get("size_max") as usize,
        }
    }

    fn seat(&self, index: u32) -> Seat {
        let places = even_share(self.live, self.threads, index);
        Seat { blocks: (0..places).map(|_| None).collect() }
    }

    fn share(&self, ops: u64, index: u32) -> u64 {
        even_share(ops, self.threads, index)
    }

    fn first_on_main(&self) -> bool {
        true
    }

    fn setup<H: Heap>(&self, _seat: &mut Seat, _actor: &mut Actor<H>) {}

    fn work<H: Heap>(&self, seat: &mut Seat, actor: &mut Actor<H>, ops: u64, _steady: bool) {
        for _ in 0..ops {
            let place = actor.rng.below(seat.blocks.len());
            let size = actor.rng.between(self.size_min, self.size_max);
            let block = Some(actor.malloc(size));
            let old = match seat.blocks.get_mut(place) {
                Some(place) => std::mem::replace(place, block),
                None => block,
            };
            if let Some(old) = old {
                actor.free(old);
            }
            actor.operation();
        }
    }

    fn drain<H: Heap>(&self, seat: &mut Seat, actor: &mut Actor<H>) {
        seat.blocks.drain(..).flatten().for_each(|block| actor.free(block));
    }
}
