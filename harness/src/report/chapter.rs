//! One scenario's evidence: a row a candidate, the twin, what did not finish, how far to trust it.

use std::collections::HashMap;

use serde::Serialize;

use super::charts::theme::Family;
use super::evidence::{Evidence, Key};
use super::pictures::Place;
use super::story::{Fact, Figure, fact};
use super::trials::{self, Group};
use super::{Input, words};
use crate::format::decision::{Comparison, Decision, Ratio, ScenarioDecision, Standing, Twin};
use crate::units;

/// One scenario's evidence.
#[derive(Clone, Debug, Serialize)]
pub struct Chapter {
    /// Fragment to link to.
    pub anchor: String,
    /// Workload, threads, libc.
    pub title: String,
    /// Its own outcome in words.
    pub verdict: String,
    /// What the baseline is of a program of the user's, in a sentence; empty for a built-in workload.
    pub program: String,
    /// Whose heaps were read from outside, and whose were not, in sentences; empty for a built-in workload.
    pub heaps: String,
    /// The twin in words.
    pub twin: String,
    /// Whether the twin gives no reason to doubt.
    pub trusted: bool,
    /// Charts of the workload as a whole, then of the scenario.
    pub figures: Vec<Figure>,
    /// A row a candidate.
    pub rows: Vec<Line>,
    /// Whether any row has a latency ratio.
    pub has_p99: bool,
    /// What the latency is: `p99 of malloc`, or the one that was printed.
    pub latency: &'static str,
    /// Whether it was printed, so that each row has its level.
    pub has_latency: bool,
    /// Counts, effect, noise.
    pub trust: Vec<Fact>,
    /// What did not finish: status, candidate, reason, count, line of the first such trial.
    pub unfinished: Vec<[String; 5]>,
    /// A row a trial.
    pub trials: Vec<Group>,
    /// Where it stands in `choose --json`, as a JSON pointer.
    pub at: String,
    /// Settings not seen in force: candidate, what was seen, count.
    pub unverified: Vec<[String; 3]>,
}

/// A figure in a table.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Cell {
    /// In words; a dash where unknown.
    pub text: String,
    /// The exact figure, for sorting and for whoever reads the page by a program; none where unknown.
    pub value: Option<f64>,
    /// Lower bound.
    pub low: Option<f64>,
    /// Upper bound.
    pub high: Option<f64>,
    /// Verdict in a word, where there is one.
    pub verdict: Option<&'static str>,
    /// Its mark.
    pub mark: Option<&'static str>,
}

/// One candidate in one scenario.
#[derive(Clone, Debug, Serialize)]
pub struct Line {
    /// Canonical candidate.
    pub candidate: String,
    /// Class of its colour.
    pub family: &'static str,
    /// `choice`, `baseline`, `front` or nothing.
    pub role: &'static str,
    /// Rounds compared.
    pub rounds: u32,
    /// The objective's RSS.
    pub rss: Cell,
    /// Against the baseline.
    pub rss_ratio: Cell,
    /// Work per second.
    pub throughput: Cell,
    /// Against the baseline.
    pub throughput_ratio: Cell,
    /// Latency that was printed.
    pub latency: Cell,
    /// Latency against the baseline.
    pub p99_ratio: Cell,
    /// Smallest loss that could have been seen.
    pub resolvable: Cell,
    /// Whether the constraints hold.
    pub feasible: &'static str,
    /// The mechanism seen.
    pub mechanism: Vec<String>,
}

/// All scenarios, each with its charts.
pub fn chapters(
    input: &Input,
    prefix: &str,
    figures: Vec<Figure>,
    evidence: &HashMap<Key, Evidence>,
) -> Vec<Chapter> {
    let decision = input.decision;
    let told = |(index, scenario): (usize, &ScenarioDecision)| Chapter {
        anchor: format!("{prefix}scenario-{}", index + 1),
        at: format!("/scenarios/{index}"),
        trials: trials::groups(input.trials, scenario, decision.objective),
        ..chapter(decision, scenario, evidence)
    };
    let mut chapters: Vec<Chapter> = decision.scenarios.iter().enumerate().map(told).collect();
    let (before, own): (Vec<_>, Vec<_>) =
        figures.into_iter().partition(|f| matches!(f.place, Place::Before(_)));
    for figure in before.into_iter().chain(own) {
        let (Place::Scenario(index) | Place::Before(index)) = figure.place else { continue };
        if let Some(chapter) = chapters.get_mut(index) {
            chapter.figures.push(figure);
        }
    }
    chapters
}

fn chapter(decision: &Decision, scenario: &ScenarioDecision, evidence: &HashMap<Key, Evidence>) -> Chapter {
    let own = evidence.get(&(scenario.workload.as_str(), scenario.threads, scenario.libc.as_str()));
    let rows: Vec<Line> = scenario.standings.iter().map(|s| line(decision, scenario, s)).collect();
    let title = words::heading(decision, scenario);
    let choice = scenario.choice.as_deref().map(|c| format!(" ({c})")).unwrap_or_default();
    Chapter {
        anchor: String::new(),
        at: String::new(),
        trials: Vec::new(),
        title: words::clean(&title),
        verdict: words::clean(&format!("{}{choice}", words::verdict(scenario.verdict))),
        program: own.and_then(|own| own.served).map(|served| program(decision, served)).unwrap_or_default(),
        heaps: own.map(heaps).unwrap_or_default(),
        twin: twin(decision, scenario.twin.as_ref()),
        trusted: scenario.twin.is_none_or(|t| t.trustworthy),
        figures: Vec::new(),
        has_p99: scenario.standings.iter().any(|s| s.p99_ratio.is_some()),
        latency: words::latency(scenario),
        has_latency: words::has_latency(scenario),
        rows,
        trust: own.map(trust).unwrap_or_default(),
        unfinished: own.map(unfinished).unwrap_or_default(),
        unverified: own.map(unverified).unwrap_or_default(),
    }
}

/// What the baseline is of a program of the user's.
fn program(decision: &Decision, (by, how): (&str, &str)) -> String {
    let baseline = &decision.baseline;
    words::clean(&match baseline.as_str() {
        "glibc" => format!("glibc is the program as it is, and {by} serves its malloc: {how}"),
        _ => format!("Under the baseline, {baseline}, {by} serves the program's malloc: {how}"),
    })
}

/// The most reasons why heaps were not seen that are told.
const MOST_REASONS: usize = 3;

/// Whose heaps were read from outside, and whose were not.
fn heaps(own: &Evidence) -> String {
    if own.heaps_seen + own.heaps_left == 0 {
        return String::new();
    }
    let mut words =
        format!("Heaps were read from outside in {} of {} trials.", own.heaps_seen, own.of_program);
    if own.heaps_left > 0 {
        let left = words::plural(own.heaps_left, "trial");
        words =
            format!("{words} {left} left alone: a look would have cost over 1 % of the time of the work.");
    }
    let mut unseen: Vec<_> = own.heaps_unseen.iter().collect();
    unseen.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    for (why, count) in unseen.iter().take(MOST_REASONS) {
        words = format!("{words} Not seen in {}: {why}.", words::plural(**count, "trial"));
    }
    words::clean(&words)
}

/// The twin in words.
pub fn twin(decision: &Decision, twin: Option<&Twin>) -> String {
    let Some(twin) = twin else {
        return "no twin was run: nothing shows whether the host was steady".to_owned();
    };
    let tell = |name: &str, r: &Option<Ratio>| r.as_ref().map(|r| format!("{name} {}", words::ratio(r)));
    let figures = [
        tell("throughput", &twin.throughput_ratio),
        tell(words::objective(decision.objective), &twin.rss_ratio),
    ];
    let figures: Vec<String> = figures.into_iter().flatten().collect();
    let word = if twin.trustworthy { "agrees with the baseline" } else { "differs from the baseline" };
    format!("{word}: {}", if figures.is_empty() { "no figures".to_owned() } else { figures.join(", ") })
}

/// A figure with its interval; where there are too few rounds for one, the estimate and why.
fn or_estimate(shown: Cell, standing: &Standing, estimate: Option<(String, f64)>) -> Cell {
    match estimate {
        Some((text, value)) if shown.value.is_none() => {
            Cell { text: words::estimate(&text, standing.rounds), value: Some(value), ..Cell::default() }
        }
        _ => shown,
    }
}

fn line(decision: &Decision, scenario: &ScenarioDecision, standing: &Standing) -> Line {
    let is_baseline = standing.candidate == decision.baseline;
    let role = match () {
        () if decision.choice.as_ref() == Some(&standing.candidate) => "choice",
        () if is_baseline => "baseline",
        () if standing.on_front => "front",
        () => "",
    };
    let judged = |ratio: &Option<Ratio>, verdict: Comparison| {
        let mut cell = ratio_cell(ratio.as_ref().filter(|_| !is_baseline));
        if ratio.is_some() && !is_baseline {
            (cell.verdict, cell.mark) = (Some(words::comparison(verdict)), Some(words::mark(verdict)));
        }
        cell
    };
    let unit = words::clean(&scenario.unit);
    let few = standing.estimates.unwrap_or_default();
    Line {
        candidate: words::clean(&standing.candidate),
        family: family(&standing.candidate),
        role,
        rounds: standing.rounds,
        rss: or_estimate(
            cell(standing.rss.as_ref().map(|l| (words::bytes(l), [l.estimate, l.low, l.high]))),
            standing,
            few.rss.map(|rss| (units::format_bytes(rss), rss)),
        ),
        rss_ratio: or_estimate(
            judged(&standing.rss_ratio, standing.rss_verdict),
            standing,
            few.rss_ratio.filter(|_| !is_baseline).map(|r| (words::change(r), r)),
        ),
        throughput: or_estimate(
            cell(standing.throughput.as_ref().map(|l| (words::rate(l, &unit), [l.estimate, l.low, l.high]))),
            standing,
            few.throughput.map(|rate| (units::format_rate(rate, &unit), rate)),
        ),
        throughput_ratio: or_estimate(
            judged(&standing.throughput_ratio, standing.throughput_verdict),
            standing,
            few.throughput_ratio.filter(|_| !is_baseline).map(|r| (words::change(r), r)),
        ),
        latency: Cell {
            text: standing.latency.as_ref().map_or("–".to_owned(), words::printed),
            value: standing.latency.as_ref().map(|printed| printed.value),
            ..Cell::default()
        },
        p99_ratio: ratio_cell(standing.p99_ratio.as_ref().filter(|_| !is_baseline)),
        resolvable: Cell {
            text: standing.resolvable.map_or("–".to_owned(), words::share),
            value: standing.resolvable,
            ..Cell::default()
        },
        feasible: words::feasible(standing.feasible),
        mechanism: standing.mechanism.iter().map(|m| words::clean(m)).collect(),
    }
}

/// A ratio with its interval.
pub fn ratio_cell(ratio: Option<&Ratio>) -> Cell {
    let Some(r) = ratio else { return cell(None) };
    let (value, low, high) = (Ratio::told(r.estimate), r.told_low(), r.told_high());
    Cell { text: words::ratio(r), value, low, high, ..Cell::default() }
}

fn cell(figure: Option<(String, [f64; 3])>) -> Cell {
    let dash = || Cell { text: "–".to_owned(), ..Cell::default() };
    figure.map_or_else(dash, |(text, [value, low, high])| Cell {
        text,
        value: Some(value),
        low: Some(low),
        high: Some(high),
        ..Cell::default()
    })
}

/// The class of a candidate's colour.
pub fn family(candidate: &str) -> &'static str {
    match Family::of(candidate) {
        Family::Glibc => "glibc",
        Family::Jemalloc => "jemalloc",
        Family::Mimalloc => "mimalloc",
        Family::Tcmalloc => "tcmalloc",
        Family::Other => "other",
    }
}

fn trust(evidence: &Evidence) -> Vec<Fact> {
    let mut facts = vec![
        fact("trials", format!("{} run, {} finished", evidence.trials, evidence.ok)),
        fact("effect proven", format!("in {} of {} finished trials", evidence.verified, evidence.ok)),
    ];
    if evidence.repeats > 0 {
        facts.push(fact("noisy rounds run again", words::plural(evidence.repeats, "trial")));
    }
    for (name, median, most) in evidence.noise() {
        facts.push(fact(name, format!("median {median:.2}, largest {most:.2}")));
    }
    facts
}

/// The most lines that a list of mishaps has; further ones are in the trial lines.
const MOST_MISHAPS: usize = 40;

fn unfinished(evidence: &Evidence) -> Vec<[String; 5]> {
    let row = |((status, candidate, reason), (count, line)): (&(&str, &str, &str), &(u64, usize))| {
        let (count, line) = (count.to_string(), line.to_string());
        [(*status).to_owned(), words::clean(candidate), words::clean(reason), count, line]
    };
    evidence.unfinished.iter().map(row).take(MOST_MISHAPS).collect()
}

fn unverified(evidence: &Evidence) -> Vec<[String; 3]> {
    let row = |((candidate, how), count): (&(&str, &str), &u64)| {
        [words::clean(candidate), words::clean(how), count.to_string()]
    };
    evidence.unverified.iter().map(row).take(MOST_MISHAPS).collect()
}
