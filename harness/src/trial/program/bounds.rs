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
    let next = marks.partition_point(|mark| mark.before.at_s < point.at_s);
    let (last, next) = (next.checked_sub(1).map(|last| &marks[last]), marks.get(next));
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
        (grown(mark.anon, from).saturating_sub(shed), point.base.saturating_sub(from.base))
    });
    let backward = next.map(|mark| {
        let to = &mark.after;
        let kept = grown(mark.anon, to);
        (kept, kept + (to.shed - point.shed).min(point.base))
    });
    let low = forward.map_or(0, |(least, _)| least);
    let high = backward.map_or(point.anon, |(_, most)| most.min(point.anon));
    let estimate = match (last.zip(forward), next.zip(backward)) {
        (Some((last, (forward, _))), Some((next, (backward, most)))) => {
            mix(forward, (backward + most) / 2, share(point, last, next))
        }
        // Of what came with new processes, nobody knows how much they share.
        (Some((_, (forward, new))), None) => forward + new / 2,
        (None, Some((_, (kept, most)))) => (kept + most) / 2,
        (None, None) => point.anon,
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
