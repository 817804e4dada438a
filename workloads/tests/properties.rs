//! Any valid parameters: all work is done, nothing is freed twice or while another holds it, and in the end
//! nothing is left.

use std::collections::HashMap;
use std::io;
use std::os::fd::BorrowedFd;
use std::sync::{Mutex, PoisonError};

use arenalab_wire::message::Border;
use arenalab_wire::telemetry::Page;
use arenalab_workloads::catalogue::{self, Description, Kind};
use arenalab_workloads::engine::Conductor;
use arenalab_workloads::heap::{Heap, LibcHeap};
use arenalab_workloads::spec::Spec;
use arenalab_workloads::workload::{self, Run};
use proptest::prelude::*;

/// What is live in [`Watched`], by address.
static LIVE: Mutex<Option<HashMap<usize, usize>>> = Mutex::new(None);

/// One run at a time: they share what is watched.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// C `malloc` that knows what it has given out. A mistake ends the process: the threads of a workload have
/// nobody to tell.
#[derive(Clone, Copy)]
struct Watched;

fn with_live<T>(use_it: impl FnOnce(&mut HashMap<usize, usize>) -> T) -> T {
    let mut live = LIVE.lock().unwrap_or_else(PoisonError::into_inner);
    use_it(live.get_or_insert_default())
}

fn born(address: *mut u8, size: usize) -> *mut u8 {
    let before = with_live(|live| live.insert(address as usize, size));
    check(before.is_none(), "malloc returned memory that is in use");
    address
}

fn died(address: *mut u8) {
    let size = with_live(|live| live.remove(&(address as usize)));
    check(size.is_some(), "something was freed that is not live");
    if let Some(size) = size {
        // SAFETY: the caller is about to free this memory of that size.
        unsafe { address.write_bytes(0xdd, size) };
    }
}

fn check(fine: bool, what: &str) {
    if !fine {
        eprintln!("{what}");
        std::process::abort();
    }
}

// SAFETY: all memory is that of LibcHeap.
unsafe impl Heap for Watched {
    const TOUCHABLE: bool = true;

    fn malloc(self, size: usize) -> *mut u8 {
        born(LibcHeap.malloc(size), size)
    }

    fn calloc(self, size: usize) -> *mut u8 {
        born(LibcHeap.calloc(size), size)
    }

    fn aligned_alloc(self, align: usize, size: usize) -> *mut u8 {
        born(LibcHeap.aligned_alloc(align, size), size)
    }

    unsafe fn realloc(self, address: *mut u8, size: usize) -> *mut u8 {
        let known = with_live(|live| live.remove(&(address as usize)));
        check(known.is_some(), "realloc of something that is not live");
        // SAFETY: the caller's promise.
        born(unsafe { LibcHeap.realloc(address, size) }, size)
    }

    unsafe fn free(self, address: *mut u8) {
        died(address);
        // SAFETY: the caller's promise.
        unsafe { LibcHeap.free(address) };
    }

    unsafe fn usable_size(self, address: *mut u8) -> usize {
        check(
            with_live(|live| live.contains_key(&(address as usize))),
            "the size of something that is not live",
        );
        // SAFETY: the caller's promise.
        unsafe { LibcHeap.usable_size(address) }
    }
}

/// Goes on at once, and keeps the borders.
#[derive(Default)]
struct Spectator(Vec<Border>);

impl Conductor for Spectator {
    fn begin(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn watch(&mut self, _done: BorrowedFd<'_>) -> io::Result<()> {
        Ok(())
    }

    fn border(&mut self, border: Border, _sequence: u64) -> io::Result<()> {
        self.0.push(border);
        Ok(())
    }
}

/// A value of every parameter, in range and small enough to be quick.
fn spec(entry: &'static Description, draws: &[u64]) -> Result<Spec, String> {
    let values = entry.params.iter().zip(draws).map(|(param, draw)| {
        let most = match (param.name, param.kind) {
            ("ops", _) => 400,
            (_, Kind::Bytes) => 3000,
            (_, Kind::Count | Kind::Percent) => 120,
        };
        let (top, least) =
            (param.max.min(most.max(param.min)), param.min.max(u64::from(param.name == "ops")));
        format!("{}={}", param.name, least + draw % (top - least + 1))
    });
    let text = format!("{}:{}", entry.name, values.collect::<Vec<_>>().join(","));
    text.parse().map_err(|error| format!("{text}: {error}"))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_parameters_are_safe(
        which in any::<prop::sample::Index>(),
        threads in 1u32..7,
        seed in any::<u64>(),
        draws in prop::collection::vec(any::<u64>(), 24),
    ) {
        let shown: Vec<&Description> = catalogue::all().iter().filter(|entry| !entry.hidden).collect();
        let Ok(spec) = spec(shown[which.index(shown.len())], &draws) else { return Err(TestCaseError::reject("ranges")) };
        let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        with_live(HashMap::clear);
        let (page, _) = Page::create(threads as usize).unwrap();
        let run = Run { spec, threads, seed, page: Box::leak(Box::new(page)) };
        let mut seen = Spectator::default();
        workload::start(&run, Watched, &mut seen).unwrap();
        let ops = run.spec.get("ops");
        let done: Vec<u64> = seen.0.iter().map(|border| border.ops).collect();
        prop_assert_eq!(done, [0, ops * run.spec.get("warmup") / 100, ops, 0], "{}", run.spec);
        let left: usize = with_live(|live| live.values().sum());
        prop_assert_eq!(left as u64, seen.0[3].live_bytes, "{}", run.spec);
        let leaks = run.spec.description().param("leak").is_some_and(|_| run.spec.get("leak") > 0);
        prop_assert!(leaks || left == 0, "{} leaves {left} B", run.spec);
    }
}
