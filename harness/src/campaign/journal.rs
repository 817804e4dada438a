//! `trials.jsonl`: a line a finished trial, flushed and synced before the next one starts.
//!
//! Disk space for the next lines is reserved before a trial is run, so that a disk that fills up while it
//! runs does not lose it.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Space kept beyond the end of the file: more than the longest line.
const RESERVE: u64 = 256 * 1024;

/// Longest line that is read.
const MAX_LINE: u64 = 4 << 20;

/// An open journal.
pub struct Journal {
    file: File,
    path: PathBuf,
    length: u64,
}

/// What a journal held.
#[derive(Debug)]
pub struct Read<T> {
    /// The lines, in order.
    pub lines: Vec<T>,
    /// Bytes of whole lines.
    pub length: u64,
    /// Whether a last, unfinished line was passed over.
    pub truncated: bool,
}

/// Reads a journal. A last line that is cut off is what a killed writer leaves behind: it is passed over.
/// A journal that does not exist is an empty one.
///
/// # Errors
/// One line that names file and line: it cannot be read, or a line is not one of ours.
pub fn read<T: DeserializeOwned>(path: &Path) -> Result<Read<T>, String> {
    read_each(path, |line| line)
}

/// The same, each line passed through `keep` as it is read, so that what is not needed is never held.
///
/// # Errors
/// As [`read`].
pub fn read_each<T: DeserializeOwned>(path: &Path, keep: fn(T) -> T) -> Result<Read<T>, String> {
    let mut all = Read { lines: Vec::new(), length: 0, truncated: false };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(all),
        Err(e) => return Err(format!("failed to open {}: {e}", path.display())),
    };
    let mut reader = BufReader::new(file);
    let mut line = Vec::new();
    loop {
        line.clear();
        let mut bounded = std::io::Read::take(&mut reader, MAX_LINE);
        let got = bounded
            .read_until(b'\n', &mut line)
            .map_err(|e| format!("failed to read {}: {e}", path.display()))?;
        if got == 0 {
            return Ok(all);
        }
        if line.last() != Some(&b'\n') && (got as u64) < MAX_LINE {
            all.truncated = true;
            return Ok(all);
        }
        let number = all.lines.len() + 1;
        let parsed = serde_json::from_slice(&line)
            .map_err(|e| format!("{}, line {number}: not a line of this format: {e}", path.display()))?;
        all.lines.push(keep(parsed));
        all.length += got as u64;
    }
}

impl Journal {
    /// Opens a journal to append to, after `length` bytes of whole lines; what stands behind is dropped.
    ///
    /// # Errors
    /// When the file cannot be opened or cut.
    pub fn open(path: &Path, length: u64) -> std::io::Result<Self> {
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(path)?;
        file.set_len(length)?;
        Ok(Self { file, path: path.to_owned(), length })
    }

    /// Makes sure that the next lines will find space.
    ///
    /// # Errors
    /// When the disk is full. File systems that cannot reserve are taken at their word.
    pub fn reserve(&self) -> std::io::Result<()> {
        let flags = rustix::fs::FallocateFlags::KEEP_SIZE;
        match rustix::fs::fallocate(&self.file, flags, self.length, RESERVE) {
            Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS) | Ok(()) => Ok(()),
            Err(e) => Err(e.into()),
        }
    }

    /// Appends a line and syncs it to the disk. After an error the file holds what it held before.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn append(&mut self, line: &impl Serialize) -> std::io::Result<()> {
        let mut bytes = serde_json::to_vec(line)?;
        bytes.push(b'\n');
        let written = self.write(&bytes);
        if written.is_ok() {
            self.length += bytes.len() as u64;
        } else {
            let _ = self.file.set_len(self.length);
        }
        written
    }

    fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.file.seek(SeekFrom::Start(self.length))?;
        self.file.write_all(bytes)?;
        self.file.sync_data()
    }

    /// Gives back the reserved space.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn finish(&self) -> std::io::Result<()> {
        self.file.set_len(self.length)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_appended_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("j.jsonl");
        assert!(read::<u32>(&path).unwrap().lines.is_empty());
        let mut journal = Journal::open(&path, 0).unwrap();
        journal.reserve().unwrap();
        for n in 0..3u32 {
            journal.append(&n).unwrap();
        }
        let all = read::<u32>(&path).unwrap();
        assert_eq!((all.lines, all.length, all.truncated), (vec![0, 1, 2], 6, false));
    }

    #[test]
    fn a_cut_line_is_passed_over_and_then_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("j.jsonl");
        std::fs::write(&path, "1\n22\n33").unwrap();
        let all = read::<u32>(&path).unwrap();
        assert_eq!((&all.lines[..], all.length, all.truncated), (&[1, 22][..], 5, true));
        Journal::open(&path, all.length).unwrap().append(&4u32).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "1\n22\n4\n");
    }

    #[test]
    fn a_foreign_line_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("j.jsonl");
        std::fs::write(&path, "1\n{}\n3\n").unwrap();
        assert!(read::<u32>(&path).unwrap_err().contains("line 2"));
    }
}
