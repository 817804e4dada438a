//! What each thread writes. The memory is empty again in a child by fork, which thus never writes into its
//! parent's file: with nothing to write to, it takes the slow way, and begins its own.

use core::cell::{Cell, UnsafeCell};
use core::sync::atomic::{AtomicU64, Ordering, compiler_fence};

use arenalab_trace::event::STAMP_EVERY;
use arenalab_trace::layout::{Chunk, PAGE, sampled};
use arenalab_trace::write::{Encoder, Near, Packed, Pointed};

use crate::process::{self, Failure, Process, process};
use crate::slot::Slot;
use crate::sys;

/// The tick is the time in units of `2^TICK` ns, 131 µs: a thread that was not running for longer, while others
/// were, writes the time before it goes on.
pub const TICK: u32 = 17;

/// All zero before a thread's first event, and in a child by fork. What every call needs comes first, in one line of the cache.
#[repr(C)]
pub struct Thread {
    /// Calls until the next stamp. Until then there is room for all; 0 where there is no place to write to.
    pub left: Cell<u32>,
    /// One in so many objects.
    pub sample: Cell<u32>,
    /// The control file's tick; what it was at the last stamp.
    pub tick: Cell<*const AtomicU64>,
    pub ticked: Cell<u64>,
    pub encoder: UnsafeCell<Encoder>,
    /// Where the next event goes, while the slow way is at work, and where it is the only one; else the slot knows.
    pub cursor: Cell<*mut u8>,
    pub salt: Cell<u64>,
    /// From here on there is no room for the calls between two stamps.
    pub limit: Cell<*mut u8>,
    /// The time of the last stamp.
    pub stamped: Cell<u64>,
    /// Calls in this chunk before the last stamp, and in the thread's chunks before it.
    pub calls: Cell<u64>,
    pub before: Cell<u64>,
    pub chunk: Cell<*mut Chunk>,
    pub window: Cell<*mut u8>,
    pub window_length: Cell<u64>,
    /// Where in the file the next full window goes, and bytes reserved there.
    pub place: Cell<u64>,
    pub reserved: Cell<u64>,
    pub tid: Cell<u32>,
    pub number: Cell<u32>,
    pub sequence: Cell<u32>,
    /// How often the thread was said to be ending.
    pub ending: Cell<u32>,
    pub process: Cell<*const Process>,
}

const _: () = assert!(size_of::<Thread>() <= PAGE);

/// The thread's memory, with room for an event; `None` where nothing is recorded.
pub fn ready(slot: &Slot) -> Option<&Thread> {
    let begun = slot.thread().filter(|thread| !thread.process.get().is_null());
    let (process, thread, ready) = if let Some(thread) = begun {
        if process::OFF.load(Ordering::Relaxed) != 0 || thread.limit.get().is_null() {
            return None;
        }
        // SAFETY: set when the thread began; its memory is mapped for good.
        let process = unsafe { &*thread.process.get() };
        (process, thread, thread.stamp(slot, process))
    } else {
        let process = process()?;
        let thread = slot.thread().or_else(|| fresh(process, slot))?;
        (process, thread, thread.begin(process))
    };
    if let Err(why) = ready {
        thread.left.set(0);
        process.stop(why);
        return None;
    }
    Some(thread)
}

/// Memory for a thread that has none: that of one that is gone, or new.
fn fresh<'a>(process: &Process, slot: &'a Slot) -> Option<&'a Thread> {
    let thread = process.take_ended().or_else(|| sys::map_wiped(PAGE).ok().map(<*mut u8>::cast));
    slot.thread.set(thread?);
    let thread = slot.thread()?;
    thread.process.set(core::ptr::null());
    Some(thread)
}

/// Writes bytes at a cursor; where it is then. The first eight are stored last, so that an event is there whole or not at
/// all. Bytes beyond an event are zero, and so is what they overwrite.
///
/// # Safety
/// There is room for 16 bytes.
#[inline(always)]
unsafe fn write(cursor: *mut u8, packed: Packed) -> *mut u8 {
    // SAFETY: the caller's promise.
    unsafe {
        if packed.length > 8 {
            cursor.add(8).cast::<u64>().write_unaligned(packed.high);
            compiler_fence(Ordering::SeqCst);
        }
        cursor.cast::<u64>().write_unaligned(packed.low);
        cursor.add(packed.length as usize)
    }
}

impl Thread {
    /// Whether what happens to an object at this address is recorded. As long as that is not known, all is.
    #[inline(always)]
    pub fn is_chosen(&self, address: u64) -> bool {
        self.sample.get() == 1 || sampled(address, self.salt.get(), self.sample.get())
    }

    /// Whether a call can be written as it is: there is room, and no stamp is due.
    #[inline(always)]
    pub fn is_ready(&self) -> bool {
        // SAFETY: where calls are left, the thread has begun, and the control file's page is mapped for good.
        self.left.get() != 0 && unsafe { (*self.tick.get()).load(Ordering::Relaxed) } == self.ticked.get()
    }

    /// Whether calls can be written as they come: all are recorded, and there is a place for them.
    pub fn is_quick(&self) -> bool {
        self.sample.get() == 1 && !self.limit.get().is_null()
    }

    /// Appends a call at the cursor, if its pointer is near; where the cursor is then. The thread is ready.
    #[inline(always)]
    pub fn call_near(&self, cursor: *mut u8, what: Near, address: u64) -> Option<*mut u8> {
        // SAFETY: this thread's alone, and nothing below comes back here: the recorder is at work.
        let encoder = unsafe { &mut *self.encoder.get() };
        if !encoder.is_near(address) {
            return None;
        }
        self.left.set(self.left.get() - 1);
        // SAFETY: the thread is ready: there is room.
        Some(unsafe { write(cursor, encoder.near(what, address)) })
    }

    /// Appends a call. The thread is ready.
    pub fn call(&self, encode: impl FnOnce(&mut Encoder) -> Pointed) {
        self.left.set(self.left.get() - 1);
        // SAFETY: as above.
        let Pointed { wide, event } = encode(unsafe { &mut *self.encoder.get() });
        if let Some(wide) = wide {
            self.put(wide);
        }
        self.put(event);
    }

    /// Appends bytes.
    pub fn put(&self, packed: Packed) {
        // SAFETY: there is room for more than one event.
        self.cursor.set(unsafe { write(self.cursor.get(), packed) });
    }

    /// Adds what was written since the last stamp to the chunk's calls.
    pub fn count(&self) {
        self.calls.set(self.calls.get() + u64::from(STAMP_EVERY - self.left.get()));
        self.left.set(STAMP_EVERY);
    }

    /// Writes the time, and sees to room for the calls up to the next.
    fn stamp(&self, slot: &Slot, process: &Process) -> Result<(), Failure> {
        self.count();
        let now = sys::now(libc::CLOCK_MONOTONIC).max(self.stamped.get());
        if let Some(why) = process.is_over(now) {
            return Err(why);
        }
        let tick = &process.control().tick;
        let ticked = tick.load(Ordering::Relaxed).max(now >> TICK);
        if ticked != tick.load(Ordering::Relaxed) {
            tick.store(ticked, Ordering::Relaxed);
        }
        if self.cursor.get() >= self.limit.get() {
            self.next_chunk(process)?;
        } else {
            self.put(Packed::stamp(now - self.stamped.get()));
            self.stamped.set(now);
            self.ticked.set(ticked);
        }
        let missed = slot.missed.replace(0);
        if missed > 0 {
            self.put(Packed::lost(u64::from(missed)));
        }
        Ok(())
    }

    /// The thread is about to end: its memory goes to the next one, once it is gone.
    pub fn end(&self) {
        if self.process.get().is_null() || self.left.get() == 0 && process::OFF.load(Ordering::Relaxed) != 0 {
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
