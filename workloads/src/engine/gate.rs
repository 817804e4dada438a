//! The gate between phases: releases all seats at once, and notes when the last has arrived.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use arenalab_wire::message::{Failure, Phase};
use rustix::event::{EventfdFlags, eventfd};

/// Where the seats of a workload wait for each other.
pub struct Gate {
    state: Mutex<State>,
    released: Condvar,
    /// Readable when all seats have settled or one has failed. A descriptor, so that who waits can watch
    /// other descriptors too without another thread: threads of the engine would take arenas.
    done: OwnedFd,
    seats: u32,
}

struct State {
    phase: Phase,
    /// Counts releases, so that a seat tells a new phase from the one it has just done.
    round: u32,
    release: Instant,
    last_arrival: Instant,
    /// Seats that have handed in their records.
    settled: u32,
    failure: Option<Failure>,
}

impl Gate {
    /// A closed gate for that many seats.
    ///
    /// # Errors
    /// When the system gives no event descriptor.
    pub fn new(seats: u32) -> io::Result<Self> {
        let now = Instant::now();
        let state = State {
            phase: Phase::Setup,
            round: 0,
            release: now,
            last_arrival: now,
            settled: 0,
            failure: None,
        };
        let done = eventfd(0, EventfdFlags::CLOEXEC)?;
        Ok(Self { state: Mutex::new(state), released: Condvar::new(), done, seats })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets all seats into `phase`. Time runs from `since`, or from now.
    pub fn release(&self, phase: Phase, since: Option<Instant>) {
        let mut state = self.lock();
        state.phase = phase;
        state.round += 1;
        state.settled = 0;
        state.release = since.unwrap_or_else(Instant::now);
        state.last_arrival = state.release;
        drop(state);
        self.released.notify_all();
    }

    /// Becomes readable when [`Gate::outcome`] is known.
    pub fn done(&self) -> BorrowedFd<'_> {
        self.done.as_fd()
    }

    fn signal(&self) {
        // The counter is far from its limit of 2^64 - 2, the only reason to fail or block.
        let _ = rustix::io::write(&self.done, &1u64.to_ne_bytes());
    }

    /// Waits until all seats have settled; the time from the release to the last arrival.
    ///
    /// # Errors
    /// When a seat has failed. The others may still be at work.
    pub fn outcome(&self) -> Result<Duration, Failure> {
        let mut count = [0; 8];
        while rustix::io::read(&self.done, &mut count) == Err(rustix::io::Errno::INTR) {}
        let mut state = self.lock();
        match state.failure.take() {
            Some(failure) => Err(failure),
            None => Ok(state.last_arrival - state.release),
        }
    }

    /// Takes back that so many seats have settled: their successors go on with the phase.
    pub fn resume(&self, seats: u32) {
        let mut state = self.lock();
        state.settled = state.settled.saturating_sub(seats);
    }

    /// Waits, as a seat that has done `round` phases, for the next; counts it in `round`.
    pub fn next(&self, round: &mut u32) -> Phase {
        let waiting = |state: &mut State| state.round == *round;
        let state = self.released.wait_while(self.lock(), waiting).unwrap_or_else(PoisonError::into_inner);
        *round = state.round;
        state.phase
    }

    /// Says that a seat's work of this phase is done.
    pub fn arrive(&self) {
        let now = Instant::now();
        let mut state = self.lock();
        state.last_arrival = state.last_arrival.max(now);
    }

    /// Says that a seat has handed in its records too, and now stands still.
    pub fn settle(&self) {
        let mut state = self.lock();
        state.settled += 1;
        if state.settled == self.seats {
            self.signal();
        }
    }

    /// Says that a seat cannot go on, and parks it for ever. The first failure is the one that counts.
    pub fn fail(&self, failure: Failure) -> ! {
        let mut state = self.lock();
        state.failure.get_or_insert(failure);
        drop(state);
        self.signal();
        loop {
            std::thread::park();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    #[test]
    fn no_seat_runs_ahead_of_the_others() {
        let (gate, work) = (Gate::new(8).unwrap(), AtomicU32::new(0));
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let mut round = 0;
                    for _ in 0..20 {
                        gate.next(&mut round);
                        work.fetch_add(1, Ordering::Relaxed);
                        gate.arrive();
                        gate.settle();
                    }
                });
            }
            for round in 1..=20 {
                gate.release(Phase::Steady, None);
                gate.outcome().unwrap();
                assert_eq!(work.load(Ordering::Relaxed), 8 * round);
            }
        });
    }

    #[test]
    fn the_time_ends_with_the_last_arrival_not_with_the_wait() {
        let gate = Gate::new(1).unwrap();
        let before = Instant::now();
        gate.release(Phase::Setup, None);
        gate.arrive();
        gate.settle();
        let arrived = before.elapsed();
        std::thread::sleep(Duration::from_millis(5));
        assert!(gate.outcome().unwrap() <= arrived);
    }

    #[test]
    fn a_failure_ends_the_wait() {
        let gate: &'static Gate = Box::leak(Box::new(Gate::new(2).unwrap()));
        gate.release(Phase::Setup, None);
        std::thread::spawn(|| gate.fail(Failure { out_of_memory: true, reason: "no".to_owned() }));
        assert_eq!(gate.outcome().unwrap_err().reason, "no");
    }
}
