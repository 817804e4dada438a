//! The incidents happen at any number of threads: quiet, burst and quiet again, with as much live at the end as before.

use std::cell::Cell;
use std::io;
use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicI64, AtomicPtr, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

use arenalab_wire::message::{Border, Phase};
use arenalab_wire::telemetry::{Page, Stage};
use arenalab_workloads::engine::Conductor;
use arenalab_workloads::heap::{Heap, LibcHeap};
use arenalab_workloads::workload::{self, Run};

/// One run at a time: they share what is watched.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
/// What the present run publishes, where it is watched.
static PAGE: AtomicPtr<Page> = AtomicPtr::new(std::ptr::null_mut());
/// One call in so many is looked at.
const LOOK: u64 = 64;
static CALLS: AtomicU64 = AtomicU64::new(0);
/// Threads that have allocated.
static THREADS: AtomicU32 = AtomicU32::new(0);
/// Looks at each stage, in the order of [`STAGES`].
static LOOKS: [AtomicU64; 4] = [const { AtomicU64::new(0) }; 4];
static PEAK: AtomicI64 = AtomicI64::new(0);

const STAGES: [Stage; 4] = [Stage::None, Stage::Before, Stage::Burst, Stage::After];

thread_local! {
    static KNOWN: Cell<bool> = const { Cell::new(false) };
}

/// C `malloc`, which looks at what the run says of itself now and then.
#[derive(Clone, Copy)]
struct Watched;

fn place(stage: Stage) -> usize {
    STAGES.iter().position(|known| *known == stage).unwrap()
}

fn look() {
    if !KNOWN.replace(true) {
        THREADS.fetch_add(1, Relaxed);
    }
    // SAFETY: null, or a page that lives as long as the process.
    let page = unsafe { PAGE.load(Relaxed).as_ref() };
    if let Some(page) = page
        && CALLS.fetch_add(1, Relaxed).is_multiple_of(LOOK)
    {
        LOOKS[place(page.stage())].fetch_add(1, Relaxed);
        PEAK.fetch_max(page.totals().live_bytes.cast_signed(), Relaxed);
    }
}

// SAFETY: all memory is that of LibcHeap.
unsafe impl Heap for Watched {
    const TOUCHABLE: bool = true;

    fn malloc(self, size: usize) -> *mut u8 {
        look();
        LibcHeap.malloc(size)
    }

    fn calloc(self, size: usize) -> *mut u8 {
        LibcHeap.calloc(size)
    }

    fn aligned_alloc(self, align: usize, size: usize) -> *mut u8 {
        LibcHeap.aligned_alloc(align, size)
    }

    unsafe fn realloc(self, address: *mut u8, size: usize) -> *mut u8 {
        // SAFETY: the caller's promise.
        unsafe { LibcHeap.realloc(address, size) }
    }

    unsafe fn free(self, address: *mut u8) {
        // SAFETY: the caller's promise.
        unsafe { LibcHeap.free(address) };
    }

    unsafe fn usable_size(self, address: *mut u8) -> usize {
        // SAFETY: the caller's promise.
        unsafe { LibcHeap.usable_size(address) }
    }
}

/// What a steady phase was seen to be.
#[derive(Debug)]
struct Seen {
    live: [u64; 2],
    /// The largest live set that was looked at.
    peak: u64,
    /// Looks at each of [`STAGES`].
    looks: [u64; 4],
    /// Where all stood at its end.
    last: Stage,
    threads: u32,
}

/// Watches the steady phase.
struct Watch {
    page: &'static Page,
    before: u64,
    seen: Option<Seen>,
}

impl Conductor for Watch {
    fn begin(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn watch(&mut self, _done: BorrowedFd<'_>) -> io::Result<()> {
        Ok(())
    }

    fn border(&mut self, border: Border, _sequence: u64) -> io::Result<()> {
        match border.phase {
            Phase::Warmup => {
                self.before = border.live_bytes;
                PEAK.store(0, Relaxed);
                for looks in &LOOKS {
                    looks.store(0, Relaxed);
                }
                PAGE.store(std::ptr::from_ref(self.page).cast_mut(), Relaxed);
            }
            Phase::Steady => {
                PAGE.store(std::ptr::null_mut(), Relaxed);
                self.seen = Some(Seen {
                    live: [self.before, border.live_bytes],
                    peak: PEAK.load(Relaxed).cast_unsigned(),
                    looks: LOOKS.each_ref().map(|looks| looks.load(Relaxed)),
                    last: self.page.stage(),
                    threads: THREADS.load(Relaxed),
                });
            }
            _ => {}
        }
        Ok(())
    }
}

fn watched(subject: &str, threads: u32) -> Seen {
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    THREADS.store(0, Relaxed);
    let (page, _) = Page::create(threads as usize).unwrap();
    let page: &'static Page = Box::leak(Box::new(page));
    let run = Run { spec: subject.parse().unwrap(), threads, seed: 3, page };
    let mut watch = Watch { page, before: 0, seen: None };
    workload::start(&run, Watched, &mut watch).unwrap();
    watch.seen.unwrap()
}

/// A tenth of what they do by default, or less, with live sets that are as much smaller.
/// The last column: how many tenths of what is live before is live at the top of a burst, at the least.
const WITH_BURSTS: [(&str, u64); 4] = [
    ("mail-server:ops=180k,depth=80,sessions=1,body_max=8KiB", 70),
    ("session-storm:ops=500k,sessions=800", 10),
    ("launch-burst:ops=1100k,depth=50,lifetime=10k", 80),
    ("nightly-batch:ops=1M,slots=1000,job=50,night_max=64KiB", 15),
];

#[test]
fn all_stages_come_and_as_much_is_live_after_as_before() {
    for (subject, rise) in WITH_BURSTS {
        for threads in [4, 64, 512] {
            let seen = watched(subject, threads);
            let what = format!("{subject} with {threads} threads: {seen:?}");
            assert!(seen.looks[place(Stage::Before)] > 0 && seen.looks[place(Stage::Burst)] > 0, "{what}");
            assert_eq!(seen.last, Stage::After, "{what}");
            let [before, after] = seen.live;
            assert!(before > 0 && before.abs_diff(after) * 5 < before, "{what}");
            // So many threads keep step; few do as they like.
            assert!(threads < 64 || seen.peak * 10 >= before * rise, "{what}");
        }
    }
}

#[test]
fn nobody_says_where_it_stands_where_the_work_is_too_little_for_the_pattern() {
    for subject in [
        "mail-server:ops=10k,depth=80,sessions=10",
        "session-storm:ops=100k,sessions=800,storms=50",
        "launch-burst:ops=5k,depth=50",
        "nightly-batch:ops=1k,slots=50,nights=100",
    ] {
        let seen = watched(subject, 8);
        let said = seen.looks[1..].iter().sum::<u64>();
        assert_eq!((said, seen.last), (0, Stage::None), "{subject}: {seen:?}");
    }
}

#[test]
fn the_threads_of_a_pool_come_and_go_at_any_number_of_them() {
    for threads in [4, 64, 512] {
        let seen = watched("launch-burst:ops=1100k,depth=50,lifetime=10k", threads);
        assert!(seen.threads > 4 * threads, "{threads} threads: {seen:?}");
    }
}

#[test]
fn a_pool_stalls_with_all_requests_in_hand_at_any_number_of_threads() {
    // Eight objects, large enough that each is counted as live at once.
    const REQUEST: u64 = 8 << 12;
    for (threads, held) in [(4, 100), (64, 25), (512, 3)] {
        let seen = watched("pool-stall:ops=350k,held=100,between=2k,size_min=4KiB,size_max=4KiB", threads);
        let most = u64::from(threads) * held * REQUEST;
        // The last look is a little before all are blocked.
        assert!(seen.peak * 10 > most * 9, "{threads} threads: {seen:?}, of {most} B");
    }
}
