//! The drawings: data in, picture out. One module a chart, one [`theme`]; each is drawn by one function on
//! any backend of plotters, so that SVG and PNG are the same picture.

pub mod anatomy;
pub mod axis;
pub mod canvas;
pub mod forest;
pub mod frontier;
pub mod growth;
pub mod history;
pub mod labels;
pub mod ladder;
pub mod latency;
pub mod occupancy;
pub mod paired;
pub mod svg;
pub mod theme;
pub mod timeline;
pub mod watched;
pub mod whole;

use std::path::Path;

use plotters::prelude::{BitMapBackend, DrawingBackend, SVGBackend};

use canvas::{At, Canvas, Lettering};
use theme::SCALE;

use super::words;

/// One drawing of any kind.
#[derive(Clone, Debug)]
pub enum Drawing<'a> {
    /// RSS against throughput.
    Frontier(frontier::Frontier),
    /// RSS and throughput against `arena_max`.
    Ladder(ladder::Ladder),
    /// RSS and live bytes over time.
    Timeline(timeline::Timeline<'a>),
    /// Ratios to the baseline.
    Forest(forest::Forest),
    /// Where the memory is.
    Anatomy(anatomy::Anatomy),
    /// Quantiles of latency.
    Latency(latency::Latency),
    /// RSS and throughput against threads.
    Growth(growth::Growth),
    /// RSS and throughput over campaigns.
    History(history::History),
    /// Where a process's resident memory is.
    Whole(whole::Whole),
    /// How much of each arena of a process is in use.
    Occupancy(occupancy::Occupancy),
    /// Memory of a process over time.
    Watched(watched::Watched),
}

impl Drawing<'_> {
    /// Width and height in logical pixels.
    pub fn size(&self) -> At {
        match self {
            Self::Frontier(_) => frontier::SIZE,
            Self::Ladder(chart) => chart.size(),
            Self::Timeline(_) => timeline::SIZE,
            Self::Forest(chart) => chart.size(),
            Self::Anatomy(chart) => chart.size(),
            Self::Latency(_) => latency::SIZE,
            Self::Growth(_) => growth::SIZE,
            Self::History(_) => history::SIZE,
            Self::Whole(chart) => chart.size(),
            Self::Occupancy(chart) => chart.size(),
            Self::Watched(_) => watched::SIZE,
        }
    }

    /// The finding and what it is about.
    pub fn heading(&self) -> (&str, &str) {
        match self {
            Self::Frontier(chart) => (&chart.title, &chart.subtitle),
            Self::Ladder(chart) => (&chart.title, &chart.subtitle),
            Self::Timeline(chart) => (&chart.title, &chart.subtitle),
            Self::Forest(chart) => (&chart.title, &chart.subtitle),
            Self::Anatomy(chart) => (&chart.title, &chart.subtitle),
            Self::Latency(chart) => (&chart.title, &chart.subtitle),
            Self::Growth(chart) => (&chart.title, &chart.subtitle),
            Self::History(chart) => (&chart.title, &chart.subtitle),
            Self::Whole(chart) => (&chart.title, &chart.subtitle),
            Self::Occupancy(chart) => (&chart.title, &chart.subtitle),
            Self::Watched(chart) => (&chart.title, &chart.subtitle),
        }
    }

    fn draw<B: DrawingBackend>(&self, backend: B) -> Result<Vec<canvas::Spot>, String> {
        let mut canvas = Canvas::new(backend);
        match self {
            Self::Frontier(chart) => chart.draw(&mut canvas),
            Self::Ladder(chart) => chart.draw(&mut canvas),
            Self::Timeline(chart) => chart.draw(&mut canvas),
            Self::Forest(chart) => chart.draw(&mut canvas),
            Self::Anatomy(chart) => chart.draw(&mut canvas),
            Self::Latency(chart) => chart.draw(&mut canvas),
            Self::Growth(chart) => chart.draw(&mut canvas),
            Self::History(chart) => chart.draw(&mut canvas),
            Self::Whole(chart) => chart.draw(&mut canvas),
            Self::Occupancy(chart) => chart.draw(&mut canvas),
            Self::Watched(chart) => chart.draw(&mut canvas),
        }
        canvas.finish()
    }

    fn device_size(&self) -> (u32, u32) {
        let (width, height) = self.size();
        ((width * SCALE) as u32, (height * SCALE) as u32)
    }

    /// Draws as SVG.
    ///
    /// # Errors
    /// What the backend said.
    pub fn svg(&self) -> Result<svg::Svg, String> {
        let mut raw = String::new();
        let spots = self.draw(SVGBackend::with_string(&mut raw, self.device_size()))?;
        Ok(svg::Svg::new(&raw, self.device_size(), self.heading(), &spots))
    }

    /// Draws as PNG into a file.
    ///
    /// # Errors
    /// What the backend said, or that the file could not be written.
    pub fn write_png(&self, path: &Path) -> Result<(), String> {
        self.draw(BitMapBackend::new(path, self.device_size())).map(|_| ())
    }
}

/// Draws title and subtitle in the upper 50 pixels.
fn heading<B: DrawingBackend>(canvas: &mut Canvas<B>, title: &str, subtitle: &str, width: f64) {
    let lines = [
        (24.0, title, Lettering::new(theme::TITLE, theme::INK).bold()),
        (44.0, subtitle, Lettering::new(theme::NORMAL, theme::MUTED)),
    ];
    for (y, text, look) in lines {
        canvas.text((12.0, y), &fitted(text, look, width - 24.0), look);
    }
}

/// Names cut to a width so that they stay apart: in the middle; where that makes two the same, at the end;
/// where that does so too, at the beginning.
fn distinct(names: &[&str], look: Lettering, width: f64) -> Vec<String> {
    // Of so many, few are named at all.
    if names.len() > 300 {
        return names.iter().map(|name| fitted(name, look, width)).collect();
    }
    let cuts: [fn(&str, usize) -> String; 3] = [words::shortened, words::headed, words::tailed];
    let cut = |how: fn(&str, usize) -> String| -> Vec<String> {
        names.iter().map(|name| fitted_by(name, look, width, how)).collect()
    };
    let apart = |cut: &Vec<String>| {
        let pairs = cut.iter().enumerate().flat_map(|(i, a)| cut[..i].iter().map(move |b| (a, b)));
        pairs.into_iter().all(|(a, b)| a != b)
    };
    cuts.into_iter().map(cut).find(apart).unwrap_or_else(|| cut(words::shortened))
}

/// A text cut to a width.
fn fitted(text: &str, look: Lettering, width: f64) -> String {
    fitted_by(text, look, width, words::shortened)
}

fn fitted_by(text: &str, look: Lettering, width: f64, cut: fn(&str, usize) -> String) -> String {
    let text = words::clean(text);
    let mut most = text.chars().count();
    let mut fitted = text.clone();
    while most > 4 && look.width(&fitted) > width {
        most -= 1;
        fitted = cut(&text, most);
    }
    fitted
}
