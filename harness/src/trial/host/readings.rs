//! Readings of what may disturb a measurement, or prevent it.

use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

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

/// What the host was doing over a short time in which this program only waited.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Activity {
    /// CPUs' worth of work done by anyone.
    pub busy_cpus: Option<f64>,
    /// CPUs' worth that the hypervisor took away.
    pub stolen_cpus: Option<f64>,
    /// Load average over a minute.
    pub load: Option<f64>,
    /// Percent of the last 10 s in which some task waited for a CPU.
    pub waiting_pct: Option<f64>,
}

/// Watches for a time.
pub fn activity(tree: &Tree, time: Duration) -> Activity {
    let before = times(tree);
    sleep(time);
    let after = times(tree);
    let ticks_per_s = rustix::param::clock_ticks_per_second() as f64;
    let rate = |before: u64, after: u64| {
        let seconds = after.saturating_sub(before) as f64 / ticks_per_s;
        seconds / time.as_secs_f64().max(1e-3)
    };
    let both = before.zip(after);
    Activity {
        busy_cpus: both.map(|(before, after)| rate(before.busy, after.busy)),
        stolen_cpus: both.map(|(before, after)| rate(before.stolen, after.stolen)),
        load: tree.line("proc/loadavg").and_then(|line| line.split(' ').next()?.parse().ok()),
        waiting_pct: tree.line("proc/pressure/cpu").and_then(|line| pressure(&line)),
    }
}

/// Ticks since the host started, over all CPUs.
#[derive(Clone, Copy)]
struct Times {
    busy: u64,
    stolen: u64,
}

/// The `cpu` line of `/proc/stat`: user, nice, system, idle, iowait, irq, softirq, steal, and the
/// guests' time, which is in user already (proc(5)).
fn times(tree: &Tree) -> Option<Times> {
    let line = tree.line("proc/stat")?;
    let mut words = line.split_whitespace();
    if words.next()? != "cpu" {
        return None;
    }
    let ticks: Vec<u64> = words.map_while(|word| word.parse().ok()).collect();
    let sum = |places: &[usize]| places.iter().filter_map(|place| ticks.get(*place)).sum();
    (ticks.len() >= 4).then(|| Times { busy: sum(&[0, 1, 2, 5, 6]), stolen: sum(&[7]) })
}

/// `some avg10=1.23 avg60=…`
fn pressure(line: &str) -> Option<f64> {
    line.split(' ').find_map(|word| word.strip_prefix("avg10="))?.parse().ok()
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
    fn a_host_where_nothing_moves_is_quiet() {
        let (_root, tree) = tree(&[
            ("proc/stat", "cpu  100 0 50 900 0 1 2 3 0 0\ncpu0 1 1 1 1\n"),
            ("proc/loadavg", "1.50 0.20 0.26 1/87 14456\n"),
            ("proc/pressure/cpu", "some avg10=88.30 avg60=49.61 avg300=19.02 total=1\n"),
        ]);
        let activity = activity(&tree, Duration::ZERO);
        assert_eq!((activity.busy_cpus, activity.stolen_cpus), (Some(0.0), Some(0.0)));
        assert_eq!((activity.load, activity.waiting_pct), (Some(1.5), Some(88.3)));
        assert_eq!(times(&tree).map(|times| (times.busy, times.stolen)), Some((153, 3)));
    }

    #[test]
    fn space_is_that_of_the_nearest_directory_there_is() {
        let root = tempfile::tempdir().unwrap();
        let space = space(&root.path().join("not/yet/there")).unwrap();
        assert_eq!(space.directory, std::path::absolute(root.path()).unwrap());
        assert!(space.writable && space.free > 0);
    }
}
