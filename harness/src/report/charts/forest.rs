//! Before and after: a row a candidate (or a scenario), its ratios to the baseline with intervals on a
//! logarithmic scale, and the verdict in a word.

use plotters::prelude::*;

use super::axis::Scale;
use super::canvas::{Align, At, Canvas, Lettering};
use super::theme::{self, Family};
use crate::format::decision::{Comparison, Ratio};
use crate::report::words;

/// One ratio of a row.
#[derive(Clone, Copy, Debug)]
pub struct Estimate {
    /// The ratio.
    pub ratio: Ratio,
    /// What it means; `None` for the twin, of which nothing is said.
    pub verdict: Option<Comparison>,
}

/// One row.
#[derive(Clone, Debug)]
pub struct Row {
    /// What it is about.
    pub label: String,
    /// Whose colour it has.
    pub candidate: String,
    /// Drawn bold.
    pub chosen: bool,
    /// RSS over the baseline's.
    pub rss: Option<Estimate>,
    /// Throughput over the baseline's.
    pub throughput: Option<Estimate>,
}

/// The drawing.
#[derive(Clone, Debug)]
pub struct Forest {
    /// The finding.
    pub title: String,
    /// Scenario.
    pub subtitle: String,
    /// For example `peak RSS`.
    pub objective: &'static str,
    /// What the ratios are over: `the baseline`, `before`.
    pub against: &'static str,
    /// Rows from the top.
    pub rows: Vec<Row>,
    /// Least ratio of throughput that the constraints allow.
    pub floor: Option<f64>,
}

const WIDTH: f64 = theme::WIDTH;
const TOP: f64 = 92.0;
const ROW: f64 = 22.0;
/// Least and most room for the labels; the columns take the rest.
const NAMES: At = (150.0, 320.0);
const WORD: f64 = 136.0;
/// Ratios that make readable ticks.
const TICKS: [f64; 17] =
    [0.05, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.9, 0.95, 1.0, 1.05, 1.1, 1.25, 1.5, 2.0, 4.0, 10.0];

impl Forest {
    /// Width and height.
    pub fn size(&self) -> At {
        (WIDTH, TOP + ROW * self.rows.len() as f64 + 34.0)
    }

    /// Draws.
    pub fn draw<B: DrawingBackend>(&self, canvas: &mut Canvas<B>) {
        super::heading(canvas, &self.title, &self.subtitle, WIDTH);
        let names = self.names();
        let middle = f64::midpoint(names, WIDTH);
        let rss = format!("{} against {}", self.objective, self.against);
        let throughput = format!("throughput against {}", self.against);
        self.column(canvas, (names, middle - 10.0), &rss, None, |row| row.rss);
        let floor = self.floor;
        self.column(canvas, (middle + 6.0, WIDTH - 4.0), &throughput, floor, |row| row.throughput);
        let labels: Vec<&str> = self.rows.iter().map(|row| row.label.as_str()).collect();
        let bold = Lettering::new(theme::SMALL, theme::INK).bold();
        let labels = super::distinct(&labels, bold, names - 20.0);
        for (index, (row, label)) in self.rows.iter().zip(&labels).enumerate() {
            let look = Self::look(row);
            canvas.text((names - 12.0, Self::row_at(index) + 4.0), label, look.align(Align::End));
        }
    }

    fn look(row: &Row) -> Lettering {
        Lettering { bold: row.chosen, ..Lettering::new(theme::SMALL, theme::INK) }
    }

    /// The room that the longest label takes.
    fn names(&self) -> f64 {
        let bold = Lettering::new(theme::SMALL, theme::INK).bold();
        let widths = self.rows.iter().map(|row| bold.width(&words::clean(&row.label)));
        (widths.fold(0.0, f64::max) + 22.0).clamp(NAMES.0, NAMES.1)
    }

    fn row_at(index: usize) -> f64 {
        TOP + ROW * (index as f64 + 0.5)
    }

    fn column<B: DrawingBackend>(
        &self,
        canvas: &mut Canvas<B>,
        (left, right): At,
        name: &str,
        floor: Option<f64>,
        pick: impl Fn(&Row) -> Option<Estimate>,
    ) {
        let estimates: Vec<Option<Estimate>> = self.rows.iter().map(pick).collect();
        let ratios = estimates.iter().flatten().flat_map(|e| [e.ratio.low, e.ratio.high]).chain(floor);
        let scale = Scale::logarithmic(range(ratios), (left, right - WORD));
        canvas.text((left, TOP - 22.0), name, Lettering::new(theme::SMALL, theme::MUTED));
        self.grid(canvas, &scale, floor, left);
        for (index, estimate) in estimates.iter().enumerate() {
            let y = Self::row_at(index);
            if let Some(estimate) = estimate {
                self.estimate(canvas, &scale, index, estimate, right - WORD + 14.0);
            } else {
                let look = Lettering::new(theme::SMALL, theme::MUTED);
                canvas.text((right - WORD + 14.0, y + 4.0), "no figure", look);
            }
        }
    }

    fn grid<B: DrawingBackend>(&self, canvas: &mut Canvas<B>, scale: &Scale, floor: Option<f64>, left: f64) {
        let bottom = TOP + ROW * self.rows.len() as f64 + 4.0;
        if let Some(floor) = floor {
            canvas.rect((left, TOP - 6.0), (scale.at(floor), bottom), theme::FORBIDDEN);
        }
        let look = Lettering::new(theme::SMALL, theme::MUTED).align(Align::Middle);
        let mut free_from = f64::NEG_INFINITY;
        let one = scale.at(1.0);
        for tick in TICKS.into_iter().filter(|t| scale.holds(*t)) {
            let x = scale.at(tick);
            let is_one = (tick - 1.0).abs() < 1e-9;
            let label = if is_one { "0 %".to_owned() } else { whole_change(tick) };
            let half = look.width(&label) / 2.0 + 3.0;
            let crowds_one = !is_one && (x - one).abs() < half + 12.0;
            if x - half < free_from || crowds_one {
                continue;
            }
            free_from = x + half;
            canvas.line(&[(x, TOP - 6.0), (x, bottom)], theme::GRID, 0.7);
            canvas.text((x, bottom + 15.0), &label, look);
        }
        canvas.line(&[(one, TOP - 6.0), (one, bottom)], theme::INK, 1.0);
    }

    fn estimate<B: DrawingBackend>(
        &self,
        canvas: &mut Canvas<B>,
        scale: &Scale,
        index: usize,
        estimate: &Estimate,
        word_at: f64,
    ) {
        let (row, y, ratio) = (&self.rows[index], Self::row_at(index), &estimate.ratio);
        let family = Family::of(&row.candidate);
        let colour = if estimate.verdict.is_some() { family.colour() } else { theme::INK };
        canvas.interval((scale.at(ratio.low), y), (scale.at(ratio.high), y), colour, 1.4);
        let at = (scale.at(ratio.estimate), y);
        canvas.mark(at, family.shape(), 3.6, colour);
        canvas.spot(at, 9.0, format!("{}: {}", row.label, words::ratio(ratio)));
        let (word, colour) = match estimate.verdict {
            Some(verdict) => (words::comparison(verdict), verdict_colour(verdict)),
            None => ("twin", theme::MUTED),
        };
        let look = Lettering { bold: row.chosen, ..Lettering::new(theme::SMALL, colour) };
        canvas.text((word_at + 50.0, y + 4.0), &words::change(ratio.estimate), look.align(Align::End));
        canvas.text((word_at + 57.0, y + 4.0), word, look);
    }
}

fn verdict_colour(verdict: Comparison) -> RGBColor {
    match verdict {
        Comparison::Better => theme::GOOD,
        Comparison::Worse => theme::BAD,
        Comparison::Equivalent => theme::INK,
        Comparison::Undecided => theme::MUTED,
    }
}

/// A change in whole percent, for ticks.
fn whole_change(ratio: f64) -> String {
    format!("{:+.0} %", (ratio - 1.0) * 100.0).replace('-', "−")
}

/// A range around 1 that holds all ratios, at most 1:30 each way.
fn range(ratios: impl Iterator<Item = f64>) -> (f64, f64) {
    let sound = ratios.filter(|r| r.is_finite() && *r > 0.0);
    let far = sound.fold((0.93f64, 1.07f64), |(low, high), r| (low.min(r), high.max(r)));
    ((far.0 * 0.97).max(1.0 / 30.0), (far.1 * 1.03).min(30.0))
}
