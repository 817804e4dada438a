//! What a job prints, both streams, kept within bounds: the first part as it comes, so that it can be watched,
//! and the last part when the job has ended. What lies between is left out, and said so.

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;

/// Bytes of the first part, and of the last, that a file keeps.
pub const KEPT: usize = 512 << 10;

/// Bytes of the end that a report carries.
const REPORTED: usize = 8 << 10;

/// What was kept.
#[derive(Debug, Default)]
pub struct Kept {
    /// The end of what was printed.
    pub last: String,
    /// Why not all that should be in the file is there, where that is so.
    pub unkept: Option<String>,
}

/// Reads to the end. The file is made when there is something to keep.
pub fn keep(mut reader: impl Read, file: Option<&Path>) -> Kept {
    let bound = if file.is_some() { KEPT } else { REPORTED };
    let mut parts =
        Parts { file: None, path: file, first: 0, last: Vec::new(), left_out: 0, bound, unkept: None };
    let mut part = vec![0u8; 16 << 10];
    while let Ok(got) = reader.read(&mut part) {
        if got == 0 {
            break;
        }
        parts.take(&part[..got]);
    }
    parts.finish()
}

struct Parts<'a> {
    file: Option<File>,
    path: Option<&'a Path>,
    /// Bytes of the first part so far.
    first: usize,
    last: Vec<u8>,
    left_out: u64,
    bound: usize,
    unkept: Option<String>,
}

impl Parts<'_> {
    fn take(&mut self, bytes: &[u8]) {
        let room = if self.path.is_some() { KEPT - self.first } else { 0 };
        let (first, rest) = bytes.split_at(bytes.len().min(room));
        self.first += first.len();
        self.write(first);
        self.last.extend_from_slice(rest);
        let excess = self.last.len().saturating_sub(self.bound);
        self.last.drain(..excess);
        self.left_out += excess as u64;
    }

    fn write(&mut self, bytes: &[u8]) {
        let Some(path) = self.path.filter(|_| !bytes.is_empty() && self.unkept.is_none()) else { return };
        let open = || File::options().read(true).write(true).create(true).truncate(true).open(path);
        let written = match &mut self.file {
            Some(file) => file.write_all(bytes),
            none => open().and_then(|file| none.insert(file).write_all(bytes)),
        };
        if let Err(error) = written {
            self.unkept = Some(format!("failed to keep what it printed in {}: {error}", path.display()));
        }
    }

    fn finish(mut self) -> Kept {
        let last = std::mem::take(&mut self.last);
        if self.path.is_some() && self.left_out > 0 {
            self.write(format!("\n[arenalab left out {} bytes here]\n", self.left_out).as_bytes());
        }
        self.write(if self.path.is_some() { &last } else { &[] });
        let mut end = last;
        if end.len() < REPORTED {
            end = [self.first_part(), end].concat();
        }
        let from = end.len().saturating_sub(REPORTED);
        Kept { last: String::from_utf8_lossy(&end[from..]).into_owned(), unkept: self.unkept }
    }

    /// The end of the first part, read back.
    fn first_part(&self) -> Vec<u8> {
        use std::os::unix::fs::FileExt;
        let from = self.first.saturating_sub(REPORTED);
        let mut bytes = vec![0u8; self.first - from];
        match &self.file {
            Some(file) if file.read_exact_at(&mut bytes, from as u64).is_ok() => bytes,
            _ => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_of_a_short_output_is_kept_and_reported() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let kept = keep("one\ntwo\n".as_bytes(), Some(&path));
        assert_eq!((kept.last.as_str(), kept.unkept), ("one\ntwo\n", None));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "one\ntwo\n");
        assert_eq!(keep("x".as_bytes(), None).last, "x");
    }

    #[test]
    fn of_a_long_output_both_ends_are_kept_and_the_gap_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let all: Vec<u8> = (0..3 << 20).map(|i: u32| b'a' + (i % 26) as u8).collect();
        let kept = keep(all.as_slice(), Some(&path));
        let file = std::fs::read(&path).unwrap();
        assert!(file.len() <= 2 * KEPT + 100);
        assert_eq!(file[..KEPT], all[..KEPT]);
        assert_eq!(file[file.len() - KEPT..], all[all.len() - KEPT..]);
        let gap = format!("[arenalab left out {} bytes here]", all.len() - 2 * KEPT);
        assert!(String::from_utf8_lossy(&file[KEPT..KEPT + 100]).contains(&gap));
        assert!(kept.last.as_bytes() == &all[all.len() - REPORTED..]);
    }

    #[test]
    fn nothing_printed_makes_no_file_and_a_failure_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        keep(std::io::empty(), Some(&path));
        assert!(!path.exists());
        let kept = keep("x".as_bytes(), Some(Path::new("/nowhere/log")));
        assert!(kept.unkept.unwrap().contains("/nowhere/log"));
    }
}
