//! What start-up and conversation leave resident of the program itself, given back before anything is measured.
//!
//! To read a command line or a model, to set up, to answer the harness: each brings in program text, of this program and of
//! its libraries, that the work does not need. It is some megabytes, which would stand in RSS as if the allocator held them: in
//! workloads that hold little, most of it. The kernel drops such pages when told to, and maps them again, from its
//! own cache, when they are needed after all.

use std::collections::HashSet;
use std::fs;
use std::ops::Range;

use rustix::mm::Advice;

/// The parts of the program and its libraries that can be had again from their files.
///
/// A page may be dropped only if its file has the same bytes. Three things together show it: the mapping may not be
/// written to, so nothing is written from now on; the kernel counts no page of it as anonymous, dirty or swapped out, so
/// nothing was written before (relocations, breakpoints of a debugger); and it is still the very mapping that was seen,
/// for what a library that was unloaded leaves behind can be anybody's memory by now. The last is looked up each time.
#[derive(Debug, Default, PartialEq)]
pub struct Footprint(Vec<Part>);

/// A mapping of a file that may not be written to.
#[derive(Debug, PartialEq)]
struct Part {
    range: Range<usize>,
    /// Its line in `maps`: addresses, rights, offset, device, inode and path.
    line: String,
}

impl Footprint {
    /// That of this process. Empty where the system does not tell: then everything stays resident.
    pub fn read() -> Self {
        fs::read_to_string("/proc/self/smaps").map(|smaps| Self::from_smaps(&smaps)).unwrap_or_default()
    }

    /// Those mappings of files of which nothing has been written.
    fn from_smaps(smaps: &str) -> Self {
        let (mut clean, mut current) = (Vec::new(), Block::default());
        for line in smaps.lines() {
            if let Some(range) = addresses(line) {
                clean.extend(std::mem::replace(&mut current, Block::begin(range, line)).clean());
            } else {
                current.field(line);
            }
        }
        clean.extend(current.clean());
        Self(clean)
    }

    /// Gives it back, as far as it is still there. Where the system refuses, or does not tell, it stays.
    pub fn shed(&self) {
        let maps = fs::read_to_string("/proc/self/maps").unwrap_or_default();
        for part in self.still_in(&maps) {
            let start = std::ptr::without_provenance_mut(part.start);
            // SAFETY: these pages are those of a file, were seen not to have been written to, and cannot be; and they are
            // mapped now, as other threads neither load nor unload libraries. So nothing is lost when they are dropped:
            // the next access, also by this very function, maps them again.
            let _ = unsafe { rustix::mm::madvise(start, part.len(), Advice::LinuxDontNeed) };
        }
    }

    /// The ranges whose line is in `maps` as it was: same addresses, rights, offset and file.
    fn still_in(&self, maps: &str) -> impl Iterator<Item = Range<usize>> {
        let now: HashSet<&str> = maps.lines().collect();
        self.0.iter().filter(move |part| now.contains(part.line.as_str())).map(|part| part.range.clone())
    }
}

/// What `smaps` tells of one mapping, up to the next one.
#[derive(Default)]
struct Block {
    part: Option<Part>,
    /// Whether it was told that nothing of it is anonymous, and that nothing is dirty.
    told: [bool; 2],
    written: bool,
}

impl Block {
    fn begin(range: Range<usize>, line: &str) -> Self {
        let part = of_a_file(line).then(|| Part { range, line: line.to_owned() });
        Self { part, ..Self::default() }
    }

    fn field(&mut self, line: &str) {
        let Some((name, amount)) = line.split_once(':') else { return };
        let told = match name {
            "Anonymous" => Some(0),
            "Private_Dirty" => Some(1),
            // Not there in a kernel without swap.
            "Swap" => None,
            _ => return,
        };
        self.written |= amount.trim() != "0 kB";
        if let Some(told) = told {
            self.told[told] = true;
        }
    }

    /// The mapping, if nothing of it was written to.
    fn clean(self) -> Option<Part> {
        self.part.filter(|_| self.told == [true; 2] && !self.written)
    }
}

/// Lets the process's peak of RSS begin anew from what is resident now. Where the system refuses it stays.
pub fn forget_peak() {
    let _ = fs::write("/proc/self/clear_refs", "5");
}

/// The addresses in a line of `maps` or `smaps` that begins a mapping.
fn addresses(line: &str) -> Option<Range<usize>> {
    let (start, end) = line.split_ascii_whitespace().next()?.split_once('-')?;
    let address = |text| usize::from_str_radix(text, 16).ok();
    Some(address(start)?..address(end)?)
}

/// Whether that mapping is of a file and may not be written to.
fn of_a_file(line: &str) -> bool {
    let mut fields = line.split_ascii_whitespace().skip(1);
    let rights = fields.next();
    matches!(rights, Some("r--p" | "r-xp")) && fields.nth(3).is_some_and(|path| path.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "2000-4000 r-xp 00001000 fd:00 17 /usr/bin/some thing";

    /// What `smaps` says of mappings: the line of each and its fields.
    fn smaps(blocks: &[(&str, &[&str])]) -> String {
        let told: Vec<String> = blocks
            .iter()
            .map(|(line, fields)| format!("{line}\n{}\nVmFlags: rd mr\n", fields.join("\n")))
            .collect();
        told.concat()
    }

    fn ranges(footprint: &Footprint) -> Vec<Range<usize>> {
        footprint.0.iter().map(|part| part.range.clone()).collect()
    }

    #[test]
    fn only_what_a_file_still_has_is_given_back() {
        let clean: &[&str] = &[
            "Rss: 4 kB",
            "Private_Dirty:  0 kB",
            "Anonymous:      0 kB",
            "Swap:     0 kB",
            "SwapPss:   0 kB",
        ];
        let no_swap: &[&str] = &["Private_Dirty:  0 kB", "Anonymous:  0 kB"];
        let seen = Footprint::from_smaps(&smaps(&[
            ("1000-2000 r--p 00000000 fd:00 17 /usr/bin/some thing", no_swap),
            ("5000-6000 rw-p 00004000 fd:00 17 /usr/bin/some thing", clean),
            ("6000-7000 rw-p 00000000 00:00 0 [heap]", clean),
            ("7000-8000 r--p 00000000 00:00 0", clean),
            ("8000-9000 r-xp 00000000 00:00 0 [vdso]", clean),
            (TEXT, clean),
        ]));
        assert_eq!(ranges(&seen), [0x1000..0x2000, 0x2000..0x4000]);
        assert_eq!(Footprint::from_smaps("no such thing\nAnonymous: 0 kB\n-\n"), Footprint::default());
    }

    #[test]
    fn what_was_written_stays_also_when_it_was_swapped_out() {
        let (anonymous, dirty, swap) = ("Anonymous:  0 kB", "Private_Dirty:  0 kB", "Swap:  0 kB");
        let written: [&[&str]; 6] = [
            &["Private_Dirty:  0 kB", "Anonymous:  4 kB", swap],
            &["Private_Dirty:  4 kB", anonymous, swap],
            &[dirty, anonymous, "Swap:  4 kB"],
            &[dirty, swap],
            &[anonymous, swap],
            &[],
        ];
        for fields in written {
            let next = ("9000-a000 r--p 00000000 fd:00 18 /usr/lib/other", [dirty, anonymous, swap]);
            let alone = Footprint::from_smaps(&smaps(&[(TEXT, fields)]));
            assert_eq!(alone, Footprint::default(), "{fields:?}");
            let first = Footprint::from_smaps(&smaps(&[(TEXT, fields), (next.0, &next.1)]));
            assert_eq!(ranges(&first).first(), Some(&(0x9000..0xa000)), "{fields:?}");
        }
    }

    #[test]
    fn what_is_no_longer_there_is_left_alone() {
        let fields: &[&str] = &["Private_Dirty:  0 kB", "Anonymous:  0 kB"];
        let seen = Footprint::from_smaps(&smaps(&[(TEXT, fields)]));
        let still = |maps: &str| seen.still_in(maps).count();
        assert_eq!(still(&format!("1000-2000 rw-p 00000000 00:00 0 \n{TEXT}\n")), 1);
        for (was, is) in [
            ("2000-4000", "2000-3000"),
            ("r-xp", "rwxp"),
            ("00001000", "00002000"),
            (" 17 ", " 18 "),
            ("some thing", "some thing (deleted)"),
        ] {
            assert_eq!(still(&TEXT.replace(was, is)), 0, "{is}");
        }
        assert_eq!(still("2000-4000 rw-p 00000000 00:00 0 \n"), 0);
        assert_eq!(still(""), 0);
    }

    #[test]
    fn the_program_goes_on_without_it() {
        let footprint = Footprint::read();
        let maps = fs::read_to_string("/proc/self/maps").unwrap();
        assert!(footprint.still_in(&maps).count() >= 2, "{footprint:?}");
        footprint.shed();
        assert_eq!(Footprint::read(), footprint);
    }
}
