//! What the host does over a short time in which this program only waits: everything seen is others'.

use std::collections::BTreeMap;
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::{CpuTimes, Tree, allowed_cpus};

/// What the host was doing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Activity {
    /// CPUs that it was looked at: those that trials may use.
    pub cpus: Option<u32>,
    /// CPUs' worth of work done on them by anyone.
    pub busy_cpus: Option<f64>,
    /// CPUs' worth that the hypervisor took away.
    pub stolen_cpus: Option<f64>,
    /// Load average over a minute.
    pub load: Option<f64>,
    /// Percent of the time in which some task waited for a CPU.
    pub waiting_pct: Option<f64>,
    /// Processes that used the most CPU meanwhile, the most first; at most [`MOST_USERS`].
    pub users: Vec<User>,
}

/// A process that used CPU.
#[derive(Clone, Debug, PartialEq)]
pub struct User {
    /// Its id.
    pub pid: i32,
    /// Its short name.
    pub command: String,
    /// CPUs' worth of work.
    pub cpus: f64,
}

/// Processes that are told.
pub const MOST_USERS: usize = 3;

/// Of a CPU: less than this is not told of a process.
const LEAST: f64 = 0.02;

/// Watches for a time. Of this very process nothing is told.
pub fn activity(tree: &Tree, time: Duration) -> Activity {
    let allowed = allowed_cpus();
    let processes = processes(tree);
    let (began, before, waited) = (Instant::now(), CpuTimes::read(tree, allowed.as_deref()), waited_us(tree));
    sleep(time);
    // Before anything is read of processes, which takes CPU.
    let (after, waited) = (CpuTimes::read(tree, allowed.as_deref()), waited.zip(waited_us(tree)));
    let seconds = began.elapsed().as_secs_f64().max(1e-3);
    let used = before.zip(after).map(|(before, after)| after.since(before));
    let share =
        |(before, after): (u64, u64)| (after.saturating_sub(before) as f64 / 1e4 / seconds).min(100.0);
    Activity {
        cpus: used.map(|used| used.cpus),
        busy_cpus: used.map(|used| used.busy_s() / seconds),
        stolen_cpus: used.map(|used| used.stolen_s() / seconds),
        load: tree.line("proc/loadavg").and_then(|line| line.split(' ').next()?.parse().ok()),
        waiting_pct: waited.map(share),
        users: users(&processes, &self::processes(tree), seconds),
    }
}

/// Microseconds in which some task waited for a CPU: `some avg10=1.23 … total=456`.
fn waited_us(tree: &Tree) -> Option<u64> {
    let line = tree.line("proc/pressure/cpu")?;
    line.split(' ').find_map(|word| word.strip_prefix("total="))?.parse().ok()
}

/// Short name and ticks of CPU of each process, by its id and the time when it began.
type Processes = BTreeMap<(i32, u64), (String, u64)>;

fn processes(tree: &Tree) -> Processes {
    let own = rustix::process::getpid().as_raw_pid();
    let entries = std::fs::read_dir(tree.root.join("proc"));
    let pids = entries
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok().filter(|pid| *pid != own));
    let stat = |pid: i32| {
        let text = tree.text(&format!("proc/{pid}/stat"))?;
        // The name is in parentheses, and may hold any.
        let (head, rest) = text.rsplit_once(')')?;
        let fields: Vec<&str> = rest.split_whitespace().collect();
        let number = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
        // utime, stime and starttime (proc(5)); children count when they are waited for, and are left out.
        Some(((pid, number(22)?), (head.split_once('(')?.1.to_owned(), number(14)? + number(15)?)))
    };
    pids.filter_map(stat).collect()
}

fn users(before: &Processes, after: &Processes, seconds: f64) -> Vec<User> {
    let ticks_per_s = rustix::param::clock_ticks_per_second().max(1) as f64;
    let user = |(key, (command, ticks)): (&(i32, u64), &(String, u64))| {
        // One that began meanwhile used all of its time meanwhile.
        let then = before.get(key).map_or(0, |(_, ticks)| *ticks);
        let cpus = ticks.saturating_sub(then) as f64 / ticks_per_s / seconds;
        User { pid: key.0, command: command.clone(), cpus }
    };
    let mut users: Vec<User> = after.iter().map(user).filter(|user| user.cpus >= LEAST).collect();
    users.sort_by(|a, b| b.cpus.total_cmp(&a.cpus));
    users.truncate(MOST_USERS);
    users
}

#[cfg(test)]
mod tests {
    use super::super::tests::tree;
    use super::*;

    #[test]
    fn a_host_where_nothing_moves_is_quiet() {
        let (_root, tree) = tree(&[
            ("proc/stat", "cpu  100 0 50 900 0 1 2 3 0 0\ncpu0 100 0 50 900 0 1 2 3 0 0\n"),
            ("proc/loadavg", "1.50 0.20 0.26 1/87 14456\n"),
            ("proc/pressure/cpu", "some avg10=88.30 avg60=49.61 avg300=19.02 total=1\n"),
            ("proc/7/stat", "7 (a) b) S 1 7 7 0 -1 0 0 0 0 0 30 12 0 0 20 0 1 0 55 0 0\n"),
        ]);
        let activity = activity(&tree, Duration::ZERO);
        assert_eq!((activity.load, activity.waiting_pct), (Some(1.5), Some(0.0)), "what was before is over");
        if allowed_cpus().is_some_and(|cpus| cpus.contains(&0)) {
            assert_eq!((activity.busy_cpus, activity.stolen_cpus), (Some(0.0), Some(0.0)));
        }
        assert!(activity.users.is_empty());
        assert_eq!(processes(&tree), BTreeMap::from([((7, 55), ("a) b".to_owned(), 42))]));
    }

    #[test]
    fn the_largest_users_are_told_first() {
        let of = |rows: &[(i32, u64, u64)]| -> Processes {
            rows.iter().map(|(pid, began, ticks)| ((*pid, *began), (format!("p{pid}"), *ticks))).collect()
        };
        let ticks = rustix::param::clock_ticks_per_second();
        let before = of(&[(1, 0, 500), (2, 0, 100), (3, 0, 7)]);
        // Process 3 ended, and another got its number.
        let after =
            of(&[(1, 0, 500 + ticks), (2, 0, 100), (3, 9, 2 * ticks), (4, 9, ticks / 4), (5, 9, ticks / 2)]);
        let seen = users(&before, &after, 1.0);
        let told: Vec<(i32, f64)> = seen.iter().map(|user| (user.pid, user.cpus)).collect();
        assert_eq!(told, [(3, 2.0), (1, 1.0), (5, 0.5)]);
        assert_eq!(seen[0].command, "p3");
    }
}
