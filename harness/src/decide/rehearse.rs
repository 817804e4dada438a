//! An upgrade from one C library to the next: what it does with nothing changed, and which setting keeps what today has.
//!
//! All libcs ran in the same rounds, so that ratios are taken within them. A **bound** that a verdict rests on errs with
//! the chance that the stated confidence leaves, split over the candidates where one is picked among them. Over several
//! scenarios a claim must hold in each, which needs no correction; harm in any figure of any
//! one of them is harm, and its chance is split over them.

use crate::format::decision::{Comparison, Decision, Feasible, Ratio};
use crate::format::manifest::{Libc, Manifest};
use crate::format::rehearse::{Rehearsal, Rehearsed, Step, StepScenario};
use crate::statistics::Interval;
use crate::statistics::estimator::Estimator;
use crate::statistics::power::resolvable;
use crate::statistics::summary::Summary;

use super::choose::choose;
use super::feasibility::further_rounds;
use super::logs::{Logs, Metric};
use super::observations::{Cell, Observations, ScenarioData};
use super::question::Question;
use super::standings::{Good, candidates, compare};
use super::twin::{self, ratio};

mod verdict;

/// Rehearses every step of an upgrade, from each libc of the manifest to the one that follows it. `apply`, `mechanism` and
/// `expected` are left empty, for a caller that knows allocators.
pub fn rehearse(seen: &Observations, manifest: &Manifest, question: &Question) -> Rehearsal {
    let mut estimator = Estimator::new(question.seed);
    let pairs = manifest.libcs.windows(2).filter(|_| seen.baseline < seen.arms.len());
    let steps = pairs.map(|pair| step(seen, question, &pair[0], &pair[1], &mut estimator)).collect();
    Rehearsal {
        format: crate::format::FORMAT,
        baseline: manifest.baseline.clone(),
        objective: question.objective,
        constraints: question.constraints,
        confidence: 1.0 - question.alpha(),
        margin: question.equivalence_margin,
        libcs: manifest.libcs.clone(),
        steps,
        warnings: Vec::new(),
        host: None,
    }
}

fn step(seen: &Observations, question: &Question, from: &Libc, to: &Libc, estimator: &mut Estimator) -> Step {
    let pairs = matched(seen, &from.name, &to.name);
    let scenarios: Vec<Examined> = pairs
        .iter()
        .map(|(before, after)| Examined::new(seen, question, before, after, pairs.len(), estimator))
        .collect();
    let verdict::Outcome { verdict, reason, rounds_needed, setting } =
        verdict::settle(seen, question, &scenarios);
    Step {
        from: from.name.clone(),
        from_version: from.version.clone(),
        to: to.name.clone(),
        to_version: to.version.clone(),
        verdict,
        reason,
        rounds_needed,
        setting,
        best: best_under(seen, &to.name, question),
        expected: Vec::new(),
        scenarios: scenarios.into_iter().map(|examined| examined.shown).collect(),
    }
}

/// The scenarios that both libcs have.
fn matched<'a>(seen: &'a Observations, from: &str, to: &str) -> Vec<(&'a ScenarioData, &'a ScenarioData)> {
    let under = |libc: &str| -> Vec<&'a ScenarioData> {
        seen.scenarios.iter().filter(|scenario| scenario.libc == libc).collect()
    };
    let after = under(to);
    let with_partner = |before: &'a ScenarioData| {
        let same = |s: &&&ScenarioData| s.workload == before.workload && s.threads == before.threads;
        after.iter().find(same).map(|after| (before, *after))
    };
    under(from).into_iter().filter_map(with_partner).collect()
}

/// The choice if the libc were the only one.
fn best_under(seen: &Observations, libc: &str, question: &Question) -> Decision {
    let scenarios = seen.scenarios.iter().filter(|scenario| scenario.libc == libc).cloned().collect();
    let Observations { arms, baseline, twin, .. } = seen;
    let (baseline, twin) = (*baseline, *twin);
    choose(&Observations { arms: arms.clone(), baseline, twin, scenarios, out_of_time: false }, question)
}

/// What a scenario says of one candidate.
struct Held {
    /// Index of its arm.
    arm: usize,
    /// Whether RSS is at today's level, by the bound for one that is picked among many.
    rss_back: Feasible,
    /// Whether all that is asked holds, by the same bounds; of the baseline by bounds of its own.
    keeps: Feasible,
    /// Whether throughput does.
    keeps_throughput: Feasible,
    throughput: Option<Ratio>,
    rss: Option<Ratio>,
    /// Further rounds that would probably settle what is open.
    rounds_needed: Option<f64>,
}

/// A scenario, examined.
struct Examined {
    shown: StepScenario,
    /// In the order of the candidates; the baseline first.
    held: Vec<Held>,
}

/// Chances of error: of an interval read by itself, and of a bound that a claim rests on.
#[derive(Clone, Copy)]
struct Tails {
    plain: f64,
    claim: f64,
    /// Of the claim that something is harmed, which any figure of any scenario can make.
    harm: f64,
}

impl Examined {
    fn new(
        seen: &Observations,
        question: &Question,
        before: &ScenarioData,
        after: &ScenarioData,
        scenarios: usize,
        estimator: &mut Estimator,
    ) -> Self {
        let logs = |data| Logs::of(data, seen.arms.len(), question.objective);
        let (old, new) = (logs(before), logs(after));
        let mut honest = |logs: &Logs| {
            twin::examine(logs, seen, question.alpha(), seen.scenarios.len(), estimator)
                .is_none_or(|twin| twin.trustworthy)
        };
        let trustworthy = honest(&old) && honest(&new);
        let arms = candidates(seen);
        let alpha = question.alpha();
        let rivals = arms.len().saturating_sub(1).max(1) as f64;
        // Harm can show in any scenario and any figure that counts.
        let figures = [question.throughput_floor(), question.p99_ceiling()].iter().flatten().count() + 1;
        let places = (figures * scenarios.max(1)) as f64;
        let mut held = Vec::new();
        let mut shown = Vec::new();
        for arm in arms {
            let picked = if arm == seen.baseline { 1.0 } else { rivals };
            let tails = Tails { plain: alpha / 2.0, claim: alpha / picked, harm: alpha / picked / places };
            let look = Look { seen, question, old: &old, new: &new, after, trustworthy, tails };
            let (row, bounds) = look.at(arm, estimator);
            shown.push(row);
            held.push(bounds);
        }
        let rounds = new.over(Metric::Throughput, seen.baseline, &old, seen.baseline).len() as u32;
        let shown = StepScenario {
            workload: before.workload.clone(),
            threads: before.threads,
            rounds,
            trustworthy,
            mechanism: Vec::new(),
            candidates: shown,
        };
        Self { shown, held }
    }
}

/// What is needed to look at one candidate.
struct Look<'a> {
    seen: &'a Observations,
    question: &'a Question,
    old: &'a Logs,
    new: &'a Logs,
    after: &'a ScenarioData,
    trustworthy: bool,
    tails: Tails,
}

/// One figure: read by itself, as the ground of a claim, and as the ground of harm.
struct Figure {
    plain: Interval,
    claim: Interval,
    harm: Interval,
    summary: Option<Summary>,
}

impl Look<'_> {
    fn at(&self, arm: usize, estimator: &mut Estimator) -> (Rehearsed, Held) {
        let mut figure = |metric| self.figure(metric, arm, estimator);
        let (throughput, rss, p99) = (figure(Metric::Throughput), figure(Metric::Rss), figure(Metric::P99));
        let question = self.question;
        let unfinished = unfinished(self.after, arm);
        let fate = |state: Feasible| match (&unfinished, state) {
            (Some(_), _) => Feasible::No,
            (None, Feasible::Yes | Feasible::No) if !self.trustworthy => Feasible::Undecided,
            (None, state) => state,
        };
        let below = |figure: &Option<Figure>, limit: f64| at_most(figure.as_ref(), limit);
        let rss_back = fate(below(&rss, question.margin()));
        let kept =
            question.throughput_floor().map_or(Feasible::Yes, |floor| at_least(throughput.as_ref(), floor));
        let slow = question.p99_ceiling().map_or(Feasible::Yes, |ceiling| below(&p99, ceiling));
        let ceiling = self.ceiling(arm, estimator);
        let keeps = fate([rss_back, kept, slow, ceiling].into_iter().fold(Feasible::Yes, worse));
        let plain = |figure: &Option<Figure>| figure.as_ref().map(|f| ratio(f.plain));
        let verdict = |figure: &Option<Figure>, good| {
            figure.as_ref().map_or(Comparison::Undecided, |f| {
                compare(&f.plain, question.margin(), good, self.trustworthy)
            })
        };
        let shown = Rehearsed {
            candidate: self.seen.arms[arm].name.clone(),
            throughput_ratio: plain(&throughput),
            rss_ratio: plain(&rss),
            p99_ratio: plain(&p99),
            throughput_verdict: verdict(&throughput, Good::More),
            rss_verdict: verdict(&rss, Good::Less),
            resolvable: throughput
                .as_ref()
                .and_then(|f| resolvable(f.summary.as_ref()?, self.tails.plain))
                .map(|log| 1.0 - (-log).exp()),
            rss_back,
            keeps,
            unfinished: unfinished.clone(),
        };
        let claimed = |figure: &Option<Figure>| figure.as_ref().map(|f| ratio(f.claim));
        let held = Held {
            arm,
            rss_back,
            keeps,
            keeps_throughput: fate(worse(kept, slow)),
            throughput: claimed(&throughput),
            rss: claimed(&rss),
            rounds_needed: self.rounds_needed([
                (&rss, Some(question.margin()), rss_back),
                (&throughput, question.throughput_floor(), kept),
                (&p99, question.p99_ceiling(), slow),
            ]),
        };
        (shown, held)
    }

    /// The most further rounds that any open figure needs.
    fn rounds_needed(&self, figures: [(&Option<Figure>, Option<f64>, Feasible); 3]) -> Option<f64> {
        let open =
            figures.into_iter().filter(|(_, _, state)| *state == Feasible::Undecided && self.trustworthy);
        let needs = open.filter_map(|(figure, limit, _)| {
            let figure = figure.as_ref()?;
            further_rounds(figure.summary.as_ref()?, figure.plain.estimate - limit?, self.tails.claim)
        });
        needs.reduce(f64::max)
    }

    /// The candidate on the libc after over the baseline on the one before.
    fn figure(&self, metric: Metric, arm: usize, estimator: &mut Estimator) -> Option<Figure> {
        let ratios = self.new.over(metric, arm, self.old, self.seen.baseline);
        let plain = estimator.interval(&ratios, self.tails.plain)?;
        let claim = estimator.interval(&ratios, self.tails.claim)?;
        let harm = estimator.interval(&ratios, self.tails.harm)?.hull(claim);
        Some(Figure { plain, claim, harm, summary: Summary::of(&ratios) })
    }

    /// Whether RSS is below the largest that is allowed, where that is asked.
    fn ceiling(&self, arm: usize, estimator: &mut Estimator) -> Feasible {
        let Some(ceiling) = self.question.rss_ceiling() else { return Feasible::Yes };
        let levels = self.new.levels(Metric::Rss, arm);
        let level = estimator.interval(&levels, self.tails.claim);
        match level {
            Some(level) if level.high <= ceiling => Feasible::Yes,
            Some(level) if level.low > ceiling => Feasible::No,
            _ => Feasible::Undecided,
        }
    }
}

fn at_most(figure: Option<&Figure>, limit: f64) -> Feasible {
    match figure {
        Some(figure) if figure.claim.high <= limit => Feasible::Yes,
        Some(figure) if figure.harm.low > limit => Feasible::No,
        _ => Feasible::Undecided,
    }
}

fn at_least(figure: Option<&Figure>, limit: f64) -> Feasible {
    match figure {
        Some(figure) if figure.claim.low >= limit => Feasible::Yes,
        Some(figure) if figure.harm.high < limit => Feasible::No,
        _ => Feasible::Undecided,
    }
}

/// The worse of two: what is broken is broken, what is open is open.
fn worse(a: Feasible, b: Feasible) -> Feasible {
    match (a, b) {
        (Feasible::No, _) | (_, Feasible::No) => Feasible::No,
        (Feasible::Undecided, _) | (_, Feasible::Undecided) => Feasible::Undecided,
        (Feasible::Yes, Feasible::Yes) => Feasible::Yes,
    }
}

/// Why a candidate did not finish every trial, where that is so.
fn unfinished(scenario: &ScenarioData, arm: usize) -> Option<String> {
    let cells = scenario.rounds.iter().filter_map(|round| round.cells.get(arm)?.as_ref());
    let mut why = cells.filter_map(|cell| match cell {
        Cell::Unsupported(why) => Some(why.clone()),
        Cell::Unfinished(status) => Some(format!("a trial did not finish: {status}")),
        Cell::Measured(_) => None,
    });
    why.next()
}

#[cfg(test)]
mod tests;
