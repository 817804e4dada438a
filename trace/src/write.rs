//! Turns calls into bytes. Nothing here allocates, panics or asks the system.

// Every call of a recorded program passes through a few of these instructions.
#![allow(clippy::inline_always)]

use crate::event::{OP_BITS, RECENT, op, place};
use crate::varint;

/// Pointers are written in units of 8 bytes.
pub(crate) const SHIFT: u32 = 3;
/// From this difference on a recent pointer's place takes less: it has two bytes.
const FAR: u64 = 1 << (14 - OP_BITS);
/// Most of what fits in a number beside the operation.
const PAYLOAD_MAX: u64 = varint::MAX >> OP_BITS;

/// An event's bytes: `low` then `high`, little-endian, of which `length` count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packed {
    /// The first eight bytes.
    pub low: u64,
    /// The second eight bytes; 0 where `length` is 8 or less.
    pub high: u64,
    /// How many bytes count, 1 to 16.
    pub length: u32,
}

impl Packed {
    #[inline]
    const fn one(op: u64, payload: u64) -> Self {
        Self::fitting(op, if payload > PAYLOAD_MAX { PAYLOAD_MAX } else { payload })
    }

    /// With a payload that is at most [`PAYLOAD_MAX`].
    #[inline(always)]
    const fn fitting(op: u64, payload: u64) -> Self {
        let (low, length) = varint::encode_fitting(payload << OP_BITS | op);
        Self { low, high: 0, length }
    }

    /// With a second number after it.
    #[inline(always)]
    const fn then(self, value: u64) -> Self {
        let (word, length) = varint::encode(value);
        // The first number has 1 to 8 bytes, and nothing beyond them. In two steps, for 64 bits at once are too many.
        let bits = self.length * 8;
        Self {
            low: self.low | word << (bits - 8) << 8,
            high: word >> (64 - bits),
            length: self.length + length,
        }
    }

    /// The time since the last stamp, nanoseconds; clipped at 52 bits (52 days).
    #[inline]
    pub const fn stamp(nanoseconds: u64) -> Self {
        Self::one(op::STAMP, nanoseconds)
    }

    /// A request that failed.
    #[inline]
    pub const fn failed(size: u64) -> Self {
        Self::one(op::FAILED, 0).then(size)
    }

    /// A `realloc` that failed.
    #[inline]
    pub const fn realloc_failed(size: u64) -> Self {
        Self::one(op::REALLOC_FAILED, 0).then(size)
    }

    /// A `realloc` that freed.
    #[inline]
    pub const fn realloc_freed() -> Self {
        Self::one(op::REALLOC_FREED, 0)
    }

    /// The thread is ending.
    #[inline]
    pub const fn thread_end() -> Self {
        Self::one(op::THREAD_END, 0)
    }

    /// Calls are missing.
    #[inline]
    pub const fn lost(calls: u64) -> Self {
        Self::one(op::LOST, calls)
    }

    /// The chunk is full.
    #[inline]
    pub const fn close() -> Self {
        Self::one(op::CLOSE, 0)
    }
}

/// An event with a pointer, and what must stand before it where the pointer does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pointed {
    /// [`op::WIDE`] with the pointer.
    pub wide: Option<Packed>,
    /// The event.
    pub event: Packed,
}

/// What has an address: its operation and what stands beside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gained {
    /// `malloc`.
    Malloc,
    /// `calloc`.
    Calloc,
    /// `realloc`'s end.
    Realloc,
    /// An aligned request, by the alignment's logarithm.
    Aligned(u8),
}

/// A call with a pointer, of those that nearly all are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Near {
    /// An object of so many bytes was had.
    Gain(Gained, u64),
    /// An object is about to be freed.
    Free,
    /// `realloc` is about to happen to an object.
    ReallocBegin,
}

impl Gained {
    /// The operation, and the number after the pointer.
    #[inline(always)]
    const fn numbers(self, size: u64) -> (u64, u64) {
        match self {
            Self::Malloc => (op::MALLOC, size),
            Self::Calloc => (op::CALLOC, size),
            Self::Realloc => (op::REALLOC_END, size),
            Self::Aligned(log2) => {
                let most = varint::MAX >> 6;
                let size = if size > most { most } else { size };
                (op::ALIGNED, size << 6 | (log2 & 63) as u64)
            }
        }
    }
}

/// What an encoder remembers within a chunk. All zero at its beginning.
#[repr(C)]
#[derive(Clone, Debug)]
pub struct Encoder {
    last: u64,
    recent: [u64; RECENT],
}

impl Default for Encoder {
    fn default() -> Self {
        Self { last: 0, recent: [0; RECENT] }
    }
}

impl Encoder {
    /// Forgets everything, at the beginning of a chunk.
    #[inline]
    pub fn begin(&mut self) {
        self.last = 0;
        self.recent = [0; RECENT];
    }

    /// Whether [`Encoder::near`] can write this pointer: it is in units of 8 bytes, as the last one was, and its difference to
    /// that fits. Nearly all are.
    #[inline(always)]
    pub fn is_near(&self, pointer: u64) -> bool {
        (pointer | self.last) & ((1 << SHIFT) - 1) == 0 && self.difference(pointer) <= PAYLOAD_MAX
    }

    /// A call whose pointer is near.
    #[inline(always)]
    pub fn near(&mut self, what: Near, pointer: u64) -> Packed {
        let difference = self.difference(pointer);
        self.last = pointer;
        match what {
            Near::Gain(how, size) => {
                let (op, second) = how.numbers(size);
                self.recent[place(pointer)] = pointer;
                Packed::fitting(op, difference).then(second)
            }
            Near::ReallocBegin => Packed::fitting(op::REALLOC_BEGIN, difference),
            // Without a branch on whether it is a recent one, which nobody can foresee.
            Near::Free => {
                let place = place(pointer);
                let recent = self.recent[place];
                let is_recent = recent == pointer;
                self.recent[place] = if is_recent { 0 } else { recent };
                let by_place = is_recent && difference >= FAR;
                let (op, payload) =
                    if by_place { (op::FREE_RECENT, place as u64) } else { (op::FREE, difference) };
                Packed::fitting(op, payload)
            }
        }
    }

    /// An object was had.
    #[inline]
    pub fn gain(&mut self, how: Gained, pointer: u64, size: u64) -> Pointed {
        let (op, second) = how.numbers(size);
        let Pointed { wide, event } = self.point(op, pointer);
        self.recent[place(pointer)] = pointer;
        Pointed { wide, event: event.then(second) }
    }

    /// An object is about to be freed.
    #[inline]
    pub fn free(&mut self, pointer: u64) -> Pointed {
        let place = place(pointer);
        if self.recent[place] == pointer {
            self.recent[place] = 0;
            if self.difference(pointer) >= FAR {
                self.last = pointer;
                return Pointed { wide: None, event: Packed::one(op::FREE_RECENT, place as u64) };
            }
        }
        self.point(op::FREE, pointer)
    }

    /// `realloc` is about to happen to an object.
    #[inline]
    pub fn realloc_begin(&mut self, pointer: u64) -> Pointed {
        self.point(op::REALLOC_BEGIN, pointer)
    }

    /// The difference to the last pointer with its sign in the lowest bit.
    #[inline(always)]
    fn difference(&self, pointer: u64) -> u64 {
        let difference = (pointer >> SHIFT).wrapping_sub(self.last >> SHIFT).cast_signed();
        (difference << 1 ^ difference >> 63).cast_unsigned()
    }

    #[inline]
    fn point(&mut self, op: u64, pointer: u64) -> Pointed {
        let difference = self.difference(pointer);
        let exact = pointer == self.last;
        self.last = pointer;
        if exact {
            return Pointed { wide: None, event: Packed::one(op, 0) };
        }
        // A difference of 0 means the very pointer.
        if difference == 0 || difference > PAYLOAD_MAX || !pointer.is_multiple_of(1 << SHIFT) {
            return Pointed { wide: Some(wide(pointer)), event: Packed::one(op, 0) };
        }
        Pointed { wide: None, event: Packed::one(op, difference) }
    }
}

#[inline]
const fn wide(pointer: u64) -> Packed {
    let (op, _) = varint::encode(op::WIDE);
    Packed { low: op | pointer << 8, high: pointer >> 56, length: 9 }
}
