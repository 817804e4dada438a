//! A process whose memory may not be read: what can be told of it all the same, and what would show the rest.

use std::fs;
use std::io::{Error, ErrorKind};

use arenalab_inspect::glibc::NotFound;
use arenalab_inspect::pages::Unknown;
use arenalab_inspect::{regions, rows, smaps};

use super::{allocator, environment, not_seen, number, row};
use crate::format::inspect::{Inspected, Row};

/// Fields of `/proc/PID/status`, which anybody may read, and what they count (`proc_pid_status(5)`).
const SUMS: [(&str, &str); 3] =
    [("RssAnon:", "all anonymous"), ("RssFile:", "files"), ("RssShmem:", "shared memory")];

/// Tells why its memory was not opened, and what is known without.
pub(super) fn tell(error: &Error, status: &str, seen: &mut Inspected) {
    let state = status.lines().find_map(|line| line.strip_prefix("State:")).unwrap_or_default();
    let (how, why) = match error.kind() {
        ErrorKind::PermissionDenied => return without_right(status, seen),
        ErrorKind::Unsupported if state.trim_start().starts_with('Z') => {
            ("it has ended, and waits for its parent", "a process that has ended has no memory")
        }
        ErrorKind::Unsupported => {
            ("it is a thread of the kernel", "a kernel thread has no memory of its own")
        }
        _ => ("it ended while it was looked at", "a process that has ended has no memory"),
    };
    how.clone_into(&mut seen.allocator.how);
    not_seen(seen, "memory", why);
}

/// There are two rights: one to its mappings, and a stronger one to their contents, which Yama can take away alone
/// (`ptrace(2)`, `PTRACE_MODE_READ` and `PTRACE_MODE_ATTACH`).
fn without_right(status: &str, seen: &mut Inspected) {
    "its memory may not be read".clone_into(&mut seen.allocator.how);
    not_seen(seen, "memory", &reason(status, rustix::process::geteuid().as_raw(), scope().as_deref()));
    if by_mappings(seen).is_none() {
        seen.rows = by_status(status, seen.rss);
    }
}

/// What keeps the memory of a process from a user, and what would show it.
fn reason(status: &str, own: u32, scope: Option<&str>) -> String {
    let uids = status.lines().find_map(|line| line.strip_prefix("Uid:")).unwrap_or_default();
    let others = uids.split_whitespace().filter_map(|uid| uid.parse().ok()).find(|uid: &u32| *uid != own);
    let shows = "CAP_SYS_PTRACE shows it: run this as root";
    match (others, scope) {
        (Some(uid), _) => format!("it runs as user {uid}, and this as user {own}; {shows}"),
        (None, Some("3")) => {
            "kernel.yama.ptrace_scope is 3: nobody may read another process's memory until the next boot"
                .to_owned()
        }
        (None, Some(scope @ ("1" | "2"))) => format!("kernel.yama.ptrace_scope is {scope}; {shows}"),
        (None, _) => format!(
            "it is not dumpable: it is setuid, holds rights that this lacks, or asked for that; {shows}"
        ),
    }
}

fn scope() -> Option<String> {
    fs::read_to_string("/proc/sys/kernel/yama/ptrace_scope").ok().map(|scope| scope.trim().to_owned())
}

/// What its mappings tell, where these may be seen.
fn by_mappings(seen: &mut Inspected) -> Option<()> {
    let read = |file: &str| fs::read(format!("/proc/{}/{file}", seen.pid)).ok();
    let mappings = smaps::parse(&String::from_utf8_lossy(&read("smaps")?));
    if mappings.is_empty() {
        return None;
    }
    let maps = regions::parse(&String::from_utf8_lossy(&read("maps")?));
    seen.rows = rows::rows(&mappings, None, &Unknown, &[]).iter().map(row).collect();
    seen.environment = environment(seen.pid);
    seen.allocator = allocator(seen.pid, &maps, &Err(NotFound::Unreadable));
    Some(())
}

/// The kernel's own sums. They may be a few pages late: the first row takes what is missing, or too much.
fn by_status(status: &str, rss: Option<u64>) -> Vec<Row> {
    let sum = |(field, kind): (&str, &str)| {
        let rss = number(status, field)?.saturating_mul(1024);
        Some(Row { kind: kind.to_owned(), rss, pss: None, anon_huge: 0, lazy_free: 0, swap: 0 })
    };
    let mut rows: Vec<Row> = SUMS.into_iter().filter_map(sum).collect();
    let others: u64 = rows.iter().skip(1).map(|row| row.rss).sum();
    if let (Some(first), Some(rss)) = (rows.first_mut(), rss) {
        first.rss = rss.saturating_sub(others);
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_names_the_right_that_is_missing() {
        let status = "Name:\tx\nUid:\t1000\t1000\t1000\t1000\n";
        assert!(reason(status, 1000, Some("1")).contains("ptrace_scope is 1; CAP_SYS_PTRACE"));
        assert!(reason(status, 1000, Some("3")).contains("nobody"));
        assert!(reason(status, 1000, Some("0")).contains("not dumpable"));
        assert!(reason(status, 1000, None).contains("not dumpable"));
        assert!(reason(status, 1001, Some("1")).contains("as user 1000, and this as user 1001"));
        // A program that is setuid runs as another user, though we started it.
        assert!(reason("Uid:\t1000\t0\t0\t0\n", 1000, None).contains("as user 0"));
    }

    #[test]
    fn mappings_tell_where_memory_is_though_its_contents_are_closed() {
        let mut seen = Inspected { pid: std::process::id(), ..Inspected::default() };
        by_mappings(&mut seen).expect("its own mappings may be seen");
        assert!(seen.rows.iter().any(|row| row.kind == "files" && row.rss > 0), "{seen:?}");
        assert!(seen.allocator.how.contains("could be read"), "{seen:?}");
    }

    #[test]
    fn the_kernels_sums_are_rows_that_sum_to_what_is_resident() {
        let status = "VmRSS:\t  120 kB\nRssAnon:\t 90 kB\nRssFile:\t 20 kB\nRssShmem:\t 8 kB\n";
        let rows = by_status(status, Some(120 << 10));
        let kinds: Vec<_> = rows.iter().map(|row| (row.kind.as_str(), row.rss >> 10)).collect();
        assert_eq!(kinds, [("all anonymous", 92), ("files", 20), ("shared memory", 8)]);
        assert!(by_status("", None).is_empty());
    }
}
