//! `rptest`: mixed sizes in scattered slots, bundles freed by other threads, after Jansson's benchmark.

use super::{Workload, room, warmup_ops};
use crate::catalogue::{Description, Param};
use crate::engine::actor::Actor;
use crate::engine::crew::even_share;
use crate::engine::mailbox::Mailbox;
use crate::engine::meeting::Meeting;
use crate::heap::Heap;
use crate::object::{Object, Touch};
use crate::random::{Recording, Rng, Tape};
use crate::spec::Spec;

/// A bundle's header: what it holds, for whom, and the next one.
const HEADER: usize = 32;
/// Bundles that can lie in a thread's inbox; its sender frees what does not fit.
const INBOX: usize = 64;
/// A loop allocates this share of `burst`, in percent.
const LEAST: usize = 30;
const MOST: usize = 99;

/// The pattern.
pub struct Rptest {
    threads: u32,
    slots: usize,
    burst: usize,
    size_min: usize,
    size_max: usize,
    shape: u64,
    cross: u64,
    /// Distances between slots that are filled, and that are freed, one after the other.
    scatter: (usize, usize),
    /// What lies in an inbox at most, with the places that list it; none where no bundle is sent.
    inbox: usize,
    inboxes: Vec<Mailbox<Object>>,
    sizes_drawn: Recording,
    /// Loops after which all meet, and free all that they hold.
    iteration: u64,
    meeting: Meeting,
}

/// Iterations of a thread's life.
const ITERATIONS: u64 = 2;
/// Generations of threads of the original.
const GENERATIONS: u64 = 2;
/// Smaller objects are aligned, two of three.
const PAGE: usize = 4096;
/// Bytes of an object's head, where the original keeps its size.
const HEAD: usize = 4;

/// Sizes drawn beforehand, as many as the original has in its table.
const SIZES: usize = 2000;

/// What a seat holds.
pub struct Seat {
    index: u32,
    slots: Vec<Option<Object>>,
    fill_at: usize,
    free_at: usize,
    loops: u64,
    target: u32,
    bundle: Vec<Object>,
    sizes: Tape,
    /// Counts objects.
    made: u64,
}

/// Reads an object's head and frees it.
fn free<H: Heap>(actor: &mut Actor<H>, object: Object) {
    actor.read(&object, HEAD);
    actor.free(object);
}

impl Seat {
    /// An object of the next size. Small ones are aligned to 8 and to 16 bytes in turns, and then written all over, or come
    /// from `calloc` as large ones do.
    fn object<H: Heap>(&mut self, actor: &mut Actor<H>) -> Object {
        let size = self.sizes.play();
        self.made += 1;
        match self.made % 3 {
            turn @ 1..3 if size < PAGE => aligned(actor, 8 << (turn - 1), size),
            _ => actor.calloc(size),
        }
    }
}

fn aligned<H: Heap>(actor: &mut Actor<H>, align: usize, size: usize) -> Object {
    actor.touching(Touch::All, |actor| actor.aligned_alloc(align, size))
}

/// The smallest prime above `above` and 6 that does not divide `slots`: steps of it reach every slot.
fn prime(slots: usize, above: usize) -> usize {
    let is_prime = |n: usize| (2..n).take_while(|d| d * d <= n).all(|d| !n.is_multiple_of(d));
    let mut candidate = above.max(6) + 1;
    while !is_prime(candidate) || slots.is_multiple_of(candidate) {
        candidate += 1;
    }
    candidate
}

impl Rptest {
    /// Even, falling linearly, or falling exponentially over the range.
    fn size(&self, rng: &mut Rng) -> usize {
        let even = (self.size_max - self.size_min) as f64 * rng.unit();
        let share = match self.shape {
            0 => 1.0,
            1 => (1.0 - rng.unit() - rng.unit()).abs(),
            _ => rng.unit() * rng.unit(),
        };
        self.size_min + (even * share) as usize
    }

    /// The slot that is `step` slots, all of them at most, after one.
    fn after(&self, slot: usize, step: usize) -> usize {
        let next = slot + step;
        if next >= self.slots { next - self.slots } else { next }
    }

    fn free_some<H: Heap>(&self, seat: &mut Seat, actor: &mut Actor<H>) {
        let frees = self.burst * actor.rng.between(LEAST, MOST) * 8 / 1000;
        for _ in 0..frees {
            if let Some(object) = seat.slots[seat.free_at].take() {
                free(actor, object);
            }
            seat.free_at = self.after(seat.free_at, self.scatter.1);
        }
    }

    fn free_foreign<H: Heap>(&self, seat: &mut Seat, actor: &mut Actor<H>) {
        self.inboxes[seat.index as usize].try_take(&mut seat.bundle, usize::MAX);
        seat.bundle.drain(..).for_each(|object| free(actor, object));
    }

    fn free_own<H: Heap>(seat: &mut Seat, actor: &mut Actor<H>) {
        seat.slots.iter_mut().filter_map(Option::take).for_each(|object| free(actor, object));
    }

    fn fill<H: Heap>(&self, seat: &mut Seat, actor: &mut Actor<H>, count: usize) {
        for _ in 0..count {
            if let Some(object) = seat.slots[seat.fill_at].take() {
                free(actor, object);
            }
            seat.slots[seat.fill_at] = Some(seat.object(actor));
            seat.fill_at = self.after(seat.fill_at, self.scatter.0);
        }
    }

    /// Makes a bundle for the next of the other threads.
    fn send<H: Heap>(&self, seat: &mut Seat, actor: &mut Actor<H>, count: usize) {
        let header = aligned(actor, 16, HEADER);
        let list = aligned(actor, 16, count * size_of::<usize>());
        for _ in 0..count {
            let object = seat.object(actor);
            seat.bundle.push(object);
        }
        seat.bundle.extend([list, header]);
        seat.target = (seat.target + 1) % self.threads;
        if seat.target == seat.index {
            seat.target = (seat.target + 1) % self.threads;
        }
        if !self.inboxes[seat.target as usize].try_put(&mut seat.bundle) {
            seat.bundle.drain(..).for_each(|object| free(actor, object));
        }
    }

    fn run_loop<H: Heap>(&self, seat: &mut Seat, actor: &mut Actor<H>) {
        self.free_some(seat, actor);
        self.free_foreign(seat, actor);
        let count = self.burst * actor.rng.between(LEAST, MOST) / 100;
        self.fill(seat, actor, count);
        if self.cross > 0 && seat.loops.is_multiple_of(self.cross) {
            self.send(seat, actor, count);
        }
        seat.loops += 1;
        actor.operation();
    }
}

impl Workload for Rptest {
    type Seat = Seat;

    const DESCRIPTION: Description = Description {
        name: "rptest",
        summary: "mixed sizes from 8 B to 16 kB in scattered slots, bundles freed by other threads",
        description: "A loop frees objects from scattered slots, frees the bundles that other threads have left, \
            fills scattered slots with new objects, and every other loop allocates a bundle that another thread \
            will free. A loop is 30 to 99 allocations; small objects are aligned, two of three, and the others are \
            from calloc. After 500 loops all threads meet, freeing meanwhile what still comes, and free all that they \
            hold; after two times 500 they end and the main thread starts others. After rptest (Jansson, \
            rpmalloc-benchmark) with the settings of mimalloc-bench, and as long: two generations of threads where ops is 0, \
            counted from the first object on, so that memory that is fresh from the system is a large part of it; \
            ops=60k, loops=100k, warmup=10 shows how it goes on. Which bundles are there at a loop's start \
            depends on timing; the sizes asked for do not: unlike in the original, whose threads make no more bundles once the first \
            of them is done. It stresses small and large bins together and remote \
            frees in bursts. Look at throughput, at peak RSS against live bytes, and at free bytes inside arenas.",
        unit: "loops",
        params: &[
            Param::OPS_AS_ORIGINAL,
            Param::NO_WARMUP,
            Param::TOUCH,
            Param::bytes("size_min", 8, 1, 1 << 30, "smallest object"),
            Param::bytes("size_max", 16_000, 1, 1 << 30, "largest object"),
            Param::count("shape", 1, 0, 2, "sizes: 0 even, 1 falling linearly, 2 falling exponentially"),
            Param::count("slots", 1_000, 1, 10_000_000, "objects that each thread can hold"),
            Param::count("burst", 100, 4, 100_000, "about 0.65 of this many allocations a loop"),
            Param::count(
                "cross",
                2,
                0,
                1_000_000,
                "every how many loops a bundle goes to another thread; 0 never",
            ),
            Param::count(
                "loops",
                500,
                1,
                1 << 40,
                "loops after which a thread frees all; it ends after two times",
            ),
        ],
        replaces_threads: true,
        hidden: false,
    };

    fn new(spec: &Spec, threads: u32) -> Self {
        let (slots, burst) = (spec.get("slots") as usize, spec.get("burst") as usize);
        let fill = prime(slots, 0);
        let cross = if threads == 1 { 0 } else { spec.get("cross") };
        let loops = match spec.get("ops") {
            0 => u64::MAX,
            steady => steady.saturating_add(warmup_ops(spec, steady)),
        };
        let inbox = if cross == 0 { 0 } else { room(INBOX, loops) * (burst + 2) };
        Self {
            threads,
            slots,
            burst,
            size_min: spec.get("size_min") as usize,
            size_max: spec.get("size_max") as usize,
            shape: spec.get("shape"),
            cross,
            inbox,
            scatter: (fill % slots, prime(slots, fill) % slots),
            inboxes: (0..threads).map(|_| Mailbox::new(inbox)).collect(),
            sizes_drawn: Recording::default(),
            iteration: spec.get("loops"),
            meeting: Meeting::new(threads),
        }
    }

    fn seat(&self, index: u32) -> Seat {
        let slots = (0..self.slots).map(|_| None).collect();
        Seat {
            index,
            slots,
            fill_at: 0,
            free_at: 0,
            loops: 0,
            target: 0,
            bundle: Vec::with_capacity(self.inbox),
            sizes: Tape::default(),
            made: 0,
        }
    }

    fn share(&self, ops: u64, index: u32) -> u64 {
        even_share(ops, self.threads, index)
    }

    fn usual_ops(&self) -> u64 {
        self.lifetime(0) * GENERATIONS * u64::from(self.threads)
    }

    fn lifetime(&self, _index: u32) -> u64 {
        self.iteration * ITERATIONS
    }

    fn in_generations(&self) -> bool {
        true
    }

    fn prepare<H: Heap>(&self, actor: &mut Actor<H>) {
        self.sizes_drawn.record(SIZES, || self.size(&mut actor.rng));
    }

    fn setup<H: Heap>(&self, seat: &mut Seat, actor: &mut Actor<H>) {
        seat.sizes = self.sizes_drawn.tape(&mut actor.rng);
    }

    fn work<H: Heap>(&self, seat: &mut Seat, actor: &mut Actor<H>, ops: u64, _steady: bool) {
        // The list that the program itself keeps its objects in.
        let list = aligned(actor, 16, self.slots * size_of::<usize>());
        self.meeting.begin();
        let mut left = ops;
        loop {
            let now = left.min(self.iteration);
            (0..now).for_each(|_| self.run_loop(seat, actor));
            left -= now;
            self.meeting.arrive_and_poll(left + actor.left, || self.free_foreign(seat, actor));
            self.free_foreign(seat, actor);
            Self::free_own(seat, actor);
            if left == 0 {
                return actor.free(list);
            }
        }
    }

    fn drain<H: Heap>(&self, seat: &mut Seat, actor: &mut Actor<H>) {
        self.free_foreign(seat, actor);
        Self::free_own(seat, actor);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scattered_walks_reach_every_slot() {
        for slots in [1, 7, 1000, 7 * 11 * 13] {
            let first = prime(slots, 0);
            for step in [first, prime(slots, first)] {
                let mut seen = vec![false; slots];
                (0..slots).for_each(|n| seen[n * step % slots] = true);
                assert!(seen.into_iter().all(|seen| seen), "{slots} in steps of {step}");
            }
        }
    }
}
