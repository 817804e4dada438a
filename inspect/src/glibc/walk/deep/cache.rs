//! A thread's cache (malloc/malloc.c: `tcache_perthread_struct`), which is a chunk in use like any other.

use crate::Memory;
use crate::glibc::Malloc;
use crate::memory::{word, words};

/// Sizes of one block each, from 32 bytes on.
const SMALL: usize = 64;
/// Lists from 2.42 on: these, and 12 of larger blocks.
const ALL: usize = 76;
/// More chunks than a list has: its count has 16 bits.
const MOST: usize = 1 << 16;
/// How often a cache is read again.
const MOST_RETRIES: u32 = 10;

/// How a release lays it out.
#[derive(Clone, Copy)]
enum Form {
    /// 2.26 to 2.29: a count of one byte for each list, then the lists.
    Bytes,
    /// 2.30 to 2.41: a count of two bytes each.
    Counts,
    /// From 2.42 on: how many more chunks each list may take.
    Left,
}

/// Whether a chunk has the size that a cache has in some release; a chunk can be a little larger than what was asked
/// for.
pub fn has_its_size(size: u64) -> bool {
    (0x250..=0x2d0).contains(&size) || (0x300..=0x340).contains(&size)
}

/// The sizes of the chunks that a cache holds; `None` where the chunk at `at` is no cache, or an empty one.
pub fn chunks(memory: &dyn Memory, malloc: &Malloc, at: u64) -> Option<Vec<u64>> {
    let content = at.checked_add(16)?;
    (0..MOST_RETRIES).find_map(|_| {
        let words = words(memory, content, 19 + ALL).ok()?;
        let forms = [Form::Counts, Form::Left, Form::Bytes];
        forms.iter().find_map(|form| read(memory, malloc, &words, *form)).filter(|sizes| !sizes.is_empty())
    })
}

fn read(memory: &dyn Memory, malloc: &Malloc, words: &[u64], form: Form) -> Option<Vec<u64>> {
    let most = malloc.settings.as_ref()?.tcache_count?;
    let (lists, first) = match form {
        Form::Bytes => (SMALL, 8),
        Form::Counts => (SMALL, 16),
        Form::Left => (ALL, 19),
    };
    let part =
        |bits: usize, number: usize| words[number * bits / 64] >> (number * bits % 64) & ((1 << bits) - 1);
    let length = |number: usize| match form {
        Form::Bytes => Some(part(8, number)),
        Form::Counts => Some(part(16, number)),
        Form::Left => most.checked_sub(part(16, number)),
    };
    let right =
        |number: usize| length(number).is_some_and(|length| (length == 0) == (words[first + number] == 0));
    if !(0..lists).all(right) {
        return None;
    }
    let mut sizes = Vec::new();
    for number in 0..lists {
        list(memory, words[first + number], number, length(number)?, &mut sizes)?;
    }
    Some(sizes)
}

/// Follows a list of blocks, each of which begins with the link to the next one.
fn list(memory: &dyn Memory, first: u64, number: usize, length: u64, sizes: &mut Vec<u64>) -> Option<()> {
    let mut at = first;
    for left in (0..length).rev() {
        let size = size_of(memory, at, number).filter(|_| sizes.len() < MOST)?;
        sizes.push(size);
        let link = word(memory, at).ok()?;
        // From 2.32 on links are mangled with their own address.
        let leads_on =
            |next: u64| if left == 0 { next == 0 } else { size_of(memory, next, number).is_some() };
        at = [link ^ (at >> 12), link].into_iter().find(|next| leads_on(*next))?;
    }
    (at == 0).then_some(())
}

/// The size of a block's chunk, if it is one that belongs into a list.
fn size_of(memory: &dyn Memory, block: u64, number: usize) -> Option<u64> {
    let size = word(memory, block.checked_sub(8)?).ok()? & !7;
    let small = 32 + 16 * number as u64;
    let right = if number < SMALL { size == small } else { (1056..=8 << 20).contains(&size) };
    (right && block.is_multiple_of(16)).then_some(size)
}
