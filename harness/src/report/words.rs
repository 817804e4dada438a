//! Figures and verdicts as words, the same on the terminal, in Markdown, in HTML and in charts. Every
//! number that states a decision is put into words here and nowhere else.

use crate::decide::host;
use crate::format::decision::{
    Comparison, Constraints, Decision, Feasible, Level, Objective, Ratio, ScenarioDecision, Verdict,
};
use crate::format::manifest::Scenario;
use crate::format::rehearse::{Step, StepVerdict};
use crate::format::trial::Status;
use crate::statistics::FEWEST_VALUES;
use crate::units;

/// A text without control characters, which no page, drawing or terminal should be handed by a name.
pub fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{FFFD}' } else { c }).collect()
}

/// At most `most` characters, cut in the middle, nearer to the end: settings differ early, paths late.
pub fn shortened(text: &str, most: usize) -> String {
    let count = text.chars().count();
    if count <= most {
        return text.to_owned();
    }
    let tail = most.saturating_sub(1) / 3;
    let head = most.saturating_sub(1) - tail;
    let head: String = text.chars().take(head).collect();
    let tail: String = text.chars().skip(count - tail).collect();
    format!("{head}…{tail}")
}

/// At most `most` characters, cut at the end.
pub fn headed(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let head: String = text.chars().take(most.saturating_sub(1)).collect();
    format!("{head}…")
}

/// At most `most` characters, cut at the beginning.
pub fn tailed(text: &str, most: usize) -> String {
    let count = text.chars().count();
    if count <= most {
        return text.to_owned();
    }
    let tail: String = text.chars().skip(count - most.saturating_sub(1)).collect();
    format!("…{tail}")
}

/// At most this many characters of a name stand in a title, so that the figures beside it are never cut.
const IN_TITLE: usize = 32;

/// A name as it stands in a title, beside figures.
pub fn titled(name: &str) -> String {
    shortened(name, IN_TITLE)
}

/// A ratio as a change: 0.69 is `−31.0 %`.
pub fn change(ratio: f64) -> String {
    minus(&units::format_change(ratio))
}

/// A share as a percentage.
pub fn share(share: f64) -> String {
    minus(&units::format_share(share))
}

fn minus(text: &str) -> String {
    text.replace('-', "−")
}

/// A ratio with its interval: `−31.0 % (−33.0…−29.0 %)`.
pub fn ratio(ratio: &Ratio) -> String {
    format!("{} ({})", change(ratio.estimate), interval(ratio))
}

/// The interval alone: `−33.0…−29.0 %`.
pub fn interval(ratio: &Ratio) -> String {
    let low = change(ratio.low);
    format!("{}…{}", low.trim_end_matches(" %"), change(ratio.high))
}

/// A size with its interval: `12.3 MiB (12.0…12.6 MiB)`.
pub fn bytes(level: &Level) -> String {
    format!("{} ({})", units::format_bytes(level.estimate), span(level, units::format_bytes))
}

/// A rate with its interval.
pub fn rate(level: &Level, unit: &str) -> String {
    let estimate = units::format_rate(level.estimate, unit);
    let bare = |v| units::format_rate(v, "").trim_end().to_owned();
    format!("{estimate} ({})", span(level, bare))
}

/// From low to high; a unit that both have is said once.
fn span(level: &Level, format: impl Fn(f64) -> String) -> String {
    let (low, high) = (format(level.low), format(level.high));
    match (low.split_once(' '), high.split_once(' ')) {
        (Some((number, unit)), Some((_, other))) if unit == other => format!("{number}…{high}"),
        _ => format!("{low}…{high}"),
    }
}

/// A share without decimals that say nothing: 0.95 is `95 %`.
pub fn confidence(share: f64) -> String {
    let text = format!("{:.2}", share * 100.0);
    format!("{} %", text.trim_end_matches('0').trim_end_matches('.'))
}

/// `peak RSS`, `mean RSS`…
pub fn objective(objective: Objective) -> &'static str {
    match objective {
        Objective::Peak => "peak RSS",
        Objective::Mean => "mean RSS",
        Objective::End => "RSS at the end of the work",
        Objective::Drained => "RSS after the drain",
    }
}

/// One word.
pub fn comparison(comparison: Comparison) -> &'static str {
    match comparison {
        Comparison::Better => "better",
        Comparison::Worse => "worse",
        Comparison::Equivalent => "equivalent",
        Comparison::Undecided => "undecided",
    }
}

/// One word for what a step of an upgrade comes to.
pub fn step_verdict(verdict: StepVerdict) -> &'static str {
    match verdict {
        StepVerdict::Unharmed => "unharmed",
        StepVerdict::Mended => "mended",
        StepVerdict::Undecided => "undecided",
        StepVerdict::Regression => "regression",
    }
}

/// From which libc to which: `host (glibc 2.36) → debian-13 (glibc 2.41)`.
pub fn step(step: &Step) -> String {
    let named = |name: &str, version: &Option<String>| match version {
        Some(version) => format!("{name} (glibc {version})"),
        None => name.to_owned(),
    };
    format!("{} → {}", named(&step.from, &step.from_version), named(&step.to, &step.to_version))
}

/// A step's outcome in a sentence.
pub fn step_headline(step: &Step) -> String {
    let setting = step.setting.as_ref().map_or("a setting", |setting| &setting.candidate);
    match step.verdict {
        StepVerdict::Unharmed => "Nothing needs to be set".to_owned(),
        StepVerdict::Mended => format!("Set {setting}"),
        StepVerdict::Undecided => "Undecided".to_owned(),
        StepVerdict::Regression => "A regression that no measured setting mends".to_owned(),
    }
}

/// What is best on the libc after.
pub fn best(step: &Step) -> String {
    let best = &step.best;
    match (best.verdict, &best.choice) {
        (Verdict::Chosen, Some(choice)) => {
            let figures =
                best.rss_ratio.zip(best.throughput_ratio).map_or_else(String::new, |(rss, rate)| {
                    format!(
                        ": RSS {}, throughput {} against {} there",
                        ratio(&rss),
                        ratio(&rate),
                        best.baseline
                    )
                });
            format!("Best on {}: {choice}{figures}", step.to)
        }
        (Verdict::KeepBaseline, _) => {
            format!(
                "Best on {}: {} as it is; nothing else saves more than the tolerance within what is allowed",
                step.to, best.baseline
            )
        }
        (Verdict::NoneFeasible, _) => format!("Best on {}: no candidate meets the constraints", step.to),
        _ => format!("Best on {}: undecided", step.to),
    }
}

/// A mark that says the same without colour.
pub fn mark(comparison: Comparison) -> &'static str {
    match comparison {
        Comparison::Better => "▲",
        Comparison::Worse => "▼",
        Comparison::Equivalent => "=",
        Comparison::Undecided => "?",
    }
}

/// One word for whether the constraints hold.
pub fn feasible(feasible: Feasible) -> &'static str {
    match feasible {
        Feasible::Yes => "yes",
        Feasible::No => "no",
        Feasible::Undecided => "undecided",
    }
}

/// One word for the outcome.
pub fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Chosen => "chosen",
        Verdict::KeepBaseline => "keep the baseline",
        Verdict::NoneFeasible => "none feasible",
        Verdict::Undecided => "undecided",
    }
}

/// The status as it is written in trial lines.
pub fn status(status: Status) -> &'static str {
    match status {
        Status::Ok => "ok",
        Status::Failed => "failed",
        Status::Crashed => "crashed",
        Status::Timeout => "timeout",
        Status::Oom => "oom",
        Status::Interrupted => "interrupted",
        Status::Unsupported => "unsupported",
    }
}

/// What the knee of a front tells.
pub fn knee(candidate: &str) -> String {
    format!("Knee of the front: {}; beyond it more throughput costs the most memory", clean(candidate))
}

/// `larson, 4 threads`; with the C library where it is not the host's. A program that makes as many threads as
/// it wants is called by its name alone.
pub fn scenario(workload: &str, threads: u32, libc: &str) -> String {
    let named = Scenario::words(workload, threads);
    match libc {
        "host" | "" => named,
        libc => format!("{named}, libc {libc}"),
    }
}

/// A scenario's heading: with the C library where the decision has several, the host's too.
pub fn heading(decision: &Decision, own: &ScenarioDecision) -> String {
    let named = scenario(&own.workload, own.threads, &own.libc);
    let several = decision.scenarios.iter().any(|other| other.libc != own.libc);
    if several && own.libc == "host" { format!("{named}, libc host") } else { named }
}

/// `4 threads`, or `its own threads` of a program that makes as many as it wants.
pub fn threads(threads: u32) -> String {
    if threads == 0 { "its own threads".to_owned() } else { plural(u64::from(threads), "thread") }
}

/// `1 round`, `2 rounds`.
pub fn plural(count: u64, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

/// What was asked for, in words; empty where nothing was.
pub fn constraints(constraints: &Constraints) -> Vec<String> {
    let mut words = Vec::new();
    if let Some(loss) = constraints.max_throughput_loss {
        words.push(format!("throughput at most {} below the baseline", share(loss)));
    }
    if let Some(rise) = constraints.max_p99_loss {
        words.push(format!("p99 of malloc latency at most {} above the baseline", share(rise)));
    }
    if let Some(bytes) = constraints.max_rss {
        words.push(format!("at most {} of RSS", units::format_bytes(bytes as f64)));
    }
    words
}

/// Whether the twin (where there is one) gives no reason to doubt.
pub fn trustworthy(decision: &Decision) -> bool {
    decision.twin.is_none_or(|twin| twin.trustworthy)
}

/// The first thing to read where the twin differs from the baseline: nothing else may be believed.
fn distrust(decision: &Decision) -> Option<String> {
    let twin = decision.twin.filter(|twin| !twin.trustworthy)?;
    let mut seen = Vec::new();
    if let Some(r) = &twin.throughput_ratio {
        seen.push(format!("throughput {}", ratio(r)));
    }
    if let Some(r) = &twin.rss_ratio {
        seen.push(format!("{} {}", objective(decision.objective), ratio(r)));
    }
    let seen = if seen.is_empty() { "no figures".to_owned() } else { seen.join(", ") };
    Some(format!(
        "Do not act on these figures: the baseline differs from itself ({seen}), so this host was not steady \
         while the campaign ran."
    ))
}

/// What leads where the host was busy.
fn busy(decision: &Decision) -> Option<String> {
    decision.host.as_ref().and_then(host::lead).map(|lead| clean(&lead))
}

/// The headline, and what follows it at once: the verdict; but where the host was busy, or the twin is not to be
/// trusted, that, and then the verdict as what it would have been.
pub fn headline(decision: &Decision) -> (String, Option<String>) {
    let verdict = verdict_sentence(decision);
    let accepted = decision.host.as_ref().is_some_and(|host| host.accepted);
    match (busy(decision), distrust(decision)) {
        // The lead is the verdict itself.
        (Some(busy), distrust) if !accepted => (busy, distrust),
        (Some(busy), Some(distrust)) => {
            (busy, Some(format!("{distrust} Were the twin to agree, the verdict would be: {verdict}")))
        }
        (Some(busy), None) => (busy, Some(format!("As measured on the busy host: {verdict}"))),
        (None, Some(distrust)) => {
            (distrust, Some(format!("Were the twin to agree, the verdict would be: {verdict}")))
        }
        (None, None) => (verdict, None),
    }
}

/// The warnings that the headline does not say already.
pub fn warnings(decision: &Decision) -> Vec<String> {
    let said = busy(decision);
    decision
        .warnings
        .iter()
        .map(|warning| clean(warning))
        .filter(|warning| said.as_ref() != Some(warning))
        .collect()
}

/// When the lines of a choice are to be applied.
pub fn when_to_apply(decision: &Decision) -> &'static str {
    if busy(decision).is_some() {
        "To apply it, once a host at rest agrees"
    } else if trustworthy(decision) {
        "To apply it"
    } else {
        "To apply it, once the twin agrees"
    }
}

/// How the host was, in a few words; `None` where that is not known.
pub fn host_state(decision: &Decision) -> Option<String> {
    let host = decision.host.as_ref()?;
    let disturbed = share(host.disturbed_share?);
    let why = host.why.as_ref().map_or_else(String::new, |why| format!(": {why}"));
    Some(clean(&format!("{disturbed} of {} trials disturbed{why}", host.trials)))
}

/// What is shipped: the environment where there is one, else the candidate.
fn shipped(decision: &Decision, choice: &str) -> String {
    let env = decision.apply.as_ref().map(|apply| apply.env.join(" ")).unwrap_or_default();
    if env.is_empty() { choice.to_owned() } else { env }
}

/// The verdict as a careful engineer would say it, in one sentence.
fn verdict_sentence(decision: &Decision) -> String {
    let choice = decision.choice.as_deref().unwrap_or("no candidate");
    let sentence = match decision.verdict {
        Verdict::Chosen => {
            let figures = choice_figures(decision);
            format!(
                "Ship {}: {figures}; {} confidence.",
                shipped(decision, choice),
                confidence(decision.confidence)
            )
        }
        Verdict::KeepBaseline if decision.tested == Some(true) => format!(
            "Keep {}: no candidate saves more than the tolerance within the constraints; {} confidence.",
            decision.baseline,
            confidence(decision.confidence)
        ),
        Verdict::KeepBaseline => format!(
            "Keep {}: there is nothing to compare it with{}.",
            decision.baseline,
            if decision.eliminated.is_empty() {
                ""
            } else {
                ", since no other candidate finished its trials"
            }
        ),
        Verdict::NoneFeasible => format!(
            "Ship none of these: no candidate, the baseline included, meets the constraints ({}).",
            constraints(&decision.constraints).join("; ")
        ),
        Verdict::Undecided => undecided_sentence(decision),
    };
    clean(&sentence)
}

fn choice_figures(decision: &Decision) -> String {
    let many = decision.scenarios.len() > 1;
    let mut figures = Vec::new();
    if let Some(r) = &decision.rss_ratio {
        let over = if many { format!(" over {} scenarios", decision.scenarios.len()) } else { String::new() };
        figures.push(format!("{} {}{over}", objective(decision.objective), ratio(r)));
    }
    if let Some(r) = &decision.throughput_ratio {
        let worst = if many { " in the worst of them" } else { "" };
        figures.push(format!("throughput {}{worst}", ratio(r)));
    }
    if figures.is_empty() { "no figures against the baseline".to_owned() } else { figures.join(", ") }
}

/// No word of confidence here: no test was passed. What would settle it is told by [`next`].
fn undecided_sentence(decision: &Decision) -> String {
    let open = decision.undecided.len() as u64;
    if open == 0 {
        return "Undecided: these data do not settle the question.".to_owned();
    }
    let remain = if open == 1 { "remains" } else { "remain" };
    format!("Undecided: {} {remain} open.", plural(open, "candidate"))
}

/// What would settle an undecided campaign, as a line of its own.
pub fn next(decision: &Decision) -> Option<String> {
    decision.next.as_deref().map(clean)
}

/// Figures of too few rounds: `12.3 MiB (2 rounds, too few for an interval)`.
pub fn estimate(figure: &str, rounds: u32) -> String {
    if (rounds as usize) < FEWEST_VALUES {
        format!("{figure} ({}, too few for an interval)", plural(u64::from(rounds), "round"))
    } else {
        format!("{figure} (the interval reaches beyond a factor of ten)")
    }
}

/// A word made fit for a file name: letters, digits, `-`; at most 60 characters.
pub fn slug(text: &str) -> String {
    let mut slug = String::new();
    for c in text.chars() {
        if c.is_ascii_alphanumeric() {
            slug.push(c.to_ascii_lowercase());
        } else if !slug.ends_with('-') {
            slug.push('-');
        }
        if slug.len() >= 60 {
            break;
        }
    }
    slug.trim_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_told_as_changes_with_a_true_minus() {
        let r = Ratio { estimate: 0.69, low: 0.67, high: 0.712 };
        assert_eq!(ratio(&r), "−31.0 % (−33.0…−28.8 %)");
    }

    #[test]
    fn a_shared_unit_is_said_once() {
        let mib = |low: f64, high: f64| Level { estimate: 5e6, low, high };
        assert_eq!(bytes(&mib(4.5e6, 5.5e6)), "4.77 MiB (4.29…5.25 MiB)");
        assert_eq!(bytes(&mib(900_000.0, 5.5e6)), "4.77 MiB (879 KiB…5.25 MiB)");
        assert_eq!(rate(&mib(4.5e6, 5.5e6), "requests/s"), "5.00 M requests/s (4.50…5.50 M)");
    }

    #[test]
    fn names_become_file_names() {
        assert_eq!(slug("larson:size_max=500"), "larson-size-max-500");
        assert_eq!(slug("../../etc/passwd"), "etc-passwd");
        assert_eq!(slug("<script>"), "script");
        assert!(slug(&"x".repeat(500)).len() <= 60);
    }

    #[test]
    fn long_names_are_cut_in_the_middle() {
        assert_eq!(shortened("abcdefghij", 5), "abc…j");
        assert_eq!(shortened("äöü", 3), "äöü");
    }

    #[test]
    fn shares_have_no_idle_decimals() {
        assert_eq!(confidence(0.95), "95 %");
        assert_eq!(confidence(0.999), "99.9 %");
    }
}
