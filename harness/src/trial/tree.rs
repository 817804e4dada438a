//! The processes of a trial: all that descend from its launcher. Whatever leaves its parent or its group is
//! handed to the launcher, which is a subreaper, so that nothing leaves the tree.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::LazyLock;

use procfs::process::{Process, Stat};

use super::proc_file;

/// Most processes of one trial that are looked at.
pub const MOST: usize = 4096;

/// A process of a trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its id.
    pub pid: i32,
    /// Its parent's.
    pub parent: i32,
}

/// The processes below a launcher, parents before their children. A process that comes or goes meanwhile may
/// be among them or not.
pub fn below(launcher: i32) -> Vec<Member> {
    let list = |parent: i32| children(parent).or_else(|| scan().remove(&parent)).unwrap_or_default();
    let mut members: Vec<Member> = Vec::new();
    let mut parents = vec![launcher];
    while let Some(parent) = parents.pop() {
        for pid in list(parent) {
            if members.len() >= MOST || members.iter().any(|member| member.pid == pid) {
                continue;
            }
            members.push(Member { pid, parent });
            parents.push(pid);
        }
    }
    members
}

/// A process of a trial at one moment.
#[derive(Clone, Debug)]
pub struct Now {
    /// Which it is.
    pub member: Member,
    /// CPU seconds that it had used just before.
    pub used_s: f64,
    /// What it was.
    pub stat: Stat,
}

/// The processes below a launcher with what each is now.
pub fn now_below(launcher: i32) -> Vec<Now> {
    if !tells_children() {
        return below(launcher).into_iter().filter_map(now).collect();
    }
    let mut all: Vec<Now> = Vec::new();
    let mut parents = vec![(launcher, None)];
    while let Some((parent, threads)) = parents.pop() {
        let list = if threads == Some(1) { children_of_only_thread(parent) } else { None };
        for pid in list.or_else(|| children(parent)).unwrap_or_default() {
            let is_known = all.iter().any(|now| now.member.pid == pid);
            let new = now(Member { pid, parent }).filter(|_| !is_known && all.len() < MOST);
            if let Some(new) = new {
                parents.push((pid, Some(new.stat.num_threads)));
                all.push(new);
            }
        }
    }
    all
}

fn now(member: Member) -> Option<Now> {
    // First the time, then what it is: what was used by then was used by this image or by one before.
    let used_s = cpu_s(member.pid).unwrap_or(0.0);
    Some(Now { member, used_s, stat: proc_file::stat(member.pid)? })
}

/// CPU seconds that a process has used in its life, exactly; `None` where it is gone.
pub fn cpu_s(pid: i32) -> Option<f64> {
    // The clock of a process's CPU time: MAKE_PROCESS_CPUCLOCK in include/linux/posix-timers_types.h.
    let clock = (!pid << 3) | 2;
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the kernel writes one timespec, into one that is ours; any number may be asked for as a clock.
    let done = unsafe { libc::clock_gettime(clock, &raw mut time) };
    (done == 0).then(|| time.tv_sec as f64 + time.tv_nsec as f64 / 1e9)
}

/// Whether the kernel lists children (`CONFIG_PROC_CHILDREN`).
fn tells_children() -> bool {
    static TOLD: LazyLock<bool> = LazyLock::new(|| Path::new("/proc/thread-self/children").exists());
    *TOLD
}

/// The children of a process of one thread; `None` where that cannot be read whole.
fn children_of_only_thread(pid: i32) -> Option<Vec<i32>> {
    let text = proc_file::Text::read(pid, &format!("task/{pid}/children"))?;
    let list = std::str::from_utf8(text.bytes()).ok().filter(|_| !text.is_full())?;
    list.split_whitespace().map(|pid| pid.parse().ok()).collect()
}

/// The children of all threads of a process, from `task/*/children`; `None` where the kernel has no such file.
fn children(pid: i32) -> Option<Vec<i32>> {
    if !tells_children() {
        return None;
    }
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).ok();
    let lists = tasks.into_iter().flatten().flatten().filter_map(|task| {
        let list = std::fs::read_to_string(task.path().join("children"));
        list.ok()
    });
    let read =
        |list: String| list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<i32>>();
    Some(lists.flat_map(read).collect())
}

/// All processes of the host by their parents.
fn scan() -> BTreeMap<i32, Vec<i32>> {
    let mut all: BTreeMap<i32, Vec<i32>> = BTreeMap::new();
    for stat in procfs::process::all_processes().into_iter().flatten().flatten().filter_map(|p| p.stat().ok())
    {
        all.entry(stat.ppid).or_default().push(stat.pid);
    }
    all
}

/// CPU time of the processes so far, that of their reaped children included.
pub fn cpu(all: &[Now]) -> std::time::Duration {
    let reaped = |ticks: i64| u64::try_from(ticks).unwrap_or(0);
    let ticks = |Now { stat, .. }: &Now| stat.utime + stat.stime + reaped(stat.cutime) + reaped(stat.cstime);
    let ticks: u64 = all.iter().map(ticks).sum();
    std::time::Duration::from_secs_f64(ticks as f64 / procfs::ticks_per_second() as f64)
}

/// CPU, faults and switches of the processes so far, those of their reaped children included.
pub fn usage(members: &[Member]) -> super::launcher::Usage {
    let tick = procfs::ticks_per_second() as f64;
    let mut sum = super::launcher::Usage::default();
    let processes = members.iter().filter_map(|member| Process::new(member.pid).ok());
    for process in processes {
        let Ok(stat) = process.stat() else { continue };
        let reaped = |ticks: i64| ticks.max(0) as f64;
        sum.user_s += (stat.utime as f64 + reaped(stat.cutime)) / tick;
        sum.system_s += (stat.stime as f64 + reaped(stat.cstime)) / tick;
        sum.minor_faults += stat.minflt + stat.cminflt;
        sum.major_faults += stat.majflt + stat.cmajflt;
        for status in process.tasks().into_iter().flatten().flatten().filter_map(|task| task.status().ok()) {
            sum.voluntary += status.voluntary_ctxt_switches.unwrap_or(0);
            sum.involuntary += status.nonvoluntary_ctxt_switches.unwrap_or(0);
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn the_cpu_time_of_a_process_grows_and_ends_with_it() {
        let me = std::process::id().cast_signed();
        let before = cpu_s(me).unwrap();
        while cpu_s(me).unwrap() <= before {
            std::hint::black_box((0..1000).sum::<u64>());
        }
        assert_eq!(cpu_s(i32::MAX - 1), None);
    }

    #[test]
    fn children_and_their_children_are_below() {
        let mut child = Command::new("/bin/sh").args(["-c", "sleep 60 & wait"]).spawn().unwrap();
        let shell = child.id().cast_signed();
        let me = std::process::id().cast_signed();
        let below_me =
            || below(me).into_iter().filter(|member| member.pid == shell || member.parent == shell);
        while below_me().count() < 2 {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        let found: Vec<Member> = below_me().collect();
        assert_eq!((found[0].pid, found[0].parent, found[1].parent), (shell, me, shell));
        let now: Vec<i32> = now_below(me).iter().map(|now| now.member.pid).collect();
        assert!(found.iter().all(|member| now.contains(&member.pid)), "{now:?}");
        assert_eq!(children_of_only_thread(shell), Some(vec![found[1].pid]));
        assert!(scan().get(&shell).is_some_and(|of_shell| of_shell.contains(&found[1].pid)));
        let sleep = rustix::process::Pid::from_raw(found[1].pid).unwrap();
        rustix::process::kill_process(sleep, rustix::process::Signal::KILL).unwrap();
        child.wait().unwrap();
    }
}
