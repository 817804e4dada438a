//! What the incidents have in common: queues that rise and fall again, what is held at many threads, and how they keep step.

use arenalab_wire::telemetry::Stage;

use crate::engine::meeting::Meeting;

/// Threads up to which each holds what the parameters say.
const HOLDERS: u64 = 16;

/// What each of so many threads has where each of a few would have `each`: more than [`HOLDERS`] share what those would
/// have, so that the operations, which all threads share too, go as far.
pub(super) fn of_each(each: u64, threads: u32) -> u64 {
    let threads = u64::from(threads).max(HOLDERS);
    let shared = u128::from(each) * u128::from(HOLDERS) / u128::from(threads);
    (shared as u64).max(each.min(1))
}

/// Where more than [`HOLDERS`] threads wait for each other: each has so little to do that some would be through with all
/// bursts before others begin.
pub(super) struct Step(Option<Meeting>);

impl Step {
    /// For `seats` of a run of so many threads.
    pub(super) fn new(seats: u32, threads: u32) -> Self {
        Self((u64::from(threads) > HOLDERS).then(|| Meeting::new(seats)))
    }

    /// Where all make a change, waits until all are there; to be followed by [`Step::go_on`].
    #[inline]
    pub(super) fn gather(&self, all: impl FnOnce() -> bool) -> Option<&Meeting> {
        self.0.as_ref().filter(|_| all()).inspect(|meeting| meeting.wait())
    }

    /// Waits until all have made the change that they have gathered for, if they have.
    #[inline]
    pub(super) fn go_on(gathered: Option<&Meeting>) {
        if let Some(meeting) = gathered {
            meeting.wait();
        }
    }

    /// The seat has no more to change in this phase, in which it may have changed something.
    pub(super) fn leave(&self) {
        self.0.iter().for_each(Meeting::leave);
    }
}

/// How deep a queue is meant to be at operation `at` of `total`: flat, then rising to `burst` times `depth`,
/// then falling back, `bursts` times over.
pub(super) fn wanted_depth(depth: usize, burst: usize, bursts: u64, at: u64, total: u64) -> usize {
    let cycle = total / bursts.max(1);
    if cycle == 0 || at >= cycle * bursts {
        return depth;
    }
    let (at, [rise, fall, flat]) = (at % cycle, borders(cycle));
    let above = (depth * burst.saturating_sub(1)) as u64;
    let share = |part: u64, whole: u64| (above * part / whole.max(1)) as usize;
    match at {
        at if at < rise => depth,
        at if at < fall => depth + share(at - rise, fall - rise),
        at if at < flat => depth + share(flat - at, flat - fall),
        _ => depth,
    }
}

/// Whether `total` operations, each of which adds one to a queue at most, let it rise all the way in each burst.
pub(super) fn rises(depth: usize, burst: usize, bursts: u64, total: u64) -> bool {
    let [rise, fall, _] = borders(total.checked_div(bursts).unwrap_or(0));
    let above = depth.saturating_mul(burst.saturating_sub(1)) as u64;
    rise > 0 && above <= fall - rise
}

/// Where in a cycle the queue begins to rise, to fall, and is back.
fn borders(cycle: u64) -> [u64; 3] {
    [cycle * 7 / 20, cycle * 3 / 5, cycle * 17 / 20]
}

/// Whether a queue begins to rise or to fall at operation `at` of `total`, or is back.
pub(super) fn turns(bursts: u64, at: u64, total: u64) -> bool {
    match total.checked_div(bursts) {
        None | Some(0) => false,
        Some(cycle) => at < cycle * bursts && borders(cycle).contains(&(at % cycle)),
    }
}

/// Where operation `at` of `total` stands with regard to the bursts.
pub(super) fn stage(bursts: u64, at: u64, total: u64) -> Stage {
    let cycle = total / bursts.max(1);
    let [rise, _, flat] = borders(cycle);
    match (bursts, cycle) {
        (0, _) | (_, 0) => Stage::None,
        _ if at < rise => Stage::Before,
        _ if at < cycle * (bursts - 1) + flat => Stage::Burst,
        _ => Stage::After,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

    #[test]
    fn queues_rise_to_the_burst_and_fall_back() {
        let depth = |at| wanted_depth(100, 10, 2, at, 2000);
        assert_eq!([depth(0), depth(349), depth(350)], [100, 100, 100]);
        assert_eq!(depth(475), 550);
        assert_eq!(depth(600), 1000);
        assert_eq!(depth(725), 550);
        assert_eq!([depth(850), depth(999)], [100, 100]);
        assert_eq!([depth(1000), depth(1600), depth(1850), depth(2000)], [100, 1000, 100, 100]);
        let stages = [0, 349, 350, 1849, 1850, 1999].map(|at| stage(2, at, 2000));
        let expected = [Stage::Before, Stage::Before, Stage::Burst, Stage::Burst, Stage::After, Stage::After];
        assert_eq!(stages, expected);
        assert_eq!(stage(0, 5, 10), Stage::None);
        assert_eq!(wanted_depth(100, 10, 0, 5, 10), 100);
        assert_eq!(wanted_depth(100, 10, 4, 1, 2), 100);
    }

    #[test]
    fn a_queue_turns_three_times_a_burst() {
        let turning: Vec<u64> = (0..2003).filter(|at| turns(2, *at, 2003)).collect();
        assert_eq!(turning, [350, 600, 850, 1351, 1601, 1851]);
        assert!((0..10).all(|at| !turns(0, at, 10) && !turns(11, at, 10)));
    }

    #[test]
    fn only_more_than_sixteen_keep_step() {
        assert!(Step::new(2, 16).gather(|| true).is_none());
        let (step, changed) = (Step::new(2, 17), AtomicU32::new(0));
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    for at in 0..100 {
                        let meeting = step.gather(|| at % 2 == 0);
                        changed.fetch_add(1, SeqCst);
                        Step::go_on(meeting);
                        assert!(at % 2 == 1 || changed.load(SeqCst) >= 2 * at + 2);
                    }
                    step.leave();
                });
            }
        });
        assert_eq!(changed.into_inner(), 200);
    }

    /// The deepest that a queue gets to which each operation adds one.
    fn deepest(depth: usize, burst: usize, bursts: u64, total: u64) -> usize {
        let (mut length, mut deepest) = (depth, depth);
        for at in 0..total {
            length = (length + 1).min(wanted_depth(depth, burst, bursts, at, total));
            deepest = deepest.max(length);
        }
        deepest
    }

    #[test]
    fn a_queue_that_is_said_to_rise_does() {
        for (depth, burst, bursts) in [(100, 10, 2), (7, 3, 5), (1, 2, 1)] {
            let risen = |total| rises(depth, burst, bursts, total);
            let first = (1..100_000).find(|total| risen(*total)).unwrap();
            let mut all = (first..first + 100).filter(|total| risen(*total));
            assert!(all.all(|total| deepest(depth, burst, bursts, total) == depth * burst));
            assert!(deepest(depth, burst, bursts, first / 2) < depth * burst);
        }
        assert!(!rises(1, 1, 0, 1000) && !rises(1, 1, 4, 3));
    }

    #[test]
    fn up_to_sixteen_threads_hold_what_is_asked_for_and_more_hold_as_much_together() {
        assert_eq!([1, 2, 16].map(|threads| of_each(8000, threads)), [8000; 3]);
        assert_eq!([32, 64, 512].map(|threads| of_each(8000, threads)), [4000, 2000, 250]);
        assert_eq!([of_each(0, 64), of_each(1, 512), of_each(u64::MAX, 17)], [0, 1, u64::MAX / 17 * 16]);
    }
}
