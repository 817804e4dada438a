//! An array of slots in the measured heap, where the original's own array is there.

use super::actor::Actor;
use crate::heap::Heap;
use crate::object::Object;

/// Slots, each empty or with one object; none before [`Slots::allocate`].
#[derive(Default)]
pub struct Slots {
    /// The array, and how many slots it has. All of them are initialised.
    array: Option<(Object, usize)>,
    /// The slots themselves where the heap's memory cannot be written.
    elsewhere: Vec<Option<Object>>,
}

impl Slots {
    /// Allocates so many empty slots with one call. What was there before must have been [freed](Slots::free).
    pub fn allocate<H: Heap>(actor: &mut Actor<H>, count: usize) -> Self {
        let object = actor.malloc(count * size_of::<Option<Object>>());
        if !H::TOUCHABLE {
            return Self { array: Some((object, 0)), elsewhere: (0..count).map(|_| None).collect() };
        }
        let first = object.address.cast::<Option<Object>>();
        for slot in 0..count {
            // SAFETY: the object is live, large enough, and aligned as all that `malloc` returns of such a size.
            unsafe { first.add(slot).write(None) };
        }
        Self { array: Some((object, count)), elsewhere: Vec::new() }
    }

    /// All slots.
    #[inline]
    pub fn get(&mut self) -> &mut [Option<Object>] {
        match &self.array {
            Some((object, count)) if *count > 0 => {
                // SAFETY: so many slots were written there, nothing else knows the object, and it lives as long as this.
                unsafe { std::slice::from_raw_parts_mut(object.address.cast().as_ptr(), *count) }
            }
            _ => &mut self.elsewhere,
        }
    }

    /// Frees the array, whose slots must be empty.
    pub fn free<H: Heap>(&mut self, actor: &mut Actor<H>) {
        self.elsewhere.clear();
        if let Some((object, _)) = self.array.take() {
            actor.free(object);
        }
    }
}
