//! `glibc-thread`: a private set of random sizes for each thread, after glibc's bench-malloc-thread.

use std::ops::RangeInclusive;

use super::Workload;
use crate::catalogue::{Description, Param};
use crate::engine::actor::Actor;
use crate::engine::crew::even_share;
use crate::heap::Heap;
use crate::object::{Object, Touch};
use crate::random::{Recording, Tape};
use crate::spec::Spec;

/// The pattern.
pub struct GlibcThread {
    threads: u32,
    slots: usize,
    /// Every byte of an object is written.
    filled: bool,
    sizes: RangeInclusive<usize>,
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

/// glibc's `rand` from its usual start, which the original draws with (an additive feedback of degree 31). Of 8000 sizes some
/// twenty are larger than half a page, and what they are decides what allocators with pages for each class of sizes
/// hold: they are to be the original's.
struct AsOriginal {
    state: [u32; 31],
    next: usize,
}

impl AsOriginal {
    fn new() -> Self {
        let mut state = [1; 31];
        for at in 1..state.len() {
            state[at] = (u64::from(state[at - 1]) * 16_807 % 0x7fff_ffff) as u32;
        }
        let mut drawn = Self { state, next: 0 };
        // From the fourth on a number is the sum of two before it; the first 310 sums are not used.
        drawn.state.rotate_left(3);
        for _ in 0..310 {
            drawn.number();
        }
        drawn
    }

    /// From 0 to [`libc::RAND_MAX`].
    fn number(&mut self) -> u32 {
        let (last, before) = (self.next, (self.next + 28) % 31);
        self.state[last] = self.state[last].wrapping_add(self.state[before]);
        self.next = (last + 1) % 31;
        self.state[last] >> 1
    }

    /// A size whose density falls with its square, in the original's precision.
    fn size(&mut self, sizes: &RangeInclusive<usize>) -> usize {
        let (least, most) = ((*sizes.start() as f32).powi(-1), (*sizes.end() as f32).powi(-1));
        let unit = self.number() as f32 / libc::RAND_MAX as f32;
        let size = ((most - least) * unit + least).powi(-1) as usize;
        size.clamp(*sizes.start(), *sizes.start().max(sizes.end()))
    }

    fn slot(&mut self, slots: usize) -> usize {
        self.number() as usize % slots
    }
}

impl Workload for GlibcThread {
    type Seat = Seat;

    const DESCRIPTION: Description = Description {
        name: "glibc-thread",
        summary: "private set of 1024 slots, sizes whose density falls with their square",
        description: "Each thread has a set of slots that begins empty; an operation frees what is in a random \
            slot and puts a new object there. The density of sizes falls with their square from 4 B to 32 KiB: \
            half of all objects are below 8 B, and a thread holds some 40 KiB. Nothing crosses threads. After \
            bench-malloc-thread (glibc's benchtests, 2013); slots and sizes come from \
            tables of 4096 and 8000 that are drawn as in the original (and are its own with the sizes and slots that it has); the seed says where in them each thread begins. The work is fixed instead of the time. It stresses the \
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
            sizes: spec.get("size_min") as usize..=spec.get("size_max") as usize,
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

    fn prepare<H: Heap>(&self, _actor: &mut Actor<H>) {
        let mut drawn = AsOriginal::new();
        self.sizes_drawn.record(SIZES, || drawn.size(&self.sizes));
        self.slots_drawn.record(DRAWN * self.slots, || drawn.slot(self.slots));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_glibc_s() {
        let mut drawn = AsOriginal::new();
        let numbers: Vec<u32> = (0..4).map(|_| drawn.number()).collect();
        assert_eq!(numbers, [1_804_289_383, 846_930_886, 1_681_692_777, 1_714_636_915]);
    }

    #[test]
    fn sizes_are_the_original_s() {
        let mut drawn = AsOriginal::new();
        let sizes: Vec<usize> = (0..SIZES).map(|_| drawn.size(&(4..=32_768))).collect();
        let large = sizes.into_iter().filter(|size| *size > 4_096);
        // Printed by the original's own arithmetic, in C.
        assert_eq!(large.collect::<Vec<_>>(), [31126, 4541, 8504, 8138, 5633, 6434, 8661, 5881]);
    }

    #[test]
    fn sizes_in_the_wrong_order_are_the_least() {
        let mut drawn = AsOriginal::new();
        assert!((0..100).all(|_| drawn.size(&RangeInclusive::new(9, 3)) == 9));
    }
}
