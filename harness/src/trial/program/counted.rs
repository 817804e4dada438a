//! What a control group of the trial's own says of the union of its pages: it counts each page once, however many processes
//! have it mapped. Pure.
//!
//! Pages that were in memory before, of files that another group brought in, are not counted: they are known from marks, and
//! by what processes gained and lost of files since.

use super::bounds::{Around, Mark, Within, gained};
use super::mapped::Mapped;
use super::tally::{Counted, Point};

/// By how much a group's count may differ from a mark's for it to be the count of the same processes.
const ALIKE: u64 = 20;

/// Whether the group holds all processes, as far as marks tell: a program may put its processes into other groups.
pub fn counts_all(marks: &[Mark]) -> bool {
    marks.iter().all(|mark| {
        let (Some(before), Some(after)) = (mark.before.group, mark.after.group) else { return true };
        let play = mark.anon / ALIKE + before.slack + mark.after.swap + mark.moved()[0];
        mark.anon + play >= before.anon.min(after.anon) && mark.anon <= before.anon.max(after.anon) + play
    })
}

/// What is certain from two sides; the count's where they contradict each other, as the other is of an instant before.
fn both(known: Within, low: u64, estimate: u64, high: u64) -> Within {
    let (least, most) = (known.low.max(low), known.high.min(high));
    if least <= most {
        Within { low: least, estimate: estimate.clamp(least, most), high: most }
    } else {
        Within { low, estimate, high }
    }
}

/// Anonymous memory, closer where the group has counted it.
pub fn anon(point: &Point, known: Within) -> Within {
    let Some(Counted { anon, slack, .. }) = point.group else { return known };
    // What was swapped out is in no count of mapped pages; processes may share it.
    both(known, anon.saturating_sub(slack), anon + point.swap, anon + slack + point.swap)
}

/// Files and shared memory, closer where the group has counted them.
pub fn shared(point: &Point, around: Around, known: Within) -> Within {
    let Some(Counted { mapped, slack, .. }) = point.group else { return known };
    if point.huge > 0 {
        // Pages of hugetlbfs are counted elsewhere.
        return known;
    }
    let last = around.last.and_then(|mark| {
        let foreign = foreign(mark)?;
        let high = foreign.high + gained(&mark.before.file, &point.file);
        Some(Within {
            high,
            low: foreign.low.saturating_sub(point.file.lost - mark.before.file.lost),
            ..foreign
        })
    });
    let next = around.next.and_then(|mark| {
        let foreign = foreign(mark)?;
        let low = foreign.low.saturating_sub(gained(&point.file, &mark.after.file));
        Some(Within { low, high: foreign.high + (mark.after.file.lost - point.file.lost), ..foreign })
    });
    let foreign = match (last, next) {
        (Some(last), Some(next)) => Within::between(
            last.low.max(next.low),
            super::bounds::mixed(point, around, last.estimate, next.estimate),
            last.high.min(next.high),
        ),
        (Some(one), None) | (None, Some(one)) => one,
        (None, None) => Within { low: 0, estimate: 0, high: point.file.sum },
    };
    let foreign = Within { high: foreign.high.min(most_foreign(point, around)), ..foreign };
    let estimate = (mapped + foreign.estimate).max(known.low);
    both(known, mapped.saturating_sub(slack) + foreign.low, estimate, mapped + slack + foreign.high)
}

/// The most that can be mapped and not brought into memory by the group, by when what is mapped was counted.
fn most_foreign(point: &Point, around: Around) -> u64 {
    let at = |mapped: &Mapped| {
        let (before, after) = (mapped.before.group?, mapped.after.group?);
        // Where shared memory was left out, it is the group's: of what that brought in, so much at most is no file's.
        let shmem =
            if mapped.whole { 0 } else { before.shmem.zip(after.shmem).map_or(u64::MAX, |(a, b)| a.max(b)) };
        let own = before.mapped.min(after.mapped).saturating_sub(shmem.saturating_add(2 * before.slack));
        Some((mapped.bytes + mapped.moved()).saturating_sub(own))
    };
    // Unless one process alone has more of it than the group.
    let belongs = |mapped: &Mapped, point: &Point| {
        mapped.whole || point.group.is_some_and(|group| point.shmem.most <= group.mapped + group.slack)
    };
    let fits = |mapped: &&Mapped| belongs(mapped, &mapped.after) && belongs(mapped, point);
    let last = around.last_mapped.filter(fits);
    let last = last.and_then(|mapped| Some(at(mapped)? + gained(&mapped.before.file, &point.file)));
    let next = around.next_mapped.filter(fits);
    let next = next.and_then(|mapped| Some(at(mapped)? + (mapped.after.file.lost - point.file.lost)));
    last.into_iter().chain(next).min().unwrap_or(u64::MAX)
}

/// Pages of files that are mapped and that the group has not brought into memory, at a mark.
fn foreign(mark: &Mark) -> Option<Within> {
    let (before, after) = (mark.before.group?, mark.after.group?);
    let [_, file, shmem] = mark.moved();
    let (all, moved) = (mark.file + mark.shmem, file + shmem);
    Some(Within {
        low: all.saturating_sub(before.mapped.max(after.mapped) + before.slack + moved),
        // Files, for the most part: a look while shared memory is touched has too much of that.
        estimate: all.saturating_sub(after.mapped).min(mark.file),
        high: (all + moved + before.slack).saturating_sub(before.mapped.min(after.mapped)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trial::program::bounds::{Known, union};
    use crate::trial::program::tally::Pages;

    const M: u64 = 1 << 20;

    /// Workers that share `shmem` each, and 10 MiB of files that were in memory before.
    fn point(at_s: f64, workers: u64, shmem: u64, anon: u64) -> Point {
        let pages = |each: u64| Pages {
            sum: workers * each * M,
            most: each * M,
            gained: workers * each * M,
            ..Pages::default()
        };
        Point {
            at_s,
            count: workers as u32,
            anon: workers * 2 * M,
            base: workers * 2 * M,
            largest: (12 + shmem) * M,
            file: pages(10),
            shmem: pages(shmem),
            group: Some(Counted { anon: anon * M, mapped: shmem * M, shmem: Some(shmem * M), slack: M / 4 }),
            ..Point::default()
        }
    }

    #[test]
    fn shared_memory_that_all_have_touched_since_the_last_look_counts_once() {
        let points = [point(0.0, 16, 1, 5), point(1.0, 16, 100, 6)];
        let mark = Mark { before: points[0], after: points[0], anon: 5 * M, file: 10 * M, shmem: M };
        let union = union(&points, Known { marks: &[mark], ..Known::default() });
        // 16 times 112 are resident.
        let truth = 116 * M;
        assert!(union[1].low <= truth && truth <= union[1].high, "{:?}", union[1]);
        assert!(union[1].high - union[1].low <= 2 * M, "{:?}", union[1]);
        assert_eq!(union[1].estimate, truth);
    }

    #[test]
    fn a_group_that_does_not_hold_the_processes_is_not_believed() {
        let points = [point(0.0, 16, 1, 0), point(1.0, 16, 100, 0)];
        let mark = Mark { before: points[0], after: points[0], anon: 25 * M, file: 10 * M, shmem: M };
        assert!(!counts_all(&[mark]));
        let union = union(&points, Known { marks: &[mark], ..Known::default() });
        assert!(union[1].low >= 112 * M && union[1].high >= 125 * M, "{:?}", union[1]);
    }
}
