//! What the kernel says of one process: `smaps_rollup` and the high-water mark in `status`.

use std::fs::File;
use std::os::unix::fs::FileExt;

/// Bytes of one process, or summed over several.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// Resident; shared pages count in full.
    pub rss: u64,
    /// Resident; a page of n processes counts as one n-th.
    pub pss: u64,
    /// The part of `pss` that is pages of files.
    pub pss_file: u64,
    /// Huge pages of hugetlbfs, which are in neither.
    pub hugetlb: u64,
    /// Swapped out, shared pages by their share.
    pub swap: u64,
}

impl Memory {
    /// Adds another process's.
    pub fn add(&mut self, other: &Self) {
        self.rss += other.rss;
        self.pss += other.pss;
        self.pss_file += other.pss_file;
        self.hugetlb += other.hugetlb;
        self.swap += other.swap;
    }
}

/// Reads a file of procfs from its start into `buffer`; `None` where the process is gone.
fn read<'a>(file: &File, buffer: &'a mut [u8]) -> Option<&'a [u8]> {
    let got = file.read_at(buffer, 0).ok()?;
    (got > 0).then(|| &buffer[..got])
}

/// The KiB after `Name:` of a line, in bytes.
fn value(line: &[u8]) -> u64 {
    let digits = line.iter().filter(|byte| byte.is_ascii_digit());
    digits.fold(0u64, |value, digit| value * 10 + u64::from(digit - b'0')) * 1024
}

/// The memory, and a fingerprint of the whole text: between `vfork` and exec a child has its parent's memory, and says
/// the same in every letter.
pub fn memory(file: &File) -> Option<(Memory, u64)> {
    let mut buffer = [0u8; 2048];
    let text = read(file, &mut buffer)?;
    let mut found = Memory::default();
    for line in text.split(|byte| *byte == b'\n') {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
        let figure = match &line[..colon] {
            b"Rss" => &mut found.rss,
            b"Pss" => &mut found.pss,
            b"Pss_File" => &mut found.pss_file,
            b"Private_Hugetlb" => &mut found.hugetlb,
            b"SwapPss" => &mut found.swap,
            _ => continue,
        };
        *figure = value(&line[colon + 1..]);
    }
    let print = text.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    (found.rss > 0).then_some((found, print))
}

/// `VmHWM`, bytes.
pub fn high_water(status: &File) -> Option<u64> {
    let mut buffer = [0u8; 4096];
    let text = read(status, &mut buffer)?;
    let line = text.split(|byte| *byte == b'\n').find(|line| line.starts_with(b"VmHWM:"))?;
    Some(value(&line[6..]))
}
