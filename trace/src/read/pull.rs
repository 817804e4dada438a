//! What an event needs that has waited to the end of its time: among the events that other threads may have had by then, the one that
//! makes its address ready, with all that comes before it in its thread, and what those need in their turn.

use std::vec::Vec;

use super::ReadError;
use super::order::{Merge, Turn};

/// Events that one look may let happen.
const MOST: u32 = 1024;
/// Threads that wait for each other, in a row.
const DEPTH: usize = 24;
/// Threads that are tried for one need.
const TRIED: usize = 4;

/// One look.
struct Look {
    /// No event from after this time.
    until: u64,
    /// Threads whose needs are being seen to.
    stack: Vec<u32>,
    left: u32,
}

impl Merge<'_> {
    /// Lets happen what a thread's first event needs; whether it can happen now. If not, all is as it was.
    pub(super) fn pull(&mut self, thread: u32, until: u64) -> Result<bool, ReadError> {
        if self.must_let_pass(thread) || !self.repair.restart.grant_pull() {
            return Ok(false);
        }
        let mut look = Look { until, stack: Vec::new(), left: MOST };
        if self.see_to(thread, &mut look)? {
            self.take(thread)?;
            return Ok(true);
        }
        Ok(false)
    }

    fn see_to(&mut self, thread: u32, look: &mut Look) -> Result<bool, ReadError> {
        let turn = self.turn(thread);
        let need = match turn {
            Turn::Gain(pointer) if self.live.contains_key(&pointer) => Turn::Free(pointer),
            Turn::Free(pointer) if !self.live.contains_key(&pointer) => Turn::Gain(pointer),
            _ => return Ok(true),
        };
        if look.stack.len() == DEPTH || look.stack.contains(&thread) {
            return Ok(false);
        }
        look.stack.push(thread);
        let mut found = false;
        for (other, many) in self.who_can(need, look) {
            let mark = self.journal.len();
            found = self.advance_thread(other, many, look)?;
            if found {
                break;
            }
            if self.journal.len() > mark {
                while self.journal.len() > mark {
                    self.undo();
                }
                self.look_anew();
            }
        }
        look.stack.pop();
        Ok(found)
    }

    /// Lets so many events of a thread happen; whether all could.
    fn advance_thread(&mut self, thread: u32, many: u32, look: &mut Look) -> Result<bool, ReadError> {
        for _ in 0..many {
            if look.left == 0 || self.must_let_pass(thread) || !self.see_to(thread, look)? {
                return Ok(false);
            }
            look.left -= 1;
            self.take(thread)?;
        }
        Ok(true)
    }

    /// Threads that may have had such an event by then, and how many events that takes; the fewest first.
    fn who_can(&self, need: Turn, look: &Look) -> Vec<(u32, u32)> {
        let mut found: Vec<(u32, u32)> = Vec::new();
        for (thread, stream) in (0u32..).zip(&self.streams) {
            if look.stack.contains(&thread) {
                continue;
            }
            let mut possible = stream.due.iter().take_while(|due| due.low <= look.until);
            if let Some(place) = possible.position(|due| stream.turn_of(due) == need) {
                found.push((thread, place as u32 + 1));
            }
        }
        found.sort_by_key(|(thread, many)| (*many, *thread));
        found.truncate(TRIED);
        found
    }
}
