//! `xmalloc`: producers and consumers with large batches, after Lever and Boreham (USENIX 2000).

use std::sync::{Mutex, PoisonError};

use super::Workload;
use crate::catalogue::{Description, Param};
use crate::engine::actor::Actor;
use crate::engine::crew::even_share;
use crate::engine::mailbox::Mailbox;
use crate::heap::Heap;
use crate::object::{Object, Touch};
use crate::random::Rng;
use crate::spec::Spec;

/// Sizes in bytes, all equally likely: powers of two with a step between.
const SIZES: [usize; 17] = [8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048];

/// The pattern.
pub struct Xmalloc {
    batch: usize,
    /// Bytes of every object; drawn from [`SIZES`] where it is 0.
    size: usize,
    touch: Touch,
    producers: u32,
    consumers: u32,
    alone: bool,
    full: Mailbox<Batch>,
    /// Buffers that are free, the last one used on top: there are as many as batches have been under way at once.
    empty: Mutex<Vec<Vec<Object>>>,
}

/// Objects under way, with the block that the program itself would list them in.
struct Batch {
    list: Object,
    objects: Vec<Object>,
}

/// What a seat holds between two batches: nothing but room for the next.
pub struct Seat {
    role: Role,
    arrived: Vec<Batch>,
}

#[derive(Clone, Copy)]
enum Role {
    Producer,
    Consumer,
    Alone,
}

impl Xmalloc {
    /// Consumers are there first, as in the original: what is made before they are piles up.
    fn role(&self, index: u32) -> Role {
        match index % 2 {
            _ if self.alone => Role::Alone,
            0 => Role::Consumer,
            _ => Role::Producer,
        }
    }

    fn buffer(&self) -> Vec<Object> {
        let free = self.empty.lock().unwrap_or_else(PoisonError::into_inner).pop();
        free.unwrap_or_else(|| Vec::with_capacity(self.batch))
    }

    fn give_back(&self, buffer: Vec<Object>) {
        self.empty.lock().unwrap_or_else(PoisonError::into_inner).push(buffer);
    }

    fn fill<H: Heap>(&self, mut objects: Vec<Object>, actor: &mut Actor<H>, count: usize) -> Batch {
        let list = actor.malloc((self.batch + 1) * size_of::<usize>());
        let size = |rng: &mut Rng| if self.size == 0 { SIZES[rng.below(SIZES.len())] } else { self.size };
        actor.touching(self.touch, |actor| actor.malloc_each(count, &mut objects, size));
        actor.operations(count as u64);
        Batch { list, objects }
    }
}

/// Frees a batch; its buffer.
fn free<H: Heap>(mut batch: Batch, actor: &mut Actor<H>) -> Vec<Object> {
    actor.free_each(batch.objects.drain(..));
    actor.free(batch.list);
    batch.objects
}

impl Workload for Xmalloc {
    type Seat = Seat;

    const DESCRIPTION: Description = Description {
        name: "xmalloc",
        summary: "producers allocate batches of 4096, consumers free them",
        description: "Half of the threads allocate objects of 64 B and push them in batches of 4096 \
            into one queue; the other half takes batches out, the newest first, and frees them, the list of the batch last. One \
            thread alone does both. After xmalloc-test (Lever and Boreham, Malloc Performance in a Multithreaded \
            Linux Environment, USENIX 2000, with the size that mimalloc-bench runs; size=0 draws from the seventeen \
            sizes of its -s -1); N threads here are its -w N/2. On x86-64 touch=2 writes with the string instruction that GCC makes \
            of its memset, which on some processors takes longer than the malloc before it. Unlike in the original, consumers \
            take equal numbers of batches, the work is fixed instead of the time, and objects of more than 128 B are \
            written all over. Every free goes to another thread's arena: it stresses the arena's lock from outside while its \
            owner allocates. Look at throughput, system time and peak RSS, which tells how far the producers \
            run ahead.",
        unit: "objects",
        params: &[
            Param::ops(18_000_000),
            Param::WARMUP,
            Param::TOUCH_ALL,
            Param::count("batch", 4096, 1, 1_000_000, "objects in a batch"),
            Param::count("queued", 100, 1, 100_000, "batches that can wait in the queue"),
            Param::bytes("size", 64, 0, 1 << 30, "size of all objects; 0 draws from 8 B to 2 KiB"),
        ],
        replaces_threads: false,
        hidden: false,
    };

    fn new(spec: &Spec, threads: u32) -> Self {
        let (batch, queued) = (spec.get("batch") as usize, spec.get("queued") as usize);
        Self {
            batch,
            size: spec.get("size") as usize,
            touch: match Touch::from_parameter(spec.get("touch")) {
                Touch::All => Touch::AllByString,
                other => other,
            },
            producers: (threads / 2).max(1),
            consumers: threads - threads / 2,
            alone: threads == 1,
            full: Mailbox::new(queued),
            empty: Mutex::default(),
        }
    }

    fn seat(&self, index: u32) -> Seat {
        Seat { role: self.role(index), arrived: Vec::with_capacity(1) }
    }

    fn share(&self, ops: u64, index: u32) -> u64 {
        let among_its_kind = index / 2;
        if let Role::Producer | Role::Alone = self.role(index) {
            return even_share(ops, self.producers, among_its_kind);
        }
        let batches = |producer| even_share(ops, self.producers, producer).div_ceil(self.batch as u64);
        even_share((0..self.producers).map(batches).sum(), self.consumers, among_its_kind)
    }

    /// Producers take their arenas before the first consumer does, as in the original, where they begin as soon as they
    /// are there: so none has more of them than another.
    fn setup<H: Heap>(&self, seat: &mut Seat, actor: &mut Actor<H>) {
        if let Role::Producer = seat.role {
            let list = actor.malloc((self.batch + 1) * size_of::<usize>());
            actor.free(list);
        }
    }

    fn work<H: Heap>(&self, seat: &mut Seat, actor: &mut Actor<H>, ops: u64, _steady: bool) {
        let mut left = ops;
        while left > 0 {
            if let Role::Consumer = seat.role {
                self.full.take_newest(&mut seat.arrived);
                left -= seat.arrived.len() as u64;
                seat.arrived.drain(..).for_each(|batch| self.give_back(free(batch, actor)));
                continue;
            }
            let count = left.min(self.batch as u64);
            left -= count;
            let batch = self.fill(self.buffer(), actor, count as usize);
            if let Role::Producer = seat.role {
                seat.arrived.push(batch);
                self.full.put(&mut seat.arrived);
            } else {
                self.give_back(free(batch, actor));
            }
        }
    }

    fn drain<H: Heap>(&self, _seat: &mut Seat, _actor: &mut Actor<H>) {}
}
