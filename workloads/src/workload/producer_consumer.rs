//! `producer-consumer`: some threads allocate, others free.

use std::collections::VecDeque;

use super::Workload;
use crate::catalogue::{Description, Param};
use crate::engine::actor::Actor;
use crate::engine::crew::even_share;
use crate::engine::mailbox::Mailbox;
use crate::heap::{Heap, Object};
use crate::random::Sizes;
use crate::spec::Spec;

/// Batches that can be on their way to one consumer.
const IN_FLIGHT: usize = 4;

/// The pattern.
pub struct ProducerConsumer {
    sizes: Sizes,
    batch: usize,
    backlog: usize,
    threads: u32,
    producers: u32,
    /// One for each consumer.
    inboxes: Vec<Mailbox<Object>>,
}

/// What a seat holds.
pub enum Seat {
    /// Allocates, and sends batches.
    Producer {
        /// Its number among the producers.
        number: u32,
        /// The batch being filled.
        batch: Vec<Object>,
    },
    /// Receives batches, and frees the oldest objects.
    Consumer {
        /// Its number among the consumers.
        number: u32,
        /// What just came in.
        arrived: Vec<Object>,
        /// The backlog.
        held: VecDeque<Object>,
    },
    /// Both, for itself: where there is only one thread.
    Alone(VecDeque<Object>),
}

impl ProducerConsumer {
    fn consumers(&self) -> u64 {
        self.inboxes.len() as u64
    }

    /// Of `ops` objects, those that consumer `number` receives. Producer p's batch k goes to consumer p + k.
    fn received(&self, ops: u64, number: u32) -> u64 {
        let (consumers, batch) = (self.consumers(), self.batch as u64);
        let from = |producer: u32| {
            let objects = even_share(ops, self.producers, producer);
            let first = (u64::from(number) + consumers - u64::from(producer) % consumers) % consumers;
            let batches = objects.div_ceil(batch);
            let mine = batches.saturating_sub(first).div_ceil(consumers);
            let ends_here = mine > 0 && (batches - 1 - first).is_multiple_of(consumers);
            mine * batch - if ends_here { batches * batch - objects } else { 0 }
        };
        (0..self.producers).map(from).sum()
    }

    fn produce<H: Heap>(
        &self,
        number: u32,
        batch: &mut Vec<Object>,
        actor: &mut Actor<H>,
        objects: u64,
        counted: bool,
    ) {
        let mut to = number as usize % self.inboxes.len();
        for made in 1..=objects {
            let size = self.sizes.draw(&mut actor.rng);
            batch.push(actor.malloc(size));
            if counted {
                actor.operation();
            }
            if batch.len() == self.batch || made == objects {
                self.inboxes[to].put(batch);
                to = (to + 1) % self.inboxes.len();
            }
        }
    }

    fn consume<H: Heap>(&self, seat: &mut Seat, actor: &mut Actor<H>, objects: u64) {
        let Seat::Consumer { number, arrived, held } = seat else { return };
        let mut left = objects;
        while left > 0 {
            self.inboxes[*number as usize].take(arrived, self.batch);
            left -= arrived.len() as u64;
            for object in arrived.drain(..) {
                self.hold(held, object, actor);
            }
        }
    }

    /// Keeps an object, and frees the oldest where that is one too many.
    fn hold<H: Heap>(&self, held: &mut VecDeque<Object>, object: Object, actor: &mut Actor<H>) {
        if held.len() >= self.backlog
            && let Some(oldest) = held.pop_front()
        {
            actor.free(oldest);
        }
        held.push_back(object);
    }

    fn run<H: Heap>(&self, seat: &mut Seat, actor: &mut Actor<H>, ops: u64, counted: bool) {
        match seat {
            Seat::Producer { number, batch } => self.produce(*number, batch, actor, ops, counted),
            Seat::Consumer { .. } => self.consume(seat, actor, ops),
            Seat::Alone(held) => {
                for _ in 0..ops {
                    let size = self.sizes.draw(&mut actor.rng);
                    let object = actor.malloc(size);
                    self.hold(held, object, actor);
                    if counted {
                        actor.operation();
                    }
                }
            }
        }
    }
}

impl Workload for ProducerConsumer {
    type Seat = Seat;

    const DESCRIPTION: Description = Description {
        name: "producer-consumer",
        summary: "some threads allocate, others free what they get, in batches",
        description: "Half of the threads allocate objects of log-uniform size and send them on in batches; the \
            other half keeps a backlog of what it receives and frees the oldest. No object is ever freed by the \
            thread that allocated it. With one thread alone it does both. After xmalloc-test (Lever and Boreham, \
            Malloc Performance in a Multithreaded Linux Environment, USENIX 2000); unlike the original, \
            batches go to the consumers in turn through bounded queues, so that the work is the same in every \
            run. It stresses frees into another thread's arena: its lock, the thread caches that fill up on the \
            freeing side and run empty on the other. Look at throughput, system time and voluntary switches.",
        unit: "objects",
        params: &[
            Param::ops(6_000_000),
            Param::WARMUP,
            Param::TOUCH,
            Param::bytes("size_min", 16, 1, 1 << 30, "smallest object"),
            Param::bytes("size_max", 4 << 10, 1, 1 << 30, "largest object"),
            Param::count("batch", 256, 1, 1_000_000, "objects sent at once"),
            Param::count(
                "backlog",
                20_000,
                1,
                100_000_000,
                "objects that each consumer holds before it frees",
            ),
            Param::percent(
                "producers",
                50,
                "threads that allocate (at least one, and at least one that frees)",
            ),
        ],
        replaces_threads: false,
        hidden: false,
    };

    fn new(spec: &Spec, threads: u32) -> Self {
        let wanted = (u64::from(threads) * spec.get("producers")).div_ceil(100) as u32;
        let producers = wanted.clamp(1, threads.saturating_sub(1).max(1));
        let batch = spec.get("batch") as usize;
        let consumers = threads.saturating_sub(producers).max(1);
        Self {
            sizes: Sizes::log_uniform(spec.get("size_min"), spec.get("size_max")),
            batch,
            backlog: spec.get("backlog") as usize,
            threads,
            producers,
            inboxes: (0..consumers).map(|_| Mailbox::new(batch.saturating_mul(IN_FLIGHT))).collect(),
        }
    }

    fn seat(&self, index: u32) -> Seat {
        if self.threads == 1 {
            return Seat::Alone(VecDeque::with_capacity(self.backlog));
        }
        match index.checked_sub(self.producers) {
            Some(number) => Seat::Consumer {
                number,
                arrived: Vec::with_capacity(self.batch),
                held: VecDeque::with_capacity(self.backlog),
            },
            None => Seat::Producer { number: index, batch: Vec::with_capacity(self.batch) },
        }
    }

    fn share(&self, ops: u64, index: u32) -> u64 {
        match index.checked_sub(self.producers) {
            Some(number) => self.received(ops, number),
            None => even_share(ops, self.producers, index),
        }
    }

    fn setup<H: Heap>(&self, seat: &mut Seat, actor: &mut Actor<H>) {
        let all = self.backlog as u64 * self.consumers();
        let ops = match seat {
            Seat::Producer { number, .. } => even_share(all, self.producers, *number),
            Seat::Consumer { number, .. } => self.received(all, *number),
            Seat::Alone(_) => all,
        };
        self.run(seat, actor, ops, false);
    }

    fn work<H: Heap>(&self, seat: &mut Seat, actor: &mut Actor<H>, ops: u64, _steady: bool) {
        self.run(seat, actor, ops, true);
    }

    fn drain<H: Heap>(&self, seat: &mut Seat, actor: &mut Actor<H>) {
        match seat {
            Seat::Consumer { held, .. } | Seat::Alone(held) => {
                held.drain(..).for_each(|object| actor.free(object));
            }
            Seat::Producer { .. } => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sent_is_what_is_expected() {
        for threads in [2, 3, 4, 7, 16] {
            for producers in [10, 50, 90] {
                let text = format!("producer-consumer:batch=7,producers={producers}%");
                let pattern = ProducerConsumer::new(&text.parse().unwrap(), threads);
                let consumers = threads - pattern.producers;
                for ops in [0, 1, 6, 7, 8, 100, 12_345] {
                    let mut sent = vec![0u64; consumers as usize];
                    for producer in 0..pattern.producers {
                        let objects = even_share(ops, pattern.producers, producer);
                        for object in 0..objects {
                            sent[((u64::from(producer) + object / 7) % u64::from(consumers)) as usize] += 1;
                        }
                    }
                    let expected: Vec<u64> = (0..consumers).map(|c| pattern.received(ops, c)).collect();
                    assert_eq!(sent, expected, "{threads} threads, {producers} %, {ops} ops");
                }
            }
        }
    }
}
