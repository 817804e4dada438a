//! The drawings of [`History`]: one a scenario that more than one campaign measured.

use std::collections::BTreeMap;

use super::charts::history::{Event, History};
use super::evidence::Key;
use super::growths::track;
use super::pictures::{MOST_TRACKS, by_weight};
use super::{Input, words};
use crate::format::decision::{Decision, ScenarioDecision};
use crate::format::manifest::Manifest;

/// The most drawings: one a scenario, those that most campaigns measured first.
const MOST: usize = 6;
/// The most campaigns of a drawing; the latest.
const MOST_CAMPAIGNS: usize = 40;

/// A campaign, and what it found in the scenario.
type Seen<'a> = (&'a Input<'a>, &'a ScenarioDecision);

/// The histories, each with the end of a file name.
pub fn histories(campaigns: &[Input]) -> Vec<(History, String)> {
    let mut ordered: Vec<&Input> = campaigns.iter().collect();
    ordered.sort_by(|a, b| a.manifest.created_at.cmp(&b.manifest.created_at));
    let mut found: BTreeMap<Key, Vec<Seen>> = BTreeMap::new();
    for input in ordered {
        for scenario in &input.decision.scenarios {
            let key = (scenario.workload.as_str(), scenario.threads, scenario.libc.as_str());
            found.entry(key).or_default().push((input, scenario));
        }
    }
    let mut found: Vec<_> = found.into_values().filter(|seen| seen.len() > 1).collect();
    found.sort_by_key(|seen| std::cmp::Reverse(seen.len()));
    found.into_iter().filter_map(|seen| history(&seen)).take(MOST).collect()
}

fn history(seen: &[Seen]) -> Option<(History, String)> {
    let seen = &seen[seen.len().saturating_sub(MOST_CAMPAIGNS)..];
    let (last, scenario) = *seen.last()?;
    // Figures of another objective, or in another unit, are other figures.
    let alike =
        |(input, s): &&Seen| input.decision.objective == last.decision.objective && s.unit == scenario.unit;
    let seen: Vec<_> = seen.iter().filter(alike).collect();
    let scenarios: Vec<&ScenarioDecision> = seen.iter().map(|(_, s)| *s).collect();
    let tracks: Vec<_> = names(last.decision, scenario, &seen)
        .into_iter()
        .map(|name| track(last.decision, &scenarios, name))
        .filter(|track| track.rss.iter().flatten().count() > 1)
        .take(MOST_TRACKS)
        .collect();
    let events = seen.iter().enumerate().map(|(index, (input, _))| Event {
        name: input.name.to_owned(),
        when: when(input.manifest),
        joined: index > 0 && same_ground(seen[index - 1].0.manifest, input.manifest),
    });
    let history = History {
        title: finding(last.decision, &seen),
        subtitle: format!(
            "{}; {} intervals",
            words::scenario(&scenario.workload, scenario.threads, &scenario.libc),
            words::confidence(last.decision.confidence)
        ),
        objective: words::objective(last.decision.objective),
        unit: scenario.unit.clone(),
        events: events.collect(),
        tracks,
    };
    (seen.len() > 1 && !history.tracks.is_empty()).then(|| (history, super::pictures::file_name(scenario)))
}

/// The baseline, what each campaign chose, then the last campaign's others.
fn names<'a>(decision: &'a Decision, scenario: &'a ScenarioDecision, seen: &[&Seen<'a>]) -> Vec<&'a str> {
    let choices = seen.iter().rev().filter_map(|(input, _)| input.decision.choice.as_deref());
    let all = std::iter::once(decision.baseline.as_str()).chain(choices).chain(by_weight(decision, scenario));
    let mut names: Vec<&str> = Vec::new();
    for name in all {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// Day, and the host's C library.
fn when(manifest: &Manifest) -> String {
    let day: String = manifest.created_at.chars().take(10).collect();
    let libc = manifest.libcs.first().and_then(|libc| libc.version.as_deref());
    libc.map_or(day.clone(), |version| format!("{day}, libc {version}"))
}

/// Whether figures of both may be compared: the same host, and the same engines where both have them.
pub fn same_ground(a: &Manifest, b: &Manifest) -> bool {
    let same_engine = a.binaries.iter().all(|(key, binary)| {
        key.starts_with("program:") || b.binaries.get(key).is_none_or(|other| other.sha256 == binary.sha256)
    });
    let host =
        |m: &Manifest| (m.host.name.clone(), m.host.cpu.clone(), m.host.cpus_allowed, m.host.arch.clone());
    same_engine && host(a) == host(b)
}

/// Whether the campaigns agree.
fn finding(decision: &Decision, seen: &[&Seen]) -> String {
    let campaigns = words::plural(seen.len() as u64, "campaign");
    let choice = decision.choice.as_deref();
    let same = seen.iter().all(|(input, _)| input.decision.choice.as_deref() == choice);
    match choice {
        Some(choice) if same => format!("{campaigns}, one choice: {}", words::titled(choice)),
        None if same => format!("{campaigns}, none of which chose a setting"),
        _ => format!("{campaigns} do not choose the same setting"),
    }
}

/// What tells the campaigns apart besides what was to be compared.
pub fn warnings(campaigns: &[Input]) -> Vec<String> {
    let manifests: Vec<&Manifest> = campaigns.iter().map(|input| input.manifest).collect();
    let mut warnings = Vec::new();
    let mut differ = |what: &str, of: &dyn Fn(&Manifest) -> String| {
        let mut said: Vec<String> = manifests.iter().map(|m| of(m)).collect();
        said.sort();
        said.dedup();
        if said.len() > 1 {
            let said = words::shortened(&said.join(" / "), 200);
            warnings.push(words::clean(&format!("{what} differ between the campaigns: {said}")));
        }
    };
    let or_unknown = |text: &Option<String>| text.clone().unwrap_or_else(|| "unknown".to_owned());
    differ("the hosts", &|m| m.host.name.clone());
    differ("the processors", &|m| or_unknown(&m.host.cpu));
    differ("the numbers of CPUs", &|m| m.host.cpus_allowed.to_string());
    differ("the kernels", &|m| m.host.kernel.clone());
    differ("the baselines", &|m| m.baseline.clone());
    differ("the objectives", &|m| words::objective(m.objective).to_owned());
    let engine_changed = manifests.windows(2).any(|pair| {
        let others = |key: &String| !key.starts_with("program:");
        let engines = pair[0].binaries.iter().filter(|(key, _)| others(key));
        engines.into_iter().any(|(key, a)| pair[1].binaries.get(key).is_some_and(|b| a.sha256 != b.sha256))
    });
    if engine_changed {
        warnings.push(
            "the workload engine is not the same build in all campaigns: the work may differ".to_owned(),
        );
    }
    if !manifests.windows(2).all(|pair| same_ground(pair[0], pair[1])) {
        warnings.push(
            "levels are not compared where host or engine changed: the lines of the histories are broken there"
                .to_owned(),
        );
    }
    warnings
}
