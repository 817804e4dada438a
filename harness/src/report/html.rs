//! The page: one file, no request, readable without a script.

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, context};

use super::charts::theme::{FONT_FACES, STYLE};
use super::page::Page;

/// Fills in the page. All text is escaped; only drawings, style sheets and
/// places in the JSON, which are our own, are not.
///
/// # Errors
/// A defect of the template.
pub fn render(page: &Page) -> Result<String, minijinja::Error> {
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.set_syntax(SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build()?);
    environment.add_template("page", include_str!("page.html.jinja"))?;
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
