//! `lru-cache`: a cache of large entries behind many threads, with or without a leak.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::Workload;
use crate::catalogue::{Description, Param};
use crate::engine::actor::Actor;
use crate::engine::crew::even_share;
use crate::heap::Heap;
use crate::object::Object;
use crate::spec::Spec;

/// Parts of the cache, each with its own lock.
const SHARDS: usize = 16;
/// What stands in the index for an entry.
const NODE: usize = 96;
/// The answer to a request is built in a buffer of this size.
const ANSWER: usize = 4 << 10;

/// The pattern.
pub struct LruCache {
    threads: u32,
    entries: u64,
    hits: usize,
    leak: u64,
    size_min: usize,
    size_max: usize,
    shards: [Mutex<Vec<Entry>>; SHARDS],
}

struct Entry {
    node: Object,
    value: Object,
}

/// What a seat remembers.
pub struct Seat {
    index: u32,
    misses: u64,
}

impl LruCache {
    fn shard(&self, shard: usize) -> MutexGuard<'_, Vec<Entry>> {
        self.shards[shard].lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn capacity(&self, shard: usize) -> usize {
        even_share(self.entries, SHARDS as u32, shard as u32) as usize
    }

    fn entry<H: Heap>(&self, actor: &mut Actor<H>) -> Entry {
        let size = actor.rng.between(self.size_min, self.size_max);
        Entry { node: actor.malloc(NODE), value: actor.malloc(size) }
    }

    /// Puts a new entry in the place of a random one, which goes.
    fn renew<H: Heap>(&self, actor: &mut Actor<H>, shard: usize) {
        let entry = self.entry(actor);
        let place = actor.rng.below(self.capacity(shard));
        let old = std::mem::replace(&mut self.shard(shard)[place], entry);
        evict(old, actor);
    }
}

fn evict(Entry { node, value }: Entry, actor: &mut Actor<impl Heap>) {
    actor.free(value);
    actor.free(node);
}

impl Workload for LruCache {
    type Seat = Seat;

    const DESCRIPTION: Description = Description {
        name: "lru-cache",
        summary: "a cache of 20 to 40 KB entries; evicted by any thread; leaks on demand",
        description: "All threads ask one cache for entries: a hit builds an answer in a buffer, a miss allocates \
            an entry of 20 to 40 KB, puts it into one of sixteen parts and evicts a random one there, which mostly \
            another thread has allocated. With leak=N one miss in N loses an entry for ever, as happened where a \
            lock was missing; it is then live after the drain, by design. From an incident with a cache behind \
            a web service. It stresses large bins, top of heap and remote frees, and gives a known slope \
            to find. Look at the slope of RSS in the steady phase, with leak and without, and at free bytes \
            inside arenas.",
        unit: "requests",
        params: &[
            Param::ops(2_000_000),
            Param::WARMUP,
            Param::TOUCH,
            Param::count("entries", 2_000, 16, 100_000_000, "entries in the cache, over all threads"),
            Param::bytes("size_min", 20_000, 1, 1 << 30, "smallest entry"),
            Param::bytes("size_max", 40_000, 1, 1 << 30, "largest entry"),
            Param::percent("hits", 50, "requests that find their entry"),
            Param::count("leak", 0, 0, 1 << 40, "one miss of a thread in so many loses an entry; 0 never"),
        ],
        replaces_threads: false,
        hidden: false,
    };

    fn new(spec: &Spec, threads: u32) -> Self {
        let entries = spec.get("entries");
        let room = |shard| Vec::with_capacity(even_share(entries, SHARDS as u32, shard as u32) as usize);
        Self {
            threads,
            entries,
            hits: spec.get("hits") as usize,
            leak: spec.get("leak"),
            size_min: spec.get("size_min") as usize,
            size_max: spec.get("size_max") as usize,
            shards: std::array::from_fn(|shard| Mutex::new(room(shard))),
        }
    }

    fn seat(&self, index: u32) -> Seat {
        Seat { index, misses: 0 }
    }

    fn share(&self, ops: u64, index: u32) -> u64 {
        even_share(ops, self.threads, index)
    }

    fn setup<H: Heap>(&self, seat: &mut Seat, actor: &mut Actor<H>) {
        for entry in (u64::from(seat.index)..self.entries).step_by(self.threads as usize) {
            let shard = entry as usize % SHARDS;
            let entry = self.entry(actor);
            self.shard(shard).push(entry);
        }
    }

    fn work<H: Heap>(&self, seat: &mut Seat, actor: &mut Actor<H>, ops: u64, _steady: bool) {
        for _ in 0..ops {
            if actor.rng.chance(self.hits) {
                let answer = actor.malloc(ANSWER);
                actor.free(answer);
            } else {
                let shard = actor.rng.below(SHARDS);
                self.renew(actor, shard);
                seat.misses += 1;
                if self.leak > 0 && seat.misses.is_multiple_of(self.leak) {
                    let size = actor.rng.between(self.size_min, self.size_max);
                    // Lost: nobody will free it.
                    let _lost = actor.malloc(size);
                }
            }
            actor.operation();
        }
    }

    fn drain<H: Heap>(&self, seat: &mut Seat, actor: &mut Actor<H>) {
        for shard in (seat.index as usize..SHARDS).step_by(self.threads as usize) {
            self.shard(shard).drain(..).for_each(|entry| evict(entry, actor));
        }
    }
}
