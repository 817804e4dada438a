//! The crew of a workload: one thread a seat, led through the phases. A seat's state is boxed and passed
//! from thread to thread where a workload replaces its threads.

mod threads;

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use arenalab_wire::message::{Border, Failure, Phase, Quantiles, Usage};
use arenalab_wire::telemetry::Page;
use arenalab_wire::units;

use self::threads::{Life, Place, renew, start};
use super::actor::{Actor, Records};
use super::gate::Gate;
use super::latency::Gap;
use super::pattern::Pattern;
use super::{Conductor, Stop};
use crate::heap::Heap;
use crate::memory;
use crate::object::Touch;
use crate::random::Rng;

/// What a run is made of, beside its pattern.
#[derive(Clone, Copy)]
pub struct Job {
    /// What runs, for messages.
    pub name: &'static str,
    /// What an operation is, in the plural.
    pub unit: &'static str,
    /// Logical threads, 1 or more.
    pub threads: u32,
    /// Seed of all choices.
    pub seed: u64,
    /// Operations of the warm-up.
    pub warmup: u64,
    /// Operations of the steady phase.
    pub steady: u64,
    /// What is written to new memory, where the pattern does not say otherwise.
    pub touch: Touch,
    /// Where it publishes. Lives as long as the process, as its threads do.
    pub page: &'static Page,
}

struct Crew<P: Pattern, H> {
    pattern: P,
    gate: Arc<Gate>,
    records: Mutex<Records>,
    /// The present thread of each seat.
    threads: Vec<Place<P::Seat, H>>,
    /// Seats whose threads end all together, and are left to the main thread.
    ending: Mutex<Vec<u32>>,
    /// Operations of the warm-up and of the steady phase.
    warmup: u64,
    steady: u64,
}

/// A seat with all that belongs to it.
struct Member<S, H> {
    index: u32,
    seat: S,
    actor: Actor<H>,
    /// Phases done.
    round: u32,
    /// The phase that a predecessor has begun, with the operations that remain of it.
    begun: Option<(Phase, u64)>,
    /// The thread that sat here before the present one.
    predecessor: Option<Life<S, H>>,
    /// Operations that the present thread may still do before it is replaced.
    breath: u64,
}

/// The seats in their order: parts of `total` as even as can be.
pub fn even_share(total: u64, seats: u32, index: u32) -> u64 {
    let (seats, index) = (u64::from(seats.max(1)), u64::from(index));
    total / seats + u64::from(index < total % seats)
}

/// Runs a workload through all its phases. Its threads stay parked afterwards: the process is to end.
///
/// # Errors
/// When the workload fails, or the conductor has gone.
pub fn perform<P: Pattern, H: Heap>(
    pattern: P,
    run: &Job,
    heap: H,
    conductor: &mut dyn Conductor,
) -> Result<(), Stop> {
    let gate = Arc::new(Gate::new(run.threads).map_err(system("make an event descriptor"))?);
    let records = Mutex::new(Records::default());
    let threads = (0..run.threads).map(|_| Mutex::new(None)).collect();
    let ending = Mutex::new(Vec::with_capacity(run.threads as usize));
    let (warmup, steady) = (run.warmup, run.steady);
    let crew = Arc::new(Crew { pattern, gate, records, threads, ending, warmup, steady });
    let mut members: Vec<_> =
        (0..run.threads).map(|index| Box::new(enlist(&crew, run, heap, index))).collect();
    conductor.begin().map_err(Stop::Deserted)?;

    let started = Instant::now();
    let (mut used, mut before) = (Usage::default(), usage());
    let failed = |failure| Stop::Failed(with_live(failure, run.page));
    if let Some(first) = members.first_mut() {
        first.actor.on_main_thread(|actor| crew.pattern.prepare(actor)).map_err(failed)?;
    }
    let mut members = members.into_iter();
    let mut own = if crew.pattern.first_on_main() { members.next() } else { None };
    for member in members {
        start(&crew, member).map_err(Stop::Failed)?;
    }
    let mut ops_before = 0;
    let mut resting = Vec::with_capacity(run.threads as usize);
    for phase in [Phase::Setup, Phase::Warmup, Phase::Steady, Phase::Drain] {
        if phase != Phase::Setup {
            before = usage();
        }
        crew.gate.release(phase, (phase == Phase::Setup).then_some(started));
        for member in resting.drain(..) {
            start(&crew, member).map_err(Stop::Failed)?;
        }
        if let Some(member) = &mut own {
            serve_here(&crew, member).map_err(failed)?;
        }
        let took = loop {
            conductor.watch(crew.gate.done()).map_err(Stop::Deserted)?;
            let took = crew.gate.outcome().map_err(failed)?;
            if !renew(&crew, &mut resting).map_err(failed)? {
                break took;
            }
        };
        add(&mut used, &usage(), &before);
        conductor.arrive().map_err(Stop::Deserted)?;
        let (border, sequence) = crew.border(run, (phase, took), used, ops_before);
        ops_before += border.ops;
        conductor.border(border, sequence).map_err(Stop::Deserted)?;
    }
    Ok(())
}

/// A refusal of the system, as a failure of the run.
fn system(what: &'static str) -> impl Fn(io::Error) -> Stop {
    move |error| Stop::Failed(Failure { out_of_memory: false, reason: format!("failed to {what}: {error}") })
}

fn enlist<P: Pattern, H: Heap>(crew: &Crew<P, H>, run: &Job, heap: H, index: u32) -> Member<P::Seat, H> {
    let rng = Rng::new(run.seed, u64::from(index));
    let cell = run.page.writable_seat(index as usize);
    let gap = Gap::for_operations(crew.share(Phase::Steady, index));
    let actor = Actor::new(heap, run.touch, rng, index, cell, Arc::clone(&crew.gate), run.name, gap);
    let seat = crew.pattern.seat(index);
    let breath = crew.pattern.lifetime(index);
    Member { index, seat, actor, round: 0, begun: None, predecessor: None, breath }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One phase of the main thread's seat, which has been released.
fn serve_here<P: Pattern, H: Heap>(
    crew: &Crew<P, H>,
    member: &mut Member<P::Seat, H>,
) -> Result<(), Failure> {
    let phase = crew.gate.next(&mut member.round);
    let ops = crew.share(phase, member.index);
    let Member { seat, actor, .. } = member;
    actor.on_main_thread(|actor| crew.phase(phase, ops, seat, actor))?;
    crew.gate.arrive();
    actor.hand_in(&mut lock(&crew.records));
    crew.gate.settle();
    Ok(())
}

impl<P: Pattern, H: Heap> Crew<P, H> {
    fn share(&self, phase: Phase, index: u32) -> u64 {
        match phase {
            Phase::Warmup => self.pattern.share(phase, self.warmup, index),
            Phase::Steady => self.pattern.share(phase, self.steady, index),
            Phase::Setup | Phase::Drain | Phase::Idle => 0,
        }
    }

    /// Works on a phase until it or the thread's time is over; the operations left.
    fn work(&self, phase: Phase, ops: u64, member: &mut Member<P::Seat, H>) -> u64 {
        let now = ops.min(member.breath);
        member.actor.left = ops - now;
        self.phase(phase, now, &mut member.seat, &mut member.actor);
        member.breath -= now;
        ops - now
    }

    fn phase(&self, phase: Phase, ops: u64, seat: &mut P::Seat, actor: &mut Actor<H>) {
        match phase {
            Phase::Setup => self.pattern.setup(seat, actor),
            Phase::Warmup | Phase::Steady => self.pattern.work(seat, actor, ops, phase == Phase::Steady),
            Phase::Drain => self.pattern.drain(seat, actor),
            Phase::Idle => {}
        }
    }

    /// What a phase was that took so long, and the fingerprint of what was asked for.
    fn border(
        &self,
        run: &Job,
        (phase, took): (Phase, Duration),
        usage: Usage,
        ops_before: u64,
    ) -> (Border, u64) {
        run.page.set_engine_bytes(memory::bytes());
        let totals = run.page.totals();
        let Taken { malloc_ns, free_ns, op_ns, sequence } = self.take_records();
        let border = Border {
            phase,
            took_ns: u64::try_from(took.as_nanos()).unwrap_or(u64::MAX),
            ops: totals.ops - ops_before,
            unit: run.unit.to_owned(),
            live_bytes: totals.live_bytes,
            engine_bytes: memory::bytes(),
            usage,
            malloc_ns,
            free_ns,
            op_ns,
        };
        (border, sequence)
    }

    fn take_records(&self) -> Taken {
        let mut records = lock(&self.records);
        Taken {
            sequence: std::mem::take(&mut records.sequence),
            malloc_ns: records.mallocs.take(),
            free_ns: records.frees.take(),
            op_ns: records.completions.take(),
        }
    }
}

/// The records of a phase.
struct Taken {
    malloc_ns: Option<Quantiles>,
    free_ns: Option<Quantiles>,
    op_ns: Option<Quantiles>,
    sequence: u64,
}

fn with_live(mut failure: Failure, page: &Page) -> Failure {
    if failure.out_of_memory {
        let live = units::format_bytes(page.totals().live_bytes as f64);
        failure.reason = format!("{} with {live} live", failure.reason);
    }
    failure
}

/// Adds what was used from `before` to `now`: what the program does between two phases is not theirs.
fn add(used: &mut Usage, now: &Usage, before: &Usage) {
    used.user_s += now.user_s - before.user_s;
    used.system_s += now.system_s - before.system_s;
    used.minor_faults += now.minor_faults.saturating_sub(before.minor_faults);
    used.major_faults += now.major_faults.saturating_sub(before.major_faults);
    used.voluntary += now.voluntary.saturating_sub(before.voluntary);
    used.involuntary += now.involuntary.saturating_sub(before.involuntary);
}

/// What the process has used so far, ended threads included.
fn usage() -> Usage {
    let mut raw = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: getrusage fills the structure it is given; zeroed is a valid value of it in any case.
    let raw = unsafe {
        libc::getrusage(libc::RUSAGE_SELF, raw.as_mut_ptr());
        raw.assume_init()
    };
    let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 * 1e-6;
    let count = |value: libc::c_long| u64::try_from(value).unwrap_or(0);
    Usage {
        user_s: seconds(raw.ru_utime),
        system_s: seconds(raw.ru_stime),
        minor_faults: count(raw.ru_minflt),
        major_faults: count(raw.ru_majflt),
        voluntary: count(raw.ru_nvcsw),
        involuntary: count(raw.ru_nivcsw),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::heap::NullHeap;
    use crate::workload;
    use std::os::fd::BorrowedFd;
    use std::ptr::null_mut;

    /// Goes on at once, and keeps what it saw.
    #[derive(Default)]
    struct Spectator(Vec<(Border, u64)>);

    impl Conductor for Spectator {
        fn begin(&mut self) -> io::Result<()> {
            Ok(())
        }

        fn watch(&mut self, _done: BorrowedFd<'_>) -> io::Result<()> {
            Ok(())
        }

        fn border(&mut self, border: Border, sequence: u64) -> io::Result<()> {
            self.0.push((border, sequence));
            Ok(())
        }
    }

    fn run(workload: &str, threads: u32) -> workload::Run {
        let (page, _) = Page::create(threads as usize).unwrap();
        workload::Run { spec: workload.parse().unwrap(), threads, seed: 3, page: Box::leak(Box::new(page)) }
    }

    #[test]
    fn a_seat_goes_on_where_its_predecessor_stopped() {
        let sequence = |lifetime| {
            let mut spectator = Spectator::default();
            let run = run(&format!("larson:ops=5k,slots=10,lifetime={lifetime}"), 3);
            workload::start(&run, NullHeap, &mut spectator).unwrap();
            assert_eq!(spectator.0[2].0.ops, 5000);
            spectator.0[2].1
        };
        assert_eq!(sequence(7), sequence(100_000));
    }

    #[test]
    fn a_full_heap_ends_the_run() {
        match workload::start(&run("larson", 4), FullHeap, &mut Spectator::default()) {
            Err(Stop::Failed(Failure { out_of_memory: true, reason })) => {
                assert!(reason.starts_with("malloc("), "{reason}");
                assert!(reason.ends_with("failed in larson with 0 B live"), "{reason}");
            }
            other => panic!("{other:?}"),
        }
    }

    /// Fails as a heap that is full does.
    #[derive(Clone, Copy)]
    struct FullHeap;

    // SAFETY: it never returns memory.
    unsafe impl Heap for FullHeap {
        const TOUCHABLE: bool = false;

        fn malloc(self, _size: usize) -> *mut u8 {
            null_mut()
        }

        fn calloc(self, _size: usize) -> *mut u8 {
            null_mut()
        }

        fn aligned_alloc(self, _align: usize, _size: usize) -> *mut u8 {
            null_mut()
        }

        unsafe fn realloc(self, _address: *mut u8, _size: usize) -> *mut u8 {
            null_mut()
        }

        unsafe fn free(self, _address: *mut u8) {}

        unsafe fn usable_size(self, _address: *mut u8) -> usize {
            0
        }
    }

    #[test]
    fn shares_are_even_and_complete() {
        for (total, seats) in [(10, 3), (0, 4), (7, 7), (3, 5), (1_000_003, 512)] {
            let shares: Vec<u64> = (0..seats).map(|seat| even_share(total, seats, seat)).collect();
            assert_eq!(shares.iter().sum::<u64>(), total);
            assert!(shares.iter().max().unwrap() - shares.iter().min().unwrap() <= 1);
        }
    }
}
