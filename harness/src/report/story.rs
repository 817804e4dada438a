//! What is said, in the order in which it is read: one model that HTML and Markdown render, so that both
//! state the same figures.

use serde::Serialize;

use super::chapter::{Chapter, chapters, twin};
use super::evidence;
use super::pictures::{Picture, Place};
use super::{Input, method, words};
use crate::format::decision::{Apply, Decision, Eliminated, Unsettled, Verdict};
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
    /// Where it stands.
    pub place: Place,
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

/// A fact, cleaned.
pub fn fact(name: &str, value: impl Into<String>) -> Fact {
    Fact { name: words::clean(name), value: words::clean(&value.into()) }
}

/// A report.
#[derive(Clone, Debug, Serialize)]
pub struct Story {
    /// Name of the campaign.
    pub name: String,
    /// `good`, `keep`, `open` or `bad`: the colour of the verdict.
    pub tone: &'static str,
    /// The verdict, one sentence; where the twin is not to be trusted, that.
    pub headline: String,
    /// The verdict as it would be, where the twin is not to be trusted.
    pub otherwise: Option<String>,
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

/// Tells the story of a campaign.
pub fn tell(input: &Input, figures: Vec<Figure>) -> Story {
    let (decision, manifest) = (input.decision, input.manifest);
    let evidence = evidence::gather(input.trials);
    let (headline, otherwise) = words::headline(decision);
    let front = figures.iter().filter(|f| f.place == Place::Front).cloned().collect();
    Story {
        name: words::clean(input.name),
        tone: tone(decision),
        headline,
        otherwise,
        reason: words::clean(&decision.reason),
        warnings: decision.warnings.iter().map(|w| words::clean(w)).collect(),
        facts: facts(decision),
        apply: decision.apply.clone(),
        undecided: decision.undecided.iter().map(undecided).collect(),
        eliminated: decision.eliminated.iter().map(eliminated).collect(),
        front: decision.front.iter().map(|c| words::clean(c)).collect(),
        scenarios: chapters(decision, figures, &evidence),
        figures: front,
        method: method::method(input),
        host: method::host(manifest),
        merged: method::merged(manifest),
        command: words::clean(&method::shell(&manifest.command)),
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
