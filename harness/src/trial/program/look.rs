//! An exact look at the memory of all processes of a trial at one instant.

use std::time::Instant;

use procfs::process::Process;

use crate::trial::readings::{self, Exact};
use crate::trial::tree::{self, Member};

/// What a process is within its trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Started by the plan's command, or a daemon that it left behind.
    Main,
    /// Started by a main process, of the same executable.
    Worker,
    /// Any other.
    Descendant,
}

impl Role {
    /// The role in a record.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Main => "main",
            Self::Worker => "worker",
            Self::Descendant => "descendant",
        }
    }
}

/// One process at one instant.
#[derive(Clone, Debug)]
pub struct Row {
    /// Its id.
    pub pid: i32,
    /// Its short name (`comm`).
    pub command: String,
    /// What it is.
    pub role: Role,
    /// Its memory.
    pub exact: Exact,
}

/// All processes at one instant.
#[derive(Clone, Debug)]
pub struct Look {
    /// Seconds since the trial was started.
    pub at_s: f64,
    /// The processes, by role and size.
    pub rows: Vec<Row>,
    /// Seconds that the look took.
    pub took_s: f64,
}

impl Look {
    /// A figure summed over all processes.
    pub fn sum(&self, figure: impl Fn(&Exact) -> Option<u64>) -> u64 {
        self.rows.iter().filter_map(|row| figure(&row.exact)).sum()
    }

    /// Proportional set size: shared pages count once. Resident size where a kernel tells no more.
    pub fn pss(&self) -> u64 {
        self.sum(|exact| Some(exact.pss.unwrap_or(exact.rss)))
    }

    /// Resident size summed: shared pages count as often as they are mapped.
    pub fn rss(&self) -> u64 {
        self.sum(|exact| Some(exact.rss))
    }
}

/// Looks at the processes below a launcher. `None` where there is none that can be read.
pub fn look(launcher: i32, begin: Instant) -> Option<Look> {
    let start = Instant::now();
    let at_s = begin.elapsed().as_secs_f64();
    let members = tree::below(launcher);
    let mut rows: Vec<Row> = members.iter().filter_map(|member| row(*member, &members, launcher)).collect();
    let size = |row: &Row| row.exact.pss.unwrap_or(row.exact.rss);
    rows.sort_by_key(|row| (row.role, std::cmp::Reverse(size(row)), row.pid));
    if rows.is_empty() {
        return None;
    }
    Some(Look { at_s, rows, took_s: start.elapsed().as_secs_f64() })
}

fn row(member: Member, all: &[Member], launcher: i32) -> Option<Row> {
    let process = Process::new(member.pid).ok()?;
    let stat = process.stat().ok()?;
    if stat.state == 'Z' {
        return None;
    }
    let exact = readings::exact(&process).ok()?;
    let parent_is_main = all.iter().any(|other| other.pid == member.parent && other.parent == launcher);
    let same_executable = || {
        let of = |pid| std::fs::read_link(format!("/proc/{pid}/exe")).ok();
        of(member.pid) == of(member.parent)
    };
    let role = match () {
        () if member.parent == launcher => Role::Main,
        () if parent_is_main && same_executable() => Role::Worker,
        () => Role::Descendant,
    };
    Some(Row { pid: member.pid, command: stat.comm, role, exact })
}
