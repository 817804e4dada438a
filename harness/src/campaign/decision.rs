//! The decision on a campaign: what `decide` says, with the mechanism seen and the lines to apply it.

use std::collections::BTreeMap;

use super::mechanism;
use super::store::Campaign;
use crate::decide::choose::choose;
use crate::decide::from_trials::from_trials;
use crate::decide::question::Question;
use crate::format::decision::{Decision, ScenarioDecision};
use crate::format::manifest::Manifest;
use crate::format::trial::TrialRecord;
use crate::plan::apply;

/// The question that a campaign was made to answer.
pub fn question_of(manifest: &Manifest) -> Question {
    let standard = Question::default();
    Question {
        tolerance: manifest.tolerance.unwrap_or(standard.tolerance),
        objective: manifest.objective,
        constraints: manifest.constraints,
        confidence: manifest.confidence,
        seed: manifest.seed,
        ..standard
    }
}

/// Decides on a campaign, finished or not.
pub fn decide(campaign: &Campaign, question: &Question) -> Decision {
    let observations = from_trials(&campaign.trials, &campaign.manifest);
    let mut decision = choose(&observations, question);
    decision.trials_run = campaign.trials.len() as u64;
    for scenario in &mut decision.scenarios {
        explain(scenario, &campaign.trials);
    }
    let chosen = decision.choice.as_ref();
    let entry = chosen.and_then(|name| campaign.manifest.candidates.iter().find(|c| c.candidate == *name));
    decision.apply = entry.map(|entry| apply::lines(allocator_of(&entry.candidate), &entry.env));
    decision.warnings.extend(campaign.notes.iter().cloned());
    decision
}

/// The allocator's name in a canonical candidate.
fn allocator_of(candidate: &str) -> &str {
    candidate.split([':', '=']).next().unwrap_or(candidate)
}

/// Adds to each standing what was seen of its mechanism.
fn explain(scenario: &mut ScenarioDecision, trials: &[TrialRecord]) {
    let mut by_candidate: BTreeMap<&str, Vec<&TrialRecord>> = BTreeMap::new();
    let here = trials.iter().filter(|trial| {
        !trial.twin
            && trial.workload == scenario.workload
            && trial.threads == scenario.threads
            && trial.libc == scenario.libc
    });
    for trial in here {
        by_candidate.entry(&trial.candidate).or_default().push(trial);
    }
    let Some(baseline) = scenario.standings.first().map(|standing| standing.candidate.clone()) else {
        return;
    };
    let Some(of_baseline) = by_candidate.get(baseline.as_str()) else { return };
    for standing in scenario.standings.iter_mut().filter(|standing| standing.candidate != baseline) {
        if let Some(theirs) = by_candidate.get(standing.candidate.as_str()) {
            standing.mechanism = mechanism::seen(theirs, of_baseline);
        }
    }
}
