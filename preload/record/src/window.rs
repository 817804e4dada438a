//! Where a thread writes: a window of the process's file, mapped. A page that is touched for the first time costs more than all that is
//! written on it, so that from a certain size on a thread keeps its window: when that is full, what is in it is written to
//! its place in the file, and the window is emptied. At every moment of this the file says what is to be read where.

use core::sync::atomic::{Ordering, compiler_fence};

use arenalab_trace::event::{LONGEST, STAMP_EVERY};
use arenalab_trace::layout::{CHUNK_HEADER, CHUNK_MAGIC, Chunk, VERSION, WINDOW_MAGIC, Window};
use arenalab_trace::write::Packed;

use crate::ending;
use crate::process::{Failure, Process};
use crate::sys;
use crate::thread::{TICK, Thread};

/// A thread's first window of the file; each is twice the last, up to [`WINDOW_MOST`].
const WINDOW: u64 = 16 << 10;
/// The largest, which is used again: small enough for the cache of a core.
const WINDOW_MOST: u64 = 128 << 10;
/// How many places for full windows are reserved at once.
const PLACES: u64 = 4;
/// Room at a window's end for the calls between two stamps and for what comes without asking: a stamp, lost calls, the
/// thread's end, the close, each stored eight or sixteen bytes at a time.
const MARGIN: usize = STAMP_EVERY as usize * LONGEST + 4 * 16 + 16;
/// No chunk begins with less room.
const ENOUGH: usize = 2 * MARGIN;

impl Thread {
    /// The thread's first chunk.
    pub fn begin(&self, process: &Process) -> Result<(), Failure> {
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
        if !self.window.get().is_null() && self.begin_within() {
            return Ok(());
        }
        self.next_window(process)
    }

    /// The chunk is full: the next one.
    pub fn next_chunk(&self, process: &Process) -> Result<(), Failure> {
        self.put(Packed::close());
        self.sequence.set(self.sequence.get() + 1);
        self.before.set(self.before.get() + self.calls.get());
        self.next_window(process)
    }

    fn next_window(&self, process: &Process) -> Result<(), Failure> {
        let (old, old_length) = (self.window.get(), self.window_length.get());
        let most = WINDOW_MOST.max(sys::page_size());
        // Nothing is written before there is a place for it.
        self.limit.set(core::ptr::null_mut());
        if !old.is_null() && old_length == most {
            return self.empty(process);
        }
        let length = (old_length * 2).max(WINDOW.max(sys::page_size())).min(most);
        let window = process.window(length)?;
        self.window.set(window);
        self.window_length.set(length);
        if length == most {
            self.begin_kept();
        } else {
            self.begin_chunk(window);
        }
        if !old.is_null() {
            sys::unmap(old, old_length as usize);
        }
        Ok(())
    }

    /// The header of a window that is kept.
    fn header(&self) -> *mut Window {
        self.window.get().cast()
    }

    fn begin_kept(&self) {
        let header = self.header();
        // SAFETY: a window of zeros that is this thread's.
        let body = unsafe {
            (*header).length = self.window_length.get() as u32;
            (*header).version = VERSION;
            compiler_fence(Ordering::SeqCst);
            (*header).magic.store(u64::from_le_bytes(WINDOW_MAGIC), Ordering::Release);
            header.add(1).cast()
        };
        self.begin_chunk(body);
    }

    /// What is in the window goes to its place in the file, and the window begins anew.
    fn empty(&self, process: &Process) -> Result<(), Failure> {
        // SAFETY: a window that is kept begins with its header; the body follows it.
        let (header, body) = unsafe { (&*self.header(), self.header().add(1).cast::<u8>()) };
        let length = self.window_length.get() as usize - size_of::<Window>();
        let place = self.next_place(process)?;
        header.target.store(place, Ordering::Relaxed);
        compiler_fence(Ordering::SeqCst);
        process.write(body, length, place)?;
        compiler_fence(Ordering::SeqCst);
        header.moved.store(1, Ordering::Relaxed);
        compiler_fence(Ordering::SeqCst);
        header.target.store(0, Ordering::Relaxed);
        // SAFETY: the body is this thread's alone.
        unsafe { body.write_bytes(0, length) };
        self.begin_chunk(body);
        compiler_fence(Ordering::SeqCst);
        header.moved.store(0, Ordering::Release);
        Ok(())
    }

    /// A place in the file for a window. Several are reserved at once, where there is room for them.
    fn next_place(&self, process: &Process) -> Result<u64, Failure> {
        let length = self.window_length.get();
        if self.reserved.get() < length {
            let (place, many) = match process.place(length * PLACES) {
                Ok(place) => (place, length * PLACES),
                Err(_) => (process.place(length)?, length),
            };
            self.place.set(place);
            self.reserved.set(many);
        }
        let place = self.place.get();
        self.place.set(place + length);
        self.reserved.set(self.reserved.get() - length);
        Ok(place)
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
        let now = sys::now(libc::CLOCK_MONOTONIC).max(self.stamped.get());
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
}
