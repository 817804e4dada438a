//! Reads a small file of `/proc/PID` with three system calls: these are read again and again, and what that costs is part of
//! what looking costs.

use std::fs::File;
use std::io::Read;

use procfs::FromRead;
use procfs::process::Stat;

/// Longer than `stat` is, and than `status` up to its figures of memory, unless a process has thousands of groups.
const MOST: usize = 16 << 10;

/// A file's first bytes.
pub struct Text {
    bytes: [u8; MOST],
    length: usize,
}

impl Text {
    /// Reads a file of a process; `None` where it is gone or may not be read.
    pub fn read(pid: i32, name: &str) -> Option<Self> {
        let mut bytes = [0; MOST];
        // The kernel gives such a file at one go.
        let length = File::open(format!("/proc/{pid}/{name}")).ok()?.read(&mut bytes).ok()?;
        (length > 0).then_some(Self { bytes, length })
    }

    /// Whether there may be more.
    pub const fn is_full(&self) -> bool {
        self.length == MOST
    }

    /// What was read.
    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

/// `stat` of a process; `None` where it is gone.
pub fn stat(pid: i32) -> Option<Stat> {
    Stat::from_read(Text::read(pid, "stat")?.bytes()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_a_stat_and_nobody_else_has() {
        let pid = std::process::id().cast_signed();
        let by_library = procfs::process::Process::new(pid).unwrap().stat().unwrap();
        let stat = stat(pid).unwrap();
        assert_eq!((stat.pid, stat.starttime, stat.comm), (pid, by_library.starttime, by_library.comm));
        assert!(super::stat(i32::MAX).is_none() && Text::read(pid, "no-such-file").is_none());
    }
}
