//! One seat's hands: makes the measured calls, touches what they return, counts and samples them.

use std::hint::black_box;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use arenalab_wire::message::Failure;
use arenalab_wire::telemetry::{self, Stage};

use super::gate::Gate;
use super::latency::{Collected, Completions, Gap, Sampler};
use crate::heap::{Heap, Object, Touch};
use crate::random::Rng;

/// What a pattern allocates and frees with. One for each seat; it outlives the threads that sit there.
pub struct Actor<H> {
    /// The seat's own choices.
    pub rng: Rng,
    /// Operations of the phase that remain to the seat after the present call of
    /// [`work`](crate::workload::Workload::work): 0 in the last one.
    pub left: u64,
    heap: H,
    touch: Touch,
    cell: &'static telemetry::Seat,
    gate: Arc<Gate>,
    workload: &'static str,
    sequence: u64,
    /// Operations, bytes allocated and bytes freed so far. They are published now and then: counting in the page, which
    /// others read, would keep them out of registers.
    ops: u64,
    allocated: u64,
    freed: u64,
    mallocs: Sampler,
    frees: Sampler,
    completions: Completions,
    /// The main thread has these hands: it cannot be parked when it fails.
    on_main: bool,
}

/// What all seats have handed in at a border.
#[derive(Default)]
pub struct Records {
    /// Latency of calls that allocate.
    pub mallocs: Collected,
    /// Latency of calls that free.
    pub frees: Collected,
    /// Latency of operations that were to start at a given time.
    pub completions: Collected,
    /// Fingerprint of what the seats asked for, in order, and of how far each has come in its random choices: sizes,
    /// lifetimes and hand-offs all follow from these. The same however the threads were scheduled.
    pub sequence: u64,
}

/// What has been counted is published at once when an object of this size is allocated or freed, else with every timed
/// call, so that live bytes as others see them are at most some hundred smaller objects behind.
const PUBLISHED_AT_ONCE: usize = 4 << 10;
/// Bytes after which what is allocated or freed in a row is published.
const UNPUBLISHED: u64 = 256 << 10;

/// The fingerprint of what was asked for, with one more.
#[inline]
fn follow(sequence: u64, size: usize) -> u64 {
    sequence.rotate_left(5).wrapping_add(size as u64)
}

/// Nothing is written to what must not be touched.
#[inline]
fn touchable<H: Heap>(touch: Touch) -> Touch {
    if H::TOUCHABLE { touch } else { Touch::Nothing }
}

impl<H: Heap> Actor<H> {
    /// The actor of seat `index`, which publishes in `cell` and times one call in `gap`.
    #[allow(clippy::too_many_arguments)]
    pub fn new(
        heap: H,
        touch: Touch,
        rng: Rng,
        index: u32,
        cell: &'static telemetry::Seat,
        gate: Arc<Gate>,
        workload: &'static str,
        gap: Gap,
    ) -> Self {
        let touch = touchable::<H>(touch);
        let sequence = crate::random::mix(u64::from(index));
        let (mallocs, frees) = (Sampler::new(index * 2 + 1, gap), Sampler::new(!index, gap));
        Self {
            rng,
            left: 0,
            heap,
            touch,
            cell,
            gate,
            workload,
            sequence,
            ops: 0,
            allocated: 0,
            freed: 0,
            mallocs,
            frees,
            completions: Completions::default(),
            on_main: false,
        }
    }

    /// `malloc(size)`, touched. Does not return when memory is out.
    #[inline]
    pub fn malloc(&mut self, size: usize) -> Object {
        let heap = self.heap;
        let address = self.allocate(|| heap.malloc(size));
        self.took(address, size, "malloc")
    }

    /// `calloc(1, size)`, touched. Does not return when memory is out.
    #[inline]
    pub fn calloc(&mut self, size: usize) -> Object {
        let heap = self.heap;
        let address = self.allocate(|| heap.calloc(size));
        self.took(address, size, "calloc")
    }

    /// `aligned_alloc(align, size)`, `size` rounded up to a multiple of `align`, touched. Does not return
    /// when memory is out.
    #[inline]
    pub fn aligned_alloc(&mut self, align: usize, size: usize) -> Object {
        let (heap, size) = (self.heap, size.next_multiple_of(align));
        let address = self.allocate(|| heap.aligned_alloc(align, size));
        self.took(address, size, "aligned_alloc")
    }

    /// `realloc(object, size)`, the new part touched. Does not return when memory is out.
    #[inline]
    pub fn realloc(&mut self, object: Object, size: usize) -> Object {
        let (heap, Object { address, size: old }) = (self.heap, object);
        // SAFETY: an object is the only handle on memory of this heap, and is consumed here.
        let address = self.allocate(|| unsafe { heap.realloc(address.as_ptr(), size) });
        self.gone(old);
        self.got(address, size, old, "realloc")
    }

    /// `free(object)`.
    #[inline]
    pub fn free(&mut self, object: Object) {
        let (heap, Object { address, size }) = (self.heap, object);
        let address = address.as_ptr();
        // SAFETY: an object is the only handle on memory of this heap, and is consumed here.
        let free = || unsafe { heap.free(address) };
        if self.frees.is_due() {
            self.publish();
            self.frees.timed(free);
        } else {
            free();
        }
        self.gone(size);
    }

    /// `malloc` of `count` objects, each touched and put behind the others. What is counted stays in registers between two
    /// samples. Does not return when memory is out.
    #[inline]
    pub fn malloc_each(
        &mut self,
        count: usize,
        objects: &mut Vec<Object>,
        mut size: impl FnMut(&mut Rng) -> usize,
    ) {
        let mut left = count;
        while left > 0 {
            let quiet = left.min(self.mallocs.quiet() as usize);
            let mut rng = self.rng.clone();
            left -= self.malloc_quiet(quiet, objects, |_| size(&mut rng));
            self.rng = rng;
            if left > 0 && self.mallocs.quiet() == 0 {
                let size = size(&mut self.rng);
                objects.push(self.malloc(size));
                left -= 1;
            }
        }
    }

    /// As [`Actor::malloc_each`], with sizes that are there already.
    #[inline]
    pub fn malloc_these(&mut self, sizes: &[u32], objects: &mut Vec<Object>) {
        let mut left = sizes;
        while let Some(first) = left.first() {
            let quiet = left.len().min(self.mallocs.quiet() as usize);
            let done = if quiet == 0 {
                objects.push(self.malloc(*first as usize));
                1
            } else {
                let sizes = &left[..quiet];
                self.malloc_quiet(quiet, objects, |at| sizes[at] as usize)
            };
            left = &left[done..];
        }
    }

    /// `malloc` of up to `most` objects, none of which is timed; how many. It ends early when so many bytes must be
    /// published.
    #[inline]
    fn malloc_quiet(
        &mut self,
        most: usize,
        objects: &mut Vec<Object>,
        mut size: impl FnMut(usize) -> usize,
    ) -> usize {
        objects.reserve(most);
        let before = objects.len();
        // What changes with every object is in variables of this function, which the compiler keeps in registers.
        let (heap, touch) = (self.heap, self.touch);
        let (mut sequence, mut allocated, mut done) = (self.sequence, 0, most);
        for (at, slot) in objects.spare_capacity_mut()[..most].iter_mut().enumerate() {
            let size = size(at);
            let Some(address) = NonNull::new(heap.malloc(size)) else { self.out_of_memory("malloc", size) };
            let object = Object { address, size };
            touch.write(&object, 0);
            slot.write(object);
            sequence = follow(sequence, size);
            allocated += size as u64;
            if allocated >= UNPUBLISHED {
                done = at + 1;
                break;
            }
        }
        // SAFETY: the first `done` slots behind the vector's end, for which room was reserved, have been written.
        unsafe { objects.set_len(before + done) };
        self.sequence = sequence;
        self.allocated = self.allocated.wrapping_add(allocated);
        self.mallocs.passed(done as u32);
        self.publish();
        done
    }

    /// `free` of all these objects, in this order.
    #[inline]
    pub fn free_each(&mut self, objects: impl Iterator<Item = Object>) {
        let (heap, mut objects) = (self.heap, objects);
        loop {
            let (mut freed, mut calls, quiet) = (0, 0, self.frees.quiet());
            while calls < quiet && freed < UNPUBLISHED {
                let Some(Object { address, size }) = objects.next() else { break };
                // SAFETY: an object is the only handle on memory of this heap, and is consumed here.
                unsafe { heap.free(address.as_ptr()) };
                freed += size as u64;
                calls += 1;
            }
            self.freed = self.freed.wrapping_add(freed);
            self.frees.passed(calls);
            self.publish();
            let Some(object) = objects.next() else { return };
            self.free(object);
        }
    }

    /// Allocates an object of `size` bytes and frees it at once, `count` times.
    #[inline]
    pub fn malloc_and_free(&mut self, size: usize, count: u64) {
        let mut left = count;
        while left > 0 {
            let (heap, touch) = (self.heap, self.touch);
            let quiet = left.min(u64::from(self.mallocs.quiet().min(self.frees.quiet())));
            let mut sequence = self.sequence;
            for _ in 0..quiet {
                let Some(address) = NonNull::new(heap.malloc(size)) else {
                    self.out_of_memory("malloc", size)
                };
                touch.write(&Object { address, size }, 0);
                sequence = follow(sequence, size);
                // SAFETY: it has just come from this heap, and nobody else knows of it.
                unsafe { heap.free(address.as_ptr()) };
            }
            self.sequence = sequence;
            let bytes = (size as u64).wrapping_mul(quiet);
            self.allocated = self.allocated.wrapping_add(bytes);
            self.freed = self.freed.wrapping_add(bytes);
            self.mallocs.passed(quiet as u32);
            self.frees.passed(quiet as u32);
            left -= quiet;
            if left > 0 {
                let object = self.malloc(size);
                self.free(object);
                left -= 1;
            }
        }
    }

    /// `malloc_usable_size(object)`. It differs from allocator to allocator: nothing that is asked for may follow from it.
    #[inline]
    pub fn usable_size(&mut self, object: &Object) -> usize {
        let (heap, address) = (self.heap, object.address.as_ptr());
        // SAFETY: an object is the only handle on memory of this heap, and is borrowed here.
        let usable = unsafe { heap.usable_size(address) };
        if usable < object.size {
            self.give_up(format!("malloc_usable_size says {usable} of an object of {} bytes", object.size));
        }
        usable
    }

    /// Frees the object in a slot, and then puts a new one there.
    #[inline]
    pub fn replace(&mut self, slot: &mut Object, fresh: impl FnOnce(&mut Self) -> Object) {
        self.free(Object { ..*slot });
        *slot = fresh(self);
    }

    /// `realloc` of the object in a slot.
    #[inline]
    pub fn resize(&mut self, slot: &mut Object, size: usize) {
        *slot = self.realloc(Object { ..*slot }, size);
    }

    /// Writes every byte of an object, and reads it back where `READ` says so, `times` over: work with what was allocated.
    #[inline]
    pub fn use_bytes<const READ: bool>(&self, object: &mut Object, times: usize) {
        if H::TOUCHABLE {
            object.use_bytes::<READ>(times);
        }
    }

    /// Writes its number to each byte of an object: work with what was allocated.
    #[inline]
    pub fn number_bytes(&self, object: &mut Object) {
        if H::TOUCHABLE {
            object.number_bytes();
        }
    }

    /// Reads all of an object, where every byte of new memory is written.
    #[inline]
    pub fn read_back(&self, object: &Object) {
        if self.touch == Touch::All {
            black_box(object.sum_bytes());
        }
    }

    /// Reads the first `bytes` of an object, or all where there are not so many.
    #[inline]
    pub fn read(&self, object: &Object, bytes: usize) {
        if H::TOUCHABLE {
            object.read(bytes);
        }
    }

    /// Writes one byte of an object, where it has so many and they are to be touched.
    #[inline]
    pub fn write_at(&self, object: &mut Object, at: usize) {
        if self.touch != Touch::Nothing {
            object.write_at(at);
        }
    }

    /// Makes calls whose memory is touched in another way; not at all in any case where the parameter `touch` says so.
    #[inline]
    pub fn touching<T>(&mut self, touch: Touch, calls: impl FnOnce(&mut Self) -> T) -> T {
        let usual = self.touch;
        if usual != Touch::Nothing {
            self.touch = touch;
        }
        let result = calls(self);
        self.touch = usual;
        result
    }

    #[inline]
    fn took(&mut self, address: *mut u8, size: usize, call: &str) -> Object {
        self.got(address, size, 0, call)
    }

    #[inline]
    fn got(&mut self, address: *mut u8, size: usize, touched: usize, call: &str) -> Object {
        let Some(address) = NonNull::new(address) else { self.out_of_memory(call, size) };
        let object = Object { address, size };
        self.touch.write(&object, touched);
        self.sequence = follow(self.sequence, size);
        self.allocated = self.allocated.wrapping_add(size as u64);
        if size >= PUBLISHED_AT_ONCE {
            self.publish();
        }
        object
    }

    /// Makes a call that allocates, timed or not.
    #[inline]
    fn allocate(&mut self, call: impl FnOnce() -> *mut u8) -> *mut u8 {
        if self.mallocs.is_due() {
            self.publish();
            self.mallocs.timed(call)
        } else {
            call()
        }
    }

    /// Counts an object of this size out.
    #[inline]
    fn gone(&mut self, size: usize) {
        self.freed = self.freed.wrapping_add(size as u64);
        if size >= PUBLISHED_AT_ONCE {
            self.publish();
        }
    }

    /// Shows others what has been counted. Negative where the seat frees what others allocated.
    #[inline]
    fn publish(&self) {
        self.cell.ops.store(self.ops, Ordering::Relaxed);
        let live = self.allocated.wrapping_sub(self.freed).cast_signed();
        self.cell.live_bytes.store(live, Ordering::Relaxed);
    }

    /// Lets the main thread work, before others start.
    ///
    /// # Errors
    /// When it could not go on.
    pub fn on_main_thread(&mut self, work: impl FnOnce(&mut Self)) -> Result<(), Failure> {
        self.on_main = true;
        let result = catch_unwind(AssertUnwindSafe(|| work(self)));
        self.on_main = false;
        result.map_err(|thrown| match thrown.downcast::<Failure>() {
            Ok(failure) => *failure,
            Err(panic) => resume_unwind(panic),
        })
    }

    /// Ends the run. A seat's thread is parked; the main thread finds its way back to [`Actor::on_main_thread`].
    #[cold]
    fn fail(&self, failure: Failure) -> ! {
        self.publish();
        if self.on_main {
            resume_unwind(Box::new(failure));
        }
        self.gate.fail(failure)
    }

    /// What is written to new memory from now on.
    #[inline]
    pub fn touch_as(&mut self, touch: Touch) {
        self.touch = touchable::<H>(touch);
    }

    /// Says where the seat stands with regard to bursts.
    pub fn stage(&self, stage: Stage) {
        self.publish();
        self.cell.set_stage(stage);
    }

    /// An operation has ended so long after it was to start.
    #[inline]
    pub fn completed(&mut self, took: Duration) {
        self.completions.record(took);
    }

    /// Counts an operation of the workload.
    #[inline]
    pub fn operation(&mut self) {
        self.operations(1);
    }

    /// Counts operations of the workload.
    #[inline]
    pub fn operations(&mut self, done: u64) {
        self.ops = self.ops.wrapping_add(done);
    }

    /// Hands in what was recorded since the last time. `sequence` is added up by the caller from zero.
    pub fn hand_in(&mut self, records: &mut Records) {
        self.publish();
        self.mallocs.take_into(&mut records.mallocs);
        self.frees.take_into(&mut records.frees);
        self.completions.take_into(&mut records.completions);
        let choices = self.rng.fingerprint();
        records.sequence = records.sequence.wrapping_add(crate::random::mix(self.sequence ^ choices));
    }

    #[cold]
    #[inline(never)]
    fn out_of_memory(&self, call: &str, size: usize) -> ! {
        let reason = format!("{call}({size}) failed in {}", self.workload);
        self.fail(Failure { out_of_memory: true, reason })
    }

    /// Ends the run with `reason`.
    pub fn give_up(&self, reason: String) -> ! {
        self.fail(Failure { out_of_memory: false, reason })
    }
}
