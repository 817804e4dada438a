//! RSS and live bytes over time: a line a candidate, one trial each, phases marked.

use plotters::prelude::*;

use super::axis::{Panel, Scale, Unit, byte_unit, from_zero};
use super::canvas::{Align, At, Canvas, Lettering};
use super::labels::spread_out;
use super::theme::{self, Family, Shape};
use crate::format::series::Series;
use crate::units;

/// One candidate's trial.
#[derive(Clone, Copy, Debug)]
pub struct Track<'a> {
    /// Its series.
    pub series: &'a Series,
    /// Drawn strong: the baseline and the choice.
    pub strong: bool,
    /// Drawn in ink, and its phases are the ones marked.
    pub baseline: bool,
}

/// The drawing.
#[derive(Clone, Debug)]
pub struct Timeline<'a> {
    /// The finding.
    pub title: String,
    /// Scenario.
    pub subtitle: String,
    /// At most six.
    pub tracks: Vec<Track<'a>>,
}

/// Width and height.
pub const SIZE: At = (theme::WIDTH, 400.0);
const NAMES: f64 = 190.0;

impl Timeline<'_> {
    /// Draws.
    pub fn draw<B: DrawingBackend>(&self, canvas: &mut Canvas<B>) {
        super::heading(canvas, &self.title, &self.subtitle, SIZE.0);
        let panel = Panel { left: 56.0, right: SIZE.0 - NAMES, top: 88.0, bottom: SIZE.1 - 50.0 };
        let last = |t: &Track| t.series.at_s.iter().copied().fold(0.0, f64::max);
        let end = self.tracks.iter().map(last).fold(0.0, f64::max);
        let peaks =
            self.tracks.iter().flat_map(|t| t.series.rss.iter().chain(t.series.live.iter().flatten()));
        let most = peaks.copied().max().unwrap_or(0) as f64;
        let x = Scale::linear((0.0, if end > 0.0 { end } else { 1.0 }), (panel.left, panel.right));
        // Room for the names of the phases above the highest line.
        let y = Scale::linear(from_zero(most * 1.08), (panel.bottom, panel.top));
        let unit = byte_unit(most);
        panel.x_axis(canvas, &x, Unit { size: 1.0, name: "s" }, "seconds since the start of the trial");
        panel.y_axis(
            canvas,
            &y,
            unit,
            &format!("RSS solid; live bytes dashed, of the bold names ({})", unit.name),
        );
        self.phases(canvas, &panel, &x);
        for track in self.tracks.iter().rev() {
            Self::track(canvas, track, &x, &y);
        }
        self.names(canvas, &panel, &x, &y);
    }

    fn phases<B: DrawingBackend>(&self, canvas: &mut Canvas<B>, panel: &Panel, x: &Scale) {
        let Some(track) = self.tracks.iter().find(|t| t.baseline).or(self.tracks.first()) else { return };
        let look = Lettering::new(theme::SMALL, theme::MUTED).align(Align::Middle);
        let mut begun = x.at(0.0);
        for (name, end) in &track.series.phases {
            let end = x.at(*end);
            canvas.line(&[(end, panel.top - 2.0), (end, panel.bottom)], theme::MUTED.mix(0.6), 0.8);
            // A phase too short for its name goes without.
            if end - begun > look.width(name) + 6.0 {
                canvas.text((f64::midpoint(begun, end), panel.top + 10.0), name, look);
            }
            begun = end;
        }
    }

    fn track<B: DrawingBackend>(canvas: &mut Canvas<B>, track: &Track, x: &Scale, y: &Scale) {
        let width = if track.strong { 2.2 } else { 1.2 };
        let colour = track.colour();
        let series = track.series;
        let points = |values: &[u64]| -> Vec<At> {
            series.at_s.iter().zip(values).map(|(t, v)| (x.at(*t), y.at(*v as f64))).collect()
        };
        // The work is the same under every candidate: live bytes of those that matter are enough.
        if let Some(live) = series.live.as_ref().filter(|_| track.strong) {
            canvas.dashed(&points(live), colour, width * 0.7);
        }
        canvas.line(&points(&series.rss), colour, width);
        let Some((peak_at, peak)) = series.rss.iter().enumerate().max_by_key(|(_, v)| **v) else { return };
        if let Some(t) = series.at_s.get(peak_at) {
            let says = format!(
                "{}: largest sample {} after {}",
                series.candidate,
                units::format_bytes(*peak as f64),
                units::format_seconds(*t)
            );
            canvas.spot((x.at(*t), y.at(*peak as f64)), 9.0, says);
        }
    }

    fn names<B: DrawingBackend>(&self, canvas: &mut Canvas<B>, panel: &Panel, x: &Scale, y: &Scale) {
        let ends: Vec<f64> =
            self.tracks.iter().map(|t| y.at(t.series.rss.last().copied().unwrap_or(0) as f64)).collect();
        let places = spread_out(&ends, 15.0, (panel.top, panel.bottom));
        let labels: Vec<&str> = self.tracks.iter().map(|t| t.series.candidate.as_str()).collect();
        let bold = Lettering::new(theme::SMALL, theme::INK).bold();
        let labels = super::distinct(&labels, bold, NAMES - 26.0);
        for ((track, name), (end, place)) in self.tracks.iter().zip(&labels).zip(ends.iter().zip(places)) {
            let look = Lettering { bold: track.strong, ..Lettering::new(theme::SMALL, theme::INK) };
            let (left, right) = (panel.right + 3.0, panel.right + 18.0);
            // The end of the trial is a dot; what leads from there to the name is no memory, and is faint.
            let last = (x.at(track.series.at_s.last().copied().unwrap_or(0.0)), *end);
            canvas.line(&[last, (left, *end), (right, place)], theme::LEADER, 0.8);
            canvas.mark(last, Shape::Disc, 2.6, track.colour());
            canvas.text((right + 4.0, place + 4.0), name, look);
        }
    }
}

impl Track<'_> {
    fn colour(&self) -> RGBAColor {
        match (self.baseline, self.strong) {
            (true, _) => theme::INK.to_rgba(),
            (false, true) => Family::of(&self.series.candidate).colour().to_rgba(),
            (false, false) => Family::of(&self.series.candidate).colour().mix(0.6),
        }
    }
}
