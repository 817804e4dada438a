//! Which charts a campaign has, and what each shows: from the decision to data for [`super::charts`].

use std::collections::{BTreeMap, HashSet};

use super::charts::Drawing;
use super::charts::forest::{Estimate, Forest, Row};
use super::charts::frontier::{Frontier, Point, Role};
use super::charts::ladder::{Column, Ladder, Rung};
use super::charts::timeline::{Timeline, Track};
use super::{Input, growths, profile, profiles, words};
use crate::format::decision::{Decision, Feasible, Ratio, ScenarioDecision, Standing, Verdict};
use crate::format::series::Series;

/// Where a chart stands in the report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// Beside the verdict.
    Front,
    /// Between campaigns: steps and history.
    Between,
    /// In the evidence of a scenario, by its index in the decision.
    Scenario(usize),
    /// In the evidence of a workload as a whole, before that scenario.
    Before(usize),
}

/// A chart with its file name.
#[derive(Clone, Debug)]
pub struct Picture<'a> {
    /// Without folder and extension.
    pub file: String,
    /// Where it stands.
    pub place: Place,
    /// What it shows.
    pub drawing: Drawing<'a>,
}

/// All charts of a campaign, the most telling first.
pub fn all<'a>(input: &Input<'a>) -> Vec<Picture<'a>> {
    let decision = input.decision;
    let mut pictures = Vec::new();
    let mut add = |file: String, place, drawing| pictures.push(Picture { file, place, drawing });
    if let Some(forest) = choice_by_scenario(decision) {
        add("forest-choice".to_owned(), Place::Front, Drawing::Forest(forest));
    }
    let telling = telling_scenario(decision);
    let known = profile::profiles(input.trials);
    for (index, scenario) in decision.scenarios.iter().enumerate() {
        let name = file_name(scenario);
        let place = if Some(index) == telling { Place::Front } else { Place::Scenario(index) };
        if let Some(chart) = frontier(decision, scenario) {
            add(format!("frontier-{name}"), place, Drawing::Frontier(chart));
        }
        if let Some(chart) = forest(decision, scenario) {
            add(format!("forest-{name}"), Place::Scenario(index), Drawing::Forest(chart));
        }
        if let Some(chart) = timeline(input, scenario) {
            add(format!("timeline-{name}"), Place::Scenario(index), Drawing::Timeline(chart));
        }
        if let Some(chart) = profiles::anatomy(decision, scenario, &known) {
            add(format!("anatomy-{name}"), Place::Scenario(index), Drawing::Anatomy(chart));
        }
        if let Some(chart) = profiles::latency(decision, scenario, &known) {
            add(format!("latency-{name}"), Place::Scenario(index), Drawing::Latency(chart));
        }
    }
    for (first, chart, name) in ladders(decision) {
        add(format!("ladder-{name}"), Place::Before(first), Drawing::Ladder(chart));
    }
    for (first, chart, name) in growths::growths(decision) {
        add(format!("growth-{name}"), Place::Before(first), Drawing::Growth(chart));
    }
    make_distinct(&mut pictures);
    pictures
}

pub fn file_name(scenario: &ScenarioDecision) -> String {
    let mut name = words::slug(&scenario.workload);
    if scenario.threads > 0 {
        name = format!("{name}-{}t", scenario.threads);
    }
    if scenario.libc != "host" {
        name = format!("{name}-{}", words::slug(&scenario.libc));
    }
    name
}

/// Names that are the same after sanitising get a number.
pub fn make_distinct(pictures: &mut [Picture]) {
    let mut seen = HashSet::new();
    for picture in pictures {
        let base = picture.file.clone();
        let mut number = 2;
        while !seen.insert(picture.file.clone()) {
            picture.file = format!("{base}-{number}");
            number += 1;
        }
    }
}

/// The candidate that a picture is about: the choice, unless that is the baseline.
fn hero(decision: &Decision) -> Option<&str> {
    decision.choice.as_deref().filter(|choice| *choice != decision.baseline)
}

fn standing<'a>(scenario: &'a ScenarioDecision, candidate: &str) -> Option<&'a Standing> {
    scenario.standings.iter().find(|s| s.candidate == candidate)
}

/// Where the choice costs most throughput; else the first scenario.
fn telling_scenario(decision: &Decision) -> Option<usize> {
    let low = |scenario: &ScenarioDecision| {
        let ratio = standing(scenario, hero(decision)?)?.throughput_ratio;
        ratio.map(|r| r.low)
    };
    let all = decision.scenarios.iter().enumerate();
    let worst = all.filter_map(|(i, s)| Some((i, low(s)?))).min_by(|a, b| a.1.total_cmp(&b.1));
    worst.map(|(i, _)| i).or((!decision.scenarios.is_empty()).then_some(0))
}

fn subtitle(scenario: &ScenarioDecision) -> String {
    let rounds = scenario.standings.iter().map(|s| s.rounds).max().unwrap_or(0);
    let name = words::scenario(&scenario.workload, scenario.threads, &scenario.libc);
    format!("{name}; {}", words::plural(u64::from(rounds), "round"))
}

fn distrusted(scenario: &ScenarioDecision) -> bool {
    scenario.twin.is_some_and(|twin| !twin.trustworthy)
}

/// What a scenario shows, in one line.
fn finding(decision: &Decision, scenario: &ScenarioDecision) -> String {
    if distrusted(scenario) {
        return "Not to be trusted: the baseline differs from itself".to_owned();
    }
    let figures = |candidate: &str| {
        let standing = standing(scenario, candidate)?;
        let rss = words::change(standing.rss_ratio?.estimate);
        let rate = words::change(standing.throughput_ratio?.estimate);
        let objective = words::objective(decision.objective);
        Some(format!("{}: {objective} {rss}, throughput {rate}", words::titled(candidate)))
    };
    if let Some(text) = hero(decision).and_then(figures) {
        return text;
    }
    // What holds for the campaign comes first: a scenario by itself may leave open what another settles.
    if decision.verdict == Verdict::KeepBaseline {
        let baseline = words::titled(&decision.baseline);
        return format!("Keep {baseline}: nothing within the constraints saves more than the tolerance");
    }
    match scenario.verdict {
        Verdict::NoneFeasible => "No candidate meets the constraints".to_owned(),
        Verdict::Undecided => "Undecided: the intervals leave it open".to_owned(),
        Verdict::Chosen => {
            let alone = scenario.choice.as_deref().and_then(figures);
            alone.map_or("No figures".to_owned(), |text| format!("Here alone {text}"))
        }
        Verdict::KeepBaseline => {
            format!(
                "No candidate saves more than the tolerance against {}",
                words::titled(&decision.baseline)
            )
        }
    }
}

fn frontier(decision: &Decision, scenario: &ScenarioDecision) -> Option<Frontier> {
    let points: Vec<Point> = scenario.standings.iter().filter_map(|s| point(decision, s)).collect();
    let baseline = points.iter().find(|p| p.name == decision.baseline);
    let floor = decision.constraints.max_throughput_loss.zip(baseline).map(|(loss, baseline)| {
        let name = format!("more than {} below the baseline", words::confidence(loss));
        (baseline.throughput.estimate * (1.0 - loss), name)
    });
    (!points.is_empty()).then(|| Frontier {
        title: finding(decision, scenario),
        subtitle: format!("{}; {} intervals", subtitle(scenario), words::confidence(decision.confidence)),
        objective: words::objective(decision.objective),
        unit: scenario.unit.clone(),
        floor,
        budget: decision.constraints.max_rss.map(|b| b as f64),
        points,
    })
}

fn point(decision: &Decision, standing: &Standing) -> Option<Point> {
    let name = &standing.candidate;
    let role = if decision.choice.as_ref() == Some(name) {
        if *name == decision.baseline { Role::Kept } else { Role::Choice }
    } else if *name == decision.baseline {
        Role::Baseline
    } else if standing.feasible == Feasible::No {
        Role::Infeasible
    } else if standing.on_front {
        Role::Front
    } else {
        Role::Beaten
    };
    let on_front = standing.on_front;
    Some(Point { name: name.clone(), rss: standing.rss?, throughput: standing.throughput?, role, on_front })
}

fn estimate(ratio: Option<Ratio>, verdict: crate::format::decision::Comparison) -> Option<Estimate> {
    ratio.map(|ratio| Estimate { ratio: ratio.drawn(), verdict: Some(verdict) })
}

fn row(label: String, standing: &Standing, chosen: bool) -> Row {
    Row {
        label,
        candidate: standing.candidate.clone(),
        chosen,
        rss: estimate(standing.rss_ratio, standing.rss_verdict),
        throughput: estimate(standing.throughput_ratio, standing.throughput_verdict),
    }
}

fn floor(decision: &Decision) -> Option<f64> {
    decision.constraints.max_throughput_loss.map(|loss| 1.0 - loss)
}

fn forest(decision: &Decision, scenario: &ScenarioDecision) -> Option<Forest> {
    let mut rows: Vec<Row> = scenario
        .standings
        .iter()
        .filter(|s| s.candidate != decision.baseline)
        .map(|s| row(s.candidate.clone(), s, decision.choice.as_ref() == Some(&s.candidate)))
        .collect();
    if !rows.iter().any(|row| row.rss.is_some() || row.throughput.is_some()) {
        return None;
    }
    let place = |row: &Row| row.rss.map_or(f64::INFINITY, |e| e.ratio.estimate);
    rows.sort_by(|a, b| place(a).total_cmp(&place(b)));
    if let Some(twin) = &scenario.twin {
        let own = |ratio: Option<Ratio>| ratio.map(|ratio| Estimate { ratio: ratio.drawn(), verdict: None });
        rows.insert(
            0,
            Row {
                label: "baseline again (twin)".to_owned(),
                candidate: decision.baseline.clone(),
                chosen: false,
                rss: own(twin.rss_ratio),
                throughput: own(twin.throughput_ratio),
            },
        );
    }
    Some(Forest {
        title: format!("Against {}, within rounds", words::titled(&decision.baseline)),
        subtitle: format!("{}; {} intervals", subtitle(scenario), words::confidence(decision.confidence)),
        objective: words::objective(decision.objective),
        against: "the baseline",
        rows,
        floor: floor(decision),
    })
}

/// The choice across all scenarios; none where there is one scenario or no choice but the baseline.
fn choice_by_scenario(decision: &Decision) -> Option<Forest> {
    let choice = hero(decision)?;
    let rows: Vec<Row> = decision
        .scenarios
        .iter()
        .filter_map(|s| {
            // Cut before the threads are named: they must not lose a digit.
            let short = ScenarioDecision { workload: words::shortened(&s.workload, 26), ..s.clone() };
            let name = words::heading(decision, &short);
            Some(row(name, standing(s, choice)?, false))
        })
        .collect();
    let confidence = words::confidence(decision.confidence);
    let doubt = if words::trustworthy(decision) { "" } else { "; not to be trusted: the twin differs" };
    (rows.len() > 1).then(|| Forest {
        title: format!("{} in every scenario", words::titled(choice)),
        subtitle: format!("against {}; {confidence} intervals{doubt}", decision.baseline),
        objective: words::objective(decision.objective),
        against: "the baseline",
        rows,
        floor: floor(decision),
    })
}

/// The limit of a candidate that sets nothing but glibc's `arena_max`; infinity for plain glibc.
fn rung(candidate: &str) -> Option<f64> {
    if candidate == "glibc" {
        return Some(f64::INFINITY);
    }
    candidate.strip_prefix("glibc:arena_max=")?.parse::<u32>().ok().map(f64::from)
}

/// The scenarios of each workload and libc: they differ in threads only.
pub fn groups(decision: &Decision) -> Vec<Vec<usize>> {
    let mut groups: BTreeMap<(&str, &str), Vec<usize>> = BTreeMap::new();
    for (index, scenario) in decision.scenarios.iter().enumerate() {
        groups.entry((&scenario.workload, &scenario.libc)).or_default().push(index);
    }
    groups.into_values().collect()
}

/// One ladder a workload and libc that has at least one limit, with the index of its first scenario.
fn ladders(decision: &Decision) -> Vec<(usize, Ladder, String)> {
    let found = groups(decision);
    let mut ladders: Vec<_> = found.iter().filter_map(|group| ladder(decision, group)).collect();
    ladders.sort_by_key(|(first, _, _)| *first);
    ladders
}

fn ladder(decision: &Decision, group: &[usize]) -> Option<(usize, Ladder, String)> {
    let first = *group.iter().min()?;
    let mut columns: Vec<Column> = group
        .iter()
        .map(|i| {
            let scenario = &decision.scenarios[*i];
            Column { threads: scenario.threads, rungs: rungs(decision, scenario) }
        })
        .filter(|column| column.rungs.iter().filter(|r| r.joined && r.rss.is_some()).count() > 1)
        .collect();
    columns.sort_by_key(|c| c.threads);
    let scenario = &decision.scenarios[first];
    let mut name = words::slug(&scenario.workload);
    let mut subtitle = format!("{}; {} intervals", scenario.workload, words::confidence(decision.confidence));
    if scenario.libc != "host" {
        name = format!("{name}-{}", words::slug(&scenario.libc));
        subtitle = format!("{subtitle}; libc {}", scenario.libc);
    }
    let ladder = Ladder {
        title: ladder_finding(decision, group),
        subtitle,
        objective: words::objective(decision.objective),
        unit: scenario.unit.clone(),
        columns,
    };
    (!ladder.columns.is_empty()).then_some((first, ladder, name))
}

/// What the chosen limit does where there are most threads; of no chosen limit, the one with least RSS.
fn ladder_finding(decision: &Decision, group: &[usize]) -> String {
    let objective = words::objective(decision.objective);
    let told = || {
        let scenario = group.iter().map(|i| &decision.scenarios[*i]).max_by_key(|s| s.threads)?;
        if distrusted(scenario) || decision.baseline != "glibc" {
            return None;
        }
        let limited = scenario.standings.iter().filter(|s| rung(&s.candidate).is_some_and(f64::is_finite));
        let rss = |s: &&Standing| s.rss_ratio.map_or(f64::INFINITY, |r| r.estimate);
        let chosen = limited.clone().find(|s| decision.choice.as_ref() == Some(&s.candidate));
        let told = chosen.or(limited.min_by(|a, b| rss(a).total_cmp(&rss(b))))?;
        let limit = rung(&told.candidate)?;
        let (rss, rate) = (told.rss_ratio?, told.throughput_ratio?);
        Some(format!(
            "{}, MALLOC_ARENA_MAX={limit}: {objective} {}, throughput {}",
            words::threads(scenario.threads),
            words::change(rss.estimate),
            words::change(rate.estimate)
        ))
    };
    told().unwrap_or_else(|| format!("What a limit on arenas does to {objective} and throughput"))
}

fn rungs(decision: &Decision, scenario: &ScenarioDecision) -> Vec<Rung> {
    let make = |standing: &Standing, place: String, joined| Rung {
        place,
        name: standing.candidate.clone(),
        rss: standing.rss,
        throughput: standing.throughput,
        chosen: decision.choice.as_ref() == Some(&standing.candidate),
        joined,
    };
    let mut limits: Vec<(f64, &Standing)> =
        scenario.standings.iter().filter_map(|s| Some((rung(&s.candidate)?, s))).collect();
    limits.sort_by(|a, b| a.0.total_cmp(&b.0));
    let limited = limits.into_iter().map(|(limit, standing)| {
        let place = if limit.is_finite() { format!("{limit}") } else { "unset".to_owned() };
        make(standing, place, true)
    });
    let apart =
        scenario.standings.iter().filter(|s| s.candidate != "glibc" && !s.candidate.contains([':', '=']));
    limited.chain(apart.take(4).map(|s| make(s, words::shortened(&s.candidate, 10), false))).collect()
}

/// The most lines that a reader tells apart in one drawing.
pub const MOST_TRACKS: usize = 6;

/// The candidates of a scenario, each once, in the order in which they matter: the baseline, the choice,
/// the front, the others.
pub fn by_weight<'a>(decision: &'a Decision, scenario: &'a ScenarioDecision) -> Vec<&'a str> {
    let choice = decision.choice.as_deref();
    let front = scenario.front.iter().map(String::as_str);
    let others = scenario.standings.iter().map(|s| s.candidate.as_str());
    let mut seen = HashSet::new();
    let all = std::iter::once(decision.baseline.as_str()).chain(choice).chain(front).chain(others);
    all.filter(|name| seen.insert(*name)).collect()
}

fn timeline<'a>(input: &Input<'a>, scenario: &ScenarioDecision) -> Option<Timeline<'a>> {
    let decision = input.decision;
    let mut found: BTreeMap<&str, &'a Series> = BTreeMap::new();
    let here = input.series.iter().filter(|s| {
        !s.twin
            && s.workload == scenario.workload
            && s.threads == scenario.threads
            && s.libc == scenario.libc
            && !s.at_s.is_empty()
    });
    for series in here {
        let kept = found.entry(&series.candidate).or_insert(series);
        let later_attempt = series.round == kept.round && series.attempt > kept.attempt;
        if series.round < kept.round || later_attempt {
            *kept = series;
        }
    }
    let tracks: Vec<Track> = by_weight(decision, scenario)
        .into_iter()
        .filter_map(|name| found.get(name))
        .take(MOST_TRACKS)
        .map(|series| {
            let baseline = series.candidate == decision.baseline;
            let strong = baseline || decision.choice.as_ref() == Some(&series.candidate);
            Track { series, strong, baseline }
        })
        .collect();
    let subtitle = words::scenario(&scenario.workload, scenario.threads, &scenario.libc);
    (!tracks.is_empty()).then(|| Timeline {
        title: "Memory over time, one trial of each".to_owned(),
        subtitle: format!("{subtitle}; phases are those of the strong dark line"),
        tracks,
    })
}
