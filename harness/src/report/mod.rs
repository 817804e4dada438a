//! Reports: charts, HTML, Markdown and terminal text of a campaign and its decision. Reads neither the
//! system nor a campaign's directory; [`write()`] is the only place that writes files.
//!
//! Data flows from [`Input`] through `pictures` (what is drawn) and `story` (what is said) to the
//! renderers; [`words`] is where figures become text.

mod chapter;
pub mod charts;
mod evidence;
mod html;
mod markdown;
mod method;
mod pictures;
mod profile;
mod profiles;
mod rehearsal;
mod story;
mod terminal;
pub mod words;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::format::decision::Decision;
use crate::format::manifest::Manifest;
use crate::format::series::Series;
use crate::format::trial::TrialRecord;

pub use rehearsal::terminal as rehearsal_terminal;
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

/// Writes `index.html`, `report.md` and `charts/` into `dir`, which is made where it is missing. Files of
/// an earlier report are replaced.
///
/// # Errors
/// When a file cannot be written or drawn; what was written before stays.
pub fn write(input: &Input, dir: &Path) -> Result<Written, ReportError> {
    let folder = dir.join("charts");
    fs::create_dir_all(&folder).map_err(|source| ReportError::Write { path: folder.clone(), source })?;
    let mut written =
        Written { html: dir.join("index.html"), markdown: dir.join("report.md"), charts: Vec::new() };
    let mut figures = Vec::new();
    for picture in pictures::all(input) {
        let (svg, png) =
            (folder.join(format!("{}.svg", picture.file)), folder.join(format!("{}.png", picture.file)));
        let drawn =
            picture.drawing.svg().map_err(|reason| ReportError::Draw { path: svg.clone(), reason })?;
        put(&svg, &drawn.standalone())?;
        picture.drawing.write_png(&png).map_err(|reason| ReportError::Draw { path: png.clone(), reason })?;
        written.charts.extend([svg, png]);
        figures.push(story::Figure::new(&picture, drawn.inline()));
    }
    let story = story::tell(input, figures);
    put(&written.markdown, &markdown::render(&story))?;
    put(&written.html, &html::render(&story)?)?;
    Ok(written)
}

fn put(path: &Path, text: &str) -> Result<(), ReportError> {
    fs::write(path, text).map_err(|source| ReportError::Write { path: path.to_owned(), source })
}
