//! What would settle an undecided campaign, as something that a command can do.

use super::store::Campaign;
use crate::format::decision::{Decision, Verdict};
use crate::format::trial::{Status, TrialRecord};
use crate::plan::shell;
use crate::statistics::FEWEST_TO_FORECAST;
use crate::units::format_seconds;

/// Nobody measures for longer than this, in seconds: 30 days.
const TOO_LONG_S: f64 = 30.0 * 86_400.0;

/// The sentence; `None` where the campaign is decided, or nothing was measured. `spent` says that nothing more can be chosen.
pub(super) fn next(campaign: &Campaign, decision: &Decision, spent: bool) -> Option<String> {
    let manifest = &campaign.manifest;
    if decision.verdict != Verdict::Undecided || campaign.trials.is_empty() {
        return None;
    }
    let trusted = decision.twin.is_none_or(|twin| twin.trustworthy);
    if !trusted || decision.host.as_ref().is_some_and(|host| host.busy) {
        return Some(format!(
            "To go on: measure again on a host at rest (arenalab doctor says whether it is): {}.",
            again(&manifest.command)
        ));
    }
    if spent {
        return Some(format!(
            "No candidate can be chosen in this campaign any more: its tests are used up, and more rounds could only rule \
             candidates out. To test anew, begin another campaign: {}.",
            again(&manifest.command)
        ));
    }
    let done = campaign.trials.iter().map(|trial| trial.round + 1).max().unwrap_or(0);
    let known = decision.undecided.iter().filter_map(|open| open.rounds_needed).max();
    // Of what has too few rounds nobody knows; they need five before anything can be told.
    let least = FEWEST_TO_FORECAST as u32;
    let fewest =
        decision.undecided.iter().filter_map(|open| rounds_of(decision, &open.candidate)).min().unwrap_or(0);
    let first = least.saturating_sub(fewest);
    let rounds = known.unwrap_or(0).max(first);
    if rounds == 0 {
        return Some("More rounds of this campaign would not settle it.".to_owned());
    }
    let trial_s = mean_seconds(&campaign.trials)?;
    let arms = decision.undecided.len().max(1) + 2;
    let scenarios = manifest.scenarios.len() * manifest.libcs.len();
    let further_s = f64::from(rounds) * trial_s * (arms * scenarios) as f64;
    if further_s > TOO_LONG_S {
        return Some("No length of measuring within reach would settle it on this host.".to_owned());
    }
    let words = match known {
        Some(_) if first == 0 => {
            format!("about {} more of measuring would probably settle it", format_seconds(further_s))
        }
        _ => format!("below {least} rounds nobody can tell how long it takes; {} get it there", {
            format_seconds(further_s)
        }),
    };
    let command = manifest.command.get(1).map_or("tune", String::as_str);
    let searches = manifest.time_budget_s.is_some() || command == "tune";
    let flag = if searches {
        let spent: f64 = campaign.trials.iter().map(|trial| trial.elapsed_s).sum();
        format!("--time-budget {}s", (spent + further_s).ceil())
    } else {
        format!("--rounds {}", done + rounds)
    };
    Some(format!("To go on: arenalab {command} --resume {flag} --out CAMPAIGN ({words})."))
}

/// The command of a campaign, to begin another.
fn again(command: &[String]) -> String {
    let mut words = vec!["arenalab".to_owned()];
    let mut given = command.iter().skip(1);
    words.extend(given.next().map(|subcommand| shell::word(subcommand)));
    words.extend(["--out".to_owned(), "ANOTHER".to_owned()]);
    while let Some(word) = given.next() {
        match word.as_str() {
            "--out" | "-o" => _ = given.next(),
            "--resume" => {}
            "--" => {
                words.push("--".to_owned());
                words.extend(given.by_ref().map(|word| shell::word(word)));
            }
            word if word.starts_with("--out=") => {}
            word => words.push(shell::word(word)),
        }
    }
    words.join(" ")
}

/// Rounds of a candidate, in the scenario where it has fewest.
fn rounds_of(decision: &Decision, candidate: &str) -> Option<u32> {
    let standings = decision.scenarios.iter().flat_map(|scenario| &scenario.standings);
    standings.filter(|standing| standing.candidate == candidate).map(|standing| standing.rounds).min()
}

fn mean_seconds(trials: &[TrialRecord]) -> Option<f64> {
    let finished = trials.iter().filter(|trial| trial.status == Status::Ok && trial.elapsed_s.is_finite());
    let (sum, count) = finished.fold((0.0, 0u32), |(sum, n), trial| (sum + trial.elapsed_s, n + 1));
    (count > 0).then(|| sum / f64::from(count))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn a_command_is_repeated_with_another_directory() {
        assert_eq!(
            again(&words("/usr/bin/arenalab tune larson --out c --resume --threads 4")),
            "arenalab tune --out ANOTHER larson --threads 4"
        );
        // What follows `--` is the program's.
        assert_eq!(
            again(&words("arenalab sweep --out=c --rounds 4 -- ./job --out mine --resume $x")),
            "arenalab sweep --out ANOTHER --rounds 4 -- ./job --out mine --resume '$x'"
        );
    }
}
