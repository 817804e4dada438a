//! Compression of a file: every chunk for itself, so that a reader can still go to any of them. What was
//! reserved and not written is left out.

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;
use std::string::ToString;
use std::vec;

use super::{ChunkFacts, ReadError, TraceFile};
use crate::layout::{CHUNK_HEADER, FLAG_ZSTD, PAGE};

/// What compression came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Packed {
    /// Bytes before.
    pub before: u64,
    /// Bytes after.
    pub after: u64,
}

/// Writes a file anew, each chunk as a zstd frame. `to` must not be there.
///
/// # Errors
/// A file cannot be read or written; or the file has damages, which would be lost.
pub fn compress(file: &TraceFile, to: &Path, level: i32) -> Result<Packed, ReadError> {
    if !file.check()?.is_empty() {
        let why = "is damaged; it stays as it is".to_string();
        return Err(ReadError::Not { path: file.path.clone(), why });
    }
    let io = |source| ReadError::Io { path: to.to_path_buf(), source };
    let mut page = vec![0; PAGE];
    let from = |source| ReadError::Io { path: file.path.clone(), source };
    File::open(&file.path).and_then(|mut whole| whole.read_exact(&mut page)).map_err(from)?;
    let mut out = File::create_new(to).map_err(io)?;
    out.write_all(&page).map_err(io)?;
    let mut after = PAGE as u64;
    for chunk in &file.chunks {
        let mut bytes = file.events(chunk)?;
        // All of a chunk's hole is zeros, which cost nothing packed; its length stays as it was.
        bytes.resize(chunk.length as usize - CHUNK_HEADER, 0);
        let frame = zstd::bulk::compress(&bytes, level).map_err(io)?;
        let padding = frame.len().next_multiple_of(CHUNK_HEADER) - frame.len();
        out.write_all(&header(chunk, file.facts.pid, frame.len() as u32)).map_err(io)?;
        out.write_all(&frame).map_err(io)?;
        out.write_all(&[0; CHUNK_HEADER][..padding]).map_err(io)?;
        after += (CHUNK_HEADER + frame.len() + padding) as u64;
    }
    out.sync_all().map_err(io)?;
    Ok(Packed { before: file.length, after })
}

/// A chunk's header, anew.
fn header(chunk: &ChunkFacts, pid: u32, stored: u32) -> [u8; CHUNK_HEADER] {
    let mut header = [0; CHUNK_HEADER];
    let words = [
        chunk.length,
        FLAG_ZSTD,
        crate::layout::VERSION,
        pid,
        chunk.tid,
        chunk.thread,
        chunk.sequence,
        stored,
    ];
    header[..8].copy_from_slice(&crate::layout::CHUNK_MAGIC);
    for (place, word) in header[8..40].chunks_exact_mut(4).zip(words) {
        place.copy_from_slice(&word.to_le_bytes());
    }
    header[40..48].copy_from_slice(&chunk.monotonic.to_le_bytes());
    header[48..56].copy_from_slice(&chunk.before.to_le_bytes());
    header
}
