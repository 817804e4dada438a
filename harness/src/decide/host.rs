//! How disturbed the host was over a whole campaign, and what may then be said.
//!
//! Load changes what is true, not only how precisely it is known: with other work on every CPU, `mail-server` under one
//! arena saved 0.3 % of RSS (-4.4 to +5.2), where the same host at rest showed 17.6 % (13.8 to 21.2). No interval tells of
//! that, and no twin: both arms of it run under the same load. So all trials are judged by the host's own counters, and
//! past [`MOST`] no word is given.

use std::collections::BTreeMap;

use super::noisy::{Cause, Rule, Stretch};
use crate::format::compare::Compared;
use crate::format::decision::{
    Comparison, Decision, Feasible, HostState, ScenarioDecision, Unsettled, Verdict,
};
use crate::format::manifest::Scenario;
use crate::format::rehearse::{Rehearsal, Step, StepVerdict};
use crate::format::trial::{Status, TrialRecord};
use crate::units::format_share;

/// The largest share of disturbed trials that carries a verdict.
///
/// A mean without the quarter at either end still rests on undisturbed trials alone as long as no more than a quarter is
/// disturbed, all in the same direction. Past that the disturbed ones are in the middle of the data, whatever mean is
/// taken.
pub const MOST: f64 = 0.25;

/// Trials are judged together until they took this long, in seconds: 100 ticks of `/proc/stat` on each CPU.
const STRETCH_S: f64 = 1.0;

/// Workload, threads, libc.
type Key<'a> = (&'a str, u32, &'a str);

/// What was seen of trials.
#[derive(Clone, Debug, Default)]
struct Tally {
    /// Those of which anything is known.
    known: u64,
    /// By cause, how many were disturbed, and the sum of the shares.
    disturbed: BTreeMap<Cause, (u64, f64)>,
}

impl Tally {
    fn count(&self) -> u64 {
        self.disturbed.values().map(|(count, _)| count).sum()
    }

    fn share(&self) -> Option<f64> {
        (self.known > 0).then(|| self.count() as f64 / self.known as f64)
    }

    fn busy(&self) -> bool {
        self.share().is_some_and(|share| share > MOST)
    }

    fn add(&mut self, other: &Self) {
        self.known += other.known;
        for (cause, (count, sum)) in &other.disturbed {
            let entry = self.disturbed.entry(*cause).or_default();
            *entry = (entry.0 + count, entry.1 + sum);
        }
    }

    fn words(&self) -> Option<String> {
        let clause = |(cause, (count, sum)): (&Cause, &(u64, f64))| {
            let mean = format_share(sum / *count as f64);
            let trials = if *count == 1 { "trial" } else { "trials" };
            format!("{} {mean} of the time in {count} {trials}", cause.words())
        };
        let clauses: Vec<String> = self.disturbed.iter().map(clause).collect();
        (!clauses.is_empty()).then(|| clauses.join(", "))
    }
}

/// How disturbed the host was over the trials that count: those that finished, of a round that was run again its last
/// run. `cpus` are the host's; with `libc` only trials on that C library.
pub fn judge(trials: &[TrialRecord], cpus: u32, libc: Option<&str>, accepted: bool) -> HostState {
    let scenarios = tallies(trials, cpus, libc);
    let mut all = Tally::default();
    for tally in scenarios.values() {
        all.add(tally);
    }
    let worst = scenarios.iter().filter(|(_, tally)| tally.busy());
    let worst = worst.max_by(|a, b| a.1.share().unwrap_or(0.0).total_cmp(&b.1.share().unwrap_or(0.0)));
    let why = match worst {
        Some(((workload, threads, _), tally)) if !all.busy() => {
            let scenario = Scenario::words(workload, *threads);
            tally.words().map(|words| format!("of {scenario} {}: {words}", percent(tally.share())))
        }
        _ => all.words(),
    };
    HostState {
        disturbed_share: all.share(),
        why,
        trials: all.known,
        allowed_share: MOST,
        busy: all.busy() || worst.is_some(),
        accepted,
    }
}

fn tallies<'a>(trials: &'a [TrialRecord], cpus: u32, libc: Option<&str>) -> BTreeMap<Key<'a>, Tally> {
    let mut scenarios: BTreeMap<Key, BTreeMap<u32, (u32, Vec<&TrialRecord>)>> = BTreeMap::new();
    for trial in trials.iter().filter(|trial| libc.is_none_or(|libc| trial.libc == libc)) {
        let scenario = scenarios.entry((&trial.workload, trial.threads, &trial.libc)).or_default();
        let round = scenario.entry(trial.round).or_insert_with(|| (trial.attempt, Vec::new()));
        if trial.attempt > round.0 {
            *round = (trial.attempt, Vec::new());
        }
        if trial.attempt == round.0 && trial.status == Status::Ok {
            round.1.push(trial);
        }
    }
    let tally = |(key, rounds): (Key<'a>, BTreeMap<u32, (u32, Vec<&'a TrialRecord>)>)| {
        let mut in_order = Vec::new();
        for (_, mut round) in rounds.into_values() {
            round.sort_by_key(|trial| trial.position);
            in_order.extend(round);
        }
        (key, in_stretches(&in_order, cpus))
    };
    scenarios.into_iter().map(tally).collect()
}

fn in_stretches(trials: &[&TrialRecord], cpus: u32) -> Tally {
    let mut stretches: Vec<(Stretch, u64)> = Vec::new();
    let mut open = (Stretch::default(), 0);
    for trial in trials {
        // As long as the counters were watched: the counted work.
        open.0.add(&trial.noise, trial.wall_s.unwrap_or(trial.elapsed_s), trial.threads, cpus);
        open.1 += 1;
        if open.0.seconds >= STRETCH_S {
            stretches.push(std::mem::take(&mut open));
        }
    }
    // What is left is too short to be judged alone; its trials share the fate of those before.
    match stretches.last_mut() {
        Some(last) => last.1 += open.1,
        None => stretches.push(open),
    }
    let mut tally = Tally::default();
    for (stretch, count) in stretches.into_iter().filter(|(stretch, _)| stretch.known()) {
        tally.known += count;
        if let Some(seen) = Rule::default().of_stretch(&stretch) {
            let entry = tally.disturbed.entry(seen.cause).or_default();
            *entry = (entry.0 + count, entry.1 + seen.share * count as f64);
        }
    }
    tally
}

fn percent(share: Option<f64>) -> String {
    share.map_or_else(|| "none is known".to_owned(), format_share)
}

/// What leads every output of a busy host; `None` of a quiet one.
pub fn lead(state: &HostState) -> Option<String> {
    if !state.busy {
        return None;
    }
    let seen = format!(
        "the host was busy: {} of the counted trials were disturbed, and {} is allowed ({})",
        percent(state.disturbed_share),
        format_share(state.allowed_share),
        state.why.as_deref().unwrap_or("why is not known")
    );
    Some(if state.accepted {
        format!(
            "Do not rely on these words: {seen}. Load changes what is true, not only how precisely it is known; they are \
             given because of --accept-busy-host."
        )
    } else {
        format!(
            "Undecided: {seen}. Load changes what is true, so nothing is called better, worse or chosen. Measure again once \
             arenalab doctor calls this host fit, or take the words with --accept-busy-host."
        )
    })
}

/// The reason of a verdict that is not given.
const REFUSED: &str = "No verdict is given of a busy host.";

/// Tells a decision how the host was; of a busy one, unless that was accepted, all words are taken back.
pub fn weigh(decision: &mut Decision, state: &HostState) {
    if let Some(lead) = lead(state) {
        decision.warnings.insert(0, lead);
        if !state.accepted {
            take_back(decision);
        }
    }
    decision.host = Some(state.clone());
}

fn take_back(decision: &mut Decision) {
    decision.verdict = Verdict::Undecided;
    decision.choice = None;
    decision.apply = None;
    decision.throughput_ratio = None;
    decision.rss_ratio = None;
    decision.front.clear();
    REFUSED.clone_into(&mut decision.reason);
    for open in &mut decision.undecided {
        open.minutes_needed = None;
        open.rounds_needed = None;
    }
    // What did not run is out all the same; what a figure put out is not.
    let (figured, failed) = std::mem::take(&mut decision.eliminated)
        .into_iter()
        .partition::<Vec<_>, _>(|eliminated| eliminated.bound.is_some());
    decision.eliminated = failed;
    decision.undecided.extend(figured.into_iter().map(|eliminated| Unsettled {
        candidate: eliminated.candidate,
        why: format!("on a busy host: {}", eliminated.why),
        minutes_needed: None,
        rounds_needed: None,
    }));
    decision.scenarios.iter_mut().for_each(take_back_scenario);
}

fn take_back_scenario(scenario: &mut ScenarioDecision) {
    scenario.verdict = Verdict::Undecided;
    scenario.choice = None;
    scenario.front.clear();
    scenario.knee = None;
    for standing in &mut scenario.standings {
        standing.throughput_verdict = Comparison::Undecided;
        standing.rss_verdict = Comparison::Undecided;
        if standing.unfinished.is_empty() {
            standing.feasible = Feasible::Undecided;
        }
        standing.on_front = false;
    }
}

/// The same of a comparison, whose sides may be two hosts.
pub fn weigh_comparison(compared: &mut Compared, before: HostState, after: HostState) {
    let share = |state: &HostState| (state.busy, state.disturbed_share.unwrap_or(0.0));
    let later = share(&after) > share(&before);
    let (mut worse, side) = if later { (after.clone(), "after") } else { (before.clone(), "before") };
    if before != after {
        worse.why = worse.why.map(|why| format!("{side}: {why}"));
    }
    if let Some(lead) = lead(&worse) {
        compared.warnings.insert(0, lead);
        if !worse.accepted {
            for entry in &mut compared.entries {
                entry.verdict = Comparison::Undecided;
            }
        }
    }
    compared.host = Some(worse);
    compared.hosts = Some((before, after));
}

/// The same of a rehearsal.
pub fn weigh_rehearsal(rehearsal: &mut Rehearsal, state: &HostState) {
    if let Some(lead) = lead(state) {
        rehearsal.warnings.insert(0, lead);
        if !state.accepted {
            rehearsal.steps.iter_mut().for_each(take_back_step);
        }
    }
    for step in &mut rehearsal.steps {
        step.best.host = Some(state.clone());
    }
    rehearsal.host = Some(state.clone());
}

fn take_back_step(step: &mut Step) {
    step.verdict = StepVerdict::Undecided;
    REFUSED.clone_into(&mut step.reason);
    step.rounds_needed = None;
    step.setting = None;
    take_back(&mut step.best);
    for scenario in &mut step.scenarios {
        for candidate in scenario.candidates.iter_mut().filter(|candidate| candidate.unfinished.is_none()) {
            candidate.throughput_verdict = Comparison::Undecided;
            candidate.rss_verdict = Comparison::Undecided;
            candidate.rss_back = Feasible::Undecided;
            candidate.keeps = Feasible::Undecided;
        }
    }
}

#[cfg(test)]
mod tests;
