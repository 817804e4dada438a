//! Why a candidate differs: the mechanism seen in its trials against those of the baseline, in words.
//! Pure. Where a figure was not seen, or does not differ much, nothing is said of it.

use crate::format::trial::{Status, TrialRecord};
use crate::units::format_bytes;

/// A change below this share is not worth a sentence.
const WORTH: f64 = 0.15;

/// One figure of a trial, where it is known.
type Figure = fn(&TrialRecord) -> Option<f64>;

/// Sentences on what was seen in `theirs` against `baseline`: the finished trials of one scenario.
pub fn seen(theirs: &[&TrialRecord], baseline: &[&TrialRecord]) -> Vec<String> {
    let pair =
        |figure: fn(&TrialRecord) -> Option<f64>| Some((median(theirs, figure)?, median(baseline, figure)?));
    let mut words = Vec::new();
    if let Some((a, b)) = pair(arenas)
        && (a - b).abs() >= 0.5
    {
        words.push(format!("{a:.0} arenas were created (baseline {b:.0})"));
    }
    let bytes: [(&str, Figure); 3] = [
        ("free inside the allocator at the end of the work", free),
        ("free inside the allocator after the drain", free_drained),
        ("in chunks mapped one by one", mmapped),
    ];
    for (what, figure) in bytes {
        if let Some((a, b)) = pair(figure)
            && differs(a, b)
            && (a - b).abs() > 1024.0 * 1024.0
        {
            words.push(format!("{} {what} (baseline {})", format_bytes(a), format_bytes(b)));
        }
    }
    let counts: [(&str, Figure); 3] = [
        ("voluntary context switches, as threads wait for a lock", voluntary),
        ("page faults", faults),
        ("CPU seconds in the kernel", system_s),
    ];
    for (what, figure) in counts {
        if let Some((a, b)) = pair(figure)
            && differs(a, b)
        {
            words.push(times(a, b, what));
        }
    }
    if let Some((a, b)) = pair(cpu_per_unit)
        && differs(a, b)
    {
        words.push(format!("CPU time per operation x{:.2}", a / b));
    }
    words
}

fn times(a: f64, b: f64, what: &str) -> String {
    let figure = |v: f64| if v >= 10.0 { format!("{v:.0}") } else { format!("{v:.2}") };
    format!("{} {what} (baseline {})", figure(a), figure(b))
}

fn differs(a: f64, b: f64) -> bool {
    let larger = a.max(b);
    larger > 0.0 && (a - b).abs() / larger >= WORTH
}

fn median(trials: &[&TrialRecord], figure: Figure) -> Option<f64> {
    let finished = trials.iter().filter(|trial| trial.status == Status::Ok);
    let mut values: Vec<f64> = finished.filter_map(|trial| figure(trial)).collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
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
    trial.switches.map(|s| s.voluntary as f64).filter(|n| *n > 100.0)
}

fn faults(trial: &TrialRecord) -> Option<f64> {
    trial.faults.map(|f| f.minor as f64).filter(|n| *n > 1000.0)
}

fn system_s(trial: &TrialRecord) -> Option<f64> {
    trial.cpu.map(|c| c.system_s).filter(|s| *s > 0.02)
}

fn cpu_per_unit(trial: &TrialRecord) -> Option<f64> {
    let cpu = trial.cpu?;
    let units = trial.throughput.as_ref()?.value * trial.wall_s?;
    (units > 0.0).then(|| (cpu.user_s + cpu.system_s) / units)
}
