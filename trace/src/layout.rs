//! The two headers, field by field. All numbers are little-endian; recorders run on little-endian machines only,
//! so that the structs are the bytes. Times are nanoseconds: of `CLOCK_MONOTONIC` for order, of `CLOCK_REALTIME` for
//! people.

use core::sync::atomic::{AtomicU32, AtomicU64};

/// The version of the format. A reader refuses another.
pub const VERSION: u32 = 1;
/// What the page of a process begins with.
pub const PROCESS_MAGIC: [u8; 8] = *b"ARLTRACE";
/// What a chunk begins with.
pub const CHUNK_MAGIC: [u8; 8] = *b"ARLCHUNK";
/// What a window that is used again begins with.
pub const WINDOW_MAGIC: [u8; 8] = *b"ARLWINDW";
/// What the control file begins with.
pub const CONTROL_MAGIC: [u8; 8] = *b"ARLCNTRL";
/// Bytes of the page of a process, and the grain of what is reserved in a file.
pub const PAGE: usize = 4096;
/// Bytes of a chunk's header, and the grain of chunks.
pub const CHUNK_HEADER: usize = 64;
/// No chunk is longer than this, header included; a compressed one unpacks to no more.
pub const CHUNK_MOST: u32 = 16 << 20;
/// The name of the control file in a recording's directory.
pub const CONTROL_NAME: &str = "control";
/// How the name of a process's file ends, whole or compressed: `PID-START.trace`.
pub const SUFFIX: &str = ".trace";
/// Bytes of the path of the executable in the page of a process, with the zero byte after it.
pub const EXE_MOST: usize = 2048;

/// The process began as a copy of another (fork): it frees what its parent allocated.
pub const FLAG_FORKED: u32 = 1;
/// The events of a chunk are one zstd frame.
pub const FLAG_ZSTD: u32 = 1;

/// Why a recorder stopped before its process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Stop {
    /// It did not.
    No = 0,
    /// No space could be reserved in the file (full disk, quota).
    NoSpace = 1,
    /// The file would be larger than the process may write (`RLIMIT_FSIZE`).
    FileLimit = 2,
    /// The file could not be opened any more: its directory is gone, or out of reach (chroot, another user).
    Unreachable = 3,
    /// What was reserved could not be mapped (`RLIMIT_AS`, too many mappings).
    NoMapping = 4,
    /// The recording has the size that was asked for.
    SizeReached = 5,
    /// The time that was asked for is over.
    TimeOver = 6,
    /// It was told to.
    Told = 7,
}

impl Stop {
    /// The reason that a number stands for; `None` for one that is not known.
    pub const fn from_number(number: u32) -> Option<Self> {
        Some(match number {
            0 => Self::No,
            1 => Self::NoSpace,
            2 => Self::FileLimit,
            3 => Self::Unreachable,
            4 => Self::NoMapping,
            5 => Self::SizeReached,
            6 => Self::TimeOver,
            7 => Self::Told,
            _ => return None,
        })
    }

    /// The reason in words, after "recording ended: ".
    pub const fn words(self) -> &'static str {
        match self {
            Self::No => "with the process",
            Self::NoSpace => "no space could be reserved in its file (full disk or quota)",
            Self::FileLimit => "its file would exceed the process's limit on file sizes (RLIMIT_FSIZE)",
            Self::Unreachable => {
                "its file could not be opened any more (directory gone, chroot, another user)"
            }
            Self::NoMapping => "its file could not be mapped (limit on address space or mappings)",
            Self::SizeReached => "the recording has the size that was asked for (--max-size)",
            Self::TimeOver => "the time that was asked for is over (--for)",
            Self::Told => "it was told to stop",
        }
    }
}

/// The first page of a file. The part from `lost` on changes while the process runs.
#[repr(C)]
pub struct Process {
    /// [`PROCESS_MAGIC`], written last.
    pub magic: AtomicU64,
    /// [`VERSION`].
    pub version: u32,
    /// [`PAGE`].
    pub length: u32,
    /// The process.
    pub pid: u32,
    /// Its parent.
    pub parent: u32,
    /// When recording began (`CLOCK_REALTIME`); part of the file's name.
    pub realtime: u64,
    /// When recording began (`CLOCK_MONOTONIC`).
    pub monotonic: u64,
    /// One in so many objects is recorded; 1 for all.
    pub sample: u32,
    /// [`FLAG_FORKED`].
    pub flags: u32,
    /// What the hash of addresses begins with, where not all objects are recorded.
    pub salt: u64,
    /// Zero.
    pub reserved: u64,
    /// Calls that could not be recorded.
    pub lost: AtomicU64,
    /// A [`Stop`].
    pub stop: AtomicU32,
    /// The system's error number with it; 0 without one.
    pub stop_errno: AtomicU32,
    /// When it stopped (`CLOCK_MONOTONIC`); 0 while it goes on.
    pub stopped: AtomicU64,
    /// How far the file is reserved, in bytes.
    pub end: AtomicU64,
    /// 1 once the process has ended by itself (`exit`, return from `main`).
    pub ended: AtomicU32,
    /// Children by fork that could not begin files of their own.
    pub children_lost: AtomicU32,
    /// The error number of the last such.
    pub children_errno: AtomicU32,
    /// Threads so far.
    pub threads: AtomicU32,
    /// Zero.
    pub reserved_too: u64,
    /// The executable's path; ends with a zero byte.
    pub exe: [u8; EXE_MOST],
}

/// The header of a chunk.
#[repr(C)]
pub struct Chunk {
    /// [`CHUNK_MAGIC`], written last.
    pub magic: AtomicU64,
    /// Bytes from this header to the next, unpacked; a multiple of 64.
    pub length: AtomicU32,
    /// [`FLAG_ZSTD`].
    pub flags: u32,
    /// [`VERSION`].
    pub version: u32,
    /// The process, as in its page.
    pub pid: u32,
    /// The thread, as the kernel numbers it.
    pub tid: u32,
    /// The thread, counted from 0 in this process, never used again.
    pub thread: u32,
    /// The number of this chunk among its thread's, from 0.
    pub sequence: u32,
    /// Bytes of the zstd frame after this header; 0 where there is none. What follows it up to a multiple of 64 is 0.
    pub stored: u32,
    /// When it began (`CLOCK_MONOTONIC`); stamps count from here.
    pub monotonic: u64,
    /// How many calls the thread's chunks before this one have.
    pub before: u64,
    /// Zero.
    pub reserved: u64,
}

/// The header of a window that is used again: chunks follow it, and are moved elsewhere in the file once it is full.
#[repr(C)]
pub struct Window {
    /// [`WINDOW_MAGIC`], written last.
    pub magic: AtomicU64,
    /// Bytes from this header to the window's end.
    pub length: u32,
    /// [`VERSION`].
    pub version: u32,
    /// 1: what is in the window has been moved, and is not to be read here.
    pub moved: AtomicU32,
    /// Zero.
    pub reserved: u32,
    /// Where in the file what is in the window is being moved to, and is not to be read there; 0 for nowhere.
    pub target: AtomicU64,
    /// Zero.
    pub reserved_too: [u64; 4],
}

/// What all recorders of a directory share.
#[repr(C)]
pub struct Control {
    /// [`CONTROL_MAGIC`].
    pub magic: [u8; 8],
    /// [`VERSION`].
    pub version: u32,
    /// 1: stop.
    pub stop: AtomicU32,
    /// The time of the last stamp of any thread, in units of 2^17 ns; a thread that sees it changed writes the time.
    pub tick: AtomicU64,
    /// Bytes that all files have reserved.
    pub used: AtomicU64,
    /// The most of them; 0 for no limit.
    pub most: u64,
}

const _: () = assert!(size_of::<Chunk>() == CHUNK_HEADER);
const _: () = assert!(size_of::<Window>() == CHUNK_HEADER);
const _: () = assert!(size_of::<Process>() <= PAGE);
const _: () = assert!(core::mem::offset_of!(Process, lost) == 64);
const _: () = assert!(core::mem::offset_of!(Process, exe) == 120);

/// Whether an object at this address is in a recording of one in `sample`, whose hash begins with `salt`.
#[inline]
pub const fn sampled(address: u64, salt: u64, sample: u32) -> bool {
    // Multiplication carries low bits up; the high half times the number of classes is the class.
    let mixed = (address >> 3 ^ salt).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    ((mixed >> 32) * sample as u64) >> 32 == 0
}
