//! `sawtooth`: a live set that grows and is let go, again and again.

use super::{Workload, own_ops, phases, room};
use crate::catalogue::{Description, Param};
use crate::engine::actor::Actor;
use crate::engine::crew::even_share;
use crate::heap::Heap;
use crate::object::Object;
use crate::random::Sizes;
use crate::spec::Spec;

/// The pattern.
pub struct Sawtooth {
    threads: u32,
    /// Operations of warm-up and steady phase.
    phases: [u64; 2],
    top: usize,
    kept: usize,
    sizes: Sizes,
}

/// What a seat holds.
pub struct Seat {
    rising: Vec<Object>,
    /// Survivors of the last tooth: they go at the end of the next.
    kept: Vec<Object>,
}

impl Sawtooth {
    /// Lets a tooth go, but for a few.
    fn fall<H: Heap>(&self, seat: &mut Seat, actor: &mut Actor<H>) {
        seat.kept.drain(..).for_each(|object| actor.free(object));
        for object in seat.rising.drain(..) {
            if actor.rng.below(1000) < self.kept {
                seat.kept.push(object);
            } else {
                actor.free(object);
            }
        }
    }
}

impl Workload for Sawtooth {
    type Seat = Seat;

    const DESCRIPTION: Description = Description {
        name: "sawtooth",
        summary: "a live set that grows and is let go but for a few survivors, again and again",
        description: "Each thread allocates objects of 64 B to 8 KiB until it holds 8000 of them, some 13 MB, and \
            then frees all but five of a thousand; these go at the end of the next tooth. Our own, as in many \
            suites. What counts is not the peak but the valleys: whether the top of a heap is given back, \
            and how much a few survivors hold in place. It stresses trimming, and page faults where memory comes \
            and goes. Look at RSS in the valleys (its smallest values in the steady phase), at RSS after the \
            drain, and at page faults and system time.",
        unit: "objects",
        params: &[
            Param::ops(13_000_000),
            Param::WARMUP,
            Param::TOUCH,
            Param::bytes("size_min", 64, 1, 1 << 30, "smallest object"),
            Param::bytes("size_max", 8 << 10, 1, 1 << 30, "largest object"),
            Param::count("top", 8_000, 1, 100_000_000, "objects of a thread at the top of a tooth"),
            Param::count("kept", 5, 0, 1000, "survivors of a tooth in a thousand"),
        ],
        replaces_threads: false,
        hidden: false,
    };

    fn new(spec: &Spec, threads: u32) -> Self {
        Self {
            threads,
            top: spec.get("top") as usize,
            phases: phases(spec),
            kept: spec.get("kept") as usize,
            sizes: Sizes::log_uniform(spec.get("size_min"), spec.get("size_max")),
        }
    }

    fn seat(&self, index: u32) -> Seat {
        let own = own_ops(self.phases, self.threads, index);
        Seat { rising: Vec::with_capacity(room(self.top, own)), kept: Vec::new() }
    }

    fn share(&self, ops: u64, index: u32) -> u64 {
        even_share(ops, self.threads, index)
    }

    fn setup<H: Heap>(&self, _seat: &mut Seat, _actor: &mut Actor<H>) {}

    fn work<H: Heap>(&self, seat: &mut Seat, actor: &mut Actor<H>, ops: u64, _steady: bool) {
        for _ in 0..ops {
            let size = self.sizes.draw(&mut actor.rng);
            seat.rising.push(actor.malloc(size));
            actor.operation();
            if seat.rising.len() >= self.top {
                self.fall(seat, actor);
            }
        }
    }

    fn drain<H: Heap>(&self, seat: &mut Seat, actor: &mut Actor<H>) {
        seat.rising.drain(..).chain(seat.kept.drain(..)).for_each(|object| actor.free(object));
    }
}
