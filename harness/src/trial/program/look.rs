//! An exact look at the memory of all processes of a trial at one instant.

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

    /// Memory of all processes, shared pages counted once, with what is in hugetlbfs and in swap. Of one process alone
    /// all that it holds; where a kernel does not tell what is shared, all that each holds.
    pub fn all(&self) -> u64 {
        match union(&self.rows) {
            Some((anon, shared)) if self.rows.len() > 1 => anon + shared,
            _ => self.sum(|exact| Some(exact.all())),
        }
    }

    /// Proportional set size: shared pages count once.
    pub fn pss(&self) -> u64 {
        self.sum(|exact| exact.pss)
    }
}

/// The processes below a launcher at this instant, by role and size. None where none can be read.
pub fn rows(launcher: i32) -> Vec<Row> {
    let members = tree::below(launcher);
    let mut rows: Vec<Row> = members.iter().filter_map(|member| row(*member, &members, launcher)).collect();
    rows.sort_by_key(|row| (row.role, std::cmp::Reverse(size(row)), row.pid));
    rows
}

fn size(row: &Row) -> u64 {
    row.exact.pss.unwrap_or(row.exact.rss)
}

/// The union of the pages of all processes, anonymous and shared, bytes; `None` where the kernel does not tell of one of
/// them.
pub fn union(rows: &[Row]) -> Option<(u64, u64)> {
    let sum = |figure: fn(&Exact) -> u64| rows.iter().map(|row| figure(&row.exact)).sum::<u64>();
    let known =
        !rows.is_empty() && rows.iter().all(|row| row.exact.pss.is_some() && row.exact.pss_anon.is_some());
    let swap = |exact: &Exact| exact.swap_pss.or(exact.swap).unwrap_or(0);
    let anon =
        sum(|exact| exact.pss_anon.unwrap_or(0)) + rows.iter().map(|row| swap(&row.exact)).sum::<u64>();
    let shared = sum(|exact| exact.pss.unwrap_or(0).saturating_sub(exact.pss_anon.unwrap_or(0)));
    // Of pages of hugetlbfs no shares are told: those that several map are taken for the same ones.
    let private_huge = sum(|exact| exact.private_hugetlb.unwrap_or(0));
    let shared_huge = rows.iter().filter_map(|row| row.exact.shared_hugetlb).max().unwrap_or(0);
    known.then_some((anon, shared + private_huge + shared_huge))
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
