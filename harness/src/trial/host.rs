//! The host: its fingerprint for a manifest, and the readings that tell whether it is fit to measure on.
//!
//! Everything is read from procfs and sysfs below a root, which is `/` but for tests. What cannot be read is
//! `None`: unknown is never 0.

use std::path::{Path, PathBuf};

use crate::format::manifest::Host;
use crate::knowledge::arena_limit::Cpus;

mod activity;
mod cgroup;
mod readings;
mod times;

pub use activity::{Activity, User, activity};
pub use cgroup::Limits;
pub use readings::{Readings, Space, readings, space};
pub use times::{CpuTimes, allowed_cpus};

/// A tree that has `proc`, `sys` and `etc` in it.
#[derive(Clone, Debug)]
pub struct Tree {
    root: PathBuf,
}

/// The version of the C library that this process runs on; `None` where it is not glibc.
pub fn libc_version() -> Option<String> {
    #[cfg(target_env = "gnu")]
    {
        // SAFETY: the function takes nothing and gives a pointer to a constant text that ends with a zero byte.
        let version = unsafe { std::ffi::CStr::from_ptr(libc::gnu_get_libc_version()) };
        version.to_str().ok().map(str::to_owned)
    }
    #[cfg(not(target_env = "gnu"))]
    None
}

impl Default for Tree {
    fn default() -> Self {
        Self::below(Path::new("/"))
    }
}

impl Tree {
    /// A tree below a directory.
    pub fn below(root: &Path) -> Self {
        Self { root: root.to_path_buf() }
    }

    /// A file's content, where it can be read.
    fn text(&self, path: &str) -> Option<String> {
        let path = self.root.join(path.trim_start_matches('/'));
        std::fs::read(path).ok().map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    }

    /// A file's first line without white space around it, where there is one.
    fn line(&self, path: &str) -> Option<String> {
        self.text(path).and_then(|text| text.lines().next().map(|line| line.trim().to_owned()))
    }

    /// Whether there is something at a path: a link, or a file that is not blank.
    fn is_there(&self, path: &str) -> bool {
        let link = self.root.join(path.trim_start_matches('/')).is_symlink();
        link || self.text(path).is_some_and(|text| !text.trim().is_empty())
    }

    /// A file that holds one number.
    fn number(&self, path: &str) -> Option<u64> {
        self.line(path)?.parse().ok()
    }

    /// The value of a `KEY: value` or `KEY=value` line.
    fn field(&self, path: &str, key: &str, separator: char) -> Option<String> {
        let text = self.text(path)?;
        let value = text.lines().find_map(|line| {
            let (name, value) = line.split_once(separator)?;
            (name.trim() == key).then(|| value.trim().trim_matches('"').to_owned())
        });
        value.filter(|value| !value.is_empty())
    }

    /// Bytes of a `/proc/meminfo` line.
    fn meminfo(&self, key: &str) -> Option<u64> {
        let kib = self.field("proc/meminfo", key, ':')?;
        kib.strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib * 1024)
    }
}

/// The host cannot be told from another: the file that could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("failed to read what the host is: {0} is missing or not understood; is /proc mounted?")]
pub struct Unreadable(&'static str);

/// This host's fingerprint. `name` is what it is to be called; the system's own name where that is `None`.
///
/// # Errors
/// When the CPUs or the memory cannot be read.
pub fn fingerprint(name: Option<String>) -> Result<Host, Unreadable> {
    fingerprint_of(name, &Tree::default())
}

fn fingerprint_of(name: Option<String>, tree: &Tree) -> Result<Host, Unreadable> {
    let system = rustix::system::uname();
    let text = |text: &std::ffi::CStr| text.to_string_lossy().into_owned();
    let cpus = cpus(tree).ok_or(Unreadable("/proc/self/status (Cpus_allowed_list)"))?;
    Ok(Host {
        name: name.unwrap_or_else(|| text(system.nodename())),
        os: tree.field("etc/os-release", "PRETTY_NAME", '='),
        kernel: text(system.release()),
        arch: text(system.machine()),
        cpu: cpu_model(tree),
        cpus_online: cpus.online,
        cpus_allowed: cpus.allowed,
        memory: tree.meminfo("MemTotal").ok_or(Unreadable("/proc/meminfo (MemTotal)"))?,
        cgroup_limit: cgroup::limits(tree).memory,
        thp: tree.line("sys/kernel/mm/transparent_hugepage/enabled").and_then(|line| selected(&line)),
        page_size: rustix::param::page_size() as u64,
    })
}

/// The CPUs, as glibc may count them. Where sysfs is not mounted, those allowed stand for those online.
pub fn cpus(tree: &Tree) -> Option<Cpus> {
    let allowed =
        tree.field("proc/self/status", "Cpus_allowed_list", ':').and_then(|list| cpu_list(&list))?;
    let online = tree.line("sys/devices/system/cpu/online").and_then(|list| cpu_list(&list));
    // The mask of a virtual machine may name CPUs that could be plugged in but are not there.
    Some(Cpus { online: online.unwrap_or(allowed), allowed: allowed.min(online.unwrap_or(allowed)) })
}

/// x86 names its model; most ARM kernels give the board's in the device tree.
fn cpu_model(tree: &Tree) -> Option<String> {
    let mut keys = ["model name", "Model", "cpu model"].into_iter();
    let named = keys.find_map(|key| tree.field("proc/cpuinfo", key, ':'));
    named.or_else(|| {
        let board = tree.line("sys/firmware/devicetree/base/model")?;
        Some(board.trim_end_matches('\0').to_owned()).filter(|board| !board.is_empty())
    })
}

/// How many CPUs a list such as `0-3,8` names.
fn cpu_list(list: &str) -> Option<u32> {
    let mut count = 0u32;
    for range in list.split(',').map(str::trim).filter(|range| !range.is_empty()) {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last): (u32, u32) = (first.parse().ok()?, last.parse().ok()?);
        count = count.checked_add(last.checked_sub(first)?.checked_add(1)?)?;
    }
    (count > 0).then_some(count)
}

/// The word in brackets: `always [madvise] never`.
fn selected(line: &str) -> Option<String> {
    line.split_whitespace()
        .find_map(|word| word.strip_prefix('[').and_then(|word| word.strip_suffix(']')))
        .map(str::to_owned)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A tree with these files.
    pub(super) fn tree(files: &[(&str, &str)]) -> (tempfile::TempDir, Tree) {
        let root = tempfile::tempdir().unwrap();
        for (path, content) in files {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        }
        let tree = Tree::below(root.path());
        (root, tree)
    }

    #[test]
    fn cpu_lists_are_counted() {
        for (list, count) in [("0", 1), ("0-3", 4), ("0-3,8,10-11", 7), ("0-63\n", 64)] {
            assert_eq!(cpu_list(list.trim()), Some(count), "{list}");
        }
        for list in ["", "3-1", "a", "0-4294967295", "0-"] {
            assert_eq!(cpu_list(list), None, "{list}");
        }
    }

    #[test]
    fn a_fingerprint_is_read_from_the_tree() {
        let (_root, tree) = tree(&[
            ("etc/os-release", "NAME=\"Debian\"\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n"),
            ("proc/cpuinfo", "processor\t: 0\nmodel name\t: Some CPU @ 2 GHz\n"),
            ("proc/meminfo", "MemTotal:        8000 kB\nMemFree: 1 kB\n"),
            ("proc/self/status", "Name:\tx\nCpus_allowed_list:\t2-3\n"),
            ("sys/devices/system/cpu/online", "0-7\n"),
            ("sys/kernel/mm/transparent_hugepage/enabled", "always [madvise] never\n"),
        ]);
        let host = fingerprint_of(Some("here".to_owned()), &tree).unwrap();
        assert_eq!(host.name, "here");
        assert_eq!(host.os.as_deref(), Some("Debian GNU/Linux 12 (bookworm)"));
        assert_eq!(host.cpu.as_deref(), Some("Some CPU @ 2 GHz"));
        assert_eq!((host.cpus_online, host.cpus_allowed, host.memory), (8, 2, 8_192_000));
        assert_eq!((host.thp.as_deref(), host.cgroup_limit), (Some("madvise"), None));
    }

    #[test]
    fn what_cannot_be_read_is_an_error_or_unknown_but_never_zero() {
        let (_root, empty) = tree(&[]);
        assert!(fingerprint_of(None, &empty).unwrap_err().to_string().contains("Cpus_allowed_list"));
        let (_root, little) =
            tree(&[("proc/self/status", "Cpus_allowed_list:\t0-1\n"), ("proc/meminfo", "MemTotal: 4 kB\n")]);
        let host = fingerprint_of(None, &little).unwrap();
        assert_eq!((host.cpus_online, host.memory, host.os, host.thp), (2, 4096, None, None));
        assert!(!host.name.is_empty() && !host.kernel.is_empty() && host.page_size >= 4096);
    }

    #[test]
    fn this_host_has_one() {
        let host = fingerprint(None).unwrap();
        assert!(host.cpus_online >= host.cpus_allowed && host.cpus_allowed >= 1);
    }
}
