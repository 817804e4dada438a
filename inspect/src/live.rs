//! A live process's memory.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use crate::pages::Pagemap;
use crate::regions::{self, Region};
use crate::smaps::{self, Mapping};
use crate::{Fault, Memory};

/// As much of `/proc/PID/maps` as is read: some half a million mappings. The kernel allows 65,530 by default.
const MOST_MAPS: u64 = 64 << 20;

/// Threads whose stack pointers are read.
const MOST_STACKS: usize = 1 << 16;

/// Threads that are tried when the first one has ended.
const MOST_THREADS: usize = 64;

/// The memory of a live process, by `/proc/PID/mem`.
///
/// It holds on to the memory that the process had when it was opened: a process that ends, or runs another program
/// with `execve`, reads as [`Fault`], and a process that gets the same PID later is never read in its place.
#[derive(Debug)]
pub struct Live {
    /// `/proc/PID`, or the directory of a thread where the first thread has ended.
    dir: PathBuf,
    memory: File,
}

impl Live {
    /// Opens a process for reading. It is neither stopped nor changed.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`] where there is no such process, [`io::ErrorKind::PermissionDenied`] where the
    /// kernel does not allow it: another user's process, one that is not dumpable (setuid), or Yama's `ptrace_scope`.
    /// [`io::ErrorKind::Unsupported`] where it has no memory: a kernel thread, or a zombie.
    pub fn open(pid: u32) -> io::Result<Self> {
        let dir = PathBuf::from(format!("/proc/{pid}"));
        let none = || io::Error::new(io::ErrorKind::Unsupported, "it has no memory of its own");
        // A process whose first thread has ended shows its memory by its other threads only.
        let dir = if has_memory(&dir)? { dir } else { other_thread(&dir).ok_or_else(none)? };
        let memory = File::open(dir.join("mem"))?;
        Ok(Self { dir, memory })
    }

    /// The process's mappings as they are now, by `/proc/PID/maps`, cut off after some half a million.
    ///
    /// # Errors
    /// Where the process has ended, or may not be looked at.
    pub fn regions(&self) -> io::Result<Vec<Region>> {
        let mut text = Vec::new();
        File::open(self.dir.join("maps"))?.take(MOST_MAPS).read_to_end(&mut text)?;
        Ok(regions::parse(&String::from_utf8_lossy(&text)))
    }

    /// The process's mappings with what is resident of each, by `/proc/PID/smaps`. The kernel locks the process's
    /// list of mappings while it counts.
    ///
    /// # Errors
    /// Where the process has ended, or may not be looked at.
    pub fn mappings(&self) -> io::Result<Vec<Mapping>> {
        let mut text = Vec::new();
        File::open(self.dir.join("smaps"))?.take(MOST_MAPS * 8).read_to_end(&mut text)?;
        Ok(smaps::parse(&String::from_utf8_lossy(&text)))
    }

    /// Where the stacks of those threads are that wait in the kernel: their stack pointers, by `/proc/PID/task/*/syscall`.
    pub fn stack_pointers(&self) -> Vec<u64> {
        let Some(process) = self.dir.ancestors().find(|dir| dir.join("task").is_dir()) else {
            return Vec::new();
        };
        let Ok(tasks) = fs::read_dir(process.join("task")) else { return Vec::new() };
        let pointer = |task: &Path| {
            let text = fs::read_to_string(task.join("syscall")).ok()?;
            let hexadecimal = text.split_whitespace().nth_back(1)?.strip_prefix("0x")?;
            u64::from_str_radix(hexadecimal, 16).ok()
        };
        tasks.flatten().take(MOST_STACKS).filter_map(|task| pointer(&task.path())).collect()
    }

    /// Tells which of its pages are in memory.
    ///
    /// # Errors
    /// Where the kernel does not allow it.
    pub fn pagemap(&self) -> io::Result<Pagemap> {
        File::open(self.dir.join("pagemap")).map(Pagemap)
    }
}

impl Memory for Live {
    fn read(&self, at: u64, into: &mut [u8]) -> Result<(), Fault> {
        // Offsets are signed to the kernel; addresses from 2^63 on are its own.
        if i64::try_from(at).is_err() {
            return Err(Fault { at });
        }
        self.memory.read_exact_at(into, at).map_err(|_| Fault { at })
    }
}

/// Whether there are mappings to see; an error where they may not be seen.
fn has_memory(dir: &Path) -> io::Result<bool> {
    let mut one = [0; 1];
    File::open(dir.join("maps"))?.read(&mut one).map(|count| count > 0)
}

/// A thread of a process whose memory can be seen.
fn other_thread(dir: &Path) -> Option<PathBuf> {
    let tasks = fs::read_dir(dir.join("task")).ok()?.take(MOST_THREADS);
    tasks.flatten().map(|task| task.path()).find(|task| has_memory(task).unwrap_or(false))
}
