//! `larson`: the server simulation of Larson and Krishnan (ISMM 1998).

use std::sync::{Mutex, PoisonError};

use super::Workload;
use crate::catalogue::{Description, Param};
use crate::engine::actor::Actor;
use crate::engine::crew::even_share;
use crate::heap::Heap;
use crate::object::Object;
use crate::spec::Spec;

/// What a seat holds.
pub struct Seat {
    index: u32,
    objects: Vec<Object>,
}

/// The pattern.
pub struct Larson {
    threads: u32,
    slots: usize,
    size_min: usize,
    size_max: usize,
    lifetime: u64,
    /// What the main thread has dealt out, by seat.
    hands: Vec<Mutex<Vec<Object>>>,
}

/// Objects that the main thread replaces before it deals them out, for each that it deals.
const SHUFFLES: usize = 4;

impl Larson {
    fn object<H: Heap>(&self, actor: &mut Actor<H>) -> Object {
        let size = actor.rng.between(self.size_min, self.size_max);
        actor.malloc(size)
    }
}

/// The hand and the slot in it of one of all objects.
fn place(slots: usize, number: usize) -> (usize, usize) {
    (number / slots, number % slots)
}

fn swap(hands: &mut [Vec<Object>], slots: usize, one: usize, other: usize) {
    let ((hand, slot), (other_hand, other_slot)) = (place(slots, one), place(slots, other));
    match hands.get_disjoint_mut([hand, other_hand]) {
        Ok([a, b]) => std::mem::swap(&mut a[slot], &mut b[other_slot]),
        Err(_) => hands[hand].swap(slot, other_slot),
    }
}

impl Workload for Larson {
    type Seat = Seat;

    const DESCRIPTION: Description = Description {
        name: "larson",
        summary: "server simulation: random slots replaced, objects handed from thread to thread",
        description: "Each thread holds an array of objects; an operation frees the object in a random slot and \
            puts a new one of random size there. After a while the thread starts a successor, passes its array \
            on and ends, as the threads of a server come and go, so that most objects are freed by another \
            thread than the one that allocated them; the first ones are all the main thread's. (From 120 threads on none is replaced \
            within the default ops: give more of them, or a shorter lifetime.) After Larson and Krishnan, Memory Allocation for \
            Long-Running Server Applications (ISMM 1998); unlike the original it does a fixed number of \
            operations and touches every page. It stresses the reuse of arenas left by dead threads and the \
            locks met by remote frees. Look at arenas created against threads alive, and at RSS above live bytes.",
        unit: "operations",
        params: &[
            Param::ops(60_000_000),
            Param::WARMUP,
            Param::TOUCH,
            Param::bytes("size_min", 8, 0, 1 << 30, "smallest object"),
            Param::bytes("size_max", 1000, 0, 1 << 30, "largest object"),
            Param::count("slots", 5_000, 1, 10_000_000, "objects held by each thread"),
            Param::count(
                "lifetime",
                500_000,
                1,
                1 << 40,
                "operations that a thread does before it is replaced",
            ),
        ],
        replaces_threads: true,
        hidden: false,
    };

    fn new(spec: &Spec, threads: u32) -> Self {
        Self {
            threads,
            slots: spec.get("slots") as usize,
            size_min: spec.get("size_min") as usize,
            size_max: spec.get("size_max") as usize,
            lifetime: spec.get("lifetime"),
            hands: (0..threads).map(|_| Mutex::default()).collect(),
        }
    }

    fn seat(&self, index: u32) -> Seat {
        Seat { index, objects: Vec::new() }
    }

    fn share(&self, ops: u64, index: u32) -> u64 {
        even_share(ops, self.threads, index)
    }

    fn lifetime(&self, _index: u32) -> u64 {
        self.lifetime
    }

    /// The main thread allocates all objects, mixes them, replaces some, and deals them out: so that at first
    /// every free is of another thread's object.
    fn prepare<H: Heap>(&self, actor: &mut Actor<H>) {
        let all = self.slots * self.threads as usize;
        let mut hands: Vec<Vec<Object>> =
            self.hands.iter().map(|_| (0..self.slots).map(|_| self.object(actor)).collect()).collect();
        for last in (1..all).rev() {
            swap(&mut hands, self.slots, last, actor.rng.below(last + 1));
        }
        for _ in 0..SHUFFLES * all {
            let (hand, slot) = place(self.slots, actor.rng.below(all));
            actor.replace(&mut hands[hand][slot], |actor| self.object(actor));
        }
        for (hand, objects) in self.hands.iter().zip(hands) {
            *hand.lock().unwrap_or_else(PoisonError::into_inner) = objects;
        }
    }

    fn setup<H: Heap>(&self, seat: &mut Seat, _actor: &mut Actor<H>) {
        let hand = &self.hands[seat.index as usize];
        seat.objects = std::mem::take(&mut *hand.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn work<H: Heap>(&self, seat: &mut Seat, actor: &mut Actor<H>, ops: u64, _steady: bool) {
        for _ in 0..ops {
            let slot = actor.rng.below(self.slots);
            actor.replace(&mut seat.objects[slot], |actor| self.object(actor));
            actor.operation();
        }
    }

    fn drain<H: Heap>(&self, seat: &mut Seat, actor: &mut Actor<H>) {
        seat.objects.drain(..).for_each(|object| actor.free(object));
    }
}
