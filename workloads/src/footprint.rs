//! What start-up and conversation leave resident of the program itself, given back before anything is measured.
//!
//! To read a command line or a model, to set up, to answer the harness: each brings in program text, of this program and of
//! its libraries, that the work does not need. It is some megabytes, which would stand in RSS as if the allocator held them: in
//! workloads that hold little, most of it. The kernel drops such pages when told to, and maps them again, from its
//! own cache, when they are needed after all.

use std::fs::File;
use std::io::Read;
use std::ops::Range;

use rustix::mm::Advice;

/// The parts of the program and its libraries that can be had again from their files.
///
/// A page may be dropped only if its file has the same bytes. Three things together show it: the mapping may not be
/// written to, so nothing is written from now on; the kernel counts no page of it as anonymous or swapped out, so
/// nothing was written before (relocations, breakpoints of a debugger); and it is still the very mapping that was seen,
/// for what a library that was unloaded leaves behind can be anybody's memory by now. The last is looked up each time. What
/// somebody writes from outside after [`Footprint::read`], as a debugger does, is lost.
#[derive(Debug, Default)]
pub struct Footprint {
    parts: Vec<Part>,
    /// Those of them that were still there at the last look.
    there: Vec<Range<usize>>,
    /// What lets the process's peak of RSS begin anew, where the system has it.
    peak: Option<File>,
}

/// What was one mapping of a file that may not be written to.
#[derive(Debug, PartialEq)]
struct Part {
    range: Range<usize>,
    /// Where in the file it begins.
    offset: usize,
    rights: String,
    /// Device, inode and path, as `maps` tells them.
    file: String,
}

impl Footprint {
    /// That of this process. Empty where the system does not tell: then everything stays resident.
    pub fn read() -> Self {
        let parts = clean_parts(&content("/proc/self/smaps"));
        of_the_program(&parts).for_each(|part| cut(&part.range));
        let peak = File::options().write(true).open("/proc/self/clear_refs");
        Self { there: Vec::with_capacity(parts.len()), parts, peak: peak.ok() }
    }

    /// From now on leaves the C library's text alone, which every program needs and has resident from its start.
    pub fn leave_the_c_library(&mut self) {
        let file = file_at(&self.parts, libc::getpid as *const () as usize).map(str::to_owned);
        self.parts.retain(|part| Some(&part.file) != file.as_ref());
    }

    /// Gives it back, as far as it is still there. Where the system refuses, or does not tell, it stays.
    pub fn shed(&mut self) {
        self.look();
        self.drop_pages();
    }

    /// [Sheds](Footprint::shed) it, and lets the process's peak of RSS begin anew from what is resident then. Where the
    /// system refuses it stays.
    pub fn shed_and_forget_peak(&mut self) {
        self.shed();
        if let Some(peak) = &self.peak {
            let _ = rustix::io::write(peak, b"5");
        }
    }

    /// Sees what is still there. All that takes memory, or code from elsewhere in the program, is done here: what runs once the
    /// pages are gone brings them in again.
    fn look(&mut self) {
        let maps = content("/proc/self/maps");
        self.there.clear();
        self.there.extend(still_there(&self.parts, &maps));
    }

    #[inline]
    fn drop_pages(&self) {
        for part in &self.there {
            let start = std::ptr::without_provenance_mut(part.start);
            // SAFETY: these pages are those of a file, were seen not to have been written to, and cannot be; and they are
            // mapped now, as other threads neither load nor unload libraries. So nothing is lost when they are dropped:
            // the next access, also by this very function, maps them again.
            let _ = unsafe { rustix::mm::madvise(start, part.len(), Advice::LinuxDontNeed) };
        }
    }
}

/// What a file of `/proc` says; nothing where it cannot be read. There is room for it from the start: what is read in small steps
/// leaves a block of each size behind.
fn content(path: &str) -> String {
    let mut text = String::with_capacity(128 << 10);
    let read = File::open(path).and_then(|mut file| file.read_to_string(&mut text));
    if read.is_ok() { text } else { String::new() }
}

/// With a page of a file that is touched the kernel maps what it has of the 64 KiB around it, but nothing beyond the mapping. Of
/// the program, whose functions of one phase lie far apart, it is to be no more than this; single pages would be four times as
/// many mappings, for some 0.1 MiB less.
const PIECE: usize = 16 << 10;

/// Makes one mapping many, by a property that matters to core dumps only: every other piece is not to be in one. Text of a
/// file is not in one by default, but for the first page of the file.
fn cut(range: &Range<usize>) {
    let starts = range.clone().step_by(2 * PIECE).map(|even| even + PIECE);
    for start in starts.filter(|start| range.contains(start)) {
        let (address, bytes) = (std::ptr::without_provenance_mut(start), PIECE.min(range.end - start));
        // SAFETY: it changes no byte and no right of the mapping. Where pages are larger than a piece it is refused.
        if unsafe { rustix::mm::madvise(address, bytes, Advice::LinuxDontDump) }.is_err() {
            return;
        }
    }
}

/// The ranges of those parts that are there as they were, in one piece or many: same addresses, rights and file, and the same
/// place in it.
fn still_there(parts: &[Part], maps: &str) -> impl Iterator<Item = Range<usize>> {
    let mut left: Vec<usize> = parts.iter().map(|part| part.range.len()).collect();
    for mapping in maps.lines().filter_map(Mapping::from_line) {
        if let Some(part) = parts.iter().position(|part| part.has(&mapping)) {
            left[part] = left[part].wrapping_sub(mapping.range.len());
        }
    }
    parts.iter().zip(left).filter(|(_, left)| *left == 0).map(|(part, _)| part.range.clone())
}

/// The parts of the file that this very function is in: the process can have been started through a loader.
fn of_the_program(parts: &[Part]) -> impl Iterator<Item = &Part> {
    let file = file_at(parts, of_the_program as *const () as usize);
    parts.iter().filter(move |part| Some(part.file.as_str()) == file)
}

fn file_at(parts: &[Part], address: usize) -> Option<&str> {
    parts.iter().find(|part| part.range.contains(&address)).map(|part| part.file.as_str())
}

impl Part {
    /// Whether a mapping is this one, or a piece of it.
    fn has(&self, mapping: &Mapping<'_>) -> bool {
        let Some(into) = mapping.range.start.checked_sub(self.range.start) else { return false };
        mapping.range.end <= self.range.end
            && mapping.offset.checked_sub(self.offset) == Some(into)
            && (mapping.rights, mapping.file) == (&self.rights, &self.file)
    }
}

/// A line of `maps`, or the first of a mapping in `smaps`.
struct Mapping<'a> {
    range: Range<usize>,
    rights: &'a str,
    offset: usize,
    /// Device, inode and path.
    file: &'a str,
}

impl<'a> Mapping<'a> {
    fn from_line(line: &'a str) -> Option<Self> {
        let number = |text| usize::from_str_radix(text, 16).ok();
        let mut fields = line.splitn(4, ' ');
        let (start, end) = fields.next()?.split_once('-')?;
        let range = number(start)?..number(end)?;
        Some(Self { range, rights: fields.next()?, offset: number(fields.next()?)?, file: fields.next()? })
    }

    /// What it is a part of, if it is of a file and may not be written to.
    fn part(&self) -> Option<Part> {
        let of_a_file = self.file.split_ascii_whitespace().nth(2).is_some_and(|path| path.starts_with('/'));
        let read_only = matches!(self.rights, "r--p" | "r-xp");
        let (rights, file) = (self.rights.to_owned(), self.file.to_owned());
        (of_a_file && read_only).then(|| Part {
            range: self.range.clone(),
            offset: self.offset,
            rights,
            file,
        })
    }
}

/// Those mappings of files of which nothing has been written.
fn clean_parts(smaps: &str) -> Vec<Part> {
    let (mut clean, mut current) = (Vec::new(), Block::default());
    for line in smaps.lines() {
        if let Some(mapping) = Mapping::from_line(line) {
            let next = Block { part: mapping.part(), ..Block::default() };
            clean.extend(std::mem::replace(&mut current, next).clean());
        } else {
            current.field(line);
        }
    }
    clean.extend(current.clean());
    clean
}

/// What `smaps` tells of one mapping, up to the next one.
#[derive(Default)]
struct Block {
    part: Option<Part>,
    /// Whether it was told how much of it is anonymous.
    told: bool,
    written: bool,
}

impl Block {
    fn field(&mut self, line: &str) {
        let Some((name, amount)) = line.split_once(':') else { return };
        match name {
            "Anonymous" => self.told = true,
            // Not there in a kernel without swap.
            "Swap" => {}
            // What counts as dirty was written to the file itself, as when it has just been built.
            _ => return,
        }
        self.written |= amount.trim() != "0 kB";
    }

    /// The mapping, if nothing of it was written to.
    fn clean(self) -> Option<Part> {
        self.part.filter(|_| self.told && !self.written)
    }
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

    fn ranges(parts: &[Part]) -> Vec<Range<usize>> {
        parts.iter().map(|part| part.range.clone()).collect()
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
        let no_swap: &[&str] = &["Private_Dirty:  8 kB", "Anonymous:  0 kB"];
        let seen = clean_parts(&smaps(&[
            ("1000-2000 r--p 00000000 fd:00 17 /usr/bin/some thing", no_swap),
            ("5000-6000 rw-p 00004000 fd:00 17 /usr/bin/some thing", clean),
            ("6000-7000 rw-p 00000000 00:00 0 [heap]", clean),
            ("7000-8000 r--p 00000000 00:00 0", clean),
            ("8000-9000 r-xp 00000000 00:00 0 [vdso]", clean),
            (TEXT, clean),
        ]));
        assert_eq!(ranges(&seen), [0x1000..0x2000, 0x2000..0x4000]);
        assert_eq!(clean_parts("no such thing\nAnonymous: 0 kB\n-\n"), []);
    }

    #[test]
    fn what_was_written_stays_also_when_it_was_swapped_out() {
        let (anonymous, swap) = ("Anonymous:  0 kB", "Swap:  0 kB");
        let written: [&[&str]; 4] =
            [&["Anonymous:  4 kB", swap], &[anonymous, "Swap:  4 kB"], &["Private_Dirty:  0 kB", swap], &[]];
        for fields in written {
            let next = ("9000-a000 r--p 00000000 fd:00 18 /usr/lib/other", [anonymous, swap]);
            let alone = clean_parts(&smaps(&[(TEXT, fields)]));
            assert_eq!(alone, [], "{fields:?}");
            let first = clean_parts(&smaps(&[(TEXT, fields), (next.0, &next.1)]));
            assert_eq!(ranges(&first).first(), Some(&(0x9000..0xa000)), "{fields:?}");
        }
    }

    #[test]
    fn what_is_no_longer_there_is_left_alone() {
        let fields: &[&str] = &["Anonymous:  0 kB"];
        let seen = clean_parts(&smaps(&[(TEXT, fields)]));
        let still = |maps: &str| still_there(&seen, maps).count();
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
        let [first, second] = [("2000-3000", "00001000"), ("3000-4000", "00002000")]
            .map(|(range, offset)| TEXT.replace("2000-4000", range).replace("00001000", offset));
        assert_eq!(still(&format!("{first}\n{second}\n")), 1, "in two pieces");
        assert_eq!(still(&first), 0, "the rest is gone");
        assert_eq!(
            still(&format!("{first}\n{}\n", second.replace("00002000", "00001000"))),
            0,
            "another place"
        );
        assert_eq!(still(""), 0);
    }

    #[test]
    fn the_program_goes_on_without_it() {
        let mut footprint = Footprint::read();
        footprint.shed_and_forget_peak();
        assert!(footprint.there.len() >= 2, "{footprint:?}");
        let before = footprint.there.clone();
        footprint.shed();
        assert_eq!(footprint.there, before);
        footprint.leave_the_c_library();
        let left = |name| footprint.parts.iter().filter(|part| part.file.contains(name)).count();
        assert_eq!(left("/libc.so"), 0);
        assert!(left("arenalab") > 0, "{footprint:?}");
        let now = clean_parts(&content("/proc/self/smaps"));
        let pieces: Vec<_> = of_the_program(&now).collect();
        let here = pieces.iter().find(|part| part.range.contains(&(of_the_program as *const () as usize)));
        assert!(here.unwrap().range.len() <= PIECE, "{here:?}");
    }
}
