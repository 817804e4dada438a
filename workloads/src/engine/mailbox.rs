//! Bounded queues between seats; a queue is used either waiting or not. Their memory is the engine's and is fixed when they are made.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// A queue that holds back writers when it is full and readers when it is empty.
pub struct Mailbox<T> {
    ring: Mutex<Ring<T>>,
    capacity: usize,
    readable: Condvar,
    writable: Condvar,
}

struct Ring<T> {
    items: VecDeque<T>,
    /// Threads that wait for an item: nobody is woken where nobody waits, so that only then there is a system call.
    readers: usize,
    /// Threads that wait for room.
    writers: usize,
}

impl<T> Mailbox<T> {
    /// An empty queue for at most `capacity` items (at least 1).
    pub fn new(capacity: usize) -> Self {
        let capacity = capacity.max(1);
        let ring = Ring { items: VecDeque::with_capacity(capacity), readers: 0, writers: 0 };
        Self { ring: Mutex::new(ring), capacity, readable: Condvar::new(), writable: Condvar::new() }
    }

    /// Puts all items in, in their order, waiting for room; `items` is empty afterwards and keeps its
    /// buffer.
    pub fn put(&self, items: &mut Vec<T>) {
        let mut items = items.drain(..).peekable();
        while items.peek().is_some() {
            let mut ring = self.with_room();
            let room = self.capacity - ring.items.len();
            ring.items.extend(items.by_ref().take(room));
            self.tell(ring);
        }
    }

    /// Puts all items in if there is room for all of them now; `items` is empty afterwards and keeps its
    /// buffer. Otherwise nothing changes, and the answer is false.
    pub fn try_put(&self, items: &mut Vec<T>) -> bool {
        let mut ring = self.lock();
        let fits = items.len() <= self.capacity - ring.items.len();
        if fits {
            ring.items.extend(items.drain(..));
        }
        fits
    }

    /// Takes up to `most` items out into `into`, without waiting.
    pub fn try_take(&self, into: &mut Vec<T>, most: usize) {
        let mut ring = self.lock();
        let taken = most.min(ring.items.len());
        into.extend(ring.items.drain(..taken));
    }

    /// Takes up to `most` items out into `into`, waiting for the first.
    pub fn take(&self, into: &mut Vec<T>, most: usize) {
        let mut ring = self.with_items();
        let taken = most.min(ring.items.len());
        into.extend(ring.items.drain(..taken));
        self.tell(ring);
    }

    /// Takes the item out that came last into `into`, waiting for one.
    pub fn take_newest(&self, into: &mut Vec<T>) {
        let mut ring = self.with_items();
        into.extend(ring.items.pop_back());
        self.tell(ring);
    }

    fn lock(&self) -> MutexGuard<'_, Ring<T>> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The ring as soon as something is in it.
    fn with_items(&self) -> MutexGuard<'_, Ring<T>> {
        let mut ring = self.lock();
        while ring.items.is_empty() {
            ring.readers += 1;
            ring = self.readable.wait(ring).unwrap_or_else(PoisonError::into_inner);
            ring.readers -= 1;
        }
        ring
    }

    /// The ring as soon as there is room in it.
    fn with_room(&self) -> MutexGuard<'_, Ring<T>> {
        let mut ring = self.lock();
        while ring.items.len() >= self.capacity {
            ring.writers += 1;
            ring = self.writable.wait(ring).unwrap_or_else(PoisonError::into_inner);
            ring.writers -= 1;
        }
        ring
    }

    /// Lets the ring go, and wakes one of those who can go on now; that one wakes the next where something is left.
    fn tell(&self, ring: MutexGuard<'_, Ring<T>>) {
        let read = ring.readers > 0 && !ring.items.is_empty();
        let write = ring.writers > 0 && ring.items.len() < self.capacity;
        drop(ring);
        if read {
            self.readable.notify_one();
        }
        if write {
            self.writable.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_cross_in_order_through_a_small_queue() {
        let mailbox = Mailbox::new(3);
        let mut received = Vec::new();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for start in (0..1000).step_by(10) {
                    mailbox.put(&mut (start..start + 10).collect());
                }
            });
            while received.len() < 1000 {
                mailbox.take(&mut received, 7);
            }
        });
        assert!(received.into_iter().eq(0..1000));
    }

    #[test]
    fn the_newest_may_be_taken_first() {
        let mailbox = Mailbox::new(3);
        mailbox.put(&mut vec![1, 2, 3]);
        let mut taken = Vec::new();
        (0..3).for_each(|_| mailbox.take_newest(&mut taken));
        assert_eq!(taken, [3, 2, 1]);
    }

    #[test]
    fn without_waiting_it_is_all_or_nothing() {
        let mailbox = Mailbox::new(3);
        let (mut items, mut taken) = (vec![1, 2], Vec::new());
        assert!(mailbox.try_put(&mut items) && items.is_empty());
        items.extend([3, 4]);
        assert!(!mailbox.try_put(&mut items));
        assert_eq!(items, [3, 4]);
        mailbox.try_take(&mut taken, 9);
        assert_eq!(taken, [1, 2]);
        mailbox.try_take(&mut taken, 9);
        assert_eq!(taken.len(), 2);
    }

    #[test]
    fn many_writers_lose_nothing() {
        let mailbox = Mailbox::new(16);
        let mut received = Vec::new();
        std::thread::scope(|scope| {
            for writer in 0..4 {
                let mailbox = &mailbox;
                scope.spawn(move || (0..500).for_each(|n| mailbox.put(&mut vec![writer * 500 + n])));
            }
            while received.len() < 2000 {
                mailbox.take(&mut received, 100);
            }
        });
        received.sort_unstable();
        assert!(received.into_iter().eq(0..2000));
    }

    #[test]
    fn one_put_serves_all_who_wait() {
        let mailbox = Mailbox::new(8);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..100).for_each(|_| mailbox.take(&mut Vec::new(), 1)));
            }
            (0..50).for_each(|start| mailbox.put(&mut (start..start + 8).collect()));
        });
        assert!(mailbox.lock().items.is_empty());
    }
}
