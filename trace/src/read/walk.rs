//! Finds the chunks of a file, from header to header.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::string::ToString;
use std::vec;
use std::vec::Vec;

use super::file::{ChunkFacts, u32_at, u64_at};
use super::{Damage, note};
use crate::layout::{CHUNK_HEADER, CHUNK_MAGIC, CHUNK_MOST, FLAG_ZSTD, PAGE, VERSION, WINDOW_MAGIC};

fn chunk(header: &[u8], at: u64, pid: u32) -> Result<ChunkFacts, &'static str> {
    let (length, flags, stored) = (u32_at(header, 8), u32_at(header, 12), u32_at(header, 36));
    if u32_at(header, 16) != VERSION {
        return Err("a chunk has another version of the format");
    }
    if !(CHUNK_HEADER as u32..=CHUNK_MOST).contains(&length) || !length.is_multiple_of(CHUNK_HEADER as u32) {
        return Err("a chunk has a length that none can have");
    }
    let packed = flags == FLAG_ZSTD;
    if (flags != 0 && !packed) || (packed == (stored == 0)) || stored > CHUNK_MOST {
        return Err("a chunk is stored in a way that is not known");
    }
    if u32_at(header, 20) != pid {
        return Err("a chunk is of another process");
    }
    Ok(ChunkFacts {
        at,
        length,
        stored: packed.then_some(stored),
        tid: u32_at(header, 24),
        thread: u32_at(header, 28),
        sequence: u32_at(header, 32),
        monotonic: u64_at(header, 40),
        before: u64_at(header, 48),
    })
}

/// Goes from header to header.
struct Walk<'a> {
    file: &'a mut File,
    length: u64,
    pid: u32,
    chunks: Vec<ChunkFacts>,
    damages: Vec<Damage>,
    /// Stretches to which something was being moved, from where to where: what is there may not be whole.
    targets: BTreeMap<u64, u64>,
}

/// The chunks of a file, and what does not hold.
pub(super) fn all(
    file: &mut File,
    length: u64,
    pid: u32,
    damages: Vec<Damage>,
) -> std::io::Result<(Vec<ChunkFacts>, Vec<Damage>)> {
    let mut walk = Walk { file, length, pid, chunks: Vec::new(), damages, targets: BTreeMap::new() };
    walk.all()?;
    Ok((walk.chunks, walk.damages))
}

impl Walk<'_> {
    fn all(&mut self) -> std::io::Result<()> {
        let mut at = PAGE as u64;
        while at < self.length {
            at = self.one(at)?.max(at + 1);
        }
        Ok(())
    }

    /// Looks at a place where a header is due; where to look next.
    fn one(&mut self, at: u64) -> std::io::Result<u64> {
        let target = self.targets.range(..=at).next_back().map_or(0, |(_, end)| *end);
        if at < target {
            return Ok(target);
        }
        let mut header = vec![0; CHUNK_HEADER];
        self.file.seek(SeekFrom::Start(at))?;
        let read = read_most(self.file, &mut header)?;
        header.truncate(read);
        // Reserved for a thread that never began there: zeros, or a header whose magic was not written any more.
        let next_page = (at / PAGE as u64 + 1) * PAGE as u64;
        if u64_at(&header, 0) == 0 {
            return Ok(next_page);
        }
        if header.get(..8) == Some(&WINDOW_MAGIC) && read == CHUNK_HEADER {
            return Ok(self.window(&header, at).unwrap_or(next_page));
        }
        if header.get(..8) != Some(&CHUNK_MAGIC) || read < CHUNK_HEADER {
            note(&mut self.damages, at, "there is no chunk where one is due".to_string());
            return Ok(next_page);
        }
        match chunk(&header, at, self.pid) {
            Ok(chunk) => {
                let end = at.saturating_add(chunk.extent());
                if end > self.length {
                    note(&mut self.damages, at, "a chunk goes beyond the end of the file".to_string());
                }
                self.chunks.push(chunk);
                Ok(end)
            }
            Err(what) => {
                note(&mut self.damages, at, what.to_string());
                Ok(next_page)
            }
        }
    }

    /// The header of a window: where to look next, where it can be understood.
    fn window(&mut self, header: &[u8], at: u64) -> Option<u64> {
        let (length, moved, target) = (u32_at(header, 8), u32_at(header, 16), u64_at(header, 24));
        let whole = CHUNK_HEADER as u32 + 1..=CHUNK_MOST;
        if u32_at(header, 12) != VERSION
            || !whole.contains(&length)
            || !length.is_multiple_of(64)
            || moved > 1
        {
            note(&mut self.damages, at, "a window has a header that is not understood".to_string());
            return None;
        }
        if moved == 1 {
            return Some(at.saturating_add(u64::from(length)));
        }
        let body = at + CHUNK_HEADER as u64;
        if target != 0 {
            if target < at.saturating_add(u64::from(length)) {
                note(&mut self.damages, at, "a window is moved to where it cannot be".to_string());
                return Some(body);
            }
            let end = target.saturating_add(u64::from(length) - CHUNK_HEADER as u64);
            self.targets.insert(target, end);
        }
        Some(body)
    }
}

fn read_most(file: &mut File, buffer: &mut [u8]) -> std::io::Result<usize> {
    let mut read = 0;
    while let Some(rest) = buffer.get_mut(read..).filter(|rest| !rest.is_empty()) {
        match file.read(rest)? {
            0 => break,
            more => read += more,
        }
    }
    Ok(read)
}
