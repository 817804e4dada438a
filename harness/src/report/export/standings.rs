//! A row a candidate in a scenario: what `choose --json` says of it.

use super::columns::{Column, Value};
use crate::format::decision::{Estimates, Feasible, Level, Objective, Ratio, ScenarioDecision, Standing};
use crate::report::{Input, words};

/// A column, and where its figure comes from.
type Cell = (Column, fn(&Input, &ScenarioDecision, &Standing) -> Value);

/// The rows, scenario by scenario.
pub fn rows(input: &Input) -> Vec<Vec<Value>> {
    let of = |scenario: &ScenarioDecision| -> Vec<Vec<Value>> {
        let row = |standing| COLUMNS.iter().map(|(_, pick)| pick(input, scenario, standing)).collect();
        scenario.standings.iter().map(row).collect()
    };
    input.decision.scenarios.iter().flat_map(of).collect()
}

const fn column(name: &'static str, meaning: &'static str) -> Column {
    Column { name, meaning }
}

fn level(level: Option<Level>, pick: fn(Level) -> f64) -> Value {
    level.map(pick).into()
}

fn ratio(ratio: Option<Ratio>, pick: fn(Ratio) -> f64) -> Value {
    ratio.map(pick).and_then(Ratio::told).into()
}

/// An estimate, also where there is no interval beside it.
fn or_few(known: Option<f64>, c: &Standing, pick: fn(Estimates) -> Option<f64>) -> Value {
    known.or_else(|| c.estimates.and_then(pick)).into()
}

/// All columns.
pub const COLUMNS: &[Cell] = &[
    (column("campaign", "name of the campaign's directory"), |i, _, _| i.name.into()),
    (column("host", "the host's name"), |i, _, _| (&i.manifest.host.name).into()),
    (column("created_at", "when the campaign was begun, RFC 3339, UTC"), |i, _, _| {
        (&i.manifest.created_at).into()
    }),
    (column("workload", "canonical workload"), |_, s, _| (&s.workload).into()),
    (column("threads", "threads; 0 for a program that makes as many as it wants"), |_, s, _| {
        s.threads.into()
    }),
    (column("libc", "host, or the name given with --libc"), |_, s, _| (&s.libc).into()),
    (column("candidate", "canonical candidate"), |_, _, c| (&c.candidate).into()),
    (column("baseline", "whether it is what the others are compared with"), |i, _, c| {
        (c.candidate == i.decision.baseline).into()
    }),
    (column("choice", "whether it is the choice of the campaign"), |i, _, c| {
        (i.decision.choice.as_ref() == Some(&c.candidate)).into()
    }),
    (column("scenario_choice", "whether it would be the choice of this scenario alone"), |_, s, c| {
        (s.choice.as_ref() == Some(&c.candidate)).into()
    }),
    (column("rounds", "rounds in which both it and the baseline finished"), |_, _, c| c.rounds.into()),
    (column("objective", "the RSS figure that rss is: peak, mean, end, drained"), |i, _, _| {
        objective(i.decision.objective).into()
    }),
    (column("confidence", "of each interval by itself, a fraction"), |i, _, _| i.decision.confidence.into()),
    (column("rss_bytes", "the objective's RSS, geometric mean over rounds"), |_, _, c| {
        or_few(c.rss.map(|l| l.estimate), c, |few| few.rss)
    }),
    (column("rss_low_bytes", "its lower bound"), |_, _, c| level(c.rss, |l| l.low)),
    (column("rss_high_bytes", "its upper bound"), |_, _, c| level(c.rss, |l| l.high)),
    (column("throughput", "work per second, in throughput_unit, geometric mean over rounds"), |_, _, c| {
        or_few(c.throughput.map(|l| l.estimate), c, |few| few.throughput)
    }),
    (column("throughput_low", "its lower bound"), |_, _, c| level(c.throughput, |l| l.low)),
    (column("throughput_high", "its upper bound"), |_, _, c| level(c.throughput, |l| l.high)),
    (column("throughput_unit", "unit of throughput"), |_, s, _| (&s.unit).into()),
    (column("rss_ratio", "RSS over the baseline's, within rounds; 0.9 is 10 % less"), |_, _, c| {
        or_few(c.rss_ratio.and_then(|r| Ratio::told(r.estimate)), c, |few| few.rss_ratio)
    }),
    (column("rss_ratio_low", "its lower bound"), |_, _, c| ratio(c.rss_ratio, |r| r.low)),
    (column("rss_ratio_high", "its upper bound"), |_, _, c| ratio(c.rss_ratio, |r| r.high)),
    (column("rss_verdict", "better, worse, equivalent, undecided"), |_, _, c| {
        words::comparison(c.rss_verdict).into()
    }),
    (column("throughput_ratio", "throughput over the baseline's, within rounds"), |_, _, c| {
        or_few(c.throughput_ratio.and_then(|r| Ratio::told(r.estimate)), c, |few| few.throughput_ratio)
    }),
    (column("throughput_ratio_low", "its lower bound"), |_, _, c| ratio(c.throughput_ratio, |r| r.low)),
    (column("throughput_ratio_high", "its upper bound"), |_, _, c| ratio(c.throughput_ratio, |r| r.high)),
    (column("throughput_verdict", "better, worse, equivalent, undecided"), |_, _, c| {
        words::comparison(c.throughput_verdict).into()
    }),
    (column("p99_ratio", "99th percentile of malloc over the baseline's"), |_, _, c| {
        ratio(c.p99_ratio, |r| r.estimate)
    }),
    (column("p99_ratio_low", "its lower bound"), |_, _, c| ratio(c.p99_ratio, |r| r.low)),
    (column("p99_ratio_high", "its upper bound"), |_, _, c| ratio(c.p99_ratio, |r| r.high)),
    (
        column("resolvable", "smallest loss of throughput that could have been shown, a fraction"),
        |_, _, c| c.resolvable.into(),
    ),
    (column("feasible", "whether the constraints hold: yes, no, undecided"), |_, _, c| {
        feasible(c.feasible).into()
    }),
    (
        column(
            "host_disturbed_share",
            "share of the campaign's trials that other work disturbed, a fraction",
        ),
        |i, _, _| i.decision.host.as_ref().and_then(|host| host.disturbed_share).into(),
    ),
    (column("host_busy", "whether that is more than carries a verdict"), |i, _, _| {
        i.decision.host.as_ref().map(|host| host.busy).into()
    }),
    (column("host_why", "what disturbed them"), |i, _, _| {
        i.decision.host.as_ref().and_then(|host| host.why.as_ref()).into()
    }),
    (column("on_front", "whether no other candidate is better in both figures"), |_, _, c| c.on_front.into()),
];

fn objective(objective: Objective) -> &'static str {
    match objective {
        Objective::Peak => "peak",
        Objective::Mean => "mean",
        Objective::End => "end",
        Objective::Drained => "drained",
    }
}

fn feasible(feasible: Feasible) -> &'static str {
    words::feasible(feasible)
}
