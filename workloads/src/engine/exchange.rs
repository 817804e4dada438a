//! Slots that all seats share: an object put in by one is taken out by another.

use std::sync::{Mutex, PoisonError};

use crate::object::Object;

/// An array of shared slots, each empty or with one object. Its memory is the engine's and fixed.
pub struct Exchange {
    slots: Box<[Mutex<Option<Object>>]>,
}

impl Exchange {
    /// That many empty slots.
    pub fn new(slots: usize) -> Self {
        Self { slots: (0..slots).map(|_| Mutex::new(None)).collect() }
    }

    /// How many slots there are.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether there is no slot at all.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Puts `object` (or nothing) into a slot; what was there before.
    ///
    /// # Panics
    /// When there is no such slot: a defect of the caller.
    #[inline]
    pub fn swap(&self, slot: usize, object: Option<Object>) -> Option<Object> {
        std::mem::replace(&mut *self.slots[slot].lock().unwrap_or_else(PoisonError::into_inner), object)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ptr::NonNull;

    fn object(size: usize) -> Object {
        Object { address: NonNull::dangling(), size }
    }

    #[test]
    fn what_goes_in_comes_out_once() {
        let exchange = Exchange::new(2);
        assert_eq!(exchange.swap(1, Some(object(5))), None);
        assert_eq!(exchange.swap(0, None), None);
        assert_eq!(exchange.swap(1, Some(object(6))), Some(object(5)));
        assert_eq!(exchange.swap(1, None), Some(object(6)));
        assert_eq!(exchange.swap(1, None), None);
    }

    #[test]
    fn nothing_is_lost_between_threads() {
        let exchange = Exchange::new(3);
        let held = |from: usize| -> usize {
            (from..from + 1000).filter_map(|n| exchange.swap(n % 3, Some(object(n)))).map(|o| o.size).sum()
        };
        let sum: usize = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|n| scope.spawn(move || held(n * 1000))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        let rest: usize = (0..3).filter_map(|slot| exchange.swap(slot, None)).map(|o| o.size).sum();
        assert_eq!(sum + rest, (0..4000).sum::<usize>());
    }
}
