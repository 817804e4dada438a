//! `mail-server`: connection threads take messages in, delivery threads get rid of them.

use std::collections::VecDeque;

use super::Workload;
use super::burst::{Step, of_each, rises, stage, turns, wanted_depth};
use crate::catalogue::{Description, Param};
use crate::engine::actor::Actor;
use crate::engine::crew::even_share;
use crate::engine::mailbox::Mailbox;
use crate::heap::Heap;
use crate::object::Object;
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
const OUTBOX: u64 = 8;
/// Messages that can be on their way to one delivery thread.
const IN_FLIGHT: u64 = 64;

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
    /// Whether the messages suffice for all queues to rise as far as they are meant to.
    rises: bool,
    /// Of the delivery threads.
    step: Step,
    /// Messages that a connection thread hands over at once, and that can be on their way to one delivery thread.
    outbox: usize,
    in_flight: usize,
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
        Connection { number, sessions, outbox: Vec::with_capacity(self.outbox) }
    }

    /// Messages that delivery thread `number` queues outside bursts.
    fn usual_depth(&self, number: u32) -> usize {
        self.depth * (number..self.connections).step_by(self.inboxes.len()).count()
    }

    /// Whether queue `number` gets as deep as it is meant to.
    fn queue_rises(&self, number: u32) -> bool {
        rises(self.usual_depth(number), self.burst, self.bursts, self.received(self.ops, number))
    }

    fn delivery(&self, number: u32) -> Delivery {
        let depth = self.usual_depth(number);
        // As deep as it ever gets, so that it does not grow while time is taken.
        let above = depth.saturating_mul(self.burst - 1) as u64;
        let above = if self.bursts == 0 { 0 } else { above.min(self.received(self.ops, number)) };
        let queue = VecDeque::with_capacity(depth + above as usize + 1);
        Delivery { number, arrived: Vec::with_capacity(self.in_flight), queue, depth }
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
            if connection.outbox.len() == self.outbox || taken == ops {
                inbox.put(&mut connection.outbox);
            }
        }
    }

    fn deliver<H: Heap>(&self, delivery: &mut Delivery, actor: &mut Actor<H>, total: u64, steady: bool) {
        let mut done = 0;
        while done < total {
            let inbox = &self.inboxes[delivery.number as usize];
            inbox.take(&mut delivery.arrived, self.in_flight);
            for message in delivery.arrived.drain(..) {
                delivery.queue.push_back(message);
                self.thin(&mut delivery.queue, delivery.depth, actor, (done, total, steady));
                done += 1;
            }
        }
        if steady {
            self.step.leave();
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
        let bursts = if self.rises { bursts } else { 0 };
        let meeting = self.step.gather(|| turns(bursts, done, total));
        actor.stage(stage(bursts, done, total));
        Step::go_on(meeting);
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
            and fall again. More than 16 threads have as many messages and sessions as 16, and their \
            queues rise and fall together. Connections keep small session state that changes slowly and lies between the \
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
        let in_flight = of_each(IN_FLIGHT, threads) as usize;
        let mut pattern = Self {
            connections: threads.saturating_sub(deliveries).max(1),
            depth: of_each(spec.get("depth"), threads) as usize,
            burst: spec.get("burst") as usize,
            bursts: spec.get("bursts"),
            ops: spec.get("ops"),
            sessions: of_each(spec.get("sessions"), threads) as usize,
            headers: Sizes::log_uniform(16, 256),
            bodies: Sizes::log_normal(spec.get("body_median"), 1.2, 64, spec.get("body_max")),
            state: Sizes::log_uniform(32, 1024),
            inboxes: (0..deliveries).map(|_| Mailbox::new(in_flight)).collect(),
            alone: threads == 1,
            rises: false,
            step: Step::new(deliveries, threads),
            outbox: of_each(OUTBOX, threads) as usize,
            in_flight,
        };
        pattern.rises = (0..deliveries).all(|number| pattern.queue_rises(number));
        pattern
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
