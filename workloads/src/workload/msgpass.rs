//! `msgpass` and `lots-of-threads`: many producers, few that free.

use super::{Workload, phases, room};
use crate::catalogue::{Description, Param};
use crate::engine::actor::Actor;
use crate::engine::crew::even_share;
use crate::engine::mailbox::Mailbox;
use crate::heap::Heap;
use crate::object::Object;
use crate::random::Sizes;
use crate::spec::Spec;

/// What both have in common.
struct Funnel {
    producers: u32,
    freers: u32,
    phases: [u64; 2],
    alone: bool,
    sizes: Sizes,
    batch: usize,
    lifetime: u64,
    /// One for each thread that frees.
    inboxes: Vec<Mailbox<Object>>,
}

/// What a seat holds.
pub struct Seat {
    index: u32,
    objects: Vec<Object>,
}

impl Funnel {
    fn new(spec: &Spec, threads: u32, freers: u32, lifetime: u64) -> Self {
        let queued = spec.get("queued") as usize;
        let freers = freers.clamp(1, threads.saturating_sub(1).max(1));
        let mut funnel = Self {
            producers: threads.saturating_sub(freers).max(1),
            freers,
            phases: phases(spec),
            alone: threads == 1,
            sizes: Sizes::log_uniform(spec.get("size_min"), spec.get("size_max")),
            batch: spec.get("batch") as usize,
            lifetime,
            inboxes: Vec::new(),
        };
        let inbox = |freer| Mailbox::new(room(queued, funnel.messages(funnel.producers + freer)));
        funnel.inboxes = (0..freers).map(inbox).collect();
        funnel
    }

    /// Messages that go through a seat's hands in both phases.
    fn messages(&self, index: u32) -> u64 {
        self.phases.map(|ops| self.share(ops, index)).iter().sum()
    }

    fn seat(&self, index: u32) -> Seat {
        Seat { index, objects: Vec::with_capacity(room(self.batch, self.messages(index))) }
    }

    /// A producer's objects all go to the same freer.
    fn share(&self, ops: u64, index: u32) -> u64 {
        let theirs = |producer| even_share(ops, self.producers, producer);
        match index.checked_sub(self.producers) {
            None => theirs(index),
            Some(freer) => (freer..self.producers).step_by(self.freers as usize).map(theirs).sum(),
        }
    }

    fn work<H: Heap>(&self, seat: &mut Seat, actor: &mut Actor<H>, ops: u64) {
        if let Some(freer) = seat.index.checked_sub(self.producers) {
            self.free(freer, &mut seat.objects, actor, ops);
            return;
        }
        let inbox = &self.inboxes[seat.index as usize % self.inboxes.len()];
        for made in 1..=ops {
            let size = self.sizes.draw(&mut actor.rng);
            seat.objects.push(actor.malloc(size));
            actor.operation();
            if seat.objects.len() < self.batch && made < ops {
                continue;
            }
            if self.alone {
                seat.objects.drain(..).for_each(|object| actor.free(object));
            } else {
                inbox.put(&mut seat.objects);
            }
        }
    }

    fn free<H: Heap>(&self, freer: u32, arrived: &mut Vec<Object>, actor: &mut Actor<H>, ops: u64) {
        let mut left = ops;
        while left > 0 {
            self.inboxes[freer as usize].take(arrived, self.batch);
            left -= arrived.len() as u64;
            arrived.drain(..).for_each(|object| actor.free(object));
        }
    }

    fn lifetime(&self, index: u32) -> u64 {
        if index < self.producers { self.lifetime } else { u64::MAX }
    }
}

/// Makes the two patterns, which differ in who frees and how long threads live.
macro_rules! funnel {
    ($(#[$doc:meta])* $pattern:ident, $new:expr, $description:expr) => {
        $(#[$doc])*
        pub struct $pattern(Funnel);

        impl Workload for $pattern {
            type Seat = Seat;

            const DESCRIPTION: Description = $description;

            fn new(spec: &Spec, threads: u32) -> Self {
                let new: fn(&Spec, u32) -> Funnel = $new;
                Self(new(spec, threads))
            }

            fn seat(&self, index: u32) -> Seat {
                self.0.seat(index)
            }

            fn share(&self, ops: u64, index: u32) -> u64 {
                self.0.share(ops, index)
            }

            fn lifetime(&self, index: u32) -> u64 {
                self.0.lifetime(index)
            }

            fn setup<H: Heap>(&self, _seat: &mut Seat, _actor: &mut Actor<H>) {}

            fn work<H: Heap>(&self, seat: &mut Seat, actor: &mut Actor<H>, ops: u64, _steady: bool) {
                self.0.work(seat, actor, ops);
            }

            fn drain<H: Heap>(&self, _seat: &mut Seat, _actor: &mut Actor<H>) {}
        }
    };
}

const SIZE_MIN: Param = Param::bytes("size_min", 32, 1, 1 << 30, "smallest message");
const SIZE_MAX: Param = Param::bytes("size_max", 1 << 10, 1, 1 << 30, "largest message");

funnel!(
    /// One thread in eight frees.
    Msgpass,
    |spec, threads| {
        let wanted = (u64::from(threads) * spec.get("freers")).div_ceil(100);
        Funnel::new(spec, threads, wanted as u32, u64::MAX)
    },
    Description {
        name: "msgpass",
        summary: "many threads allocate messages, few free them",
        description: "Seven of eight threads allocate messages of 32 B to 1 KiB and put them in small batches into \
            the queue of one of the others, which frees them. One thread alone does both. Our own, as in many \
            suites. A few threads lock one arena after the other while its owner allocates there, and fill \
            their own caches with memory that they never use. Queues are short, so that producers wait when the \
            freers fall behind: what the freers can do is the throughput. Look at throughput against \
            producer-consumer, at system time and voluntary switches.",
        unit: "messages",
        params: &[
            Param::ops(5_000_000),
            Param::WARMUP,
            Param::TOUCH,
            SIZE_MIN,
            SIZE_MAX,
            Param::count("batch", 16, 1, 1_000_000, "messages put into a queue at once"),
            Param::count("queued", 4_096, 1, 100_000_000, "messages that can wait for one freer"),
            Param::percent("freers", 13, "threads that free (at least one, and at least one that allocates)"),
        ],
        replaces_threads: false,
        hidden: false,
    }
);

funnel!(
    /// One thread frees for all the others, which live shortly.
    LotsOfThreads,
    |spec, threads| Funnel::new(spec, threads, 1, spec.get("lifetime")),
    Description {
        name: "lots-of-threads",
        summary: "short-lived threads allocate, one thread frees for all of them",
        description: "All threads but one allocate messages of 32 B to 1 KiB, a thousand each, pass them to the last \
            one and end; successors go on. The last thread frees everything. Our own, for servers that start a \
            thread for each connection and log or send through one; run it with 64 threads or more. \
            Arenas lose their threads while their memory is still under way, and one thread frees into all of \
            them in turn. Look at the number of arenas, at free bytes inside them, and at RSS after the drain.",
        unit: "messages",
        params: &[
            Param::ops(5_000_000),
            Param::WARMUP,
            Param::TOUCH,
            SIZE_MIN,
            SIZE_MAX,
            Param::count("batch", 50, 1, 1_000_000, "messages put into the queue at once"),
            Param::count("queued", 20_000, 1, 100_000_000, "messages that can wait"),
            Param::count("lifetime", 1_000, 1, 1 << 40, "messages that a thread allocates before it ends"),
        ],
        replaces_threads: true,
        hidden: false,
    }
);
