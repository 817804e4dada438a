//! One scenario over many campaigns, in the order of time: a line a candidate. Where host or engine
//! changed, the line is broken: figures on either side are not to be compared.

use plotters::prelude::DrawingBackend;

use super::canvas::{At, Canvas};
use super::paired::{self, Paired, Place, Track};
use crate::report::words;

/// One campaign.
#[derive(Clone, Debug)]
pub struct Event {
    /// Its name.
    pub name: String,
    /// When and where, in a word or two.
    pub when: String,
    /// Whether host and engine are those of the campaign before.
    pub joined: bool,
}

/// The drawing.
#[derive(Clone, Debug)]
pub struct History {
    /// The finding.
    pub title: String,
    /// Scenario.
    pub subtitle: String,
    /// For example `peak RSS`.
    pub objective: &'static str,
    /// Unit of throughput.
    pub unit: String,
    /// In the order of time.
    pub events: Vec<Event>,
    /// At most six; their figures are in the order of `events`.
    pub tracks: Vec<Track>,
}

/// Width and height.
pub const SIZE: At = paired::SIZE;
/// The longest name of a campaign below the axis, in characters.
const LONGEST: usize = 22;

impl History {
    /// Draws.
    pub fn draw<B: DrawingBackend>(&self, canvas: &mut Canvas<B>) {
        let last = self.events.len().saturating_sub(1).max(1) as f64;
        let place = |(index, event): (usize, &Event)| Place {
            at: index as f64 / last,
            name: vec![words::shortened(&event.name, LONGEST), words::shortened(&event.when, LONGEST)],
            joined: event.joined,
        };
        let places: Vec<Place> = self.events.iter().enumerate().map(place).collect();
        Paired {
            title: &self.title,
            subtitle: &self.subtitle,
            objective: self.objective,
            unit: &self.unit,
            axis: "campaigns, in the order of time",
            places: &places,
            tracks: &self.tracks,
            from_zero: false,
        }
        .draw(canvas);
    }
}
