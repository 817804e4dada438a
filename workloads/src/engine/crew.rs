//! The crew of a workload: one thread a seat, led through the phases. A seat's state is boxed and passed
//! from thread to thread where a workload replaces its threads.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

use arenalab_wire::message::{Border, Failure, Phase, Quantiles, Usage};
use arenalab_wire::telemetry::Page;
use arenalab_wire::units;

use super::actor::{Actor, Records};
use super::gate::Gate;
use super::latency::Gap;
use super::pattern::Pattern;
use super::{Conductor, Stop};
use crate::heap::{Heap, Touch};
use crate::memory;
use crate::random::Rng;

/// Stack of a worker thread. Only what is touched of it becomes resident.
const STACK: usize = 256 << 10;
/// The same where many threads end: what a program gets that asks for no size, as a rule. glibc keeps up to 40 MiB of stacks of
/// threads that have ended, and gives the others back.
const USUAL_STACK: usize = 8 << 20;

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

/// A thread, which leaves its seat behind where the next generation is to have it.
type Life<S, H> = JoinHandle<Option<Box<Member<S, H>>>>;

/// Where the present thread of a seat is kept.
type Place<S, H> = Mutex<Option<Life<S, H>>>;

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
        conductor.arrive().map_err(Stop::Deserted)?;
        run.page.set_engine_bytes(memory::bytes());
        let totals = run.page.totals();
        let Taken { malloc_ns, free_ns, op_ns, sequence } = crew.take_records();
        let border = Border {
            phase,
            took_ns: u64::try_from(took.as_nanos()).unwrap_or(u64::MAX),
            ops: totals.ops - ops_before,
            unit: run.unit.to_owned(),
            live_bytes: totals.live_bytes,
            engine_bytes: memory::bytes(),
            usage: usage(),
            malloc_ns,
            free_ns,
            op_ns,
        };
        ops_before = totals.ops;
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

/// Starts a thread on a seat.
fn start<P: Pattern, H: Heap>(
    crew: &Arc<Crew<P, H>>,
    member: Box<Member<P::Seat, H>>,
) -> Result<(), Failure> {
    let stack = if crew.pattern.in_generations() { USUAL_STACK } else { STACK };
    let builder = std::thread::Builder::new().stack_size(stack);
    // Locked until the handle is in its place, where the new thread will look for it.
    let mut thread = lock(&crew.threads[member.index as usize]);
    let its_crew = Arc::clone(crew);
    let started = builder.spawn(move || serve(&its_crew, member));
    let failed =
        |error| Failure { out_of_memory: false, reason: format!("failed to start a thread: {error}") };
    *thread = Some(started.map_err(failed)?);
    Ok(())
}

/// Starts the successor of the calling thread. The thread before it must have gone by then, so that a seat
/// never has more than two threads, one of them ending: [`Description::reach`] relies on it.
///
/// [`Description::reach`]: crate::catalogue::Description::reach
fn succeed<P: Pattern, H: Heap>(
    crew: &Arc<Crew<P, H>>,
    mut member: Box<Member<P::Seat, H>>,
) -> Result<(), Failure> {
    let present = lock(&crew.threads[member.index as usize]).take();
    if let Some(predecessor) = std::mem::replace(&mut member.predecessor, present) {
        // A thread that panicked has ended the process.
        let _ = predecessor.join();
    }
    member.breath = crew.pattern.lifetime(member.index);
    start(crew, member)
}

/// Starts the next generation once the last has ended, and says whether there is one: where nobody's work goes on, the
/// phase is over. Seats whose work of the phase is done rest until the next.
fn renew<P: Pattern, H: Heap>(
    crew: &Arc<Crew<P, H>>,
    resting: &mut Vec<Box<Member<P::Seat, H>>>,
) -> Result<bool, Failure> {
    let mut ending = std::mem::take(&mut *lock(&crew.ending));
    ending.sort_unstable();
    let ended = ending.iter().filter_map(|&index| {
        let thread = lock(&crew.threads[index as usize]).take();
        // A thread that panicked has ended the process.
        thread.and_then(|thread| thread.join().ok().flatten())
    });
    let (mut members, done): (Vec<_>, Vec<_>) = ended.partition(|member| member.begun.is_some());
    resting.extend(done);
    if let Some(first) = members.first_mut() {
        first.actor.on_main_thread(|actor| crew.pattern.between(actor))?;
    }
    crew.gate.resume(members.len() as u32);
    let going_on = !members.is_empty();
    for mut member in members {
        member.breath = crew.pattern.lifetime(member.index);
        start(crew, member)?;
    }
    Ok(going_on)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The life of one thread: phases, until it is replaced or the process ends.
fn serve<P: Pattern, H: Heap>(
    crew: &Arc<Crew<P, H>>,
    mut member: Box<Member<P::Seat, H>>,
) -> Option<Box<Member<P::Seat, H>>> {
    loop {
        let (phase, ops) = member.begun.take().unwrap_or_else(|| {
            let phase = crew.gate.next(&mut member.round);
            if crew.pattern.in_generations() {
                member.breath = crew.pattern.lifetime(member.index);
            }
            (phase, crew.share(phase, member.index))
        });
        let left = crew.work(phase, ops, &mut member);
        if left > 0 {
            // Its time is over: the successor gets the seat, with all objects, and goes on.
            member.begun = Some((phase, left));
            if crew.pattern.in_generations() {
                return Some(rest(crew, member));
            }
            if let Err(failure) = succeed(crew, member) {
                crew.gate.fail(failure);
            }
            return None;
        }
        crew.gate.arrive();
        member.actor.hand_in(&mut lock(&crew.records));
        if crew.pattern.in_generations() {
            return Some(rest(crew, member));
        }
        crew.gate.settle();
    }
}

/// Leaves a seat to the main thread, which waits for the end of the calling thread.
fn rest<P: Pattern, H: Heap>(crew: &Crew<P, H>, member: Box<Member<P::Seat, H>>) -> Box<Member<P::Seat, H>> {
    lock(&crew.ending).push(member.index);
    crew.gate.settle();
    member
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
