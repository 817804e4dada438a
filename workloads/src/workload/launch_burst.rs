//! `launch-burst`: a tenfold burst of requests on a pool of threads, most of which are replaced again and again.

use std::collections::VecDeque;

use arenalab_wire::telemetry::Stage;

use super::burst::{Step, of_each, rises, stage, turns, wanted_depth};
use super::{Workload, phases, room};
use crate::catalogue::{Description, Param};
use crate::engine::actor::Actor;
use crate::engine::crew::even_share;
use crate::heap::Heap;
use crate::object::Object;
use crate::random::Sizes;
use crate::spec::Spec;

/// A request: its context and its answer.
const CONTEXT: usize = 1 << 10;

/// The pattern.
pub struct LaunchBurst {
    threads: u32,
    depth: usize,
    burst: usize,
    bursts: u64,
    lifetime: u64,
    phases: [u64; 2],
    answers: Sizes,
    /// Whether the requests suffice for the pile of each thread to rise as far as it is meant to.
    rises: bool,
    step: Step,
}

/// What a seat holds.
pub struct Seat {
    index: u32,
    waiting: VecDeque<[Object; 2]>,
    /// Requests of the steady phase so far.
    done: u64,
}

impl Workload for LaunchBurst {
    type Seat = Seat;

    const DESCRIPTION: Description = Description {
        name: "launch-burst",
        summary: "requests pile up tenfold and go down again, on threads that come and go",
        description: "Each thread takes requests in, a context and an answer of log-normal size, and keeps some of \
            them waiting; the oldest is done when there are too many. Several times in the steady phase the number \
            that waits rises tenfold, as when fans log in at release time and retries multiply the load, and falls \
            again. The pool keeps its size, but three of four threads end after a while, and others take their \
            place and their requests. More than 16 threads keep as many requests waiting as 16, live shorter, and have their bursts together. \
            From such incidents; our own pattern. It \
            stresses growth, arenas left by threads, and what the burst leaves behind. Look at RSS after a burst \
            against before, after the drain, and at the number of arenas.",
        unit: "requests",
        params: &[
            Param::ops(11_000_000),
            Param::WARMUP,
            Param::TOUCH,
            Param::count("depth", 500, 1, 1_000_000, "requests that wait in each thread outside bursts"),
            Param::count("burst", 10, 1, 1000, "how many times more wait in a burst"),
            Param::count("bursts", 3, 0, 1_000_000, "bursts in the steady phase"),
            Param::count(
                "lifetime",
                100_000,
                1,
                1 << 40,
                "requests that one of the threads that are replaced takes in",
            ),
            Param::bytes(
                "answer_median",
                2 << 10,
                64,
                1 << 24,
                "median answer; the largest is 64 times that",
            ),
        ],
        replaces_threads: true,
        hidden: false,
    };

    fn new(spec: &Spec, threads: u32) -> Self {
        let median = spec.get("answer_median");
        let (depth, burst) = (of_each(spec.get("depth"), threads) as usize, spec.get("burst") as usize);
        let (bursts, phases) = (spec.get("bursts"), phases(spec));
        Self {
            threads,
            depth,
            burst,
            bursts,
            lifetime: of_each(spec.get("lifetime"), threads),
            phases,
            rises: rises(depth, burst, bursts, phases[1] / u64::from(threads)),
            step: Step::new(threads, threads),
            answers: Sizes::log_normal(median, 1.0, 64, median * 64),
        }
    }

    fn seat(&self, index: u32) -> Seat {
        let ops = self.phases.map(|ops| self.share(ops, index)).iter().sum();
        Seat { index, waiting: VecDeque::with_capacity(room(self.depth * self.burst + 1, ops)), done: 0 }
    }

    fn share(&self, ops: u64, index: u32) -> u64 {
        even_share(ops, self.threads, index)
    }

    fn lifetime(&self, index: u32) -> u64 {
        if index.is_multiple_of(4) { u64::MAX } else { self.lifetime }
    }

    fn setup<H: Heap>(&self, _seat: &mut Seat, _actor: &mut Actor<H>) {}

    fn work<H: Heap>(&self, seat: &mut Seat, actor: &mut Actor<H>, ops: u64, steady: bool) {
        let total = self.share(self.phases[1], seat.index);
        for _ in 0..ops {
            let size = self.answers.draw(&mut actor.rng);
            seat.waiting.push_back([actor.malloc(CONTEXT), actor.malloc(size)]);
            let bursts = if steady { self.bursts } else { 0 };
            let wanted = wanted_depth(self.depth, self.burst, bursts, seat.done, total);
            let bursts = if self.rises { bursts } else { 0 };
            // A pile that the warm-up was too short for is not what it is before a burst.
            let full = seat.waiting.len() > self.depth;
            let now = if full { stage(bursts, seat.done, total) } else { Stage::None };
            let meeting = self.step.gather(|| turns(bursts, seat.done, total));
            actor.stage(now);
            Step::go_on(meeting);
            while seat.waiting.len() > wanted
                && let Some([context, answer]) = seat.waiting.pop_front()
            {
                actor.free(answer);
                actor.free(context);
            }
            seat.done += u64::from(steady);
            actor.operation();
        }
        if steady && actor.left == 0 {
            self.step.leave();
        }
    }

    fn drain<H: Heap>(&self, seat: &mut Seat, actor: &mut Actor<H>) {
        seat.waiting.drain(..).flatten().for_each(|object| actor.free(object));
    }
}
