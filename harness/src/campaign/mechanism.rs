//! Why a candidate differs: the mechanism seen in its trials against those of the baseline, in words.
//! Pure. Medians over all finished trials are compared; of a figure that was not recorded, or does not
//! differ much, nothing is said.

use crate::format::trial::{Status, TrialRecord};
use crate::units::format_bytes;

/// A change below this share is not worth a sentence.
const WORTH: f64 = 0.15;

/// What is said where nothing else is.
pub(super) const NOT_SEEN: &str = "no mechanism was seen in what is recorded: arenas, bytes inside the allocator, page \
                        faults, voluntary context switches and CPU time are about those of the baseline, or unknown";

/// One figure of a trial, where it is known.
type Figure = fn(&TrialRecord) -> Option<f64>;

/// A figure with its words.
struct Kind {
    figure: Figure,
    words: &'static str,
    /// Nothing is said unless the larger of the two medians is above this.
    matters_above: f64,
}

/// Bytes by the allocator's own account: each means something only within one allocator.
const BYTES: [Kind; 3] = [
    Kind { figure: free, words: "free inside the allocator at the end of the work", matters_above: MIB },
    Kind { figure: free_drained, words: "free inside the allocator after the drain", matters_above: MIB },
    Kind { figure: mmapped, words: "in chunks mapped one by one", matters_above: MIB },
];

/// What the kernel counted: means the same under every allocator.
const COUNTS: [Kind; 3] = [
    Kind { figure: voluntary, words: "voluntary context switches (a thread waited)", matters_above: 100.0 },
    Kind { figure: faults, words: "page faults", matters_above: 1000.0 },
    Kind { figure: system_s, words: "CPU seconds in the kernel", matters_above: 0.02 },
];

const MIB: f64 = 1024.0 * 1024.0;

/// Sentences on what was seen in `theirs` against `baseline`, the trials of one scenario; one sentence where
/// nothing was; none where either side has no finished trial.
pub fn seen(theirs: &[&TrialRecord], baseline: &[&TrialRecord]) -> Vec<String> {
    let (theirs, baseline) = (finished(theirs), finished(baseline));
    if theirs.is_empty() || baseline.is_empty() {
        return Vec::new();
    }
    let pair = |figure: Figure| Some((median(&theirs, figure)?, median(&baseline, figure)?));
    let mut words = Vec::new();
    if family(&theirs).is_some_and(|name| Some(name) == family(&baseline)) {
        if let Some((a, b)) = pair(arenas)
            && (a - b).abs() >= 0.5
        {
            words.push(format!("{a} arenas were created (baseline {b})"));
        }
        for kind in BYTES {
            if let Some((a, b)) = pair(kind.figure)
                && differs(a, b, kind.matters_above)
            {
                words.push(format!("{} {} (baseline {})", format_bytes(a), kind.words, format_bytes(b)));
            }
        }
    }
    for kind in COUNTS {
        if let Some((a, b)) = pair(kind.figure)
            && differs(a, b, kind.matters_above)
        {
            words.push(format!("{} {} (baseline {})", number(a), kind.words, number(b)));
        }
    }
    if let Some((a, b)) = pair(cpu_per_unit)
        && b > 0.0
        && differs(a, b, 0.0)
    {
        words.push(format!("CPU time per operation x{:.2}", a / b));
    }
    if words.is_empty() {
        words.push(NOT_SEEN.to_owned());
    }
    words
}

fn number(value: f64) -> String {
    if value >= 10.0 { format!("{value:.0}") } else { format!("{value:.2}") }
}

/// Whether two medians differ by a share worth telling, the larger one being above `matters_above`.
fn differs(a: f64, b: f64, matters_above: f64) -> bool {
    let larger = a.max(b);
    larger > matters_above && (a - b).abs() / larger >= WORTH
}

fn finished<'a>(trials: &[&'a TrialRecord]) -> Vec<&'a TrialRecord> {
    trials.iter().copied().filter(|trial| trial.status == Status::Ok).collect()
}

/// The one known allocator that served all of them.
fn family<'a>(finished: &[&'a TrialRecord]) -> Option<&'a str> {
    let name = |trial: &&'a TrialRecord| trial.allocator.as_ref().map(|served| served.name.as_str());
    let first = finished.first().and_then(name).filter(|name| *name != "unknown")?;
    finished.iter().all(|trial| name(trial) == Some(first)).then_some(first)
}

/// Of an even number, the mean of the middle two.
fn median(finished: &[&TrialRecord], figure: Figure) -> Option<f64> {
    let mut values: Vec<f64> = finished.iter().filter_map(|trial| figure(trial)).collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let upper = *values.get(middle)?;
    Some(if values.len() % 2 == 1 { upper } else { f64::midpoint(values[middle - 1], upper) })
}

fn arenas(trial: &TrialRecord) -> Option<f64> {
    trial.arenas?.observed.map(f64::from)
}

fn free(trial: &TrialRecord) -> Option<f64> {
    trial.anatomy.as_ref()?.free.map(|v| v as f64)
}

fn free_drained(trial: &TrialRecord) -> Option<f64> {
    trial.anatomy.as_ref()?.free_drained.map(|v| v as f64)
}

fn mmapped(trial: &TrialRecord) -> Option<f64> {
    trial.anatomy.as_ref()?.mmapped.map(|v| v as f64)
}

fn voluntary(trial: &TrialRecord) -> Option<f64> {
    trial.switches.map(|s| s.voluntary as f64)
}

fn faults(trial: &TrialRecord) -> Option<f64> {
    trial.faults.map(|f| f.minor as f64)
}

fn system_s(trial: &TrialRecord) -> Option<f64> {
    trial.cpu.map(|c| c.system_s)
}

fn cpu_per_unit(trial: &TrialRecord) -> Option<f64> {
    let cpu = trial.cpu?;
    let units = trial.throughput.as_ref()?.value * trial.wall_s?;
    (units > 0.0).then(|| (cpu.user_s + cpu.system_s) / units)
}

#[cfg(test)]
mod tests;
