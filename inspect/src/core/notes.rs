//! What the kernel notes in a core besides memory: which files were mapped where (`NT_FILE`), the threads and their
//! stack pointers (`NT_PRSTATUS`), the process's name and number (`NT_PRPSINFO`), and what it was started with
//! (`NT_AUXV`).

use std::collections::BTreeMap;

use super::number;

/// Bytes of notes that are read: a core of 20,000 threads has some 55 MB of them, nearly all registers.
pub const MOST_NOTES: u64 = 64 << 20;
/// Threads whose stack pointers are kept.
const MOST_THREADS: usize = 1 << 16;
const NT_PRSTATUS: u64 = 1;
const NT_PRPSINFO: u64 = 3;
const NT_AUXV: u64 = 6;
const NT_FILE: u64 = 0x4649_4c45;
/// `elf_prstatus` on x86-64: the thread's number, and its stack pointer among the registers.
const PR_PID: usize = 32;
const PR_RSP: usize = 112 + 19 * 8;
/// `elf_prpsinfo`: the process's number, its name of 16 bytes.
const PS_PID: usize = 24;
const PS_NAME: usize = 40;
const AT_EXECFN: u64 = 31;

/// A part of a file that was mapped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapped {
    /// Its first address.
    pub start: u64,
    /// The address after its last byte.
    pub end: u64,
    /// Where it began in the file, bytes.
    pub offset: u64,
    /// The file's path.
    pub name: String,
}

/// What was noted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Notes {
    /// The process's number; 0 where it was not noted.
    pub pid: u32,
    /// Its name, as the kernel kept it.
    pub name: String,
    /// The stack pointers of its threads.
    pub stack_pointers: Vec<u64>,
    /// Where its program's path was in memory, above what it was started with (`AT_EXECFN`).
    pub program_name: Option<u64>,
    /// In the order of addresses.
    files: Vec<Mapped>,
    /// A number for each name, from 1.
    numbers: BTreeMap<String, u64>,
}

impl Notes {
    /// Reads one segment of notes; what does not hold together is left out.
    pub(super) fn read(&mut self, mut bytes: &[u8]) {
        while bytes.len() >= 12 {
            let (name, size, kind) = (number(bytes, 0, 4), number(bytes, 4, 4), number(bytes, 8, 4));
            // Both are filled up to four bytes.
            let from = 12 + name.next_multiple_of(4);
            let Some(end) = from.checked_add(size).and_then(|end| usize::try_from(end).ok()) else { return };
            let Some(note) = bytes.get(from as usize..end) else { return };
            if bytes.get(12..16) == Some(b"CORE") {
                self.note(kind, note);
            }
            bytes = bytes.get(end.next_multiple_of(4)..).unwrap_or_default();
        }
    }

    fn note(&mut self, kind: u64, note: &[u8]) {
        match kind {
            NT_PRSTATUS if note.len() >= PR_RSP + 8 => {
                if self.stack_pointers.len() < MOST_THREADS {
                    self.stack_pointers.push(number(note, PR_RSP, 8));
                }
                // The first thread is the one that fell; where nothing else tells the process, it does.
                if self.pid == 0 {
                    self.pid = number(note, PR_PID, 4) as u32;
                }
            }
            NT_PRPSINFO if note.len() >= PS_NAME + 16 => {
                self.pid = number(note, PS_PID, 4) as u32;
                let name = note[PS_NAME..PS_NAME + 16].split(|byte| *byte == 0).next().unwrap_or_default();
                self.name = String::from_utf8_lossy(name).into_owned();
            }
            NT_AUXV => {
                let pairs = note.chunks_exact(16).map(|pair| (number(pair, 0, 8), number(pair, 8, 8)));
                self.program_name = pairs.filter(|(key, _)| *key == AT_EXECFN).map(|(_, at)| at).next();
            }
            NT_FILE => self.files(note),
            _ => {}
        }
    }

    /// `count`, the size of a page, `count` times start, end and offset in pages, then `count` names that end with 0.
    fn files(&mut self, note: &[u8]) {
        let (count, page) = (number(note, 0, 8), number(note, 8, 8));
        let entries = note.get(16..).unwrap_or_default();
        // No note has more entries than it has bytes for.
        let count = usize::try_from(count).unwrap_or(usize::MAX).min(entries.len() / 24);
        let (entries, names) = entries.split_at(count * 24);
        let names = names.split(|byte| *byte == 0);
        for (entry, name) in entries.chunks_exact(24).zip(names) {
            let (start, end) = (number(entry, 0, 8), number(entry, 8, 8));
            let offset = number(entry, 16, 8).saturating_mul(page);
            let name = String::from_utf8_lossy(name).into_owned();
            if start < end && !name.is_empty() {
                let next = self.numbers.len() as u64 + 1;
                self.numbers.entry(name.clone()).or_insert(next);
                self.files.push(Mapped { start, end, offset, name });
            }
        }
        self.files.sort_by_key(|file| file.start);
    }

    /// The file that is mapped at an address, and a number for its name.
    pub(super) fn file_at(&self, at: u64) -> Option<(u64, &Mapped)> {
        let after = self.files.partition_point(|file| file.start <= at);
        let file = self.files[..after].last().filter(|file| at < file.end)?;
        Some((*self.numbers.get(&file.name)?, file))
    }
}
