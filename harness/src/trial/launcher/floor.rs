//! What a job's own maximum is hidden by: `ru_maxrss` survives exec, and a process that is started by a fork of the launcher
//! begins with the size of that copy (fs/exec.c, `setmax_mm_hiwater_rss`). The copy is much smaller than the launcher,
//! as a fork does not copy what can be read in anew from files: so it tells its size just before it becomes the job.

use std::io::{PipeReader, PipeWriter, Read};
use std::os::fd::AsFd;

/// What a copy may still grow by until it is the job: faults of program text, each of which maps 16 pages of it or more.
const GROWTH: u64 = 1 << 20;

/// A pipe from a copy of the launcher to the launcher.
///
/// # Errors
/// Where none can be made.
pub fn pipe() -> std::io::Result<(PipeReader, PipeWriter)> {
    std::io::pipe()
}

/// Tells what this process is. Only system calls, as it is made between fork and exec; where one fails, the launcher's own
/// size is taken for it.
pub fn tell(pipe: &PipeWriter) {
    let least = super::usage(libc::RUSAGE_SELF).0 + GROWTH;
    let _ = rustix::io::write(pipe.as_fd(), &least.to_ne_bytes());
}

/// What the job's `ru_maxrss` is at least, once it was started; `None` where it was not told.
pub fn hear(mut pipe: PipeReader) -> Option<u64> {
    let mut bytes = [0; 8];
    pipe.read_exact(&mut bytes).ok().map(|()| u64::from_ne_bytes(bytes))
}
