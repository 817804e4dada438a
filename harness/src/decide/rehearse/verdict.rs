//! What a step comes to, over all its scenarios.

use std::fmt::Write as _;

use crate::format::decision::{Feasible, Ratio};
use crate::format::manifest::Scenario;
use crate::format::rehearse::{Offer, StepVerdict};
use crate::units::{format_change, format_share};

use super::{Examined, Held, Observations, Question, worse};

/// More rounds than this nobody runs.
const MOST_ROUNDS: u32 = 10_000;

pub(super) struct Outcome {
    pub(super) verdict: StepVerdict,
    pub(super) reason: String,
    pub(super) rounds_needed: Option<u32>,
    pub(super) setting: Option<Offer>,
}

/// A candidate over all scenarios.
struct Overall {
    arm: usize,
    rss_back: Feasible,
    keeps: Feasible,
    keeps_throughput: Feasible,
    /// Where its lower bound is lowest.
    throughput: Option<Ratio>,
    /// Where its upper bound is highest.
    rss: Option<Ratio>,
    /// Geometric mean of the estimates.
    speed: f64,
}

impl Overall {
    fn of(place: usize, scenarios: &[Examined]) -> Self {
        let held = || scenarios.iter().map(|examined| &examined.held[place]);
        let all = |state: fn(&Held) -> Feasible| held().map(state).fold(Feasible::Yes, worse);
        let worst = |figure: fn(&Held) -> Option<Ratio>, badness: fn(&Ratio) -> f64| {
            let ratios = held().map(figure).collect::<Option<Vec<_>>>()?;
            ratios.into_iter().max_by(|a, b| badness(a).total_cmp(&badness(b)))
        };
        let speeds: Vec<f64> = held().filter_map(|held| Some(held.throughput?.estimate.ln())).collect();
        Self {
            arm: held().next().map_or(0, |held| held.arm),
            rss_back: all(|held| held.rss_back),
            keeps: all(|held| held.keeps),
            keeps_throughput: all(|held| held.keeps_throughput),
            throughput: worst(|held| held.throughput, |ratio| -ratio.low),
            rss: worst(|held| held.rss, |ratio| ratio.high),
            speed: speeds.iter().sum::<f64>() / speeds.len().max(1) as f64,
        }
    }

    fn offer(&self, seen: &Observations) -> Option<Offer> {
        Some(Offer {
            candidate: seen.arms[self.arm].name.clone(),
            keeps_throughput: self.keeps_throughput,
            throughput_ratio: self.throughput?,
            rss_ratio: self.rss?,
            apply: None,
        })
    }
}

/// The verdict of a step, the reason, and the setting to ship.
pub(super) fn settle(seen: &Observations, question: &Question, scenarios: &[Examined]) -> Outcome {
    let Some(first) = scenarios.first() else {
        let reason = "no workload ran under both".to_owned();
        return Outcome { verdict: StepVerdict::Undecided, reason, rounds_needed: None, setting: None };
    };
    let unchanged = Overall::of(0, scenarios);
    let mut others: Vec<Overall> = (1..first.held.len()).map(|place| Overall::of(place, scenarios)).collect();
    others.sort_by(|a, b| b.speed.total_cmp(&a.speed));
    if unchanged.keeps == Feasible::Yes {
        let reason = format!("with nothing changed {}", against_today(&unchanged, question));
        return Outcome { verdict: StepVerdict::Unharmed, reason, rounds_needed: None, setting: None };
    }
    let mends = others.iter().find(|other| other.keeps == Feasible::Yes);
    let brings_back = others.iter().find(|other| other.rss_back == Feasible::Yes);
    let setting = mends.or(brings_back);
    let mut reason = harm(scenarios, &unchanged);
    let verdict = if mends.is_some() {
        StepVerdict::Mended
    } else if unchanged.keeps == Feasible::No && others.iter().all(|other| other.keeps == Feasible::No) {
        StepVerdict::Regression
    } else {
        StepVerdict::Undecided
    };
    reason.push_str(&remedy(seen, setting, mends.is_some(), verdict, question));
    let open = (unchanged.keeps == Feasible::Undecided).then(|| rounds_needed(scenarios)).flatten();
    if let Some(rounds) = open {
        let done = scenarios.iter().map(|s| s.shown.rounds).max().unwrap_or(0);
        let _ = write!(
            reason,
            "; {rounds} more rounds would probably tell whether the step harms (arenalab rehearse --resume --rounds {} --out \
             this campaign)",
            done + rounds
        );
    }
    Outcome { verdict, reason, rounds_needed: open, setting: setting.and_then(|setting| setting.offer(seen)) }
}

/// Further rounds that would probably settle what the step does with nothing changed.
fn rounds_needed(scenarios: &[Examined]) -> Option<u32> {
    let most = scenarios.iter().filter_map(|s| s.held[0].rounds_needed).reduce(f64::max)?;
    (most < f64::from(MOST_ROUNDS)).then_some(most as u32)
}

/// Where and by how much it becomes worse with nothing changed.
fn harm(scenarios: &[Examined], unchanged: &Overall) -> String {
    let broken: Vec<&Examined> = scenarios.iter().filter(|s| s.held[0].keeps == Feasible::No).collect();
    if unchanged.keeps != Feasible::No || broken.is_empty() {
        let untrusted = scenarios.iter().filter(|s| !s.shown.trustworthy).count();
        let why = if untrusted > 0 {
            format!("in {untrusted} of {} the baseline's twin differs from it", scenarios.len())
        } else {
            "the intervals reach beyond what is allowed".to_owned()
        };
        return format!("whether anything becomes worse with nothing changed is open: {why}");
    }
    // The worst of them is told.
    let growth = |s: &&&Examined| s.shown.candidates[0].rss_ratio.map_or(1.0, |ratio| ratio.estimate);
    let rest = broken.len() - 1;
    let worst = broken.iter().max_by(|a, b| growth(a).total_cmp(&growth(b)));
    worst.map_or_else(String::new, |worst| {
        let shown = &worst.shown;
        let name = Scenario::words(&shown.workload, shown.threads);
        let row = &shown.candidates[0];
        let also = if rest > 0 { format!(" (and worse than allowed in {rest} more)") } else { String::new() };
        match &row.unfinished {
            Some(why) => format!("{name} does not run with nothing changed: {why}{also}"),
            None => format!(
                "with nothing changed {name} has {}{also}",
                figures(row.rss_ratio, row.throughput_ratio)
            ),
        }
    })
}

/// What helps.
fn remedy(
    seen: &Observations,
    setting: Option<&Overall>,
    mends: bool,
    verdict: StepVerdict,
    question: &Question,
) -> String {
    let named = setting.map(|setting| (&seen.arms[setting.arm].name, setting));
    match named {
        Some((name, setting)) if mends => format!("; {name} keeps it: {}", against_today(setting, question)),
        Some((name, setting)) => format!(
            "; {name} brings RSS back, but its throughput is not shown to stay within what is allowed: {}",
            figures(setting.rss, setting.throughput)
        ),
        None if verdict == StepVerdict::Regression => "; no measured setting keeps what today has".to_owned(),
        None => "; no measured setting is shown to keep what today has".to_owned(),
    }
}

/// `RSS within +3.0 % of today's (…)`.
fn against_today(overall: &Overall, question: &Question) -> String {
    let asked = question.constraints.max_throughput_loss.map_or_else(String::new, |loss| {
        format!(" and throughput to be no more than {} below it", format_share(loss))
    });
    format!(
        "RSS is shown to be no more than {} above today's{asked}; at worst {}",
        format_share(question.equivalence_margin),
        figures(overall.rss, overall.throughput)
    )
}

fn figures(rss: Option<Ratio>, throughput: Option<Ratio>) -> String {
    let spelt = |ratio: Option<Ratio>| {
        ratio.map_or_else(
            || "unknown".to_owned(),
            |r| {
                let [estimate, low, high] = [r.estimate, r.low, r.high].map(format_change);
                format!("{estimate} ({low} to {high})")
            },
        )
    };
    format!("RSS {}, throughput {}", spelt(rss), spelt(throughput))
}
