//! Finishes what plotters' SVG backend draws: fonts and colours by style sheet, text at the same place as
//! in the bitmap, a name for those who do not see it, and places that answer with exact values.

use std::fmt::Write as _;

use super::canvas::{BASELINE, Spot};
use super::theme::{FONT, FONT_FACES, SCALE, STYLE};
use crate::report::words;

/// With more places than this the tables are the better way by keyboard; they answer the pointer only.
const MOST_FOCUSABLE: usize = 40;

/// A finished drawing.
#[derive(Clone, Debug)]
pub struct Svg {
    head: String,
    body: String,
}

impl Svg {
    pub(super) fn new(raw: &str, (width, height): (u32, u32), heading: (&str, &str), spots: &[Spot]) -> Self {
        let label = escape(&format!("{}. {}", heading.0, heading.1));
        let shown = |v: u32| f64::from(v) / SCALE;
        let head = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"chart\" role=\"group\" aria-label=\"{label}\" \
             width=\"{}\" height=\"{}\" viewBox=\"0 0 {width} {height}\">",
            shown(width),
            shown(height)
        );
        let inner = raw.split_once('\n').map_or("", |(_, rest)| rest);
        let inner = inner.trim_end().strip_suffix("</svg>").unwrap_or(inner);
        let body = format!("{}{}</svg>\n", finished(inner), places(spots));
        Self { head, body }
    }

    /// To stand in a page that has [`FONT_FACES`] and [`STYLE`] itself.
    pub fn inline(&self) -> String {
        format!("{}{}", self.head, self.body)
    }

    /// To stand alone, fonts and colours included.
    pub fn standalone(&self) -> String {
        format!("{}\n<style>{FONT_FACES}{STYLE}</style>\n{}", self.head, self.body)
    }
}

/// Text content is escaped by the backend, quotes included, so an attribute with its quotes is never part
/// of a name.
fn finished(inner: &str) -> String {
    inner
        .replace(&format!(" font-family=\"{FONT}\""), "")
        .replace(" opacity=\"1\"", "")
        .replace(" dy=\"0.76em\"", &format!(" dy=\"{BASELINE}em\""))
        .replace(" text-anchor=\"start\"", "")
        .replace("\n</text>", "</text>")
        .replace(" \"/>", "\"/>")
}

fn places(spots: &[Spot]) -> String {
    let focus = if spots.len() <= MOST_FOCUSABLE { " tabindex=\"0\"" } else { "" };
    let mut out = String::new();
    for spot in spots {
        let says = escape(&words::clean(&spot.says));
        let ((x, y), r) = (spot.at, spot.radius);
        // Writing to a String cannot fail.
        let _ = writeln!(
            out,
            "<circle class=\"spot\"{focus} role=\"img\" aria-label=\"{says}\" cx=\"{:.0}\" cy=\"{:.0}\" \
             r=\"{:.0}\"><title>{says}</title></circle>",
            x * SCALE,
            y * SCALE,
            r * SCALE
        );
    }
    out
}

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c if c.is_control() => out.push('\u{FFFD}'),
            c => out.push(c),
        }
    }
    out
}
