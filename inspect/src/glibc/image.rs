//! The places where the main arena can be: what a file's writable data became in memory.

use crate::Memory;
use crate::regions::Region;

/// Bytes read of one mapping. The arena lies in the C library's data of some 8 kB, or in a static program's own.
const MOST_OF_ONE: u64 = 16 << 20;
/// Bytes read of all mappings together.
const MOST_OF_ALL: u64 = 64 << 20;
const PAGE: usize = 4096;

/// A copy of a mapping.
pub struct Image<'a> {
    pub region: &'a Region,
    words: Vec<u64>,
}

impl<'a> Image<'a> {
    /// Copies a mapping; pages that cannot be read are left zero, and `None` is where no page can.
    pub fn of(memory: &dyn Memory, region: &'a Region) -> Option<Self> {
        let length = region.len().min(MOST_OF_ONE) as usize / 8 * 8;
        let mut bytes = vec![0; length];
        if memory.read(region.start, &mut bytes).is_err() {
            let pages = bytes.chunks_mut(PAGE).zip((region.start..).step_by(PAGE));
            // A file that became shorter has pages at its end that nobody can read.
            let read = pages.fold(0, |count, (page, at)| match memory.read(at, page) {
                Ok(()) => count + 1,
                Err(_) => count,
            });
            if read == 0 {
                return None;
            }
        }
        let words = bytes.as_chunks().0.iter().map(|eight| u64::from_le_bytes(*eight)).collect();
        Some(Self { region, words })
    }

    /// The words with their addresses.
    pub fn words(&self) -> impl Iterator<Item = (u64, u64)> {
        (self.region.start..).step_by(8).zip(self.words.iter().copied())
    }

    /// `count` words from an address; `None` where they are not all in it.
    pub fn at(&self, address: u64, count: usize) -> Option<&[u64]> {
        let first = usize::try_from(address.checked_sub(self.region.start)?).ok()? / 8;
        self.words.get(first..first.checked_add(count)?)
    }
}

/// Where to look: private writable mappings of files, and what lies right behind such a mapping without a file
/// (`.bss`). First the likely ones: those named like a C library, and those of the program itself. The names order
/// the search; they decide nothing.
pub fn places(regions: &[Region]) -> (Vec<Region>, Vec<Region>) {
    let of_file = |region: &&Region| region.private_and_writable() && region.has_file();
    // The program itself is mapped below its libraries.
    let program = regions.iter().find(|region| region.has_file()).map(|region| region.inode);
    let is_likely = |region: &Region| is_named_like_libc(&region.name) || Some(region.inode) == program;
    let files = regions.iter().filter(of_file).cloned();
    let (mut likely, mut others): (Vec<Region>, Vec<Region>) = files.partition(is_likely);
    let behind = regions.windows(2).filter(|pair| {
        let [file, bss] = pair else { return false };
        of_file(&file) && file.end == bss.start && bss.private_and_writable() && !bss.has_file()
    });
    others.extend(behind.map(|pair| pair[1].clone()));
    let mut left = MOST_OF_ALL;
    let mut fits = |region: &Region| {
        let rest = left.checked_sub(region.len().min(MOST_OF_ONE));
        left = rest.unwrap_or(left);
        rest.is_some()
    };
    likely.retain(&mut fits);
    others.retain(&mut fits);
    (likely, others)
}

/// `libc.so.6`, `libc-2.31.so`, with or without ` (deleted)` behind it.
fn is_named_like_libc(path: &str) -> bool {
    let file = path.rsplit('/').next().unwrap_or(path);
    file.starts_with("libc.so") || file.starts_with("libc-2")
}

/// Whether the program is one of 32 bits, by the ELF header at the start of its first file.
pub fn is_32_bits(memory: &dyn Memory, regions: &[Region]) -> bool {
    let headers = regions.iter().filter(|region| region.read && region.has_file() && region.offset == 0);
    let mut header = [0; 5];
    let elf = headers.take(16).find_map(|region| {
        memory.read(region.start, &mut header).ok()?;
        header.strip_prefix(b"\x7fELF").map(|class| class[0])
    });
    elf == Some(1)
}
