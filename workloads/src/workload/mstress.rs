//! `mstress`: generations of threads, some objects handed on in shared slots, after Leijen's stress test.

use super::{Workload, room, warmup_ops};
use crate::catalogue::{Description, Param};
use crate::engine::actor::Actor;
use crate::engine::exchange::Exchange;
use crate::heap::Heap;
use crate::object::{Object, Touch};
use crate::random::Rng;
use crate::spec::Spec;

/// Small objects are 2^0 to 2^4 words.
const SMALL: usize = 5;
/// Retained objects are 2^0 to 2^6 words.
const RETAINED: usize = 7;
/// One seat in so many does once, the next twice, ... the last so many times the work.
const WEIGHTS: u32 = 8;

/// The pattern.
pub struct Mstress {
    threads: u32,
    /// Operations of all phases.
    ops: u64,
    items: u64,
    large: usize,
    exchanged: usize,
    freed: usize,
    transfer: Exchange,
}

/// What the original calls 50 %: the numbers 0 to 50 of 0 to 99.
const HALF: usize = 51;
/// Generations of the original, as its suite runs it.
const GENERATIONS: u64 = 25;
/// Places by which the list of small objects grows.
const PLACES: usize = 100_000;
/// Places in a page of a list.
const PLACES_IN_PAGE: usize = 512;

/// What a seat holds.
pub struct Seat {
    index: u32,
    /// Where the choices of each generation begin.
    choices: Option<Rng>,
    data: Vec<Option<Object>>,
    retained: Vec<Object>,
}

/// Touches what a list needs for so many objects.
fn list_grew<H: Heap>(actor: &mut Actor<H>, list: &mut Object, objects: usize) {
    if objects % PLACES_IN_PAGE == 1 {
        actor.write_at(list, (objects - 1) * size_of::<usize>());
    }
}

/// Reads an object back and frees it.
fn free<H: Heap>(actor: &mut Actor<H>, object: Object) {
    actor.read(&object, object.size());
    actor.free(object);
}

fn weight(index: u32) -> u64 {
    u64::from(index % WEIGHTS) + 1
}

/// How many times larger a large object is: a few are huge, very few giant.
fn enlarged(rng: &mut Rng) -> usize {
    match rng.below(100) {
        0..2 => 10_000,
        2..13 => 1_000,
        _ => 100,
    }
}

/// Weights of all seats below `index`.
fn weight_below(index: u32) -> u64 {
    let (rounds, rest) = (u64::from(index / WEIGHTS), u64::from(index % WEIGHTS));
    let all = u64::from(WEIGHTS * (WEIGHTS + 1) / 2);
    rounds * all + rest * (rest + 1) / 2
}

/// Objects of all generations of the original.
fn usual_ops(items: u64, threads: u32) -> u64 {
    items * weight_below(threads) * GENERATIONS
}

impl Mstress {
    fn item<H: Heap>(&self, actor: &mut Actor<H>, shifts: usize) -> Object {
        let words = 1 << actor.rng.below(shifts);
        let factor = if actor.rng.chance(self.large) { enlarged(&mut actor.rng) } else { 1 };
        actor.malloc(words * factor * size_of::<usize>())
    }

    /// Between two generations half of what lies in the shared slots goes.
    fn thin<H: Heap>(&self, actor: &mut Actor<H>, percent: usize) {
        for slot in 0..self.transfer.len() {
            if actor.rng.chance(percent)
                && let Some(object) = self.transfer.swap(slot, None)
            {
                free(actor, object);
            }
        }
    }

    /// Room for so many objects that are retained, and so many that are small.
    fn lists<H: Heap>(actor: &mut Actor<H>, [retained, small]: [u64; 2]) -> [Object; 2] {
        let places = [retained as usize, (small as usize).next_multiple_of(PLACES)];
        actor.touching(Touch::Nothing, |actor| places.map(|places| actor.malloc(places * size_of::<usize>())))
    }

    fn step<H: Heap>(&self, seat: &mut Seat, actor: &mut Actor<H>, small: bool) {
        if small {
            let object = self.item(actor, SMALL);
            seat.data.push(Some(object));
        } else {
            let object = self.item(actor, RETAINED);
            seat.retained.push(object);
        }
        if seat.data.is_empty() {
            return;
        }
        if actor.rng.chance(self.freed) {
            let which = actor.rng.below(seat.data.len());
            if let Some(object) = seat.data[which].take() {
                free(actor, object);
            }
        }
        if actor.rng.chance(self.exchanged) {
            let which = actor.rng.below(seat.data.len());
            let slot = actor.rng.below(self.transfer.len());
            seat.data[which] = self.transfer.swap(slot, seat.data[which].take());
        }
    }
}

impl Workload for Mstress {
    type Seat = Seat;

    const DESCRIPTION: Description = Description {
        name: "mstress",
        summary: "generations of threads that hand a quarter of their objects on in shared slots",
        description: "Threads allocate objects of power-of-two sizes, two thirds small and one third kept for \
            life, free earlier ones at random and swap others against what lies in an array of slots that all \
            threads share. Then each frees what it holds and ends, the main thread waits for all of them, clears half \
            of the shared slots and starts a new generation, which makes the same choices again. What is freed is read back before. Every eighth thread \
            does eight times the work of the first. After mstress (Leijen, mimalloc-bench), and as long: 25 generations \
            where ops is 0, counted from the first object on, so that memory that is fresh from the system is a large \
            part of it; ops=5M, warmup=10 shows how it goes on. It stresses heaps pinned by few survivors that other \
            threads free. Look at peak RSS against live bytes, and at what stays after the drain.",
        unit: "objects",
        params: &[
            Param::OPS_AS_ORIGINAL,
            Param::NO_WARMUP,
            Param::TOUCH_ALL,
            Param::count("items", 7_500, 1, 10_000_000, "objects of a thread's life, times its weight"),
            Param::count("slots", 1_000, 1, 10_000_000, "slots shared by all threads"),
            Param::percent(
                "large",
                2,
                "objects that are a hundred times larger, a few of them ten thousand times",
            ),
            Param::percent("exchanged", 26, "steps that swap an object against a shared slot"),
            Param::percent("freed", 67, "steps that free an earlier object"),
        ],
        replaces_threads: true,
        hidden: false,
    };

    fn new(spec: &Spec, threads: u32) -> Self {
        let items = spec.get("items");
        let steady = match spec.get("ops") {
            0 => usual_ops(items, threads),
            ops => ops,
        };
        Self {
            threads,
            ops: steady.saturating_add(warmup_ops(spec, steady)),
            items,
            large: spec.get("large") as usize,
            exchanged: spec.get("exchanged") as usize,
            freed: spec.get("freed") as usize,
            transfer: Exchange::new(spec.get("slots") as usize),
        }
    }

    fn seat(&self, index: u32) -> Seat {
        let items = room(self.lifetime(index) as usize, self.share(self.ops, index));
        let retained = items / 3;
        Seat {
            index,
            choices: None,
            data: Vec::with_capacity(items - retained),
            retained: Vec::with_capacity(retained),
        }
    }

    fn share(&self, ops: u64, index: u32) -> u64 {
        let all = u128::from(weight_below(self.threads));
        let below = |index| (u128::from(ops) * u128::from(weight_below(index)) / all) as u64;
        below(index + 1) - below(index)
    }

    fn lifetime(&self, index: u32) -> u64 {
        self.items * weight(index)
    }

    fn usual_ops(&self) -> u64 {
        usual_ops(self.items, self.threads)
    }

    fn in_generations(&self) -> bool {
        true
    }

    fn between<H: Heap>(&self, actor: &mut Actor<H>) {
        self.thin(actor, HALF);
    }

    fn setup<H: Heap>(&self, _seat: &mut Seat, _actor: &mut Actor<H>) {}

    fn work<H: Heap>(&self, seat: &mut Seat, actor: &mut Actor<H>, ops: u64, _steady: bool) {
        actor.rng = seat.choices.get_or_insert_with(|| actor.rng.clone()).clone();
        let mut retain = ops / 3;
        let mut small = ops - retain;
        // The lists that the program itself keeps its objects in.
        let mut lists = Self::lists(actor, [retain, small]);
        for _ in 0..ops {
            let next_is_small = retain == 0 || (actor.rng.chance(HALF) && small > 0);
            *(if next_is_small { &mut small } else { &mut retain }) -= 1;
            self.step(seat, actor, next_is_small);
            list_grew(actor, &mut lists[0], seat.retained.len());
            list_grew(actor, &mut lists[1], seat.data.len());
            actor.operation();
        }
        seat.retained.drain(..).for_each(|object| free(actor, object));
        seat.data.drain(..).flatten().for_each(|object| free(actor, object));
        for list in lists {
            actor.free(list);
        }
    }

    fn drain<H: Heap>(&self, seat: &mut Seat, actor: &mut Actor<H>) {
        if seat.index == 0 {
            self.thin(actor, 100);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_follow_the_weights_and_are_complete() {
        for threads in [1, 3, 8, 17, 512] {
            let pattern = Mstress::new(&"mstress".parse().unwrap(), threads);
            for ops in [0, 1, 100, 1_000_003] {
                assert_eq!((0..threads).map(|index| pattern.share(ops, index)).sum::<u64>(), ops);
            }
            assert_eq!(weight_below(threads), (0..threads).map(weight).sum::<u64>());
        }
    }
}
