//! `fan-out`: one request becomes a hundred calls on other threads.

use super::{Workload, phases};
use crate::catalogue::{Description, Param};
use crate::engine::actor::Actor;
use crate::engine::crew::even_share;
use crate::engine::mailbox::Mailbox;
use crate::heap::Heap;
use crate::object::Object;
use crate::random::Sizes;
use crate::spec::Spec;

/// The pattern.
pub struct FanOut {
    /// Threads that take requests in.
    fronts: u32,
    phases: [u64; 2],
    servers: u32,
    alone: bool,
    width: usize,
    /// Requests that a thread has under way before it waits for replies.
    pending: usize,
    calls: Sizes,
    replies: Sizes,
    /// One for each thread that serves calls. All calls that can be under way to it fit, so that who asks waits for
    /// replies only.
    inner: Vec<Mailbox<Call>>,
    /// One for each thread that takes requests in. The replies of all it has under way fit, so that nobody who
    /// serves ever waits for one who asks.
    answers: Vec<Mailbox<Object>>,
}

/// A call on its way, and who waits for it.
struct Call {
    request: Object,
    front: u32,
}

/// What a seat has in hand; nothing between two phases.
pub struct Seat {
    index: u32,
    /// Replies that are still to come.
    awaited: usize,
    calls: Vec<Call>,
    objects: Vec<Object>,
}

impl FanOut {
    /// Requests that front `index` can have under way.
    fn requests(&self, index: u32) -> usize {
        let most = self.phases.map(|ops| even_share(ops, self.fronts, index)).into_iter().max();
        self.pending.min(most.unwrap_or(0) as usize)
    }

    /// Calls that can be under way to server `number`: its part of all requests of all who ask.
    fn under_way(&self, number: u32) -> usize {
        let requests: usize = (0..self.fronts).map(|front| self.requests(front)).sum();
        requests * self.part(number) as usize
    }

    /// Calls of each request that server `number` gets.
    fn part(&self, number: u32) -> u64 {
        even_share(self.width as u64, self.servers, number)
    }

    fn serve<H: Heap>(&self, call: Call, actor: &mut Actor<H>) -> Object {
        let size = self.replies.draw(&mut actor.rng);
        let reply = actor.malloc(size);
        actor.free(call.request);
        reply
    }

    /// Takes a request in: sends its calls, and frees replies as they come until few enough requests are under way.
    fn ask<H: Heap>(&self, seat: &mut Seat, actor: &mut Actor<H>) {
        for (number, server) in self.inner.iter().enumerate() {
            for _ in 0..self.part(number as u32) {
                let size = self.calls.draw(&mut actor.rng);
                seat.calls.push(Call { request: actor.malloc(size), front: seat.index });
            }
            if self.alone {
                let replies = seat.calls.drain(..).map(|call| self.serve(call, actor));
                seat.objects.extend(replies);
                seat.objects.drain(..).for_each(|reply| actor.free(reply));
                return;
            }
            server.put(&mut seat.calls);
        }
        seat.awaited += self.width;
        self.collect(seat, actor, (self.pending - 1) * self.width);
    }

    /// Frees replies until no more than `rest` are still to come.
    fn collect<H: Heap>(&self, seat: &mut Seat, actor: &mut Actor<H>, rest: usize) {
        while seat.awaited > rest {
            self.answers[seat.index as usize].take(&mut seat.objects, self.width);
            seat.awaited -= seat.objects.len();
            seat.objects.drain(..).for_each(|reply| actor.free(reply));
        }
    }

    fn serve_all<H: Heap>(&self, number: u32, seat: &mut Seat, actor: &mut Actor<H>, calls: u64) {
        let mut left = calls;
        while left > 0 {
            self.inner[number as usize].take(&mut seat.calls, self.width);
            left -= seat.calls.len() as u64;
            for call in seat.calls.drain(..) {
                let front = call.front as usize;
                seat.objects.push(self.serve(call, actor));
                self.answers[front].put(&mut seat.objects);
            }
        }
    }
}

impl Workload for FanOut {
    type Seat = Seat;

    const DESCRIPTION: Description = Description {
        name: "fan-out",
        summary: "one request becomes a hundred calls on other threads, joined by queues",
        description: "A quarter of the threads take requests in: each allocates a hundred calls of 128 B to 2 KiB, \
            spreads them over the queues of the other threads, and frees the replies as they come, with four \
            requests under way. Those free the call, which another thread has allocated, and allocate the reply, which another thread will free. \
            One thread alone does both. From services where one request becomes a hundred inner calls. Memory \
            crosses threads both ways in bursts, and the queues make threads wait, by design. It stresses remote \
            frees in both directions and caches that fill on one side and run empty on the other. Look at \
            throughput, system time and voluntary switches against the arena limit.",
        unit: "requests",
        params: &[
            Param::ops(16_000),
            Param::WARMUP,
            Param::TOUCH,
            Param::count("width", 100, 1, 100_000, "calls of a request"),
            Param::count("pending", 4, 1, 64, "requests that a thread has under way"),
            Param::bytes("call_min", 128, 1, 1 << 30, "smallest call"),
            Param::bytes("call_max", 2 << 10, 1, 1 << 30, "largest call"),
            Param::bytes("reply_min", 256, 1, 1 << 30, "smallest reply"),
            Param::bytes("reply_max", 16 << 10, 1, 1 << 30, "largest reply"),
        ],
        replaces_threads: false,
        hidden: false,
    };

    fn new(spec: &Spec, threads: u32) -> Self {
        let fronts = (threads / 4).max(1);
        let servers = threads.saturating_sub(fronts).max(1);
        let (width, pending) = (spec.get("width") as usize, spec.get("pending") as usize);
        let mut pattern = Self {
            fronts,
            phases: phases(spec),
            servers,
            alone: threads == 1,
            width,
            pending,
            calls: Sizes::log_uniform(spec.get("call_min"), spec.get("call_max")),
            replies: Sizes::log_uniform(spec.get("reply_min"), spec.get("reply_max")),
            inner: Vec::new(),
            answers: Vec::new(),
        };
        pattern.inner = (0..servers).map(|number| Mailbox::new(pattern.under_way(number))).collect();
        pattern.answers = (0..fronts).map(|front| Mailbox::new(width * pattern.requests(front))).collect();
        pattern
    }

    fn seat(&self, index: u32) -> Seat {
        // Who serves answers one call after the other.
        let (calls, objects) = match index.checked_sub(self.fronts) {
            None => (self.part(0) as usize, self.width),
            Some(number) => (self.width.min(self.under_way(number)), 1),
        };
        Seat { index, awaited: 0, calls: Vec::with_capacity(calls), objects: Vec::with_capacity(objects) }
    }

    fn share(&self, ops: u64, index: u32) -> u64 {
        match index.checked_sub(self.fronts) {
            None => even_share(ops, self.fronts, index),
            Some(number) => ops * self.part(number),
        }
    }

    fn setup<H: Heap>(&self, _seat: &mut Seat, _actor: &mut Actor<H>) {}

    fn work<H: Heap>(&self, seat: &mut Seat, actor: &mut Actor<H>, ops: u64, _steady: bool) {
        if let Some(number) = seat.index.checked_sub(self.fronts) {
            self.serve_all(number, seat, actor, ops);
            return;
        }
        for _ in 0..ops {
            self.ask(seat, actor);
            actor.operation();
        }
        self.collect(seat, actor, 0);
    }

    fn drain<H: Heap>(&self, _seat: &mut Seat, _actor: &mut Actor<H>) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_queues_of_all_who_serve_hold_what_can_be_under_way_and_no_more() {
        for (subject, width, pending, ops) in [
            ("fan-out", 100, 4, 16_000),
            ("fan-out:width=1,pending=1", 1, 1, 16_000),
            ("fan-out:width=100k,pending=64,ops=1,warmup=0", 100_000, 64, 1),
        ] {
            let spec: Spec = subject.parse().unwrap();
            for threads in [1, 2, 5, 512] {
                let pattern = FanOut::new(&spec, threads);
                let all: usize = (0..pattern.servers).map(|number| pattern.under_way(number)).sum();
                let requests = ops.min(pattern.fronts as usize * pending);
                assert_eq!(all, requests * width, "{subject} with {threads} threads");
            }
        }
    }
}
