//! A million inputs that no recorder wrote: none makes the reader panic, run on, or take much memory. The same
//! ones each time. `ARENALAB_FUZZ_INPUTS` asks for another number, `ARENALAB_FUZZ_SEED` for others.

mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use arenalab_trace::event::Event;
use arenalab_trace::read::{Events, TraceFile, compress, summarize};
use common::Draw;

/// Notes the largest request.
struct Watched;

static LARGEST: AtomicUsize = AtomicUsize::new(0);

// SAFETY: everything is the system's, which keeps the contract.
unsafe impl GlobalAlloc for Watched {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LARGEST.fetch_max(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Watched = Watched;

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

fn mutate(bytes: &mut Vec<u8>, draw: &mut Draw) {
    for _ in 0..=draw.below(4) {
        let length = bytes.len() as u64;
        if length == 0 {
            bytes.push(draw.next() as u8);
            continue;
        }
        let at = draw.below(length) as usize;
        match draw.below(6) {
            0 => bytes[at] ^= 1 << draw.below(8),
            1 => bytes[at] = draw.next() as u8,
            2 => bytes.truncate(at),
            3 => bytes[at] = [0, 0xff, 0x80, 1][draw.below(4) as usize],
            4 => bytes.insert(at, draw.next() as u8),
            _ => {
                let word = [u64::MAX, 0, 1 << 63, draw.next()][draw.below(4) as usize].to_le_bytes();
                for (place, byte) in bytes[at..].iter_mut().zip(word) {
                    *place = byte;
                }
            }
        }
    }
}

/// The events of a chunk, which most of a file is.
#[test]
fn events_of_a_million_mutated_chunks_are_read_or_refused() {
    let mut draw = Draw(number("ARENALAB_FUZZ_SEED", 0x9e37_79b9));
    let seeds: Vec<Vec<u8>> = (1..30)
        .map(|seed| {
            let mut events: Vec<Event> =
                common::history(1, 40, seed * 104_729).into_iter().map(|(_, event)| event).collect();
            events.push(Event::Malloc { pointer: seed * 0x0123_4567_89ab_cdef, size: u64::MAX >> 8 });
            events.push(Event::Aligned { pointer: 3, size: 5, log2: 12 });
            events.push(Event::Stamp { at: seed << 30 });
            common::encode(&events, 0)
        })
        .collect();
    let (mut whole, mut refused) = (0u64, 0u64);
    for _ in 0..number("ARENALAB_FUZZ_INPUTS", 1_000_000) {
        let mut bytes = seeds[draw.below(seeds.len() as u64) as usize].clone();
        mutate(&mut bytes, &mut draw);
        let (mut events, mut ended) = (Events::new(&bytes, draw.next()), false);
        for event in events.by_ref() {
            assert!(!ended, "nothing follows what cannot be read");
            ended = event.is_err();
        }
        assert!(events.position() <= bytes.len());
        if ended { refused += 1 } else { whole += 1 }
    }
    assert!(whole > 0 && refused > 0, "{whole} whole, {refused} refused: the mutations are of one kind");
}

#[test]
fn mutated_files_are_read_or_refused_within_bounds() {
    let directory = tempfile::tempdir().unwrap();
    let mut draw = Draw(number("ARENALAB_FUZZ_SEED", 77));
    let mut seeds: Vec<Vec<u8>> =
        (1..6).map(|seed| common::file(&common::history(3, 200, seed * 31), 3)).collect();
    // One with windows that are used again, of which one is being moved to the end.
    let mut windows = common::page();
    let events = [Event::Malloc { pointer: 0x1000, size: 9 }, Event::Close];
    for (number, (moved, target)) in [(0, 0), (1, 0), (0, 4096 * 4)].into_iter().enumerate() {
        windows.extend(common::window(4096, moved, target));
        windows.extend(common::chunk(number as u32, 0, 0, 60, &events, 4096 - 64));
    }
    windows.extend(common::chunk(3, 0, 0, 60, &events, 4096));
    seeds.push(windows);
    let (plain, packed) = (directory.path().join("a.trace"), directory.path().join("b.trace"));
    for seed in 0..2 {
        std::fs::write(&plain, &seeds[seed]).unwrap();
        compress(&TraceFile::open(&plain).unwrap(), &packed, 1).unwrap();
        seeds.push(std::fs::read(&packed).unwrap());
        std::fs::remove_file(&packed).unwrap();
    }
    let mut damaged = 0;
    for _ in 0..number("ARENALAB_FUZZ_INPUTS", 1_000_000) / 500 {
        let mut bytes = seeds[draw.below(seeds.len() as u64) as usize].clone();
        // Headers are few bytes of many.
        let grain = if bytes.len() < (32 << 10) { 4096 } else { 16 << 10 };
        let begin = (draw.below(4) as usize * grain + 4096) % bytes.len();
        let mut part = bytes[begin..].to_vec();
        part.truncate(192);
        let length = part.len();
        mutate(&mut part, &mut draw);
        bytes.splice(begin..begin + length, part);
        mutate(&mut bytes, &mut draw);
        std::fs::write(&plain, &bytes).unwrap();
        let Ok(file) = TraceFile::open(&plain) else { continue };
        damaged += u32::from(!file.check().unwrap().is_empty());
        summarize(&file).unwrap();
    }
    assert!(damaged > 0);
    let largest = LARGEST.load(Ordering::Relaxed);
    assert!(largest <= 32 << 20, "a request of {largest} bytes");
}
