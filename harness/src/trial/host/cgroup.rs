//! Limits that the process's control group sets, under both versions of the interface
//! (Documentation/admin-guide/cgroup-v2.rst; cgroup-v1/memory.rst; scheduler/sched-bwc.rst).

use std::path::Path;

use super::Tree;

/// What a control group and its ancestors allow; `None` where there is no limit, or none to be seen.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Limits {
    /// Bytes of memory.
    pub memory: Option<u64>,
    /// CPUs' worth of time, for example 1.5.
    pub cpus: Option<f64>,
    /// Processes and threads.
    pub tasks: Option<u64>,
}

/// The version 1 interface writes "no limit" as the largest multiple of the page size.
const UNLIMITED: u64 = 1 << 60;

/// Reads the limits of this process: the tightest of its own group and all above that can be seen.
pub(super) fn limits(tree: &Tree) -> Limits {
    let Some(groups) = tree.text("proc/self/cgroup") else { return Limits::default() };
    let Some(mounts) = tree.text("proc/self/mountinfo") else { return Limits::default() };
    let mut limits = Limits::default();
    for group in groups.lines().filter_map(Group::read) {
        for mount in mounts.lines().filter_map(Mount::read).filter(|mount| mount.carries(&group)) {
            for directory in mount.directories(group.path) {
                limits = limits.tightest(read(tree, &directory));
            }
        }
    }
    limits
}

impl Limits {
    fn tightest(self, other: Self) -> Self {
        let least = |a: Option<u64>, b: Option<u64>| a.into_iter().chain(b).min();
        Self {
            memory: least(self.memory, other.memory),
            cpus: self.cpus.into_iter().chain(other.cpus).reduce(f64::min),
            tasks: least(self.tasks, other.tasks),
        }
    }
}

/// What one directory says. A file that is not there belongs to the other version or another controller.
fn read(tree: &Tree, directory: &str) -> Limits {
    let limit = |file: &str| tree.number(&format!("{directory}/{file}")).filter(|limit| *limit < UNLIMITED);
    Limits {
        memory: limit("memory.max").or_else(|| limit("memory.limit_in_bytes")),
        cpus: quota(tree, directory),
        tasks: limit("pids.max"),
    }
}

fn quota(tree: &Tree, directory: &str) -> Option<f64> {
    let both = tree.line(&format!("{directory}/cpu.max"));
    let (quota, period): (u64, u64) = match both.as_deref().and_then(|line| line.split_once(' ')) {
        Some((quota, period)) => (quota.parse().ok()?, period.parse().ok()?),
        None => (
            tree.number(&format!("{directory}/cpu.cfs_quota_us"))?,
            tree.number(&format!("{directory}/cpu.cfs_period_us"))?,
        ),
    };
    (period > 0).then(|| quota as f64 / period as f64)
}

/// A line of `/proc/self/cgroup`: `ID:CONTROLLERS:PATH`; version 2 has no controllers there.
struct Group<'a> {
    controllers: &'a str,
    path: &'a str,
}

impl<'a> Group<'a> {
    fn read(line: &'a str) -> Option<Self> {
        let mut parts = line.splitn(3, ':').skip(1);
        Some(Self { controllers: parts.next()?, path: parts.next()? })
    }
}

/// A line of `/proc/self/mountinfo`, as far as it is needed (proc(5)).
struct Mount<'a> {
    root: &'a str,
    point: &'a str,
    kind: &'a str,
    options: &'a str,
}

impl<'a> Mount<'a> {
    fn read(line: &'a str) -> Option<Self> {
        let (mount, system) = line.split_once(" - ")?;
        let mut mount = mount.split(' ').skip(3);
        let mut system = system.split(' ');
        let (root, point) = (mount.next()?, mount.next()?);
        Some(Self { root, point, kind: system.next()?, options: system.nth(1).unwrap_or_default() })
    }

    fn carries(&self, group: &Group<'_>) -> bool {
        match self.kind {
            "cgroup2" => group.controllers.is_empty(),
            "cgroup" => {
                group.controllers.split(',').any(|name| self.options.split(',').any(|has| has == name))
            }
            _ => false,
        }
    }

    /// The directories of a group and of all groups above it that this mount shows.
    fn directories(&self, group: &str) -> Vec<String> {
        let below = Path::new(group).strip_prefix(self.root).unwrap_or(Path::new(""));
        let shown = below.ancestors().map(|below| Path::new(self.point).join(below).display().to_string());
        shown.map(|directory| directory.trim_end_matches('/').to_owned()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::tree;
    use super::*;

    #[test]
    fn version_2_takes_the_tightest_of_all_levels() {
        let (_root, tree) = tree(&[
            ("proc/self/cgroup", "0::/a/b\n"),
            ("proc/self/mountinfo", "30 20 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw\n"),
            ("sys/fs/cgroup/a/b/memory.max", "max\n"),
            ("sys/fs/cgroup/a/memory.max", "1048576\n"),
            ("sys/fs/cgroup/a/b/cpu.max", "150000 100000\n"),
            ("sys/fs/cgroup/a/cpu.max", "max 100000\n"),
            ("sys/fs/cgroup/a/b/pids.max", "64\n"),
        ]);
        let expected = Limits { memory: Some(1 << 20), cpus: Some(1.5), tasks: Some(64) };
        assert_eq!(limits(&tree), expected);
    }

    #[test]
    fn version_1_is_read_by_controller_and_its_largest_number_is_no_limit() {
        let mounts = "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n\
                      32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n";
        let (_root, tree) = tree(&[
            ("proc/self/cgroup", "4:memory:/x\n1:cpu:/\n0::/\n"),
            ("proc/self/mountinfo", mounts),
            ("sys/fs/cgroup/memory/x/memory.limit_in_bytes", "536870912\n"),
            ("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n"),
            ("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n"),
            ("sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n"),
        ]);
        assert_eq!(limits(&tree), Limits { memory: Some(512 << 20), cpus: None, tasks: None });
    }

    #[test]
    fn in_a_container_the_group_is_below_the_roots_of_the_mount() {
        let (_root, tree) = tree(&[
            ("proc/self/cgroup", "0::/docker/abc/in\n"),
            ("proc/self/mountinfo", "30 20 0:26 /docker/abc /sys/fs/cgroup ro - cgroup2 cgroup rw\n"),
            ("sys/fs/cgroup/memory.max", "1000\n"),
            ("sys/fs/cgroup/in/memory.max", "2000\n"),
        ]);
        assert_eq!(limits(&tree).memory, Some(1000));
    }
}
