//! The decision on a campaign: what `decide` says, with the mechanism seen and the lines to apply it.

use std::collections::{BTreeMap, BTreeSet};

use super::store::Campaign;
use super::{first_round, mechanism, plateau, search, shipping};
use crate::decide::choose::choose;
use crate::decide::from_trials::from_trials;
use crate::decide::host;
use crate::decide::question::Question;
use crate::format::decision::{Decision, HostState, Ratio, ScenarioDecision, Verdict};
use crate::format::manifest::Manifest;
use crate::format::trial::{Printed, Status, TrialRecord};
use crate::plan::pretend;

/// The ratio of the baseline to itself.
const ITSELF: Ratio = Ratio { estimate: 1.0, low: 1.0, high: 1.0 };

/// The question that a campaign was made to answer.
pub fn question_of(manifest: &Manifest) -> Question {
    let standard = Question::default();
    Question {
        tolerance: manifest.tolerance.unwrap_or(standard.tolerance),
        objective: manifest.objective,
        constraints: manifest.constraints,
        confidence: manifest.confidence,
        seed: manifest.seed,
        accept_busy_host: manifest.accept_busy_host,
        ..standard
    }
}

/// Decides on a campaign, finished or not.
pub fn decide(campaign: &Campaign, question: &Question) -> Decision {
    let mut observations = from_trials(&campaign.trials, &campaign.manifest);
    observations.out_of_time = campaign.steps.last().is_some_and(|step| step.out_of_time);
    // A search that looked at its data while it collected them pays for its looks. Where the strategy is
    // not known, the data are taken as those of a full grid, and that is said.
    let stricter = with_paid_looks(question, &campaign.manifest);
    let mut spent = false;
    let mut decision = match search::strategy(&campaign.manifest, question) {
        Ok(mut strategy) => {
            spent = strategy.is_spent(&observations);
            strategy.decide(&observations, &stricter)
        }
        Err(why) => {
            let mut decision = choose(&observations, &stricter);
            decision.warnings.insert(0, why);
            decision
        }
    };
    host::weigh(&mut decision, &host_state(campaign, question, None));
    let ran = campaign.trials.iter().filter(|trial| trial.status != Status::Interrupted);
    decision.trials_run = ran.count() as u64;
    nothing_measured(&mut decision, &campaign.trials);
    for scenario in &mut decision.scenarios {
        explain(scenario, &campaign.trials);
    }
    paid(&mut decision, &campaign.manifest, question);
    decision.apply = decision.choice.as_deref().and_then(|name| shipping::lines(&campaign.manifest, name));
    if decision.verdict == Verdict::KeepBaseline {
        // The choice is what it is compared with.
        decision.throughput_ratio = Some(ITSELF);
        decision.rss_ratio = Some(ITSELF);
    }
    decision.next = super::next::next(campaign, &decision, spent);
    decision.warnings.extend(plateau::not_reached(&campaign.trials, question.confidence));
    decision.warnings.extend(repeated(&campaign.trials));
    decision.warnings.extend(super::beyond::notes(&campaign.trials));
    decision.warnings.extend(campaign.notes.iter().cloned());
    let pretended = campaign.manifest.pretended_cpus.as_ref();
    decision.warnings.extend(pretended.map(|pretended| pretend::note(pretended.cpus)));
    decision
}

/// How disturbed the host was over a campaign, or over its trials on one C library.
pub fn host_state(campaign: &Campaign, question: &Question, libc: Option<&str>) -> HostState {
    let cpus = campaign.manifest.host.cpus_online;
    host::judge(&campaign.trials, cpus, libc, question.accept_busy_host)
}

/// Where no trial finished, nothing is known of any candidate: that is no verdict on them.
fn nothing_measured(decision: &mut Decision, trials: &[TrialRecord]) {
    if trials.is_empty() || trials.iter().any(|trial| trial.status == Status::Ok) {
        return;
    }
    let why = trials.iter().find_map(|trial| trial.reason.as_deref()).unwrap_or("no reason was kept");
    let count = trials.len();
    (decision.verdict, decision.choice) = (Verdict::Undecided, None);
    decision.reason = format!("nothing was measured: none of {count} trials finished. The first says: {why}");
    decision.scenarios.iter_mut().for_each(|scenario| {
        (scenario.verdict, scenario.choice) = (Verdict::Undecided, None);
    });
}

/// A full grid that was extended was looked at before: each further look has half the error of the one before it, and the
/// confidence that is stated is that of all looks together.
fn paid(decision: &mut Decision, manifest: &Manifest, question: &Question) {
    let looks = grid_looks(manifest);
    if looks > 0 {
        let allowed = 1.0 - question.confidence;
        decision.confidence = 1.0 - allowed * (2.0 - 0.5f64.powi(looks));
        decision.warnings.push(format!(
            "rounds were added after a look at the results ({looks} times): bounds are wider for it, and the confidence \
             that is stated is that of all looks together"
        ));
    }
}

/// How often a full grid was extended; other strategies plan their looks themselves.
pub(super) fn grid_looks(manifest: &Manifest) -> i32 {
    let grid = matches!(manifest.strategy.as_str(), "full-grid" | "sweep");
    if grid { i32::try_from(manifest.extended.len()).unwrap_or(i32::MAX) } else { 0 }
}

/// The question with what a further look at a full grid may still err.
pub(super) fn with_paid_looks(question: &Question, manifest: &Manifest) -> Question {
    let allowed = (1.0 - question.confidence) * 0.5f64.powi(grid_looks(manifest));
    let confidence = if grid_looks(manifest) > 0 { 1.0 - allowed } else { question.confidence };
    Question { confidence, ..*question }
}

/// That rounds were run again, and how many.
pub(super) fn repeated(trials: &[TrialRecord]) -> Option<String> {
    let again: BTreeSet<(u32, u32)> =
        trials.iter().filter(|trial| trial.attempt > 0).map(|trial| (trial.round, trial.attempt)).collect();
    let (rounds, whose) = match again.len() {
        0 => return None,
        1 => ("1 round was".to_owned(), "its"),
        count => (format!("{count} rounds were"), "their"),
    };
    let first = || trials.iter().filter(|trial| (trial.round, trial.attempt) == (0, 0));
    // The baseline alone has a twin.
    let baseline = first().find(|trial| trial.twin).map(|twin| &twin.candidate);
    let failed = again.iter().any(|(round, _)| *round == 0)
        && baseline.is_some_and(|baseline| first_round::baseline_failed(first(), baseline));
    let why = if failed {
        "because the baseline had failed, or the host was disturbed meanwhile"
    } else {
        "because the host was disturbed meanwhile"
    };
    Some(format!("{rounds} run again {why}; {whose} last run counts"))
}

/// The latency that was printed, geometric mean over the trials that finished.
fn printed_latency(trials: &[&TrialRecord]) -> Option<Printed> {
    let finished = trials.iter().filter(|trial| trial.status == Status::Ok);
    let printed: Vec<&Printed> = finished
        .filter_map(|trial| trial.program.as_ref()?.latency.as_ref())
        .filter(|p| p.value > 0.0)
        .collect();
    let unit = printed.first()?.unit.clone();
    let logs: f64 = printed.iter().map(|printed| printed.value.ln()).sum();
    Some(Printed { value: (logs / printed.len() as f64).exp(), unit })
}

/// Adds to each standing what was seen of its mechanism.
fn explain(scenario: &mut ScenarioDecision, trials: &[TrialRecord]) {
    // Of a round that was run again the last run counts.
    let mut last_runs: BTreeMap<&str, BTreeMap<u32, &TrialRecord>> = BTreeMap::new();
    let here = trials.iter().filter(|trial| {
        !trial.twin
            && trial.workload == scenario.workload
            && trial.threads == scenario.threads
            && trial.libc == scenario.libc
    });
    for trial in here {
        last_runs.entry(&trial.candidate).or_default().insert(trial.round, trial);
    }
    let last_runs_of = |candidate: &str| -> Option<Vec<&TrialRecord>> {
        Some(last_runs.get(candidate)?.values().copied().collect())
    };
    for standing in &mut scenario.standings {
        standing.latency = last_runs_of(&standing.candidate).and_then(|runs| printed_latency(&runs));
    }
    let Some(baseline) = scenario.standings.first().map(|standing| standing.candidate.clone()) else {
        return;
    };
    let Some(of_baseline) = last_runs_of(&baseline) else { return };
    for standing in scenario.standings.iter_mut().filter(|standing| standing.candidate != baseline) {
        if let Some(theirs) = last_runs_of(&standing.candidate) {
            standing.mechanism = mechanism::seen(&theirs, &of_baseline);
        }
    }
}
