//! One order of the events of all threads of a process.
//!
//! What is sure: each thread's own order; that an address is had and freed in turns, for a free is noted before
//! it happens and an object after it was had; and the time of every stamp, after which its events follow at the thread's pace. The
//! earliest event whose address is ready for it goes first; one whose address is not ready waits for that, but
//! no longer than until its next stamp. An event that a pause may have come before is held back until it is needed
//! ([`super::stream`]). Where all that leads nowhere, the choice that led there is taken back ([`super::repair`]). What is
//! left open by these is counted.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::vec::Vec;

use super::repair::Repair;
use super::stream::{Due, Stream};
use super::{ReadError, TraceFile};
use crate::event::Event;

/// An object that the program has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Object {
    /// Bytes as asked for.
    pub size: u64,
    /// The thread that had it, as an index among the file's threads.
    pub thread: u32,
    /// When, about.
    pub time: u64,
}

/// What was open in the order, and how often.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Order {
    /// An object was had at an address that had not been freed, or a `realloc` ended that had not begun: the
    /// recording is not complete, or wrong.
    pub contradictions: u64,
    /// Frees of objects that were had before recording began, or whose calls were lost.
    pub unknown_frees: u64,
    /// Times that more than one thread was waiting to do the same to one address: which was first is not known.
    pub ambiguous: u64,
    /// Chunks whose rest could not be read.
    pub unread: u64,
}

/// An event in its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Merged {
    /// When, about (`CLOCK_MONOTONIC`, nanoseconds): between the stamps around it.
    pub time: u64,
    /// The thread, as an index among the file's threads.
    pub thread: u32,
    /// The thread, as the kernel numbers it.
    pub tid: u32,
    /// What happened.
    pub event: Event,
    /// The object that is no more with it, where there is one and it is known.
    pub freed: Option<Object>,
}

/// What an event does to an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    Gain(u64),
    Free(u64),
    Neither,
}

/// An event that happened, and what it takes to undo it.
pub(super) struct Step {
    pub(super) merged: Merged,
    pub(super) due: Due,
    pub(super) turn: Turn,
    /// The number of the event in its thread.
    pub(super) number: u64,
    /// The object that was live at its address before.
    before: Option<(u64, Option<Object>)>,
    moving: Option<(u64, Option<Object>)>,
    order: Order,
}

/// Events that can be taken back.
pub(super) const HORIZON: usize = 8192;

/// Merges the threads of a file. Memory goes with the objects that are live at once and the number of threads,
/// not with the length of the file.
pub struct Merge<'a> {
    file: &'a TraceFile,
    pub(super) streams: Vec<Stream>,
    pub(super) ready: BinaryHeap<Reverse<(u64, u32)>>,
    pub(super) late: BinaryHeap<Reverse<(u64, u32, u64)>>,
    pub(super) waiting: HashMap<u64, Vec<u32>>,
    pub(super) live: HashMap<u64, Object>,
    /// Threads whose next event is held back, by its address.
    floating: HashMap<u64, Vec<u32>>,
    pub(super) order: Order,
    pub(super) journal: VecDeque<Step>,
    pub(super) repair: Repair,
}

impl<'a> Merge<'a> {
    /// Begins.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn new(file: &'a TraceFile) -> Result<Self, ReadError> {
        let mut streams: Vec<(u32, Stream)> = Vec::new();
        for chunk in &file.chunks {
            match streams.last_mut().filter(|(thread, _)| *thread == chunk.thread) {
                Some((_, stream)) => stream.chunks.push_back(*chunk),
                None => streams.push((chunk.thread, Stream::of(*chunk))),
            }
        }
        let mut merge = Self {
            file,
            streams: streams.into_iter().map(|(_, stream)| stream).collect(),
            ready: BinaryHeap::new(),
            late: BinaryHeap::new(),
            waiting: HashMap::new(),
            live: HashMap::new(),
            floating: HashMap::new(),
            order: Order::default(),
            journal: VecDeque::new(),
            repair: Repair::default(),
        };
        for thread in 0..merge.streams.len() {
            merge.queue(thread as u32)?;
        }
        Ok(merge)
    }

    /// What was open so far; of the whole file once the last event is out.
    pub fn order(&self) -> Order {
        self.order
    }

    /// The objects that are live now, by their addresses.
    pub fn live(&self) -> &HashMap<u64, Object> {
        &self.live
    }

    /// The next event in order; `None` after the last.
    ///
    /// # Errors
    /// The file cannot be read.
    #[allow(clippy::should_implement_trait)] // it can fail, and must then not be called again
    pub fn next(&mut self) -> Result<Option<Merged>, ReadError> {
        while self.journal.len() <= HORIZON {
            if !self.advance()? {
                break;
            }
        }
        let step = self.journal.pop_front();
        self.repair.went_on(step.is_some());
        Ok(step.map(|step| step.merged))
    }

    /// One event more, or some taken back; whether there was anything to do.
    fn advance(&mut self) -> Result<bool, ReadError> {
        let ready = self.ready.peek().map(|Reverse((_, thread))| *thread);
        let low = ready.and_then(|thread| self.due(thread)).map(|due| due.low);
        let late = self.latest_wait();
        match (ready, late) {
            (_, Some((until, thread))) if low.is_none_or(|low| low > until) => {
                if self.pull(thread, until)? {
                    return Ok(true);
                }
                if let Some(other) = self.may_precede(until) {
                    self.ready.retain(|Reverse((_, ready))| *ready != other);
                    if !self.wait_if_not_ready(other)? {
                        self.happen(other)?;
                    }
                } else if !self.repair(thread) && !self.repair_another(thread) && !self.start_over(thread) {
                    self.force(thread)?;
                }
            }
            (Some(thread), _) => {
                self.ready.pop();
                if !self.wait_if_not_ready(thread)? {
                    self.happen(thread)?;
                }
            }
            (None, _) => return Ok(false),
        }
        Ok(true)
    }

    /// A ready thread whose next event may have been before a time, though it seems to be later.
    fn may_precede(&self, until: u64) -> Option<u32> {
        let ready =
            self.ready.iter().filter_map(|Reverse((_, thread))| Some((self.due(*thread)?.low, *thread)));
        ready.filter(|(low, _)| *low <= until).min().map(|(_, thread)| thread)
    }

    fn due(&self, thread: u32) -> Option<&Due> {
        self.streams.get(thread as usize)?.due.front()
    }

    /// The waiting thread that may wait the shortest.
    fn latest_wait(&mut self) -> Option<(u64, u32)> {
        while let Some(Reverse((until, thread, ticket))) = self.late.peek().copied() {
            let stream = self.streams.get(thread as usize)?;
            if stream.waiting && stream.ticket == ticket {
                return Some((until, thread));
            }
            self.late.pop();
        }
        None
    }

    pub(super) fn turn(&self, thread: u32) -> Turn {
        let Some(stream) = self.streams.get(thread as usize) else { return Turn::Neither };
        stream.due.front().map_or(Turn::Neither, |due| stream.turn_of(due))
    }

    fn wait_if_not_ready(&mut self, thread: u32) -> Result<bool, ReadError> {
        let (address, is_ready) = match self.turn(thread) {
            Turn::Gain(pointer) => (pointer, !self.live.contains_key(&pointer)),
            Turn::Free(pointer) => (pointer, self.live.contains_key(&pointer)),
            Turn::Neither => return Ok(false),
        };
        let is_ready = is_ready && !self.must_let_pass(thread);
        if !is_ready && self.bring_down(address, thread)? {
            return self.wait_if_not_ready(thread);
        }
        let Some(stream) = self.streams.get_mut(thread as usize).filter(|_| !is_ready) else {
            return Ok(false);
        };
        stream.waiting = true;
        stream.ticket += 1;
        let until = stream.due.front().map_or(0, |due| due.high);
        self.late.push(Reverse((until, thread, stream.ticket)));
        self.waiting.entry(address).or_default().push(thread);
        Ok(true)
    }

    /// Lets an event happen that was held back, of another thread than this one, and is what the address waits for; whether
    /// there was any.
    fn bring_down(&mut self, address: u64, thread: u32) -> Result<bool, ReadError> {
        let Some(threads) = self.floating.get(&address) else { return Ok(false) };
        let needed = if self.live.contains_key(&address) { Turn::Free(address) } else { Turn::Gain(address) };
        let fits =
            |other: &&u32| **other != thread && self.turn(**other) == needed && !self.must_let_pass(**other);
        let time = |other: &&u32| self.due(**other).map(|due| due.time);
        let Some(other) = threads.iter().filter(fits).min_by_key(time).copied() else { return Ok(false) };
        self.take(other)?;
        Ok(true)
    }

    /// The thread's first event happens, whether it is its turn or not.
    pub(super) fn take(&mut self, thread: u32) -> Result<(), ReadError> {
        self.ready.retain(|Reverse((_, ready))| *ready != thread);
        self.unwait(thread);
        self.happen(thread)
    }

    /// The thread does not wait any more.
    fn unwait(&mut self, thread: u32) {
        if let Turn::Gain(pointer) | Turn::Free(pointer) = self.turn(thread)
            && let Some(waiting) = self.waiting.get_mut(&pointer)
        {
            waiting.retain(|other| *other != thread);
            if waiting.is_empty() {
                self.waiting.remove(&pointer);
            }
        }
        if let Some(stream) = self.streams.get_mut(thread as usize) {
            stream.waiting = false;
        }
    }

    /// An event that has waited for too long happens as it is, and is counted.
    fn force(&mut self, thread: u32) -> Result<(), ReadError> {
        let (turn, before) = (self.turn(thread), self.order);
        self.unwait(thread);
        match turn {
            Turn::Gain(pointer) if self.live.contains_key(&pointer) => self.order.contradictions += 1,
            Turn::Free(pointer) if !self.live.contains_key(&pointer) => self.order.unknown_frees += 1,
            _ => {}
        }
        self.happen(thread)?;
        // Should it be taken back, it has not been counted.
        if let Some(step) = self.journal.back_mut() {
            step.order = before;
        }
        Ok(())
    }

    fn happen(&mut self, thread: u32) -> Result<(), ReadError> {
        let turn = self.turn(thread);
        let order = self.order;
        let Some(stream) = self.streams.get_mut(thread as usize) else { return Ok(()) };
        let Some(due) = stream.due.pop_front() else { return Ok(()) };
        let Due { event, time, .. } = due;
        if due.floats()
            && let Turn::Gain(pointer) | Turn::Free(pointer) = turn
            && let Some(threads) = self.floating.get_mut(&pointer)
        {
            threads.retain(|other| *other != thread);
            if threads.is_empty() {
                self.floating.remove(&pointer);
            }
        }
        let (tid, number, moving) = (stream.tid, stream.done, stream.moving);
        stream.done += 1;
        let before = match turn {
            Turn::Gain(pointer) | Turn::Free(pointer) => Some((pointer, self.live.get(&pointer).copied())),
            Turn::Neither => None,
        };
        let mut freed = None;
        match event {
            Event::Malloc { pointer, size }
            | Event::Calloc { pointer, size }
            | Event::Aligned { pointer, size, .. } => {
                self.live.insert(pointer, Object { size, thread, time });
            }
            Event::ReallocEnd { pointer, size } => {
                if stream.moving.take().is_none() {
                    self.order.contradictions += 1;
                }
                self.live.insert(pointer, Object { size, thread, time });
            }
            Event::Free { pointer } => freed = self.live.remove(&pointer),
            Event::ReallocBegin { pointer } => {
                freed = self.live.remove(&pointer);
                if stream.moving.replace((pointer, freed)).is_some() {
                    self.order.contradictions += 1;
                }
            }
            Event::ReallocFailed { .. } => match stream.moving.take() {
                Some((pointer, Some(object))) => {
                    self.live.insert(pointer, object);
                }
                Some((_, None)) => {}
                None => self.order.contradictions += 1,
            },
            Event::ReallocFreed => {
                if stream.moving.take().is_none() {
                    self.order.contradictions += 1;
                }
            }
            Event::Failed { .. }
            | Event::Stamp { .. }
            | Event::ThreadEnd
            | Event::Lost { .. }
            | Event::Close => {}
        }
        if let Turn::Gain(pointer) | Turn::Free(pointer) = turn {
            self.wake(pointer);
        }
        let merged = Merged { time, thread, tid, event, freed };
        self.journal.push_back(Step { merged, due, turn, number, before, moving, order });
        self.queue(thread)
    }

    /// Takes the last event back. Threads that wait or are ready are as they were: see [`Merge::look_anew`].
    pub(super) fn undo(&mut self) {
        let Some(step) = self.journal.pop_back() else { return };
        self.order = step.order;
        match step.before {
            Some((pointer, Some(object))) => drop(self.live.insert(pointer, object)),
            Some((pointer, None)) => drop(self.live.remove(&pointer)),
            None => {}
        }
        if let Some(stream) = self.streams.get_mut(step.merged.thread as usize) {
            stream.due.push_front(step.due);
            stream.done = step.number;
            stream.moving = step.moving;
        }
    }

    /// Every thread's first event is looked at again.
    pub(super) fn look_anew(&mut self) {
        self.ready.clear();
        self.late.clear();
        self.waiting.clear();
        self.floating.clear();
        for thread in 0..self.streams.len() {
            if let Some(stream) = self.streams.get_mut(thread) {
                stream.waiting = false;
            }
            self.put_in_line(thread as u32);
        }
    }

    /// The thread's first event is ready, or held back.
    fn put_in_line(&mut self, thread: u32) {
        let Some(due) = self.due(thread).copied() else { return };
        self.ready.push(Reverse((due.at, thread)));
        if due.floats()
            && let Turn::Gain(pointer) | Turn::Free(pointer) = self.turn(thread)
        {
            self.floating.entry(pointer).or_default().push(thread);
        }
    }

    /// Those that waited for an address look at it again, in the order of their times.
    fn wake(&mut self, pointer: u64) {
        let Some(threads) = self.waiting.remove(&pointer) else { return };
        let gains = self.live.contains_key(&pointer);
        let same =
            threads.iter().filter(|thread| matches!(self.turn(**thread), Turn::Free(_)) == gains).count();
        if same > 1 {
            self.order.ambiguous += 1;
        }
        for thread in threads {
            let Some(stream) = self.streams.get_mut(thread as usize) else { continue };
            stream.waiting = false;
            if let Some(due) = stream.due.front() {
                self.ready.push(Reverse((due.at, thread)));
            }
        }
    }

    /// The thread's next event is due.
    fn queue(&mut self, thread: u32) -> Result<(), ReadError> {
        let Some(stream) = self.streams.get_mut(thread as usize) else { return Ok(()) };
        while stream.due.is_empty() {
            if !stream.fill(self.file, &mut self.order)? {
                return Ok(());
            }
        }
        self.put_in_line(thread);
        Ok(())
    }
}
