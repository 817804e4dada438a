//! How RSS and throughput grow with threads: a line a candidate. Twice as many threads are always as far
//! apart, and both figures start at 0.

use plotters::prelude::DrawingBackend;

use super::canvas::{At, Canvas};
use super::paired::{self, Paired, Place, Track};

/// The drawing.
#[derive(Clone, Debug)]
pub struct Growth {
    /// The finding.
    pub title: String,
    /// Workload.
    pub subtitle: String,
    /// For example `peak RSS`.
    pub objective: &'static str,
    /// Unit of throughput.
    pub unit: String,
    /// In rising order, each above 0.
    pub threads: Vec<u32>,
    /// At most six; their figures are in the order of `threads`.
    pub tracks: Vec<Track>,
}

/// Width and height.
pub const SIZE: At = paired::SIZE;

impl Growth {
    /// Draws.
    pub fn draw<B: DrawingBackend>(&self, canvas: &mut Canvas<B>) {
        let log = |threads: u32| f64::from(threads.max(1)).ln();
        let (first, last) =
            (self.threads.first().copied().unwrap_or(1), self.threads.last().copied().unwrap_or(1));
        let width = (log(last) - log(first)).max(f64::MIN_POSITIVE);
        let place = |threads: &u32| Place {
            at: (log(*threads) - log(first)) / width,
            name: vec![threads.to_string()],
            joined: true,
        };
        let places: Vec<Place> = self.threads.iter().map(place).collect();
        Paired {
            title: &self.title,
            subtitle: &self.subtitle,
            objective: self.objective,
            unit: &self.unit,
            axis: "threads (logarithmic)",
            places: &places,
            tracks: &self.tracks,
            from_zero: true,
        }
        .draw(canvas);
    }
}
