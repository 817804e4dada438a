//! The last resort before an event is counted as one that fits nowhere: all that may have happened at the same time is taken
//! back, and tried again with other times, drawn evenly from those at which each event may have happened. The draws are the
//! same at each reading. How often that is done goes with how many events there are, so that no file makes a reader run on.

use std::collections::VecDeque;

use super::order::Merge;
use super::repair::Numbered;
use super::stream::{Due, Stream};

/// Draws for one event.
const DRAWS: u32 = 32;
/// Draws that a file may have before the first event is out.
const CREDIT: u64 = 128;
/// Events for which one more is granted.
const EVENTS_A_DRAW: u64 = 32_768;

/// Events for which one more [`Merge::pull`] is granted, and how many a file may have before the first is out.
const EVENTS_A_PULL: u64 = 16;
const PULLS: u64 = 4096;

/// How often it was done.
#[derive(Default)]
pub(super) struct Restart {
    /// The event it is done for, and how often it was.
    of: Option<(Numbered, u32)>,
    spent: u64,
    pulled: u64,
    /// Events that are out.
    pub(super) earned: u64,
}

impl Restart {
    /// Whether one more look for what an event needs is granted.
    pub(super) fn grant_pull(&mut self) -> bool {
        self.pulled += 1;
        self.pulled <= PULLS + self.earned / EVENTS_A_PULL
    }

    /// Whether one more draw is granted.
    fn grant(&mut self, event: Numbered) -> bool {
        let before = self.of.filter(|(of, _)| *of == event).map_or(0, |(_, times)| times);
        if before == DRAWS || self.spent >= CREDIT + self.earned / EVENTS_A_DRAW {
            return false;
        }
        self.of = Some((event, before + 1));
        self.spent += 1;
        true
    }
}

impl Merge<'_> {
    /// Takes back what a thread's next event may have come before, and draws other times; whether it did.
    pub(super) fn start_over(&mut self, thread: u32) -> bool {
        let Some(event) = self.first_of(thread) else { return false };
        let Some(due) = self.streams.get(thread as usize).and_then(|stream| stream.due.front()) else {
            return false;
        };
        let (low, high) = (due.low, due.high);
        let begin = self.journal.iter().position(|step| step.due.high >= low);
        let Some(begin) = begin.filter(|_| self.repair.restart.grant(event)) else { return false };
        while self.journal.len() > begin {
            self.undo();
        }
        self.repair.clear();
        let mut random = self.repair.restart.spent.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let concerned = |stream: &&mut Stream| stream.due.front().is_some_and(|due| due.low <= high);
        for stream in self.streams.iter_mut().filter(concerned) {
            draw(&mut stream.due, &mut random);
        }
        self.look_anew();
        true
    }
}

/// Draws times for a thread's events, each between the stamps around it.
fn draw(due: &mut VecDeque<Due>, random: &mut u64) {
    let mut begin = 0;
    while let Some(first) = due.get(begin).copied() {
        let count = due.iter().skip(begin).take_while(|due| due.high == first.high).count();
        let mut now = first.low as f64;
        for (place, due) in due.iter_mut().skip(begin).take(count).enumerate() {
            // The least of as many even draws as are left.
            let left = (count - place) as f64;
            let end = if due.high == u64::MAX { due.time } else { due.high };
            now += (end as f64 - now).max(0.0) * (1.0 - even(random).powf(1.0 / left));
            due.at = (now as u64).clamp(due.low, due.high);
        }
        begin += count;
    }
}

/// A number from 0 to 1.
fn even(state: &mut u64) -> f64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (*state ^ *state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((mixed ^ mixed >> 31) >> 11) as f64 / (1u64 << 53) as f64
}
