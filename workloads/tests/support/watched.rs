//! A heap that knows what it has given out, and a conductor that only looks on.

use std::collections::HashMap;
use std::io;
use std::os::fd::BorrowedFd;
use std::sync::{Mutex, MutexGuard, PoisonError};

use arenalab_wire::message::Border;
use arenalab_workloads::engine::Conductor;
use arenalab_workloads::heap::{Heap, LibcHeap};

/// What is live in [`Watched`].
#[derive(Default)]
struct Live {
    /// Sizes by address.
    sizes: Option<HashMap<usize, usize>>,
    bytes: usize,
    most: usize,
}

static LIVE: Mutex<Live> = Mutex::new(Live { sizes: None, bytes: 0, most: 0 });

/// One run at a time: they share what is watched.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// C `malloc` that knows what it has given out. A mistake ends the process: the threads of a workload have
/// nobody to tell.
#[derive(Clone, Copy)]
pub struct Watched;

/// The right to use [`Watched`], which holds nothing at first.
pub struct Turn {
    live: &'static Mutex<Live>,
    _alone: MutexGuard<'static, ()>,
}

impl Turn {
    pub fn take() -> Self {
        let alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        with_live(|live| *live = Live::default());
        Self { live: &LIVE, _alone: alone }
    }

    /// Live bytes now.
    pub fn left(&self) -> usize {
        self.live().bytes
    }

    /// The most live bytes at any instant of this turn.
    pub fn most(&self) -> usize {
        self.live().most
    }

    fn live(&self) -> MutexGuard<'static, Live> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn with_live<T>(use_it: impl FnOnce(&mut Live) -> T) -> T {
    use_it(&mut LIVE.lock().unwrap_or_else(PoisonError::into_inner))
}

impl Live {
    fn insert(&mut self, address: usize, size: usize) -> bool {
        self.bytes += size;
        self.most = self.most.max(self.bytes);
        self.sizes.get_or_insert_default().insert(address, size).is_none()
    }

    fn remove(&mut self, address: usize) -> Option<usize> {
        let size = self.sizes.get_or_insert_default().remove(&address)?;
        self.bytes -= size;
        Some(size)
    }
}

fn born(address: *mut u8, size: usize) -> *mut u8 {
    let fresh = with_live(|live| live.insert(address as usize, size));
    check(fresh, "malloc returned memory that is in use");
    address
}

fn died(address: *mut u8) {
    let size = with_live(|live| live.remove(address as usize));
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
        let known = with_live(|live| live.remove(address as usize));
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
            with_live(|live| {
                live.sizes.as_ref().is_some_and(|sizes| sizes.contains_key(&(address as usize)))
            }),
            "the size of something that is not live",
        );
        // SAFETY: the caller's promise.
        unsafe { LibcHeap.usable_size(address) }
    }
}

/// Goes on at once, and keeps the borders.
#[derive(Default)]
pub struct Spectator(pub Vec<Border>);

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
