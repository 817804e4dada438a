//! `pool-stall`: all threads of a pool block with their requests' memory in hand, and let go at once.

use super::burst::of_each;
use super::{Workload, own_ops, phases, room};
use crate::catalogue::{Description, Param};
use crate::engine::actor::Actor;
use crate::engine::crew::even_share;
use crate::engine::meeting::Meeting;
use crate::heap::Heap;
use crate::object::Object;
use crate::random::Sizes;
use crate::spec::Spec;

/// Objects of a request.
const PARTS: usize = 8;

/// The pattern.
pub struct PoolStall {
    threads: u32,
    held: usize,
    between: u64,
    phases: [u64; 2],
    sizes: Sizes,
    database: Meeting,
}

/// What a seat holds.
pub struct Seat {
    /// Requests that wait for an answer.
    held: Vec<[Object; PARTS]>,
    /// Requests since the last stall.
    since: u64,
}

impl PoolStall {
    fn request<H: Heap>(&self, actor: &mut Actor<H>) -> [Object; PARTS] {
        std::array::from_fn(|_| {
            let size = self.sizes.draw(&mut actor.rng);
            actor.malloc(size)
        })
    }
}

fn answer(request: [Object; PARTS], actor: &mut Actor<impl Heap>) {
    for object in request {
        actor.free(object);
    }
}

impl Workload for PoolStall {
    type Seat = Seat;

    const DESCRIPTION: Description = Description {
        name: "pool-stall",
        summary: "all threads block with their requests' memory in hand, then let go at once",
        description: "A request is eight objects of 32 B to 8 KiB. In quiet times it is answered at once. Then the \
            database is dead: each thread gathers requests that are not answered, until it holds a thousand and \
            blocks; when all threads are blocked the database is back, and all free what they hold at the same \
            time. More than 16 threads hold as many requests as 16, and stall as often. From the incident of a pool of forty threads blocked on a dead database, each with its request's \
            memory. It stresses large live sets in every arena at once, and then frees from all sides. Threads \
            wait for each other by design. Look at peak RSS, at RSS after the stalls and after the drain, and at \
            free bytes inside arenas.",
        unit: "requests",
        params: &[
            Param::ops(3_500_000),
            Param::WARMUP,
            Param::TOUCH,
            Param::count("held", 1_000, 1, 10_000_000, "requests that a thread holds when it blocks"),
            Param::count("between", 20_000, 0, 1 << 40, "requests of a thread between two stalls"),
            Param::bytes("size_min", 32, 1, 1 << 30, "smallest object"),
            Param::bytes("size_max", 8 << 10, 1, 1 << 30, "largest object"),
        ],
        replaces_threads: false,
        hidden: false,
    };

    fn new(spec: &Spec, threads: u32) -> Self {
        Self {
            threads,
            held: of_each(spec.get("held"), threads) as usize,
            between: of_each(spec.get("between"), threads),
            phases: phases(spec),
            sizes: Sizes::log_uniform(spec.get("size_min"), spec.get("size_max")),
            database: Meeting::new(threads),
        }
    }

    fn seat(&self, index: u32) -> Seat {
        let own = own_ops(self.phases, self.threads, index);
        Seat { held: Vec::with_capacity(room(self.held, own)), since: 0 }
    }

    fn share(&self, ops: u64, index: u32) -> u64 {
        even_share(ops, self.threads, index)
    }

    fn setup<H: Heap>(&self, _seat: &mut Seat, _actor: &mut Actor<H>) {}

    fn work<H: Heap>(&self, seat: &mut Seat, actor: &mut Actor<H>, ops: u64, _steady: bool) {
        for _ in 0..ops {
            let request = self.request(actor);
            if seat.since < self.between {
                seat.since += 1;
                answer(request, actor);
            } else {
                seat.held.push(request);
            }
            if seat.held.len() >= self.held {
                self.database.wait();
                self.drain(seat, actor);
                seat.since = 0;
            }
            actor.operation();
        }
        self.database.leave();
    }

    fn drain<H: Heap>(&self, seat: &mut Seat, actor: &mut Actor<H>) {
        seat.held.drain(..).for_each(|request| answer(request, actor));
    }
}
