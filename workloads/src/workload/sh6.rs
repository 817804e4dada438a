//! `sh6` and `sh8`: batches of small objects freed in turns of order, after `MicroQuill`'s benchmarks.

use super::{Workload, own_ops, phases, room};
use crate::catalogue::{Description, Param};
use crate::engine::actor::Actor;
use crate::engine::crew::even_share;
use crate::engine::mailbox::Mailbox;
use crate::heap::Heap;
use crate::object::Object;
use crate::random::{InverseSquares, Recording, Tape};
use crate::spec::Spec;

/// Batches that can lie in a thread's inbox; its sender frees what does not fit.
const INBOX: usize = 4;

/// What both have in common.
struct Batches {
    threads: u32,
    phases: [u64; 2],
    batch: usize,
    sizes: InverseSquares,
    sizes_drawn: Recording,
    /// One for each seat where batches are handed on.
    inboxes: Vec<Mailbox<Object>>,
}

/// What a seat holds.
pub struct Seat {
    index: u32,
    /// The older half of the last batch lives on in front of the next.
    objects: Vec<Object>,
    arrived: Vec<Object>,
    batches: u64,
    sizes: Tape,
}

/// Sizes drawn beforehand.
const SIZES: usize = 8192;

impl Batches {
    fn new(spec: &Spec, threads: u32, remote: bool) -> Self {
        let batch = spec.get("batch") as usize;
        let inboxes = if remote && threads > 1 { threads } else { 0 };
        let phases = phases(spec);
        Self {
            threads,
            phases,
            batch,
            sizes: InverseSquares::new(spec.get("size_min"), spec.get("size_max")),
            sizes_drawn: Recording::default(),
            inboxes: (0..inboxes).map(|_| Mailbox::new(room(INBOX * batch, phases.iter().sum()))).collect(),
        }
    }

    fn seat(&self, index: u32) -> Seat {
        // What arrives is of all the others, what is held is the seat's own.
        let arrived = if self.inboxes.is_empty() { 0 } else { INBOX * self.batch };
        let arrived = Vec::with_capacity(room(arrived, self.phases.iter().sum()));
        let own = own_ops(self.phases, self.threads, index);
        let objects = Vec::with_capacity(room(self.batch * 2, own));
        Seat { index, objects, arrived, batches: 0, sizes: Tape::default() }
    }

    fn setup<H: Heap>(&self, seat: &mut Seat, actor: &mut Actor<H>) {
        seat.sizes = self.sizes_drawn.tape(&mut actor.rng);
    }

    fn prepare<H: Heap>(&self, actor: &mut Actor<H>) {
        self.sizes_drawn.record(SIZES, || self.sizes.draw(&mut actor.rng));
    }

    fn work<H: Heap>(&self, seat: &mut Seat, actor: &mut Actor<H>, ops: u64) {
        let mut left = ops;
        while left > 0 {
            let room = left.min((self.batch - seat.objects.len()) as u64);
            let sizes = seat.sizes.stretch(room as usize);
            actor.malloc_these(sizes, &mut seat.objects);
            actor.operations(sizes.len() as u64);
            left -= sizes.len() as u64;
            if seat.objects.len() >= self.batch {
                self.turn(seat, actor);
            }
        }
    }

    /// A batch is full: half of it goes, now the newest first, now the oldest first.
    fn turn<H: Heap>(&self, seat: &mut Seat, actor: &mut Actor<H>) {
        seat.batches += 1;
        let half = seat.objects.len() / 2;
        let newest_first = seat.batches.is_multiple_of(2);
        if !self.inboxes.is_empty() {
            self.receive(seat, actor);
            seat.arrived.extend(seat.objects.drain(half..));
            let next = (u64::from(seat.index) + 1 + seat.batches % u64::from(self.threads - 1))
                % u64::from(self.threads);
            if self.inboxes[next as usize].try_put(&mut seat.arrived) {
                return;
            }
            seat.arrived.drain(..).for_each(|object| actor.free(object));
        } else if newest_first {
            actor.free_each(seat.objects.drain(half..).rev());
        } else {
            actor.free_each(seat.objects.drain(..half));
        }
        // With batches of one object half is none.
        if seat.objects.len() >= self.batch {
            seat.objects.drain(..).for_each(|object| actor.free(object));
        }
    }

    /// Frees what others have left, in turns of order.
    fn receive<H: Heap>(&self, seat: &mut Seat, actor: &mut Actor<H>) {
        let Some(inbox) = self.inboxes.get(seat.index as usize) else { return };
        inbox.try_take(&mut seat.arrived, usize::MAX);
        if seat.batches.is_multiple_of(2) {
            seat.arrived.drain(..).rev().for_each(|object| actor.free(object));
        } else {
            seat.arrived.drain(..).for_each(|object| actor.free(object));
        }
    }

    fn drain<H: Heap>(&self, seat: &mut Seat, actor: &mut Actor<H>) {
        self.receive(seat, actor);
        seat.objects.drain(..).for_each(|object| actor.free(object));
    }
}

/// Makes the two patterns, which differ in who frees.
macro_rules! batches {
    ($(#[$doc:meta])* $pattern:ident, $remote:expr, $description:expr) => {
        $(#[$doc])*
        pub struct $pattern(Batches);

        impl Workload for $pattern {
            type Seat = Seat;

            const DESCRIPTION: Description = $description;

            fn new(spec: &Spec, threads: u32) -> Self {
                Self(Batches::new(spec, threads, $remote))
            }

            fn seat(&self, index: u32) -> Seat {
                self.0.seat(index)
            }

            fn share(&self, ops: u64, index: u32) -> u64 {
                even_share(ops, self.0.threads, index)
            }

            fn prepare<H: Heap>(&self, actor: &mut Actor<H>) {
                self.0.prepare(actor);
            }

            fn setup<H: Heap>(&self, seat: &mut Seat, actor: &mut Actor<H>) {
                self.0.setup(seat, actor);
            }

            fn work<H: Heap>(&self, seat: &mut Seat, actor: &mut Actor<H>, ops: u64, _steady: bool) {
                self.0.work(seat, actor, ops);
            }

            fn drain<H: Heap>(&self, seat: &mut Seat, actor: &mut Actor<H>) {
                self.0.drain(seat, actor);
            }
        }
    };
}

const fn params(ops: u64) -> [Param; 6] {
    [
        Param::ops(ops),
        Param::WARMUP,
        Param::TOUCH,
        Param::bytes("size_min", 8, 1, 1 << 30, "smallest object"),
        Param::bytes("size_max", 1000, 1, 1 << 30, "largest object"),
        Param::count("batch", 4096, 1, 10_000_000, "objects held when half of them are freed"),
    ]
}

batches!(
    /// Frees its own.
    Sh6,
    false,
    Description {
        name: "sh6",
        summary: "batches of small objects, freed newest first and oldest first in turns",
        description: "Each thread allocates small objects, small sizes far more often than large ones, until it \
            holds a batch; then it frees half of it, now the newest half backwards, now the oldest half forwards, \
            and goes on. After sh6bench (MicroQuill, SmartHeap); our own code from its published description: \
            sizes are drawn instead of stepped through, and batches do not change their length. Stacks of frees \
            suit caches that are last in, first out, queues of frees do not. It stresses unsorted and small bins, \
            and coalescing. Look at throughput, and at free bytes inside arenas.",
        unit: "objects",
        params: &params(64_000_000),
        replaces_threads: false,
        hidden: false,
    }
);

batches!(
    /// Hands the newest half on to another thread.
    Sh8,
    true,
    Description {
        name: "sh8",
        summary: "as sh6, but the newest half of every batch is freed by another thread",
        description: "As sh6, but the newest half of a full batch goes to another thread, which frees it when its \
            own batch is full, in turns of order; what finds no room in the other's inbox is freed at once. Which \
            objects a thread finds depends on timing, the sizes asked for do not. After sh8bench (MicroQuill, \
            SmartHeap); our own code from its published description, so that who frees what differs. One thread \
            alone does what sh6 does. It stresses remote frees of small objects in bursts. Look at throughput \
            against sh6 at the same number of threads.",
        unit: "objects",
        params: &params(14_000_000),
        replaces_threads: false,
        hidden: false,
    }
);
