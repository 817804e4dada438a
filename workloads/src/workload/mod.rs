//! The patterns, one file each. A new one implements [`Workload`] in a file of its own and is named in the
//! list at the end of this one.

pub mod alloc_test;
pub mod api_mix;
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

use crate::catalogue::Description;
use crate::engine::actor::Actor;
use crate::engine::crew::{Run, perform};
use crate::engine::{Conductor, Stop};
use crate::heap::Heap;
use crate::spec::Spec;

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

    /// Builds the live set of a seat.
    fn setup<H: Heap>(&self, seat: &mut Self::Seat, actor: &mut Actor<H>);

    /// Does `ops` operations; `steady` tells the counted phase from the warm-up.
    fn work<H: Heap>(&self, seat: &mut Self::Seat, actor: &mut Actor<H>, ops: u64, steady: bool);

    /// Frees everything that the seat holds.
    fn drain<H: Heap>(&self, seat: &mut Self::Seat, actor: &mut Actor<H>);
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
                return perform::<$pattern, H>(run, heap, conductor);
            })+
            unreachable!("a spec is always made from the catalogue")
        }
    };
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
