//! The patterns, one file each. A new one implements [`Workload`] in a file of its own and is named in the
//! list at the end of this one.

pub mod alloc_test;
pub mod api_mix;
mod burst;
pub mod cache_scratch;
pub mod cache_thrash;
pub mod churn;
pub mod contention;
pub mod fan_out;
pub mod fleet;
pub mod glibc_simple;
pub mod glibc_tcache;
pub mod glibc_thread;
pub mod larson;
pub mod launch_burst;
pub mod linux_scalability;
pub mod lru_cache;
pub mod mail_server;
pub mod malloc_large;
pub mod memstore;
pub mod mleak;
pub mod msgpass;
pub mod mstress;
pub mod nightly_batch;
pub mod phong;
pub mod pool_stall;
pub mod producer_consumer;
pub mod rptest;
pub mod sawtooth;
pub mod selftest;
pub mod session_storm;
pub mod sh6;
pub mod thread_churn;
pub mod threadtest;
pub mod worst_fit;
pub mod xmalloc;

use arenalab_wire::message::Phase;
use arenalab_wire::telemetry::Page;

use crate::catalogue::Description;
use crate::engine::actor::Actor;
use crate::engine::crew::{Job, even_share, perform};
use crate::engine::pattern::Pattern;
use crate::engine::{Conductor, Stop};
use crate::heap::Heap;
use crate::object::Touch;
use crate::spec::Spec;

/// A coded workload to run.
pub struct Run {
    /// The workload and its parameters.
    pub spec: Spec,
    /// Logical threads, 1 or more.
    pub threads: u32,
    /// Seed of all choices.
    pub seed: u64,
    /// Where it publishes. Lives as long as the process, as its threads do.
    pub page: &'static Page,
}

/// An allocation pattern. The value itself is shared by all threads; what a thread changes is its seat.
///
/// What a seat does must depend on seed, parameters and seat alone: choices come from `actor.rng`, and
/// nothing asks for the time.
pub trait Workload: Send + Sync + 'static {
    /// What one logical thread holds. Made before setup, in the engine's memory, at its full size.
    type Seat: Send;

    /// Name, parameters, texts.
    const DESCRIPTION: Description;

    /// The workload for `threads` seats.
    fn new(spec: &Spec, threads: u32) -> Self;

    /// The state of seat `index`.
    fn seat(&self, index: u32) -> Self::Seat;

    /// How many of `ops` operations seat `index` is called for. Even by default; where roles differ, seats
    /// may be called for operations that others count.
    fn share(&self, ops: u64, index: u32) -> u64;

    /// Operations after which the thread of seat `index` is replaced by a successor, 1 or more; never by
    /// default. [`Workload::work`] is then called for one life at a time.
    fn lifetime(&self, _index: u32) -> u64 {
        u64::MAX
    }

    /// Operations of the steady phase where `ops` is 0: as many as the original does with so many threads. Only for
    /// patterns whose description says so.
    fn usual_ops(&self) -> u64 {
        1
    }

    /// Whether the threads that `lifetime` ends are replaced all together: the main thread waits for the end of all of
    /// them, and then starts the next generation. All end with a phase too.
    fn in_generations(&self) -> bool {
        false
    }

    /// What the main thread does between two generations, with the first seat's actor; nothing by default.
    fn between<H: Heap>(&self, _actor: &mut Actor<H>) {}

    /// What the main thread allocates before any other thread starts, with the first seat's actor; nothing by
    /// default. It then takes no further part, but what it has allocated lies in its arena.
    fn prepare<H: Heap>(&self, _actor: &mut Actor<H>) {}

    /// Whether the main thread has the first seat, as in a program of one thread: it has an arena of its own kind. Only for
    /// patterns whose seats neither meet nor are replaced. At work the main thread does not see that the harness has gone:
    /// the process ends with the phase only, or sooner where its launcher kills it.
    fn first_on_main(&self) -> bool {
        false
    }

    /// Builds the live set of a seat.
    fn setup<H: Heap>(&self, seat: &mut Self::Seat, actor: &mut Actor<H>);

    /// Does `ops` operations; `steady` tells the counted phase from the warm-up.
    fn work<H: Heap>(&self, seat: &mut Self::Seat, actor: &mut Actor<H>, ops: u64, steady: bool);

    /// Frees everything that the seat holds.
    fn drain<H: Heap>(&self, seat: &mut Self::Seat, actor: &mut Actor<H>);
}

impl<W: Workload> Pattern for W {
    type Seat = <W as Workload>::Seat;

    fn seat(&self, index: u32) -> Self::Seat {
        Workload::seat(self, index)
    }

    fn share(&self, _phase: Phase, ops: u64, index: u32) -> u64 {
        Workload::share(self, ops, index)
    }

    fn lifetime(&self, index: u32) -> u64 {
        Workload::lifetime(self, index)
    }

    fn in_generations(&self) -> bool {
        Workload::in_generations(self)
    }

    fn between<H: Heap>(&self, actor: &mut Actor<H>) {
        Workload::between(self, actor);
    }

    fn first_on_main(&self) -> bool {
        Workload::first_on_main(self)
    }

    fn prepare<H: Heap>(&self, actor: &mut Actor<H>) {
        Workload::prepare(self, actor);
    }

    fn setup<H: Heap>(&self, seat: &mut Self::Seat, actor: &mut Actor<H>) {
        Workload::setup(self, seat, actor);
    }

    fn work<H: Heap>(&self, seat: &mut Self::Seat, actor: &mut Actor<H>, ops: u64, steady: bool) {
        Workload::work(self, seat, actor, ops, steady);
    }

    fn drain<H: Heap>(&self, seat: &mut Self::Seat, actor: &mut Actor<H>) {
        Workload::drain(self, seat, actor);
    }
}

/// Operations of the warm-up before so many of the steady phase.
fn warmup_ops(spec: &Spec, steady: u64) -> u64 {
    (u128::from(steady) * u128::from(spec.get("warmup")) / 100) as u64
}

/// Operations of the warm-up and of the steady phase, where `ops` is never 0.
fn phases(spec: &Spec) -> [u64; 2] {
    let steady = spec.get("ops");
    [warmup_ops(spec, steady), steady]
}

/// Operations of a seat, where all seats do equal shares of each phase.
fn own_ops(phases: [u64; 2], threads: u32, index: u32) -> u64 {
    phases.map(|ops| even_share(ops, threads, index)).iter().sum()
}

/// Entries that a table needs which may get `most` of them, but one with each operation at most: a parameter can be as
/// large as it is documented without a table that the operations never fill.
fn room(most: usize, ops: u64) -> usize {
    most.min(usize::try_from(ops).unwrap_or(usize::MAX).saturating_add(1))
}

/// Plays the workload that `run.spec` names.
fn play<W: Workload>(run: &Run, heap: impl Heap, conductor: &mut dyn Conductor) -> Result<(), Stop> {
    let spec = &run.spec;
    let pattern = W::new(spec, run.threads);
    let steady = match spec.get("ops") {
        0 => pattern.usual_ops(),
        ops => ops,
    };
    let job = Job {
        name: spec.name(),
        unit: spec.description().unit,
        threads: run.threads,
        seed: run.seed,
        warmup: warmup_ops(spec, steady),
        steady,
        touch: Touch::from_parameter(spec.get("touch")),
        page: run.page,
    };
    perform(pattern, &job, heap, conductor)
}

/// Makes the catalogue and the way from a name to its pattern out of one list.
macro_rules! workloads {
    ($($pattern:ty),+ $(,)?) => {
        /// All workloads, in the order in which they are listed.
        pub static CATALOGUE: [Description; [$(<$pattern>::DESCRIPTION),+].len()] =
            [$(<$pattern>::DESCRIPTION),+];

        /// Runs the workload that `run.spec` names.
        ///
        /// # Errors
        /// When the workload fails, or the conductor has gone.
        pub fn start<H: Heap>(run: &Run, heap: H, conductor: &mut dyn Conductor) -> Result<(), Stop> {
            let name = run.spec.name();
            $(if name == <$pattern>::DESCRIPTION.name {
                return play::<$pattern>(run, heap, conductor);
            })+
            unreachable!("a spec is always made from the catalogue")
        }

        /// Visits every workload, in the order in which they are listed.
        pub fn visit_all(visitor: &mut impl Visitor) {
            $(visitor.visit::<$pattern>();)+
        }
    };
}

/// What is to be done with each workload as a type.
pub trait Visitor {
    /// Does it.
    fn visit<W: Workload>(&mut self);
}

workloads![
    larson::Larson,
    producer_consumer::ProducerConsumer,
    churn::Churn,
    mail_server::MailServer,
    mstress::Mstress,
    xmalloc::Xmalloc,
    rptest::Rptest,
    alloc_test::AllocTest,
    sh6::Sh6,
    sh6::Sh8,
    cache_scratch::CacheScratch,
    cache_thrash::CacheThrash,
    threadtest::ThreadTest,
    linux_scalability::LinuxScalability,
    phong::Phong,
    glibc_simple::GlibcSimple,
    glibc_tcache::GlibcTcache,
    glibc_thread::GlibcThread,
    malloc_large::MallocLarge,
    mleak::Mleak,
    thread_churn::ThreadChurn,
    contention::Contention,
    msgpass::Msgpass,
    msgpass::LotsOfThreads,
    sawtooth::Sawtooth,
    worst_fit::WorstFit,
    api_mix::ApiMix,
    fleet::Fleet,
    session_storm::SessionStorm,
    launch_burst::LaunchBurst,
    lru_cache::LruCache,
    pool_stall::PoolStall,
    fan_out::FanOut,
    memstore::Memstore,
    nightly_batch::NightlyBatch,
    selftest::SelfTest,
];
