//! What start-up and conversation leave resident of the program itself, given back before anything is measured.
//!
//! To read a command line or a model, to set up, to answer the harness: each brings in program text, of this program and of
//! its libraries, that the work does not need. It is some megabytes, which would stand in RSS as if the allocator held them: in
//! workloads that hold little, most of it. The kernel drops such pages when told to, and maps them again, from its
//! own cache, when they are needed after all.

use std::fs;
use std::ops::Range;

use rustix::mm::Advice;

/// The parts of the program and its libraries that can be had again from their files.
#[derive(Debug, Default, PartialEq)]
pub struct Footprint(Vec<Range<usize>>);

impl Footprint {
    /// That of this process. Empty where the system does not tell: then everything stays resident.
    pub fn read() -> Self {
        fs::read_to_string("/proc/self/smaps").map(|smaps| Self::from_smaps(&smaps)).unwrap_or_default()
    }

    /// Mappings of files that cannot be written to, and of which nothing has been written before: relocations,
    /// breakpoints of a debugger.
    fn from_smaps(smaps: &str) -> Self {
        let (mut clean, mut present) = (Vec::new(), None);
        for line in smaps.lines() {
            if let Some((range, from_a_file)) = mapping(line) {
                present = from_a_file.then_some(range);
            } else if line.starts_with("Anonymous:") && line.ends_with(" 0 kB") {
                clean.extend(present.take());
            }
        }
        Self(clean)
    }

    /// Gives it back. Where the system refuses it stays.
    pub fn shed(&self) {
        for part in &self.0 {
            let start = std::ptr::without_provenance_mut(part.start);
            // SAFETY: these pages are those of a file, and were seen not to have been written to, nor can they be. So nothing is
            // lost when they are dropped: the next access, also by this very function, maps them again.
            let _ = unsafe { rustix::mm::madvise(start, part.len(), Advice::LinuxDontNeed) };
        }
    }
}

/// Lets the process's peak of RSS begin anew from what is resident now. Where the system refuses it stays.
pub fn forget_peak() {
    let _ = fs::write("/proc/self/clear_refs", "5");
}

/// The addresses in a line of `smaps` that begins a mapping, and whether it is of a file and may not be written to.
fn mapping(line: &str) -> Option<(Range<usize>, bool)> {
    let mut fields = line.split_ascii_whitespace();
    let (start, end) = fields.next()?.split_once('-')?;
    let address = |text| usize::from_str_radix(text, 16).ok();
    let range = address(start)?..address(end)?;
    let rights = fields.next()?;
    let of_a_file = fields.nth(3).is_some_and(|path| path.starts_with('/'));
    Some((range, of_a_file && matches!(rights, "r--p" | "r-xp")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_file_still_has_is_given_back() {
        let smaps = "\
            1000-2000 r--p 00000000 fd:00 17 /usr/bin/some thing\nRss: 4 kB\nAnonymous:             0 kB\nVmFlags: rd\n\
            2000-4000 r-xp 00001000 fd:00 17 /usr/bin/some thing\nAnonymous:             0 kB\n\
            4000-5000 r--p 00003000 fd:00 17 /usr/bin/some thing\nAnonymous:             4 kB\n\
            5000-6000 rw-p 00004000 fd:00 17 /usr/bin/some thing\nAnonymous:             0 kB\n\
            6000-7000 rw-p 00000000 00:00 0 [heap]\nAnonymous:             0 kB\n\
            7000-8000 r--p 00000000 00:00 0\nAnonymous:             0 kB\n\
            8000-9000 r-xp 00000000 00:00 0 [vdso]\nAnonymous:             0 kB\n";
        assert_eq!(Footprint::from_smaps(smaps), Footprint(vec![0x1000..0x2000, 0x2000..0x4000]));
        assert_eq!(Footprint::from_smaps("no such thing\nAnonymous: 0 kB\n-\n"), Footprint::default());
    }

    #[test]
    fn the_program_goes_on_without_it() {
        let footprint = Footprint::read();
        assert!(footprint.0.len() >= 2, "{footprint:?}");
        footprint.shed();
        assert_eq!(Footprint::read(), footprint);
    }
}
