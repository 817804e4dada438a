//! From chunk to chunk through a heap, in use or free.

use super::blocks::Blocks;
use crate::pages::PAGE;

/// How often one place is read again before it is passed over.
const MOST_RETRIES: u32 = 3;
/// Chunks that have to follow one another where the chain is taken up again.
const IN_A_ROW: usize = 4;
/// Bytes in which the chain is looked for where it broke.
const FAR: u64 = 1 << 20;
const PREV_INUSE: u64 = 1;
const IS_MMAPPED: u64 = 2;
const MIN_SIZE: u64 = 32;

/// A chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chunk {
    pub at: u64,
    pub size: u64,
    /// Whether malloc calls it in use: chunks in fast bins and threads' caches are.
    pub in_use: bool,
}

/// A heap to be gone through.
#[derive(Debug, Clone, Copy)]
pub struct Range {
    /// Where its first chunk is.
    pub first: u64,
    pub end: u64,
    /// Whether the arena's top is at its end; two headers close a heap that another one follows.
    pub has_top: bool,
}

/// How going through a heap went.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Scanned {
    /// The chunk at the end of the heap that has top.
    pub top: Option<(u64, u64)>,
    /// How often a place was read again.
    pub retries: u32,
    /// How often the chain broke and was taken up again further on.
    pub breaks: u32,
    /// Bytes that were passed over.
    pub lost: u64,
}

/// Goes through a heap, and shows every chunk but top to `visit`.
pub fn heap(blocks: &mut Blocks<'_>, range: Range, visit: &mut dyn FnMut(Chunk)) -> Scanned {
    let all = &mut |chunk| {
        visit(chunk);
        true
    };
    some(blocks, range, all)
}

/// Goes through a heap as long as `visit` says so.
pub fn some(blocks: &mut Blocks<'_>, range: Range, visit: &mut dyn FnMut(Chunk) -> bool) -> Scanned {
    let mut scan = Scan { range, done: Scanned::default() };
    let mut at = range.first;
    let mut before: Option<(u64, u64)> = None;
    let mut failed = 0;
    let mut furthest = at;
    loop {
        let link = scan.link(blocks, at);
        if let (Link::Chunk(_) | Link::Top(_) | Link::End, Some((place, size))) = (link, before) {
            let in_use = blocks.word(at.saturating_add(8)).is_some_and(|header| header & PREV_INUSE != 0);
            if !visit(Chunk { at: place, size, in_use }) {
                return scan.done;
            }
        }
        match link {
            Link::Chunk(size) => {
                before = Some((at, size));
                at += size;
            }
            Link::Top(size) => {
                scan.done.top = Some((at, size));
                return scan.done;
            }
            Link::End => return scan.done,
            Link::Broken => {
                failed = if at > furthest { 1 } else { failed + 1 };
                furthest = furthest.max(at);
                // The chunk before may have changed its size meanwhile: a step back.
                let back = before.map_or(at, |(place, _)| place);
                before = None;
                blocks.forget();
                if failed <= MOST_RETRIES {
                    scan.done.retries += 1;
                    at = back;
                    continue;
                }
                let Some(next) = scan.take_up(blocks, back) else {
                    scan.done.breaks += 1;
                    scan.done.lost += range.end.saturating_sub(back);
                    return scan.done;
                };
                scan.done.breaks += 1;
                scan.done.lost += next - back;
                (at, furthest, failed) = (next, next, 0);
            }
        }
    }
}

/// What a place in a heap is.
#[derive(Clone, Copy)]
enum Link {
    /// A chunk of this size, which another one follows.
    Chunk(u64),
    Top(u64),
    /// What closes the heap.
    End,
    Broken,
}

struct Scan {
    range: Range,
    done: Scanned,
}

impl Scan {
    fn link(&self, blocks: &mut Blocks<'_>, at: u64) -> Link {
        let Some(header) = at.checked_add(8).and_then(|place| blocks.word(place)) else {
            return Link::Broken;
        };
        self.judge(at, header)
    }

    fn judge(&self, at: u64, header: u64) -> Link {
        let size = header & !7;
        let left = self.range.end.saturating_sub(at);
        if !self.range.has_top && left <= 32 {
            return Link::End;
        }
        let right = size >= MIN_SIZE && size.is_multiple_of(16) && header & IS_MMAPPED == 0;
        // The heap may have grown since its end was read.
        let top = self.range.has_top && header & PREV_INUSE != 0 && size >= left && size - left <= 64 << 20;
        match right {
            true if top => Link::Top(size),
            true if size < left => Link::Chunk(size),
            _ => Link::Broken,
        }
    }

    /// The next place from which on some chunks follow one another.
    fn take_up(&self, blocks: &mut Blocks<'_>, from: u64) -> Option<u64> {
        let mut at = from.checked_add(16)?;
        let end = self.range.end.saturating_sub(32).min(from.saturating_add(FAR));
        while at < end {
            // A page that is not in memory has no chunk's header.
            let next = match blocks.word(at.checked_add(8)?) {
                Some(_) if self.follow(blocks, at) => return Some(at),
                Some(_) => at.checked_add(16)?,
                None => at.checked_add(24)?.checked_next_multiple_of(PAGE)?,
            };
            at = next;
        }
        None
    }

    fn follow(&self, blocks: &Blocks<'_>, from: u64) -> bool {
        let mut at = from;
        for number in 0..IN_A_ROW {
            let Some(header) = at.checked_add(8).and_then(|place| blocks.known(place)) else {
                return number > 0;
            };
            match self.judge(at, header) {
                Link::Chunk(size) => at += size,
                Link::Top(_) | Link::End => return number > 0,
                Link::Broken => return false,
            }
        }
        true
    }
}
