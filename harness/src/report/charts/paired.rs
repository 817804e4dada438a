//! RSS above, throughput below, over the same places from left to right: a line a candidate, with
//! intervals. What the places are (thread counts, campaigns) is said by the charts that use this.

use plotters::prelude::*;

use super::axis::{Panel, Scale, byte_unit, count_unit, from_zero, spread};
use super::canvas::{Align, At, Canvas, Lettering};
use super::labels::spread_out;
use super::theme::{self, Family};
use crate::format::decision::Level;
use crate::report::words;

/// One place.
#[derive(Clone, Debug)]
pub struct Place {
    /// Where, from 0 (left) to 1 (right).
    pub at: f64,
    /// One line, or two.
    pub name: Vec<String>,
    /// Whether a line may lead here from the place before: the figures of both can be compared.
    pub joined: bool,
}

/// One candidate. Both vectors have a figure for each place; `None` where there is none.
#[derive(Clone, Debug)]
pub struct Track {
    /// Canonical candidate.
    pub name: String,
    /// Drawn strong: the baseline and the choice.
    pub strong: bool,
    /// Drawn in ink.
    pub baseline: bool,
    /// Bytes.
    pub rss: Vec<Option<Level>>,
    /// Work per second.
    pub throughput: Vec<Option<Level>>,
}

/// The drawing.
#[derive(Clone, Copy, Debug)]
pub struct Paired<'a> {
    /// The finding.
    pub title: &'a str,
    /// What it is about.
    pub subtitle: &'a str,
    /// For example `peak RSS`.
    pub objective: &'a str,
    /// Unit of throughput.
    pub unit: &'a str,
    /// Name of the horizontal axis.
    pub axis: &'a str,
    /// From the left.
    pub places: &'a [Place],
    /// At most six.
    pub tracks: &'a [Track],
    /// Whether both scales start at 0 wherever the figures lie.
    pub from_zero: bool,
}

/// Width and height.
pub const SIZE: At = (theme::WIDTH, 500.0);
const NAMES: f64 = 214.0;
const LEFT: f64 = 62.0;
/// Room between the border of a panel and its outermost places.
const AIR: f64 = 34.0;
/// How far lines of different candidates stand apart where they share a place.
const ASIDE: f64 = 3.5;

impl Paired<'_> {
    /// Draws.
    pub fn draw<B: DrawingBackend>(&self, canvas: &mut Canvas<B>) {
        super::heading(canvas, self.title, self.subtitle, SIZE.0);
        let panel = |top: f64, bottom: f64| Panel { left: LEFT, right: SIZE.0 - NAMES, top, bottom };
        let upper = panel(88.0, 250.0);
        let range = self.range(|t| &t.rss);
        let unit = byte_unit(range.1);
        let scale = Scale::linear(range, (upper.bottom, upper.top));
        upper.y_axis(canvas, &scale, unit, &format!("{} ({})", self.objective, unit.name));
        self.panel(canvas, &upper, &scale, |t| &t.rss, words::bytes);

        let lower = panel(292.0, 440.0);
        let range = self.range(|t| &t.throughput);
        let unit = count_unit(range.1);
        let scale = Scale::linear(range, (lower.bottom, lower.top));
        lower.y_axis(canvas, &scale, unit, &format!("throughput ({}{})", unit.name, self.unit));
        self.panel(canvas, &lower, &scale, |t| &t.throughput, |l| words::rate(l, self.unit));
        self.axis(canvas, &lower);
    }

    fn range(&self, pick: impl Fn(&Track) -> &Vec<Option<Level>>) -> (f64, f64) {
        let known = self.tracks.iter().flat_map(|t| pick(t).iter().flatten());
        let ends: Vec<f64> = known.flat_map(|l| [l.low, l.high]).collect();
        if self.from_zero {
            from_zero(ends.iter().copied().fold(0.0, f64::max))
        } else {
            spread(ends.into_iter())
        }
    }

    fn x(&self, panel: &Panel, place: usize, track: usize) -> f64 {
        let aside = (track as f64 - (self.tracks.len() as f64 - 1.0) / 2.0) * ASIDE;
        panel.left + AIR + self.places[place].at * (panel.right - panel.left - 2.0 * AIR) + aside
    }

    fn panel<B: DrawingBackend>(
        &self,
        canvas: &mut Canvas<B>,
        panel: &Panel,
        scale: &Scale,
        pick: impl Fn(&Track) -> &Vec<Option<Level>>,
        says: impl Fn(&Level) -> String,
    ) {
        panel.base_line(canvas);
        for (index, track) in self.tracks.iter().enumerate().rev() {
            let figures = pick(track);
            self.lines(canvas, track, |place| {
                Some((self.x(panel, place, index), scale.at(figures[place]?.estimate)))
            });
            for (place, level) in figures.iter().enumerate().filter_map(|(i, l)| Some((i, (*l)?))) {
                let x = self.x(panel, place, index);
                let at = (x, scale.at(level.estimate));
                canvas.interval((x, scale.at(level.low)), (x, scale.at(level.high)), track.colour(), 1.2);
                canvas.mark(at, Family::of(&track.name).shape(), 3.6, track.colour());
                let says =
                    format!("{}, {}: {}", track.name, self.places[place].name.join(", "), says(&level));
                canvas.spot(at, 9.0, says);
            }
        }
        self.names(canvas, panel, scale, pick);
    }

    /// Joins the places that can be compared, where both have a figure.
    fn lines<B: DrawingBackend>(
        &self,
        canvas: &mut Canvas<B>,
        track: &Track,
        at: impl Fn(usize) -> Option<At>,
    ) {
        let width = if track.strong { 2.0 } else { 1.2 };
        for place in 1..self.places.len() {
            if let (true, Some(from), Some(to)) = (self.places[place].joined, at(place - 1), at(place)) {
                canvas.line(&[from, to], track.colour(), width);
            }
        }
    }

    fn names<B: DrawingBackend>(
        &self,
        canvas: &mut Canvas<B>,
        panel: &Panel,
        scale: &Scale,
        pick: impl Fn(&Track) -> &Vec<Option<Level>>,
    ) {
        let last = |track: &Track| pick(track).iter().enumerate().rev().find_map(|(i, l)| Some((i, (*l)?)));
        let named: Vec<(usize, &Track, usize, f64)> = self
            .tracks
            .iter()
            .enumerate()
            .filter_map(|(i, t)| last(t).map(|(place, level)| (i, t, place, scale.at(level.estimate))))
            .collect();
        let ends: Vec<f64> = named.iter().map(|(.., y)| *y).collect();
        let places = spread_out(&ends, 15.0, (panel.top, panel.bottom));
        let labels: Vec<&str> = named.iter().map(|(_, track, ..)| track.name.as_str()).collect();
        let bold = Lettering::new(theme::SMALL, theme::INK).bold();
        let labels = super::distinct(&labels, bold, NAMES - 28.0);
        for (((index, track, place, y), to), name) in named.iter().zip(places).zip(&labels) {
            let look = Lettering { bold: track.strong, ..Lettering::new(theme::SMALL, theme::INK) };
            let from = self.x(panel, *place, *index) + 7.0;
            let path = [(from, *y), (panel.right, *y), (panel.right + 14.0, to)];
            canvas.line(&path, track.colour().mix(0.4), 0.8);
            canvas.text((panel.right + 18.0, to + 4.0), name, look);
        }
    }

    fn axis<B: DrawingBackend>(&self, canvas: &mut Canvas<B>, panel: &Panel) {
        let look = Lettering::new(theme::SMALL, theme::MUTED).align(Align::Middle);
        let middle = (self.tracks.len() as f64 - 1.0) / 2.0 * ASIDE;
        let mut free_from = f64::NEG_INFINITY;
        for (index, place) in self.places.iter().enumerate() {
            let x = self.x(panel, index, 0) + middle;
            let half = place.name.iter().map(|line| look.width(line)).fold(0.0, f64::max) / 2.0;
            // Where names would touch, some go without; the places themselves answer when pointed at.
            if x - half < free_from {
                continue;
            }
            free_from = x + half + 8.0;
            for (line, text) in place.name.iter().enumerate() {
                canvas.text((x, panel.bottom + 17.0 + 14.0 * line as f64), text, look);
            }
        }
        let lines = self.places.iter().map(|p| p.name.len()).max().unwrap_or(1);
        let look = Lettering::new(theme::SMALL, theme::MUTED).align(Align::End);
        canvas.text((panel.right, panel.bottom + 21.0 + 14.0 * lines as f64), self.axis, look);
    }
}

impl Track {
    fn colour(&self) -> RGBAColor {
        match (self.baseline, self.strong) {
            (true, _) => theme::INK.to_rgba(),
            (false, true) => Family::of(&self.name).colour().to_rgba(),
            (false, false) => Family::of(&self.name).colour().mix(0.7),
        }
    }
}
