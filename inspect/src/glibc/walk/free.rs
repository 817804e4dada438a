//! The lists of free chunks of an arena.

use std::collections::HashSet;

use crate::Memory;
use crate::glibc::{Arena, Layout};
use crate::memory::{word, words, words_of_many};

/// How often a list is read again.
const MOST_RETRIES: u32 = 30;
/// Chunks of all lists of an arena that are read.
const MOST_CHUNKS: usize = 1 << 24;
/// Chunks of one fast bin that are read: several calls of the kernel each.
const MOST_FAST: usize = 1 << 14;
/// The smallest chunk.
const MIN_SIZE: u64 = 32;
/// Fast bins hold chunks of 32 to 176 bytes.
const FAST_BINS: usize = 10;
/// Lists up to this one hold chunks of one size each, 16 bytes a number.
const LAST_SMALL: u64 = 63;

/// The free chunks of an arena, each with its address and size.
#[derive(Debug, Default)]
pub struct Free {
    /// Those in lists.
    pub chunks: Vec<(u64, u64)>,
    /// Those in fast bins.
    pub fast: Vec<(u64, u64)>,
    pub torn: u32,
    pub retries: u32,
    /// Whether there were more than were to be read.
    pub cut: bool,
    /// Whether there were more in fast bins.
    pub fast_cut: bool,
}

/// A list that was not read to its end, with what was read of it.
pub enum Broken {
    /// It did not hold together.
    Torn(Vec<(u64, u64)>),
    /// It is longer than was to be read.
    Cut(Vec<(u64, u64)>),
}

use Broken::{Cut, Torn};

impl Free {
    /// Reads one list anew, at most so many chunks of it.
    pub fn again(&mut self, memory: &dyn Memory, arena: &Arena, head: u64, number: u64, left: usize) {
        self.retries += 1;
        let chunks = self.settle(|| list(memory, arena, head, number, left));
        self.chunks.extend(chunks);
    }

    /// Reads those in fast bins.
    pub fn add_fast(&mut self, memory: &dyn Memory, arena: &Arena, layout: Layout) {
        let Some(bins) = arena.address.checked_add(layout.bins) else { return };
        for number in (0..FAST_BINS).take_while(|_| layout.has_fast_bins()) {
            let list =
                || fast_list(memory, arena, bins - 96 + 8 * number as u64, MIN_SIZE + 16 * number as u64);
            let cut = std::mem::take(&mut self.cut);
            let chunks = self.settle(list);
            self.fast_cut |= std::mem::replace(&mut self.cut, cut);
            self.fast.extend(chunks);
        }
    }

    /// Reads a list until it holds together; otherwise takes the longest part of it that did.
    fn settle(&mut self, list: impl Fn() -> Result<Vec<(u64, u64)>, Broken>) -> Vec<(u64, u64)> {
        let mut longest = Vec::new();
        for _ in 0..=MOST_RETRIES {
            match list() {
                Ok(chunks) => return chunks,
                Err(Cut(part)) => {
                    self.cut = true;
                    return part;
                }
                Err(Torn(part)) if part.len() >= longest.len() => longest = part,
                Err(_) => {}
            }
            self.retries += 1;
        }
        self.torn += 1;
        longest
    }
}

/// A free chunk of a list, by its four words: its size, and the next one. `None` where it is none of this list's.
pub fn link(arena: &Arena, number: u64, at: u64, before: u64, chunk: &[u64; 4]) -> Option<(u64, u64)> {
    let [_, header, fd, bk] = *chunk;
    let size = header & !7;
    // NON_MAIN_ARENA aside, a free chunk has neither IS_MMAPPED nor bit 3.
    let small = (2..=LAST_SMALL).contains(&number);
    let size_right = header & 0b1010 == 0 && size >= MIN_SIZE && size <= arena.system;
    let right = size_right && bk == before && at.is_multiple_of(16) && (!small || size == 16 * number);
    right.then_some((size, fd))
}

/// No list of an arena has more chunks.
pub fn most_chunks(arena: &Arena) -> usize {
    usize::try_from(arena.system / MIN_SIZE).unwrap_or(MOST_CHUNKS).min(MOST_CHUNKS)
}

/// Follows a list in both directions at once: each chunk's `bk` must be where it was come from.
fn list(
    memory: &dyn Memory,
    arena: &Arena,
    head: u64,
    number: u64,
    left: usize,
) -> Result<Vec<(u64, u64)>, Broken> {
    let mut chunks = Vec::new();
    let Some(Ok(mut at)) = head.checked_add(16).map(|fd| word(memory, fd)) else { return Err(Torn(chunks)) };
    let mut before = head;
    while at != head {
        if chunks.len() >= left {
            return Err(Cut(chunks));
        }
        let words = words_of_many(memory, &[at])[0];
        let linked = words.and_then(|words| link(arena, number, at, before, &words));
        let Some((size, fd)) = linked.filter(|_| chunks.len() < most_chunks(arena)) else {
            return Err(Torn(chunks));
        };
        chunks.push((at, size));
        (before, at) = (at, fd);
    }
    Ok(chunks)
}

/// Follows a fast bin, whose chunks are linked one way; from 2.32 on the links are mangled with their own address.
fn fast_list(memory: &dyn Memory, arena: &Arena, head: u64, size: u64) -> Result<Vec<(u64, u64)>, Broken> {
    let mut chunks = Vec::new();
    let mut seen = HashSet::new();
    let Ok(mut at) = word(memory, head) else { return Err(Torn(chunks)) };
    while at != 0 {
        if chunks.len() >= MOST_FAST {
            return Err(Cut(chunks));
        }
        let right = at.is_multiple_of(16) && seen.insert(at) && chunks.len() < most_chunks(arena);
        let Some(fd) = of_size(memory, at, size).filter(|_| right) else { return Err(Torn(chunks)) };
        chunks.push((at, size));
        let mangled = fd ^ (at.wrapping_add(16) >> 12);
        let leads_on =
            |next: u64| next == 0 || next.is_multiple_of(16) && of_size(memory, next, size).is_some();
        at = if leads_on(mangled) {
            mangled
        } else if leads_on(fd) {
            fd
        } else {
            return Err(Torn(chunks));
        };
    }
    Ok(chunks)
}

/// The link of a chunk, if it has the size that it must have.
fn of_size(memory: &dyn Memory, at: u64, size: u64) -> Option<u64> {
    let chunk = words(memory, at, 3).ok()?;
    (chunk[1] & !7 == size).then_some(chunk[2])
}
