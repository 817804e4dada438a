//! Memory of one process over time, a line a kind.

use plotters::prelude::*;

use super::axis::{Panel, Scale, Unit, byte_unit, from_zero};
use super::canvas::{At, Canvas, Lettering};
use super::labels::spread_out;
use super::theme::{self, Family};
use crate::units;

/// The most lines.
pub const MOST: usize = 6;

/// A kind of memory.
#[derive(Clone, Debug)]
pub struct Line {
    /// What it is called.
    pub name: String,
    /// Seconds since the first look, and bytes.
    pub points: Vec<(f64, f64)>,
}

/// The drawing.
#[derive(Clone, Debug)]
pub struct Watched {
    /// The verdict.
    pub title: String,
    /// Which process, how many looks.
    pub subtitle: String,
    /// At most [`MOST`]; the first is drawn in ink.
    pub lines: Vec<Line>,
}

/// Width and height.
pub const SIZE: At = (theme::WIDTH, 380.0);
const NAMES: f64 = 150.0;
/// Points that answer on each line, at most: the first, the last and the largest.
const COLOURS: [Family; MOST - 1] =
    [Family::Glibc, Family::Jemalloc, Family::Mimalloc, Family::Tcmalloc, Family::Other];

fn colour(number: usize) -> RGBColor {
    number.checked_sub(1).and_then(|number| COLOURS.get(number)).map_or(theme::INK, |family| family.colour())
}

impl Watched {
    /// Draws.
    pub fn draw<B: DrawingBackend>(&self, canvas: &mut Canvas<B>) {
        super::heading(canvas, &self.title, &self.subtitle, SIZE.0);
        let panel = Panel { left: 56.0, right: SIZE.0 - NAMES, top: 82.0, bottom: SIZE.1 - 50.0 };
        let all = || self.lines.iter().flat_map(|line| line.points.iter());
        let end = all().map(|(at, _)| *at).fold(0.0, f64::max);
        let most = all().map(|(_, bytes)| *bytes).fold(0.0, f64::max);
        let x = Scale::linear((0.0, if end > 0.0 { end } else { 1.0 }), (panel.left, panel.right));
        let y = Scale::linear(from_zero(most), (panel.bottom, panel.top));
        let unit = byte_unit(most);
        panel.x_axis(canvas, &x, Unit { size: 1.0, name: "s" }, "seconds since the first look");
        panel.y_axis(canvas, &y, unit, &format!("bytes ({})", unit.name));
        for (number, line) in self.lines.iter().enumerate().rev() {
            let points: Vec<At> = line.points.iter().map(|(at, bytes)| (x.at(*at), y.at(*bytes))).collect();
            canvas.line(&points, colour(number), if number == 0 { 2.4 } else { 1.8 });
            for at in Self::telling(&line.points) {
                let (seconds, bytes) = line.points[at];
                let (size, time) = (units::format_bytes(bytes), units::format_seconds(seconds));
                canvas.spot(points[at], 9.0, format!("{}: {size} after {time}", line.name));
            }
        }
        self.names(canvas, &panel, &y);
    }

    /// The first, the largest and the last.
    fn telling(points: &[(f64, f64)]) -> Vec<usize> {
        let Some(last) = points.len().checked_sub(1) else { return Vec::new() };
        let largest =
            points.iter().enumerate().max_by(|a, b| a.1.1.total_cmp(&b.1.1)).map_or(0, |(at, _)| at);
        let mut telling = vec![0, largest, last];
        telling.sort_unstable();
        telling.dedup();
        telling
    }

    fn names<B: DrawingBackend>(&self, canvas: &mut Canvas<B>, panel: &Panel, y: &Scale) {
        let ends: Vec<f64> =
            self.lines.iter().map(|line| y.at(line.points.last().map_or(0.0, |(_, bytes)| *bytes))).collect();
        let places = spread_out(&ends, 15.0, (panel.top, panel.bottom));
        for (number, (line, place)) in self.lines.iter().zip(places).enumerate() {
            let look = Lettering::new(theme::SMALL, colour(number)).bold();
            let name = super::fitted(&line.name, look, NAMES - 20.0);
            canvas.text((panel.right + 10.0, place + 4.0), &name, look);
        }
    }
}
