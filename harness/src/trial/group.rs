//! A control group of a trial's own, which limits its memory and counts it: version 2 or version 1 of the memory
//! controller (Documentation/admin-guide/cgroup-v2.rst; cgroup-v1/memory.rst).

use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use procfs::Current as _;

use super::program::tally::Counted;
use crate::format::trial::MemoryGroup;

/// Pages that a CPU counts by itself before it tells (`MEMCG_CHARGE_BATCH`).
const BATCH: u64 = 64;
/// The longest list of processes that is read, bytes.
const MOST_PIDS: usize = 16 << 10;
/// Groups that this process has made.
static MADE: AtomicU64 = AtomicU64::new(0);

/// A control group. Dropping it removes it.
pub struct Group {
    dir: PathBuf,
    version: Version,
    limit: Option<u64>,
}

/// Reads what a group has counted of the pages that its processes have mapped.
pub struct Counter {
    dir: PathBuf,
    stat: File,
    version: Version,
    slack: u64,
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

    /// Makes a group below this process's own that only counts; none where that is not allowed or not possible. What
    /// limits this process's own group is written to it as well: some programs go by what their own group says.
    pub fn counting() -> Option<Self> {
        let (version, own) = own()?;
        let file = version.files().0;
        let limit = std::fs::read_to_string(own.join(file)).ok();
        let group = make(&own, version).ok()?;
        if let Some(limit) = limit {
            let _ = std::fs::write(group.dir.join(file), limit.trim());
        }
        Some(group)
    }

    /// What reads its counts; `None` where its kernel has none.
    pub fn counter(&self) -> Option<Counter> {
        let stat = File::open(self.dir.join("memory.stat")).ok()?;
        // Each CPU keeps so many changes back, and as many again wait until they are added up (`MEMCG_CHARGE_BATCH` and
        // `memcg_vmstats_needs_flush` in mm/memcontrol.c). A page is two of them or more: its fault, and itself.
        let cpus = procfs::CpuInfo::current().map_or(1, |info| info.num_cores()) as u64;
        let slack = BATCH * cpus * procfs::page_size();
        let counter = Counter { dir: self.dir.clone(), stat, version: self.version, slack };
        counter.read().map(|_| counter)
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

impl Counter {
    /// The list of the processes in the group, as the kernel gives it; `None` where it cannot be read, or is too long.
    pub fn pids(&self) -> Option<Vec<u8>> {
        // Version 1 gives a file that is held open the list of before.
        let mut text = vec![0u8; MOST_PIDS];
        let got = File::open(self.dir.join("cgroup.procs")).ok()?.read_at(&mut text, 0).ok()?;
        text.truncate(got);
        (got < MOST_PIDS).then_some(text)
    }

    /// What is counted now; about 20 us.
    pub fn read(&self) -> Option<Counted> {
        let mut text = [0u8; 8192];
        let got = self.stat.read_at(&mut text, 0).ok()?;
        let (anon, mapped, shmem) = counted(std::str::from_utf8(&text[..got]).ok()?, self.version)?;
        Some(Counted { anon, mapped, shmem, slack: self.slack })
    }
}

/// What `memory.stat` says: mapped pages, anonymous, and of files and shared memory; and shared memory, mapped or not, where
/// the kernel tells (Linux 4.9 and later; version 1: 4.13). Bytes.
fn counted(text: &str, version: Version) -> Option<(u64, u64, Option<u64>)> {
    let (anon, mapped, shmem) = match version {
        Version::One => ("total_rss", "total_mapped_file", "total_shmem"),
        Version::Two => ("anon", "file_mapped", "shmem"),
    };
    let of = |wanted: &str| {
        text.lines().find_map(|line| line.split_once(' ').filter(|(key, _)| *key == wanted)?.1.parse().ok())
    };
    Some((of(anon)?, of(mapped)?, of(shmem)))
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

fn told(what: &str, path: &Path) -> impl FnOnce(std::io::Error) -> String {
    let what = format!("failed to {what} {}", path.display());
    move |error| format!("{what}: {error}")
}

fn make(own: &Path, version: Version) -> Result<Group, String> {
    if version == Version::Two {
        let control = own.join("cgroup.subtree_control");
        let on =
            std::fs::read_to_string(&control).is_ok_and(|all| all.split_whitespace().any(|c| c == "memory"));
        if !on {
            std::fs::write(&control, "+memory")
                .map_err(told("turn the memory controller on in", &control))?;
        }
    }
    let number = MADE.fetch_add(1, Ordering::Relaxed);
    let dir = own.join(format!("arenalab-{}-{number}", std::process::id()));
    match std::fs::create_dir(&dir) {
        // Left over from a process that had this number.
        Err(e) if e.kind() == ErrorKind::AlreadyExists => {
            std::fs::remove_dir(&dir).and_then(|()| std::fs::create_dir(&dir)).map_err(told("make", &dir))?;
        }
        made => made.map_err(told("make", &dir))?,
    }
    Ok(Group { dir, version, limit: None })
}

fn below(own: &Path, version: Version, limit: u64) -> Result<Group, String> {
    let mut group = make(own, version)?;
    group.limit = Some(limit);
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
    fn counts_of_both_versions_are_read() {
        let one = "rss 1\ntotal_rss 4096\ntotal_rss_huge 0\ntotal_mapped_file 8192\n";
        let two = "anon 4096\nfile 1\nfile_mapped 8192\n";
        for (text, version) in [(one, Version::One), (two, Version::Two)] {
            assert_eq!(counted(text, version), Some((4096, 8192, None)));
            let with = format!("{text}shmem 4096\ntotal_shmem 4096\n");
            assert_eq!(counted(&with, version), Some((4096, 8192, Some(4096))));
        }
        assert_eq!(counted("anon 4096\n", Version::Two), None);
    }

    #[test]
    fn without_the_right_it_is_told_in_a_line() {
        let why = below(Path::new("/nowhere"), Version::Two, 1 << 20).err().unwrap();
        assert!(why.starts_with("failed to turn the memory controller on in /nowhere"), "{why}");
    }
}
