//! The heaps of a trial's processes, read from outside at the end of the counted work: of a service once it is driven, of a
//! batch job again and again while it runs, as nobody knows when it ends. Looks are paid for by the work's time
//! ([`price`]); where it pays for none, none is made.

pub mod price;
mod process;

use std::time::Duration;

use super::Playing;
use super::images::thread_cpu;
use crate::format::heaps::Heaps;
use crate::format::trial::Anatomy;
use crate::trial::tree;
use crate::units::format_seconds;
use price::{Price, SHARE};

/// Processes that are looked at, the largest first.
const MOST: usize = 32;
/// How much older a batch job is when it is looked at again.
const OLDER: f64 = 1.2;
/// Sentences on what could not be seen that are kept.
const KEPT: usize = 16;

/// What was seen of a trial's heaps.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    price: Price,
    /// The last look that showed a process.
    heaps: Option<Heaps>,
    /// Free bytes after the idle wait, tops included, where glibc serves a process.
    free_drained: Option<u64>,
    /// What the first look would have cost after how much work, where that was too much.
    declined: Option<(Duration, Duration)>,
    /// How long the work has gone on when the next look is due.
    next: Duration,
}

impl Playing<'_> {
    /// Looks at the heaps of the processes below a launcher, after so much time of the counted work.
    pub(super) fn look_at_heaps(&mut self, launcher: i32, work: Duration) {
        let at_s = self.now_s();
        self.story.anatomy.look(launcher, at_s, work);
    }

    /// The same after an idle wait, where there was one: what is free then.
    pub(super) fn look_at_drained_heaps(&mut self, launcher: i32, since: Duration) {
        if self.spec.idle.is_zero() {
            return;
        }
        let at_s = self.now_s();
        let seen = &mut self.story.anatomy;
        let worked = seen.heaps.take();
        seen.look(launcher, at_s, since);
        let drained = std::mem::replace(&mut seen.heaps, worked);
        // The free bytes of a part of the processes are no figure beside those of all.
        let of_all = |drained: &&Heaps| {
            seen.heaps.as_ref().is_some_and(|worked| {
                drained.of_glibc == worked.of_glibc && drained.left_out <= worked.left_out
            })
        };
        seen.free_drained =
            drained.as_ref().filter(of_all).and_then(anatomy).and_then(|anatomy| anatomy.free);
    }

    /// The same while the work goes on, where it is time to.
    pub(super) fn look_at_heaps_if_due(&mut self, launcher: i32, work: Duration) {
        if self.story.anatomy.is_due(work) {
            self.look_at_heaps(launcher, work);
        }
    }
}

impl Seen {
    /// Whether a look is due, and at least the smallest process is paid for.
    fn is_due(&mut self, work: Duration) -> bool {
        let least = self.price.of(0);
        let paid = least <= self.price.left(work);
        if !paid && self.heaps.is_none() {
            self.declined = Some((least, work));
        }
        paid && work >= self.next
    }

    fn look(&mut self, launcher: i32, at_s: f64, work: Duration) {
        let before = thread_cpu();
        let mut all = Heaps { at_s: Some(at_s), ..Heaps::default() };
        let (mut dear, mut unpaid) = (Duration::ZERO, 0);
        let largest = largest(launcher);
        let taken = thread_cpu().saturating_sub(before);
        self.price.paid(taken, taken);
        for (number, (pid, resident)) in largest.iter().enumerate() {
            let (price, left) = (self.price.of(*resident), self.price.left(work));
            if all.processes as usize >= MOST || price > left {
                unpaid += 1;
                if number > 0 {
                    continue;
                }
                // Without the largest process the others tell little.
                (self.declined, dear) = (Some((price, work)), price);
                break;
            }
            // The others come first, then what can be told by a look at every chunk.
            let others: Duration =
                largest[number + 1..].iter().take(MOST).map(|(_, resident)| self.price.of(*resident)).sum();
            let before = thread_cpu();
            let one = process::look(*pid, &self.price, left.saturating_sub(price + others));
            let deep = one.as_ref().filter(|one| one.tcache.is_some()).and_then(|one| one.system);
            let expected = price + self.price.of_all_chunks(deep.unwrap_or(0));
            self.price.paid(thread_cpu().saturating_sub(before), expected);
            if let Some(one) = one {
                add(&mut all, one, *pid);
            }
        }
        if all.processes > 0 && unpaid > 0 {
            let others = if unpaid == 1 { "process" } else { "processes" };
            all.not_seen.push(format!(
                "{unpaid} smaller {others}: at most {MOST} are looked at, in at most {} % of the time of the work",
                SHARE * 100.0
            ));
        }
        all.left_out += unpaid;
        // Where the largest process was too dear, not before it is paid for.
        self.next = work.mul_f64(OLDER).max(self.price.after(dear));
        if all.processes > 0 || (all.left_out > 0 && !all.not_seen.is_empty()) {
            self.heaps = Some(all);
        }
    }

    /// CPU seconds that looks have taken.
    pub const fn cpu_s(&self) -> f64 {
        self.price.spent().as_secs_f64()
    }

    /// For the journal. `work` is when the counted work began and ended, seconds since the start.
    pub fn record(&self, work: Option<(f64, f64)>) -> Option<Heaps> {
        let none = |(price, work)| Heaps { not_seen: vec![declined(price, work)], ..Heaps::default() };
        let seen = self.heaps.clone().or_else(|| self.declined.map(none))?;
        let passed = |at_s: f64| {
            let (from, to) = work?;
            Some(((at_s - from) / (to - from).max(1e-9)).clamp(0.0, 1.0))
        };
        let cpu_s = self.cpu_s();
        Some(Heaps { passed: seen.at_s.and_then(passed), cpu_s, ..seen })
    }
}

impl Seen {
    /// What built-in workloads say of themselves, as far as it was read; `heaps` is the [`record`](Self::record).
    pub fn anatomy(&self, heaps: &Heaps) -> Option<Anatomy> {
        anatomy(heaps).map(|anatomy| Anatomy { free_drained: self.free_drained, ..anatomy })
    }
}

/// The same under the names that built-in workloads have, where glibc serves a process.
fn anatomy(heaps: &Heaps) -> Option<Anatomy> {
    let sum = |a: Option<u64>, b: Option<u64>| Some(a?.saturating_add(b?));
    (heaps.of_glibc > 0).then(|| Anatomy {
        allocated: sum(heaps.in_use, heaps.mmapped),
        free: sum(heaps.free, heaps.top),
        mmapped: heaps.mmapped,
        ..Anatomy::default()
    })
}

/// The arenas of the one process that glibc serves.
pub fn arenas(heaps: &Heaps) -> Option<u32> {
    heaps.arenas.filter(|_| heaps.of_glibc == 1).and_then(|arenas| u32::try_from(arenas).ok())
}

fn declined(price: Duration, work: Duration) -> String {
    let seconds = |time: Duration| format_seconds(time.as_secs_f64());
    format!(
        "its heaps were left alone: a look would have taken some {} of CPU time, over {} % of the {} of work",
        seconds(price),
        SHARE * 100.0,
        seconds(work)
    )
}

/// Processes below a launcher with the bytes that they have in memory, the largest first.
fn largest(launcher: i32) -> Vec<(u32, u64)> {
    let resident = |pid: i32| {
        let text = std::fs::read_to_string(format!("/proc/{pid}/statm")).ok()?;
        let pages: u64 = text.split(' ').nth(1)?.parse().ok()?;
        Some((pid.cast_unsigned(), pages * procfs::page_size()))
    };
    let mut all: Vec<(u32, u64)> =
        tree::below(launcher).into_iter().filter_map(|member| resident(member.pid)).collect();
    // What has ended holds nothing.
    all.retain(|(_, bytes)| *bytes > 0);
    all.sort_by_key(|(pid, bytes)| (std::cmp::Reverse(*bytes), *pid));
    all
}

/// Adds one process to the others. What is unknown of one that glibc serves is unknown of all.
fn add(all: &mut Heaps, one: Heaps, pid: u32) {
    if one.of_glibc > 0 {
        let first = all.of_glibc == 0;
        let sum = |into: &mut Option<u64>, more: Option<u64>| {
            *into = if first { more } else { into.zip(more).map(|(a, b)| a.saturating_add(b)) };
        };
        sum(&mut all.arenas, one.arenas);
        sum(&mut all.system, one.system);
        sum(&mut all.in_use, one.in_use);
        sum(&mut all.free, one.free);
        sum(&mut all.free_resident, one.free_resident);
        sum(&mut all.top, one.top);
        sum(&mut all.top_resident, one.top_resident);
        sum(&mut all.trim_gives, one.trim_gives);
        sum(&mut all.tcache, one.tcache);
        sum(&mut all.mmapped, one.mmapped);
        all.of_glibc += one.of_glibc;
    }
    all.processes += one.processes;
    all.left_out += one.left_out;
    all.torn = all.torn.saturating_add(one.torn);
    for row in one.rows {
        match all.rows.iter_mut().find(|known| known.kind == row.kind) {
            Some(known) => (known.rss, known.pss) = (known.rss + row.rss, known.pss + row.pss),
            None => all.rows.push(row),
        }
    }
    let name = std::fs::read(format!("/proc/{pid}/comm")).unwrap_or_default();
    let name = String::from_utf8_lossy(&name).trim_end_matches('\n').to_owned();
    let room = KEPT.saturating_sub(all.not_seen.len());
    all.not_seen.extend(one.not_seen.into_iter().map(|why| format!("{name}: {why}")).take(room));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(in_use: u64, tcache: Option<u64>) -> Heaps {
        let row =
            |kind: &str, rss| crate::format::heaps::HeapRow { kind: kind.to_owned(), rss, pss: rss / 2 };
        Heaps {
            processes: 1,
            of_glibc: 1,
            arenas: Some(2),
            in_use: Some(in_use),
            tcache,
            free: Some(5),
            top: Some(1),
            mmapped: Some(3),
            rows: vec![row("main heap", 8), row("files", 2)],
            ..Heaps::default()
        }
    }

    #[test]
    fn processes_add_up_and_what_is_unknown_of_one_is_unknown_of_all() {
        let mut all = Heaps::default();
        let other =
            Heaps { of_glibc: 0, in_use: None, not_seen: vec!["jemalloc".to_owned()], ..one(0, None) };
        for process in [other, one(10, Some(4)), one(20, None)] {
            add(&mut all, process, std::process::id());
        }
        assert_eq!((all.processes, all.of_glibc, all.arenas), (3, 2, Some(4)));
        assert_eq!((all.in_use, all.tcache), (Some(30), None));
        assert_eq!((all.rows[0].rss, all.rows[1].pss), (24, 3));
        assert!(all.not_seen[0].ends_with(": jemalloc"), "{:?}", all.not_seen);
        let anatomy = anatomy(&all).unwrap();
        assert_eq!((anatomy.allocated, anatomy.free, anatomy.mmapped), (Some(36), Some(12), Some(6)));
    }

    #[test]
    fn what_was_left_alone_is_said_and_is_never_zero() {
        let mut seen = Seen::default();
        assert_eq!(seen.record(None), None, "nothing was there");
        // This test's own parent has at least this process below it.
        seen.look(rustix::process::getppid().unwrap().as_raw_nonzero().get(), 1.0, Duration::from_millis(1));
        let said = seen.record(Some((0.0, 2.0))).unwrap();
        assert_eq!((said.processes, said.in_use, said.at_s, said.passed), (0, None, None, None));
        assert!(said.not_seen[0].contains(" % of the 1.00 ms of work"), "{:?}", said.not_seen);
    }
}
