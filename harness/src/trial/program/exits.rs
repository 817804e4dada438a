//! How a process of a trial ended that is another's child: nobody but its parent is told, but a pidfd held from
//! before knows (`PIDFD_GET_INFO` with `PIDFD_INFO_EXIT`, Linux 6.15; include/uapi/linux/pidfd.h). On older
//! kernels it is not known.

use std::os::fd::{AsRawFd, OwnedFd};

use rustix::process::{Pid, PidfdFlags, pidfd_open};

/// `struct pidfd_info`, first version.
#[repr(C)]
#[derive(Default)]
struct Info {
    mask: u64,
    cgroup: u64,
    ids: [u32; 11],
    exit_code: i32,
}

/// `PIDFD_INFO_EXIT`.
const EXIT: u64 = 1 << 3;
/// `PIDFD_GET_INFO`: `_IOWR(0xFF, 11, struct pidfd_info)`.
const GET_INFO: libc::c_ulong = (3 << 30) | (64 << 16) | (0xFF << 8) | 0xB;

/// A handle on a process, from while it lives.
pub struct Handle(OwnedFd);

impl Handle {
    /// Takes a handle; `None` where the process is gone, or the kernel too old.
    pub fn open(pid: i32) -> Option<Self> {
        pidfd_open(Pid::from_raw(pid)?, PidfdFlags::empty()).ok().map(Self)
    }

    /// The signal that ended the process, once it is gone and reaped; `None` where none did, or where it is not
    /// known.
    pub fn signal(&self) -> Option<i32> {
        let mut info = Info { mask: EXIT, ..Info::default() };
        // SAFETY: the kernel writes at most the 64 bytes whose size is part of the request, into a value of that
        // size that holds plain numbers.
        let done = unsafe { libc::ioctl(self.0.as_raw_fd(), GET_INFO as _, &raw mut info) };
        let known = done == 0 && info.mask & EXIT != 0;
        known.then_some(info.exit_code & 0x7f).filter(|signal| *signal != 0)
    }
}

const _: () = assert!(size_of::<Info>() == 64);

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn a_signal_is_known_where_the_kernel_tells() {
        let mut child = Command::new("/bin/sleep").arg("60").spawn().unwrap();
        let handle = Handle::open(child.id().cast_signed());
        assert_eq!(handle.as_ref().and_then(Handle::signal), None, "it lives");
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(matches!(handle.and_then(|handle| handle.signal()), Some(9) | None));
    }
}
