//! `mail-server`: connection threads take messages in, delivery threads get rid of them.

use std::collections::VecDeque;

use arenalab_wire::telemetry::Stage;

use super::Workload;
use crate::catalogue::{Description, Param};
use crate::engine::actor::Actor;
use crate::engine::crew::even_share;
use crate::engine::mailbox::Mailbox;
use crate::heap::{Heap, Object};
use crate::random::Sizes;
use crate::spec::Spec;

/// Most header strings of a message.
const HEADERS: usize = 16;
/// Fewest header strings of a message.
const HEADERS_MIN: usize = 6;
/// The structure that holds a message together.
const ENVELOPE: usize = 208;
/// A message's body is read through a buffer of this size, which is freed when it is complete.
const READ_BUFFER: usize = 8 << 10;
/// A body grows by doubling from here.
const BODY_START: usize = 1 << 10;
/// Small objects of session state for each connection.
const STATE: usize = 8;
/// One message in so many changes a piece of session state.
const STATE_CHANGES: usize = 16;
/// Messages that a connection thread hands over at once.
const OUTBOX: usize = 8;
/// Messages that can be on their way to one delivery thread.
const IN_FLIGHT: usize = 64;

/// The pattern.
pub struct MailServer {
    connections: u32,
    depth: usize,
    burst: usize,
    bursts: u64,
    /// Messages of the steady phase.
    ops: u64,
    sessions: usize,
    headers: Sizes,
    bodies: Sizes,
    state: Sizes,
    /// One for each delivery thread.
    inboxes: Vec<Mailbox<Message>>,
    alone: bool,
}

/// A message in a queue: what to free when it is delivered.
pub struct Message {
    envelope: Object,
    body: Object,
    headers: [Option<Object>; HEADERS],
}

/// What a connection thread holds.
pub struct Connection {
    /// Its number among the connection threads.
    number: u32,
    /// Long-lived state of its sessions.
    sessions: Vec<Object>,
    outbox: Vec<Message>,
}

/// What a delivery thread holds.
pub struct Delivery {
    /// Its number among the delivery threads.
    number: u32,
    arrived: Vec<Message>,
    queue: VecDeque<Message>,
    /// Messages queued outside bursts.
    depth: usize,
}

/// What a seat holds.
pub enum Seat {
    /// Takes messages in.
    Connection(Connection),
    /// Queues and delivers them.
    Delivery(Delivery),
    /// Both, where there is only one thread.
    Alone(Connection, Delivery),
}

/// How deep the queue is meant to be at message `at` of `total`: flat, then rising to `burst` times `depth`,
/// then falling back, `bursts` times over.
pub(super) fn wanted_depth(depth: usize, burst: usize, bursts: u64, at: u64, total: u64) -> usize {
    let cycle = total / bursts.max(1);
    if cycle == 0 || at >= cycle * bursts {
        return depth;
    }
    let (at, [rise, fall, flat]) = (at % cycle, borders(cycle));
    let above = (depth * burst.saturating_sub(1)) as u64;
    let share = |part: u64, whole: u64| (above * part / whole.max(1)) as usize;
    match at {
        at if at < rise => depth,
        at if at < fall => depth + share(at - rise, fall - rise),
        at if at < flat => depth + share(flat - at, flat - fall),
        _ => depth,
    }
}

/// Where in a cycle the queue begins to rise, to fall, and is back.
fn borders(cycle: u64) -> [u64; 3] {
    [cycle * 7 / 20, cycle * 3 / 5, cycle * 17 / 20]
}

/// Where message `at` of `total` stands with regard to the bursts.
pub(super) fn stage(bursts: u64, at: u64, total: u64) -> Stage {
    let cycle = total / bursts.max(1);
    let [rise, _, flat] = borders(cycle);
    match (bursts, cycle) {
        (0, _) | (_, 0) => Stage::None,
        _ if at < rise => Stage::Before,
        _ if at < cycle * (bursts - 1) + flat => Stage::Burst,
        _ => Stage::After,
    }
}

impl MailServer {
    fn deliveries(&self) -> u32 {
        self.inboxes.len() as u32
    }

    /// Of `ops` messages, those that connection threads of delivery thread `number` take in.
    fn received(&self, ops: u64, number: u32) -> u64 {
        let theirs = (number..self.connections).step_by(self.inboxes.len());
        theirs.map(|connection| even_share(ops, self.connections, connection)).sum()
    }

    fn connection(&self, number: u32) -> Connection {
        let sessions = Vec::with_capacity(self.sessions * STATE);
        Connection { number, sessions, outbox: Vec::with_capacity(OUTBOX) }
    }

    fn delivery(&self, number: u32) -> Delivery {
        let connections = (number..self.connections).step_by(self.inboxes.len()).count();
        let depth = self.depth * connections;
        // As deep as it ever gets, so that it does not grow while time is taken.
        let above = depth.saturating_mul(self.burst - 1) as u64;
        let above = if self.bursts == 0 { 0 } else { above.min(self.received(self.ops, number)) };
        let queue = VecDeque::with_capacity(depth + above as usize + 1);
        Delivery { number, arrived: Vec::with_capacity(IN_FLIGHT), queue, depth }
    }

    /// Takes a message in, the way a server does: envelope, header strings as they are read, the body in a
    /// buffer that grows, and in the end is cut to size.
    fn receive<H: Heap>(&self, actor: &mut Actor<H>) -> Message {
        let read_buffer = actor.malloc(READ_BUFFER);
        let envelope = actor.calloc(ENVELOPE);
        let mut headers = [const { None }; HEADERS];
        let count = actor.rng.between(HEADERS_MIN, HEADERS);
        for header in &mut headers[..count] {
            let size = self.headers.draw(&mut actor.rng);
            *header = Some(actor.malloc(size));
        }
        let length = self.bodies.draw(&mut actor.rng);
        let mut body = actor.malloc(length.min(BODY_START));
        while body.size() < length {
            // The last step cuts it to size.
            let grown = (body.size() * 2).min(length.next_power_of_two());
            body = actor.realloc(body, grown);
            if grown >= length {
                body = actor.realloc(body, length);
            }
        }
        actor.free(read_buffer);
        Message { envelope, body, headers }
    }

    fn change_state<H: Heap>(&self, connection: &mut Connection, actor: &mut Actor<H>) {
        if actor.rng.below(STATE_CHANGES) == 0 {
            let which = actor.rng.below(connection.sessions.len());
            let size = self.state.draw(&mut actor.rng);
            actor.replace(&mut connection.sessions[which], |actor| actor.malloc(size));
        }
    }

    fn take_in<H: Heap>(&self, connection: &mut Connection, actor: &mut Actor<H>, ops: u64, counted: bool) {
        let inbox = &self.inboxes[(connection.number % self.deliveries()) as usize];
        for taken in 1..=ops {
            self.change_state(connection, actor);
            let message = self.receive(actor);
            connection.outbox.push(message);
            if counted {
                actor.operation();
            }
            if connection.outbox.len() == OUTBOX || taken == ops {
                inbox.put(&mut connection.outbox);
            }
        }
    }

    fn deliver<H: Heap>(&self, delivery: &mut Delivery, actor: &mut Actor<H>, total: u64, steady: bool) {
        let mut done = 0;
        while done < total {
            let inbox = &self.inboxes[delivery.number as usize];
            inbox.take(&mut delivery.arrived, IN_FLIGHT);
            for message in delivery.arrived.drain(..) {
                delivery.queue.push_back(message);
                self.thin(&mut delivery.queue, delivery.depth, actor, (done, total, steady));
                done += 1;
            }
        }
    }

    /// Delivers the oldest messages until the queue is as deep as it is meant to be.
    fn thin<H: Heap>(
        &self,
        queue: &mut VecDeque<Message>,
        depth: usize,
        actor: &mut Actor<H>,
        (done, total, steady): (u64, u64, bool),
    ) {
        let bursts = if steady { self.bursts } else { 0 };
        let wanted = wanted_depth(depth, self.burst, bursts, done, total);
        actor.stage(stage(bursts, done, total));
        while queue.len() > wanted
            && let Some(message) = queue.pop_front()
        {
            finish(message, actor);
        }
    }

    fn run<H: Heap>(&self, seat: &mut Seat, actor: &mut Actor<H>, ops: u64, counted: bool, steady: bool) {
        match seat {
            Seat::Connection(connection) => self.take_in(connection, actor, ops, counted),
            Seat::Delivery(delivery) => self.deliver(delivery, actor, ops, steady),
            Seat::Alone(connection, delivery) => {
                for done in 0..ops {
                    self.change_state(connection, actor);
                    let message = self.receive(actor);
                    delivery.queue.push_back(message);
                    self.thin(&mut delivery.queue, delivery.depth, actor, (done, ops, steady));
                    if counted {
                        actor.operation();
                    }
                }
            }
        }
    }
}

/// Frees what a message is made of.
fn finish<H: Heap>(message: Message, actor: &mut Actor<H>) {
    actor.free(message.body);
    message.headers.into_iter().flatten().for_each(|header| actor.free(header));
    actor.free(message.envelope);
}

impl Workload for MailServer {
    type Seat = Seat;

    const DESCRIPTION: Description = Description {
        name: "mail-server",
        summary: "messages of many small headers and one body, queued across threads, in bursts",
        description: "Connection threads take messages in: an envelope, six to sixteen header strings, a body of \
            log-normal size that grows by realloc and is cut to size. Delivery threads, a quarter of all, keep them \
            in queues and free them in another thread's arena. Several times in a run the queues rise tenfold \
            and fall again. Connections keep small session state that changes slowly and lies between the \
            messages. It models the messaging systems whose memory rose after an OS upgrade had brought \
            per-thread arenas. It stresses remote frees, realloc growth, and heaps pinned by few small survivors \
            after a burst. Look at RSS at the end and after the drain against its peak, and at free bytes inside \
            arenas.",
        unit: "messages",
        params: &[
            Param::ops(450_000),
            Param::WARMUP,
            Param::TOUCH,
            Param::bytes("body_median", 4 << 10, 64, 1 << 24, "median body"),
            Param::bytes("body_max", 256 << 10, 64, 1 << 30, "largest body"),
            Param::count(
                "depth",
                200,
                1,
                1_000_000,
                "messages queued for each connection thread outside bursts",
            ),
            Param::count("burst", 10, 1, 1000, "how many times deeper the queues get in a burst"),
            Param::count("bursts", 4, 0, 1_000_000, "bursts in the steady phase"),
            Param::count(
                "sessions",
                200,
                1,
                1_000_000,
                "connections of each connection thread that hold state",
            ),
        ],
        replaces_threads: false,
        hidden: false,
    };

    fn new(spec: &Spec, threads: u32) -> Self {
        let deliveries = (threads / 4).max(1);
        let body_max = spec.get("body_max").max(spec.get("body_median"));
        Self {
            connections: threads.saturating_sub(deliveries).max(1),
            depth: spec.get("depth") as usize,
            burst: spec.get("burst") as usize,
            bursts: spec.get("bursts"),
            ops: spec.get("ops"),
            sessions: spec.get("sessions") as usize,
            headers: Sizes::log_uniform(16, 256),
            bodies: Sizes::log_normal(spec.get("body_median"), 1.2, 64, body_max),
            state: Sizes::log_uniform(32, 1024),
            inboxes: (0..deliveries).map(|_| Mailbox::new(IN_FLIGHT)).collect(),
            alone: threads == 1,
        }
    }

    fn seat(&self, index: u32) -> Seat {
        match index.checked_sub(self.connections) {
            Some(number) => Seat::Delivery(self.delivery(number)),
            None if self.alone => Seat::Alone(self.connection(0), self.delivery(0)),
            None => Seat::Connection(self.connection(index)),
        }
    }

    fn share(&self, ops: u64, index: u32) -> u64 {
        match index.checked_sub(self.connections) {
            Some(number) => self.received(ops, number),
            None => even_share(ops, self.connections, index),
        }
    }

    fn setup<H: Heap>(&self, seat: &mut Seat, actor: &mut Actor<H>) {
        if let Seat::Connection(connection) | Seat::Alone(connection, _) = seat {
            for _ in 0..self.sessions * STATE {
                let size = self.state.draw(&mut actor.rng);
                connection.sessions.push(actor.malloc(size));
            }
        }
        let messages = match seat {
            Seat::Connection(_) | Seat::Alone(..) => self.depth,
            Seat::Delivery(delivery) => delivery.depth,
        };
        self.run(seat, actor, messages as u64, false, false);
    }

    fn work<H: Heap>(&self, seat: &mut Seat, actor: &mut Actor<H>, ops: u64, steady: bool) {
        self.run(seat, actor, ops, true, steady);
    }

    fn drain<H: Heap>(&self, seat: &mut Seat, actor: &mut Actor<H>) {
        if let Seat::Connection(connection) | Seat::Alone(connection, _) = seat {
            connection.sessions.drain(..).for_each(|state| actor.free(state));
        }
        if let Seat::Delivery(delivery) | Seat::Alone(_, delivery) = seat {
            delivery.queue.drain(..).for_each(|message| finish(message, actor));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queues_rise_to_the_burst_and_fall_back() {
        let depth = |at| wanted_depth(100, 10, 2, at, 2000);
        assert_eq!([depth(0), depth(349), depth(350)], [100, 100, 100]);
        assert_eq!(depth(475), 550);
        assert_eq!(depth(600), 1000);
        assert_eq!(depth(725), 550);
        assert_eq!([depth(850), depth(999)], [100, 100]);
        assert_eq!([depth(1000), depth(1600), depth(1850), depth(2000)], [100, 1000, 100, 100]);
        let stages = [0, 349, 350, 1849, 1850, 1999].map(|at| stage(2, at, 2000));
        let expected = [Stage::Before, Stage::Before, Stage::Burst, Stage::Burst, Stage::After, Stage::After];
        assert_eq!(stages, expected);
        assert_eq!(stage(0, 5, 10), Stage::None);
        assert_eq!(wanted_depth(100, 10, 0, 5, 10), 100);
        assert_eq!(wanted_depth(100, 10, 4, 1, 2), 100);
    }

    #[test]
    fn a_queue_is_made_as_deep_as_it_gets_and_no_deeper_than_messages_can_make_it() {
        for (spec, threads) in [
            ("mail-server", 1),
            ("mail-server:ops=9001,depth=3", 5),
            ("mail-server:ops=10,depth=1M,burst=1000", 2),
            ("mail-server:bursts=0,ops=1k", 8),
        ] {
            let server = MailServer::new(&spec.parse().unwrap(), threads);
            for number in 0..server.deliveries() {
                let delivery = server.delivery(number);
                let total = server.received(server.ops, number);
                let (mut length, mut deepest) = (delivery.depth, delivery.depth);
                for done in 0..total {
                    length += 1;
                    deepest = deepest.max(length);
                    let wanted = wanted_depth(delivery.depth, server.burst, server.bursts, done, total);
                    length = length.min(wanted);
                }
                let capacity = delivery.queue.capacity();
                assert!(capacity >= deepest, "{spec}: {capacity} for {deepest}");
                assert!(capacity <= delivery.depth + total as usize + 1, "{spec}: {capacity}");
            }
        }
    }

    #[test]
    fn every_message_has_a_receiver() {
        for threads in [2, 3, 4, 5, 16, 33] {
            let server = MailServer::new(&"mail-server".parse().unwrap(), threads);
            assert_eq!(server.connections + server.deliveries(), threads);
            for ops in [0, 1, 17, 1000] {
                let sent: u64 = (0..server.connections).map(|c| server.share(ops, c)).sum();
                let received: u64 = (0..server.deliveries()).map(|d| server.received(ops, d)).sum();
                assert_eq!((sent, received), (ops, ops));
            }
        }
    }
}
