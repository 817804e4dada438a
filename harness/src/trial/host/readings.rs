//! Readings of what may disturb a measurement, or prevent it.

use std::path::{Path, PathBuf};

use rustix::process::{Resource, getrlimit};

use super::cgroup::{self, Limits};
use super::{Tree, cpus, selected};
use crate::knowledge::arena_limit::Cpus;

/// What the host is like, apart from what it is doing.
#[derive(Clone, Debug, PartialEq)]
pub struct Readings {
    /// CPUs.
    pub cpus: Option<Cpus>,
    /// Limits of the control group.
    pub limits: Limits,
    /// Bytes of memory.
    pub memory: Option<u64>,
    /// Bytes of memory that are available without swapping.
    pub memory_available: Option<u64>,
    /// Bytes of swap in use.
    pub swap_used: Option<u64>,
    /// Transparent huge pages: `always`, `madvise` or `never`.
    pub thp: Option<String>,
    /// `vm.overcommit_memory`: 0 heuristic, 1 always, 2 strict.
    pub overcommit: Option<u64>,
    /// Frequency governor of the first CPU.
    pub governor: Option<String>,
    /// Whether the CPU may clock itself above its nominal frequency.
    pub turbo: Option<bool>,
    /// The kernel's clock source.
    pub clock_source: Option<String>,
    /// Limit of address space (`ulimit -v`), bytes.
    pub address_space: Option<u64>,
    /// Limit of processes and threads of the user (`ulimit -u`).
    pub user_tasks: Option<u64>,
    /// Whether `smaps_rollup` can be read: Linux 4.14.
    pub smaps_rollup: bool,
    /// Files of the system that steer allocators in every program, in spite of its environment.
    pub steering_files: Vec<&'static str>,
    /// Whether `/proc/pressure` is there: Linux 4.20, unless switched off.
    pub pressure: bool,
}

/// Takes the readings.
pub fn readings(tree: &Tree) -> Readings {
    let swap = tree.meminfo("SwapTotal").zip(tree.meminfo("SwapFree"));
    Readings {
        cpus: cpus(tree),
        limits: cgroup::limits(tree),
        memory: tree.meminfo("MemTotal"),
        memory_available: tree.meminfo("MemAvailable"),
        swap_used: swap.map(|(total, free)| total.saturating_sub(free)),
        thp: tree.line("sys/kernel/mm/transparent_hugepage/enabled").and_then(|line| selected(&line)),
        overcommit: tree.number("proc/sys/vm/overcommit_memory"),
        governor: tree.line("sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        turbo: turbo(tree),
        clock_source: tree.line("sys/devices/system/clocksource/clocksource0/current_clocksource"),
        address_space: getrlimit(Resource::As).current,
        user_tasks: getrlimit(Resource::Nproc).current,
        smaps_rollup: tree.text("proc/self/smaps_rollup").is_some_and(|text| text.contains("Rss:")),
        steering_files: STEERING_FILES.into_iter().filter(|path| tree.is_there(path)).collect(),
        pressure: tree.text("proc/pressure/cpu").is_some(),
    }
}

/// Read by ld.so, by jemalloc (the target of a symbolic link, jemalloc(3)), and by glibc from 2.44 on.
const STEERING_FILES: [&str; 3] = ["/etc/ld.so.preload", "/etc/malloc.conf", "/etc/tunables.conf"];

/// Intel's driver says whether turbo is off, the generic one whether boost is on.
fn turbo(tree: &Tree) -> Option<bool> {
    let off = tree.number("sys/devices/system/cpu/intel_pstate/no_turbo").map(|off| off == 0);
    off.or_else(|| tree.number("sys/devices/system/cpu/cpufreq/boost").map(|on| on != 0))
}

/// Room for results.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Space {
    /// The nearest directory that is there already.
    pub directory: PathBuf,
    /// Bytes that may be written.
    pub free: u64,
    /// Whether files can be made there.
    pub writable: bool,
}

/// The room at a directory, or at the nearest one above it that exists.
///
/// # Errors
/// When not even that can be looked at.
pub fn space(directory: &Path) -> std::io::Result<Space> {
    let here = std::path::absolute(directory)?;
    let existing = here.ancestors().find(|directory| directory.is_dir()).unwrap_or(Path::new("/"));
    let system = rustix::fs::statvfs(existing)?;
    Ok(Space {
        directory: existing.to_path_buf(),
        free: system.f_bavail.saturating_mul(system.f_frsize),
        writable: rustix::fs::access(existing, rustix::fs::Access::WRITE_OK).is_ok(),
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::tree;
    use super::*;

    #[test]
    fn readings_come_from_the_tree() {
        let (root, tree) = tree(&[
            ("proc/meminfo", "MemTotal: 100 kB\nMemAvailable: 40 kB\nSwapTotal: 10 kB\nSwapFree: 4 kB\n"),
            ("proc/sys/vm/overcommit_memory", "2\n"),
            ("proc/self/smaps_rollup", "00400000-7ffc [rollup]\nRss:  4 kB\n"),
            ("sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "powersave\n"),
            ("sys/devices/system/cpu/intel_pstate/no_turbo", "0\n"),
            ("etc/ld.so.preload", "\n"),
        ]);
        std::os::unix::fs::symlink("narenas:1", root.path().join("etc/malloc.conf")).unwrap();
        let read = readings(&tree);
        // An empty list preloads nothing; the link points nowhere, and means its target's name.
        assert_eq!(read.steering_files, ["/etc/malloc.conf"]);
        assert_eq!((read.memory_available, read.swap_used), (Some(40 << 10), Some(6 << 10)));
        assert_eq!((read.overcommit, read.turbo), (Some(2), Some(true)));
        assert_eq!(read.governor.as_deref(), Some("powersave"));
        assert!(read.smaps_rollup && !read.pressure);
        assert_eq!(read.clock_source, None);
    }

    #[test]
    fn boost_and_no_turbo_mean_the_opposite() {
        let (_root, off) = tree(&[("sys/devices/system/cpu/cpufreq/boost", "0\n")]);
        let (_root2, unknown) = tree(&[]);
        assert_eq!((turbo(&off), turbo(&unknown)), (Some(false), None));
    }

    #[test]
    fn space_is_that_of_the_nearest_directory_there_is() {
        let root = tempfile::tempdir().unwrap();
        let space = space(&root.path().join("not/yet/there")).unwrap();
        assert_eq!(space.directory, std::path::absolute(root.path()).unwrap());
        assert!(space.writable && space.free > 0);
    }
}
