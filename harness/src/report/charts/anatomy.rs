//! Where the memory is: a bar a candidate, from zero: live bytes, the engine's own, and the rest, most of
//! which the allocator keeps; of a program of the user's what is in use by malloc's account, what is not malloc's, and what
//! is free. What the allocator says of itself stands beside it in words, as it need not be resident.

use plotters::prelude::*;

use super::axis::{Panel, Scale, byte_unit, from_zero};
use super::canvas::{Align, At, Canvas, Lettering};
use super::theme::{self, Family, Shape};
use crate::report::profile::Spread;
use crate::units;

/// One candidate. Bytes at the end of the steady phase.
#[derive(Clone, Debug)]
pub struct Bar {
    /// Canonical candidate.
    pub name: String,
    /// Baseline or choice.
    pub strong: bool,
    /// Resident.
    pub rss: Spread,
    /// Live; of a program what is in use.
    pub live: f64,
    /// Of the workload engine; of a program what is not malloc's.
    pub other: f64,
    /// Free inside the allocator, by its own account; need not be resident.
    pub free: Option<f64>,
    /// The allocator's bookkeeping, by its own account.
    pub metadata: Option<f64>,
    /// Given back with `MADV_FREE` but still counted, after the drain.
    pub lazy: Option<f64>,
}

/// What a drawing is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Of {
    /// A workload of our own, which counts its live bytes.
    Workload,
    /// A program of the user's, read from outside.
    Program,
}

impl Of {
    /// What the allocator keeps.
    pub const fn kept(self) -> &'static str {
        match self {
            Self::Workload => "Beyond live data",
            Self::Program => "Free in malloc, but resident",
        }
    }

    /// The three parts of a bar.
    const fn parts(self) -> [&'static str; 3] {
        match self {
            Self::Workload => ["live bytes", "engine's own", "the rest: allocator, code, stacks"],
            Self::Program => ["in use", "files, stacks, other", "free in malloc, but resident"],
        }
    }

    const fn axis(self) -> &'static str {
        match self {
            Self::Workload => "RSS at the end of the work",
            Self::Program => "RSS at the end of the work, or at the last look before it",
        }
    }

    /// The three parts in a sentence.
    const fn said(self) -> [&'static str; 3] {
        match self {
            Self::Workload => ["live", "engine", "the rest"],
            Self::Program => ["in use", "files, stacks and other memory", "free"],
        }
    }
}

/// The drawing.
#[derive(Clone, Debug)]
pub struct Anatomy {
    /// The finding.
    pub title: String,
    /// Scenario.
    pub subtitle: String,
    /// What it is of.
    pub of: Of,
    /// From the top.
    pub bars: Vec<Bar>,
}

const TOP: f64 = 86.0;
const ROW: f64 = 44.0;
const NAMES: f64 = 206.0;

impl Anatomy {
    /// Width and height.
    pub fn size(&self) -> At {
        (theme::WIDTH, TOP + ROW * self.bars.len() as f64 + 50.0)
    }

    /// Draws.
    pub fn draw<B: DrawingBackend>(&self, canvas: &mut Canvas<B>) {
        super::heading(canvas, &self.title, &self.subtitle, theme::WIDTH);
        let bottom = TOP + ROW * self.bars.len() as f64;
        let panel = Panel { left: NAMES, right: theme::WIDTH - 24.0, top: TOP, bottom };
        let most = self.bars.iter().map(|b| b.rss.high).fold(0.0, f64::max);
        let (scale, unit) = (Scale::linear(from_zero(most), (panel.left, panel.right)), byte_unit(most));
        panel.x_axis(canvas, &scale, unit, &format!("{} ({})", self.of.axis(), unit.name));
        self.key(canvas);
        let names: Vec<&str> = self.bars.iter().map(|bar| bar.name.as_str()).collect();
        let bold = Lettering::new(theme::SMALL, theme::INK).bold();
        let names = super::distinct(&names, bold, NAMES - 20.0);
        for (index, (bar, name)) in self.bars.iter().zip(&names).enumerate() {
            self.bar(canvas, (bar, name), &scale, TOP + ROW * index as f64);
        }
    }

    fn key<B: DrawingBackend>(&self, canvas: &mut Canvas<B>) {
        let family = self.bars.first().map_or(Family::Glibc, |b| Family::of(&b.name)).colour();
        let look = Lettering::new(theme::SMALL, theme::MUTED);
        let mut x = 16.0;
        let colours = [family.mix(1.0), theme::MUTED.mix(0.5), family.mix(0.35)];
        let parts = self.of.parts().into_iter().zip(colours);
        let account = self.bars.iter().any(|bar| bar.free.is_some() || bar.metadata.is_some());
        for (word, colour) in parts {
            canvas.mark((x + 5.0, TOP - 16.0), Shape::Square, 6.0, colour);
            canvas.text((x + 16.0, TOP - 12.0), word, look);
            x += look.width(word) + 30.0;
        }
        if account {
            canvas.rect((x, TOP - 18.0), (x + 14.0, TOP - 14.0), family.mix(0.7));
            canvas.text((x + 20.0, TOP - 12.0), "free, by the allocator's own account", look);
        }
    }

    fn bar<B: DrawingBackend>(
        &self,
        canvas: &mut Canvas<B>,
        (bar, name): (&Bar, &str),
        scale: &Scale,
        top: f64,
    ) {
        let colour = Family::of(&bar.name).colour();
        let (zero, live) = (scale.at(0.0), scale.at(bar.live.min(bar.rss.median)));
        let engine = scale.at((bar.live + bar.other).min(bar.rss.median));
        let (end, bottom) = (scale.at(bar.rss.median), top + 20.0);
        canvas.rect((zero, top + 4.0), (live, bottom), colour);
        canvas.rect((live, top + 4.0), (engine, bottom), theme::MUTED.mix(0.5));
        canvas.rect((engine, top + 4.0), (end, bottom), colour.mix(0.35));
        let middle = top + 12.0;
        canvas.interval((scale.at(bar.rss.low), middle), (scale.at(bar.rss.high), middle), theme::INK, 1.2);
        let look = Lettering { bold: bar.strong, ..Lettering::new(theme::SMALL, theme::INK) };
        canvas.text((NAMES - 10.0, top + 16.0), name, look.align(Align::End));
        let kept = (bar.rss.median - bar.live - bar.other).max(0.0);
        // What the allocator calls free need not be resident: a thin bar of its own, not a part of the RSS.
        if let Some(free) = bar.free {
            canvas.rect(
                (engine, top + 20.0),
                (scale.at(bar.live + bar.other + free), top + 24.0),
                colour.mix(0.7),
            );
        }
        let words = bar.words(self.of, kept);
        let look = Lettering::new(11.0, theme::MUTED);
        canvas.rect((zero + 1.0, top + 25.0), (zero + 5.0 + look.width(&words), top + 39.0), theme::SURFACE);
        canvas.text((zero + 2.0, top + 36.0), &words, look);
        let [live, other, rest] = self.of.said();
        let says = format!(
            "{}: RSS {} (quartiles {}…{}), {live} {}, {other} {}, {rest} {}",
            bar.name,
            units::format_bytes(bar.rss.median),
            units::format_bytes(bar.rss.low),
            units::format_bytes(bar.rss.high),
            units::format_bytes(bar.live),
            units::format_bytes(bar.other),
            units::format_bytes(kept)
        );
        canvas.spot((end, middle), 9.0, says);
    }
}

impl Bar {
    /// What stands below the bar.
    fn words(&self, of: Of, kept: f64) -> String {
        let part = |bytes: Option<f64>, word: &str| {
            bytes.map(|bytes| format!("{} {word}", units::format_bytes(bytes)))
        };
        let account: Vec<String> =
            [part(self.free, "free"), part(self.metadata, "metadata")].into_iter().flatten().collect();
        let mut words = match of {
            Of::Workload => format!("{} beyond live data", units::format_bytes(kept)),
            Of::Program => format!(
                "{} free in malloc, but resident; {} not malloc's",
                units::format_bytes(kept),
                units::format_bytes(self.other)
            ),
        };
        if !account.is_empty() {
            words = format!("{words}; by the allocator's own account {}", account.join(", "));
        }
        if let Some(lazy) = self.lazy.filter(|bytes| *bytes > 0.0) {
            words = format!("{words}; after the drain {} lazily freed", units::format_bytes(lazy));
        }
        words
    }
}
