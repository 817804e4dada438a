//! One seat's hands: makes the measured calls, touches what they return, counts and samples them.

use std::hint::black_box;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arenalab_wire::message::Failure;
use arenalab_wire::telemetry::{self, Stage};

use super::gate::Gate;
use super::latency::{Collected, Completions, Sampler};
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

/// Adds one. A seat is written by one thread at a time, so that a load and a store are enough.
#[inline]
fn count_one(counter: &AtomicU64) {
    counter.store(counter.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
}

/// No object is larger than `isize::MAX`.
#[inline]
fn signed(size: usize) -> i64 {
    size.cast_signed() as i64
}

/// Nothing is written to what must not be touched.
#[inline]
fn touchable<H: Heap>(touch: Touch) -> Touch {
    if H::TOUCHABLE { touch } else { Touch::Nothing }
}

impl<H: Heap> Actor<H> {
    /// The actor of seat `index`, which publishes in `cell`.
    pub fn new(
        heap: H,
        touch: Touch,
        rng: Rng,
        index: u32,
        cell: &'static telemetry::Seat,
        gate: Arc<Gate>,
        workload: &'static str,
    ) -> Self {
        let touch = touchable::<H>(touch);
        let sequence = crate::random::mix(u64::from(index));
        let (mallocs, frees) = (Sampler::new(index * 2 + 1), Sampler::new(!index));
        Self {
            rng,
            left: 0,
            heap,
            touch,
            cell,
            gate,
            workload,
            sequence,
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
        let address = self.mallocs.call(|| heap.malloc(size));
        self.took(address, size, "malloc")
    }

    /// `calloc(1, size)`, touched. Does not return when memory is out.
    #[inline]
    pub fn calloc(&mut self, size: usize) -> Object {
        let heap = self.heap;
        let address = self.mallocs.call(|| heap.calloc(size));
        self.took(address, size, "calloc")
    }

    /// `aligned_alloc(align, size)`, `size` rounded up to a multiple of `align`, touched. Does not return
    /// when memory is out.
    #[inline]
    pub fn aligned_alloc(&mut self, align: usize, size: usize) -> Object {
        let (heap, size) = (self.heap, size.next_multiple_of(align));
        let address = self.mallocs.call(|| heap.aligned_alloc(align, size));
        self.took(address, size, "aligned_alloc")
    }

    /// `realloc(object, size)`, the new part touched. Does not return when memory is out.
    #[inline]
    pub fn realloc(&mut self, object: Object, size: usize) -> Object {
        let (heap, Object { address, size: old }) = (self.heap, object);
        // SAFETY: an object is the only handle on memory of this heap, and is consumed here.
        let address = self.mallocs.call(|| unsafe { heap.realloc(address.as_ptr(), size) });
        self.add_live(-signed(old));
        self.got(address, size, old, "realloc")
    }

    /// `free(object)`.
    #[inline]
    pub fn free(&mut self, object: Object) {
        let (heap, Object { address, size }) = (self.heap, object);
        let address = black_box(address).as_ptr();
        // SAFETY: an object is the only handle on memory of this heap, and is consumed here.
        self.frees.call(|| unsafe { heap.free(address) });
        self.add_live(-signed(size));
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

    /// Writes every byte of an object and reads it back, `times` over: work with what was allocated.
    #[inline]
    pub fn use_bytes(&self, object: &mut Object, times: usize) {
        if H::TOUCHABLE {
            object.use_bytes(times);
        }
    }

    #[inline]
    fn took(&mut self, address: *mut u8, size: usize, call: &str) -> Object {
        self.got(address, size, 0, call)
    }

    #[inline]
    fn got(&mut self, address: *mut u8, size: usize, touched: usize, call: &str) -> Object {
        let Some(address) = std::ptr::NonNull::new(address) else { self.out_of_memory(call, size) };
        let object = Object { address, size };
        self.touch.write(&object, touched);
        self.sequence = (self.sequence ^ size as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
        self.add_live(signed(size));
        object
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
        count_one(&self.cell.ops);
    }

    #[inline]
    fn add_live(&self, bytes: i64) {
        let live = &self.cell.live_bytes;
        live.store(live.load(Ordering::Relaxed).wrapping_add(bytes), Ordering::Relaxed);
    }

    /// Hands in what was recorded since the last time. `sequence` is added up by the caller from zero.
    pub fn hand_in(&mut self, records: &mut Records) {
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
