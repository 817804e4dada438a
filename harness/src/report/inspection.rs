//! The page of `arenalab inspect --out`: what was seen of live processes, with charts. In the style of the reports, and
//! made of their parts; what a process is called is another's text, and is escaped like all else.

mod drawn;
mod told;

use std::fs;
use std::path::{Path, PathBuf};

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, context};
use serde::Serialize;

use super::charts::theme::{FONT_FACES, STYLE};
use super::publish::Draft;
use super::{ReportError, draw, put, words};
use crate::format::inspect::Inspected;
use crate::format::watch::Watched;

/// Processes that a page tells of.
pub const MOST: usize = 32;

/// What was seen of one process.
#[derive(Clone, Copy, Debug)]
pub struct Inspection<'a> {
    /// The looks at it, with seconds since the first; at least one.
    pub looks: &'a [(f64, Inspected)],
    /// What became of it, where it was watched.
    pub watched: Option<&'a Watched>,
}

/// All that the page says.
#[derive(Serialize)]
struct Page {
    title: String,
    parts: Vec<told::Part>,
    /// Processes that there is no room for.
    left_out: usize,
    made_by: String,
}

/// Writes `index.html` and `charts/` into `dir`, whole or not at all. An earlier report there is replaced. Of more than
/// [`MOST`] processes the first are told of.
///
/// # Errors
/// When `dir` holds anything but a report, or a file cannot be written or drawn.
pub fn write(inspections: &[Inspection], dir: &Path) -> Result<PathBuf, ReportError> {
    let draft = Draft::of(dir)?;
    let folder = draft.dir().join("charts");
    fs::create_dir_all(&folder).map_err(|source| ReportError::Write { path: folder.clone(), source })?;
    let mut files = Vec::new();
    let mut parts = Vec::new();
    for inspection in inspections.iter().take(MOST) {
        let Some((_, seen)) = inspection.looks.last() else { continue };
        let figures = draw(&drawn::pictures(inspection, seen), &folder, &mut files)?;
        parts.push(told::part(inspection, seen, figures));
    }
    let names: Vec<&str> = parts.iter().map(|part| part.name.as_str()).collect();
    let page = Page {
        title: words::shortened(&format!("Inspected: {}", names.join(", ")), 80),
        left_out: inspections.len().saturating_sub(MOST),
        made_by: format!("arenalab {}", env!("CARGO_PKG_VERSION")),
        parts,
    };
    put(&draft.dir().join("index.html"), &render(&page)?)?;
    draft.publish()?;
    Ok(dir.join("index.html"))
}

/// Fills in the page. All text is escaped; only drawings and style sheets, which are our own, are not.
fn render(page: &Page) -> Result<String, minijinja::Error> {
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.set_syntax(SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build()?);
    environment.add_template("page", include_str!("inspection/page.html.jinja"))?;
    let page = environment.get_template("page")?.render(context! {
        page => Serde(page),
        font_faces => FONT_FACES,
        chart_style => STYLE,
        page_style => include_str!("page.css"),
        script => include_str!("page.js"),
    })?;
    // A figure and its percent sign stay on one line.
    Ok(page.replace(" %", "\u{a0}%"))
}
