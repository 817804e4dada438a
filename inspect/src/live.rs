//! A live process's memory.

use std::fs::{self, File};
use std::io::{self, IoSliceMut, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use nix::sys::uio::{RemoteIoVec, process_vm_readv};
use nix::unistd::Pid;

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

/// Places that the kernel reads in one call (`IOV_MAX`).
const AT_ONCE: usize = 1024;

/// Fewer places than this take fewer calls one by one.
const FEW: usize = 3;

/// From so many bytes on, one call of `process_vm_readv` costs less than `/proc/PID/mem`, which copies twice.
const LARGE: usize = 16 << 10;

/// The memory of a live process, by `/proc/PID/mem` and `process_vm_readv(2)`.
///
/// It holds on to the memory that the process had when it was opened: a process that ends, or runs another program
/// with `execve`, reads as [`Fault`], and a process that gets the same PID later is never read in its place.
#[derive(Debug)]
pub struct Live {
    /// `/proc/PID`, or the directory of a thread where the first thread has ended.
    dir: PathBuf,
    /// What `process_vm_readv` knows it by: the last part of `dir`.
    id: Option<Pid>,
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
        let id = dir.file_name().and_then(|id| id.to_str()?.parse().ok()).map(Pid::from_raw);
        Ok(Self { dir, id, memory })
    }

    /// Whether the memory that was opened is still that of a process. It is asked after a call that names the process
    /// by its PID: where it is, the PID was still that process's.
    fn is_there(&self) -> bool {
        // Nothing is mapped at 0, which is an error as long as there is memory at all, and an end of file later.
        !matches!(self.memory.read_at(&mut [0], 0), Ok(0))
    }

    /// Reads one place after another in one call: how many bytes of them the kernel gave, up to the first that it
    /// cannot read; `None` where it gives none by this way.
    fn gather(&self, places: &[u64], each: usize, into: &mut [u8]) -> Option<usize> {
        let remote: Vec<RemoteIoVec> =
            places.iter().map(|at| RemoteIoVec { base: *at as usize, len: each }).collect();
        let read = process_vm_readv(self.id?, &mut [IoSliceMut::new(into)], &remote);
        match read {
            Err(nix::errno::Errno::EFAULT) => Some(0),
            read => read.ok().filter(|_| self.is_there()),
        }
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
        let large = into.len() >= LARGE;
        if large && self.gather(&[at], into.len(), into) == Some(into.len()) {
            return Ok(());
        }
        self.memory.read_exact_at(into, at).map_err(|_| Fault { at })
    }

    fn read_many(&self, places: &[u64], each: usize, into: &mut [u8]) -> Vec<bool> {
        assert_eq!(into.len(), places.len() * each);
        let mut read = Vec::with_capacity(places.len());
        while read.len() < places.len() {
            let from = read.len();
            let places = &places[from..places.len().min(from + AT_ONCE)];
            let into = &mut into[from * each..(from + places.len()) * each];
            let gathered = if places.len() < FEW { None } else { self.gather(places, each, into) };
            let Some(count) = gathered.map(|bytes| bytes / each.max(1)) else {
                // Where this way is closed, the other one tells.
                read.extend(
                    places.iter().zip(into.chunks_mut(each)).map(|(at, into)| self.read(*at, into).is_ok()),
                );
                continue;
            };
            read.extend(std::iter::repeat_n(true, count));
            if count < places.len() {
                read.push(false);
            }
        }
        read
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
