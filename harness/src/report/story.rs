//! What is said, in the order in which it is read: one model that HTML and Markdown render, so that both
//! state the same figures.

use std::collections::HashMap;

use serde::Serialize;

use super::charts::theme::Family;
use super::evidence::{self, Evidence, Key};
use super::pictures::{Picture, Place};
use super::{Input, words};
use crate::format::decision::{
    Apply, Comparison, Decision, Eliminated, Ratio, ScenarioDecision, Standing, Twin, Unsettled, Verdict,
};
use crate::format::manifest::Manifest;
use crate::units;

/// A chart in the text.
#[derive(Clone, Debug, Serialize)]
pub struct Figure {
    /// Without folder and extension.
    pub file: String,
    /// The finding and what it is about.
    pub caption: String,
    /// The drawing itself.
    pub svg: String,
    #[serde(skip)]
    place: Place,
}

impl Figure {
    /// Of a picture that was drawn.
    pub fn new(picture: &Picture, svg: String) -> Self {
        let (title, subtitle) = picture.drawing.heading();
        let caption = words::clean(&format!("{title} ({subtitle})"));
        Self { file: picture.file.clone(), caption, svg, place: picture.place.clone() }
    }
}

/// A name and its value.
#[derive(Clone, Debug, Serialize)]
pub struct Fact {
    /// What.
    pub name: String,
    /// How much, in words.
    pub value: String,
}

fn fact(name: &str, value: impl Into<String>) -> Fact {
    Fact { name: words::clean(name), value: words::clean(&value.into()) }
}

/// A report.
#[derive(Clone, Debug, Serialize)]
pub struct Story {
    /// Name of the campaign.
    pub name: String,
    /// `good`, `keep`, `open` or `bad`: the colour of the verdict.
    pub tone: &'static str,
    /// What comes before the verdict where the twin is not to be trusted.
    pub distrust: Option<String>,
    /// The verdict, one sentence.
    pub verdict: String,
    /// Why.
    pub reason: String,
    /// What must be known before believing any of it.
    pub warnings: Vec<String>,
    /// Figures that state the decision.
    pub facts: Vec<Fact>,
    /// Lines to apply it.
    pub apply: Option<Apply>,
    /// The charts beside the verdict.
    pub figures: Vec<Figure>,
    /// What the data do not settle: candidate, why, time.
    pub undecided: Vec<[String; 3]>,
    /// What is out: candidate, why, bound.
    pub eliminated: Vec<[String; 3]>,
    /// The front over all scenarios.
    pub front: Vec<String>,
    /// The evidence.
    pub scenarios: Vec<Chapter>,
    /// How it was measured.
    pub method: Vec<Fact>,
    /// Where.
    pub host: Vec<Fact>,
    /// Candidates that stand for others: candidate, other, why.
    pub merged: Vec<[String; 3]>,
    /// The exact command.
    pub command: String,
    /// The plan, TOML.
    pub plan: String,
    /// The objective in words.
    pub objective: &'static str,
    /// Stated confidence in words.
    pub confidence: String,
    /// Program and version.
    pub made_by: String,
}

/// One scenario's evidence.
#[derive(Clone, Debug, Serialize)]
pub struct Chapter {
    /// Fragment to link to.
    pub anchor: String,
    /// Workload, threads, libc.
    pub title: String,
    /// Its own outcome in words.
    pub verdict: String,
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
    /// Counts, effect, noise.
    pub trust: Vec<Fact>,
    /// What did not finish: status, candidate, reason, count.
    pub unfinished: Vec<[String; 4]>,
    /// Settings not seen in force: candidate, what was seen, count.
    pub unverified: Vec<[String; 3]>,
}

/// A figure in a table.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Cell {
    /// In words; a dash where unknown.
    pub text: String,
    /// For sorting; none where unknown.
    pub value: Option<f64>,
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
    /// Latency against the baseline.
    pub p99_ratio: Cell,
    /// Smallest loss that could have been seen.
    pub resolvable: String,
    /// Whether the constraints hold.
    pub feasible: &'static str,
    /// The mechanism seen.
    pub mechanism: Vec<String>,
}

/// Tells the story of a campaign.
pub fn tell(input: &Input, figures: Vec<Figure>) -> Story {
    let (decision, manifest) = (input.decision, input.manifest);
    let evidence = evidence::gather(input.trials);
    let front = figures.iter().filter(|f| f.place == Place::Front).cloned().collect();
    Story {
        name: words::clean(input.name),
        tone: tone(decision),
        distrust: words::distrust(decision),
        verdict: words::verdict_sentence(decision),
        reason: words::clean(&decision.reason),
        warnings: decision.warnings.iter().map(|w| words::clean(w)).collect(),
        facts: facts(decision),
        apply: decision.apply.clone(),
        undecided: decision.undecided.iter().map(undecided).collect(),
        eliminated: decision.eliminated.iter().map(eliminated).collect(),
        front: decision.front.iter().map(|c| words::clean(c)).collect(),
        scenarios: chapters(decision, figures, &evidence),
        figures: front,
        method: method(input),
        host: host(manifest),
        merged: merged(manifest),
        command: words::clean(&shell(&manifest.command)),
        plan: manifest.plan.clone(),
        objective: words::objective(decision.objective),
        confidence: words::confidence(decision.confidence),
        made_by: format!("arenalab {}", env!("CARGO_PKG_VERSION")),
    }
}

fn tone(decision: &Decision) -> &'static str {
    if !words::trustworthy(decision) {
        return "bad";
    }
    match decision.verdict {
        Verdict::Chosen => "good",
        Verdict::KeepBaseline => "keep",
        Verdict::Undecided => "open",
        Verdict::NoneFeasible => "bad",
    }
}

fn facts(decision: &Decision) -> Vec<Fact> {
    let mut facts = vec![fact("Choice", decision.choice.as_deref().unwrap_or("none"))];
    let many = decision.scenarios.len() > 1;
    if let Some(r) = &decision.rss_ratio {
        let over = if many { ", mean over scenarios" } else { "" };
        facts.push(fact(&format!("{}{over}", words::objective(decision.objective)), words::ratio(r)));
    }
    if let Some(r) = &decision.throughput_ratio {
        facts.push(fact(if many { "throughput, worst scenario" } else { "throughput" }, words::ratio(r)));
    }
    facts.push(fact("Baseline", decision.baseline.as_str()));
    let asked = words::constraints(&decision.constraints);
    facts.push(fact(
        "Asked for",
        if asked.is_empty() { "no constraint".to_owned() } else { asked.join("; ") },
    ));
    facts.push(fact("Confidence", words::confidence(decision.confidence)));
    facts.push(fact("Baseline against itself", twin(decision, decision.twin.as_ref())));
    facts.push(fact("Trials", decision.trials_run.to_string()));
    facts
}

fn undecided(unsettled: &Unsettled) -> [String; 3] {
    let time = unsettled.minutes_needed.filter(|m| m.is_finite());
    let time = time.map_or("no length of measuring would".to_owned(), |m| units::format_seconds(m * 60.0));
    [words::clean(&unsettled.candidate), words::clean(&unsettled.why), time]
}

/// The largest bound that is read as a ratio; anything above is bytes.
const LARGEST_RATIO: f64 = 1000.0;

fn eliminated(out: &Eliminated) -> [String; 3] {
    let bound = out.bound.filter(|b| b.is_finite()).map_or("–".to_owned(), |bound| {
        if bound < LARGEST_RATIO { words::change(bound) } else { units::format_bytes(bound) }
    });
    [words::clean(&out.candidate), words::clean(&out.why), bound]
}

fn chapters(decision: &Decision, figures: Vec<Figure>, evidence: &HashMap<Key, Evidence>) -> Vec<Chapter> {
    let mut chapters: Vec<Chapter> =
        decision.scenarios.iter().enumerate().map(|(i, s)| chapter(decision, i, s, evidence)).collect();
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

fn chapter(
    decision: &Decision,
    index: usize,
    scenario: &ScenarioDecision,
    evidence: &HashMap<Key, Evidence>,
) -> Chapter {
    let own = evidence.get(&(scenario.workload.as_str(), scenario.threads, scenario.libc.as_str()));
    let rows: Vec<Line> = scenario.standings.iter().map(|s| line(decision, scenario, s)).collect();
    let title = words::scenario(&scenario.workload, scenario.threads, &scenario.libc);
    let choice = scenario.choice.as_deref().map(|c| format!(" ({c})")).unwrap_or_default();
    Chapter {
        anchor: format!("scenario-{}", index + 1),
        title: words::clean(&title),
        verdict: words::clean(&format!("{}{choice}", words::verdict(scenario.verdict))),
        twin: twin(decision, scenario.twin.as_ref()),
        trusted: scenario.twin.is_none_or(|t| t.trustworthy),
        figures: Vec::new(),
        has_p99: scenario.standings.iter().any(|s| s.p99_ratio.is_some()),
        rows,
        trust: own.map(trust).unwrap_or_default(),
        unfinished: own.map(unfinished).unwrap_or_default(),
        unverified: own.map(unverified).unwrap_or_default(),
    }
}

fn twin(decision: &Decision, twin: Option<&Twin>) -> String {
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
        if cell.value.is_some() {
            (cell.verdict, cell.mark) = (Some(words::comparison(verdict)), Some(words::mark(verdict)));
        }
        cell
    };
    Line {
        candidate: words::clean(&standing.candidate),
        family: family(&standing.candidate),
        role,
        rounds: standing.rounds,
        rss: cell(standing.rss.as_ref().map(|l| (words::bytes(l), l.estimate))),
        rss_ratio: judged(&standing.rss_ratio, standing.rss_verdict),
        throughput: cell(
            standing.throughput.as_ref().map(|l| (words::rate(l, &words::clean(&scenario.unit)), l.estimate)),
        ),
        throughput_ratio: judged(&standing.throughput_ratio, standing.throughput_verdict),
        p99_ratio: ratio_cell(standing.p99_ratio.as_ref()),
        resolvable: standing.resolvable.map_or("–".to_owned(), words::share),
        feasible: words::feasible(standing.feasible),
        mechanism: standing.mechanism.iter().map(|m| words::clean(m)).collect(),
    }
}

fn ratio_cell(ratio: Option<&Ratio>) -> Cell {
    cell(ratio.map(|r| (words::ratio(r), r.estimate)))
}

fn cell(figure: Option<(String, f64)>) -> Cell {
    let dash = || Cell { text: "–".to_owned(), ..Cell::default() };
    figure.map_or_else(dash, |(text, value)| Cell { text, value: Some(value), ..Cell::default() })
}

fn family(candidate: &str) -> &'static str {
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

fn unfinished(evidence: &Evidence) -> Vec<[String; 4]> {
    let row = |((status, candidate, reason), count): (&(&str, &str, &str), &u64)| {
        [(*status).to_owned(), words::clean(candidate), words::clean(reason), count.to_string()]
    };
    evidence.unfinished.iter().map(row).take(MOST_MISHAPS).collect()
}

fn unverified(evidence: &Evidence) -> Vec<[String; 3]> {
    let row = |((candidate, how), count): (&(&str, &str), &u64)| {
        [words::clean(candidate), words::clean(how), count.to_string()]
    };
    evidence.unverified.iter().map(row).take(MOST_MISHAPS).collect()
}

fn method(input: &Input) -> Vec<Fact> {
    let (manifest, decision) = (input.manifest, input.decision);
    let (adaptive, rounds) =
        (manifest.strategy != "sweep", words::plural(u64::from(manifest.rounds), "round"));
    let rounds = if adaptive { format!("at most {rounds}") } else { rounds };
    vec![
        fact("strategy", format!("{}, {rounds}", manifest.strategy)),
        fact("objective", words::objective(decision.objective)),
        fact(
            "comparison",
            "ratios to the baseline within rounds; every round runs each candidate once, in random order",
        ),
        fact("intervals", format!("{} confidence", words::confidence(decision.confidence))),
        fact("seed", manifest.seed.to_string()),
        fact("candidates", manifest.candidates.len().to_string()),
        fact("begun", manifest.created_at.as_str()),
        fact("measured by", format!("arenalab {}", manifest.arenalab)),
    ]
}

fn host(manifest: &Manifest) -> Vec<Fact> {
    let host = &manifest.host;
    let unknown = "unknown";
    let mut facts = vec![
        fact("host", host.name.as_str()),
        fact("system", host.os.as_deref().unwrap_or(unknown)),
        fact("kernel", format!("{} ({})", host.kernel, host.arch)),
        fact("processor", host.cpu.as_deref().unwrap_or(unknown)),
        fact("CPUs", format!("{} online, {} allowed", host.cpus_online, host.cpus_allowed)),
        fact("memory", units::format_bytes(host.memory as f64)),
        fact("transparent huge pages", host.thp.as_deref().unwrap_or(unknown)),
    ];
    if let Some(limit) = host.cgroup_limit {
        facts.push(fact("cgroup memory limit", units::format_bytes(limit as f64)));
    }
    for libc in &manifest.libcs {
        facts.push(fact(&format!("libc {}", libc.name), libc.version.as_deref().unwrap_or(unknown)));
    }
    for (allocator, binary) in &manifest.binaries {
        let hash: String = binary.sha256.chars().take(16).collect();
        facts.push(fact(
            &format!("workload binary, {allocator}"),
            format!("{}: {}, sha256 {hash}…", binary.file, binary.allocator),
        ));
    }
    facts
}

fn merged(manifest: &Manifest) -> Vec<[String; 3]> {
    let of = |entry: &crate::format::manifest::CandidateEntry| {
        let row = |m: &crate::format::manifest::Merged| {
            [words::clean(&m.candidate), words::clean(&entry.candidate), words::clean(&m.why)]
        };
        entry.stands_for.iter().map(row).collect::<Vec<_>>()
    };
    manifest.candidates.iter().flat_map(of).collect()
}

/// A command line that a shell reads back as the same words.
fn shell(command: &[String]) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=+./:,@%".contains(c);
    let quote = |word: &String| {
        if !word.is_empty() && word.chars().all(plain) {
            word.clone()
        } else {
            format!("'{}'", word.replace('\'', "'\\''"))
        }
    };
    command.iter().map(quote).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_quoted_where_a_shell_would_split_them() {
        let command = ["arenalab", "sweep", "--", "my prog", "it's"].map(str::to_owned);
        assert_eq!(shell(&command), r"arenalab sweep -- 'my prog' 'it'\''s'");
    }
}
