//! `memstore`: writes gathered and flushed together, a small index that stays.

use super::{Workload, phases, room};
use crate::catalogue::{Description, Param};
use crate::engine::actor::Actor;
use crate::engine::crew::even_share;
use crate::heap::Heap;
use crate::object::Object;
use crate::random::Sizes;
use crate::spec::Spec;

/// An index entry.
const ENTRY: usize = 48;
/// One write in so many makes an index entry.
const INDEXED: u64 = 16;

/// The pattern.
pub struct Memstore {
    threads: u32,
    phases: [u64; 2],
    flush: usize,
    index: usize,
    values: Sizes,
    value_min: usize,
}

/// What a seat holds.
pub struct Seat {
    gathered: Vec<Object>,
    bytes: usize,
    index: Vec<Object>,
    writes: u64,
}

impl Memstore {
    /// One write in some makes an entry, which lies among the values; when the index is full a random one
    /// makes room.
    fn enter<H: Heap>(&self, seat: &mut Seat, actor: &mut Actor<H>) {
        if seat.index.len() < self.index {
            seat.index.push(actor.malloc(ENTRY));
        } else {
            let which = actor.rng.below(self.index);
            actor.replace(&mut seat.index[which], |actor| actor.malloc(ENTRY));
        }
    }
}

impl Workload for Memstore {
    type Seat = Seat;

    const DESCRIPTION: Description = Description {
        name: "memstore",
        summary: "writes gathered and flushed together; small index entries among them stay",
        description: "Each thread gathers values of 100 B to 4 KiB until they are 8 MiB, and then flushes: frees \
            all of them in the order in which they came. One write in sixteen leaves a small entry in an index, where \
            it stays for long. From stores that gather writes in memory and flush them to disk. A flush leaves a \
            heap that is nearly empty but for entries scattered over all of it, so that neither pages \
            nor the top can go back. It stresses pinning, coalescing and trimming. Look at RSS against live \
            bytes in the steady phase, and at what a shared arena does to the scatter.",
        unit: "writes",
        params: &[
            Param::ops(15_000_000),
            Param::WARMUP,
            Param::TOUCH,
            Param::bytes("flush", 8 << 20, 1, 1 << 40, "bytes that each thread gathers before it flushes"),
            Param::count("index", 20_000, 1, 100_000_000, "index entries of each thread"),
            Param::bytes("value_min", 100, 1, 1 << 30, "smallest value"),
            Param::bytes("value_max", 4 << 10, 1, 1 << 30, "largest value"),
        ],
        replaces_threads: false,
        hidden: false,
    };

    fn new(spec: &Spec, threads: u32) -> Self {
        let value_min = spec.get("value_min");
        Self {
            threads,
            phases: phases(spec),
            flush: spec.get("flush") as usize,
            index: spec.get("index") as usize,
            values: Sizes::log_uniform(value_min, spec.get("value_max")),
            value_min: value_min as usize,
        }
    }

    fn seat(&self, index: u32) -> Seat {
        let ops = self.phases.map(|ops| self.share(ops, index)).iter().sum();
        let most = room(self.flush / self.value_min + 1, ops);
        let index = Vec::with_capacity(room(self.index, ops / INDEXED));
        Seat { gathered: Vec::with_capacity(most), bytes: 0, index, writes: 0 }
    }

    fn share(&self, ops: u64, index: u32) -> u64 {
        even_share(ops, self.threads, index)
    }

    fn setup<H: Heap>(&self, _seat: &mut Seat, _actor: &mut Actor<H>) {}

    fn work<H: Heap>(&self, seat: &mut Seat, actor: &mut Actor<H>, ops: u64, _steady: bool) {
        for _ in 0..ops {
            let size = self.values.draw(&mut actor.rng);
            seat.gathered.push(actor.malloc(size));
            seat.bytes += size;
            seat.writes += 1;
            if seat.writes.is_multiple_of(INDEXED) {
                self.enter(seat, actor);
            }
            if seat.bytes >= self.flush {
                seat.gathered.drain(..).for_each(|object| actor.free(object));
                seat.bytes = 0;
            }
            actor.operation();
        }
    }

    fn drain<H: Heap>(&self, seat: &mut Seat, actor: &mut Actor<H>) {
        seat.gathered.drain(..).chain(seat.index.drain(..)).for_each(|object| actor.free(object));
    }
}
