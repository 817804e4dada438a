//! How a model is played: one seat a thread, each with a role.

use std::time::{Duration, Instant};

use arenalab_wire::message::Phase as Border;
use arenalab_wire::telemetry::Page;

use super::inbox::Inbox;
use super::parts::{Goods, Part, goods, phases, wheel};
use super::seats::{self, Place};
use super::wheel::{Due, Wheel};
use super::{Call, Model};
use crate::engine::actor::Actor;
use crate::engine::crew::{Job, even_share, perform};
use crate::engine::meeting::Meeting;
use crate::engine::pattern::Pattern;
use crate::engine::{Conductor, Stop};
use crate::heap::Heap;
use crate::object::{Object, Touch};

/// Objects that a seat hands over at once.
pub(super) const OUTBOX: usize = 16;
/// A seat without a rate looks into its inbox once in so many operations (a power of two).
const LOOK: u64 = 16;

/// A model, ready to be played with a number of threads.
pub struct Play {
    places: Vec<Place>,
    /// The first seat of each role, and how many it has.
    seats: Vec<(u32, u32)>,
    /// What each role allocates.
    goods: Vec<Vec<Goods>>,
    /// By phase, the warm-up first: operations of each role.
    phases: Vec<Part>,
    inboxes: Vec<Option<Inbox>>,
    meeting: Meeting,
    rates: Vec<Option<f64>>,
    lifetimes: Vec<u64>,
    /// Nodes and longest life for each role's wheel.
    wheels: Vec<(u64, usize)>,
}

/// What one thread holds.
pub struct Seat {
    place: Place,
    wheel: Wheel,
    lasting: Vec<Object>,
    outbox: Vec<Due>,
    arrived: Vec<Object>,
    /// Made and done with in one operation.
    fleeting: Vec<Due>,
    /// The present phase, and operations done in it.
    phase: usize,
    done: u64,
    /// When the present phase began, for roles with a rate.
    began: Option<Instant>,
}

impl Play {
    /// Prepares a model for `threads` threads, at least as many as it has roles.
    pub fn new(model: &Model, threads: u32) -> Self {
        let shares = seats::shares(model, threads);
        let places = seats::places(&shares);
        let mut first = 0;
        let seats: Vec<(u32, u32)> = shares
            .iter()
            .map(|seats| {
                first += seats;
                (first - seats, *seats)
            })
            .collect();
        let of_role = |role: usize| model.classes.iter().filter(move |class| class.role == role);
        let sends = |place: &Place, to: usize| of_role(place.role).any(|class| class.to == Some(to));
        let inbox = |place: &Place| {
            let senders = places.iter().filter(|from| sends(from, place.role)).count() as u32;
            (senders > 0).then(|| Inbox::new(senders))
        };
        let inboxes = places.iter().map(inbox).collect();
        let roles = 0..model.roles.len();
        Self {
            goods: roles.clone().map(|r| of_role(r).map(|c| goods(model, c, shares[r])).collect()).collect(),
            phases: phases(model),
            inboxes,
            meeting: Meeting::new(threads),
            rates: model.roles.iter().map(|role| role.rate).collect(),
            lifetimes: model.roles.iter().map(|role| role.lifetime.unwrap_or(u64::MAX)).collect(),
            wheels: roles.map(|role| wheel(model, role, shares[role])).collect(),
            places,
            seats,
        }
    }

    /// Operations of a seat in a phase.
    fn quota(&self, place: Place, phase: usize) -> u64 {
        even_share(self.phases[phase].ops[place.role], self.seats[place.role].1, place.number)
    }

    fn index(&self, place: Place) -> usize {
        (self.seats[place.role].0 + place.number) as usize
    }

    /// Allocates an object of a class.
    fn make<H: Heap>(goods: &Goods, actor: &mut Actor<H>) -> Object {
        let size = goods.size.draw(&mut actor.rng) as usize;
        actor.touch_as(goods.touch);
        match goods.call {
            Call::Malloc => actor.malloc(size),
            Call::Calloc => actor.calloc(size),
            Call::Aligned(align) => actor.aligned_alloc(align, size),
        }
    }

    /// Who frees the next object of a class.
    fn heir<H: Heap>(&self, goods: &Goods, actor: &mut Actor<H>) -> u32 {
        match goods.to {
            Some(role) if (actor.rng.bits() >> 32) < goods.handed => {
                let (first, seats) = self.seats[role];
                first + actor.rng.below(seats as usize) as u32
            }
            _ => Due::OWN,
        }
    }

    /// One operation: free what is due, allocate what is born.
    fn operate<H: Heap>(&self, seat: &mut Seat, actor: &mut Actor<H>) {
        let Seat { wheel, outbox, fleeting, .. } = seat;
        wheel.advance(|due| leave(due, outbox, actor));
        let births = &self.phases[seat.phase].births[seat.place.role];
        for (goods, (whole, more)) in self.goods[seat.place.role].iter().zip(births) {
            let Some(life) = &goods.life else { continue };
            let extra = *more > 0 && (actor.rng.bits() >> 32) < *more;
            for _ in 0..whole + u32::from(extra) {
                let object = Self::make(goods, actor);
                let to = self.heir(goods, actor);
                match life.draw(&mut actor.rng) {
                    0 => fleeting.push(Due { object, to }),
                    // This operation has begun already: the wheel stands at the next.
                    life => wheel.put(Due { object, to }, life - 1),
                }
            }
        }
        fleeting.drain(..).for_each(|due| leave(due, outbox, actor));
        if outbox.len() >= OUTBOX {
            self.send(seat, actor);
        }
    }

    /// Hands over what is in the outbox; looks after its own inbox where another's is full.
    fn send<H: Heap>(&self, seat: &mut Seat, actor: &mut Actor<H>) {
        while let Some(Due { mut object, to }) = seat.outbox.pop() {
            let Some(inbox) = self.inboxes.get(to as usize).and_then(Option::as_ref) else {
                actor.free(object);
                continue;
            };
            let mut wait = false;
            while let Err(back) = inbox.put(object, wait) {
                object = back;
                self.receive(seat, actor);
                wait = to as usize != self.index(seat.place);
            }
        }
    }

    /// Frees what others have handed over.
    fn receive<H: Heap>(&self, seat: &mut Seat, actor: &mut Actor<H>) {
        if let Some(inbox) = &self.inboxes[self.index(seat.place)] {
            inbox.take(&mut seat.arrived);
            seat.arrived.drain(..).for_each(|object| actor.free(object));
        }
    }

    /// The end of a phase: everything that was handed over arrives, and all meet.
    fn close<H: Heap>(&self, seat: &mut Seat, actor: &mut Actor<H>) {
        self.send(seat, actor);
        let mut told = vec![false; self.seats.len()];
        for goods in &self.goods[seat.place.role] {
            let Some(role) = goods.to.filter(|role| !std::mem::replace(&mut told[*role], true)) else {
                continue;
            };
            let (first, seats) = self.seats[role];
            self.inboxes[first as usize..(first + seats) as usize].iter().flatten().for_each(Inbox::finish);
        }
        if let Some(inbox) = &self.inboxes[self.index(seat.place)] {
            while inbox.wait(&mut seat.arrived) {
                seat.arrived.drain(..).for_each(|object| actor.free(object));
            }
        }
        seat.phase += 1;
        seat.done = 0;
        seat.began = None;
        self.meeting.wait();
    }

    /// Waits for the intended start of the next operation, and gives it.
    fn pace(&self, seat: &mut Seat) -> Option<Instant> {
        let rate = self.rates[seat.place.role]?;
        let began = *seat.began.get_or_insert_with(Instant::now);
        let seats = u64::from(self.seats[seat.place.role].1);
        // The seats of a role take turns.
        let turn = seat.done * seats + u64::from(seat.place.number);
        let intended = began + Duration::from_secs_f64(turn as f64 / rate);
        if let Some(early) = intended.checked_duration_since(Instant::now()) {
            std::thread::sleep(early);
        }
        Some(intended)
    }

    /// Works on the present phase for up to `ops` operations; how many are left of these.
    fn stint<H: Heap>(&self, seat: &mut Seat, actor: &mut Actor<H>, mut ops: u64) -> u64 {
        let quota = self.quota(seat.place, seat.phase);
        actor.stage(self.phases[seat.phase].stage);
        while ops > 0 && seat.done < quota {
            let intended = self.pace(seat);
            if intended.is_some() || seat.done & (LOOK - 1) == 0 {
                self.receive(seat, actor);
            }
            self.operate(seat, actor);
            if let Some(intended) = intended {
                actor.completed(intended.elapsed());
            }
            actor.operation();
            seat.done += 1;
            ops -= 1;
        }
        ops
    }
}

/// An object's time is over: freed here, or put into the outbox.
fn leave<H: Heap>(due: Due, outbox: &mut Vec<Due>, actor: &mut Actor<H>) {
    if due.to == Due::OWN { actor.free(due.object) } else { outbox.push(due) }
}

impl Pattern for Play {
    type Seat = Seat;

    fn seat(&self, index: u32) -> Seat {
        let place = self.places[index as usize];
        let (longest, objects) = self.wheels[place.role];
        let lasting = self.goods[place.role].iter().filter(|goods| goods.life.is_none());
        Seat {
            place,
            wheel: Wheel::new(longest, objects),
            lasting: Vec::with_capacity(lasting.map(|goods| goods.initial as usize).sum()),
            outbox: Vec::with_capacity(2 * OUTBOX),
            arrived: Vec::with_capacity(super::inbox::CAPACITY),
            fleeting: Vec::with_capacity(64),
            phase: 0,
            done: 0,
            began: None,
        }
    }

    fn share(&self, border: Border, _ops: u64, index: u32) -> u64 {
        let place = self.places[index as usize];
        match border {
            Border::Warmup => self.quota(place, 0),
            _ => (1..self.phases.len()).map(|phase| self.quota(place, phase)).sum(),
        }
    }

    fn lifetime(&self, index: u32) -> u64 {
        self.lifetimes[self.places[index as usize].role]
    }

    fn first_on_main(&self) -> bool {
        false
    }

    fn prepare<H: Heap>(&self, _actor: &mut Actor<H>) {}

    /// Builds what would be alive at any moment of the first phase, with what is left of each life.
    fn setup<H: Heap>(&self, seat: &mut Seat, actor: &mut Actor<H>) {
        let all = &self.goods[seat.place.role];
        let mut left: Vec<u64> = all.iter().map(|goods| goods.initial).collect();
        let mut total: u64 = left.iter().sum();
        while total > 0 {
            // Mixed, as they would have come.
            let mut pick = actor.rng.below(total as usize) as u64;
            let mut which = 0;
            while pick >= left[which] {
                pick -= left[which];
                which += 1;
            }
            left[which] -= 1;
            total -= 1;
            let goods = &all[which];
            let object = Self::make(goods, actor);
            match &goods.residual {
                Some(residual) => {
                    let to = self.heir(goods, actor);
                    let after = residual.draw(&mut actor.rng);
                    seat.wheel.put(Due { object, to }, after);
                }
                None => seat.lasting.push(object),
            }
        }
    }

    fn work<H: Heap>(&self, seat: &mut Seat, actor: &mut Actor<H>, ops: u64, steady: bool) {
        let mut ops = ops;
        let end = if steady { self.phases.len() } else { 1 };
        while seat.phase < end {
            ops = self.stint(seat, actor, ops);
            let over = seat.done == self.quota(seat.place, seat.phase);
            // A successor goes on where this thread's time ends.
            if !over || (ops == 0 && actor.left > 0) {
                return;
            }
            self.close(seat, actor);
        }
    }

    fn drain<H: Heap>(&self, seat: &mut Seat, actor: &mut Actor<H>) {
        seat.wheel.drain(|due| actor.free(due.object));
        seat.lasting.drain(..).for_each(|object| actor.free(object));
    }
}

/// Runs a model through all its phases.
///
/// # Errors
/// When it fails, or the conductor has gone.
pub fn start<H: Heap>(
    model: &Model,
    (threads, seed): (u32, u64),
    page: &'static Page,
    heap: H,
    conductor: &mut dyn Conductor,
) -> Result<(), Stop> {
    let play = Play::new(model, threads);
    let total = |phases: &[Part]| phases.iter().flat_map(|part| &part.ops).sum();
    let job = Job {
        // Named in messages for as long as the process lives.
        name: Box::leak(model.canonical().into_boxed_str()),
        unit: "operations",
        threads,
        seed,
        warmup: total(&play.phases[..1]),
        steady: total(&play.phases[1..]),
        touch: Touch::Pages,
        page,
    };
    perform(play, &job, heap, conductor)
}
