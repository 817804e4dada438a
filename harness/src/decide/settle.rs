//! The pick: the least RSS among what is shown to meet the constraints, and what becomes of the others.

use crate::format::decision::{Eliminated, Feasible, OutBy, Unsettled, Verdict};
use crate::statistics::Interval;
use crate::statistics::estimator::Estimator;

use super::feasibility::{Bounds, Check, Tails, further_rounds};
use super::logs::{Logs, Metric, minutes};
use super::observations::Observations;
use super::question::Question;
use super::standings::Panel;
use super::words;

/// The outcome over some scenarios.
#[derive(Clone, Debug)]
pub(super) struct Settled {
    /// The outcome.
    pub(super) verdict: Verdict,
    /// The arm to ship.
    pub(super) choice: Option<usize>,
    /// Why.
    pub(super) reason: String,
    /// Throughput of the choice in the scenario where its bound is lowest; RSS of the choice, mean over
    /// the scenarios. Corrected for having been chosen.
    pub(super) ratios: (Option<Interval>, Option<Interval>),
    /// Open.
    pub(super) undecided: Vec<Unsettled>,
    /// Out.
    pub(super) eliminated: Vec<Eliminated>,
}

/// A candidate over all scenarios in view.
#[derive(Debug)]
struct Contender {
    arm: usize,
    check: Check,
    rss: Option<Bounds>,
    throughput: Option<Interval>,
}

/// What the pick is made from.
pub(super) struct View<'a> {
    pub(super) seen: &'a Observations,
    pub(super) question: &'a Question,
    pub(super) tails: Tails,
    /// The scenarios in view.
    pub(super) panels: &'a [Panel],
    /// Their mean.
    pub(super) logs: &'a Logs,
}

impl View<'_> {
    pub(super) fn name(&self, arm: usize) -> &str {
        &self.seen.arms[arm].name
    }

    fn contender(&self, place: usize, estimator: &mut Estimator) -> Contender {
        let arm = self.panels[0].arms[place].arm;
        let check = Check::all(self.panels.iter().map(|panel| {
            let check = panel.arms[place].check.clone();
            let why = if self.panels.len() > 1 && !check.why.is_empty() {
                format!("{}: {}", panel.label, check.why)
            } else {
                check.why
            };
            Check { why, ..check }
        }));
        let rss = (arm != self.seen.baseline)
            .then(|| self.logs.ratios(Metric::Rss, arm, self.seen.baseline))
            .and_then(|ratios| Bounds::of(&ratios, self.tails, estimator));
        let throughputs = self.panels.iter().filter_map(|panel| panel.arms[place].throughput.as_ref());
        let throughput = throughputs.map(|b| b.claim).min_by(|a, b| a.low.total_cmp(&b.low));
        Contender { arm, check, rss, throughput }
    }

    /// Whether a contender may be shipped.
    fn eligible(contender: &Contender, baseline: &Check) -> bool {
        let leaner = contender.rss.as_ref().is_some_and(|rss| rss.claim.high < 0.0);
        contender.check.state == Feasible::Yes
            && (leaner || (baseline.state == Feasible::No && contender.rss.is_some()))
    }

    /// The least RSS; among those within the tolerance of it the highest lower bound of throughput, then
    /// the baseline's own allocator, then the order of the plan.
    fn pick<'c>(&self, eligible: &[&'c Contender]) -> Option<&'c Contender> {
        let estimate = |c: &Contender| c.rss.as_ref().map_or(f64::INFINITY, |rss| rss.plain.estimate);
        let least = eligible.iter().map(|c| estimate(c)).min_by(f64::total_cmp)?;
        let near = |c: &&&Contender| estimate(c) <= least - self.question.worthwhile();
        let floor = |c: &Contender| c.throughput.map_or(f64::NEG_INFINITY, |t| t.low);
        let allocator = |arm: usize| self.name(arm).split(':').next().map(str::to_owned);
        let foreign = |c: &Contender| allocator(c.arm) != allocator(self.seen.baseline);
        eligible.iter().filter(near).copied().min_by(|a, b| {
            floor(b).total_cmp(&floor(a)).then(foreign(a).cmp(&foreign(b))).then(a.arm.cmp(&b.arm))
        })
    }

    /// What becomes of a contender that is not the choice: out, or open.
    fn place(&self, contender: &Contender, incumbent: Option<usize>, estimator: &mut Estimator) -> Fate {
        let candidate = self.name(contender.arm).to_owned();
        let check = &contender.check;
        if check.state == Feasible::No {
            return Fate::Out(broken(candidate, check));
        }
        let gap = incumbent
            .map(|incumbent| self.logs.ratios(Metric::Rss, contender.arm, incumbent))
            .and_then(|ratios| Bounds::of(&ratios, self.tails, estimator));
        if let (Some(gap), Some(incumbent)) = (&gap, incumbent)
            && gap.plain.low >= self.question.worthwhile()
        {
            let why = format!(
                "{} at best {} against {}: no gain beyond the tolerance",
                words::objective(self.question.objective),
                crate::units::format_change(gap.plain.low.exp()),
                self.name(incumbent)
            );
            return Fate::Out(Eliminated {
                candidate,
                why,
                bound: Some(gap.plain.low.exp()),
                by: Some(OutBy::Test),
            });
        }
        let (why, rounds) = self.open_question(check, gap.as_ref());
        let minutes_needed = rounds.map(|rounds| minutes(self.seen, contender.arm, rounds));
        let rounds_needed = rounds.and_then(whole);
        Fate::Open(Unsettled { candidate, why, minutes_needed, rounds_needed })
    }

    fn open_question(&self, check: &Check, gap: Option<&Bounds>) -> (String, Option<f64>) {
        if check.state == Feasible::Undecided {
            return (check.why.clone(), check.rounds);
        }
        let objective = words::objective(self.question.objective);
        let Some(gap) = gap else {
            return (format!("{objective} was not measured in four rounds or more"), None);
        };
        let distance = gap.plain.estimate - self.question.worthwhile();
        let why = format!("{objective} {} against the choice or the baseline", words::change(&gap.claim));
        (why, further_rounds(&gap.summary, distance, self.tails.claim))
    }
}

/// Rounds as a number, where anyone would run as many.
pub(super) fn whole(rounds: f64) -> Option<u32> {
    (0.0..1e6).contains(&rounds).then_some(rounds.ceil() as u32)
}

/// A candidate that breaks a constraint: by a test where there is a bound, else since it did not finish.
pub(super) fn broken(candidate: String, check: &Check) -> Eliminated {
    let by = if check.bound.is_some() { OutBy::Test } else { OutBy::Failure };
    Eliminated { candidate, why: check.why.clone(), bound: check.bound, by: Some(by) }
}

/// Whether the verdict's test was made. A choice is always tested. That the baseline is kept, or that nothing meets the
/// constraints, is tested where each candidate was, or failed to run, and one at least was tested.
pub(super) fn is_tested(verdict: Verdict, eliminated: &[Eliminated]) -> bool {
    match verdict {
        Verdict::Chosen => true,
        Verdict::KeepBaseline | Verdict::NoneFeasible => {
            let by = |by: OutBy| eliminated.iter().any(|out| out.by == Some(by));
            by(OutBy::Test) && !by(OutBy::SetAside)
        }
        Verdict::Undecided => false,
    }
}

enum Fate {
    Out(Eliminated),
    Open(Unsettled),
}

/// Settles the scenarios in view.
pub(super) fn settle(view: &View, estimator: &mut Estimator) -> Settled {
    let places = view.panels.first().map_or(0, |panel| panel.arms.len());
    if places == 0 {
        return nothing("nothing was measured");
    }
    let mut contenders: Vec<Contender> = (0..places).map(|place| view.contender(place, estimator)).collect();
    let baseline = contenders.remove(0).check;
    if view.panels.iter().any(|panel| !panel.trusted()) {
        return distrusted(view, &contenders);
    }
    let eligible: Vec<&Contender> = contenders.iter().filter(|c| View::eligible(c, &baseline)).collect();
    let choice = view.pick(&eligible);
    let incumbent =
        choice.map(|c| c.arm).or_else(|| (baseline.state == Feasible::Yes).then_some(view.seen.baseline));
    let (mut undecided, mut eliminated) = (Vec::new(), Vec::new());
    if baseline.state == Feasible::No {
        eliminated.push(broken(view.name(view.seen.baseline).to_owned(), &baseline));
    }
    for contender in contenders.iter().filter(|c| Some(c.arm) != choice.map(|c| c.arm)) {
        match view.place(contender, incumbent, estimator) {
            Fate::Out(out) => eliminated.push(out),
            Fate::Open(open) => undecided.push(open),
        }
    }
    let ratios = choice.map_or((None, None), |c| (c.throughput, c.rss.as_ref().map(|rss| rss.claim)));
    let verdict = match (choice, baseline.state) {
        (Some(_), _) => Verdict::Chosen,
        (None, Feasible::Yes) if undecided.is_empty() => Verdict::KeepBaseline,
        (None, Feasible::No) if undecided.is_empty() => Verdict::NoneFeasible,
        _ => Verdict::Undecided,
    };
    let shipped = if verdict == Verdict::Undecided { None } else { incumbent };
    let tested = is_tested(verdict, &eliminated);
    let reason = reason(view, (verdict, tested), choice, &baseline, &undecided);
    Settled { verdict, choice: shipped, reason, ratios, undecided, eliminated }
}

pub(super) fn nothing(reason: &str) -> Settled {
    Settled {
        verdict: Verdict::Undecided,
        choice: None,
        reason: reason.to_owned(),
        ratios: (None, None),
        undecided: Vec::new(),
        eliminated: Vec::new(),
    }
}

/// The twin speaks against the host: only what did not finish is out, and all else is open.
fn distrusted(view: &View, contenders: &[Contender]) -> Settled {
    let (mut undecided, mut eliminated) = (Vec::new(), Vec::new());
    for contender in contenders {
        let candidate = view.name(contender.arm).to_owned();
        let check = &contender.check;
        if check.state == Feasible::No && check.bound.is_none() {
            eliminated.push(broken(candidate, check));
        } else {
            let why = "the baseline differs from its own twin, so differences here are not the candidate's";
            undecided.push(Unsettled {
                candidate,
                why: why.to_owned(),
                minutes_needed: None,
                rounds_needed: None,
            });
        }
    }
    Settled { undecided, eliminated, ..nothing(words::DISTRUST) }
}

fn reason(
    view: &View,
    (verdict, tested): (Verdict, bool),
    choice: Option<&Contender>,
    baseline: &Check,
    undecided: &[Unsettled],
) -> String {
    let objective = words::objective(view.question.objective);
    let confidence = words::confidence(view.question.alpha());
    let keep = view.name(view.seen.baseline);
    match (verdict, choice) {
        (Verdict::Chosen, Some(choice)) => {
            let rss = choice.rss.as_ref().map_or(String::new(), |rss| words::change(&rss.claim));
            let throughput = choice.throughput.map_or(String::new(), |t| {
                let place = if view.panels.len() > 1 { " in the worst scenario" } else { "" };
                format!("; throughput {}{place}", words::change(&t))
            });
            format!("{objective} {rss}{throughput}; {confidence} confidence after choosing among all")
        }
        (Verdict::KeepBaseline, _) if view.panels[0].arms.len() < 2 => {
            format!("nothing but {keep} was measured")
        }
        (Verdict::KeepBaseline, _) if !tested => "no other candidate finished its trials".to_owned(),
        (Verdict::KeepBaseline, _) => format!(
            "no candidate within the constraints saves more than {} of {objective} against {keep}",
            crate::units::format_share(view.question.tolerance)
        ),
        (Verdict::NoneFeasible, _) => {
            format!("{keep} does not meet the constraints ({}), and no other candidate does", baseline.why)
        }
        _ if baseline.state == Feasible::Undecided => format!("{keep} itself is open: {}", baseline.why),
        _ => open_reason(undecided),
    }
}

fn open_reason(undecided: &[Unsettled]) -> String {
    let open = undecided.len();
    let plural = if open == 1 { "candidate is" } else { "candidates are" };
    format!("{open} {plural} not settled by these data")
}
