//! Where a seat finds the objects that others have handed to it.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::object::Object;

/// Objects that can wait in one inbox.
pub(super) const CAPACITY: usize = 256;
/// How long one who finds it full waits before it looks after its own inbox.
const PATIENCE: Duration = Duration::from_millis(1);

/// A bounded queue with a known number of senders, each of which says once a phase that it has no more.
pub(super) struct Inbox {
    state: Mutex<State>,
    pending: AtomicUsize,
    /// Something came, or a sender has finished.
    news: Condvar,
    /// There is room.
    room: Condvar,
    senders: u32,
}

struct State {
    ring: VecDeque<Object>,
    finished: u32,
}

impl Inbox {
    /// An empty inbox for that many senders.
    pub fn new(senders: u32) -> Self {
        let state = State { ring: VecDeque::with_capacity(CAPACITY), finished: 0 };
        Self {
            state: Mutex::new(state),
            pending: AtomicUsize::new(0),
            news: Condvar::new(),
            room: Condvar::new(),
            senders,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts an object in, or gives it back after a short wait for room.
    pub fn put(&self, object: Object, wait: bool) -> Result<(), Object> {
        let mut state = self.lock();
        if wait && state.ring.len() >= CAPACITY {
            state = self.room.wait_timeout(state, PATIENCE).unwrap_or_else(PoisonError::into_inner).0;
        }
        if state.ring.len() >= CAPACITY {
            return Err(object);
        }
        state.ring.push_back(object);
        self.pending.store(state.ring.len(), Ordering::Relaxed);
        drop(state);
        self.news.notify_one();
        Ok(())
    }

    /// Takes out all that is there, without waiting.
    pub fn take(&self, into: &mut Vec<Object>) {
        if self.pending.load(Ordering::Relaxed) > 0 {
            self.empty(&mut self.lock(), into);
        }
    }

    fn empty(&self, state: &mut State, into: &mut Vec<Object>) {
        into.extend(state.ring.drain(..));
        self.pending.store(0, Ordering::Relaxed);
        self.room.notify_all();
    }

    /// A sender says that nothing more comes from it in this phase.
    pub fn finish(&self) {
        self.lock().finished += 1;
        self.news.notify_all();
    }

    /// Waits for something, and takes it; false when all senders have finished and nothing is left.
    pub fn wait(&self, into: &mut Vec<Object>) -> bool {
        let idle = |state: &mut State| state.ring.is_empty() && state.finished < self.senders;
        let mut state = self.news.wait_while(self.lock(), idle).unwrap_or_else(PoisonError::into_inner);
        if state.ring.is_empty() {
            // Nobody sends again before all have met: the next phase begins afresh.
            state.finished = 0;
            return false;
        }
        self.empty(&mut state, into);
        true
    }
}
