//! The file of one process: whose it is, and where its chunks are.

use std::format;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::string::{String, ToString};
use std::vec::Vec;

use super::{Damage, ReadError, note, walk};
use crate::layout::{CHUNK_HEADER, EXE_MOST, FLAG_FORKED, PAGE, PROCESS_MAGIC, Stop, VERSION};

/// What the page of a process says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// The process.
    pub pid: u32,
    /// Its parent.
    pub parent: u32,
    /// When recording began (`CLOCK_REALTIME`, nanoseconds).
    pub realtime: u64,
    /// When recording began (`CLOCK_MONOTONIC`, nanoseconds).
    pub monotonic: u64,
    /// One in so many objects is recorded.
    pub sample: u32,
    /// It began as a copy of another.
    pub forked: bool,
    /// What the hash of addresses begins with.
    pub salt: u64,
    /// Calls that could not be recorded.
    pub lost: u64,
    /// Why recording stopped early; `None` for a reason that is not known.
    pub stop: Option<Stop>,
    /// The system's error number with it; 0 without one.
    pub stop_errno: u32,
    /// When it stopped; 0 where it did not.
    pub stopped: u64,
    /// The process ended by itself. Else it was killed, ended by `_exit`, became another program, or runs.
    pub ended: bool,
    /// Children by fork that could not begin files of their own.
    pub children_lost: u32,
    /// The error number of the last such.
    pub children_errno: u32,
    /// The executable.
    pub exe: String,
}

/// Where a chunk is, and what its header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChunkFacts {
    /// Bytes from the start of the file to its header.
    pub at: u64,
    /// Bytes with its header, unpacked.
    pub length: u32,
    /// Bytes of the zstd frame; `None` for a chunk as it was recorded.
    pub stored: Option<u32>,
    /// The thread, as the kernel numbers it.
    pub tid: u32,
    /// The thread, counted from 0.
    pub thread: u32,
    /// The number of this chunk among its thread's.
    pub sequence: u32,
    /// When it began (`CLOCK_MONOTONIC`, nanoseconds).
    pub monotonic: u64,
    /// How many calls the thread's chunks before it have.
    pub before: u64,
}

/// The file of one process.
#[derive(Debug)]
pub struct TraceFile {
    /// Its path.
    pub path: PathBuf,
    /// Its length in bytes.
    pub length: u64,
    /// Whose it is.
    pub facts: Facts,
    /// Its chunks, thread by thread, each thread's in order.
    pub chunks: Vec<ChunkFacts>,
    /// What does not hold in its headers.
    pub damages: Vec<Damage>,
    file: File,
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |word| u32::from_le_bytes(*word))
}

pub(super) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |word| u64::from_le_bytes(*word))
}

fn facts(page: &[u8]) -> Result<Facts, String> {
    if page.get(..8) != Some(&PROCESS_MAGIC) {
        return Err("is not a recording of a process".to_string());
    }
    if u32_at(page, 8) != VERSION {
        let version = u32_at(page, 8);
        return Err(format!("has version {version} of the format; this program reads version {VERSION}"));
    }
    let flags = u32_at(page, 44);
    if u32_at(page, 12) as usize != PAGE || u32_at(page, 40) == 0 || flags & !FLAG_FORKED != 0 {
        return Err("has a first page that is not understood".to_string());
    }
    let exe = page.get(120..120 + EXE_MOST).unwrap_or_default();
    let exe = exe.split(|byte| *byte == 0).next().unwrap_or_default();
    Ok(Facts {
        pid: u32_at(page, 16),
        parent: u32_at(page, 20),
        realtime: u64_at(page, 24),
        monotonic: u64_at(page, 32),
        sample: u32_at(page, 40),
        forked: flags & FLAG_FORKED != 0,
        salt: u64_at(page, 48),
        lost: u64_at(page, 64),
        stop: Stop::from_number(u32_at(page, 72)),
        stop_errno: u32_at(page, 76),
        stopped: u64_at(page, 80),
        ended: u32_at(page, 96) == 1,
        children_lost: u32_at(page, 100),
        children_errno: u32_at(page, 104),
        exe: String::from_utf8_lossy(exe).into_owned(),
    })
}

impl ChunkFacts {
    /// Bytes in the file, header included.
    pub fn extent(&self) -> u64 {
        let grain = CHUNK_HEADER as u64;
        self.stored.map_or(u64::from(self.length), |stored| grain + u64::from(stored).next_multiple_of(grain))
    }
}

impl TraceFile {
    /// Opens a file and reads its headers.
    ///
    /// # Errors
    /// It cannot be read, or is no recording of a process in this version of the format.
    pub fn open(path: &Path) -> Result<Self, ReadError> {
        let io = |source| ReadError::Io { path: path.to_path_buf(), source };
        let mut file = File::open(path).map_err(io)?;
        let length = file.metadata().map_err(io)?.len();
        let mut page = Vec::new();
        file.by_ref().take(PAGE as u64).read_to_end(&mut page).map_err(io)?;
        let not = |why| ReadError::Not { path: path.to_path_buf(), why };
        let facts = facts(&page).map_err(not)?;
        if page.len() < PAGE {
            return Err(not("is cut short within its first page".to_string()));
        }
        let mut damages = Vec::new();
        if facts.stop.is_none() {
            note(&mut damages, 72, "it stopped for a reason that is not known".to_string());
        }
        let (mut chunks, mut damages) = walk::all(&mut file, length, facts.pid, damages).map_err(io)?;
        chunks.sort_by_key(|chunk| (chunk.thread, chunk.sequence, chunk.at));
        check_sequences(&chunks, &mut damages);
        Ok(Self { path: path.to_path_buf(), length, facts, chunks, damages, file })
    }

    /// What follows a chunk's header, unpacked.
    ///
    /// # Errors
    /// It cannot be read, or not be unpacked.
    pub fn events(&self, chunk: &ChunkFacts) -> Result<Vec<u8>, ReadError> {
        let io = |source| ReadError::Io { path: self.path.clone(), source };
        let mut file = &self.file;
        file.seek(SeekFrom::Start(chunk.at + CHUNK_HEADER as u64)).map_err(io)?;
        let whole = chunk.length as usize - CHUNK_HEADER;
        let stored = chunk.stored.map_or(whole, |stored| stored as usize);
        let mut bytes = Vec::new();
        file.take(stored as u64).read_to_end(&mut bytes).map_err(io)?;
        if chunk.stored.is_none() {
            return Ok(bytes);
        }
        let unpacked = zstd::bulk::decompress(&bytes, whole);
        unpacked.map_err(|error| ReadError::Not {
            path: self.path.clone(),
            why: format!("has a chunk at byte {} that cannot be unpacked ({error})", chunk.at),
        })
    }

    /// Whether a file is compressed: the first chunk tells.
    pub fn is_packed(&self) -> bool {
        self.chunks.iter().any(|chunk| chunk.stored.is_some())
    }
}

/// Every thread's chunks are numbered without a gap, and belong to one thread of the system.
fn check_sequences(chunks: &[ChunkFacts], damages: &mut Vec<Damage>) {
    let mut before: Option<&ChunkFacts> = None;
    for chunk in chunks {
        let same = before.filter(|before| before.thread == chunk.thread);
        let expected = same.map_or(0, |before| before.sequence.saturating_add(1));
        if chunk.sequence != expected {
            let what =
                format!("thread {} has chunk {} where {expected} is due", chunk.thread, chunk.sequence);
            note(damages, chunk.at, what);
        }
        if same.is_some_and(|before| before.tid != chunk.tid || before.monotonic > chunk.monotonic) {
            note(
                damages,
                chunk.at,
                format!("thread {} has a chunk that cannot follow its last", chunk.thread),
            );
        }
        before = Some(chunk);
    }
}
