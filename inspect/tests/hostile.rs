//! Memory that lies: images of a real process with words in them changed. Nothing may panic, turn for ever, or read
//! without bound.

mod common;

use std::process::Command;

use arenalab_inspect::Live;
use arenalab_inspect::glibc::{self, How};
use common::image::Image;
use common::{Waiting, compile};

/// How many images are made, the same ones each time, unless `IMAGES` in the environment asks for more.
const IMAGES: u64 = 10_000;
/// A sequence of numbers that is the same each time (xorshift64*).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }
}

/// A word that a pointer, a size or a count could be mistaken for.
fn word(numbers: &mut Numbers, image: &Image, old: u64) -> u64 {
    let region = &image.regions[numbers.below(image.regions.len())];
    match numbers.below(9) {
        0 => 0,
        1 => u64::MAX - numbers.next() % 64,
        2 => numbers.next(),
        3 => region.start + numbers.next() % region.len() / 16 * 16,
        4 => old.wrapping_add(16),
        5 => old.wrapping_sub(16),
        6 => old ^ (1 << (numbers.next() % 64)),
        7 => numbers.next() % 4096,
        _ => i64::MAX as u64 - numbers.next() % 4096,
    }
}

#[test]
fn changed_memory_never_panics_and_never_costs_much() {
    let dir = tempfile::tempdir().unwrap();
    let program = compile("heap", dir.path(), &[]);
    let truth = Waiting::start(Command::new(&program).args(["3", "150"]));
    let live = Live::open(truth.pid()).unwrap();
    let image = Image::of(&live);
    let found = glibc::find(&image, &image.regions).expect("the image is whole");
    let index = |at: u64| image.regions.iter().position(|region| region.contains(at)).unwrap();
    // Most changes go where the structures are.
    let place = index(found.main);
    let arenas: Vec<(usize, usize)> = found
        .arenas
        .iter()
        .map(|arena| {
            let region = index(arena.address);
            (region, (arena.address - image.regions[region].start) as usize)
        })
        .collect();
    let mut numbers = Numbers(0x9E37_79B9_7F4A_7C15);
    let asked = std::env::var("IMAGES").ok().map(|images| images.parse().expect("IMAGES is a number"));
    let images: u64 = asked.unwrap_or(IMAGES);
    let (mut still_found, mut most_reads) = (0, 0);
    for _ in 0..images {
        let mut changed = Vec::new();
        for _ in 0..=numbers.below(12) {
            let (region, at) = match numbers.below(4) {
                0 => (place, numbers.below(image.regions[place].len() as usize / 8) * 8),
                1 | 2 => {
                    let (region, start) = arenas[numbers.below(arenas.len())];
                    (region, (start + numbers.below(275) * 8).saturating_sub(48))
                }
                _ => {
                    let region = numbers.below(image.regions.len());
                    (region, numbers.below((image.regions[region].len() as usize / 8).min(20_000)) * 8)
                }
            };
            let new = word(&mut numbers, &image, 0);
            changed.push((region, at, image.put(region, at, new)));
        }
        image.reads.set(0);

        if let Ok(malloc) = glibc::find(&image, &image.regions) {
            still_found += 1;
            let walk = malloc.walk(&image, &image.regions, &image, How::DEEP);
            let _ = malloc.mapped(&image, &image.regions, &image, &walk);
        }
        most_reads = most_reads.max(image.reads.get());
        for (region, at, old) in changed.into_iter().rev() {
            image.put(region, at, old);
        }
    }
    println!("{images} images, {still_found} with a malloc, at most {most_reads} reads for one");
    assert!(still_found > images / 4, "{still_found}");
    let again = glibc::find(&image, &image.regions).unwrap();
    assert_eq!(again, found, "all was put back");
}
