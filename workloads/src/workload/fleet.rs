//! `fleet`: the size mix of a large production fleet.

use super::Workload;
use crate::catalogue::{Description, Param};
use crate::engine::actor::Actor;
use crate::engine::crew::even_share;
use crate::heap::{Heap, Object};
use crate::random::{Rng, Sizes};
use crate::spec::Spec;

/// Size classes: how many of 100 000 objects, and from which to which size. Chosen so that objects of up to
/// 1 KiB are 98 % of all and 28 % of the bytes, and those above 8 KiB about half of the bytes.
const CLASSES: [(usize, u64, u64); 4] =
    [(98_280, 8, 256), (1_620, 1 << 10, 8 << 10), (96, 8 << 10, 256 << 10), (4, 256 << 10, 4 << 20)];

/// The pattern.
pub struct Fleet {
    threads: u32,
    slots: usize,
    ring: usize,
    long: usize,
    classes: [(usize, Sizes); 4],
}

/// What a seat holds.
pub struct Seat {
    /// Long-lived objects.
    held: Vec<Object>,
    /// Short-lived ones: the oldest goes first.
    ring: Vec<Object>,
    at: usize,
}

impl Fleet {
    fn size(&self, rng: &mut Rng) -> usize {
        let drawn = rng.below(100_000);
        let class = self.classes.iter().find(|(below, _)| drawn < *below).unwrap_or(&self.classes[0]);
        class.1.draw(rng)
    }
}

impl Workload for Fleet {
    type Seat = Seat;

    const DESCRIPTION: Description = Description {
        name: "fleet",
        summary: "the size mix of a production fleet: 98 % small objects, half of the bytes in large ones",
        description: "Each thread allocates objects of which 98 % are small, while half of the bytes are in objects \
            above 8 KiB, up to 4 MiB. Most live for the time of a hundred others; some take the place of a random one \
            of 10 000 long-lived objects. The shares of sizes and the mix of short and long lives have the shape that \
            Zhou and others report (Characterizing a Memory Allocator at Warehouse Scale, ASPLOS 2024); the exact \
            sizes, live counts and lifetimes are ours, and nothing crosses threads. It stresses small bins and \
            large blocks side by side. Look at RSS against live bytes, at throughput, and at page faults.",
        unit: "objects",
        params: &[
            Param::ops(60_000_000),
            Param::WARMUP,
            Param::TOUCH,
            Param::count("slots", 10_000, 1, 10_000_000, "long-lived objects of each thread"),
            Param::count("ring", 100, 1, 10_000_000, "short-lived objects of each thread"),
            Param::percent("long", 20, "objects that are long-lived"),
        ],
        replaces_threads: false,
        hidden: false,
    };

    fn new(spec: &Spec, threads: u32) -> Self {
        let mut below = 0;
        let classes = CLASSES.map(|(count, low, high)| {
            below += count;
            (below, Sizes::log_uniform(low, high))
        });
        let (slots, ring) = (spec.get("slots") as usize, spec.get("ring") as usize);
        Self { threads, slots, ring, long: spec.get("long") as usize, classes }
    }

    fn seat(&self, _index: u32) -> Seat {
        Seat { held: Vec::with_capacity(self.slots), ring: Vec::with_capacity(self.ring), at: 0 }
    }

    fn share(&self, ops: u64, index: u32) -> u64 {
        even_share(ops, self.threads, index)
    }

    fn setup<H: Heap>(&self, seat: &mut Seat, actor: &mut Actor<H>) {
        for (objects, count) in [(&mut seat.held, self.slots), (&mut seat.ring, self.ring)] {
            for _ in 0..count {
                let size = self.size(&mut actor.rng);
                objects.push(actor.malloc(size));
            }
        }
    }

    fn work<H: Heap>(&self, seat: &mut Seat, actor: &mut Actor<H>, ops: u64, _steady: bool) {
        for _ in 0..ops {
            let size = self.size(&mut actor.rng);
            if actor.rng.chance(self.long) {
                let slot = actor.rng.below(self.slots);
                actor.replace(&mut seat.held[slot], |actor| actor.malloc(size));
            } else {
                actor.replace(&mut seat.ring[seat.at], |actor| actor.malloc(size));
                seat.at = if seat.at + 1 == self.ring { 0 } else { seat.at + 1 };
            }
            actor.operation();
        }
    }

    fn drain<H: Heap>(&self, seat: &mut Seat, actor: &mut Actor<H>) {
        seat.held.drain(..).chain(seat.ring.drain(..)).for_each(|object| actor.free(object));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mix_has_the_shares_that_it_is_chosen_for() {
        let fleet = Fleet::new(&"fleet".parse().unwrap(), 1);
        let mut rng = Rng::new(4, 4);
        let sizes: Vec<usize> = (0..1_000_000).map(|_| fleet.size(&mut rng)).collect();
        let small = sizes.iter().filter(|size| **size <= 1024).count();
        assert!(small.abs_diff(982_800) < 1_000, "{small}");
        let (all, small): (usize, usize) =
            (sizes.iter().sum(), sizes.iter().filter(|size| **size <= 1024).sum());
        // The few giants make the sum waver: four in 100 000 are 40 here.
        let share = small as f64 / all as f64;
        assert!((0.2..0.36).contains(&share), "{share}");
    }
}
