//! `glibc-simple`: so many objects of one size, then all freed, after glibc's bench-malloc-simple.

use std::any::Any;
use std::ffi::c_void;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::ptr::{null, null_mut};

use super::Workload;
use crate::catalogue::{Description, Param};
use crate::engine::actor::Actor;
use crate::engine::crew::even_share;
use crate::heap::Heap;
use crate::object::Object;
use crate::spec::Spec;

/// Objects that live at once, in turn: from what the smallest bins of the thread cache nearly hold to far
/// beyond it.
const LIVE: [usize; 4] = [25, 100, 400, 1600];
/// Sizes, as multiples of the parameter.
const FACTORS: [usize; 3] = [1, 2, 4];

/// Times that all numbers have their turn with a size; one of them is on another thread.
const TURNS: u32 = 4;
/// The turn of the other thread.
const ELSEWHERE: u32 = 2;

/// The pattern.
pub struct GlibcSimple {
    threads: u32,
    size: usize,
}

/// What a seat holds.
pub struct Seat {
    index: u32,
    /// Empty between two rounds.
    objects: Vec<Object>,
}

impl Seat {
    /// All numbers in turn with objects of this size, `ops` objects in all.
    fn turn<H: Heap>(&mut self, actor: &mut Actor<H>, size: usize, ops: u64) {
        for (index, live) in LIVE.into_iter().enumerate() {
            let mut left = even_share(ops, LIVE.len() as u32, index as u32);
            while left > 0 {
                let count = left.min(live as u64);
                actor.malloc_each(count as usize, &mut self.objects, |_| size);
                actor.operations(count);
                actor.free_each(self.objects.drain(..));
                left -= count;
            }
        }
    }

    /// The same on a thread that lives no longer.
    fn turn_elsewhere<H: Heap>(&mut self, actor: &mut Actor<H>, size: usize, ops: u64) {
        let mut errand = Errand { seat: self, actor, size, ops, thrown: None };
        let mut thread = 0;
        // SAFETY: the thread ends before this function does, and meanwhile nothing here uses what it was given.
        let error = unsafe {
            let data = (&raw mut errand).cast();
            match libc::pthread_create(&raw mut thread, null(), run::<H>, data) {
                0 => libc::pthread_join(thread, null_mut()),
                error => error,
            }
        };
        if error != 0 {
            let why = std::io::Error::from_raw_os_error(error);
            errand.actor.give_up(format!("failed to start a thread: {why}"));
        }
        if let Some(thrown) = errand.thrown {
            // The failure of the main thread's seat finds its way back from there.
            resume_unwind(thrown);
        }
    }
}

/// What the other thread is to do, and how it ended.
struct Errand<'a, H> {
    seat: &'a mut Seat,
    actor: &'a mut Actor<H>,
    size: usize,
    ops: u64,
    thrown: Option<Box<dyn Any + Send>>,
}

/// The other thread. Started with the system's own call: less code becomes resident than with Rust's.
extern "C" fn run<H: Heap>(errand: *mut c_void) -> *mut c_void {
    // SAFETY: whoever started it waits for its end, and uses nothing of this before.
    let errand = unsafe { &mut *errand.cast::<Errand<H>>() };
    let work = AssertUnwindSafe(|| errand.seat.turn(errand.actor, errand.size, errand.ops));
    errand.thrown = catch_unwind(work).err();
    null_mut()
}

impl Workload for GlibcSimple {
    type Seat = Seat;

    const DESCRIPTION: Description = Description {
        name: "glibc-simple",
        summary: "25 to 1600 objects of one size, then all freed in the same order",
        description: "Each thread allocates N objects of one size and frees them in the same order, again and \
            again; N goes through 25, 100, 400 and 1600, four times over with a size of 16 B, then with 32 and 64 B. The third \
            time of each size the first thread, which is the main thread, lets a short-lived thread do it: with one \
            thread the process is thus single-threaded at first and not afterwards, so that glibc takes its locks. After \
            bench-malloc-simple (glibc's benchtests, 2019) as changed by mimalloc-bench, which writes to every \
            object; unlike the original, which knows no number of threads, all threads do it at once. It measures the \
            path through the thread cache and, beyond its limit, through fast bins. Run it with one thread for \
            the original's meaning. The number of arenas hardly matters where each thread finds one free. Look \
            at throughput.",
        unit: "objects",
        params: &[
            Param::ops(48_000_000),
            Param::WARMUP,
            Param::TOUCH_ALL,
            Param::bytes("size", 16, 1, 1 << 28, "smallest size; the others are twice and four times that"),
        ],
        replaces_threads: false,
        hidden: false,
    };

    fn new(spec: &Spec, threads: u32) -> Self {
        Self { threads, size: spec.get("size") as usize }
    }

    fn seat(&self, index: u32) -> Seat {
        Seat { index, objects: Vec::with_capacity(LIVE[LIVE.len() - 1]) }
    }

    fn share(&self, ops: u64, index: u32) -> u64 {
        even_share(ops, self.threads, index)
    }

    fn first_on_main(&self) -> bool {
        true
    }

    fn setup<H: Heap>(&self, _seat: &mut Seat, _actor: &mut Actor<H>) {}

    fn work<H: Heap>(&self, seat: &mut Seat, actor: &mut Actor<H>, ops: u64, steady: bool) {
        let turns = FACTORS.len() as u32 * TURNS;
        for turn in 0..turns {
            let size = self.size * FACTORS[(turn / TURNS) as usize];
            let share = even_share(ops, turns, turn);
            // The process has one thread only until the steady phase.
            if steady && seat.index == 0 && turn % TURNS == ELSEWHERE {
                seat.turn_elsewhere(actor, size, share);
            } else {
                seat.turn(actor, size, share);
            }
        }
    }

    fn drain<H: Heap>(&self, _seat: &mut Seat, _actor: &mut Actor<H>) {}
}
