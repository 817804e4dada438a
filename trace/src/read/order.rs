//! One order of the events of all threads of a process.
//!
//! What is sure: each thread's own order; that an address is had and freed in turns, for a free is noted before
//! it happens and an object after it was had; and the time of every stamp, between which events are spread evenly. The
//! earliest event whose address is ready for it goes first; one whose address is not ready waits for that, but
//! no longer than until its next stamp. What is left open by these is counted.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::vec::Vec;

use super::events::Decoder;
use super::{ChunkFacts, ReadError, TraceFile};
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

/// An event that is due in its thread.
#[derive(Clone, Copy)]
struct Due {
    event: Event,
    low: u64,
    time: u64,
    high: u64,
}

/// Events between stamps that are spread over time together; a file without stamps has no more at once.
const BLOCK: usize = 4096;

/// The events of one thread.
struct Stream {
    chunks: VecDeque<ChunkFacts>,
    tid: u32,
    bytes: Vec<u8>,
    decoder: Option<Decoder>,
    due: VecDeque<Due>,
    time: u64,
    /// The object whose `realloc` has begun, with its address.
    moving: Option<(u64, Option<Object>)>,
    /// Raised each time that its first event waits.
    ticket: u64,
    waiting: bool,
}

/// What an event does to an address.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Turn {
    Gain(u64),
    Free(u64),
    Neither,
}

/// Merges the threads of a file. Memory goes with the objects that are live at once and the number of threads,
/// not with the length of the file.
pub struct Merge<'a> {
    file: &'a TraceFile,
    streams: Vec<Stream>,
    ready: BinaryHeap<Reverse<(u64, u32)>>,
    late: BinaryHeap<Reverse<(u64, u32, u64)>>,
    waiting: HashMap<u64, Vec<u32>>,
    live: HashMap<u64, Object>,
    order: Order,
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
            order: Order::default(),
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
        loop {
            let ready = self.ready.peek().map(|Reverse((_, thread))| *thread);
            let low = ready.and_then(|thread| self.due(thread)).map(|due| due.low);
            let late = self.latest_wait();
            match (ready, late) {
                (_, Some((until, thread))) if low.is_none_or(|low| low > until) => {
                    return self.force(thread).map(Some);
                }
                (Some(thread), _) => {
                    self.ready.pop();
                    if self.wait_if_not_ready(thread) {
                        continue;
                    }
                    return self.happen(thread).map(Some);
                }
                (None, _) => return Ok(None),
            }
        }
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

    fn turn(&self, thread: u32) -> Turn {
        let Some(stream) = self.streams.get(thread as usize) else { return Turn::Neither };
        match stream.due.front().map(|due| due.event) {
            Some(
                Event::Malloc { pointer, .. }
                | Event::Calloc { pointer, .. }
                | Event::Aligned { pointer, .. }
                | Event::ReallocEnd { pointer, .. },
            ) => Turn::Gain(pointer),
            Some(Event::ReallocFailed { .. }) => {
                stream.moving.map_or(Turn::Neither, |(pointer, _)| Turn::Gain(pointer))
            }
            Some(Event::Free { pointer } | Event::ReallocBegin { pointer }) => Turn::Free(pointer),
            _ => Turn::Neither,
        }
    }

    fn wait_if_not_ready(&mut self, thread: u32) -> bool {
        let (address, is_ready) = match self.turn(thread) {
            Turn::Gain(pointer) => (pointer, !self.live.contains_key(&pointer)),
            Turn::Free(pointer) => (pointer, self.live.contains_key(&pointer)),
            Turn::Neither => return false,
        };
        let Some(stream) = self.streams.get_mut(thread as usize).filter(|_| !is_ready) else { return false };
        stream.waiting = true;
        stream.ticket += 1;
        let until = stream.due.front().map_or(0, |due| due.high);
        self.late.push(Reverse((until, thread, stream.ticket)));
        self.waiting.entry(address).or_default().push(thread);
        true
    }

    /// An event that has waited for too long happens as it is, and is counted.
    fn force(&mut self, thread: u32) -> Result<Merged, ReadError> {
        let turn = self.turn(thread);
        if let Turn::Gain(pointer) | Turn::Free(pointer) = turn
            && let Some(waiting) = self.waiting.get_mut(&pointer)
        {
            waiting.retain(|other| *other != thread);
            if waiting.is_empty() {
                self.waiting.remove(&pointer);
            }
        }
        match turn {
            Turn::Gain(_) => self.order.contradictions += 1,
            Turn::Free(_) => self.order.unknown_frees += 1,
            Turn::Neither => {}
        }
        if let Some(stream) = self.streams.get_mut(thread as usize) {
            stream.waiting = false;
        }
        self.happen(thread)
    }

    fn happen(&mut self, thread: u32) -> Result<Merged, ReadError> {
        let turn = self.turn(thread);
        let Some(stream) = self.streams.get_mut(thread as usize) else { return Ok(NOTHING) };
        let Some(Due { event, time, .. }) = stream.due.pop_front() else { return Ok(NOTHING) };
        let tid = stream.tid;
        let mut freed = None;
        match event {
            Event::Malloc { pointer, size } | Event::Calloc { pointer, size } | Event::Aligned { pointer, size, .. } => {
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
            Event::Failed { .. } | Event::Stamp { .. } | Event::ThreadEnd | Event::Lost { .. } | Event::Close => {}
        }
        if let Turn::Gain(pointer) | Turn::Free(pointer) = turn {
            self.wake(pointer);
        }
        self.queue(thread)?;
        Ok(Merged { time, thread, tid, event, freed })
    }

    /// Those that waited for an address look at it again, in the order of their times.
    fn wake(&mut self, pointer: u64) {
        let Some(threads) = self.waiting.remove(&pointer) else { return };
        let gains = self.live.contains_key(&pointer);
        let same = threads.iter().filter(|thread| matches!(self.turn(**thread), Turn::Free(_)) == gains).count();
        if same > 1 {
            self.order.ambiguous += 1;
        }
        for thread in threads {
            let Some(stream) = self.streams.get_mut(thread as usize) else { continue };
            stream.waiting = false;
            if let Some(due) = stream.due.front() {
                self.ready.push(Reverse((due.time, thread)));
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
        if let Some(due) = stream.due.front() {
            self.ready.push(Reverse((due.time, thread)));
        }
        Ok(())
    }
}

const NOTHING: Merged = Merged { time: 0, thread: 0, tid: 0, event: Event::Close, freed: None };

impl Stream {
    fn of(chunk: ChunkFacts) -> Self {
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
        }
    }
    /// Reads on to the next stamp; whether there was anything to read.
    fn fill(&mut self, file: &TraceFile, order: &mut Order) -> Result<bool, ReadError> {
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
        let step = end.map_or(0, |end| (end - low) / count);
        for (event, number) in block.into_iter().zip(1u64..) {
            let time = low.saturating_add(step.saturating_mul(number));
            self.due.push_back(Due { event, low, time, high: end.unwrap_or(u64::MAX) });
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
