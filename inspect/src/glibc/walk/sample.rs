//! Arenas that are too large to be read whole: places in them are chosen by chance, and gone through from chunk to
//! chunk.

use super::blocks::Blocks;
use super::heaps::{self, Place};
use super::scan::{self, Range};
use crate::Memory;
use crate::glibc::Malloc;
use crate::memory::word;
use crate::pages::Pages;

/// What is chosen is so long, in bytes.
pub const PIECE: u64 = 1 << 20;
/// Fewer pieces tell nothing of their error.
const LEAST: usize = 8;
/// The beginning of the sequence that chooses: the same each time.
const SEED: u64 = 0x9E37_79B9_7F4A_7C15;
const PREV_INUSE: u64 = 1;
const MIN_SIZE: u64 = 32;

/// What a sample of an arena showed.
#[derive(Debug, Clone, Default)]
pub struct Sample {
    /// Free chunks of the pieces.
    pub chunks: Vec<(u64, u64)>,
    /// Free chunks at least as large as a piece, which were read one by one and are no part of the sample.
    pub large: Vec<(u64, u64)>,
    /// How many bytes of the arena are free for each byte of [`chunks`](Self::chunks).
    pub factor: f64,
    /// The standard error of the free bytes, in bytes.
    pub error: u64,
}

/// Goes through pieces of an arena, `most` bytes in all; `None` where that is too little to tell anything. `known` are
/// free chunks of it.
pub fn of(
    malloc: &Malloc,
    memory: &dyn Memory,
    pages: &dyn Pages,
    place: &Place,
    known: &[(u64, u64)],
    most: u64,
) -> Option<Sample> {
    let mut large: Vec<(u64, u64)> = known.iter().copied().filter(|(_, size)| *size >= PIECE).collect();
    large.sort_unstable();
    let all = pieces(malloc, place, &large);
    let chosen = choose(&all, usize::try_from(most / PIECE).ok()?);
    if chosen.len() < LEAST {
        return None;
    }
    let mut chunks = Vec::new();
    let mut shares = Vec::with_capacity(chosen.len());
    for piece in &chosen {
        let mut blocks = Blocks::new(memory, pages);
        shares.push(share(memory, &mut blocks, piece, &large, &mut chunks));
    }
    let frame = all.iter().fold(0.0, |sum, piece| sum + (piece.end - piece.start) as f64);
    let count = shares.len() as f64;
    let mean = shares.iter().sum::<f64>() / count;
    let variance = shares.iter().map(|share| (share - mean).powi(2)).sum::<f64>() / (count - 1.0);
    let left = 1.0 - count / all.len() as f64;
    let found = chunks.iter().fold(0.0, |sum, (_, size)| sum + *size as f64);
    let factor = if found > 0.0 { mean * frame / found } else { 0.0 };
    Some(Sample { chunks, large, factor, error: (frame * (variance / count * left).sqrt()) as u64 })
}

/// A part of a heap.
#[derive(Debug, Clone, Copy)]
struct Piece {
    start: u64,
    end: u64,
    heap: Range,
}

/// The arena cut up, without its top and the large free chunks.
fn pieces(malloc: &Malloc, place: &Place, large: &[(u64, u64)]) -> Vec<Piece> {
    let mut all = Vec::new();
    for (number, heap) in place.heaps.iter().enumerate() {
        let has_top = number == 0;
        let first = heaps::first_chunk(malloc.layout, &place.arena, heap);
        let range = Range { first, end: heap.end(), has_top };
        let end = if has_top { place.arena.top } else { heap.end() };
        let mut start = first;
        let holes = large.iter().filter(|(at, _)| (first..end).contains(at));
        for (at, size) in holes.copied().chain([(end, 0)]) {
            while start < at {
                let next = start.saturating_add(PIECE).min(at);
                all.push(Piece { start, end: next, heap: range });
                start = next;
            }
            start = start.max(at.saturating_add(size));
        }
    }
    all
}

/// Some of them, each as likely as any other.
fn choose(all: &[Piece], count: usize) -> Vec<Piece> {
    let mut all = all.to_vec();
    let count = count.min(all.len());
    let mut state = SEED;
    for chosen in 0..count {
        // xorshift64*
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        let number = state.wrapping_mul(0x2545_F491_4F6C_DD1D) % (all.len() - chosen) as u64;
        all.swap(chosen, chosen + number as usize);
    }
    all.truncate(count);
    // In order they are read faster.
    all.sort_unstable_by_key(|piece| piece.start);
    all
}

/// Which share of a piece is free, from 0 to 1; its free chunks are added to `chunks`.
///
/// It is counted from the end of one free chunk to the end of another, the first that ends behind the piece: were it
/// cut off anywhere else, large chunks would count too much or too little.
fn share(
    memory: &dyn Memory,
    blocks: &mut Blocks<'_>,
    piece: &Piece,
    large: &[(u64, u64)],
    chunks: &mut Vec<(u64, u64)>,
) -> f64 {
    let begins = piece.start == piece.heap.first;
    let anchor = if begins { Some(piece.start) } else { anchor(memory, blocks, piece) };
    // Where no chunk is free, all is in use.
    let Some(anchor) = anchor else { return 0.0 };
    let (mut all, mut free) = (0_u64, 0_u64);
    let range = Range { first: anchor, ..piece.heap };
    scan::some(blocks, range, &mut |chunk| {
        if chunk.at == anchor && !begins {
            return true;
        }
        if large.binary_search(&(chunk.at, chunk.size)).is_ok() {
            return false;
        }
        all = all.saturating_add(chunk.size);
        if !chunk.in_use {
            free = free.saturating_add(chunk.size);
            chunks.push((chunk.at, chunk.size));
        }
        let far = chunk.at.saturating_add(chunk.size).saturating_sub(piece.end);
        (chunk.in_use || far == 0) && far < PIECE
    });
    if all == 0 { 0.0 } else { free as f64 / all as f64 }
}

/// A free chunk in a piece: one that its neighbours in its list point at. What merely looks like a chunk, in data or
/// in what is left of earlier chunks, has none such.
fn anchor(memory: &dyn Memory, blocks: &mut Blocks<'_>, piece: &Piece) -> Option<u64> {
    let mut at = piece.start.checked_next_multiple_of(16)?;
    while at < piece.end {
        let Some(header) = blocks.word(at.checked_add(8)?) else {
            at = at.checked_add(24)?.checked_next_multiple_of(crate::pages::PAGE)?;
            continue;
        };
        let size = header & !7;
        let fits = header & PREV_INUSE != 0 && size.is_multiple_of(16) && (MIN_SIZE..PIECE).contains(&size);
        if fits && size <= piece.heap.end.saturating_sub(at) && is_listed(memory, blocks, at, size) {
            return Some(at);
        }
        at = at.checked_add(16)?;
    }
    None
}

fn is_listed(memory: &dyn Memory, blocks: &Blocks<'_>, at: u64, size: u64) -> bool {
    // A chunk's last word is its size again, and the next one says that it is free; what ends elsewhere is left out.
    let next = |from: u64| blocks.known(at + size + from);
    if next(0) != Some(size) || next(8).is_none_or(|header| header & PREV_INUSE != 0) {
        return false;
    }
    let (Some(fd), Some(bk)) = (blocks.known(at + 16), blocks.known(at + 24)) else { return false };
    let points = |link: u64, from: u64| link.checked_add(from).and_then(|place| word(memory, place).ok());
    points(fd, 24) == Some(at) && points(bk, 16) == Some(at)
}
