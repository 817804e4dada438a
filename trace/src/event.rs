//! What happened in a thread, in order. An event is a number whose low four bits are its operation, with more
//! after it for some.

/// Operations, by their numbers in a file.
pub mod op {
    /// `malloc`: pointer; then the size.
    pub const MALLOC: u64 = 0;
    /// A free: pointer.
    pub const FREE: u64 = 1;
    /// A free of a pointer in the table of recent ones: its place there.
    pub const FREE_RECENT: u64 = 2;
    /// `calloc`: pointer; then the product.
    pub const CALLOC: u64 = 3;
    /// `realloc` was called: the old pointer.
    pub const REALLOC_BEGIN: u64 = 4;
    /// It gave an object: pointer; then the size.
    pub const REALLOC_END: u64 = 5;
    /// It failed, and the old object stays: 0; then the size.
    pub const REALLOC_FAILED: u64 = 6;
    /// It freed the object (size 0): 0.
    pub const REALLOC_FREED: u64 = 7;
    /// An aligned request: pointer; then size times 64 plus the alignment's logarithm.
    pub const ALIGNED: u64 = 8;
    /// The time: nanoseconds since the last stamp, or since the chunk began.
    pub const STAMP: u64 = 9;
    /// The pointer of the event that follows, which has a difference of 0: 0; then eight bytes.
    pub const WIDE: u64 = 10;
    /// A request that failed: 0; then the size.
    pub const FAILED: u64 = 11;
    /// The thread is ending; calls of its last moments may follow: 0.
    pub const THREAD_END: u64 = 12;
    /// So many calls were not recorded here.
    pub const LOST: u64 = 13;
    /// The thread goes on in its next chunk: 0.
    pub const CLOSE: u64 = 14;
}

/// Bits of an operation.
pub const OP_BITS: u32 = 4;
/// Most bytes of an event with what precedes it ([`op::WIDE`]): 9 and 16.
pub const LONGEST: usize = 25;
/// Places of the table of recent pointers.
pub const RECENT: usize = 256;
/// Calls between two stamps, at most.
pub const STAMP_EVERY: u32 = 64;

/// A pointer's place in the table of recent ones.
#[inline]
pub const fn place(pointer: u64) -> usize {
    ((pointer >> 4) ^ (pointer >> 12)) as usize % RECENT
}

/// An event as it is read. Pointers are addresses in the program, sizes are bytes as asked for.
#[allow(missing_docs)] // of the fields, which say what they are
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// `malloc`, or `realloc` of nothing: an object of so many bytes, as asked for.
    Malloc { pointer: u64, size: u64 },
    /// `calloc`.
    Calloc { pointer: u64, size: u64 },
    /// `posix_memalign`, `aligned_alloc`, `memalign`, `valloc`, `pvalloc`; alignment is `1 << log2`.
    Aligned { pointer: u64, size: u64, log2: u8 },
    /// Any kind of free, before it happened.
    Free { pointer: u64 },
    /// `realloc`, before it happened: the object may be gone from here on.
    ReallocBegin { pointer: u64 },
    /// `realloc` gave this object.
    ReallocEnd { pointer: u64, size: u64 },
    /// `realloc` failed: the object of the begin is as it was.
    ReallocFailed { size: u64 },
    /// `realloc` to size 0 freed the object of the begin.
    ReallocFreed,
    /// A request that failed.
    Failed { size: u64 },
    /// The time (`CLOCK_MONOTONIC`, nanoseconds): what follows was not earlier.
    Stamp { at: u64 },
    /// The thread is ending.
    ThreadEnd,
    /// So many calls are missing here.
    Lost { calls: u64 },
    /// The chunk is full.
    Close,
}

impl Event {
    /// Whether it stands for something that the program did, as against what the recorder notes by itself.
    pub const fn is_call(&self) -> bool {
        !matches!(self, Self::Stamp { .. } | Self::ThreadEnd | Self::Lost { .. } | Self::Close)
    }
}
