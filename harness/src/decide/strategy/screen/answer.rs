//! The decision on a campaign that was screened and confirmed.

use std::ops::Range;

use crate::decide::choose::Ground;
use crate::decide::feasibility::Tails;
use crate::decide::logs::{Logs, minutes};
use crate::decide::observations::{Observations, ScenarioData};
use crate::decide::question::Question;
use crate::decide::settle::{Settled, broken, is_tested, nothing, whole};
use crate::decide::standings::Panel;
use crate::decide::twin;
use crate::decide::words;
use crate::format::decision::{Decision, Eliminated, Feasible, OutBy, Twin, Unsettled, Verdict};
use crate::statistics::Interval;
use crate::statistics::estimator::Estimator;

use super::Course;
use super::exclude::{self, Excluded};
use super::judge::State;

/// Intervals of the standings are widened by this: the search looked at the data that often before it
/// stopped collecting them.
const LOOKS_PAID: f64 = 4.0;

/// The twin, by these rounds alone, in each scenario.
fn twins(seen: &Observations, question: &Question, rounds: &Range<usize>) -> Vec<Option<Twin>> {
    let mut estimator = Estimator::new(question.seed);
    let examine = |scenario: &ScenarioData| {
        let logs = Logs::part(scenario, rounds.clone(), seen.arms.len(), question.objective);
        twin::examine(&logs, seen, question.alpha(), seen.scenarios.len(), &mut estimator)
    };
    seen.scenarios.iter().map(examine).collect()
}

/// Whether the twin is accused by these rounds.
pub(super) fn accused(seen: &Observations, question: &Question, rounds: Range<usize>) -> bool {
    twins(seen, question, &rounds).iter().flatten().any(|twin| !twin.trustworthy)
}

/// Every candidate tested by all rounds that it was in.
pub(super) fn excluded(seen: &Observations, question: &Question) -> Excluded {
    let keeps = survey(seen, question).baseline().state != Feasible::No;
    exclude::test(seen, question, keeps)
}

/// The decision before the confirmation has begun: nothing can have been chosen.
pub(super) fn unfinished(seen: &Observations, question: &Question, why: Option<String>) -> Decision {
    let mut ground = survey(seen, question);
    let why = why.unwrap_or_else(|| "the search has not ended".to_owned());
    let settled = without_choice(seen, question, &ground, &why);
    assemble(seen, &mut ground, settled)
}

/// The answer where nothing was confirmed: the baseline is kept where every other candidate is excluded.
fn without_choice(seen: &Observations, question: &Question, ground: &Ground, why: &str) -> Settled {
    let mut settled = nothing("");
    let Excluded { out, open } = excluded(seen, question);
    settled.eliminated = out;
    settled.undecided = open.iter().map(|open| open.unsettled(seen)).collect();
    let baseline = ground.baseline();
    let objective = words::objective(question.objective);
    if !ground.panels.iter().all(Panel::trusted) {
        words::DISTRUST.clone_into(&mut settled.reason);
    } else if baseline.state == Feasible::Undecided {
        settled.reason = format!("the baseline itself is open: {}; {why}", baseline.why);
    } else if !settled.undecided.is_empty() {
        let count = settled.undecided.len();
        let plural = if count == 1 { "candidate is" } else { "candidates are" };
        settled.reason = format!("{count} {plural} shown neither to be better nor not to be: {why}");
    } else if baseline.state == Feasible::No {
        settled.verdict = Verdict::NoneFeasible;
        settled.reason =
            format!("the baseline does not meet the constraints ({}), and no other does", baseline.why);
        let name = seen.arms[seen.baseline].name.clone();
        settled.eliminated.insert(0, broken(name, &baseline));
    } else {
        settled.verdict = Verdict::KeepBaseline;
        settled.choice = Some(seen.baseline);
        settled.reason = if is_tested(settled.verdict, &settled.eliminated) {
            let tolerance = crate::units::format_share(question.tolerance);
            format!("no candidate within the constraints saves more than {tolerance} of {objective}")
        } else if settled.eliminated.is_empty() {
            "nothing else was measured".to_owned()
        } else {
            "no other candidate finished its trials".to_owned()
        };
    }
    settled
}

/// The decision by the fresh rounds. The twin is judged by the same, or by those in which it was heard.
pub(super) fn decide(
    seen: &Observations,
    question: &Question,
    out: &[Eliminated],
    course: &Course,
    why: Option<String>,
) -> Decision {
    let judged = match &course.hearing {
        _ if course.plan.finalists.is_empty() => 0..usize::MAX,
        Some(heard) => heard.clone(),
        None => course.plan.start..usize::MAX,
    };
    let twins = twins(seen, question, &judged);
    let mut ground = survey(seen, question);
    for (panel, twin) in ground.panels.iter_mut().zip(twins) {
        panel.twin = twin;
    }
    let mut settled = settle(seen, question, course, &ground, why);
    if settled.verdict == Verdict::Chosen {
        let is_finalist =
            |out: &&Eliminated| course.plan.finalists.iter().any(|arm| seen.arms[*arm].name == out.candidate);
        settled.eliminated.splice(0..0, out.iter().filter(|out| !is_finalist(out)).cloned());
    }
    assemble(seen, &mut ground, settled)
}

/// All rounds, examined for the standings.
fn survey<'a>(seen: &'a Observations, question: &'a Question) -> Ground<'a> {
    let tail = question.alpha() / 2.0 / LOOKS_PAID;
    Ground::survey(seen, question, Tails { plain: tail, claim: tail, with_twin: false })
}

fn assemble(seen: &Observations, ground: &mut Ground, settled: Settled) -> Decision {
    // One scenario is all there is; of several, none was searched by itself.
    let alone = |_| match seen.scenarios.len() {
        1 => settled.clone(),
        _ => nothing("the search was for all scenarios together"),
    };
    let alone = seen.scenarios.iter().map(alone).collect();
    ground.decision(settled, alone)
}

fn open(seen: &Observations, arm: usize, why: String, rounds: Option<f64>) -> Unsettled {
    Unsettled {
        candidate: seen.arms[arm].name.clone(),
        why,
        minutes_needed: rounds.map(|rounds| minutes(seen, arm, rounds)),
        rounds_needed: rounds.and_then(whole),
    }
}

fn settle(
    seen: &Observations,
    question: &Question,
    course: &Course,
    ground: &Ground,
    why: Option<String>,
) -> Settled {
    let trusted = ground.panels.iter().all(Panel::trusted);
    let finalists = || course.confirmed.finalists.iter().chain(&course.before);
    let passed: Vec<(usize, Option<Interval>, Interval)> = finalists()
        .filter_map(|(arm, state)| match state {
            State::Passed { throughput, rss } => Some((*arm, *throughput, *rss)),
            _ => None,
        })
        .collect();
    let choice = passed.iter().filter(|_| trusted).min_by(|a, b| a.2.estimate.total_cmp(&b.2.estimate));
    let Some((chosen, throughput, rss)) = choice else {
        let stop = || course.confirmed.stop.clone().unwrap_or_else(|| "the search has not ended".to_owned());
        return without_choice(seen, question, ground, &why.unwrap_or_else(stop));
    };
    let mut settled = nothing("");
    for (arm, state) in finalists() {
        match state {
            State::Out(out) => settled.eliminated.push(out.clone()),
            State::Open(o) => settled.undecided.push(open(seen, *arm, o.check.why.clone(), o.check.rounds)),
            State::Passed { .. } if arm == chosen => {}
            State::Passed { rss, .. } => settled.eliminated.push(Eliminated {
                candidate: seen.arms[*arm].name.clone(),
                why: format!("RSS {}: another that was confirmed takes less", words::change(rss)),
                bound: Some(rss.low.exp()),
                by: Some(OutBy::Beaten),
            }),
        }
    }
    settled.verdict = Verdict::Chosen;
    settled.choice = Some(*chosen);
    settled.ratios = (*throughput, Some(*rss));
    let throughput = throughput.map_or(String::new(), |t| format!("; throughput {}", words::change(&t)));
    settled.reason = format!(
        "{} {}{throughput}; {} confidence, confirmed on fresh rounds",
        words::objective(question.objective),
        words::change(rss),
        words::confidence(question.alpha())
    );
    settled
}
