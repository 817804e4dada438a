//! Makes files as a recorder does, from events.

#![allow(dead_code)] // each test uses some

use arenalab_trace::event::{Event, STAMP_EVERY};
use arenalab_trace::layout::{CHUNK_HEADER, CHUNK_MAGIC, PAGE, PROCESS_MAGIC, VERSION, WINDOW_MAGIC};
use arenalab_trace::write::{Encoder, Gained, Packed, Pointed};

/// The bytes of events, as the writer writes them.
pub fn encode(events: &[Event], began: u64) -> Vec<u8> {
    let (mut encoder, mut bytes, mut time) = (Encoder::default(), Vec::new(), began);
    for event in events {
        let one = |event| Pointed { wide: None, event };
        let pointed = match *event {
            Event::Malloc { pointer, size } => encoder.gain(Gained::Malloc, pointer, size),
            Event::Calloc { pointer, size } => encoder.gain(Gained::Calloc, pointer, size),
            Event::Aligned { pointer, size, log2 } => encoder.gain(Gained::Aligned(log2), pointer, size),
            Event::ReallocEnd { pointer, size } => encoder.gain(Gained::Realloc, pointer, size),
            Event::Free { pointer } => encoder.free(pointer),
            Event::ReallocBegin { pointer } => encoder.realloc_begin(pointer),
            Event::ReallocFailed { size } => one(Packed::realloc_failed(size)),
            Event::ReallocFreed => one(Packed::realloc_freed()),
            Event::Failed { size } => one(Packed::failed(size)),
            Event::Stamp { at } => {
                let since = at - time;
                time = at;
                one(Packed::stamp(since))
            }
            Event::ThreadEnd => one(Packed::thread_end()),
            Event::Lost { calls } => one(Packed::lost(calls)),
            Event::Close => one(Packed::close()),
        };
        for packed in pointed.wide.into_iter().chain([pointed.event]) {
            let all = (u128::from(packed.high) << 64 | u128::from(packed.low)).to_le_bytes();
            bytes.extend_from_slice(&all[..packed.length as usize]);
        }
    }
    bytes
}

/// The first page of a file.
pub fn page() -> Vec<u8> {
    let mut page = vec![0; PAGE];
    page[..8].copy_from_slice(&PROCESS_MAGIC);
    page[8..12].copy_from_slice(&VERSION.to_le_bytes());
    page[12..16].copy_from_slice(&(PAGE as u32).to_le_bytes());
    page[16..20].copy_from_slice(&7u32.to_le_bytes());
    page[40..44].copy_from_slice(&1u32.to_le_bytes());
    page[120..125].copy_from_slice(b"/bin/");
    page
}

/// A chunk with these events in it, `room` bytes long.
pub fn chunk(thread: u32, sequence: u32, before: u64, began: u64, events: &[Event], room: usize) -> Vec<u8> {
    let mut bytes = vec![0; CHUNK_HEADER];
    bytes[..8].copy_from_slice(&CHUNK_MAGIC);
    let words = [room as u32, 0, VERSION, 7, 100 + thread, thread, sequence, 0];
    for (place, word) in bytes[8..40].chunks_exact_mut(4).zip(words) {
        place.copy_from_slice(&word.to_le_bytes());
    }
    bytes[40..48].copy_from_slice(&began.to_le_bytes());
    bytes[48..56].copy_from_slice(&before.to_le_bytes());
    bytes.extend(encode(events, began));
    assert!(bytes.len() <= room, "{} in {room}", bytes.len());
    bytes.resize(room, 0);
    bytes
}

/// The header of a window that is used again, `length` bytes long.
pub fn window(length: usize, moved: u32, target: u64) -> Vec<u8> {
    let mut bytes = vec![0; CHUNK_HEADER];
    bytes[..8].copy_from_slice(&WINDOW_MAGIC);
    for (place, word) in bytes[8..20].chunks_exact_mut(4).zip([length as u32, VERSION, moved]) {
        place.copy_from_slice(&word.to_le_bytes());
    }
    bytes[24..32].copy_from_slice(&target.to_le_bytes());
    bytes
}

/// Numbers that are always the same.
pub struct Draw(pub u64);

impl Draw {
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

/// What the threads of a program do, truly in this order: who, and what. Each has addresses of its own, as with
/// arenas, and frees every tenth object of another's.
pub fn history(threads: u64, calls: usize, seed: u64) -> Vec<(u32, Event)> {
    let mut draw = Draw(seed | 1);
    let mut live: Vec<u64> = Vec::new();
    let mut history = Vec::new();
    for _ in 0..calls {
        let thread = draw.below(threads) as u32;
        let size = draw.below(5000);
        let pointer = 0x7f00_0000_0000 + (u64::from(thread) << 26) + draw.below(200) * 16;
        match (draw.below(10), live.is_empty()) {
            (0..5, _) | (_, true) if !live.contains(&pointer) => {
                live.push(pointer);
                history.push((thread, Event::Malloc { pointer, size }));
            }
            (_, false) => {
                let of = |pointer: u64| (pointer >> 26) & 63 == u64::from(thread);
                let any = draw.below(10) == 0;
                let Some(place) = live.iter().position(|pointer| any || of(*pointer)) else { continue };
                let old = live.swap_remove(place);
                if draw.below(8) == 0 && !live.contains(&pointer) {
                    live.push(pointer);
                    history.push((thread, Event::ReallocBegin { pointer: old }));
                    history.push((thread, Event::ReallocEnd { pointer, size }));
                } else {
                    history.push((thread, Event::Free { pointer: old }));
                }
            }
            _ => {}
        }
    }
    history
}

/// A file of it, with a stamp every 64 calls of a thread; an event takes 100 ns.
pub fn file(history: &[(u32, Event)], threads: u32) -> Vec<u8> {
    const ROOM: usize = 16 << 10;
    let mut bytes = page();
    for thread in 0..threads {
        let (mut sequence, mut before, mut since) = (0, 0, 0);
        let mut events = Vec::new();
        let mut began = 1000;
        for (number, (who, event)) in history.iter().enumerate() {
            if *who != thread {
                continue;
            }
            let now = 1000 + number as u64 * 100;
            since += 1;
            if since == STAMP_EVERY {
                events.push(Event::Stamp { at: now });
                since = 0;
            }
            if events.len() > 800 {
                events.push(Event::Close);
                let calls = events.iter().filter(|event| event.is_call()).count() as u64;
                bytes.extend(chunk(thread, sequence, before, began, &events, ROOM));
                (sequence, before) = (sequence + 1, before + calls);
                events.clear();
                began = now;
            }
            events.push(*event);
        }
        events.push(Event::ThreadEnd);
        bytes.extend(chunk(thread, sequence, before, began, &events, ROOM));
    }
    bytes
}
