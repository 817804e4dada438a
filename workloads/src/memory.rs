//! The engine's own memory: a small allocator over `mmap` that serves all Rust allocations of a workload
//! binary, so that nothing of the engine ever enters the measured `malloc`.
//!
//! Chunks are mapped populated, so that what is mapped is resident and [`bytes`] can be subtracted from
//! RSS. Blocks are powers of two kept in free lists; anything larger has a mapping of its own. The hot
//! path of a workload does not come here, so one lock is enough.

use std::alloc::{GlobalAlloc, Layout};
use std::ptr::{NonNull, null_mut};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use rustix::mm::{Advice, MapFlags, ProtFlags};

const PAGE: usize = 4096;
/// Smallest block: 1 << 4.
const SMALLEST: u32 = 4;
/// Largest block of a free list: 1 << 15.
const LARGEST: u32 = 15;
const CLASSES: usize = (LARGEST - SMALLEST + 1) as usize;
/// What a free list is refilled with.
const CHUNK: usize = 1 << 16;

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

/// Maps `bytes` populated, without huge pages, so that resident is exactly mapped.
fn map(bytes: usize) -> *mut u8 {
    let prot = ProtFlags::READ | ProtFlags::WRITE;
    let flags = MapFlags::PRIVATE | MapFlags::POPULATE;
    // SAFETY: a fresh mapping at an address of the kernel's choice; the advice is on that mapping alone.
    let base = unsafe {
        let Ok(base) = rustix::mm::mmap_anonymous(null_mut(), bytes, prot, flags) else {
            return null_mut();
        };
        let _ = rustix::mm::madvise(base, bytes, Advice::LinuxNoHugepage);
        base
    };
    MAPPED.fetch_add(bytes as u64, Ordering::Relaxed);
    base.cast()
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
    layout.size().next_multiple_of(PAGE)
}

/// The free list for a layout; `None` where it needs a mapping of its own.
fn class(layout: Layout) -> Option<usize> {
    let block = layout.size().max(layout.align()).max(1 << SMALLEST).checked_next_power_of_two()?;
    let class = block.trailing_zeros() - SMALLEST;
    ((class as usize) < CLASSES && layout.align() <= PAGE).then_some(class as usize)
}

fn map_aligned(layout: Layout) -> *mut u8 {
    let size = mapped_size(layout);
    if layout.align() <= PAGE {
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
                let gap = self.fresh.align_offset(block.min(PAGE));
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
        match class(layout) {
            Some(class) => self.with_lists(|lists| lists.take(class)),
            None => map_aligned(layout),
        }
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
