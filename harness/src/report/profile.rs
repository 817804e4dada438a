//! Figures of each candidate in each scenario over its finished trials that no decision rests on: where
//! the memory is, how long calls take. One pass over the trials, which are not copied.

use std::collections::HashMap;

use super::evidence::Key;
use crate::format::heaps::{HeapRow, Heaps};
use crate::format::trial::{Quantiles, Status, TrialRecord};

/// A figure over trials.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// Median.
    pub median: f64,
    /// Lower quartile.
    pub low: f64,
    /// Upper quartile.
    pub high: f64,
}

/// The quantiles that are drawn, by name.
pub const QUANTILES: [&str; 4] = ["p50", "p90", "p99", "p99.9"];

/// One candidate in one scenario, over its trials; unknown is `None`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Profile {
    /// RSS at the end of the steady phase, bytes.
    pub rss: Option<Spread>,
    /// Requested and not yet freed at that instant, bytes.
    pub live: Option<Spread>,
    /// What the workload engine holds for itself, bytes.
    pub engine: Option<Spread>,
    /// Free inside the allocator, by its own account, bytes. Need not be resident.
    pub free: Option<Spread>,
    /// The allocator's own bookkeeping, by its own account, bytes.
    pub metadata: Option<Spread>,
    /// Given back with `MADV_FREE` but still counted in RSS after the drain, bytes.
    pub lazy: Option<Spread>,
    /// What was read from outside of a program of the user's that glibc serves.
    pub outside: Option<Outside>,
    /// Nanoseconds of allocating calls, in the order of [`QUANTILES`].
    pub malloc: [Option<Spread>; 4],
}

/// Resident memory of a program of the user's as its heaps were read, bytes. What is not malloc's is left.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outside {
    /// All.
    pub rss: Spread,
    /// In use in arenas, and blocks with a mapping of their own.
    pub in_use: Spread,
    /// Free chunks and tops.
    pub kept: Spread,
}

/// Scenario and candidate.
pub type Whose<'a> = (Key<'a>, &'a str);

/// The profiles of all candidates in all scenarios. The twin's trials are left out.
pub fn profiles(trials: &[TrialRecord]) -> HashMap<Whose<'_>, Profile> {
    let mut groups: HashMap<Whose, Vec<&TrialRecord>> = HashMap::new();
    for trial in trials.iter().filter(|t| t.status == Status::Ok && !t.twin) {
        let scenario = (trial.workload.as_str(), trial.threads, trial.libc.as_str());
        groups.entry((scenario, &trial.candidate)).or_default().push(trial);
    }
    groups.into_iter().map(|(whose, trials)| (whose, profile(&trials))).collect()
}

fn profile(trials: &[&TrialRecord]) -> Profile {
    let over = |pick: fn(&TrialRecord) -> Option<u64>| {
        spread(trials.iter().filter_map(|t| pick(t)).map(|v| v as f64).collect())
    };
    let malloc = |pick: fn(&Quantiles) -> f64| {
        let quantiles = trials.iter().filter_map(|t| t.latency_ns.as_ref()?.malloc.as_ref());
        spread(quantiles.map(pick).filter(|v| v.is_finite() && *v > 0.0).collect())
    };
    Profile {
        rss: over(|t| t.rss.as_ref().map(|r| r.end)),
        live: over(|t| t.live.map(|l| l.end)),
        engine: over(|t| t.live.map(|l| l.engine)),
        free: over(|t| t.anatomy.as_ref()?.free),
        metadata: over(|t| t.anatomy.as_ref()?.metadata),
        lazy: over(|t| t.rss.as_ref()?.lazy_free),
        outside: outside(trials),
        malloc: [malloc(|q| q.p50), malloc(|q| q.p90), malloc(|q| q.p99), malloc(|q| q.p999)],
    }
}

fn outside(trials: &[&TrialRecord]) -> Option<Outside> {
    let seen = trials.iter().filter_map(|trial| parts(trial.program.as_ref()?.heaps.as_ref()?));
    let seen: Vec<[f64; 3]> = seen.collect();
    let over = |part: usize| spread(seen.iter().map(|parts| parts[part]).collect());
    Some(Outside { rss: over(0)?, in_use: over(1)?, kept: over(2)? })
}

/// Resident bytes of one look: all, in use, free; `None` where glibc serves none of it, or it is not known. Of several
/// processes pages that they share count once, and as much of what is free as of their heaps is shared.
fn parts(heaps: &Heaps) -> Option<[f64; 3]> {
    let once = |row: &HeapRow| if heaps.processes == 1 { row.rss } else { row.pss } as f64;
    let is_arena = |row: &&HeapRow| matches!(row.kind.as_str(), "main heap" | "thread arenas");
    let arenas: f64 = heaps.rows.iter().filter(is_arena).map(once).sum();
    let by_rss: f64 = heaps.rows.iter().filter(is_arena).map(|row| row.rss as f64).sum();
    let mapped: f64 = heaps.rows.iter().filter(|row| row.kind == "mapped blocks").map(once).sum();
    let free = (heaps.free_resident? + heaps.top_resident?) as f64;
    let kept = (free * if by_rss > 0.0 { arenas / by_rss } else { 1.0 }).min(arenas);
    Some([heaps.rows.iter().map(once).sum(), arenas - kept + mapped, kept])
}

/// Median and quartiles, by linear interpolation between neighbours.
fn spread(mut values: Vec<f64>) -> Option<Spread> {
    values.sort_by(f64::total_cmp);
    let last = values.len().checked_sub(1)?;
    let at = |share: f64| {
        let place = share * last as f64;
        let (below, above) = (values[place.floor() as usize], values[place.ceil() as usize]);
        below + (above - below) * place.fract()
    };
    Some(Spread { median: at(0.5), low: at(0.25), high: at(0.75) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_adds_up_and_shared_pages_count_once() {
        let row = |kind: &str, rss, pss| HeapRow { kind: kind.to_owned(), rss, pss };
        let rows = vec![row("main heap", 100, 60), row("mapped blocks", 50, 50), row("files", 30, 3)];
        let one =
            Heaps { processes: 1, free_resident: Some(10), top_resident: Some(10), rows, ..Heaps::default() };
        assert_eq!(parts(&one), Some([180.0, 130.0, 20.0]));
        assert_eq!(parts(&Heaps { processes: 2, ..one.clone() }), Some([113.0, 98.0, 12.0]));
        assert_eq!(parts(&Heaps { top_resident: None, ..one }), None);
    }

    #[test]
    fn quartiles_are_those_of_numpy() {
        let spread = spread(vec![4.0, 1.0, 3.0, 2.0]).unwrap();
        assert_eq!(spread, Spread { median: 2.5, low: 1.75, high: 3.25 });
        assert_eq!(super::spread(vec![]), None);
    }
}
