//! Observations from the trial records of a campaign.

use std::collections::{BTreeMap, BTreeSet};

use crate::format::manifest::Manifest;
use crate::format::trial::{OwnProgram, Status, TrialRecord};

use super::observations::{Arm, Cell, Figures, Observations, RoundData, ScenarioData};
use super::rung::rung;

/// A scenario's place in the manifest: libcs within workloads and threads.
type ScenarioKey<'a> = (&'a str, u32, &'a str);

/// Turns records into observations. Arms are the manifest's candidates, in its order, and last the twin.
///
/// * Of a round that was run again the last attempt counts, whole.
/// * A trial that was interrupted says nothing, and is left out.
/// * A finished trial without throughput is unfinished here: nothing can be compared.
/// * Of a program of the user's, the latency that it or its driver printed stands for p99.
/// * Figures that are not finite and above 0 are absent.
/// * Records of candidates or scenarios that the manifest does not have are left out.
pub fn from_trials(trials: &[TrialRecord], manifest: &Manifest) -> Observations {
    let mut names: Vec<&str> = manifest.candidates.iter().map(|c| c.candidate.as_str()).collect();
    let baseline = names.iter().position(|name| *name == manifest.baseline).unwrap_or_else(|| {
        names.insert(0, &manifest.baseline);
        0
    });
    let twin = names.len();
    names.push(&manifest.baseline);
    let place: BTreeMap<&str, usize> = names[..twin].iter().enumerate().map(|(i, name)| (*name, i)).collect();
    let arm_of = |trial: &TrialRecord| {
        if trial.twin { Some(twin) } else { place.get(trial.candidate.as_str()).copied() }
    };
    let mut tables: BTreeMap<ScenarioKey, Table> = BTreeMap::new();
    for trial in trials {
        let Some(arm) = arm_of(trial) else { continue };
        let key = (trial.workload.as_str(), trial.threads, trial.libc.as_str());
        tables.entry(key).or_default().add(trial, arm, names.len());
    }
    // A round that was cut short in one scenario is there in all: places are the same in each.
    let begun: BTreeSet<u32> = tables.values().flat_map(|table| table.rounds.keys().copied()).collect();
    let several = manifest.scenarios.len() * manifest.libcs.len() > 1;
    let keys = manifest.scenarios.iter().flat_map(|scenario| {
        manifest.libcs.iter().map(|libc| (scenario.workload.as_str(), scenario.threads, libc.name.as_str()))
    });
    let arm = |name: &&str| Arm { name: (*name).to_owned(), rung: rung(name) };
    Observations {
        arms: names.iter().map(arm).collect(),
        baseline,
        twin: trials.iter().any(|trial| trial.twin).then_some(twin),
        scenarios: keys
            .map(|key| {
                let mut table = tables.remove(&key).unwrap_or_default();
                for round in begun.iter().filter(|_| several) {
                    table.rounds.entry(*round).or_insert_with(|| Round::empty(names.len()));
                }
                scenario(key, table)
            })
            .collect(),
        out_of_time: false,
    }
}

fn scenario((workload, threads, libc): ScenarioKey, table: Table) -> ScenarioData {
    let round = |(index, round): (u32, Round)| RoundData { index, cells: round.cells };
    ScenarioData {
        workload: workload.to_owned(),
        threads,
        libc: libc.to_owned(),
        unit: table.unit,
        rounds: table.rounds.into_iter().map(round).collect(),
    }
}

#[derive(Default)]
struct Table {
    unit: String,
    rounds: BTreeMap<u32, Round>,
}

#[derive(Default)]
struct Round {
    attempt: u32,
    cells: Vec<Option<Cell>>,
}

impl Round {
    fn empty(arms: usize) -> Self {
        Self { attempt: 0, cells: vec![None; arms] }
    }
}

impl Table {
    fn add(&mut self, trial: &TrialRecord, arm: usize, arms: usize) {
        let fresh = || Round { attempt: trial.attempt, cells: vec![None; arms] };
        let round = self.rounds.entry(trial.round).or_insert_with(fresh);
        if trial.attempt > round.attempt {
            *round = fresh();
        }
        if trial.attempt == round.attempt {
            round.cells[arm] = cell(trial);
        }
        if let Some(throughput) = trial.throughput.as_ref().filter(|_| self.unit.is_empty()) {
            self.unit.clone_from(&throughput.unit);
        }
    }
}

fn cell(trial: &TrialRecord) -> Option<Cell> {
    let status = match trial.status {
        Status::Ok => return Some(measured(trial)),
        Status::Interrupted => return None,
        Status::Failed => "failed",
        Status::Crashed => "crashed",
        Status::Timeout => "timeout",
        Status::Oom => "oom",
        Status::Unsupported => {
            let why = trial.reason.clone().unwrap_or_else(|| "no reason known".to_owned());
            return Some(Cell::Unsupported(why));
        }
    };
    Some(Cell::Unfinished(status.to_owned()))
}

fn measured(trial: &TrialRecord) -> Cell {
    let positive = |value: f64| Some(value).filter(|v| v.is_finite() && *v > 0.0);
    let Some(throughput) = trial.throughput.as_ref().and_then(|t| positive(t.value)) else {
        return Cell::Unfinished("without throughput".to_owned());
    };
    let bytes = |value: Option<u64>| value.and_then(|v| positive(v as f64));
    let rss = trial
        .rss
        .as_ref()
        .map_or([None; 4], |rss| [Some(rss.peak), Some(rss.mean), Some(rss.end), rss.drained].map(bytes));
    let malloc = trial.latency_ns.as_ref().and_then(|latency| latency.malloc.as_ref());
    let printed = trial.program.as_ref().and_then(OwnProgram::latency_ns);
    Cell::Measured(Figures {
        throughput,
        rss,
        p99: malloc.map(|quantiles| quantiles.p99).or(printed).and_then(positive),
        elapsed_s: positive(trial.elapsed_s).unwrap_or(0.0),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn manifest() -> Manifest {
        let candidate = |name: &str| json!({"candidate": name, "env": {}, "stands_for": []});
        serde_json::from_value(json!({
            "format": 1, "arenalab": "0", "created_at": "", "command": [], "seed": 1, "strategy": "sweep",
            "rounds": 2, "plan": "", "objective": "peak", "constraints": {}, "confidence": 0.95,
            "host": {"name": "h", "kernel": "", "arch": "", "cpus_online": 2, "cpus_allowed": 2,
                     "memory": 1, "page_size": 4096},
            "binaries": {}, "libcs": [{"name": "host", "version": null}],
            "scenarios": [{"workload": "larson", "threads": 4}],
            "candidates": [candidate("glibc:arena_max=1"), candidate("glibc")], "baseline": "glibc"
        }))
        .unwrap()
    }

    fn trial(candidate: &str, round: u32, attempt: u32, change: &Value) -> TrialRecord {
        let mut record = json!({
            "workload": "larson", "threads": 4, "libc": "host", "candidate": candidate, "round": round,
            "attempt": attempt, "position": 0, "twin": false, "host": "h", "status": "ok",
            "throughput": {"value": 100.0 + f64::from(attempt), "unit": "operations/s"},
            "rss": {"peak": 1000, "mean": 900, "end": 800, "samples": 3, "reading_s": 0.0, "source": ""},
            "effect": {"verified": true, "how": ""}, "noise": {}, "started_at": "", "elapsed_s": 2.0
        });
        for (key, value) in change.as_object().into_iter().flatten() {
            record[key] = value.clone();
        }
        serde_json::from_value(record).unwrap()
    }

    #[test]
    fn records_become_cells_and_the_last_attempt_counts() {
        let none = json!({});
        let trials = [
            trial("glibc", 0, 0, &none),
            trial("glibc:arena_max=1", 0, 0, &json!({"status": "crashed"})),
            trial("glibc", 0, 0, &json!({"twin": true})),
            trial("glibc", 1, 0, &none),
            trial("glibc:arena_max=1", 1, 0, &json!({"status": "interrupted"})),
            trial("glibc", 1, 1, &none),
            trial("glibc:arena_max=1", 1, 1, &json!({"throughput": null})),
            trial("unheard-of", 1, 1, &none),
        ];
        let seen = from_trials(&trials, &manifest());
        assert_eq!((seen.baseline, seen.twin, seen.arms.len()), (1, Some(2), 3));
        assert_eq!(seen.arms[0].rung, Some(("glibc:arena_max".to_owned(), 1.0)));
        let scenario = &seen.scenarios[0];
        assert_eq!(scenario.unit, "operations/s");
        assert_eq!(scenario.rounds[0].cells[0], Some(Cell::Unfinished("crashed".to_owned())));
        let Some(Cell::Measured(figures)) = &scenario.rounds[1].cells[1] else { panic!("not measured") };
        assert!((figures.throughput - 101.0).abs() < 1e-9, "the second attempt");
        assert_eq!(figures.rss, [Some(1000.0), Some(900.0), Some(800.0), None]);
        assert_eq!(scenario.rounds[1].cells[0], Some(Cell::Unfinished("without throughput".to_owned())));
        assert_eq!(scenario.rounds[1].cells[2], None, "the twin was not in the second attempt");
    }

    #[test]
    fn no_trials_are_an_empty_campaign() {
        let seen = from_trials(&[], &manifest());
        assert_eq!((seen.twin, seen.scenarios.len(), seen.scenarios[0].rounds.len()), (None, 1, 0));
    }
}
