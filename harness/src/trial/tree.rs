//! The processes of a trial: all that descend from its launcher. Whatever leaves its parent or its group is
//! handed to the launcher, which is a subreaper, so that nothing leaves the tree.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::LazyLock;

use procfs::process::Process;

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

/// The children of all threads of a process, from `task/*/children`; `None` where the kernel has no such file
/// (`CONFIG_PROC_CHILDREN`).
fn children(pid: i32) -> Option<Vec<i32>> {
    static TOLD: LazyLock<bool> = LazyLock::new(|| Path::new("/proc/thread-self/children").exists());
    if !*TOLD {
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
pub fn cpu(members: &[Member]) -> std::time::Duration {
    let ticks = |member: &Member| -> Option<u64> {
        let stat = proc_file::Text::read(member.pid, "stat")?;
        let stat = stat.bytes();
        // The name, in parentheses, may hold anything; utime, stime, cutime and cstime are fields 14 to 17 (proc(5)).
        let after = stat.iter().rposition(|byte| *byte == b')')? + 1;
        let fields = std::str::from_utf8(&stat[after..]).ok()?.split_ascii_whitespace().skip(11).take(4);
        Some(fields.filter_map(|field| field.parse::<u64>().ok()).sum())
    };
    let ticks: u64 = members.iter().filter_map(ticks).sum();
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
        assert!(scan().get(&shell).is_some_and(|of_shell| of_shell.contains(&found[1].pid)));
        let sleep = rustix::process::Pid::from_raw(found[1].pid).unwrap();
        rustix::process::kill_process(sleep, rustix::process::Signal::KILL).unwrap();
        child.wait().unwrap();
    }
}
