//! What is said, in the order in which it is read: one model that HTML and Markdown render, so that both
//! state the same figures.

use serde::Serialize;

use super::chapter::{Cell, Chapter, chapters, ratio_cell, twin};
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
    /// Where it stands in `choose --json`, as a JSON pointer, and its exact figure.
    pub exact: Option<(&'static str, Cell)>,
}

impl Fact {
    /// The same, with the place and the exact figure that it tells.
    fn exactly(self, at: &'static str, cell: Cell) -> Self {
        Self { exact: Some((at, cell)), ..self }
    }
}

/// A fact, cleaned.
pub fn fact(name: &str, value: impl Into<String>) -> Fact {
    Fact { name: words::clean(name), value: words::clean(&value.into()), exact: None }
}

/// What is told of one campaign.
#[derive(Clone, Debug, Serialize)]
pub struct Story {
    /// Begins every fragment of it; empty where it is alone.
    pub prefix: String,
    /// Name of the campaign.
    pub name: String,
    /// Host, day and C libraries: what tells it from another of the same name.
    pub ground: String,
    /// `good`, `keep`, `open` or `bad`: the colour of the verdict.
    pub tone: &'static str,
    /// The verdict, one sentence; where the host was busy or the twin is not to be trusted, that.
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
    /// When they are to be applied: the title over them.
    pub apply_when: &'static str,
    /// The charts beside the verdict.
    pub figures: Vec<Figure>,
    /// What the data do not settle, with the time that would.
    pub undecided: Vec<Open>,
    /// What is out, with the bound that decided it.
    pub eliminated: Vec<Open>,
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
}

/// A candidate that is not settled, or out.
#[derive(Clone, Debug, Serialize)]
pub struct Open {
    /// Canonical.
    pub candidate: String,
    /// Why.
    pub why: String,
    /// Minutes, or the bound.
    pub figure: Cell,
}

/// Tells the story of a campaign.
pub fn tell(input: &Input, prefix: &str, figures: Vec<Figure>) -> Story {
    let (decision, manifest) = (input.decision, input.manifest);
    let evidence = evidence::gather(input.trials);
    let (headline, otherwise) = words::headline(decision);
    let front = figures.iter().filter(|f| f.place == Place::Front).cloned().collect();
    Story {
        prefix: prefix.to_owned(),
        ground: method::ground(manifest),
        name: words::clean(input.name),
        tone: tone(decision),
        headline,
        otherwise,
        reason: [Some(words::clean(&decision.reason)), words::next(decision)]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join(". "),
        warnings: words::warnings(decision),
        facts: facts(decision),
        apply: decision.apply.clone(),
        apply_when: words::when_to_apply(decision),
        undecided: decision.undecided.iter().map(undecided).collect(),
        eliminated: decision.eliminated.iter().map(eliminated).collect(),
        front: decision.front.iter().map(|c| words::clean(c)).collect(),
        scenarios: chapters(input, prefix, figures, &evidence),
        figures: front,
        method: method::method(input),
        host: method::host(manifest),
        merged: method::merged(manifest),
        command: words::clean(&method::shell(&manifest.command)),
        plan: manifest.plan.clone(),
        objective: words::objective(decision.objective),
        confidence: words::confidence(decision.confidence),
    }
}

fn tone(decision: &Decision) -> &'static str {
    if !words::trustworthy(decision) || decision.host.as_ref().is_some_and(|host| host.busy) {
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
        facts.push(
            fact(&format!("{}{over}", words::objective(decision.objective)), words::ratio(r))
                .exactly("/rss_ratio", ratio_cell(Some(r))),
        );
    }
    if let Some(r) = &decision.throughput_ratio {
        let name = if many { "throughput, worst scenario" } else { "throughput" };
        facts.push(fact(name, words::ratio(r)).exactly("/throughput_ratio", ratio_cell(Some(r))));
    }
    facts.push(fact("Baseline", decision.baseline.as_str()));
    let asked = words::constraints(&decision.constraints);
    facts.push(fact(
        "Asked for",
        if asked.is_empty() { "no constraint".to_owned() } else { asked.join("; ") },
    ));
    let lone = |value: f64| Cell { value: Some(value), ..Cell::default() };
    let confidence = fact("Confidence", words::confidence(decision.confidence));
    facts.push(confidence.exactly("/confidence", lone(decision.confidence)));
    facts.push(fact("Baseline against itself", twin(decision, decision.twin.as_ref())));
    if let Some(state) = words::host_state(decision) {
        facts.push(fact("Host", state));
    }
    let trials = fact("Trials", decision.trials_run.to_string());
    facts.push(trials.exactly("/trials_run", lone(decision.trials_run as f64)));
    facts
}

fn undecided(unsettled: &Unsettled) -> Open {
    let time = unsettled.minutes_needed.filter(|m| m.is_finite());
    let text = time.map_or("not known".to_owned(), |m| units::format_seconds(m * 60.0));
    open(&unsettled.candidate, &unsettled.why, text, time)
}

fn open(candidate: &str, why: &str, text: String, value: Option<f64>) -> Open {
    let figure = Cell { text, value, ..Cell::default() };
    Open { candidate: words::clean(candidate), why: words::clean(why), figure }
}

/// The largest bound that is read as a ratio; anything above is bytes.
const LARGEST_RATIO: f64 = 1000.0;

fn eliminated(out: &Eliminated) -> Open {
    let bound = out.bound.filter(|b| b.is_finite());
    let text = bound.map_or("–".to_owned(), |bound| {
        if bound < LARGEST_RATIO { words::change(bound) } else { units::format_bytes(bound) }
    });
    open(&out.candidate, &out.why, text, bound)
}
