//! Memory of a process tree at each sample, between true bounds. Pure.
//!
//! The truth is the union of all pages. It is read at few instants (the sum of `Pss`, a [`Mark`]) and bounded in
//! between by what [`super::tally`] counted:
//!
//! * anonymous memory is at most that of all processes summed, and at most what the next mark read plus what was lost
//!   until then; it is at least what the last mark read plus what was gained since, less what was lost;
//! * shared memory is at most the sum, the last mark plus what was gained, the next mark plus what is lost until then;
//!   and at least the last mark less what was lost, the next less what is still gained, and nearly the most of any one
//!   process (pages of libraries that other programs map as well count by their share).
//!
//! What is hidden from a sample every 10 ms (shared pages that a process unmaps while it maps as many others) is hidden
//! from the bounds too.

use super::tally::Point;

/// An instant at which the union was read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mark {
    /// A sample just before.
    pub before: Point,
    /// A sample just after.
    pub after: Point,
    /// Anonymous memory, bytes: `Pss_Anon` and `SwapPss` of all processes.
    pub anon: u64,
    /// Shared memory: `Pss_File`, `Pss_Shmem` and hugetlbfs pages of all processes.
    pub shared: u64,
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
    fn between(low: u64, estimate: u64, high: u64) -> Self {
        let low = low.min(high);
        Self { low, estimate: estimate.clamp(low, high), high }
    }
}

/// Pages of files that other programs of the host map as well, at most so much in one process: they count by their
/// share in `Pss`, and in full in `statm`.
const ELSEWHERE: u64 = 4 << 20;

/// The union at each point.
pub fn union(points: &[Point], marks: &[Mark]) -> Vec<Within> {
    let elsewhere = marks.iter().map(|mark| mark.after.most_shared.saturating_sub(mark.shared)).max();
    let elsewhere = elsewhere.unwrap_or(0).max(ELSEWHERE);
    points.iter().map(|point| at(point, marks, elsewhere)).collect()
}

/// What is known of an instant at which there is no later mark.
pub fn now(point: &Point, last: Option<&Mark>) -> Within {
    at(point, last.map_or(&[], std::slice::from_ref), ELSEWHERE)
}

fn at(point: &Point, marks: &[Mark], elsewhere: u64) -> Within {
    if point.count <= 1 {
        // One alone: resident is resident.
        return Within::exact(point.sum());
    }
    let last = marks.partition_point(|mark| mark.before.at_s <= point.at_s).checked_sub(1);
    let next = marks.partition_point(|mark| mark.after.at_s < point.at_s);
    let (last, next) = (last.map(|last| &marks[last]), marks.get(next));
    let anon = anon(point, last, next);
    let shared = shared(point, last, next, elsewhere);
    let sum = point.sum();
    let high = (anon.high + shared.high).max(point.largest).min(sum);
    // A union holds at least all of its largest process; a sum of shares may be less.
    let estimate = (anon.estimate + shared.estimate).max(point.largest);
    Within::between(anon.low + shared.low, estimate, high)
}

/// How far a point is on its way from one mark to the next.
fn share(point: &Point, last: &Mark, next: &Mark) -> f64 {
    let (from, to) = (last.after.at_s, next.before.at_s);
    if to > from { ((point.at_s - from) / (to - from)).clamp(0.0, 1.0) } else { 0.5 }
}

fn mix(a: u64, b: u64, share: f64) -> u64 {
    (a as f64 + (b as f64 - a as f64) * share) as u64
}

fn anon(point: &Point, last: Option<&Mark>, next: Option<&Mark>) -> Within {
    let grown = |mark: u64, at: &Point| (mark + point.own()).saturating_sub(at.own());
    // Of a base that was shed it is not known whether another process still holds it.
    let forward = last.map(|mark| {
        let from = &mark.before;
        let shed = (point.shed - from.shed).min(from.base);
        grown(mark.anon, from).saturating_sub(shed)
    });
    let backward = next.map(|mark| {
        let to = &mark.after;
        let kept = grown(mark.anon, to);
        (kept, kept + (to.shed - point.shed).min(point.base))
    });
    let low = forward.unwrap_or(0);
    let high = backward.map_or(point.anon, |(_, most)| most.min(point.anon));
    let estimate = match (last.zip(forward), next.zip(backward)) {
        (Some((last, forward)), Some((next, (backward, most)))) => {
            mix(forward, u64::midpoint(backward, most), share(point, last, next))
        }
        // What a process had when it was first seen is its parent's, more often than not.
        (Some((_, forward)), None) => forward,
        (None, Some((_, (kept, most)))) => u64::midpoint(kept, most),
        (None, None) => point.own(),
    };
    Within::between(low, estimate, high)
}

fn shared(point: &Point, last: Option<&Mark>, next: Option<&Mark>, elsewhere: u64) -> Within {
    let mut low = point.most_shared.saturating_sub(elsewhere);
    let mut high = point.shared;
    if let Some(mark) = last {
        let from = &mark.before;
        let gone = (point.dead_gained - from.dead_gained).min(from.gained);
        let gained = (point.gained + gone).saturating_sub(from.gained);
        high = high.min(mark.shared + gained);
        low = low.max(mark.shared.saturating_sub(point.lost - from.lost));
    }
    if let Some(mark) = next {
        let to = &mark.after;
        let gone = (to.dead_gained - point.dead_gained).min(point.gained);
        let gained = (to.gained + gone).saturating_sub(point.gained);
        high = high.min(mark.shared + (to.lost - point.lost));
        low = low.max(mark.shared.saturating_sub(gained));
    }
    let estimate = match (last, next) {
        (Some(last), Some(next)) => mix(last.shared, next.shared, share(point, last, next)),
        (Some(mark), None) | (None, Some(mark)) => mark.shared,
        (None, None) => point.most_shared,
    };
    Within::between(low, estimate, high)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::trial::program::tally::{Size, Tally};

    const M: u64 = 1 << 20;

    fn sizes(all: &[(i32, u64, u64)]) -> BTreeMap<i32, Size> {
        all.iter().map(|(pid, anon, shared)| (*pid, Size { anon: anon * M, shared: shared * M })).collect()
    }

    fn mark(point: Point, anon: u64, shared: u64) -> Mark {
        Mark { before: point, after: point, anon: anon * M, shared: shared * M }
    }

    #[test]
    fn one_process_alone_is_its_resident_size() {
        let mut tally = Tally::default();
        let point = tally.sample(0.0, &sizes(&[(1, 50, 8)]));
        assert_eq!(union(&[point], &[]), [Within::exact(58 * M)]);
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
        .map(|(at_s, sizes)| tally.sample(at_s, &sizes))
        .collect();
        let marks = [mark(points[0], 2, 20), mark(points[2], 34, 128), mark(points[4], 3, 20)];
        let union = union(&points, &marks);
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
            tally.sample(0.0, &sizes(&[(1, 50, 1), (2, 50, 1)])),
            tally.sample(0.1, &sizes(&[(1, 50, 1), (2, 60, 1)])),
        ];
        let without = union(&points, &[]);
        assert_eq!((without[1].low, without[1].high), (0, 112 * M));
        // A look finds that they share it; what the child got since is its own.
        let with = union(&points, &[mark(points[0], 50, 1)]);
        assert_eq!((with[1].low, with[1].estimate), (61 * M, 61 * M));
        assert_eq!(with[1].high, 111 * M, "the child may have written to all of it meanwhile");
        // The next look tells that it has not.
        let with = union(&points, &[mark(points[0], 50, 1), mark(points[1], 60, 1)]);
        assert_eq!(with[1], Within::exact(61 * M));
    }
}

#[cfg(test)]
#[path = "bounds_simulated.rs"]
mod simulated;
