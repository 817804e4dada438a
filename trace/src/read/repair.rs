//! Takes back choices that led nowhere.
//!
//! A thread waits for an address that another, it turns out, should not have had or freed first: between two
//! stamps, and with nothing else to tell them apart, the wrong one of two was let go. What happened since is undone, and the
//! other waits until the first has had its turn. A few such attempts for one event; then it happens as it is, and is counted.

use std::collections::{HashMap, HashSet};
use std::vec::Vec;

use super::order::{HORIZON, Merge, Turn};
use super::restart::Restart;

/// Attempts for one event.
const ATTEMPTS: u32 = 16;

/// Events with attempts that are remembered before old ones are looked for.
const MOST_TRIED: usize = 4096;

/// An event of a thread, by its number.
pub(super) type Numbered = (u32, u64);

/// What has been tried.
#[derive(Default)]
pub(super) struct Repair {
    /// Events that wait until another has happened.
    after: HashMap<Numbered, Numbered>,
    /// Attempts for an event, and what it was put before.
    tried: HashMap<Numbered, (u32, HashSet<Numbered>)>,
    pub(super) restart: Restart,
}

impl Repair {
    /// One more event is out, for good.
    pub(super) fn went_on(&mut self, one: bool) {
        self.restart.earned += u64::from(one);
    }

    /// Forgets all that was tried.
    pub(super) fn clear(&mut self) {
        self.after.clear();
        self.tried.clear();
    }
}

impl Merge<'_> {
    pub(super) fn first_of(&self, thread: u32) -> Option<Numbered> {
        self.streams.get(thread as usize).map(|stream| (thread, stream.done))
    }

    /// Whether a thread's next event is to wait for another's.
    pub(super) fn must_let_pass(&self, thread: u32) -> bool {
        if self.repair.after.is_empty() {
            return false;
        }
        let first = self.first_of(thread).and_then(|event| self.repair.after.get(&event));
        first.is_some_and(|(other, number)| {
            self.streams.get(*other as usize).is_some_and(|stream| stream.done <= *number)
        })
    }

    /// Tries to take back what keeps a thread waiting; whether it did.
    pub(super) fn repair(&mut self, thread: u32) -> bool {
        let Some(event) = self.first_of(thread) else { return false };
        // It waits only because it was put behind another, in vain.
        if self.must_let_pass(thread) {
            self.repair.after.remove(&event);
            self.look_anew();
            return true;
        }
        self.forget();
        let turn = self.turn(thread);
        let (attempts, _) = self.repair.tried.entry(event).or_default();
        *attempts += 1;
        if *attempts > ATTEMPTS {
            return false;
        }
        let Some((index, rival)) = self.rival(turn, event) else { return false };
        while self.journal.len() > index {
            self.undo();
        }
        self.repair.after.insert(rival, event);
        if let Some((_, rivals)) = self.repair.tried.get_mut(&event) {
            rivals.insert(rival);
        }
        self.look_anew();
        true
    }

    /// Tries the same for the others that wait, of whom one may be what keeps this one waiting.
    pub(super) fn repair_another(&mut self, thread: u32) -> bool {
        let waits = |other: &u32| self.streams.get(*other as usize).is_some_and(|stream| stream.waiting);
        let others: Vec<u32> =
            (0..self.streams.len() as u32).filter(|other| *other != thread).filter(waits).collect();
        others.into_iter().any(|other| self.repair(other))
    }

    /// The last event that did to the address what this one waits to do, of another thread, and not yet tried.
    fn rival(&self, turn: Turn, event: Numbered) -> Option<(usize, Numbered)> {
        let tried = self.repair.tried.get(&event).map(|(_, rivals)| rivals);
        let found = self.journal.iter().enumerate().rev().find(|(_, step)| {
            let rival = (step.merged.thread, step.number);
            step.turn == turn
                && step.merged.thread != event.0
                && tried.is_none_or(|tried| !tried.contains(&rival))
        });
        found.map(|(index, step)| (index, (step.merged.thread, step.number)))
    }

    /// Forgets what was tried for events that cannot be taken back any more.
    fn forget(&mut self) {
        if self.repair.tried.len() < MOST_TRIED {
            return;
        }
        let streams = &self.streams;
        let recent = |(thread, number): &Numbered| {
            streams
                .get(*thread as usize)
                .is_some_and(|stream| number.saturating_add(HORIZON as u64) > stream.done)
        };
        self.repair.tried.retain(|event, _| recent(event));
        self.repair.after.retain(|event, _| recent(event));
    }
}
