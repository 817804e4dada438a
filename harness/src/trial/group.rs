//! A control group of a trial's own, which limits its memory and counts it: version 2 or version 1 of the memory
//! controller (Documentation/admin-guide/cgroup-v2.rst; cgroup-v1/memory.rst).

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::format::trial::MemoryGroup;

/// A control group. Dropping it removes it.
pub struct Group {
    dir: PathBuf,
    version: Version,
    limit: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    One,
    Two,
}

/// What a version's files are called: limit, largest use, events.
impl Version {
    const fn files(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::One => ("memory.limit_in_bytes", "memory.max_usage_in_bytes", "memory.oom_control"),
            Self::Two => ("memory.max", "memory.peak", "memory.events"),
        }
    }
}

impl Group {
    /// Makes a group below this process's own, with a limit in bytes.
    ///
    /// # Errors
    /// One line that says what it needs.
    pub fn make(limit: u64) -> Result<Self, String> {
        let (version, own) = own().ok_or_else(|| {
            "a memory limit needs a control group, but no memory controller of version 1 or 2 is mounted here; leave \
             --memory-limit out"
                .to_owned()
        })?;
        below(&own, version, limit).map_err(|why| {
            format!(
                "a memory limit needs the right to make a control group below {}: {why}. Run arenalab as root, or \
                 under 'systemd-run --user --scope -p Delegate=yes', or leave --memory-limit out",
                own.display()
            )
        })
    }

    /// The file that a process writes itself into.
    pub fn procs(&self) -> PathBuf {
        self.dir.join("cgroup.procs")
    }

    /// What it has counted.
    pub fn account(&self) -> MemoryGroup {
        let (_, peak, events) = self.version.files();
        let text = |file: &str| std::fs::read_to_string(self.dir.join(file)).ok();
        let kills = text(events).and_then(|text| {
            let line = text.lines().find_map(|line| line.strip_prefix("oom_kill "))?;
            line.trim().parse().ok()
        });
        MemoryGroup {
            limit: self.limit,
            peak: text(peak).and_then(|text| text.trim().parse().ok()),
            oom_kills: kills,
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // A process that has just ended is in it for a moment longer.
        for _ in 0..50 {
            match std::fs::remove_dir(&self.dir) {
                Err(e) if e.kind() == ErrorKind::ResourceBusy => {
                    std::thread::sleep(Duration::from_millis(10));
                }
                _ => return,
            }
        }
    }
}

/// This process's own group: the memory controller's of version 1, else version 2.
fn own() -> Option<(Version, PathBuf)> {
    let groups = std::fs::read_to_string("/proc/self/cgroup").ok()?;
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").ok()?;
    find(&groups, &mounts).filter(|(_, dir)| dir.is_dir())
}

fn find(groups: &str, mounts: &str) -> Option<(Version, PathBuf)> {
    let group = |controllers: &str| {
        groups.lines().find_map(|line| {
            let mut parts = line.splitn(3, ':').skip(1);
            let (has, path) = (parts.next()?, parts.next()?);
            has.split(',').any(|name| name == controllers).then_some(path)
        })
    };
    let at = |kind: &str, option: Option<&str>, path: &str| {
        mounts.lines().find_map(|line| {
            let (mount, system) = line.split_once(" - ")?;
            let (root, point) = (mount.split(' ').nth(3)?, mount.split(' ').nth(4)?);
            let mut system = system.split(' ');
            let fits = system.next()? == kind
                && option
                    .is_none_or(|option| system.nth(1).unwrap_or("").split(',').any(|has| has == option));
            let inside = Path::new(path).strip_prefix(root).unwrap_or(Path::new(""));
            fits.then(|| Path::new(point).join(inside))
        })
    };
    let one = group("memory").and_then(|path| at("cgroup", Some("memory"), path));
    let two = || group("").and_then(|path| at("cgroup2", None, path));
    one.map(|dir| (Version::One, dir)).or_else(|| two().map(|dir| (Version::Two, dir)))
}

fn below(own: &Path, version: Version, limit: u64) -> Result<Group, String> {
    let told = |what: &str, path: &Path| {
        let what = format!("failed to {what} {}", path.display());
        move |error: std::io::Error| format!("{what}: {error}")
    };
    if version == Version::Two {
        let control = own.join("cgroup.subtree_control");
        let on =
            std::fs::read_to_string(&control).is_ok_and(|all| all.split_whitespace().any(|c| c == "memory"));
        if !on {
            std::fs::write(&control, "+memory")
                .map_err(told("turn the memory controller on in", &control))?;
        }
    }
    let dir = own.join(format!("arenalab-{}", std::process::id()));
    match std::fs::create_dir(&dir) {
        // Left over from a trial of this very process.
        Err(e) if e.kind() == ErrorKind::AlreadyExists => {
            std::fs::remove_dir(&dir).and_then(|()| std::fs::create_dir(&dir)).map_err(told("make", &dir))?;
        }
        made => made.map_err(told("make", &dir))?,
    }
    let group = Group { dir, version, limit };
    let file = group.dir.join(version.files().0);
    std::fs::write(&file, limit.to_string()).map_err(told("write to", &file))?;
    // Without this a limit of memory is only one of what stays in memory; hosts without swap have no such file.
    let no_swap = match version {
        Version::One => ("memory.memsw.limit_in_bytes", limit.to_string()),
        Version::Two => ("memory.swap.max", "0".to_owned()),
    };
    let _ = std::fs::write(group.dir.join(no_swap.0), no_swap.1);
    Ok(group)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_own_group_is_found_under_both_versions() {
        let mounts = "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n\
                      36 31 0:33 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";
        let one = find("4:memory:/x/y\n1:cpu:/\n0::/\n", mounts);
        assert_eq!(one, Some((Version::One, "/sys/fs/cgroup/memory/x/y".into())));
        let two = find("0::/a\n", "30 20 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n");
        assert_eq!(two, Some((Version::Two, "/sys/fs/cgroup/a".into())));
        let container =
            find("0::/docker/abc\n", "30 20 0:26 /docker/abc /sys/fs/cgroup rw - cgroup2 cgroup rw\n");
        assert_eq!(container, Some((Version::Two, "/sys/fs/cgroup".into())));
        assert_eq!(find("0::/a\n", ""), None);
    }

    #[test]
    fn without_the_right_it_is_told_in_a_line() {
        let why = below(Path::new("/nowhere"), Version::Two, 1 << 20).err().unwrap();
        assert!(why.starts_with("failed to turn the memory controller on in /nowhere"), "{why}");
    }
}
