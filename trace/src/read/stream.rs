//! The events of one thread, with the times between which each happened.

use std::collections::VecDeque;
use std::vec::Vec;

use super::events::Decoder;
use super::order::{Object, Turn};
use super::{ChunkFacts, Order, ReadError, TraceFile};
use crate::event::Event;

/// An event that is due in its thread.
#[derive(Clone, Copy)]
pub(super) struct Due {
    pub(super) event: Event,
    pub(super) low: u64,
    /// When it happened, about.
    pub(super) time: u64,
    /// When it is to happen, unless another thread needs it before. Not before `time`.
    pub(super) at: u64,
    pub(super) high: u64,
}

impl Due {
    /// Whether it may have happened much later than it seems.
    pub(super) fn floats(&self) -> bool {
        self.at > self.time
    }
}

/// A thread looks whether time has passed right before it writes an event. Where it is stopped between the two, that event comes
/// after the pause, and seems to come before it: of every stretch between two stamps only the last can be so. It is
/// held back, up to its latest time, until another thread needs it; but no longer than this, nanoseconds, lest a
/// thread's last event before it sleeps be put after its sleep.
const FLOAT: u64 = 250_000_000;

/// Events between stamps that are spread over time together; a file without stamps has no more at once.
const BLOCK: usize = 4096;

/// What a thread's pace is taken for at first, nanoseconds.
const PACE: u64 = 200;
/// Blocks with more events than this tell the pace.
const PACED: u64 = 32;

/// The events of one thread.
pub(super) struct Stream {
    pub(super) chunks: VecDeque<ChunkFacts>,
    pub(super) tid: u32,
    bytes: Vec<u8>,
    decoder: Option<Decoder>,
    pub(super) due: VecDeque<Due>,
    pub(super) time: u64,
    /// The object whose `realloc` has begun, with its address.
    pub(super) moving: Option<(u64, Option<Object>)>,
    /// Raised each time that its first event waits.
    pub(super) ticket: u64,
    pub(super) waiting: bool,
    /// How many of its events have happened.
    pub(super) done: u64,
    /// Nanoseconds between two of its events while it runs. A stamp comes right before an event, so that what is in excess of
    /// this was a pause after the last.
    pace: u64,
    /// Whether a block has told it.
    paced: bool,
}

impl Stream {
    pub(super) fn of(chunk: ChunkFacts) -> Self {
        Self {
            chunks: VecDeque::from([chunk]),
            tid: chunk.tid,
            bytes: Vec::new(),
            decoder: None,
            due: VecDeque::new(),
            time: chunk.monotonic,
            moving: None,
            ticket: 0,
            waiting: false,
            done: 0,
            pace: PACE,
            paced: false,
        }
    }

    /// What an event does to an address. One that a `realloc` failed with does it to the address of the begin, if that was the
    /// thread's last.
    pub(super) fn turn_of(&self, due: &Due) -> Turn {
        match due.event {
            Event::Malloc { pointer, .. }
            | Event::Calloc { pointer, .. }
            | Event::Aligned { pointer, .. }
            | Event::ReallocEnd { pointer, .. } => Turn::Gain(pointer),
            Event::ReallocFailed { .. } => {
                self.moving.map_or(Turn::Neither, |(pointer, _)| Turn::Gain(pointer))
            }
            Event::Free { pointer } | Event::ReallocBegin { pointer } => Turn::Free(pointer),
            _ => Turn::Neither,
        }
    }

    /// Reads on to the next stamp; whether there was anything to read.
    pub(super) fn fill(&mut self, file: &TraceFile, order: &mut Order) -> Result<bool, ReadError> {
        if self.decoder.is_none() && !self.begin_chunk(file, order)? {
            return Ok(false);
        }
        let Some(decoder) = self.decoder.as_mut() else { return Ok(false) };
        let low = self.time;
        let mut block = Vec::new();
        let mut high = None;
        while high.is_none() && block.len() < BLOCK {
            match decoder.next(&self.bytes) {
                Some(Ok(Event::Stamp { at })) => high = Some(at),
                Some(Ok(event)) => block.push(event),
                Some(Err(_)) => order.unread += 1,
                None => {
                    self.decoder = None;
                    break;
                }
            }
        }
        // The end of a chunk that another follows is bounded by the other's beginning.
        let next = || self.chunks.front().filter(|_| self.decoder.is_none()).map(|chunk| chunk.monotonic);
        let end = high.or_else(next).map(|end| end.max(low));
        let count = block.len() as u64 + 1;
        let even = end.map_or(self.pace, |end| (end - low) / count);
        let step = if self.paced { even.min(self.pace) } else { even.min(4 * PACE) };
        if count > PACED && end.is_some() {
            let told = even.min(4 * self.pace);
            self.pace = if self.paced { (3 * self.pace + told) / 4 + 1 } else { told + 1 };
            self.paced = true;
        }
        let last = block.iter().rposition(Event::is_call).unwrap_or(block.len()) as u64 + 1;
        for (event, number) in block.into_iter().zip(1u64..) {
            let time = low.saturating_add(step.saturating_mul(number));
            let held = end.filter(|_| number >= last).map(|end| end.min(time.saturating_add(FLOAT)));
            let at = held.unwrap_or(time).max(time);
            self.due.push_back(Due { event, low, time, at, high: end.unwrap_or(u64::MAX) });
        }
        self.time = end.unwrap_or(low);
        Ok(true)
    }

    fn begin_chunk(&mut self, file: &TraceFile, order: &mut Order) -> Result<bool, ReadError> {
        let Some(chunk) = self.chunks.pop_front() else { return Ok(false) };
        self.bytes = match file.events(&chunk) {
            Ok(bytes) => bytes,
            Err(ReadError::Not { .. }) => {
                order.unread += 1;
                Vec::new()
            }
            Err(error) => return Err(error),
        };
        self.time = self.time.max(chunk.monotonic);
        self.decoder = Some(Decoder::new(chunk.monotonic));
        Ok(true)
    }
}
