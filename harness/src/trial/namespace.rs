//! A mount namespace of a process's own, in which mounts are seen by itself and by what it starts.
//!
//! Root needs the mount namespace alone. Others get a user namespace as well, in which their user and group are what
//! they are outside, so that the harness may still read and signal what runs there.

use rustix::io::Errno;
use rustix::mount::{MountPropagationFlags, mount_change};
use rustix::thread::{UnshareFlags, unshare_unsafe};

/// Into a mount namespace of its own, from which no mount spreads to where this process came from; with a user namespace
/// where that takes one.
pub(super) fn leave_the_others() -> Result<(), Errno> {
    unshare()?;
    mount_change("/", MountPropagationFlags::DOWNSTREAM | MountPropagationFlags::REC)
}

fn unshare() -> Result<(), Errno> {
    let (user, group) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    // SAFETY: descriptors stay shared; this process has no other thread that could rely on what is unshared.
    let alone = unsafe { unshare_unsafe(UnshareFlags::NEWNS) };
    if alone != Err(Errno::PERM) {
        return alone;
    }
    // SAFETY: as above.
    unsafe { unshare_unsafe(UnshareFlags::NEWUSER | UnshareFlags::NEWNS) }?;
    let map = |file: &str, content: String| {
        std::fs::write(format!("/proc/self/{file}"), content)
            .map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::PERM))
    };
    // Without this, the group may not be mapped (user_namespaces(7)).
    map("setgroups", "deny".to_owned())?;
    map("uid_map", format!("{user} {user} 1"))?;
    map("gid_map", format!("{group} {group} 1"))
}
