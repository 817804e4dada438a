//! RSS and throughput against `arena_max`: a column a thread count, "unset" a place of its own at the
//! right, and other allocators as they come beyond it.

use plotters::prelude::*;

use super::axis::{Panel, Scale, byte_unit, count_unit, from_zero};
use super::canvas::{Align, At, Canvas, Lettering};
use super::theme::{self, Family};
use crate::format::decision::Level;
use crate::report::words;

/// One place on the axis.
#[derive(Clone, Debug)]
pub struct Rung {
    /// The limit, `unset`, or an allocator's name.
    pub place: String,
    /// Canonical candidate.
    pub name: String,
    /// Bytes.
    pub rss: Option<Level>,
    /// Work per second.
    pub throughput: Option<Level>,
    /// Whether it is the choice.
    pub chosen: bool,
    /// Whether it is a rung of the ladder, joined by the line; else it stands apart.
    pub joined: bool,
}

/// One thread count.
#[derive(Clone, Debug)]
pub struct Column {
    /// Threads.
    pub threads: u32,
    /// From the left.
    pub rungs: Vec<Rung>,
}

/// The drawing.
#[derive(Clone, Debug)]
pub struct Ladder {
    /// The finding.
    pub title: String,
    /// Workload.
    pub subtitle: String,
    /// For example `peak RSS`.
    pub objective: &'static str,
    /// Unit of throughput.
    pub unit: String,
    /// In rising order of threads.
    pub columns: Vec<Column>,
}

const WIDTH: f64 = theme::WIDTH;
const ROW_HEIGHT: f64 = 418.0;
const TOP: f64 = 64.0;

impl Ladder {
    fn per_row(&self) -> usize {
        let most = self.columns.iter().map(|c| c.rungs.len()).max().unwrap_or(1);
        let fit = (WIDTH / (70.0 + 26.0 * most as f64)).floor() as usize;
        fit.clamp(1, 4).min(self.columns.len().max(1))
    }

    /// Width and height.
    pub fn size(&self) -> At {
        let rows = self.columns.len().div_ceil(self.per_row()).max(1);
        (WIDTH, TOP + ROW_HEIGHT * rows as f64)
    }

    /// Draws.
    pub fn draw<B: DrawingBackend>(&self, canvas: &mut Canvas<B>) {
        super::heading(canvas, &self.title, &self.subtitle, WIDTH);
        let per_row = self.per_row();
        let width = WIDTH / per_row as f64;
        for (index, column) in self.columns.iter().enumerate() {
            let left = width * (index % per_row) as f64;
            let top = TOP + ROW_HEIGHT * (index / per_row) as f64;
            self.column(canvas, column, (left + 56.0, left + width - 12.0), top);
        }
    }

    fn column<B: DrawingBackend>(
        &self,
        canvas: &mut Canvas<B>,
        column: &Column,
        (left, right): At,
        top: f64,
    ) {
        let look = Lettering::new(theme::NORMAL, theme::INK).bold();
        canvas.text((left - 44.0, top + 14.0), &words::threads(column.threads), look);
        let upper = Panel { left, right, top: top + 46.0, bottom: top + 190.0 };
        let most = most(column, |r| r.rss);
        let unit = byte_unit(most);
        let scale = Scale::linear(from_zero(most), (upper.bottom, upper.top));
        upper.y_axis(canvas, &scale, unit, &format!("{} ({})", self.objective, unit.name));
        Self::values(canvas, column, &upper, &scale, |r| r.rss, words::bytes);

        let lower = Panel { left, right, top: top + 226.0, bottom: top + 350.0 };
        let most = self::most(column, |r| r.throughput);
        let unit = count_unit(most);
        let scale = Scale::linear(from_zero(most), (lower.bottom, lower.top));
        lower.y_axis(canvas, &scale, unit, &format!("{}{}", unit.name, self.unit));
        Self::values(canvas, column, &lower, &scale, |r| r.throughput, |l| words::rate(l, &self.unit));
        Self::places(canvas, column, &lower);
    }

    fn values<B: DrawingBackend>(
        canvas: &mut Canvas<B>,
        column: &Column,
        panel: &Panel,
        scale: &Scale,
        pick: impl Fn(&Rung) -> Option<Level>,
        says: impl Fn(&Level) -> String,
    ) {
        panel.base_line(canvas);
        let glibc = Family::Glibc.colour();
        let joined: Vec<At> = column
            .rungs
            .iter()
            .enumerate()
            .filter(|(_, rung)| rung.joined)
            .filter_map(|(i, rung)| Some((place(panel, column, i), scale.at(pick(rung)?.estimate))))
            .collect();
        canvas.line(&joined, glibc.mix(0.5), 1.5);
        for (index, rung) in column.rungs.iter().enumerate() {
            let x = place(panel, column, index);
            let Some(level) = pick(rung) else {
                let look = Lettering::new(theme::SMALL, theme::MUTED).align(Align::Middle);
                canvas.text((x, panel.bottom - 6.0), "–", look);
                continue;
            };
            let family = Family::of(&rung.name);
            let at = (x, scale.at(level.estimate));
            canvas.interval((x, scale.at(level.low)), (x, scale.at(level.high)), family.colour(), 1.4);
            if rung.chosen {
                canvas.ring(at, 9.0, theme::INK, 2.0);
            }
            canvas.mark(at, family.shape(), 3.6, family.colour());
            canvas.spot(at, 10.0, format!("{}: {}", rung.name, says(&level)));
        }
    }

    fn places<B: DrawingBackend>(canvas: &mut Canvas<B>, column: &Column, panel: &Panel) {
        let mut taken = f64::NEG_INFINITY;
        for (index, rung) in column.rungs.iter().enumerate() {
            let colour = if rung.chosen { theme::INK } else { theme::MUTED };
            let look = Lettering { bold: rung.chosen, ..Lettering::new(theme::SMALL, colour) };
            // Names are longer than limits: where they would touch, every second one goes a line down.
            let half = look.width(&rung.place) / 2.0;
            let x = place(panel, column, index).min(WIDTH - half - 4.0);
            let lower = x - half < taken + 4.0;
            if !lower {
                taken = x + half;
            }
            let drop = if lower { 30.0 } else { 16.0 };
            canvas.text((x, panel.bottom + drop), &rung.place, look.align(Align::Middle));
        }
        let look = Lettering::new(theme::SMALL, theme::MUTED);
        canvas.text((panel.left - 44.0, panel.bottom + 44.0), "MALLOC_ARENA_MAX", look);
    }
}

fn most(column: &Column, pick: impl Fn(&Rung) -> Option<Level>) -> f64 {
    column.rungs.iter().filter_map(pick).map(|l| l.high).fold(0.0, f64::max)
}

fn place(panel: &Panel, column: &Column, index: usize) -> f64 {
    let gap = |count: usize| 0.5 * count as f64;
    let apart = column.rungs.iter().filter(|r| !r.joined).count().min(1);
    let step = (panel.right - panel.left) / (column.rungs.len() as f64 + gap(apart)).max(1.0);
    let own_gap = if column.rungs[index].joined { 0.0 } else { gap(apart) };
    panel.left + step * (index as f64 + 0.5 + own_gap)
}
