//! `session-storm`: all sessions drop at once, and come back with back-off.

use arenalab_wire::telemetry::Stage;

use super::Workload;
use super::burst::{Step, of_each};
use crate::catalogue::{Description, Param};
use crate::engine::actor::Actor;
use crate::engine::crew::even_share;
use crate::heap::Heap;
use crate::object::Object;
use crate::random::Sizes;
use crate::spec::Spec;

/// Pieces of state of a session.
const STATE: usize = 6;
/// What a login attempt needs while it lasts.
const REQUEST: usize = 2 << 10;
/// While sessions come back, that many attempts fail for one that succeeds.
const RETRIES: usize = 4;

/// The pattern.
pub struct SessionStorm {
    threads: u32,
    sessions: usize,
    storms: u64,
    state: Sizes,
    /// Whether the logins suffice for all sessions to come back after each storm.
    come_back: bool,
    step: Step,
}

/// A session's memory.
type Session = [Object; STATE];

impl SessionStorm {
    fn log_in<H: Heap>(&self, actor: &mut Actor<H>) -> Session {
        let request = actor.malloc(REQUEST);
        let session = std::array::from_fn(|_| {
            let size = self.state.draw(&mut actor.rng);
            actor.malloc(size)
        });
        actor.free(request);
        session
    }

    /// Whether all sessions drop at operation `at`, `part` operations belonging to each storm.
    fn drops(&self, at: u64, part: u64) -> bool {
        part > 0 && at < part * self.storms && at % part == part / 2
    }

    /// Whether the last one has just come back at operation `at`.
    fn is_back(&self, at: u64, part: u64) -> bool {
        self.come_back
            && at.checked_sub(self.sessions as u64).is_some_and(|dropped| self.drops(dropped, part))
    }

    /// Where operation `at` stands, `part` operations belonging to each storm, with so many sessions logged in.
    fn stage(&self, at: u64, part: u64, present: usize) -> Stage {
        let last = part * (self.storms - 1) + part / 2;
        match at {
            _ if !self.come_back => Stage::None,
            at if at < part / 2 => Stage::Before,
            at if at > last && present == self.sessions => Stage::After,
            _ => Stage::Burst,
        }
    }

    /// A login that comes too early.
    fn fail(actor: &mut Actor<impl Heap>) {
        for _ in 0..RETRIES {
            let request = actor.malloc(REQUEST);
            actor.free(request);
        }
    }
}

fn log_out(session: Session, actor: &mut Actor<impl Heap>) {
    for object in session {
        actor.free(object);
    }
}

impl Workload for SessionStorm {
    type Seat = Vec<Session>;

    const DESCRIPTION: Description = Description {
        name: "session-storm",
        summary: "all sessions drop at once and come back with back-off, several times",
        description: "Each thread keeps sessions of six small objects; in quiet times a random one logs out and a \
            new one logs in. Several times in the steady phase all sessions of a thread drop at once, and then \
            come back one after the other, with failed attempts between. More than 16 threads have as many sessions \
            as 16, and drop them together. From the incident of a carrier that \
            failed and millions of sessions that dropped and returned. The quiet time before, the storm and the quiet \
            time after have equal live sets in the end, so that a difference in RSS is the allocator's. It \
            stresses mass frees, reuse of what they leave, and trimming. Look at RSS in the valleys, at its \
            peak, and after the last storm against before the first.",
        unit: "logins",
        params: &[
            Param::ops(5_000_000),
            Param::WARMUP,
            Param::TOUCH,
            Param::count("sessions", 8_000, 1, 10_000_000, "sessions of each thread"),
            Param::count("storms", 4, 0, 1_000_000, "storms in the steady phase"),
            Param::bytes("size_min", 32, 1, 1 << 30, "smallest piece of state"),
            Param::bytes("size_max", 1 << 10, 1, 1 << 30, "largest piece of state"),
        ],
        replaces_threads: false,
        hidden: false,
    };

    fn new(spec: &Spec, threads: u32) -> Self {
        let (sessions, storms) = (of_each(spec.get("sessions"), threads), spec.get("storms"));
        let part = (spec.get("ops") / u64::from(threads)).checked_div(storms).unwrap_or(0);
        Self {
            threads,
            sessions: sessions as usize,
            storms,
            come_back: part - part / 2 > sessions,
            step: Step::new(threads, threads),
            state: Sizes::log_uniform(spec.get("size_min"), spec.get("size_max")),
        }
    }

    fn seat(&self, _index: u32) -> Vec<Session> {
        Vec::with_capacity(self.sessions)
    }

    fn share(&self, ops: u64, index: u32) -> u64 {
        even_share(ops, self.threads, index)
    }

    fn setup<H: Heap>(&self, seat: &mut Vec<Session>, actor: &mut Actor<H>) {
        for _ in 0..self.sessions {
            seat.push(self.log_in(actor));
        }
    }

    fn work<H: Heap>(&self, seat: &mut Vec<Session>, actor: &mut Actor<H>, ops: u64, steady: bool) {
        // A storm in the middle of each of so many parts.
        let part = if steady { ops.checked_div(self.storms).unwrap_or(0) } else { 0 };
        for at in 0..ops {
            let drops = self.drops(at, part);
            let meeting = self.step.gather(|| drops || self.is_back(at, part));
            if drops {
                seat.drain(..).for_each(|session| log_out(session, actor));
            }
            if part > 0 {
                actor.stage(self.stage(at, part, seat.len()));
            }
            Step::go_on(meeting);
            if seat.len() == self.sessions {
                let which = actor.rng.below(seat.len());
                log_out(seat.swap_remove(which), actor);
            } else {
                Self::fail(actor);
            }
            seat.push(self.log_in(actor));
            actor.operation();
        }
        if steady {
            self.step.leave();
        }
    }

    fn drain<H: Heap>(&self, seat: &mut Vec<Session>, actor: &mut Actor<H>) {
        seat.drain(..).for_each(|session| log_out(session, actor));
    }
}
