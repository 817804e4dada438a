//! `glibc-thread`: a private set of random sizes for each thread, after glibc's bench-malloc-thread.

use super::Workload;
use crate::catalogue::{Description, Param};
use crate::engine::actor::Actor;
use crate::engine::crew::even_share;
use crate::heap::Heap;
use crate::object::{Object, Touch};
use crate::random::{InverseSquares, Recording, Tape};
use crate::spec::Spec;

/// The pattern.
pub struct GlibcThread {
    threads: u32,
    slots: usize,
    /// Every byte of an object is written.
    filled: bool,
    sizes: InverseSquares,
    slots_drawn: Recording,
    sizes_drawn: Recording,
}

/// What a seat holds.
pub struct Seat {
    objects: Vec<Option<Object>>,
    slots: Tape,
    sizes: Tape,
}

/// Slots drawn beforehand for each slot that there is: all but 2 % of them are used. As many as in the original by default.
const DRAWN: usize = 4;
/// Sizes drawn beforehand, as in the original.
const SIZES: usize = 8000;

impl Workload for GlibcThread {
    type Seat = Seat;

    const DESCRIPTION: Description = Description {
        name: "glibc-thread",
        summary: "private set of 1024 slots, sizes whose density falls with their square",
        description: "Each thread has a set of slots that begins empty; an operation frees what is in a random \
            slot and puts a new object there. The density of sizes falls with their square from 4 B to 32 KiB: \
            half of all objects are below 8 B, and a thread holds some 40 KiB. Nothing crosses threads. After \
            bench-malloc-thread (glibc's benchtests, 2013); slots and sizes come from \
            tables of 4096 and 8000 that are drawn beforehand, as in the original, but the work is fixed instead of the time. It stresses the \
            thread cache and, where arenas are shared, their locks. Look at throughput against the arena limit.",
        unit: "operations",
        params: &[
            Param::ops(70_000_000),
            Param::WARMUP,
            Param::TOUCH_ALL,
            Param::bytes("size_min", 4, 1, 1 << 30, "smallest object"),
            Param::bytes("size_max", 32 << 10, 1, 1 << 30, "largest object"),
            Param::count("slots", 1024, 1, 10_000_000, "objects held by each thread"),
        ],
        replaces_threads: false,
        hidden: false,
    };

    fn new(spec: &Spec, threads: u32) -> Self {
        Self {
            threads,
            slots: spec.get("slots") as usize,
            filled: Touch::from_parameter(spec.get("touch")) == Touch::All,
            sizes: InverseSquares::new(spec.get("size_min"), spec.get("size_max")),
            slots_drawn: Recording::default(),
            sizes_drawn: Recording::default(),
        }
    }

    fn seat(&self, _index: u32) -> Seat {
        Seat {
            objects: (0..self.slots).map(|_| None).collect(),
            slots: Tape::default(),
            sizes: Tape::default(),
        }
    }

    fn share(&self, ops: u64, index: u32) -> u64 {
        even_share(ops, self.threads, index)
    }

    fn first_on_main(&self) -> bool {
        self.threads == 1
    }

    fn prepare<H: Heap>(&self, actor: &mut Actor<H>) {
        self.slots_drawn.record(DRAWN * self.slots, || actor.rng.below(self.slots));
        self.sizes_drawn.record(SIZES, || self.sizes.draw(&mut actor.rng));
    }

    fn setup<H: Heap>(&self, seat: &mut Seat, actor: &mut Actor<H>) {
        seat.slots = self.slots_drawn.tape(&mut actor.rng);
        seat.sizes = self.sizes_drawn.tape(&mut actor.rng);
        if self.filled {
            actor.touch_as(Touch::Nothing);
        }
    }

    fn work<H: Heap>(&self, seat: &mut Seat, actor: &mut Actor<H>, ops: u64, _steady: bool) {
        for _ in 0..ops {
            let slot = &mut seat.objects[seat.slots.play()];
            if let Some(object) = slot.take() {
                actor.free(object);
            }
            let object = slot.insert(actor.malloc(seat.sizes.play()));
            if self.filled {
                actor.number_bytes(object);
            }
            actor.operation();
        }
    }

    fn drain<H: Heap>(&self, seat: &mut Seat, actor: &mut Actor<H>) {
        seat.objects.drain(..).flatten().for_each(|object| actor.free(object));
    }
}
