//! The telemetry page: a sealed memory file that the engine writes and the harness maps read-only.
//!
//! The page holds a [`Header`] and then one [`Seat`] for each logical thread of the workload. A seat
//! outlives the thread that sits in it: where a workload replaces its threads, the successor goes on
//! with the same counters. Each seat fills one cache line, so that threads never share one, and each is
//! written by one thread at a time, with plain relaxed stores.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, Ordering};

use rustix::fs::{MemfdFlags, SealFlags};
use rustix::mm::{MapFlags, ProtFlags};

use crate::VERSION;

const MAGIC: u64 = u64::from_le_bytes(*b"arenalab");

/// The most seats a page can have: bounds what a reader maps for a writer it does not trust.
pub const MAX_SEATS: usize = 65_536;

/// The first cache line of the page.
#[repr(C, align(64))]
struct Header {
    magic: AtomicU64,
    version: AtomicU32,
    seats: AtomicU32,
    engine_bytes: AtomicU64,
}

/// What one logical thread has done so far. One cache line.
#[repr(C, align(64))]
pub struct Seat {
    /// Operations done, in the workload's own unit.
    pub ops: AtomicU64,
    /// Requested bytes that this seat allocated minus those it freed. Negative where the seat frees
    /// what others allocated; the sum over all seats is the live bytes.
    pub live_bytes: AtomicI64,
    /// A [`Stage`] as a number: what the seat does with regard to bursts.
    stage: AtomicU32,
}

/// Where a workload with bursts stands. What it holds before the first burst and after the last is alike, so that RSS
/// may be compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u32)]
pub enum Stage {
    /// It has no bursts, or says nothing.
    #[default]
    None,
    /// Before the first burst.
    Before,
    /// From the beginning of the first burst to the end of the last.
    Burst,
    /// After the last burst.
    After,
}

impl Stage {
    fn from_number(number: u32) -> Self {
        match number {
            1 => Self::Before,
            2 => Self::Burst,
            3 => Self::After,
            _ => Self::None,
        }
    }
}

impl Seat {
    /// Says where the seat stands.
    pub fn set_stage(&self, stage: Stage) {
        self.stage.store(stage as u32, Ordering::Relaxed);
    }

    fn stage(&self) -> Stage {
        Stage::from_number(self.stage.load(Ordering::Relaxed))
    }
}

/// The mapped page, on either side.
#[derive(Debug)]
pub struct Page {
    base: NonNull<u8>,
    bytes: usize,
    seats: usize,
    writable: bool,
}

// SAFETY: the page is only ever reached through atomics, and its mapping lives as long as the value.
unsafe impl Send for Page {}
// SAFETY: as above: every field is atomic.
unsafe impl Sync for Page {}

fn bytes_for(seats: usize) -> usize {
    size_of::<Header>() + seats * size_of::<Seat>()
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("telemetry page: {what}"))
}

impl Page {
    /// Makes a page with `seats` seats, and the descriptor to hand to the reader. The file is sealed
    /// against shrinking, so that no reader can be made to fault on it.
    ///
    /// # Errors
    /// When `seats` is 0 or above [`MAX_SEATS`], or the system refuses the file or the mapping.
    pub fn create(seats: usize) -> io::Result<(Self, OwnedFd)> {
        if seats == 0 || seats > MAX_SEATS {
            return Err(invalid("the number of seats is out of range"));
        }
        let file =
            rustix::fs::memfd_create("arenalab-telemetry", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
        let bytes = bytes_for(seats);
        rustix::fs::ftruncate(&file, bytes as u64)?;
        rustix::fs::fcntl_add_seals(&file, SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL)?;
        let page = Self::map(&file, bytes, seats, true)?;
        let header = page.header();
        header.version.store(VERSION, Ordering::Relaxed);
        header.seats.store(seats as u32, Ordering::Relaxed);
        header.magic.store(MAGIC, Ordering::Release);
        Ok((page, file))
    }

    /// Maps a page that another process made, read-only.
    ///
    /// # Errors
    /// When the file is not sealed against shrinking, or is not a telemetry page of this [`VERSION`].
    pub fn open(file: impl AsFd) -> io::Result<Self> {
        let file = file.as_fd();
        if !rustix::fs::fcntl_get_seals(file)?.contains(SealFlags::SHRINK) {
            return Err(invalid("the file is not sealed against shrinking"));
        }
        let size = rustix::fs::fstat(file)?.st_size;
        let bytes = usize::try_from(size).map_err(|_| invalid("bad size"))?;
        if bytes < bytes_for(1) || bytes > bytes_for(MAX_SEATS) {
            return Err(invalid("the size is out of range"));
        }
        let mut page = Self::map(file, bytes, 0, false)?;
        let header = page.header();
        if header.magic.load(Ordering::Acquire) != MAGIC {
            return Err(invalid("the magic number is missing"));
        }
        let version = header.version.load(Ordering::Relaxed);
        if version != VERSION {
            return Err(invalid(&format!("version {version}, this build reads {VERSION}")));
        }
        let seats = header.seats.load(Ordering::Relaxed) as usize;
        if bytes_for(seats) != bytes {
            return Err(invalid("the size does not match the number of seats"));
        }
        page.seats = seats;
        Ok(page)
    }

    fn map(file: impl AsFd, bytes: usize, seats: usize, writable: bool) -> io::Result<Self> {
        let prot = if writable { ProtFlags::READ | ProtFlags::WRITE } else { ProtFlags::READ };
        // SAFETY: a fresh mapping at an address of the kernel's choice; the file cannot shrink below it.
        let base = unsafe { rustix::mm::mmap(std::ptr::null_mut(), bytes, prot, MapFlags::SHARED, file, 0)? };
        let base = NonNull::new(base.cast()).ok_or_else(|| invalid("mapped at address 0"))?;
        Ok(Self { base, bytes, seats, writable })
    }

    fn header(&self) -> &Header {
        // SAFETY: the mapping is page-aligned, at least one header long, and all fields are atomics.
        unsafe { self.base.cast::<Header>().as_ref() }
    }

    /// The seats, in the order of the workload's logical threads.
    pub fn seats(&self) -> &[Seat] {
        // SAFETY: `seats` was checked against the length of the mapping; all fields are atomics. A
        // read-only page is never stored to: writers go through `writable_seat`.
        unsafe {
            let first = self.base.cast::<Header>().add(1).cast::<Seat>();
            std::slice::from_raw_parts(first.as_ptr(), self.seats)
        }
    }

    /// One seat to write to.
    ///
    /// # Panics
    /// On a page that was opened for reading, or a seat that does not exist: both are defects of the caller.
    pub fn writable_seat(&self, index: usize) -> &Seat {
        assert!(self.writable, "the page is mapped read-only");
        &self.seats()[index]
    }

    /// States how many bytes the engine holds for itself (mapped and touched).
    pub fn set_engine_bytes(&self, bytes: u64) {
        assert!(self.writable, "the page is mapped read-only");
        self.header().engine_bytes.store(bytes, Ordering::Relaxed);
    }

    /// Bytes that the engine holds for itself.
    pub fn engine_bytes(&self) -> u64 {
        self.header().engine_bytes.load(Ordering::Relaxed)
    }

    /// Operations and live bytes over all seats. A live sum below zero, which can be seen
    /// for an instant while an object crosses threads, is given as 0.
    pub fn totals(&self) -> Totals {
        let mut ops = 0u64;
        let mut live = 0i64;
        for seat in self.seats() {
            ops = ops.wrapping_add(seat.ops.load(Ordering::Relaxed));
            live = live.wrapping_add(seat.live_bytes.load(Ordering::Relaxed));
        }
        Totals { ops, live_bytes: u64::try_from(live).unwrap_or(0) }
    }
}

impl Page {
    /// Where the workload stands: before or after the bursts when all seats that say something do, else in them.
    pub fn stage(&self) -> Stage {
        let mut said = self.seats().iter().map(Seat::stage).filter(|stage| *stage != Stage::None);
        let Some(first) = said.next() else { return Stage::None };
        if said.all(|stage| stage == first) { first } else { Stage::Burst }
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        // SAFETY: base and length are those of the mapping made in `map`, and no borrow outlives self.
        let _ = unsafe { rustix::mm::munmap(self.base.as_ptr().cast(), self.bytes) };
    }
}

/// Sums over all seats at one instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Totals {
    /// Operations done.
    pub ops: u64,
    /// Requested bytes allocated and not yet freed.
    pub live_bytes: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stage_is_that_of_all_who_say_one() {
        let (page, _file) = Page::create(3).unwrap();
        assert_eq!(page.stage(), Stage::None);
        for (seat, stage, seen) in [
            (0, Stage::Before, Stage::Before),
            (1, Stage::Before, Stage::Before),
            (1, Stage::Burst, Stage::Burst),
            (0, Stage::After, Stage::Burst),
            (1, Stage::After, Stage::After),
        ] {
            page.writable_seat(seat).set_stage(stage);
            assert_eq!(page.stage(), seen);
        }
    }

    #[test]
    fn a_reader_sees_what_the_writer_stores() {
        let (writer, file) = Page::create(3).unwrap();
        let reader = Page::open(&file).unwrap();
        writer.writable_seat(0).ops.store(5, Ordering::Relaxed);
        writer.writable_seat(0).live_bytes.store(100, Ordering::Relaxed);
        writer.writable_seat(2).live_bytes.store(-30, Ordering::Relaxed);
        writer.set_engine_bytes(4096);
        assert_eq!(reader.totals(), Totals { ops: 5, live_bytes: 70 });
        assert_eq!(reader.engine_bytes(), 4096);
        assert_eq!(reader.seats().len(), 3);
    }

    #[test]
    fn a_seat_fills_a_cache_line() {
        assert_eq!(size_of::<Seat>(), 64);
        assert_eq!(size_of::<Header>(), 64);
    }

    #[test]
    fn files_that_are_no_page_are_refused() {
        assert!(Page::create(0).is_err());
        assert!(Page::create(MAX_SEATS + 1).is_err());
        let unsealed = rustix::fs::memfd_create("x", MemfdFlags::ALLOW_SEALING).unwrap();
        rustix::fs::ftruncate(&unsealed, 4096).unwrap();
        assert!(Page::open(&unsealed).is_err());
        rustix::fs::fcntl_add_seals(&unsealed, SealFlags::SHRINK).unwrap();
        assert!(Page::open(&unsealed).unwrap_err().to_string().contains("magic"));
    }
}
