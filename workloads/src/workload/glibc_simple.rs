//! `glibc-simple`: so many objects of one size, then all freed, after glibc's bench-malloc-simple.

use super::Workload;
use crate::catalogue::{Description, Param};
use crate::engine::actor::Actor;
use crate::engine::crew::even_share;
use crate::heap::{Heap, Object};
use crate::spec::Spec;

/// Objects that live at once, in turn: from what the smallest bins of the thread cache nearly hold to far
/// beyond it.
const LIVE: [usize; 4] = [25, 100, 400, 1600];
/// Sizes, as multiples of the parameter.
const FACTORS: [usize; 3] = [1, 2, 4];

/// The pattern.
pub struct GlibcSimple {
    threads: u32,
    size: usize,
    stretch: u64,
}

/// What a seat holds.
pub struct Seat {
    /// Empty between two rounds.
    objects: Vec<Object>,
    /// Objects so far: decides the number and the size.
    done: u64,
}

impl GlibcSimple {
    /// How many objects live at once after `done`, and their size.
    fn stage(&self, done: u64) -> (usize, usize) {
        let stage = (done / self.stretch) as usize;
        let (live, factor) = (stage % LIVE.len(), stage / LIVE.len() % FACTORS.len());
        (LIVE[live], self.size * FACTORS[factor])
    }
}

impl Workload for GlibcSimple {
    type Seat = Seat;

    const DESCRIPTION: Description = Description {
        name: "glibc-simple",
        summary: "25 to 1600 objects of one size, then all freed in the same order",
        description: "Each thread allocates N objects of one size and frees them in the same order, again and \
            again; N goes through 25, 100, 400 and 1600 and the size through 16, 32 and 64 B. After \
            bench-malloc-simple (glibc's benchtests, 2019) as changed by mimalloc-bench, which writes to every \
            object; unlike the original all threads do it at once, and stages are shorter. It measures the \
            path through the thread cache and, beyond its limit, through fast bins. Run it with one thread for \
            the original's meaning. The number of arenas hardly matters where each thread finds one free. Look \
            at throughput.",
        unit: "objects",
        params: &[
            Param::ops(48_000_000),
            Param::WARMUP,
            Param::TOUCH_ALL,
            Param::bytes("size", 16, 1, 1 << 28, "smallest size; the others are twice and four times that"),
            Param::count("stretch", 200_000, 1, 1 << 40, "objects before number or size change"),
        ],
        replaces_threads: false,
        hidden: false,
    };

    fn new(spec: &Spec, threads: u32) -> Self {
        Self { threads, size: spec.get("size") as usize, stretch: spec.get("stretch") }
    }

    fn seat(&self, _index: u32) -> Seat {
        Seat { objects: Vec::with_capacity(LIVE[LIVE.len() - 1]), done: 0 }
    }

    fn share(&self, ops: u64, index: u32) -> u64 {
        even_share(ops, self.threads, index)
    }

    fn first_on_main(&self) -> bool {
        true
    }

    fn setup<H: Heap>(&self, _seat: &mut Seat, _actor: &mut Actor<H>) {}

    fn work<H: Heap>(&self, seat: &mut Seat, actor: &mut Actor<H>, ops: u64, _steady: bool) {
        let mut left = ops;
        while left > 0 {
            let (live, size) = self.stage(seat.done);
            let count = left.min(live as u64);
            actor.malloc_each(count as usize, &mut seat.objects, |_| size);
            actor.operations(count);
            actor.free_each(seat.objects.drain(..));
            seat.done += count;
            left -= count;
        }
    }

    fn drain<H: Heap>(&self, _seat: &mut Seat, _actor: &mut Actor<H>) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_numbers_and_sizes_have_their_turn() {
        let pattern = GlibcSimple::new(&"glibc-simple:stretch=10".parse().unwrap(), 1);
        let stages: std::collections::BTreeSet<_> = (0..12).map(|n| pattern.stage(n * 10)).collect();
        assert_eq!(stages.len(), 12);
        assert_eq!((pattern.stage(9), pattern.stage(120)), ((25, 16), (25, 16)));
    }
}
