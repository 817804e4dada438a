//! `worst-fit`: sizes chosen so that freed holes never fit what comes next.

use super::{Workload, phases, room};
use crate::catalogue::{Description, Param};
use crate::engine::actor::Actor;
use crate::engine::crew::even_share;
use crate::heap::Heap;
use crate::object::Object;
use crate::spec::Spec;

/// The pattern.
pub struct WorstFit {
    threads: u32,
    phases: [u64; 2],
    budget: usize,
    size_min: usize,
    size_max: usize,
}

/// What a seat holds.
pub struct Seat {
    objects: Vec<Object>,
    held: usize,
    size: usize,
}

impl WorstFit {
    /// The budget is used up: every other object goes, and the next ones do not fit into the holes.
    fn step<H: Heap>(&self, seat: &mut Seat, actor: &mut Actor<H>) {
        let grown = seat.size.saturating_mul(2).saturating_add(16);
        if grown > self.size_max {
            self.drain(seat, actor);
            return;
        }
        seat.size = grown;
        let mut every_other = false;
        let objects = std::mem::take(&mut seat.objects);
        // In place: the list keeps its buffer.
        seat.objects = objects
            .into_iter()
            .filter_map(|object| {
                every_other = !every_other;
                if every_other {
                    seat.held -= object.size();
                    actor.free(object);
                    return None;
                }
                Some(object)
            })
            .collect();
    }
}

impl Workload for WorstFit {
    type Seat = Seat;

    const DESCRIPTION: Description = Description {
        name: "worst-fit",
        summary: "adversarial sizes: every other object freed, the next ones just too large for the holes",
        description: "Each thread fills a budget of live bytes with objects of one size, frees every other one, and \
            fills up again with objects a little larger than two of them, so that no hole between two survivors \
            fits; and so on up to a largest size, then all is freed and it begins again. After the lower \
            bounds for first fit and best fit by Robson (1971, 1977), in a simple form without looking at \
            addresses. The live bytes never exceed the budget; how far RSS exceeds it is the blow-up. It stresses \
            coalescing, and size classes do better here than one heap. Look at peak RSS against live bytes, and at \
            free bytes inside arenas.",
        unit: "objects",
        params: &[
            Param::ops(20_000_000),
            Param::WARMUP,
            Param::TOUCH,
            Param::bytes(
                "budget",
                8 << 20,
                1,
                1 << 40,
                "live bytes of each thread that are not exceeded by more than an object",
            ),
            Param::bytes("size_min", 24, 1, 1 << 30, "first size"),
            Param::bytes("size_max", 64 << 10, 1, 1 << 30, "largest size"),
        ],
        replaces_threads: false,
        hidden: false,
    };

    fn new(spec: &Spec, threads: u32) -> Self {
        Self {
            threads,
            phases: phases(spec),
            budget: spec.get("budget") as usize,
            size_min: spec.get("size_min") as usize,
            size_max: spec.get("size_max") as usize,
        }
    }

    fn seat(&self, index: u32) -> Seat {
        let ops = self.phases.map(|ops| self.share(ops, index)).iter().sum();
        let most = room(self.budget / self.size_min + 2, ops);
        Seat { objects: Vec::with_capacity(most), held: 0, size: self.size_min }
    }

    fn share(&self, ops: u64, index: u32) -> u64 {
        even_share(ops, self.threads, index)
    }

    fn setup<H: Heap>(&self, _seat: &mut Seat, _actor: &mut Actor<H>) {}

    fn work<H: Heap>(&self, seat: &mut Seat, actor: &mut Actor<H>, ops: u64, _steady: bool) {
        for _ in 0..ops {
            seat.objects.push(actor.malloc(seat.size));
            seat.held += seat.size;
            actor.operation();
            if seat.held >= self.budget {
                self.step(seat, actor);
            }
        }
    }

    fn drain<H: Heap>(&self, seat: &mut Seat, actor: &mut Actor<H>) {
        seat.objects.drain(..).for_each(|object| actor.free(object));
        (seat.held, seat.size) = (0, self.size_min);
    }
}
