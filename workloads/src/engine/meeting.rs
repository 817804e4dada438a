//! Where the seats of a workload wait for each other inside a phase: a barrier that seats can leave, so
//! that they need not all come equally often.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

/// Time between two looks of who polls.
const LOOK: Duration = Duration::from_millis(1);

/// A meeting of a fixed number of seats. In each phase every seat calls [`Meeting::wait`] any number of
/// times, and then [`Meeting::leave`] once.
pub struct Meeting {
    seats: u32,
    state: Mutex<State>,
    all_here: Condvar,
}

#[derive(Default)]
struct State {
    waiting: u32,
    gone: u32,
    /// Counts meetings, so that a seat knows that its own is over.
    round: u64,
}

impl State {
    /// Ends the meeting if nobody is missing.
    fn settle(&mut self, seats: u32) -> bool {
        let complete = self.waiting + self.gone == seats;
        if complete {
            self.round += 1;
            self.waiting = 0;
            if self.gone == seats {
                self.gone = 0;
            }
        }
        complete
    }
}

impl Meeting {
    /// A meeting of that many seats.
    pub fn new(seats: u32) -> Self {
        Self { seats, state: Mutex::default(), all_here: Condvar::new() }
    }

    /// Waits until all seats that have not left are here.
    pub fn wait(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.waiting += 1;
        let mine = state.round;
        if state.settle(self.seats) {
            self.all_here.notify_all();
            return;
        }
        let going_on = |state: &mut State| state.round == mine;
        drop(self.all_here.wait_while(state, going_on).unwrap_or_else(PoisonError::into_inner));
    }

    /// Does not come any more in this phase.
    pub fn leave(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.gone += 1;
        if state.settle(self.seats) {
            self.all_here.notify_all();
        }
    }

    /// Waits until all seats that have not left are here, asleep at least once where there are others: all wake by
    /// their own timers.
    pub fn begin(&self) {
        if self.seats > 1 {
            std::thread::sleep(LOOK);
            self.arrive_and_poll(1, || {});
        }
    }

    /// Comes, and for the last time where nothing is `left` to do; until all are here, looks every millisecond and does
    /// something `meanwhile`.
    pub fn arrive_and_poll(&self, left: u64, mut meanwhile: impl FnMut()) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        *(if left == 0 { &mut state.gone } else { &mut state.waiting }) += 1;
        let mine = state.round;
        if state.settle(self.seats) {
            return;
        }
        while state.round == mine {
            drop(state);
            meanwhile();
            std::thread::sleep(LOOK);
            state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicU32, Ordering};

    #[test]
    fn seats_may_come_unequally_often() {
        let (meeting, border, met) = (Meeting::new(4), Barrier::new(4), AtomicU32::new(0));
        std::thread::scope(|scope| {
            for seat in 0..4 {
                let (meeting, border, met) = (&meeting, &border, &met);
                scope.spawn(move || {
                    for _phase in 0..50 {
                        for _ in 0..seat {
                            meeting.wait();
                            met.fetch_add(1, Ordering::Relaxed);
                        }
                        meeting.leave();
                        border.wait();
                    }
                });
            }
        });
        assert_eq!(met.into_inner(), 50 * (1 + 2 + 3));
    }

    #[test]
    fn nobody_goes_on_before_all_are_there() {
        let (meeting, arrived) = (Meeting::new(3), AtomicU32::new(0));
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    for round in 1..=100 {
                        arrived.fetch_add(1, Ordering::SeqCst);
                        meeting.wait();
                        assert!(arrived.load(Ordering::SeqCst) >= 3 * round);
                    }
                    meeting.leave();
                });
            }
        });
    }
}
