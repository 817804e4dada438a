//! What each thread writes, and where. The memory is empty again in a child by fork, which thus never writes into its
//! parent's file: with nothing to write to, it takes the slow way, and begins its own.

use core::cell::{Cell, UnsafeCell};
use core::sync::atomic::{AtomicU64, Ordering, compiler_fence};

use arenalab_trace::event::{LONGEST, STAMP_EVERY};
use arenalab_trace::layout::{CHUNK_HEADER, CHUNK_MAGIC, Chunk, PAGE, VERSION};
use arenalab_trace::write::{Encoder, Packed, Pointed};

use crate::ending;
use crate::process::{Failure, Process, process};
use crate::slot::Slot;
use crate::sys;

/// A thread's first window of the file; each is twice the last, up to [`WINDOW_MOST`].
const WINDOW: u64 = 16 << 10;
/// The largest.
const WINDOW_MOST: u64 = 1 << 20;
/// Room at a window's end for what comes without asking: a stamp, lost calls, an event, the close, each stored eight or
/// sixteen bytes at a time.
const MARGIN: usize = 2 * (LONGEST + 16) + 16;
/// The tick is the time in units of `2^TICK` ns, 131 µs: a thread that was not running for longer, while others
/// were, writes the time before it goes on.
const TICK: u32 = 17;
/// No chunk begins with less room.
const ENOUGH: usize = 2048;

/// All zero before a thread's first event, and in a child by fork.
#[repr(C)]
pub struct Thread {
    /// Where the next event goes.
    cursor: Cell<*mut u8>,
    /// No event begins from here on.
    limit: Cell<*mut u8>,
    /// The control file's tick; what it was at the last stamp.
    tick: Cell<*const AtomicU64>,
    ticked: Cell<u64>,
    /// Events until the next stamp.
    left: Cell<u32>,
    /// One in so many objects.
    pub sample: Cell<u32>,
    pub salt: Cell<u64>,
    /// The time of the last stamp.
    stamped: Cell<u64>,
    /// Calls in this chunk, and in those before it.
    calls: Cell<u64>,
    before: Cell<u64>,
    chunk: Cell<*mut Chunk>,
    window: Cell<*mut u8>,
    window_length: Cell<u64>,
    pub tid: Cell<u32>,
    number: Cell<u32>,
    sequence: Cell<u32>,
    /// How often the thread was said to be ending.
    pub ending: Cell<u32>,
    process: Cell<*const Process>,
    encoder: UnsafeCell<Encoder>,
}

const _: () = assert!(size_of::<Thread>() <= PAGE);

/// The thread's memory, with room for an event; `None` where nothing is recorded.
#[inline]
pub fn ready(slot: &Slot) -> Option<&Thread> {
    // SAFETY: null, or a page that is this thread's.
    if let Some(thread) = unsafe { slot.thread.get().as_ref() }
        && thread.cursor.get() < thread.limit.get()
    {
        return Some(thread);
    }
    sys::keeping_errno(|| room(slot))
}

#[cold]
#[inline(never)]
fn room(slot: &Slot) -> Option<&Thread> {
    let process = process()?;
    // SAFETY: null, or a page that is this thread's.
    let thread = match unsafe { slot.thread.get().as_ref() } {
        Some(thread) => thread,
        None => fresh(process, slot)?,
    };
    let begun =
        if thread.process.get().is_null() { thread.begin(process) } else { thread.next_chunk(process) };
    match begun {
        Ok(()) => Some(thread),
        Err(why) => {
            process.stop(why);
            None
        }
    }
}

/// Memory for a thread that has none: that of one that is gone, or new.
fn fresh<'a>(process: &Process, slot: &'a Slot) -> Option<&'a Thread> {
    let thread = process.take_ended().or_else(|| sys::map_wiped(PAGE).ok().map(<*mut u8>::cast));
    let thread = thread?;
    slot.thread.set(thread);
    // SAFETY: a page that is this thread's from now on; zero is valid for all its fields.
    let thread = unsafe { &*thread };
    thread.process.set(core::ptr::null());
    Some(thread)
}

impl Thread {
    fn begin(&self, process: &Process) -> Result<(), Failure> {
        let begins_anew = self.window.get().is_null();
        self.number.set(process.header().threads.fetch_add(1, Ordering::Relaxed));
        self.tid.set(sys::tid());
        self.sequence.set(0);
        self.before.set(0);
        self.ending.set(0);
        self.sample.set(process.sample.load(Ordering::Relaxed));
        self.salt.set(process.salt.load(Ordering::Relaxed));
        self.tick.set(&raw const process.control().tick);
        self.process.set(process);
        ending::watch(core::ptr::from_ref(self).cast());
        if !begins_anew && self.begin_within() {
            return Ok(());
        }
        self.next_window(process)
    }

    /// The chunk is full: the next one.
    fn next_chunk(&self, process: &Process) -> Result<(), Failure> {
        self.put(Packed::close());
        self.sequence.set(self.sequence.get() + 1);
        self.before.set(self.before.get() + self.calls.get());
        self.next_window(process)
    }

    fn next_window(&self, process: &Process) -> Result<(), Failure> {
        let (old, old_length) = (self.window.get(), self.window_length.get());
        let length = (old_length * 2).max(WINDOW.max(sys::page_size())).min(WINDOW_MOST);
        // Nothing is written before there is a place for it.
        self.limit.set(core::ptr::null_mut());
        let window = process.window(length)?;
        self.window.set(window);
        self.window_length.set(length);
        self.begin_chunk(window);
        if !old.is_null() {
            sys::unmap(old, old_length as usize);
        }
        Ok(())
    }

    /// In the rest of a window that a thread left which is gone, where that is enough.
    fn begin_within(&self) -> bool {
        let used = self.cursor.get() as usize - self.window.get() as usize;
        let at = (used + 16).next_multiple_of(CHUNK_HEADER);
        if self.limit.get().is_null() || at + ENOUGH > self.window_length.get() as usize {
            return false;
        }
        let last = self.chunk.get();
        // SAFETY: within the window.
        let begin = unsafe { self.window.get().add(at) };
        self.begin_chunk(begin);
        compiler_fence(Ordering::SeqCst);
        // SAFETY: the header of the chunk before, in the same window.
        unsafe { (*last).length.store((begin as usize - last as usize) as u32, Ordering::Relaxed) };
        true
    }

    /// Writes a header at `begin`, for a chunk up to the window's end.
    fn begin_chunk(&self, begin: *mut u8) {
        let end = self.window.get() as usize + self.window_length.get() as usize;
        let room = end - begin as usize;
        let now = sys::now(libc::CLOCK_MONOTONIC);
        // SAFETY: within the window, which is this thread's, and zero where no event has been written.
        unsafe {
            let chunk: *mut Chunk = begin.cast();
            (*chunk).length.store(room as u32, Ordering::Relaxed);
            (*chunk).version = VERSION;
            (*chunk).pid = (*self.process.get()).pid.load(Ordering::Relaxed);
            (*chunk).tid = self.tid.get();
            (*chunk).thread = self.number.get();
            (*chunk).sequence = self.sequence.get();
            (*chunk).monotonic = now;
            (*chunk).before = self.before.get();
            compiler_fence(Ordering::SeqCst);
            (*chunk).magic.store(u64::from_le_bytes(CHUNK_MAGIC), Ordering::Release);
            (*self.encoder.get()).begin();
            self.chunk.set(chunk);
            self.cursor.set(begin.add(CHUNK_HEADER));
            self.limit.set(begin.add(room - MARGIN));
        }
        self.stamped.set(now);
        self.ticked.set(now >> TICK);
        self.left.set(STAMP_EVERY);
        self.calls.set(0);
    }

    /// Appends bytes. The first eight are stored last, so that an event is there whole or not at all.
    #[inline]
    fn put(&self, packed: Packed) {
        let cursor = self.cursor.get();
        // SAFETY: `ready` saw to room for more than one event; bytes beyond an event are zero, and so is what they overwrite.
        unsafe {
            if packed.high != 0 || packed.length > 8 {
                cursor.add(8).cast::<u64>().write_unaligned(packed.high);
                compiler_fence(Ordering::SeqCst);
            }
            cursor.cast::<u64>().write_unaligned(packed.low);
            compiler_fence(Ordering::SeqCst);
            self.cursor.set(cursor.add(packed.length as usize));
        }
    }

    /// Appends a call, and before it the time where that is due.
    #[inline]
    pub fn call(&self, slot: &Slot, encode: impl FnOnce(&mut Encoder) -> Pointed) {
        let left = self.left.get() - 1;
        self.left.set(left);
        // SAFETY: the control file's page is mapped for good.
        if left == 0 || unsafe { (*self.tick.get()).load(Ordering::Relaxed) } != self.ticked.get() {
            sys::keeping_errno(|| self.stamp(slot));
        }
        // SAFETY: this thread's alone, and nothing below comes back here: the thread is busy.
        let Pointed { wide, event } = encode(unsafe { &mut *self.encoder.get() });
        if let Some(wide) = wide {
            self.put(wide);
        }
        self.put(event);
        self.calls.set(self.calls.get() + 1);
    }

    #[cold]
    fn stamp(&self, slot: &Slot) {
        self.left.set(STAMP_EVERY);
        let now = sys::now(libc::CLOCK_MONOTONIC).max(self.stamped.get());
        // SAFETY: as in `call`.
        let tick = unsafe { &*self.tick.get() };
        let ticked = tick.load(Ordering::Relaxed).max(now >> TICK);
        if ticked != tick.load(Ordering::Relaxed) {
            tick.store(ticked, Ordering::Relaxed);
        }
        self.ticked.set(ticked);
        self.put(Packed::stamp(now - self.stamped.get()));
        self.stamped.set(now);
        let missed = slot.missed.replace(0);
        if missed > 0 {
            self.put(Packed::lost(u64::from(missed)));
        }
        // SAFETY: set when the thread began; its memory is mapped for good.
        let process = unsafe { &*self.process.get() };
        if let Some(why) = process.is_over(now) {
            process.stop(why);
        }
    }

    /// The thread is about to end: its memory goes to the next one, once it is gone.
    pub fn end(&self) {
        if self.cursor.get() >= self.limit.get() {
            return;
        }
        let now = sys::now(libc::CLOCK_MONOTONIC).max(self.stamped.get());
        self.put(Packed::stamp(now - self.stamped.get()));
        self.stamped.set(now);
        self.put(Packed::thread_end());
        // SAFETY: set when the thread began; its memory is mapped for good.
        let process = unsafe { &*self.process.get() };
        process.give_back(core::ptr::from_ref(self).cast_mut());
    }
}
