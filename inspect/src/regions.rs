//! A process's mappings, as `/proc/PID/maps` lists them (`proc_pid_maps(5)`).

/// More mappings than are ever read from one list.
const MOST: usize = 1 << 20;

/// A mapping.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "the kernel's four letters")]
pub struct Region {
    /// The address of its first byte.
    pub start: u64,
    /// The address after its last byte.
    pub end: u64,
    /// Whether it may be read.
    pub read: bool,
    /// Whether it may be written.
    pub write: bool,
    /// Whether it may be executed.
    pub exec: bool,
    /// Whether writes are seen by others that map it.
    pub shared: bool,
    /// Where it begins in its file, in bytes.
    pub offset: u64,
    /// Its file's inode; 0 where it has no file.
    pub inode: u64,
    /// Its file's path, or a name such as `[heap]`; empty where it has none. White space at its end is lost; a line
    /// break reads as `\012`, as in the list.
    pub name: String,
}

impl Region {
    /// Its length in bytes.
    pub fn len(&self) -> u64 {
        self.end.saturating_sub(self.start)
    }

    /// Whether it has no bytes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether an address lies in it.
    pub fn contains(&self, at: u64) -> bool {
        (self.start..self.end).contains(&at)
    }

    /// Whether it belongs to a file.
    pub fn has_file(&self) -> bool {
        self.inode != 0
    }

    /// Whether the process writes to it for itself alone.
    pub fn private_and_writable(&self) -> bool {
        self.read && self.write && !self.shared
    }
}

/// Reads a list of mappings; lines that are none, or out of order, are left out, and so is all after a million.
///
/// ```
/// let list = "7f00a000-7f00c000 rw-p 001d0000 fe:01 1234  /lib/libc.so.6\n";
/// let regions = arenalab_inspect::regions::parse(list);
/// assert_eq!((regions[0].start, regions[0].inode), (0x7f00_a000, 1234));
/// assert_eq!(regions[0].name, "/lib/libc.so.6");
/// ```
pub fn parse(maps: &str) -> Vec<Region> {
    let mut regions: Vec<Region> = Vec::new();
    for region in maps.lines().filter_map(line) {
        // The kernel lists them by address; what overlaps was read across a change.
        if regions.last().is_none_or(|last| last.end <= region.start) {
            regions.push(region);
        }
        if regions.len() == MOST {
            break;
        }
    }
    regions
}

pub(crate) fn line(line: &str) -> Option<Region> {
    let (range, rest) = next(line)?;
    let (access, rest) = next(rest)?;
    let (offset, rest) = next(rest)?;
    let (_device, rest) = next(rest)?;
    let (inode, rest) = next(rest)?;
    let (start, end) = range.split_once('-')?;
    let &[read, write, exec, shared] = access.as_bytes() else { return None };
    let (start, end) = (hexadecimal(start)?, hexadecimal(end)?);
    (start < end).then(|| Region {
        start,
        end,
        read: read == b'r',
        write: write == b'w',
        exec: exec == b'x',
        shared: shared == b's',
        offset: hexadecimal(offset).unwrap_or(0),
        inode: inode.parse().unwrap_or(0),
        name: rest.trim().to_owned(),
    })
}

/// The next word of a line, and what follows it.
fn next(text: &str) -> Option<(&str, &str)> {
    let text = text.trim_start_matches(' ');
    let end = text.find(' ').unwrap_or(text.len());
    (end > 0).then(|| text.split_at(end))
}

fn hexadecimal(text: &str) -> Option<u64> {
    // `from_str_radix` takes a sign, which no address has.
    text.bytes().all(|byte| byte.is_ascii_hexdigit()).then(|| u64::from_str_radix(text, 16).ok())?
}

/// The region that an address lies in; `regions` are in the order of their addresses.
pub fn at(regions: &[Region], address: u64) -> Option<&Region> {
    let after = regions.partition_point(|region| region.start <= address);
    regions[..after].last().filter(|region| region.contains(address))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mappings_are_read_and_what_is_none_is_left_out() {
        let text = "\
55d0-55e0 r--p 00000000 fe:01 77                         /bin/a name with blanks (deleted)
not a mapping
55e0-55d0 rw-p 00000000 00:00 0
5600-5700 rw-s 00000010 00:05 9   /dev/zero
5680-5800 rw-p 00000000 00:00 0   [heap]
+900-a000 rw-p 00000000 00:00 0
6000-7000 rw-p 0 00:00 0
7000-ffffffffffffffffff rw-p 0 00:00 0
ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]";
        let regions = parse(text);
        let starts: Vec<u64> = regions.iter().map(|region| region.start).collect();
        assert_eq!(starts, [0x55d0, 0x5600, 0x6000, 0xffff_ffff_ff60_0000]);
        assert_eq!(regions[0].name, "/bin/a name with blanks (deleted)");
        assert_eq!((regions[1].shared, regions[1].offset, regions[1].inode), (true, 16, 9));
        assert!(regions[2].private_and_writable() && !regions[2].has_file() && regions[2].name.is_empty());
        assert_eq!(at(&regions, 0x5650).unwrap().start, 0x5600);
        assert_eq!(at(&regions, 0x5700), None);
        assert_eq!(at(&regions, 0), None);
        assert!(parse("").is_empty());
    }
}
