//! Pages of files and of shared memory that a trial's processes have mapped, each counted once: by the file and the place in
//! it, as their page tables tell. That costs a tenth of reading the shares of all pages (`smaps_rollup`), which the kernel
//! works out page by page, and says nothing of anonymous memory.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::ops::Range;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;

use super::tally::Point;

/// An instant at which these pages were counted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mapped {
    /// A sample just before.
    pub before: Point,
    /// A sample just after.
    pub after: Point,
    /// Bytes. A page that other programs have mapped too counts in full.
    pub bytes: u64,
    /// Whether shared memory is in it.
    pub whole: bool,
}

impl Mapped {
    /// By how much it may be wrong, as it was not read at one instant.
    pub fn moved(&self) -> u64 {
        let [_, file, shmem] = self.after.moved_since(&self.before);
        file + if self.whole { shmem } else { 0 }
    }
}

/// The most that is read of one process's list of mappings.
const MOST_MAPS: u64 = 8 << 20;
/// Regions taken from the kernel at once.
const REGIONS: usize = 1024;
/// Page-table entries read at once, where the kernel has no scan.
const ENTRIES: usize = 8192;
/// The most entries that are read of one process in that way: mappings may be huge and empty.
const MOST_ENTRIES: u64 = 4 << 20;

/// Memory without a file that lies between mappings of files is walked over, if it is no larger than this, bytes.
const GAP: u64 = 256 << 10;
/// What the paths of shared memory begin with: anonymous and shared, System V's, POSIX's, and what `memfd_create` makes.
const SEGMENTS: [&[u8]; 4] = [b"/dev/zero", b"/SYSV", b"/dev/shm/", b"/memfd:"];

/// A file that is mapped: its device and inode, as `maps` writes them.
type Identity = (u64, u64);

/// A mapping of a file or of shared memory.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Mapping {
    addresses: Range<u64>,
    offset: u64,
    identity: Identity,
    /// Whether it is shared memory by its name.
    is_segment: bool,
}

/// Pages of files by their place in them, bytes.
#[derive(Default)]
struct Pages(BTreeMap<Identity, Vec<Range<u64>>>);

impl Pages {
    /// Adds what is resident of a mapping.
    fn add(&mut self, mapping: &Mapping, resident: &Range<u64>) {
        let start = resident.start.max(mapping.addresses.start);
        let end = resident.end.min(mapping.addresses.end);
        if start < end {
            let place = |address: u64| (address - mapping.addresses.start).saturating_add(mapping.offset);
            self.0.entry(mapping.identity).or_default().push(place(start)..place(end));
        }
    }

    /// Bytes, each place once.
    fn total(self) -> u64 {
        self.0.into_values().map(once).sum()
    }
}

/// The length of all ranges, what they have in common counted once.
fn once(mut ranges: Vec<Range<u64>>) -> u64 {
    ranges.sort_unstable_by_key(|range| range.start);
    let (mut total, mut until) = (0, 0);
    for range in ranges {
        total += range.end.saturating_sub(range.start.max(until));
        until = until.max(range.end);
    }
    total
}

/// The bytes that these processes have mapped of files and, if they are `wanted`, of segments of shared memory, and whether
/// nothing was left out; `None` where one of them cannot be read. A process that has ended meanwhile has nothing mapped.
pub fn bytes(pids: impl IntoIterator<Item = i32>, wanted: bool) -> Option<(u64, bool)> {
    let (mut pages, mut whole) = (Pages::default(), true);
    for pid in pids {
        let Ok(maps) = File::open(format!("/proc/{pid}/maps")) else { continue };
        let mut text = Vec::new();
        if maps.take(MOST_MAPS).read_to_end(&mut text).is_err() {
            continue;
        }
        if text.len() as u64 == MOST_MAPS {
            return None;
        }
        let all = mappings(&text);
        whole &= wanted || !all.iter().any(|mapping| mapping.is_segment);
        let Ok(pagemap) = File::open(format!("/proc/{pid}/pagemap")) else { return None };
        for run in runs(&all, wanted) {
            scan(&pagemap, run, &mut pages).or_else(|| read(&pagemap, run, &mut pages))?;
        }
    }
    Some((pages.total(), whole))
}

/// Mappings that lie close to each other, without segments where these are not wanted.
fn runs(all: &[Mapping], wanted: bool) -> impl Iterator<Item = &[Mapping]> {
    let close = |one: &Mapping, next: &Mapping| {
        one.is_segment == next.is_segment && next.addresses.start.saturating_sub(one.addresses.end) < GAP
    };
    all.chunk_by(close).filter(move |run| wanted || !run.iter().any(|mapping| mapping.is_segment))
}

/// The mappings of files and of shared memory in a text of `/proc/PID/maps`, by address.
fn mappings(text: &[u8]) -> Vec<Mapping> {
    text.split(|byte| *byte == b'\n').filter_map(mapping).collect()
}

/// `start-end perms offset dev inode path`; `None` for what has no inode.
fn mapping(line: &[u8]) -> Option<Mapping> {
    let mut fields = line.splitn(6, |byte| *byte == b' ');
    let mut field = || fields.next().and_then(|field| std::str::from_utf8(field).ok());
    let hex = |text: &str| u64::from_str_radix(text, 16).ok();
    let (addresses, _, offset, device, inode) = (field()?, field()?, field()?, field()?, field()?);
    let (start, end) = addresses.split_once('-')?;
    let (major, minor) = device.split_once(':')?;
    let inode: u64 = inode.parse().ok()?;
    let addresses = hex(start)?..hex(end)?;
    let identity = (hex(major)? << 32 | hex(minor)?, inode);
    let path = fields.next().unwrap_or_default().trim_ascii_start();
    let is_segment = SEGMENTS.iter().any(|name| path.starts_with(name));
    (inode != 0).then_some(Mapping { addresses, offset: hex(offset)?, identity, is_segment })
}

/// `struct page_region`.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Region {
    start: u64,
    end: u64,
    categories: u64,
}

/// `struct pm_scan_arg`.
#[repr(C)]
#[derive(Default)]
struct Scan {
    size: u64,
    flags: u64,
    start: u64,
    end: u64,
    walk_end: u64,
    vec: u64,
    vec_len: u64,
    max_pages: u64,
    category_inverted: u64,
    category_mask: u64,
    category_anyof_mask: u64,
    return_mask: u64,
}

/// `PAGEMAP_SCAN`: `_IOWR('f', 16, struct pm_scan_arg)`.
const PAGEMAP_SCAN: u64 = 3 << 30 | (size_of::<Scan>() as u64) << 16 | (b'f' as u64) << 8 | 16;
/// `PAGE_IS_FILE` and `PAGE_IS_PRESENT`.
const FILE_AND_PRESENT: u64 = 1 << 2 | 1 << 3;

/// Has the kernel list what is resident (Linux 6.7 and later); `None` where it cannot.
fn scan(pagemap: &File, mappings: &[Mapping], pages: &mut Pages) -> Option<()> {
    let mut regions = vec![Region::default(); REGIONS];
    let mut at = mappings.first().map_or(0, |mapping| mapping.addresses.start);
    let end = mappings.last().map_or(0, |mapping| mapping.addresses.end);
    let mut next = mappings;
    while at < end {
        let mut scan = Scan {
            size: size_of::<Scan>() as u64,
            start: at,
            end,
            vec: regions.as_mut_ptr() as u64,
            vec_len: REGIONS as u64,
            category_mask: FILE_AND_PRESENT,
            return_mask: FILE_AND_PRESENT,
            ..Scan::default()
        };
        // SAFETY: the structure is the kernel's own, and the vector has as many regions as it says; both outlive the call.
        let count = unsafe { libc::ioctl(pagemap.as_raw_fd(), PAGEMAP_SCAN as _, &raw mut scan) };
        let found = regions.get(..usize::try_from(count).ok()?)?;
        for region in found {
            next = &next[next.partition_point(|mapping| mapping.addresses.end <= region.start)..];
            let resident = region.start..region.end;
            next.iter()
                .take_while(|mapping| mapping.addresses.start < resident.end)
                .for_each(|mapping| pages.add(mapping, &resident));
        }
        // A walk that makes no way would never end.
        at = (scan.walk_end > at).then_some(scan.walk_end)?;
    }
    Some(())
}

/// An entry's bits (Documentation/admin-guide/mm/pagemap.rst): resident, and of a file or of shared memory.
const RESIDENT_FILE: u64 = 1 << 63 | 1 << 61;

/// Reads the page table's entries one by one.
fn read(pagemap: &File, mappings: &[Mapping], pages: &mut Pages) -> Option<()> {
    let page = procfs::page_size();
    let mut entries = vec![0u8; ENTRIES * 8];
    let mut left = MOST_ENTRIES;
    for mapping in mappings {
        let mut at = mapping.addresses.start;
        while at < mapping.addresses.end {
            let wanted = ((mapping.addresses.end - at) / page).min(ENTRIES as u64);
            left = left.checked_sub(wanted)?;
            let room = entries.get_mut(..wanted as usize * 8)?;
            let got = pagemap.read_at(room, at / page * 8).ok()? / 8;
            if got == 0 {
                break;
            }
            for (index, entry) in room.chunks_exact(8).take(got).enumerate() {
                let bits = u64::from_ne_bytes(entry.try_into().ok()?);
                if bits & RESIDENT_FILE == RESIDENT_FILE {
                    let from = at + index as u64 * page;
                    pages.add(mapping, &(from..from + page));
                }
            }
            at += got as u64 * page;
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trial::readings;

    fn own(pid: i32) -> u64 {
        let status = readings::status(pid).unwrap();
        status.file.unwrap() + status.shmem.unwrap()
    }

    #[test]
    fn what_one_process_has_mapped_is_what_the_kernel_counts_of_it() {
        let pid = std::process::id().cast_signed();
        let close = |one: u64, other: u64| one.abs_diff(other) <= one / 50 + (64 << 10);
        let (all, whole) = bytes([pid], true).unwrap();
        assert!(whole);
        // A file that is mapped twice is there once, and counted for both by the kernel: there is none here of any size.
        assert!(close(all, own(pid)), "{all} for {}", own(pid));
        let text = std::fs::read(format!("/proc/{pid}/maps")).unwrap();
        let pagemap = File::open(format!("/proc/{pid}/pagemap")).unwrap();
        let mut one_by_one = Pages::default();
        read(&pagemap, &mappings(&text), &mut one_by_one).unwrap();
        assert!(close(all, one_by_one.total()), "both ways to read it tell the same");
    }

    #[test]
    fn pages_that_two_processes_share_count_once() {
        let mut programs: Vec<_> =
            (0..2).map(|_| std::process::Command::new("sleep").arg("60").spawn().unwrap()).collect();
        let pids: Vec<i32> = programs.iter().map(|program| program.id().cast_signed()).collect();
        // Once both sleep they map the same files, and nearly the same pages of them.
        let asleep = |pid: &i32| {
            let runs = std::fs::read_link(format!("/proc/{pid}/exe"));
            std::fs::read_to_string(format!("/proc/{pid}/syscall")).is_ok_and(|text| text.contains("0x"))
                && runs.is_ok_and(|exe| exe.ends_with("sleep") || exe.ends_with("coreutils"))
        };
        while !pids.iter().all(asleep) {
            std::thread::yield_now();
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
        let of = |pids: &[i32]| bytes(pids.iter().copied(), false).unwrap().0;
        let (one, both) = (of(&pids[..1]), of(&pids));
        assert!(one > 0 && both >= one && both < one + one / 4, "{one}, {both}");
        assert_eq!(bytes([i32::MAX], true), Some((0, true)), "who is gone has nothing");
        for program in &mut programs {
            program.kill().unwrap();
            program.wait().unwrap();
        }
    }

    #[test]
    fn shared_memory_is_left_out_where_it_is_not_wanted() {
        let size = 8 << 20;
        // SAFETY: a new mapping of its own, written to within its length, and unmapped by nobody else.
        let segment = unsafe {
            let flags = libc::MAP_SHARED | libc::MAP_ANONYMOUS | libc::MAP_POPULATE;
            libc::mmap(std::ptr::null_mut(), size, libc::PROT_READ | libc::PROT_WRITE, flags, -1, 0)
        };
        assert_ne!(segment, libc::MAP_FAILED);
        let pid = std::process::id().cast_signed();
        let ((all, _), (files, whole)) = (bytes([pid], true).unwrap(), bytes([pid], false).unwrap());
        // SAFETY: as above.
        unsafe { libc::munmap(segment, size) };
        assert!(!whole && (all - files).abs_diff(size as u64) <= 64 << 10, "{all} and {files}");
    }

    #[test]
    fn only_mappings_with_an_inode_count_and_damaged_lines_do_not() {
        let text = b"7f0-7f8 r-xp 00002000 fd:01 123   /usr/lib/x y\n8-9 rw-p 00000000 00:00 0 [heap]\nzz-9 r 0 0:0 1\n";
        let found = mappings(text);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].addresses.clone(), found[0].offset), (0x7f0..0x7f8, 0x2000));
        assert_eq!(found[0].identity, (0xfd << 32 | 1, 123));
        assert!(!found[0].is_segment && mappings(b"1-2 rw-s 0 0:1 9 /dev/zero (deleted)\n")[0].is_segment);
    }

    #[test]
    fn ranges_count_once_however_they_lie() {
        assert_eq!(once(vec![0..10, 20..30, 5..22, 5..6]), 30);
        assert_eq!(once(vec![]), 0);
    }
}
