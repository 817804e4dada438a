//! Reports: charts, HTML, Markdown and terminal text of campaigns and their decisions. Reads neither the
//! system nor a campaign's directory; [`write_report()`] is the only place that writes files.
//!
//! Data flows from [`Report`] through `pictures` (what is drawn) and `story` (what is said) to the
//! renderers; [`words`] is where figures become text.

mod chapter;
pub mod charts;
mod evidence;
pub mod export;
mod growths;
mod histories;
mod html;
pub mod inspection;
mod markdown;
pub mod method;
mod page;
mod pictures;
mod profile;
mod profiles;
mod publish;
mod rehearsal;
pub mod steps;
mod story;
mod terminal;
mod trials;
pub mod words;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::format::decision::Decision;
use crate::format::manifest::Manifest;
use crate::format::series::Series;
use crate::format::trial::TrialRecord;

use charts::Drawing;
use page::Page;
use pictures::{Picture, Place};
use publish::Draft;
pub use publish::Refused;
pub use rehearsal::{outcome, terminal as rehearsal_terminal};
pub use steps::Step;
use story::Figure;
pub use terminal::terminal;

/// What a report is made from.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// What was measured, and on what.
    pub manifest: &'a Manifest,
    /// What follows from it. Every figure that states a decision comes from here.
    pub decision: &'a Decision,
    /// All trials, in the order they were run.
    pub trials: &'a [TrialRecord],
    /// RSS over time of some trials; may be empty.
    pub series: &'a [Series],
    /// Name of the campaign's folder.
    pub name: &'a str,
}

/// A report of one campaign or more.
#[derive(Clone, Copy, Debug)]
pub struct Report<'a> {
    /// The campaigns, at least one.
    pub campaigns: &'a [Input<'a>],
    /// Before and after, between campaigns or between the libcs of one.
    pub steps: &'a [Step],
    /// The command that makes it.
    pub command: &'a str,
}

/// The files that were written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// The page.
    pub html: PathBuf,
    /// The text for a change request.
    pub markdown: PathBuf,
    /// The charts, SVG and PNG.
    pub charts: Vec<PathBuf>,
}

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The folder.
    #[error(transparent)]
    Folder(#[from] Refused),
    /// A file or folder.
    #[error("failed to write {path}: {source}")]
    Write {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A drawing.
    #[error("failed to draw {path}: {reason}")]
    Draw {
        /// Which.
        path: PathBuf,
        /// What the drawing library said.
        reason: String,
    },
    /// The page.
    #[error("failed to fill in the page: {0}")]
    Page(#[from] minijinja::Error),
}

/// Writes the report of one campaign, as [`write_report`] does.
///
/// # Errors
/// As [`write_report`].
pub fn write(input: &Input, dir: &Path) -> Result<Written, ReportError> {
    write_report(&Report { campaigns: std::slice::from_ref(input), steps: &[], command: "" }, dir)
}

/// Writes `index.html`, `report.md` and `charts/` into `dir`. An earlier report there is replaced as a whole.
///
/// # Errors
/// When `dir` holds anything but a report, or a file cannot be written or drawn; an earlier report then
/// stays as it was.
pub fn write_report(report: &Report, dir: &Path) -> Result<Written, ReportError> {
    let draft = Draft::of(dir)?;
    let folder = draft.dir().join("charts");
    fs::create_dir_all(&folder).map_err(|source| ReportError::Write { path: folder.clone(), source })?;
    let mut charts = Vec::new();
    let mut parts = Vec::new();
    for (index, input) in report.campaigns.iter().enumerate() {
        let prefix = if report.campaigns.len() > 1 { format!("c{}-", index + 1) } else { String::new() };
        let mut pictures = pictures::all(input);
        for picture in &mut pictures {
            picture.file = format!("{prefix}{}", picture.file);
        }
        let figures = draw(&pictures, &folder, &mut charts)?;
        parts.push(story::tell(input, &prefix, figures));
    }
    let page = page(report, parts, |pictures| draw(&pictures, &folder, &mut charts))?;
    put(&draft.dir().join("report.md"), &markdown::render(&page))?;
    put(&draft.dir().join("index.html"), &html::render(&page)?)?;
    draft.publish()?;
    let place = |name: &String| dir.join("charts").join(name);
    let charts = charts.iter().map(place).collect();
    Ok(Written { html: dir.join("index.html"), markdown: dir.join("report.md"), charts })
}

/// Draws into a folder; the names of the files are added to `files`.
fn draw(pictures: &[Picture], folder: &Path, files: &mut Vec<String>) -> Result<Vec<Figure>, ReportError> {
    let mut figures = Vec::new();
    for picture in pictures {
        let names = ["svg", "png"].map(|extension| format!("{}.{extension}", picture.file));
        let [svg, png] = names.clone().map(|name| folder.join(name));
        let drawn =
            picture.drawing.svg().map_err(|reason| ReportError::Draw { path: svg.clone(), reason })?;
        put(&svg, &drawn.standalone())?;
        picture.drawing.write_png(&png).map_err(|reason| ReportError::Draw { path: png, reason })?;
        files.extend(names);
        figures.push(Figure::new(picture, drawn.inline()));
    }
    Ok(figures)
}

/// What stands between the campaigns, around what is told of each.
fn page<'a>(
    report: &Report<'a>,
    parts: Vec<story::Story>,
    mut draw: impl FnMut(Vec<Picture<'a>>) -> Result<Vec<Figure>, ReportError>,
) -> Result<Page, ReportError> {
    let joined = report.campaigns.len() > 1;
    let between = |file, drawing| Picture { file, place: Place::Between, drawing };
    let histories = if joined { histories::histories(report.campaigns) } else { Vec::new() };
    let drawings = histories
        .into_iter()
        .map(|(chart, name)| between(format!("history-{name}"), Drawing::History(chart)));
    let mut drawings: Vec<Picture> = drawings.collect();
    pictures::make_distinct(&mut drawings);
    let figures = draw(drawings)?;
    let objective = report.campaigns.last().map_or_else(Default::default, |input| input.decision.objective);
    let mut told = Vec::new();
    for (index, step) in report.steps.iter().enumerate() {
        let chart = steps::forest(step, objective);
        let picture = chart.map(|chart| between(format!("step-{}", index + 1), Drawing::Forest(chart)));
        told.push(steps::tell(step, index, draw(picture.into_iter().collect())?));
    }
    let said: Vec<(&str, Option<&str>, bool)> = report
        .campaigns
        .iter()
        .map(|input| (input.name, input.decision.choice.as_deref(), words::trustworthy(input.decision)))
        .collect();
    let busy =
        report.campaigns.iter().filter_map(|input| input.decision.host.as_ref()).filter(|host| host.busy);
    let busy = busy.count();
    let agreement = if joined { page::led(page::agreement(&said), busy, said.len()) } else { String::new() };
    let names: Vec<&str> = parts.iter().map(|part| part.name.as_str()).collect();
    let headline =
        if joined { agreement.as_str() } else { parts.first().map_or("", |part| part.headline.as_str()) };
    Ok(Page {
        title: format!("{}: {headline}", words::shortened(&names.join(", "), 80)),
        joined,
        busy: busy > 0,
        agreement,
        warnings: histories::warnings(report.campaigns),
        figures,
        steps: told,
        parts,
        command: words::clean(report.command),
        made_by: format!("arenalab {}", env!("CARGO_PKG_VERSION")),
    })
}

fn put(path: &Path, text: &str) -> Result<(), ReportError> {
    fs::write(path, text).map_err(|source| ReportError::Write { path: path.to_owned(), source })
}
