//! How long allocating calls take: quantiles on a logarithmic scale, a line a candidate, with the quartiles
//! over trials.

use plotters::prelude::*;

use super::axis::{Panel, Scale};
use super::canvas::{Align, At, Canvas, Lettering};
use super::labels::spread_out;
use super::theme::{self, Family};
use crate::report::profile::{QUANTILES, Spread};
use crate::units;

/// One candidate.
#[derive(Clone, Debug)]
pub struct Curve {
    /// Canonical candidate.
    pub name: String,
    /// Drawn strong: the baseline and the choice.
    pub strong: bool,
    /// Drawn in ink.
    pub baseline: bool,
    /// Nanoseconds, in the order of `profile::QUANTILES`.
    pub quantiles: [Option<Spread>; 4],
}

/// The drawing.
#[derive(Clone, Debug)]
pub struct Latency {
    /// The finding.
    pub title: String,
    /// Scenario.
    pub subtitle: String,
    /// At most six.
    pub curves: Vec<Curve>,
}

/// Width and height.
pub const SIZE: At = (theme::WIDTH, 380.0);
const NAMES: f64 = 200.0;

impl Latency {
    /// Draws.
    pub fn draw<B: DrawingBackend>(&self, canvas: &mut Canvas<B>) {
        super::heading(canvas, &self.title, &self.subtitle, SIZE.0);
        let panel = Panel { left: 66.0, right: SIZE.0 - NAMES, top: 88.0, bottom: SIZE.1 - 34.0 };
        let values = self.curves.iter().flat_map(|c| c.quantiles.iter().flatten());
        let low = values.clone().map(|s| s.low).fold(f64::INFINITY, f64::min);
        let high = values.map(|s| s.high).fold(0.0, f64::max);
        let scale = Scale::logarithmic((low * 0.8, high * 1.25), (panel.bottom, panel.top));
        Self::axes(canvas, &panel, &scale);
        for curve in self.curves.iter().rev() {
            curve.draw(canvas, &panel, &scale);
        }
        self.names(canvas, &panel, &scale);
    }

    fn axes<B: DrawingBackend>(canvas: &mut Canvas<B>, panel: &Panel, scale: &Scale) {
        let look = Lettering::new(theme::SMALL, theme::MUTED);
        // Where not all steps have room for a label, only whole powers of ten have one: evenly spaced.
        let decades = (0..11).map(|power| 10f64.powi(power));
        let steps = decades.clone().flat_map(|ten| [1.0, 2.0, 5.0].map(|digit| digit * ten));
        let steps: Vec<f64> = steps.filter(|v| scale.holds(*v)).collect();
        let all = steps.windows(2).all(|w| scale.at(w[0]) - scale.at(w[1]) >= 17.0);
        for value in &steps {
            let y = scale.at(*value);
            canvas.line(&[(panel.left, y), (panel.right, y)], theme::GRID, 0.5);
            if all || decades.clone().any(|ten| (ten / value - 1.0).abs() < 1e-9) {
                canvas.text((panel.left - 7.0, y + 4.0), &whole(*value), look.align(Align::End));
            }
        }
        panel.base_line(canvas);
        for (index, name) in QUANTILES.iter().enumerate() {
            canvas.text((place(panel, index), panel.bottom + 18.0), name, look.align(Align::Middle));
        }
        canvas.text((panel.left - 54.0, panel.top - 12.0), "time of a malloc call, logarithmic", look);
    }

    fn names<B: DrawingBackend>(&self, canvas: &mut Canvas<B>, panel: &Panel, scale: &Scale) {
        let last = |c: &Curve| {
            c.quantiles.iter().rev().flatten().next().map_or(panel.bottom, |s| scale.at(s.median))
        };
        let ends: Vec<f64> = self.curves.iter().map(last).collect();
        let places = spread_out(&ends, 15.0, (panel.top, panel.bottom));
        let labels: Vec<&str> = self.curves.iter().map(|c| c.name.as_str()).collect();
        let bold = Lettering::new(theme::SMALL, theme::INK).bold();
        let labels = super::distinct(&labels, bold, NAMES - 28.0);
        for ((curve, name), (end, at)) in self.curves.iter().zip(&labels).zip(ends.iter().zip(places)) {
            let look = Lettering { bold: curve.strong, ..Lettering::new(theme::SMALL, theme::INK) };
            let from = place(panel, QUANTILES.len() - 1) + 8.0;
            canvas.line(
                &[(from, *end), (panel.right, *end), (panel.right + 14.0, at)],
                curve.colour().mix(0.5),
                0.8,
            );
            canvas.text((panel.right + 18.0, at + 4.0), name, look);
        }
    }
}

impl Curve {
    fn colour(&self) -> RGBAColor {
        match (self.baseline, self.strong) {
            (true, _) => theme::INK.to_rgba(),
            (false, true) => Family::of(&self.name).colour().to_rgba(),
            (false, false) => Family::of(&self.name).colour().mix(0.6),
        }
    }

    fn draw<B: DrawingBackend>(&self, canvas: &mut Canvas<B>, panel: &Panel, scale: &Scale) {
        let known = self.quantiles.iter().enumerate().filter_map(|(i, s)| Some((i, (*s)?)));
        let path: Vec<At> = known.clone().map(|(i, s)| (place(panel, i), scale.at(s.median))).collect();
        canvas.line(&path, self.colour(), if self.strong { 2.0 } else { 1.2 });
        for (index, spread) in known {
            let x = place(panel, index);
            canvas.interval((x, scale.at(spread.low)), (x, scale.at(spread.high)), self.colour(), 1.0);
            let at = (x, scale.at(spread.median));
            canvas.mark(at, Family::of(&self.name).shape(), 3.4, self.colour());
            let says = format!(
                "{}: {} of malloc {} (quartiles {}…{})",
                self.name,
                QUANTILES[index],
                nanoseconds(spread.median),
                nanoseconds(spread.low),
                nanoseconds(spread.high)
            );
            canvas.spot(at, 9.0, says);
        }
    }
}

fn nanoseconds(value: f64) -> String {
    units::format_seconds(value * 1e-9)
}

/// A round figure without decimals: `50 us`.
fn whole(nanoseconds: f64) -> String {
    let (size, unit) = match nanoseconds {
        v if v >= 1e9 => (1e9, "s"),
        v if v >= 1e6 => (1e6, "ms"),
        v if v >= 1e3 => (1e3, "us"),
        _ => (1.0, "ns"),
    };
    format!("{:.0} {unit}", nanoseconds / size)
}

fn place(panel: &Panel, index: usize) -> f64 {
    let step = (panel.right - panel.left) / QUANTILES.len() as f64;
    panel.left + step * (index as f64 + 0.5)
}
