//! The events of one chunk.

use crate::event::{Event, OP_BITS, RECENT, op, place};
use crate::varint;
use crate::write::SHIFT;

/// Why the events of a chunk end before its end does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unread {
    /// An event is cut short, by the end of the chunk or by a hole.
    #[error("an event is cut short")]
    Cut,
    /// There is no such operation.
    #[error("there is no operation {0}")]
    Operation(u64),
    /// A number has bits that its operation does not use.
    #[error("operation {0} has a number that it does not take")]
    Number(u64),
    /// A place in the table of recent pointers is empty.
    #[error("a free names an empty place among the recent pointers")]
    Recent,
    /// A pointer stands before an event that does not take it.
    #[error("a pointer is not followed by an event that takes it")]
    Wide,
    /// The time runs over.
    #[error("a stamp is beyond the end of time")]
    Time,
}

/// The events of a chunk until the first hole, the end, or something that cannot be read.
#[derive(Clone, Debug)]
pub struct Events<'a> {
    bytes: &'a [u8],
    decoder: Decoder,
}

impl<'a> Events<'a> {
    /// The events in what follows a chunk's header. `began` is the header's time.
    pub fn new(bytes: &'a [u8], began: u64) -> Self {
        Self { bytes, decoder: Decoder::new(began) }
    }

    /// How many bytes have been read: after the last event, the place of the hole.
    pub fn position(&self) -> usize {
        self.decoder.at
    }
}

impl Iterator for Events<'_> {
    type Item = Result<Event, Unread>;

    fn next(&mut self) -> Option<Self::Item> {
        self.decoder.next(self.bytes)
    }
}

/// What reading a chunk remembers. The bytes are given at each step, always the same.
#[derive(Clone, Debug)]
pub(super) struct Decoder {
    at: usize,
    last: u64,
    time: u64,
    recent: [u64; RECENT],
    ended: bool,
}

impl Decoder {
    pub(super) fn new(began: u64) -> Self {
        Self { at: 0, last: 0, time: began, recent: [0; RECENT], ended: false }
    }

    fn number(&mut self, bytes: &[u8]) -> Result<u64, Unread> {
        let rest = bytes.get(self.at..).unwrap_or_default();
        let (value, length) = varint::decode(rest).ok_or(Unread::Cut)?;
        self.at += length;
        Ok(value)
    }

    fn step(&mut self, bytes: &[u8]) -> Result<Option<Event>, Unread> {
        if bytes.get(self.at).is_none_or(|first| *first == 0) {
            return Ok(None);
        }
        let mut wide = false;
        let (mut operation, mut payload) = self.operation(bytes)?;
        if operation == op::WIDE {
            let before = (self.at, self.last);
            self.wide(bytes, payload)?;
            // The writer was killed before the event that this pointer is for.
            if bytes.get(self.at).is_none_or(|first| *first == 0) {
                (self.at, self.last) = (before.0 - 1, before.1);
                return Ok(None);
            }
            wide = true;
            (operation, payload) = self.operation(bytes)?;
            if payload != 0 {
                return Err(Unread::Wide);
            }
        }
        let event = match operation {
            op::MALLOC | op::FREE | op::CALLOC | op::REALLOC_BEGIN | op::REALLOC_END | op::ALIGNED => {
                self.pointed(bytes, operation, payload)?
            }
            _ if wide => return Err(Unread::Wide),
            op::FREE_RECENT => self.free_recent(payload)?,
            op::STAMP => {
                self.time = self.time.checked_add(payload).ok_or(Unread::Time)?;
                Event::Stamp { at: self.time }
            }
            op::LOST => Event::Lost { calls: payload },
            _ if payload != 0 => return Err(Unread::Number(operation)),
            op::REALLOC_FAILED => Event::ReallocFailed { size: self.number(bytes)? },
            op::FAILED => Event::Failed { size: self.number(bytes)? },
            op::REALLOC_FREED => Event::ReallocFreed,
            op::THREAD_END => Event::ThreadEnd,
            op::CLOSE => {
                self.ended = true;
                Event::Close
            }
            other => return Err(Unread::Operation(other)),
        };
        Ok(Some(event))
    }

    fn operation(&mut self, bytes: &[u8]) -> Result<(u64, u64), Unread> {
        let number = self.number(bytes)?;
        Ok((number & ((1 << OP_BITS) - 1), number >> OP_BITS))
    }

    fn wide(&mut self, bytes: &[u8], payload: u64) -> Result<(), Unread> {
        if payload != 0 {
            return Err(Unread::Number(op::WIDE));
        }
        let word = bytes.get(self.at..).and_then(|rest| rest.first_chunk::<8>()).ok_or(Unread::Cut)?;
        self.last = u64::from_le_bytes(*word);
        self.at += 8;
        Ok(())
    }

    fn pointed(&mut self, bytes: &[u8], operation: u64, payload: u64) -> Result<Event, Unread> {
        if payload != 0 {
            let difference = (payload >> 1).cast_signed() ^ -(payload & 1).cast_signed();
            self.last = (self.last >> SHIFT).wrapping_add_signed(difference) << SHIFT;
        }
        let pointer = self.last;
        if operation == op::FREE {
            let recent = self.recent.get_mut(place(pointer));
            if let Some(recent) = recent.filter(|recent| **recent == pointer) {
                *recent = 0;
            }
            return Ok(Event::Free { pointer });
        }
        if operation == op::REALLOC_BEGIN {
            return Ok(Event::ReallocBegin { pointer });
        }
        let second = self.number(bytes)?;
        if let Some(recent) = self.recent.get_mut(place(pointer)) {
            *recent = pointer;
        }
        Ok(match operation {
            op::MALLOC => Event::Malloc { pointer, size: second },
            op::CALLOC => Event::Calloc { pointer, size: second },
            op::REALLOC_END => Event::ReallocEnd { pointer, size: second },
            _ => Event::Aligned { pointer, size: second >> 6, log2: (second & 63) as u8 },
        })
    }

    fn free_recent(&mut self, payload: u64) -> Result<Event, Unread> {
        let index = usize::try_from(payload).map_err(|_| Unread::Recent)?;
        let recent = self.recent.get_mut(index).filter(|recent| **recent != 0).ok_or(Unread::Recent)?;
        let pointer = core::mem::take(recent);
        self.last = pointer;
        Ok(Event::Free { pointer })
    }

    pub(super) fn next(&mut self, bytes: &[u8]) -> Option<Result<Event, Unread>> {
        if self.ended {
            return None;
        }
        let before = self.at;
        match self.step(bytes) {
            Ok(Some(event)) => Some(Ok(event)),
            Ok(None) => {
                self.ended = true;
                None
            }
            Err(why) => {
                self.at = before;
                self.ended = true;
                Some(Err(why))
            }
        }
    }
}
