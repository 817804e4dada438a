//! The rehearsal of an upgrade on a campaign: what `decide` says, with the mechanism seen, what the sources of glibc let
//! expect, and the lines to apply a setting.

use super::store::Campaign;
use super::{decision, mechanism, plateau};
use crate::decide::from_trials::from_trials;
use crate::decide::host;
use crate::decide::question::Question;
use crate::decide::rehearse::rehearse;
use crate::format::manifest::{Libc, Manifest};
use crate::format::predict::Host;
use crate::format::rehearse::{Rehearsal, Step, StepScenario};
use crate::format::trial::TrialRecord;
use crate::knowledge::predict::{Side, predict};
use crate::plan::{Candidate, apply};

/// Rehearses the upgrade from each libc of a campaign to the next, finished or not. Without a second libc there are no
/// steps.
pub fn of(campaign: &Campaign, question: &Question) -> Rehearsal {
    let manifest = &campaign.manifest;
    let stricter = decision::with_paid_looks(question, manifest);
    let mut rehearsal = rehearse(&from_trials(&campaign.trials, manifest), manifest, &stricter);
    let looks = decision::grid_looks(manifest);
    rehearsal.confidence = 1.0 - (1.0 - question.confidence) * (2.0 - 0.5f64.powi(looks));
    host::weigh_rehearsal(&mut rehearsal, &decision::host_state(campaign, question, None));
    for (step, libcs) in rehearsal.steps.iter_mut().zip(manifest.libcs.windows(2)) {
        step.expected = expected(manifest, &libcs[0], &libcs[1]);
        if let Some(offer) = &mut step.setting {
            offer.apply = lines(&offer.candidate);
        }
        step.best.apply = step.best.choice.as_deref().and_then(lines);
        let names = (step.from.clone(), step.to.clone());
        for scenario in &mut step.scenarios {
            scenario.mechanism = seen(&campaign.trials, scenario, &names, &manifest.baseline);
        }
    }
    rehearsal.warnings.extend(warnings(campaign, question, &rehearsal.steps));
    rehearsal
}

fn lines(candidate: &str) -> Option<crate::format::decision::Apply> {
    let candidate: Candidate = candidate.parse().ok()?;
    Some(apply::lines(candidate.allocator().name(), &candidate.env()))
}

/// What was seen of why the baseline differs between two libcs; empty where nothing was.
fn seen(
    trials: &[TrialRecord],
    scenario: &StepScenario,
    libcs: &(String, String),
    baseline: &str,
) -> Vec<String> {
    let under = |libc: &str| -> Vec<&TrialRecord> {
        let here = |t: &&TrialRecord| {
            !t.twin && t.libc == libc && t.workload == scenario.workload && t.threads == scenario.threads
        };
        trials.iter().filter(here).filter(|t| t.candidate == baseline).collect()
    };
    let words = mechanism::seen(&under(&libcs.1), &under(&libcs.0));
    words.into_iter().filter(|word| word != mechanism::NOT_SEEN).collect()
}

/// What the step changes by glibc's sources. Nothing where a version is not known.
fn expected(manifest: &Manifest, from: &Libc, to: &Libc) -> Vec<String> {
    let version = |libc: &Libc| libc.version.as_deref()?.parse().ok();
    let (Some(before), Some(after)) = (version(from), version(to)) else { return Vec::new() };
    let pretended = manifest.pretended_cpus.as_ref().map(|pretended| pretended.cpus);
    let host = Host {
        cpus_online: pretended.unwrap_or(manifest.host.cpus_online),
        cpus_allowed: pretended.unwrap_or(manifest.host.cpus_allowed),
        threads: manifest.scenarios.iter().map(|scenario| scenario.threads).max().unwrap_or(1).max(1),
        arch: manifest.host.arch.clone(),
        arena_max: None,
        arena_test: None,
    };
    let side = |libc: &'static str, version| Side { name: libc, version, release: None };
    let predicted = predict(host, Some(side("before", before)), side("after", after));
    predicted.changes.into_iter().map(|change| format!("{} ({})", change.what, change.source)).collect()
}

fn warnings(campaign: &Campaign, question: &Question, steps: &[Step]) -> Vec<String> {
    let mut warnings = Vec::new();
    if steps.is_empty() {
        warnings.push("the campaign has one C library only: there is no step to rehearse".to_owned());
    }
    let untrusted = steps.iter().flat_map(|step| &step.scenarios).filter(|s| !s.trustworthy).count();
    if untrusted > 0 {
        warnings.push(format!(
            "in {untrusted} of the comparisons the baseline differs from its own twin: the host is disturbed, and nothing \
             is called better or worse there"
        ));
    }
    if let Some(pretended) = &campaign.manifest.pretended_cpus {
        warnings.push(crate::plan::pretend::note(pretended.cpus));
    }
    warnings.extend(plateau::not_reached(&campaign.trials, question.confidence));
    warnings.extend(decision::repeated(&campaign.trials));
    warnings.extend(campaign.notes.iter().cloned());
    warnings
}
