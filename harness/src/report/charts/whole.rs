//! Where a process's resident memory is: one bar, from zero, in parts that add up to all of it, each with its name and its
//! bytes below.

use plotters::prelude::*;

use super::axis::{Panel, Scale, byte_unit};
use super::canvas::{Align, At, Canvas, Lettering};
use super::theme::{self, Family, Shape};
use crate::units;

/// What a part is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// In use in arenas.
    InUse,
    /// Blocks with a mapping of their own.
    Blocks,
    /// Free in arenas.
    Free,
    /// Stacks.
    Stacks,
    /// Memory without a file that is not malloc's.
    Other,
    /// Files.
    Files,
    /// Shared memory.
    Shared,
}

impl Part {
    fn colour(self) -> RGBAColor {
        match self {
            Self::InUse => Family::Glibc.colour().to_rgba(),
            Self::Blocks => Family::Glibc.colour().mix(0.6),
            Self::Free => Family::Jemalloc.colour().to_rgba(),
            Self::Stacks => Family::Tcmalloc.colour().to_rgba(),
            Self::Other => Family::Other.colour().mix(0.8),
            Self::Files => theme::MUTED.mix(0.7),
            Self::Shared => theme::MUTED.mix(0.35),
        }
    }
}

/// The drawing.
#[derive(Clone, Debug)]
pub struct Whole {
    /// The finding.
    pub title: String,
    /// Which process.
    pub subtitle: String,
    /// The parts from the left: what, its name, its bytes.
    pub parts: Vec<(Part, String, u64)>,
}

const TOP: f64 = 70.0;
const BAR: f64 = 40.0;
const LEFT: f64 = 20.0;
/// From the bar to the first line of the key, and from line to line.
const KEY: f64 = 66.0;
const LINE: f64 = 22.0;

impl Whole {
    /// Width and height.
    pub fn size(&self) -> At {
        (theme::WIDTH, TOP + BAR + KEY + LINE * self.parts.len().div_ceil(2) as f64 + 6.0)
    }

    /// Draws.
    pub fn draw<B: DrawingBackend>(&self, canvas: &mut Canvas<B>) {
        super::heading(canvas, &self.title, &self.subtitle, theme::WIDTH);
        let all = self.parts.iter().fold(0_u64, |sum, (_, _, bytes)| sum.saturating_add(*bytes)) as f64;
        let panel = Panel { left: LEFT, right: theme::WIDTH - 24.0, top: TOP, bottom: TOP + BAR };
        let (scale, unit) = (Scale::linear((0.0, all), (panel.left, panel.right)), byte_unit(all));
        panel.x_axis(canvas, &scale, unit, &format!("resident memory ({})", unit.name));
        let mut from = 0.0;
        for (number, (part, name, bytes)) in self.parts.iter().enumerate() {
            let to = from + *bytes as f64;
            let (left, right) = (scale.at(from), scale.at(to));
            canvas.rect((left, TOP), (right, TOP + BAR), part.colour());
            // A gap tells neighbours apart whose colours are alike.
            if right - left > 3.0 {
                canvas.rect((right - 1.0, TOP), (right, TOP + BAR), theme::SURFACE);
            }
            let share = if all > 0.0 { *bytes as f64 / all * 100.0 } else { 0.0 };
            let size = units::format_bytes(*bytes as f64);
            let says = format!("{name}: {size}, {share:.1} %");
            canvas.spot((f64::midpoint(left, right), TOP + BAR / 2.0), 9.0, says);
            Self::key(canvas, number, (*part, name), &format!("{size}, {share:.1} %"));
            from = to;
        }
    }

    fn key<B: DrawingBackend>(
        canvas: &mut Canvas<B>,
        number: usize,
        (part, name): (Part, &str),
        figure: &str,
    ) {
        let width = (theme::WIDTH - LEFT - 24.0) / 2.0;
        let left = LEFT + (number % 2) as f64 * width;
        let y = TOP + BAR + KEY + (number / 2) as f64 * LINE;
        let look = Lettering::new(theme::SMALL, theme::INK);
        canvas.mark((left + 6.0, y - 4.0), Shape::Square, 6.0, part.colour());
        let room = width - 40.0 - look.width(figure);
        canvas.text((left + 20.0, y), &super::fitted(name, look, room), look);
        let muted = Lettering::new(theme::SMALL, theme::MUTED).align(Align::End);
        canvas.text((left + width - 14.0, y), figure, muted);
    }
}
