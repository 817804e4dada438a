//! What charts draw on: a few shapes and text in logical pixels, on any backend of plotters.
//!
//! The first error is kept and everything after it does nothing, so that the code of a chart can say what
//! is drawn and nothing else; [`Canvas::finish`] gives the error.

use plotters::coord::Shift;
use plotters::element::{DashedPathElement, Drawable};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{FontFamily, FontStyle};

use super::theme::{self, SCALE, Shape};
use crate::report::words;

/// A point in logical pixels.
pub type At = (f64, f64);

/// Where text lies relative to its point.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Align {
    /// Starts there.
    #[default]
    Start,
    /// Is centred there.
    Middle,
    /// Ends there.
    End,
}

/// The look of a text.
#[derive(Clone, Copy, Debug)]
pub struct Lettering {
    /// Height of an em.
    pub size: f64,
    /// Bold or not.
    pub bold: bool,
    /// Colour.
    pub colour: RGBColor,
    /// Where it lies.
    pub align: Align,
}

impl Lettering {
    /// Plain text of a size and colour, starting at its point.
    pub fn new(size: f64, colour: RGBColor) -> Self {
        Self { size, bold: false, colour, align: Align::Start }
    }

    /// The same, bold.
    #[must_use]
    pub fn bold(self) -> Self {
        Self { bold: true, ..self }
    }

    /// The same, aligned.
    #[must_use]
    pub fn align(self, align: Align) -> Self {
        Self { align, ..self }
    }

    fn style(self) -> TextStyle<'static> {
        let style = if self.bold { FontStyle::Bold } else { FontStyle::Normal };
        let font = FontDesc::new(FontFamily::Name(theme::FONT), self.size * SCALE * LINE, style);
        let h_pos = match self.align {
            Align::Start => HPos::Left,
            Align::Middle => HPos::Center,
            Align::End => HPos::Right,
        };
        let mut style = TextStyle::from(font);
        style.color = self.colour.to_backend_color();
        style.pos = Pos::new(h_pos, VPos::Top);
        style
    }

    /// Width of a text in logical pixels.
    pub fn width(self, text: &str) -> f64 {
        let wide = self.style().font.layout_box(text).map_or(0, |(_, (right, _))| right);
        // Characters that the font lacks are drawn by another one, up to an em wide.
        let foreign = text.chars().filter(|c| *c >= '\u{2E80}' && *c != '\u{FFFD}').count();
        f64::from(wide) / SCALE + foreign as f64 * self.size * 0.45
    }
}

/// Half the length of an interval's feet: they stand out beyond the mark in the middle.
const FOOT: f64 = 5.0;

/// Line height of the embedded font in em; plotters sizes text by it.
const LINE: f64 = 1.24;
/// Where plotters' bitmap text has its baseline, in em below the top of a text anchored at its top.
/// SVG text is moved to the same place after drawing.
pub const BASELINE: f64 = LINE / 2.0;

/// A place that answers when pointed at or focused.
#[derive(Clone, Debug, PartialEq)]
pub struct Spot {
    /// Centre, logical pixels.
    pub at: At,
    /// Radius, logical pixels.
    pub radius: f64,
    /// What it says: exact values with intervals.
    pub says: String,
}

/// The surface of one chart.
pub struct Canvas<B: DrawingBackend> {
    area: DrawingArea<B, Shift>,
    fault: Option<String>,
    spots: Vec<Spot>,
}

fn device((x, y): At) -> (i32, i32) {
    let whole = |v: f64| (v * SCALE).round().clamp(-30_000.0, 30_000.0) as i32;
    (whole(x), whole(y))
}

fn stroke(colour: RGBAColor, width: f64) -> ShapeStyle {
    ShapeStyle { color: colour, filled: false, stroke_width: (width * SCALE).round().max(1.0) as u32 }
}

impl<B: DrawingBackend> Canvas<B> {
    /// An empty canvas on a backend.
    pub fn new(backend: B) -> Self {
        let area = backend.into_drawing_area();
        let mut canvas = Self { area, fault: None, spots: Vec::new() };
        if theme::fonts_ready() {
            let outcome = canvas.area.fill(&theme::SURFACE);
            canvas.keep(&outcome);
        } else {
            canvas.fault = Some("the embedded font cannot be read".to_owned());
        }
        canvas
    }

    fn keep<E: std::fmt::Display>(&mut self, outcome: &Result<(), E>) {
        if let (Err(error), None) = (outcome, &self.fault) {
            self.fault = Some(error.to_string());
        }
    }

    fn put<E>(&mut self, element: &E)
    where
        for<'b> &'b E: plotters::element::PointCollection<'b, (i32, i32)>,
        E: Drawable<B>,
    {
        if self.fault.is_none() {
            let outcome = self.area.draw(element);
            self.keep(&outcome);
        }
    }

    /// A line through points.
    pub fn line(&mut self, points: &[At], colour: impl Color, width: f64) {
        let path: Vec<_> = points.iter().copied().map(device).collect();
        self.put(&PathElement::new(path, stroke(colour.to_rgba(), width)));
    }

    /// A dashed line through points.
    pub fn dashed(&mut self, points: &[At], colour: impl Color, width: f64) {
        let path: Vec<_> = points.iter().copied().map(device).collect();
        if path.len() > 1 {
            let style = stroke(colour.to_rgba(), width);
            self.put(&DashedPathElement::new(path, 12, 9, style));
        }
    }

    /// A filled rectangle between two corners.
    pub fn rect(&mut self, a: At, b: At, colour: impl Color) {
        let corners = [device((a.0.min(b.0), a.1.min(b.1))), device((a.0.max(b.0), a.1.max(b.1)))];
        self.put(&Rectangle::new(corners, colour.to_rgba().filled()));
    }

    /// A filled shape around a point; `radius` is that of the disc with about the same weight.
    pub fn mark(&mut self, (x, y): At, shape: Shape, radius: f64, colour: impl Color) {
        let style = colour.to_rgba().filled();
        let r = radius;
        let corners = match shape {
            Shape::Disc => {
                self.put(&Circle::new(device((x, y)), (r * SCALE) as i32, style));
                return;
            }
            Shape::Square => vec![(-0.88, -0.88), (0.88, -0.88), (0.88, 0.88), (-0.88, 0.88)],
            Shape::Triangle => vec![(0.0, -1.2), (1.1, 0.8), (-1.1, 0.8)],
            Shape::Diamond => vec![(0.0, -1.25), (1.25, 0.0), (0.0, 1.25), (-1.25, 0.0)],
            Shape::Wedge => vec![(0.0, 1.2), (1.1, -0.8), (-1.1, -0.8)],
        };
        let points: Vec<_> = corners.iter().map(|(dx, dy)| device((x + dx * r, y + dy * r))).collect();
        self.put(&Polygon::new(points, style));
    }

    /// A circle that is not filled.
    pub fn ring(&mut self, at: At, radius: f64, colour: impl Color, width: f64) {
        self.put(&Circle::new(device(at), (radius * SCALE) as i32, stroke(colour.to_rgba(), width)));
    }

    /// A line of text; the point is on its baseline.
    pub fn text(&mut self, (x, baseline): At, text: &str, look: Lettering) {
        let top = baseline - BASELINE * look.size;
        self.put(&Text::new(words::clean(text), device((x, top)), look.style()));
    }

    /// An interval from `a` to `b`, horizontal or vertical, with feet.
    pub fn interval(&mut self, a: At, b: At, colour: impl Color, width: f64) {
        let colour = colour.to_rgba();
        self.line(&[a, b], colour, width);
        let (dx, dy) = if (a.0 - b.0).abs() > (a.1 - b.1).abs() { (0.0, FOOT) } else { (FOOT, 0.0) };
        for (x, y) in [a, b] {
            self.line(&[(x - dx, y - dy), (x + dx, y + dy)], colour, width);
        }
    }

    /// Makes a place answer with exact values.
    pub fn spot(&mut self, at: At, radius: f64, says: String) {
        self.spots.push(Spot { at, radius, says });
    }

    /// Ends the drawing.
    ///
    /// # Errors
    /// The first thing that went wrong, in words.
    pub fn finish(mut self) -> Result<Vec<Spot>, String> {
        if self.fault.is_none() {
            let outcome = self.area.present();
            self.keep(&outcome);
        }
        self.fault.map_or(Ok(self.spots), Err)
    }
}
