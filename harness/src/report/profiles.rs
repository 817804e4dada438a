//! The drawings made from [`profile`]s: anatomy and latency.

use std::collections::HashMap;

use super::charts::anatomy::{Anatomy, Bar, Of};
use super::charts::latency::{Curve, Latency};
use super::pictures::{MOST_TRACKS, by_weight};
use super::profile::{Profile, Whose};
use super::words;
use crate::format::decision::{Decision, ScenarioDecision};
use crate::units;

/// The most bars of a drawing.
const MOST_BARS: usize = 10;

fn of<'a>(
    scenario: &'a ScenarioDecision,
    name: &'a str,
    profiles: &'a HashMap<Whose<'a>, Profile>,
) -> Option<&'a Profile> {
    profiles.get(&((scenario.workload.as_str(), scenario.threads, scenario.libc.as_str()), name))
}

fn strong(decision: &Decision, name: &str) -> bool {
    name == decision.baseline || decision.choice.as_deref() == Some(name)
}

fn subtitle(scenario: &ScenarioDecision) -> String {
    let name = words::scenario(&scenario.workload, scenario.threads, &scenario.libc);
    format!("{name}; medians over trials, with quartiles")
}

/// Resident memory, of it live or in use, and what is neither the program's data nor the allocator's: a workload's engine,
/// a program's files, stacks and other memory.
fn parts(profile: &Profile) -> Option<(super::profile::Spread, f64, f64)> {
    match (profile.live, profile.outside) {
        (Some(live), _) => Some((profile.rss?, live.median, profile.engine.map_or(0.0, |s| s.median))),
        (None, Some(seen)) => {
            let other = seen.rss.median - seen.in_use.median - seen.kept.median;
            Some((seen.rss, seen.in_use.median, other.max(0.0)))
        }
        (None, None) => None,
    }
}

fn is_program(profile: Option<&Profile>) -> bool {
    profile.is_some_and(|profile| profile.live.is_none() && profile.outside.is_some())
}

/// Where the memory is; none where neither live bytes are known nor what is in use.
pub fn anatomy(
    decision: &Decision,
    scenario: &ScenarioDecision,
    profiles: &HashMap<Whose<'_>, Profile>,
) -> Option<Anatomy> {
    let bar = |name: &str| {
        let profile = of(scenario, name, profiles)?;
        let median = |spread: Option<super::profile::Spread>| spread.map(|s| s.median);
        let (rss, live, other) = parts(profile)?;
        Some(Bar {
            name: name.to_owned(),
            strong: strong(decision, name),
            rss,
            live,
            other,
            free: median(profile.free),
            metadata: median(profile.metadata),
            lazy: median(profile.lazy),
        })
    };
    let bars: Vec<Bar> = by_weight(decision, scenario).into_iter().filter_map(bar).take(MOST_BARS).collect();
    let of = if by_weight(decision, scenario).iter().any(|name| is_program(of(scenario, name, profiles))) {
        Of::Program
    } else {
        Of::Workload
    };
    let kept = |name: &str| {
        let bar = bars.iter().find(|b| b.name == name)?;
        Some(units::format_bytes((bar.rss.median - bar.live - bar.other).max(0.0)))
    };
    let baseline = kept(&decision.baseline);
    let choice = decision.choice.as_deref().filter(|c| *c != decision.baseline);
    let title = match (baseline, choice.and_then(|c| Some((c, kept(c)?)))) {
        (Some(baseline), Some((name, kept))) => {
            format!(
                "{}: {} {kept}, {} {baseline}",
                of.kept(),
                words::titled(name),
                words::titled(&decision.baseline)
            )
        }
        (Some(baseline), None) => {
            format!("{}: {} {baseline}", of.kept(), words::titled(&decision.baseline))
        }
        _ => "Where the memory is".to_owned(),
    };
    (!bars.is_empty()).then(|| Anatomy { title, subtitle: subtitle(scenario), of, bars })
}

/// How long allocating calls take; none where it was not measured.
pub fn latency(
    decision: &Decision,
    scenario: &ScenarioDecision,
    profiles: &HashMap<Whose<'_>, Profile>,
) -> Option<Latency> {
    let curve = |name: &str| {
        let quantiles = of(scenario, name, profiles)?.malloc;
        quantiles.iter().any(Option::is_some).then(|| Curve {
            name: name.to_owned(),
            strong: strong(decision, name),
            baseline: name == decision.baseline,
            quantiles,
        })
    };
    let curves: Vec<Curve> =
        by_weight(decision, scenario).into_iter().filter_map(curve).take(MOST_TRACKS).collect();
    (!curves.is_empty()).then(|| Latency {
        title: latency_finding(decision, scenario, &curves),
        subtitle: subtitle(scenario),
        curves,
    })
}

/// What a choice does to the tail; else the baseline's and the shortest.
fn latency_finding(decision: &Decision, scenario: &ScenarioDecision, curves: &[Curve]) -> String {
    let choice = decision.choice.as_deref().filter(|c| *c != decision.baseline);
    let told = scenario.standings.iter().find(|s| Some(s.candidate.as_str()) == choice);
    let told = told.and_then(|s| {
        Some(format!("{}: p99 of malloc {}", words::titled(&s.candidate), words::ratio(&s.p99_ratio?)))
    });
    let p99 = |curve: &Curve| curve.quantiles[2].map(|s| s.median);
    let say = |curve: &Curve| {
        Some(format!("{} {}", words::titled(&curve.name), units::format_seconds(p99(curve)? * 1e-9)))
    };
    let baseline = curves.iter().find(|c| c.baseline).and_then(say);
    let shortest = curves
        .iter()
        .filter(|c| p99(c).is_some())
        .min_by(|a, b| p99(a).unwrap_or(f64::INFINITY).total_cmp(&p99(b).unwrap_or(f64::INFINITY)));
    let shortest = shortest.filter(|c| !c.baseline).and_then(say).map(|s| format!(", shortest {s}"));
    told.or(baseline.map(|b| format!("p99 of malloc: {b}{}", shortest.unwrap_or_default())))
        .unwrap_or_else(|| "Latency of malloc".to_owned())
}
