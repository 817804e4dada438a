//! A process's memory as its core file kept it: what was dumped of its mappings (`PT_LOAD`), and what the kernel noted
//! beside it ([`notes`]). ELF of 64 bits for x86-64 (`elf(5)`; the kernel's `fs/binfmt_elf.c` writes it, `gcore` alike).
//!
//! A core does not tell what was resident: neither sizes nor pages. What was not dumped (most pages of files, and what a
//! limit cut off) reads as [`Fault`], never as zero.

pub mod notes;

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::pages::{PAGE, Page, Pages};
use crate::regions::Region;
use crate::{Fault, Memory};
use notes::{MOST_NOTES, Notes};

/// More segments than are read: the kernel allows 65,530 mappings by default.
const MOST_SEGMENTS: u64 = 1 << 18;
/// Bytes of memory that are searched: a file with holes can claim any number of them.
pub const MOST_SEARCHED: u64 = 1 << 40;
const HEADER: u64 = 64;
const SEGMENT: u64 = 56;
/// So many segments that their number stands in the first section's header.
const TOO_MANY: u64 = 0xffff;
const ET_CORE: u64 = 4;
const X86_64: u64 = 62;
const PT_LOAD: u64 = 1;
const PT_NOTE: u64 = 4;

/// Why a file is not read as a core.
#[derive(Debug, thiserror::Error)]
pub enum CoreError {
    /// The system.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// A device, a pipe or a directory.
    #[error("it is no regular file")]
    NoFile,
    /// Something else, or packed.
    #[error("it is no ELF file: a packed core must be unpacked first (coredumpctl dump, zstd -d)")]
    NoElf,
    /// Of 32 bits.
    #[error("it is of a program of 32 bits, of which no layout is known")]
    Bits32,
    /// Of another machine.
    #[error("it is of another machine than x86-64 (ELF machine {0})")]
    Machine(u64),
    /// A program or a library.
    #[error("it is an ELF file, but no core")]
    NoCore,
    /// Its tables do not hold together.
    #[error("its table of segments is cut off, or makes no sense")]
    Torn,
}

/// A part of memory that was dumped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Load {
    start: u64,
    /// Of memory; what of it was dumped may end before.
    end: u64,
    /// Bytes that the file has of it.
    dumped: u64,
    /// Where they are in the file.
    offset: u64,
    flags: u32,
}

/// A core file, opened.
#[derive(Debug)]
pub struct Core {
    file: File,
    /// In the order of addresses, none over another.
    loads: Vec<Load>,
    regions: Vec<Region>,
    notes: Notes,
    missing: u64,
}

impl Core {
    /// Opens a core and reads its tables; of its memory nothing yet.
    ///
    /// # Errors
    /// Where it is none, or of another kind of machine; see [`CoreError`].
    pub fn open(path: &Path) -> Result<Self, CoreError> {
        // Before it is opened: a pipe would wait for its other end.
        if !std::fs::metadata(path)?.is_file() {
            return Err(CoreError::NoFile);
        }
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        let segments = segments(&file)?;
        let mut notes = Notes::default();
        let mut left = MOST_NOTES;
        for one in segments.iter().filter(|one| number(one, 0, 4) == PT_NOTE) {
            let (offset, size) = (number(one, 8, 8), number(one, 32, 8).min(left));
            left -= size;
            notes.read(&bytes(&file, offset, size, length));
        }
        let mut loads: Vec<Load> = segments.iter().filter_map(|one| load(one)).collect();
        loads.sort_by_key(|load| load.start);
        let mut end = 0;
        loads.retain(|load| {
            let apart = load.start >= end;
            end = end.max(load.end);
            apart
        });
        let missing = loads.iter().map(|load| cut_off(load, length)).fold(0, u64::saturating_add);
        for load in &mut loads {
            load.dumped -= cut_off(load, length);
        }
        let regions = loads.iter().map(|load| region(load, &notes)).collect();
        Ok(Self { file, loads, regions, notes, missing })
    }

    /// The process's mappings as they were; a file's "inode" is a number of its own for each name, as the core keeps none.
    pub fn regions(&self) -> &[Region] {
        &self.regions
    }

    /// The same, each as far as it was dumped, and of very many bytes the first [`MOST_SEARCHED`]: what can be searched.
    pub fn dumped(&self) -> Vec<Region> {
        let mut left = MOST_SEARCHED;
        let part = |(region, load): (&Region, &Load)| {
            let size = load.dumped.min(left);
            left -= size;
            (size > 0).then(|| Region { end: load.start + size, ..region.clone() })
        };
        self.regions.iter().zip(&self.loads).filter_map(part).collect()
    }

    /// What the kernel noted.
    pub fn notes(&self) -> &Notes {
        &self.notes
    }

    /// Bytes that the core should have and the file has not: it was cut off.
    pub fn missing(&self) -> u64 {
        self.missing
    }
}

impl Memory for Core {
    fn read(&self, at: u64, into: &mut [u8]) -> Result<(), Fault> {
        let fault = Fault { at };
        let (mut at, mut into) = (at, into);
        while !into.is_empty() {
            let after = self.loads.partition_point(|load| load.start <= at);
            let load = self.loads[..after].last().ok_or(fault)?;
            let inside = at - load.start;
            let there = load.dumped.checked_sub(inside).filter(|there| *there > 0).ok_or(fault)?;
            let count = usize::try_from(there).map_or(into.len(), |there| there.min(into.len()));
            let (now, later) = into.split_at_mut(count);
            let offset = load.offset.checked_add(inside).ok_or(fault)?;
            self.file.read_exact_at(now, offset).map_err(|_| fault)?;
            at = at.checked_add(count as u64).ok_or(fault)?;
            into = later;
        }
        Ok(())
    }
}

/// What was dumped counts as in memory, which is enough to search it; whether it was resident is not told.
impl Pages for Core {
    fn states(&self, at: u64, count: usize) -> Option<Vec<Page>> {
        let is_there = |number: u64| {
            let at = at.checked_add(number.checked_mul(PAGE)?)?;
            let after = self.loads.partition_point(|load| load.start <= at);
            self.loads[..after].last().filter(|load| at - load.start < load.dumped)
        };
        let state = |number: u64| if is_there(number).is_some() { Page::Present } else { Page::Absent };
        Some((0..count as u64).map(state).collect())
    }
}

/// A number of `width` bytes (at most eight) in a header; 0 where there is none.
pub(crate) fn number(bytes: &[u8], at: usize, width: usize) -> u64 {
    let found = at.checked_add(width).and_then(|end| bytes.get(at..end)).unwrap_or_default();
    found.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// A part of the file, as far as it goes.
fn bytes(file: &File, offset: u64, size: u64, length: u64) -> Vec<u8> {
    let there = size.min(length.saturating_sub(offset));
    let mut bytes = vec![0; usize::try_from(there).unwrap_or(0)];
    match file.read_exact_at(&mut bytes, offset) {
        Ok(()) => bytes,
        Err(_) => Vec::new(),
    }
}

/// The headers of all segments.
fn segments(file: &File) -> Result<Vec<Vec<u8>>, CoreError> {
    let length = file.metadata()?.len();
    let header = bytes(file, 0, HEADER, length);
    if !header.starts_with(b"\x7fELF") {
        return Err(CoreError::NoElf);
    }
    match (header.get(4), number(&header, 18, 2), number(&header, 16, 2)) {
        (Some(1), ..) => return Err(CoreError::Bits32),
        (_, machine, _) if machine != X86_64 => return Err(CoreError::Machine(machine)),
        (_, _, kind) if kind != ET_CORE => return Err(CoreError::NoCore),
        _ => {}
    }
    let (table, size) = (number(&header, 32, 8), number(&header, 54, 2));
    let count = match number(&header, 56, 2) {
        // Then it stands in the field `sh_info` of the first section's header.
        TOO_MANY => number(&bytes(file, number(&header, 40, 8), 64, length), 44, 4),
        count => count,
    };
    if size != SEGMENT || count == 0 || count > MOST_SEGMENTS {
        return Err(CoreError::Torn);
    }
    let table = bytes(file, table, count * SEGMENT, length);
    let whole = table.len() as u64 == count * SEGMENT;
    let segments = table.chunks_exact(SEGMENT as usize).map(<[u8]>::to_vec);
    if whole { Ok(segments.collect()) } else { Err(CoreError::Torn) }
}

fn load(header: &[u8]) -> Option<Load> {
    let (offset, start) = (number(header, 8, 8), number(header, 16, 8));
    let (dumped, size) = (number(header, 32, 8), number(header, 40, 8));
    let end = start.checked_add(size)?;
    offset.checked_add(dumped)?;
    let flags = number(header, 4, 4) as u32;
    (number(header, 0, 4) == PT_LOAD && size > 0).then_some(Load {
        start,
        end,
        dumped: dumped.min(size),
        offset,
        flags,
    })
}

/// Bytes that a file of this length has not.
fn cut_off(load: &Load, length: u64) -> u64 {
    load.dumped.saturating_sub(length.saturating_sub(load.offset))
}

fn region(load: &Load, notes: &Notes) -> Region {
    let file = notes.file_at(load.start);
    Region {
        start: load.start,
        end: load.end,
        read: load.flags & 4 != 0,
        write: load.flags & 2 != 0,
        exec: load.flags & 1 != 0,
        // Not told.
        shared: false,
        offset: file.map_or(0, |(_, file)| file.offset.saturating_add(load.start - file.start)),
        inode: file.map_or(0, |(number, _)| number),
        name: file.map_or_else(String::new, |(_, file)| file.name.clone()),
    }
}
