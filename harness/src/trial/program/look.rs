//! An exact look at the memory of all processes of a trial at one instant.

use procfs::process::Process;

use super::bounds::Within;
use crate::trial::readings::{self, Exact};
use crate::trial::tree::Member;

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
    /// By how much its sums may be wrong, bytes: what came and went while it was taken.
    pub moved: u64,
    /// Seconds that the look took.
    pub took_s: f64,
}

impl Look {
    /// A figure summed over all processes.
    pub fn sum(&self, figure: impl Fn(&Exact) -> Option<u64>) -> u64 {
        self.rows.iter().filter_map(|row| figure(&row.exact)).sum()
    }

    /// Memory of all processes, shared pages counted once, with what is in hugetlbfs and in swap: never less than what the
    /// largest holds, as pages that other programs have mapped too count by their share. Of one process alone all that it
    /// holds; where a kernel does not tell what is shared, all that each holds.
    pub fn all(&self) -> u64 {
        match union(&self.rows) {
            Some(union) if self.rows.len() > 1 => (union.anon + union.file + union.shmem).max(self.largest()),
            _ => self.sum(|exact| Some(exact.all())),
        }
    }

    /// The same between bounds, as a look is not of one instant.
    pub fn within(&self) -> Within {
        let all = self.all();
        let high = self.sum(|exact| Some(exact.all())).max(all);
        let low = all.saturating_sub(self.moved).max(self.largest()).min(all);
        if self.rows.len() > 1 {
            Within { low, estimate: all, high: high.min(all + self.moved) }
        } else {
            Within::exact(all)
        }
    }

    /// What the largest process holds.
    fn largest(&self) -> u64 {
        self.rows.iter().map(|row| row.exact.all()).max().unwrap_or(0)
    }

    /// Proportional set size: shared pages count once.
    pub fn pss(&self) -> u64 {
        self.sum(|exact| exact.pss)
    }
}

/// Those of the processes below a launcher that can be read, by role and size.
pub fn rows(launcher: i32, members: &[Member]) -> Vec<Row> {
    let mut rows: Vec<Row> = members.iter().filter_map(|member| row(*member, members, launcher)).collect();
    rows.sort_by_key(|row| (row.role, std::cmp::Reverse(size(row)), row.pid));
    rows
}

fn size(row: &Row) -> u64 {
    row.exact.pss.unwrap_or(row.exact.rss)
}

/// The pages of all processes, each once, by kind; bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Union {
    /// Anonymous, resident or swapped out.
    pub anon: u64,
    /// Of files.
    pub file: u64,
    /// Of shared memory and hugetlbfs.
    pub shmem: u64,
}

/// The union of the pages of all processes; `None` where the kernel does not tell of one of them.
pub fn union(rows: &[Row]) -> Option<Union> {
    let sum =
        |figure: fn(&Exact) -> Option<u64>| rows.iter().filter_map(|row| figure(&row.exact)).sum::<u64>();
    let known =
        !rows.is_empty() && rows.iter().all(|row| row.exact.pss.is_some() && row.exact.pss_anon.is_some());
    let anon = sum(|exact| exact.pss_anon);
    let shmem = sum(|exact| exact.pss_shmem);
    let file = sum(|exact| exact.pss).saturating_sub(anon + shmem);
    // Of pages of hugetlbfs no shares are told: those that several map are taken for the same ones.
    let private_huge = sum(|exact| exact.private_hugetlb);
    let shared_huge = rows.iter().filter_map(|row| row.exact.shared_hugetlb).max().unwrap_or(0);
    let swap = sum(|exact| exact.swap_pss.or(exact.swap));
    known.then_some(Union { anon: anon + swap, file, shmem: shmem + private_huge + shared_huge })
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
