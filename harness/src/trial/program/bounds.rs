//! Memory of a process tree at each sample, between true bounds. Pure.
//!
//! The truth is the union of all pages. It is read at few instants (the sum of `Pss`, a [`Mark`]) and bounded in
//! between by what [`super::tally`] counted:
//!
//! * anonymous memory is at most that of all processes summed, and at most what the next mark read plus what was lost
//!   until then; it is at least what the last mark read plus what was gained since, less what was lost;
//! * pages of files, and shared memory, are at most the sum, the last mark plus what was gained, the next mark plus what is
//!   lost until then; and at least the last mark less what was lost, the next less what is still gained, and nearly the most
//!   of any one process (pages of libraries that other programs map as well count by their share);
//! * now and then pages of files and of shared memory are counted once each ([`super::mapped`]): there are at most so many
//!   then, with what was gained since, or what is lost until then;
//! * a control group of the trial's own counts each page once: its anonymous memory is the union's, within what its
//!   count is behind ([`super::counted`]);
//! * the largest process alone is a lower bound, all of them summed an upper one.
//!
//! A mark is not of one instant: by what came and went while it was read it may be wrong, and that is added on both sides.
//! What is hidden from a sample every 10 ms (shared pages that a process unmaps while it maps as many others) is hidden
//! from the bounds too.

use super::counted;
use super::mapped::Mapped;
use super::tally::{Pages, Point};

/// An instant at which the union was read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mark {
    /// A sample just before.
    pub before: Point,
    /// A sample just after.
    pub after: Point,
    /// Anonymous memory, bytes: `Pss_Anon` and `SwapPss` of all processes.
    pub anon: u64,
    /// Pages of files: `Pss_File` of all processes.
    pub file: u64,
    /// Shared memory: `Pss_Shmem` and hugetlbfs pages of all processes.
    pub shmem: u64,
}

impl Mark {
    /// By how much it may be wrong, as it was not read at one instant: anonymous, files, shared memory.
    pub fn moved(&self) -> [u64; 3] {
        self.after.moved_since(&self.before)
    }
}

/// A figure between its bounds, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Within {
    /// At least.
    pub low: u64,
    /// Most likely.
    pub estimate: u64,
    /// At most.
    pub high: u64,
}

impl Within {
    /// A figure that is exact.
    pub const fn exact(bytes: u64) -> Self {
        Self { low: bytes, estimate: bytes, high: bytes }
    }

    /// Between bounds that may be wrong by what is not seen: the upper one rules.
    pub(super) fn between(low: u64, estimate: u64, high: u64) -> Self {
        let low = low.min(high);
        Self { low, estimate: estimate.clamp(low, high), high }
    }
}

/// Pages of files that other programs of the host map as well, at most so much in one process: they count by their
/// share in `Pss`, and in full in `statm`.
const ELSEWHERE: u64 = 4 << 20;

/// What was read of the union, in the order of time.
#[derive(Clone, Copy, Debug, Default)]
pub struct Known<'a> {
    /// The union itself.
    pub marks: &'a [Mark],
    /// Files and shared memory alone.
    pub mapped: &'a [Mapped],
}

/// The union at each point.
pub fn union(points: &[Point], known: Known) -> Vec<Within> {
    let elsewhere = known.marks.iter().map(|mark| mark.after.file.most.saturating_sub(mark.file)).max();
    let elsewhere = elsewhere.unwrap_or(0).max(ELSEWHERE);
    let counts_all = counted::counts_all(known.marks);
    points.iter().map(|point| at(point, known, elsewhere, counts_all)).collect()
}

/// What is known of an instant at which there is no later mark.
pub fn now(point: &Point, known: Known) -> Within {
    at(point, known, ELSEWHERE, counted::counts_all(known.marks))
}

/// What was read around a point.
#[derive(Clone, Copy)]
pub struct Around<'a> {
    /// The mark before.
    pub last: Option<&'a Mark>,
    /// The mark after.
    pub next: Option<&'a Mark>,
    /// When files and shared memory were last counted.
    pub last_mapped: Option<&'a Mapped>,
    /// When they are counted next.
    pub next_mapped: Option<&'a Mapped>,
}

/// The last that began before an instant, and the first that ended after it.
fn around<T>(all: &[T], at_s: f64, began: fn(&T) -> f64, ended: fn(&T) -> f64) -> (Option<&T>, Option<&T>) {
    let last = all.partition_point(|one| began(one) <= at_s).checked_sub(1);
    (last.map(|last| &all[last]), all.get(all.partition_point(|one| ended(one) < at_s)))
}

fn at(point: &Point, known: Known, elsewhere: u64, counts_all: bool) -> Within {
    if point.count <= 1 {
        // One alone: resident is resident.
        return Within::exact(point.sum());
    }
    let at_s = point.at_s;
    let (last, next) = around(known.marks, at_s, |mark| mark.before.at_s, |mark| mark.after.at_s);
    let (last_mapped, next_mapped) =
        around(known.mapped, at_s, |mapped| mapped.before.at_s, |mapped| mapped.after.at_s);
    let around = Around { last, next, last_mapped, next_mapped };
    let mut anon = anon(point, around);
    let mut file = pages(point, around, &FILE, elsewhere);
    file.high = file.high.min(most_files(point, around));
    let shmem = pages(point, around, &SHMEM, 0);
    let mut shared = Within {
        low: file.low + shmem.low,
        estimate: file.estimate + shmem.estimate,
        high: (file.high + shmem.high).min(most_mapped(point, around)),
    };
    if counts_all {
        anon = counted::anon(point, anon);
        shared = counted::shared(point, around, shared);
    }
    // All of them hold at least what the largest does; a sum of shares may be less.
    let high = (anon.high + shared.high).max(point.largest).min(point.sum());
    let low = (anon.low + shared.low).max(point.largest);
    Within::between(low, anon.estimate + shared.estimate, high)
}

/// An estimate between two marks: that of the mark that had as many processes, as memory comes and goes with them; else
/// by the time.
pub(super) fn mixed(point: &Point, around: Around, forward: u64, backward: u64) -> u64 {
    let (Some(last), Some(next)) = (around.last, around.next) else {
        return u64::midpoint(forward, backward);
    };
    match (point.count == last.after.count, point.count == next.before.count) {
        (true, false) => forward,
        (false, true) => backward,
        _ => {
            let (from, to) = (last.after.at_s, next.before.at_s);
            let share = if to > from { ((point.at_s - from) / (to - from)).clamp(0.0, 1.0) } else { 0.5 };
            (forward as f64 + (backward as f64 - forward as f64) * share) as u64
        }
    }
}

fn anon(point: &Point, around: Around) -> Within {
    let grown = |mark: u64, at: &Point| (mark + point.own()).saturating_sub(at.own());
    // Of a base that was shed it is not known whether another process still holds it.
    let forward = around.last.map(|mark| {
        let from = &mark.before;
        let shed = (point.shed - from.shed).min(from.base);
        (grown(mark.anon, from).saturating_sub(shed), mark.moved()[0])
    });
    let backward = around.next.map(|mark| {
        let to = &mark.after;
        let (kept, moved) = (grown(mark.anon, to), mark.moved()[0]);
        (kept, kept + (to.shed - point.shed).min(point.base) + moved)
    });
    let low = forward.map_or(0, |(least, moved)| least.saturating_sub(moved));
    let high = backward.map_or(point.anon, |(_, most)| most.min(point.anon));
    let estimate = match (forward, backward) {
        (Some((forward, _)), Some((kept, _))) => mixed(point, around, forward, kept),
        // What a process had when it was first seen is its parent's, more often than not.
        (Some((forward, _)), None) => forward,
        (None, Some((kept, _))) => kept,
        (None, None) => point.own(),
    };
    Within::between(low, estimate, high)
}

/// Where a kind of pages is found in a point and in a mark.
struct Kind {
    of: fn(&Point) -> &Pages,
    marked: fn(&Mark) -> u64,
    moved: usize,
}

const FILE: Kind = Kind { of: |point| &point.file, marked: |mark| mark.file, moved: 1 };
const SHMEM: Kind = Kind { of: |point| &point.shmem, marked: |mark| mark.shmem, moved: 2 };

fn pages(point: &Point, around: Around, kind: &Kind, elsewhere: u64) -> Within {
    let now = (kind.of)(point);
    let mut low = now.most.saturating_sub(elsewhere);
    let mut high = now.sum;
    if let Some(mark) = around.last {
        let (marked, moved) = ((kind.marked)(mark), mark.moved()[kind.moved]);
        let from = (kind.of)(&mark.before);
        high = high.min(marked + moved + gained(from, now));
        low = low.max(marked.saturating_sub(moved + now.lost - from.lost));
    }
    if let Some(mark) = around.next {
        let (marked, moved) = ((kind.marked)(mark), mark.moved()[kind.moved]);
        let to = (kind.of)(&mark.after);
        high = high.min(marked + moved + (to.lost - now.lost));
        low = low.max(marked.saturating_sub(moved + gained(now, to)));
    }
    let marked = |mark: Option<&Mark>| mark.map(kind.marked);
    let estimate = match (marked(around.last), marked(around.next)) {
        (Some(last), Some(next)) => mixed(point, around, last, next),
        (Some(mark), None) | (None, Some(mark)) => mark,
        (None, None) => now.most,
    };
    Within::between(low, estimate, high)
}

/// The most that can be mapped of files, by when all that is mapped was counted.
pub(super) fn most_files(point: &Point, around: Around) -> u64 {
    let last = around
        .last_mapped
        .map(|mapped| mapped.bytes + mapped.moved() + gained(&mapped.before.file, &point.file));
    let next = around
        .next_mapped
        .map(|mapped| mapped.bytes + mapped.moved() + (mapped.after.file.lost - point.file.lost));
    last.into_iter().chain(next).min().unwrap_or(u64::MAX)
}

/// What processes have mapped more since that was counted, each by itself.
pub fn gained_since(mapped: &Mapped, point: &Point) -> u64 {
    let from = &mapped.before;
    let shmem = if mapped.whole { gained(&from.shmem, &point.shmem) } else { 0 };
    gained(&from.file, &point.file) + shmem
}

/// The most that can be mapped of files and shared memory, by when that was counted.
fn most_mapped(point: &Point, around: Around) -> u64 {
    let whole = |mapped: Option<&'_ Mapped>| mapped.filter(|mapped| mapped.whole).copied();
    let last =
        whole(around.last_mapped).map(|mapped| mapped.bytes + mapped.moved() + gained_since(&mapped, point));
    let next = whole(around.next_mapped).map(|mapped| {
        let to = &mapped.after;
        let lost = (to.file.lost - point.file.lost) + (to.shmem.lost - point.shmem.lost);
        mapped.bytes + mapped.moved() + lost
    });
    // Private pages of hugetlbfs are of a file in no page table.
    last.into_iter().chain(next).min().filter(|_| point.huge == 0).unwrap_or(u64::MAX)
}

/// What those that live at a later point have gained since an earlier one.
pub(super) fn gained(from: &Pages, to: &Pages) -> u64 {
    let gone = (to.dead_gained - from.dead_gained).min(from.gained);
    (to.gained + gone).saturating_sub(from.gained)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::trial::program::tally::{Size, Tally};

    const M: u64 = 1 << 20;

    fn sizes(all: &[(i32, u64, u64)]) -> BTreeMap<i32, Size> {
        let size = |anon, file| Size { anon: anon * M, file: file * M, ..Size::default() };
        all.iter().map(|(pid, anon, file)| (*pid, size(*anon, *file))).collect()
    }

    fn mark(point: Point, anon: u64, file: u64) -> Mark {
        Mark { before: point, after: point, anon: anon * M, file: file * M, shmem: 0 }
    }

    #[test]
    fn one_process_alone_is_its_resident_size() {
        let mut tally = Tally::default();
        let point = tally.sample(0.0, &sizes(&[(1, 50, 8)]), None);
        assert_eq!(union(&[point], Known::default()), [Within::exact(58 * M)]);
    }

    #[test]
    fn servers_that_share_a_large_mapping_are_not_counted_again_and_again_when_they_are_gone_at_the_next_look()
     {
        let mut tally = Tally::default();
        let workers = |shared: u64| (0..17).map(|pid| (pid, 2, shared)).collect::<Vec<_>>();
        let points: Vec<Point> = [
            (0.0, sizes(&[(0, 2, 20)])),
            (0.1, sizes(&workers(64))),
            (0.2, sizes(&workers(128))),
            (0.3, sizes(&workers(128))),
            (0.4, sizes(&[(0, 2, 20), (99, 1, 6)])),
        ]
        .into_iter()
        .map(|(at_s, sizes)| tally.sample(at_s, &sizes, None))
        .collect();
        let marks = [mark(points[0], 2, 20), mark(points[2], 34, 128), mark(points[4], 3, 20)];
        let union = union(&points, Known { marks: &marks, ..Known::default() });
        // 17 times 130 are resident, 162 are there.
        for at in [1, 2, 3] {
            assert!(union[at].high <= 162 * M, "{at}: {:?}", union[at]);
        }
        assert_eq!((union[2].low, union[2].estimate), (162 * M, 162 * M));
        assert!(union[3].low >= 160 * M && union[1].low >= 60 * M, "{union:?}");
        assert_eq!(union[4].estimate, 23 * M);
    }

    #[test]
    fn children_that_share_what_their_parent_has_are_between_all_of_it_and_nothing() {
        let mut tally = Tally::default();
        let points = [
            tally.sample(0.0, &sizes(&[(1, 50, 1), (2, 50, 1)]), None),
            tally.sample(0.1, &sizes(&[(1, 50, 1), (2, 60, 1)]), None),
        ];
        let without = union(&points, Known::default());
        assert_eq!((without[1].low, without[1].high), (61 * M, 112 * M), "at least the larger of them");
        // A look finds that they share it; what the child got since is its own.
        let with = union(&points, Known { marks: &[mark(points[0], 50, 1)], ..Known::default() });
        assert_eq!((with[1].low, with[1].estimate), (61 * M, 61 * M));
        assert_eq!(with[1].high, 111 * M, "the child may have written to all of it meanwhile");
        // The next look tells that it has not.
        let with = union(
            &points,
            Known { marks: &[mark(points[0], 50, 1), mark(points[1], 60, 1)], ..Known::default() },
        );
        assert_eq!(with[1], Within::exact(61 * M));
    }
}

#[cfg(test)]
#[path = "bounds_simulated.rs"]
mod simulated;
