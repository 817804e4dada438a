//! A program's memory from what was seen of it: each figure where it is exact, else between bounds. Pure.

use arenalab_wire::telemetry::Stage;

use super::Story;
use super::bounds::{self, Known, Within};
use super::look::Look;
use super::watch::Seen;
use crate::format::trial::{Bounds, Rss, RssBounds};
use crate::trial::readings::Exact;
use crate::trial::sampler::{self, Sample};

/// Fewest samples from which a mean is taken: with fewer it is a matter of chance which moment of a process's first
/// milliseconds they hit.
const FEWEST: usize = 3;

/// A process whose own maximum is larger than all that was seen of any, by no more than this, is one of those: it grew once it
/// had been read last.
const ALIKE: f64 = 1.25;

/// Memory of all processes of a trial; `None` where it is not known.
pub fn rss(story: &Story) -> Option<Rss> {
    let (from, to) = story.work?;
    let seen = &story.seen;
    let union = union(seen);
    let peak = peak(story, &union)?;
    let service = story.drained.is_some();
    let until = |at_s: f64| at_s <= to;
    let last =
        seen.points.iter().zip(&union).rev().find(|(point, _)| until(point.at_s)).map(|(_, within)| *within);
    let exact_end = story.end.as_ref().filter(|_| service).map(Look::within);
    let within = seen.points.iter().filter(|point| point.at_s >= from && until(point.at_s)).count();
    // What lasted too short to be looked at was at most as large as its peak.
    let short = Within { low: last.map_or(0, |last| last.low), ..peak };
    let end = exact_end.or(last.filter(|_| within >= FEWEST)).unwrap_or(short);
    let samples = samples_of(seen, &union);
    let mean = mean(seen, &union, (from, to)).filter(|_| within >= FEWEST).unwrap_or(short);
    let sum = |look: &Option<Look>, figure: fn(&Exact) -> Option<u64>| {
        look.as_ref()
            .filter(|look| look.rows.iter().any(|row| figure(&row.exact).is_some()))
            .map(|look| look.sum(figure))
    };
    let range = |within: Within| Bounds { low: within.low, high: within.high };
    let bounds = RssBounds { peak: range(peak), mean: range(mean), end: range(end) };
    let is_exact = [bounds.peak, bounds.mean, bounds.end].iter().all(|bounds| bounds.low == bounds.high);
    Some(Rss {
        peak: peak.estimate,
        mean: mean.estimate,
        end: end.estimate,
        drained: story.drained.as_ref().map(Look::all),
        trimmed: None,
        trim: None,
        lazy_free: sum(&story.drained, |exact| exact.lazy_free),
        anon_huge: sum(&story.end, |exact| exact.anon_huge),
        pss: sum(&story.end, |exact| exact.pss),
        swap: sum(&story.end, |exact| exact.swap),
        hugetlb: sum(&story.end, Exact::hugetlb),
        bounds: Some(bounds).filter(|_| !is_exact),
        samples: within as u32,
        slope: sampler::slope(&samples, from, to, |sample| sample.rss),
        slope_end: sampler::slope_end(&samples, from, to, |sample| sample.rss),
        reading_s: seen.looking_s,
        source: source(story, within),
    })
}

/// Memory over time.
pub fn samples(story: &Story) -> Vec<Sample> {
    samples_of(&story.seen, &union(&story.seen))
}

fn union(seen: &Seen) -> Vec<Within> {
    bounds::union(&seen.points, Known { marks: &seen.marks, mapped: &seen.mapped })
}

fn samples_of(seen: &Seen, union: &[Within]) -> Vec<Sample> {
    let sample = |at_s: f64, rss: u64| Sample { at_s, rss, live: 0, stage: Stage::None };
    seen.points.iter().zip(union).map(|(point, within)| sample(point.at_s, within.estimate)).collect()
}

/// The mean and its bounds: each sample's, over the time.
fn mean(seen: &Seen, union: &[Within], (from, to): (f64, f64)) -> Option<Within> {
    let of = |figure: fn(&Within) -> u64| {
        let sample = |(at_s, rss): (f64, u64)| Sample { at_s, rss, live: 0, stage: Stage::None };
        let samples: Vec<Sample> = seen
            .points
            .iter()
            .zip(union)
            .map(|(point, within)| sample((point.at_s, figure(within))))
            .collect();
        sampler::mean(&samples, from, to, |sample| sample.rss).map(|mean| mean as u64)
    };
    Some(Within { low: of(|w| w.low)?, estimate: of(|w| w.estimate)?, high: of(|w| w.high)? })
}

/// The largest union in any sample, and never less than any one process was by the kernel's own mark.
fn peak(story: &Story, union: &[Within]) -> Option<Within> {
    let seen = &story.seen;
    let most = |figure: fn(&Within) -> u64| union.iter().map(figure).max().unwrap_or(0);
    let own = own_maximum(story);
    let single = seen.high_water.max(own.low);
    let looks = || [&story.end, &story.drained].into_iter().flatten().map(Look::within);
    let at_borders = looks().map(|look| look.estimate).max().unwrap_or(0);
    let least_at_borders = looks().map(|look| look.low).max().unwrap_or(0);
    let seen_at_least = most(|w| w.estimate).max(single).max(at_borders);
    // Between two samples each process may have been as much larger as its mark tells.
    let sampled = seen.points.iter().map(|point| point.largest).max().unwrap_or(0);
    let several = seen.points.iter().any(|point| point.count > 1);
    let largest = seen.high_water.max(sampled);
    let missed = match () {
        () if !several => 0,
        // One that no sample saw, beside all that were seen.
        () if own.low as f64 > largest as f64 * ALIKE => own.low,
        // One of those that were seen, or one like them: what it gained after its last sample.
        () => seen.missed.max(own.low.saturating_sub(largest)),
    };
    let high = (most(|w| w.high) + missed).max(seen_at_least).max(own.high);
    let low = most(|w| w.low).max(single).max(least_at_borders);
    // What ended before it was seen often enough is known by nothing else.
    let is_unseen = union.len() < FEWEST;
    let estimate = if is_unseen { seen_at_least.max(own.high) } else { seen_at_least };
    (high > 0).then_some(Within { low: low.min(estimate), estimate, high })
}

/// The largest process's own maximum as it ended. It is only known to be at most so much where the process was smaller than
/// what started it.
fn own_maximum(story: &Story) -> Bounds {
    let ending = &story.ending;
    let low = if ending.max_rss > ending.least_max_rss { ending.max_rss } else { 0 };
    Bounds { low, high: ending.max_rss }
}

fn source(story: &Story, within: usize) -> String {
    let seen = &story.seen;
    let looks = seen.marks.len();
    if seen.most <= 1 && seen.points.iter().all(|point| point.count <= 1) {
        let mean =
            if within < FEWEST { "its peak, as it was too short to be sampled" } else { "statm samples" };
        return format!(
            "one process: its resident size, with what it has in hugetlbfs and in swap; peak from the kernel's \
             high-water mark of it, mean and end from {mean}"
        );
    }
    let exact = match (looks, seen.mapped.len()) {
        (0, 0) => "bounds only, as Pss was never read (too short, or not allowed):".to_owned(),
        (0, counts) => {
            format!("pages of files and of shared memory, counted {counts} times by page tables, and")
        }
        (looks, 0) => format!("the sum of Pss, read {looks} times, and"),
        (looks, counts) => format!(
            "the sum of Pss, read {looks} times, pages of files and of shared memory, counted {counts} times by page \
             tables, and"
        ),
    };
    format!(
        "all processes of the program, pages that they share counted once, with what they have in hugetlbfs and in swap: \
         {exact} what statm tells of each process between (a sample each 10 ms, less often where that would cost more \
         than 1 % of the trial's CPU time). Never below the largest single process's own maximum, never above the sum \
         of all"
    )
}
