//! The lists of free chunks that every arena has: 127 pairs of pointers, each to itself where its list is empty.

use super::image::Image;
use crate::Memory;
use crate::memory::{word, words};
use crate::regions::{self, Region};

/// The lists of an arena.
pub const COUNT: usize = 127;
/// From an arena's first bin to its `next`, which links the ring of arenas.
pub const TO_NEXT: u64 = 2048;
/// From an arena's start to its bins, by release: see [`super::Layout::bins`].
pub const FROM_START: [u64; 3] = [24, 104, 112];
/// Sizes of `heap_info`.
pub const HEAP_INFOS: [u64; 2] = [0x20, 0x30];
/// Lists that may look wrong: a busy program changes them, and a heap can be newer than the list of mappings.
const MOST_BAD: usize = 32;
/// How often one list is read again.
const MOST_RETRIES: u32 = 30;

/// The places in an image that look like the bins of the main arena; the ring decides between them.
pub fn candidates(image: &Image, regions: &[Region]) -> Vec<u64> {
    let ends_an_arena = |(at, next): (u64, u64)| {
        let bins = at.checked_sub(TO_NEXT)?;
        let alone = FROM_START.iter().any(|from| next == bins.wrapping_sub(*from));
        let in_heap = HEAP_INFOS.contains(&(next % 4096)) && is_writable(regions, next);
        let looks = (alone || in_heap) && (look_right(image, regions, bins) || are_untouched(image, bins));
        looks.then_some(bins)
    };
    image.words().filter_map(ends_an_arena).collect()
}

fn is_writable(regions: &[Region], at: u64) -> bool {
    regions::at(regions, at).is_some_and(Region::private_and_writable)
}

/// Whether all but a few lists are empty or point at where a chunk can be.
fn look_right(image: &Image, regions: &[Region], bins: u64) -> bool {
    let Some(words) = image.at(bins, COUNT * 2) else { return false };
    let links_right =
        |link: u64, head: u64| link == head || link.is_multiple_of(16) && is_writable(regions, link);
    let pairs = words.as_chunks::<2>().0.iter().zip((bins.wrapping_sub(16)..).step_by(16));
    let bad = pairs.filter(|(pair, head)| !pair.iter().all(|link| links_right(*link, *head)));
    bad.take(MOST_BAD + 1).count() <= MOST_BAD
}

/// Whether the bins are as the file has them: malloc was never called.
pub fn are_untouched(image: &Image, bins: u64) -> bool {
    let alone = |words: &[u64]| FROM_START.iter().any(|from| words[0] == bins.wrapping_sub(*from));
    // next, next_free, attached_threads (from 2.23 on), system_mem.
    let end = bins.checked_add(TO_NEXT).and_then(|next| image.at(next, 4));
    let end_right = end.is_some_and(|words| alone(words) && words[1] == 0 && words[2] <= 1 && words[3] == 0);
    end_right && image.at(bins, COUNT * 2).is_some_and(|words| words.iter().all(|word| *word == 0))
}

/// Checks in memory that the first chunk of each list points back at it, and returns how often a list had to be read
/// again; `None` where too many never did.
pub fn links(memory: &dyn Memory, bins: u64) -> Option<u32> {
    let mut retries = 0;
    let mut bad = 0;
    for head in (bins.checked_sub(16)?..).step_by(16).take(COUNT) {
        let mut tries = 0;
        while !points_back(memory, head) {
            tries += 1;
            if tries > MOST_RETRIES {
                bad += 1;
                break;
            }
        }
        retries += tries;
        if bad > MOST_BAD {
            return None;
        }
    }
    Some(retries)
}

/// Whether the list at `head` is empty, or its first chunk's `bk` is `head`.
fn points_back(memory: &dyn Memory, head: u64) -> bool {
    let Some(pair) = head.checked_add(16).and_then(|at| words(memory, at, 2).ok()) else { return false };
    let (fd, bk) = (pair[0], pair[1]);
    let back = || fd.checked_add(24).is_some_and(|at| word(memory, at) == Ok(head));
    if fd == head { bk == head } else { fd.is_multiple_of(16) && back() }
}
