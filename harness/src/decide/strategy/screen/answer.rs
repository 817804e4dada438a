//! The decision on a campaign that was screened and confirmed.

use std::ops::Range;

use crate::decide::choose::Ground;
use crate::decide::feasibility::Tails;
use crate::decide::logs::{Logs, minutes};
use crate::decide::observations::{Observations, ScenarioData};
use crate::decide::question::Question;
use crate::decide::settle::{Settled, nothing};
use crate::decide::standings::Panel;
use crate::decide::twin;
use crate::decide::words;
use crate::format::decision::{Decision, Eliminated, Feasible, OutBy, Twin, Unsettled, Verdict};
use crate::statistics::Interval;
use crate::statistics::estimator::Estimator;

use super::Course;
use super::judge::State;
use super::sieve::Sieved;

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

/// The decision before the confirmation has begun.
pub(super) fn unfinished(seen: &Observations, question: &Question, sieved: &Sieved) -> Decision {
    let mut settled = nothing("the sieve has not ended, and nothing was confirmed on fresh rounds");
    settled.undecided =
        sieved.arms.iter().map(|arm| open(seen, *arm, "still in the sieve".to_owned(), None)).collect();
    settled.eliminated.clone_from(&sieved.out);
    assemble(seen, &mut survey(seen, question), settled)
}

/// The decision by the fresh rounds. The twin is judged by the same, or by those in which it was heard.
pub(super) fn decide(
    seen: &Observations,
    question: &Question,
    out: &[Eliminated],
    course: &Course,
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
    let mut settled = settle(seen, question, course, &ground);
    let is_finalist =
        |out: &&Eliminated| course.plan.finalists.iter().any(|arm| seen.arms[*arm].name == out.candidate);
    settled.eliminated.splice(0..0, out.iter().filter(|out| !is_finalist(out)).cloned());
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
    }
}

fn settle(seen: &Observations, question: &Question, course: &Course, ground: &Ground) -> Settled {
    let trusted = ground.panels.iter().all(Panel::trusted);
    let baseline = ground.baseline();
    let finalists = || course.confirmed.finalists.iter().chain(&course.before);
    let passed: Vec<(usize, Option<Interval>, Interval)> = finalists()
        .filter_map(|(arm, state)| match state {
            State::Passed { throughput, rss } => Some((*arm, *throughput, *rss)),
            _ => None,
        })
        .collect();
    let choice = passed.iter().filter(|_| trusted).min_by(|a, b| a.2.estimate.total_cmp(&b.2.estimate));
    let mut settled = nothing("");
    for (arm, state) in finalists() {
        match state {
            State::Out(out) => settled.eliminated.push(out.clone()),
            State::Open(o) => settled.undecided.push(open(seen, *arm, o.check.why.clone(), o.check.rounds)),
            State::Passed { .. } if Some(*arm) == choice.map(|c| c.0) => {}
            State::Passed { rss, .. } => settled.eliminated.push(Eliminated {
                candidate: seen.arms[*arm].name.clone(),
                why: format!("RSS {}: another that was confirmed takes less", words::change(rss)),
                bound: Some(rss.low.exp()),
                by: Some(OutBy::Beaten),
            }),
        }
    }
    let objective = words::objective(question.objective);
    let confidence = words::confidence(question.alpha());
    if let Some((arm, throughput, rss)) = choice {
        settled.verdict = Verdict::Chosen;
        settled.choice = Some(*arm);
        settled.ratios = (*throughput, Some(*rss));
        let throughput = throughput.map_or(String::new(), |t| format!("; throughput {}", words::change(&t)));
        settled.reason = format!(
            "{objective} {}{throughput}; {confidence} confidence, confirmed on fresh rounds",
            words::change(rss)
        );
    } else if !trusted {
        settled.reason.push_str(words::DISTRUST);
    } else if baseline.state == Feasible::Undecided {
        settled.reason = format!("the baseline itself is open: {}", baseline.why);
    } else if settled.undecided.is_empty() && baseline.state == Feasible::No {
        settled.verdict = Verdict::NoneFeasible;
        settled.reason =
            format!("the baseline does not meet the constraints ({}), and no other does", baseline.why);
    } else if settled.undecided.is_empty() {
        settled.verdict = Verdict::KeepBaseline;
        settled.choice = Some(seen.baseline);
        settled.reason = format!("no candidate within the constraints could be shown to save {objective}");
    } else {
        settled.reason = format!("{} finalists are not settled", settled.undecided.len());
    }
    settled
}
