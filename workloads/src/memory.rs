//! The engine's own memory: a small allocator over `mmap` that serves all Rust allocations of a workload
//! binary, so that nothing of the engine ever enters the measured `malloc`.
//!
//! Chunks are populated as they are mapped, so that what is mapped is resident and [`bytes`] can be subtracted
//! from RSS. Where there is no memory, the process ends with [`OUT_OF_MEMORY`] and a line: Rust itself would
//! abort, which looks like a crash. Blocks are powers of two kept in free lists; anything larger has a mapping of its own. The hot
//! path of a workload does not come here, so one lock is enough.

use std::alloc::{GlobalAlloc, Layout};
use std::io::Write;
use std::ptr::{NonNull, null_mut};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use rustix::io::Errno;
use rustix::mm::{Advice, MapFlags, ProtFlags};

/// Exit code of a process that could not get memory.
pub const OUT_OF_MEMORY: i32 = 3;

/// Smallest block: 1 << 4.
const SMALLEST: u32 = 4;
/// Largest block of a free list: 1 << 15.
const LARGEST: u32 = 15;
const CLASSES: usize = (LARGEST - SMALLEST + 1) as usize;
/// What a free list is refilled with.
const CHUNK: usize = 1 << 15;

static MAPPED: AtomicU64 = AtomicU64::new(0);

/// Bytes that the engine has mapped (and touched) for itself.
pub fn bytes() -> u64 {
    MAPPED.load(Ordering::Relaxed)
}

/// The allocator for `#[global_allocator]` of a workload binary.
pub struct EngineMemory {
    locked: AtomicBool,
    lists: std::cell::UnsafeCell<Lists>,
}

struct Lists {
    heads: [*mut Free; CLASSES],
    fresh: *mut u8,
    fresh_bytes: usize,
}

struct Free {
    next: *mut Free,
}

// SAFETY: `lists` is only reached by the holder of `locked`.
unsafe impl Sync for EngineMemory {}

/// Bytes of a page. Remembered, as small blocks ask for it as well.
pub(crate) fn page_size() -> usize {
    static PAGE: AtomicUsize = AtomicUsize::new(0);
    let known = PAGE.load(Ordering::Relaxed);
    if known != 0 {
        return known;
    }
    // SAFETY: sysconf only reads, and allocates nothing for this name.
    let asked = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    let page = usize::try_from(asked).ok().filter(|page| page.is_power_of_two()).unwrap_or(4096);
    PAGE.store(page, Ordering::Relaxed);
    page
}

/// Maps `bytes`, whole pages, without huge pages, so that resident is exactly what is touched. The advice
/// comes before the first page is there: `MAP_POPULATE` would fill the mapping with huge ones first.
fn reserve(bytes: usize) -> Option<*mut u8> {
    let prot = ProtFlags::READ | ProtFlags::WRITE;
    // SAFETY: a fresh mapping at an address of the kernel's choice; the advice is on that mapping alone.
    unsafe {
        let base = rustix::mm::mmap_anonymous(null_mut(), bytes, prot, MapFlags::PRIVATE).ok()?;
        let _ = rustix::mm::madvise(base, bytes, Advice::LinuxNoHugepage);
        Some(base.cast())
    }
}

/// Maps `bytes`, whole pages, resident. Null where there is no memory.
fn map(bytes: usize) -> *mut u8 {
    let Some(base) = reserve(bytes) else { return null_mut() };
    MAPPED.fetch_add(bytes as u64, Ordering::Relaxed);
    // SAFETY: populating changes no byte of the mapping just made.
    match unsafe { rustix::mm::madvise(base.cast(), bytes, Advice::LinuxPopulateWrite) } {
        Ok(()) => base,
        Err(Errno::NOMEM) => {
            // SAFETY: nothing else knows the mapping.
            unsafe { unmap(base, bytes) };
            null_mut()
        }
        // Linux before 5.14 cannot be asked for it.
        Err(_) => {
            touch(base, bytes);
            base
        }
    }
}

/// Makes each page of a new mapping resident.
fn touch(base: *mut u8, bytes: usize) {
    for at in (0..bytes).step_by(page_size()) {
        // SAFETY: within the mapping, which is writable and holds zeros.
        unsafe { base.add(at).write_volatile(0) };
    }
}

/// Ends the process where the engine itself gets no memory. Allocates nothing.
#[cold]
fn refuse(bytes: usize) -> ! {
    let mut line = [0u8; 128];
    let mut rest = &mut line[..];
    let _ = writeln!(rest, "error: out of memory: the engine's own tables need {bytes} more bytes");
    let left = rest.len();
    let written = &line[..line.len() - left];
    // SAFETY: writes initialised bytes; _exit ends the process at once, whatever other threads do.
    unsafe {
        libc::write(libc::STDERR_FILENO, written.as_ptr().cast(), written.len());
        libc::_exit(OUT_OF_MEMORY)
    }
}

/// Gives back `bytes` at `base`, a page-aligned part of a mapping made by [`map`].
///
/// # Safety
/// Nothing may use that range any more.
unsafe fn unmap(base: *mut u8, bytes: usize) {
    if bytes > 0 {
        // SAFETY: the caller's promise.
        let _ = unsafe { rustix::mm::munmap(base.cast(), bytes) };
        MAPPED.fetch_sub(bytes as u64, Ordering::Relaxed);
    }
}

fn mapped_size(layout: Layout) -> usize {
    layout.size().next_multiple_of(page_size())
}

/// The free list for a layout; `None` where it needs a mapping of its own.
fn class(layout: Layout) -> Option<usize> {
    let block = layout.size().max(layout.align()).max(1 << SMALLEST).checked_next_power_of_two()?;
    let class = block.trailing_zeros() - SMALLEST;
    ((class as usize) < CLASSES && layout.align() <= page_size()).then_some(class as usize)
}

fn map_aligned(layout: Layout) -> *mut u8 {
    let size = mapped_size(layout);
    if layout.align() <= page_size() {
        return map(size);
    }
    let Some(wide) = size.checked_add(layout.align()) else { return null_mut() };
    let base = map(wide);
    if base.is_null() {
        return base;
    }
    let head = base.align_offset(layout.align());
    // SAFETY: head and tail are whole pages of the mapping just made, and nothing else knows them.
    unsafe {
        unmap(base, head);
        unmap(base.add(head + size), wide - head - size);
        base.add(head)
    }
}

impl EngineMemory {
    /// An allocator that holds nothing yet.
    pub const fn new() -> Self {
        let lists = Lists { heads: [null_mut(); CLASSES], fresh: null_mut(), fresh_bytes: 0 };
        Self { locked: AtomicBool::new(false), lists: std::cell::UnsafeCell::new(lists) }
    }

    fn with_lists<T>(&self, use_them: impl FnOnce(&mut Lists) -> T) -> T {
        while self.locked.compare_exchange_weak(false, true, Ordering::Acquire, Ordering::Relaxed).is_err() {
            // The holder may have been preempted: with more threads than CPUs spinning would only delay it.
            rustix::thread::sched_yield();
        }
        // SAFETY: the lock is held, so this is the only reference.
        let result = use_them(unsafe { &mut *self.lists.get() });
        self.locked.store(false, Ordering::Release);
        result
    }
}

impl Default for EngineMemory {
    fn default() -> Self {
        Self::new()
    }
}

impl Lists {
    fn take(&mut self, class: usize) -> *mut u8 {
        let head = self.heads[class];
        if !head.is_null() {
            // SAFETY: blocks in a list are free, large enough and aligned for a link, which `give` wrote.
            self.heads[class] = unsafe { (*head).next };
            return head.cast();
        }
        self.cut(1 << (class as u32 + SMALLEST))
    }

    fn give(&mut self, class: usize, block: NonNull<u8>) {
        let free = block.cast::<Free>();
        // SAFETY: the block is free and at least 16 bytes, aligned to its size or a page.
        unsafe { free.write(Free { next: self.heads[class] }) };
        self.heads[class] = free.as_ptr();
    }

    /// Cuts a new block off the current chunk, aligned to its size up to a page.
    fn cut(&mut self, block: usize) -> *mut u8 {
        loop {
            if !self.fresh.is_null() {
                let gap = self.fresh.align_offset(block.min(page_size()));
                if gap + block <= self.fresh_bytes {
                    // SAFETY: both offsets lie within the current chunk.
                    unsafe {
                        let cut = self.fresh.add(gap);
                        self.fresh = cut.add(block);
                        self.fresh_bytes -= gap + block;
                        return cut;
                    }
                }
            }
            self.fresh = map(CHUNK);
            if self.fresh.is_null() {
                return null_mut();
            }
            self.fresh_bytes = CHUNK;
        }
    }
}

// SAFETY: blocks come from fresh mappings or free lists, so they never overlap; size and alignment follow
// from `class` and `map_aligned`, and `dealloc` takes the same way back for the same layout.
unsafe impl GlobalAlloc for EngineMemory {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let block = match class(layout) {
            Some(class) => self.with_lists(|lists| lists.take(class)),
            None => map_aligned(layout),
        };
        if block.is_null() {
            refuse(layout.size());
        }
        block
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        match (class(layout), NonNull::new(block)) {
            (Some(class), Some(block)) => self.with_lists(|lists| lists.give(class, block)),
            // SAFETY: `alloc` made a mapping of exactly this size here, and the caller is done with it.
            (None, Some(block)) => unsafe { unmap(block.as_ptr(), mapped_size(layout)) },
            (_, None) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(size: usize, align: usize) -> Layout {
        Layout::from_size_align(size, align).unwrap()
    }

    #[test]
    fn blocks_are_aligned_distinct_and_come_back() {
        let memory = EngineMemory::new();
        for size in [1, 16, 17, 100, 4096, 5000, 32_768, 40_000, 1 << 20] {
            for align in [1, 16, 64, 4096, 65_536] {
                let layout = layout(size, align);
                // SAFETY: the layout is not empty; blocks are written within their size and freed once.
                unsafe {
                    let (a, b) = (memory.alloc(layout), memory.alloc(layout));
                    assert!(!a.is_null() && !b.is_null());
                    assert_eq!((a as usize % align, b as usize % align), (0, 0));
                    assert!((a as usize).abs_diff(b as usize) >= size);
                    a.write_bytes(1, size);
                    b.write_bytes(2, size);
                    assert_eq!((*a, *a.add(size - 1)), (1, 1));
                    memory.dealloc(b, layout);
                    if class(layout).is_some() {
                        assert_eq!(memory.alloc(layout), b);
                        memory.dealloc(b, layout);
                    }
                    memory.dealloc(a, layout);
                }
            }
        }
    }

    #[test]
    fn what_is_mapped_is_resident_in_small_pages() {
        let bytes = 8 << 20;
        let touched = reserve(bytes).unwrap();
        touch(touched, bytes);
        MAPPED.fetch_add(bytes as u64, Ordering::Relaxed);
        for base in [map(bytes), touched] {
            assert!(!base.is_null());
            let mut resident = vec![0u8; bytes / page_size()];
            // SAFETY: a whole mapping, and a byte for each of its pages.
            assert_eq!(unsafe { libc::mincore(base.cast(), bytes, resident.as_mut_ptr()) }, 0);
            assert!(resident.iter().all(|page| page & 1 == 1));
            assert_eq!(huge_kib(base as usize), 0);
            // SAFETY: nothing else knows the mapping.
            unsafe { unmap(base, bytes) };
        }
    }

    /// `AnonHugePages` of the area that holds an address.
    fn huge_kib(address: usize) -> u64 {
        let smaps = std::fs::read_to_string("/proc/self/smaps").unwrap();
        let holds = |line: &&str| {
            let bound = |text| usize::from_str_radix(text, 16).ok();
            let ends = line.split_once(' ').and_then(|(area, _)| area.split_once('-'));
            let ends = ends.and_then(|(from, to)| Some(bound(from)?..bound(to)?));
            ends.is_some_and(|area| area.contains(&address))
        };
        let mut lines = smaps.lines().skip_while(|line| !holds(line));
        let line = lines.find_map(|line| line.strip_prefix("AnonHugePages:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    #[test]
    fn threads_never_share_a_block() {
        let memory = EngineMemory::new();
        std::thread::scope(|scope| {
            for mark in 0..4u8 {
                let memory = &memory;
                scope.spawn(move || {
                    let layout = layout(64, 8);
                    for _ in 0..5_000 {
                        // SAFETY: written within its size, read back, freed once.
                        unsafe {
                            let block = memory.alloc(layout);
                            block.write_bytes(mark, 64);
                            std::thread::yield_now();
                            assert!((0..64).all(|at| *block.add(at) == mark));
                            memory.dealloc(block, layout);
                        }
                    }
                });
            }
        });
    }
}
