//! A timing wheel: holds objects until the operation at which they are to be freed.

use crate::object::Object;

/// No node.
const NONE: u32 = u32::MAX;
/// Most slots; lives beyond so many operations go round more than once.
const MOST_SLOTS: u64 = 1 << 20;

/// An object with its fate.
pub(super) struct Due {
    pub object: Object,
    /// The seat that frees it; [`Due::OWN`] is the holder.
    pub to: u32,
}

impl Due {
    /// The holder frees it itself.
    pub const OWN: u32 = u32::MAX;
}

struct Node {
    due: Option<Due>,
    at: u64,
    next: u32,
}

/// Objects by the operation at which they are due. Its memory is fixed, unless it holds more than it was made for.
pub(super) struct Wheel {
    slots: Box<[u32]>,
    nodes: Vec<Node>,
    free: u32,
    /// The next operation.
    now: u64,
}

/// Slots for lives up to `longest` operations.
fn slots(longest: u64) -> usize {
    (longest + 1).clamp(2, MOST_SLOTS).next_power_of_two() as usize
}

/// Bytes of the slots for lives up to `longest` operations.
pub(super) fn bytes(longest: u64) -> usize {
    slots(longest) * size_of::<u32>()
}

impl Wheel {
    /// For lives up to `longest` operations and up to `objects` at once.
    pub fn new(longest: u64, objects: usize) -> Self {
        Self {
            slots: vec![NONE; slots(longest)].into(),
            nodes: Vec::with_capacity(objects),
            free: NONE,
            now: 0,
        }
    }

    fn slot(&self, at: u64) -> usize {
        (at & (self.slots.len() as u64 - 1)) as usize
    }

    /// Takes an object in, to be freed `after` operations from the next one.
    #[inline]
    pub fn put(&mut self, due: Due, after: u64) {
        let at = self.now + after;
        let slot = self.slot(at);
        let node = Node { due: Some(due), at, next: self.slots[slot] };
        self.slots[slot] = if self.free == NONE {
            self.nodes.push(node);
            (self.nodes.len() - 1) as u32
        } else {
            let place = self.free;
            self.free = self.nodes[place as usize].next;
            self.nodes[place as usize] = node;
            place
        };
    }

    /// Moves on by one operation, and gives what is due at it.
    #[inline]
    pub fn advance(&mut self, mut give: impl FnMut(Due)) {
        let (now, slot) = (self.now, self.slot(self.now));
        self.now += 1;
        let mut place = std::mem::replace(&mut self.slots[slot], NONE);
        while place != NONE {
            let node = &mut self.nodes[place as usize];
            let next = node.next;
            if node.at > now {
                node.next = self.slots[slot];
                self.slots[slot] = place;
            } else {
                if let Some(due) = node.due.take() {
                    give(due);
                }
                node.next = self.free;
                self.free = place;
            }
            place = next;
        }
    }

    /// Gives all that is left.
    pub fn drain(&mut self, give: impl FnMut(Due)) {
        self.slots.fill(NONE);
        self.free = NONE;
        self.nodes.drain(..).filter_map(|node| node.due).for_each(give);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ptr::NonNull;

    fn due(size: usize) -> Due {
        Due { object: Object { address: NonNull::dangling(), size }, to: Due::OWN }
    }

    #[test]
    fn everything_comes_when_it_is_due_and_once() {
        let mut wheel = Wheel::new(MOST_SLOTS * 2, 8);
        for after in [0, 1, 5, 5, MOST_SLOTS + 3, 2 * MOST_SLOTS] {
            wheel.put(due(after as usize), after);
        }
        let mut seen = Vec::new();
        for now in 0..=2 * MOST_SLOTS {
            wheel.advance(|due| seen.push((now, due.object.size as u64)));
        }
        assert!(seen.iter().all(|(now, due)| now == due), "{seen:?}");
        assert_eq!(seen.len(), 6);
    }

    #[test]
    fn nodes_are_used_again() {
        let mut wheel = Wheel::new(10, 16);
        for _ in 0..1000 {
            wheel.put(due(1), 9);
            wheel.advance(|_| ());
        }
        assert!(wheel.nodes.len() <= 10 && wheel.nodes.capacity() == 16);
        let mut left = 0;
        wheel.drain(|_| left += 1);
        assert_eq!(left, 9);
    }
}
