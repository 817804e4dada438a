//! How much of each arena is in use: a cell an arena, the fuller the darker, the largest first.

use plotters::prelude::*;

use super::canvas::{Align, At, Canvas, Lettering};
use super::theme::{self, Family};
use crate::units;

/// The most cells.
pub const MOST: usize = 256;
/// With more cells than this they are small, and only answer when they are pointed at.
const MOST_NAMED: usize = 64;

/// One arena.
#[derive(Clone, Debug)]
pub struct Cell {
    /// What it is called.
    pub name: String,
    /// Bytes from the system.
    pub system: u64,
    /// In use, bytes.
    pub in_use: u64,
    /// Resident bytes, where they are known.
    pub resident: Option<u64>,
}

impl Cell {
    fn share(&self) -> f64 {
        if self.system == 0 { 0.0 } else { (self.in_use as f64 / self.system as f64).min(1.0) }
    }
}

/// The drawing.
#[derive(Clone, Debug)]
pub struct Occupancy {
    /// The finding.
    pub title: String,
    /// Which process; how many arenas are not drawn.
    pub subtitle: String,
    /// At most [`MOST`], the largest first.
    pub cells: Vec<Cell>,
}

const TOP: f64 = 92.0;
const LEFT: f64 = 16.0;
/// The lightest shade still stands out from the ground.
const LIGHTEST: f64 = 0.08;

impl Occupancy {
    /// Cells in a row, and the height of a row.
    fn grid(&self) -> (usize, f64) {
        if self.cells.len() <= MOST_NAMED { (8, 58.0) } else { (32, 24.0) }
    }

    fn is_named(&self) -> bool {
        self.cells.len() <= MOST_NAMED
    }

    /// Width and height.
    pub fn size(&self) -> At {
        let (columns, row) = self.grid();
        (theme::WIDTH, TOP + row * self.cells.len().div_ceil(columns) as f64 + 12.0)
    }

    /// Draws.
    pub fn draw<B: DrawingBackend>(&self, canvas: &mut Canvas<B>) {
        super::heading(canvas, &self.title, &self.subtitle, theme::WIDTH);
        Self::key(canvas);
        let (columns, height) = self.grid();
        let width = (theme::WIDTH - 2.0 * LEFT) / columns as f64;
        for (number, cell) in self.cells.iter().enumerate() {
            let (column, row) = (number % columns, number / columns);
            let at = (LEFT + column as f64 * width, TOP + row as f64 * height);
            self.cell(canvas, cell, at, (width - 6.0, height));
        }
    }

    fn cell<B: DrawingBackend>(
        &self,
        canvas: &mut Canvas<B>,
        cell: &Cell,
        (x, y): At,
        (width, height): (f64, f64),
    ) {
        let share = cell.share();
        let bottom = y + if self.is_named() { 22.0 } else { height - 6.0 };
        canvas.rect((x, y), (x + width, bottom), shade(share));
        canvas.line(&[(x, y), (x + width, y), (x + width, bottom), (x, bottom), (x, y)], theme::MUTED, 0.7);
        let bytes = |bytes: u64| units::format_bytes(bytes as f64);
        if self.is_named() {
            let look = Lettering::new(11.0, theme::INK);
            let name = super::fitted(&format!("{} {:.0} %", cell.name, share * 100.0), look, width);
            canvas.text((x, bottom + 13.0), &name, look);
            canvas.text((x, bottom + 26.0), &bytes(cell.system), Lettering::new(11.0, theme::MUTED));
        }
        let resident = cell
            .resident
            .map_or_else(|| "resident unknown".to_owned(), |size| format!("{} resident", bytes(size)));
        let says = format!(
            "{}: {} from the system, {} ({:.0} %) in use, {resident}",
            cell.name,
            bytes(cell.system),
            bytes(cell.in_use),
            share * 100.0
        );
        canvas.spot((x + width / 2.0, f64::midpoint(y, bottom)), 9.0, says);
    }

    fn key<B: DrawingBackend>(canvas: &mut Canvas<B>) {
        let look = Lettering::new(theme::SMALL, theme::MUTED);
        canvas.text((LEFT, TOP - 16.0), "in use, of what it has from the system:", look);
        let mut x = LEFT + look.width("in use, of what it has from the system:") + 16.0;
        for share in [0.0, 0.25, 0.5, 0.75, 1.0] {
            canvas.rect((x, TOP - 27.0), (x + 22.0, TOP - 13.0), shade(share));
            let look = look.align(Align::Start);
            let word = format!("{:.0} %", share * 100.0);
            canvas.text((x + 27.0, TOP - 16.0), &word, look);
            x += 27.0 + look.width(&word) + 14.0;
        }
    }
}

fn shade(share: f64) -> RGBAColor {
    Family::Glibc.colour().mix(LIGHTEST + (1.0 - LIGHTEST) * share)
}
