//! Published distributions of sizes, re-typed as data with their sources, by the names that models use.
//!
//! Only figures that could be traced to a publication are here. Where a publication gives rate and live count of each size, the
//! mean life follows from them by Little's law, in the publication's own unit of time.

mod fleet;
mod values;

use serde::Serialize;
use serde::ser::{SerializeStruct, Serializer};

use crate::model::Distribution;
use crate::model::distribution::Bin;

/// A published distribution.
pub struct SizeSet {
    /// Its name in a model: `size = { kind = "set", name = "..." }`.
    pub name: &'static str,
    /// What was measured, and what was left out here.
    pub what: &'static str,
    /// Where it is published.
    pub source: &'static str,
    /// The figures.
    pub figures: Figures,
}

/// The figures of a set.
pub enum Figures {
    /// Single sizes: bytes, allocations a time, objects alive.
    Sizes(&'static [(u32, f64, f64)]),
    /// Points of a cumulative distribution: bytes, share of all that are not larger. Between two points all
    /// sizes are equally likely.
    Cumulative(&'static [(u32, f64)]),
    /// Single sizes with their shares, and for the rest a generalised Pareto distribution.
    WithTail {
        /// Bytes and share.
        sizes: &'static [(u32, f64)],
        /// Location, scale, shape and largest value.
        tail: (f64, f64, f64, f64),
    },
}

/// Which of the objects are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// Each once, as it is allocated.
    Allocated,
    /// Those that are found alive.
    Live,
}

/// All sets.
pub static ALL: &[SizeSet] = &[fleet::FLEET, values::FACEBOOK_ETC, values::GOOGLE_RPC];

/// The set of that name.
pub fn find(name: &str) -> Option<&'static SizeSet> {
    ALL.iter().find(|set| set.name == name)
}

fn bin(low: u32, high: u32, weight: f64) -> Bin {
    Bin { low: f64::from(low), high: f64::from(high), weight }
}

impl SizeSet {
    /// Whether it tells what is alive.
    pub fn tells_live(&self) -> bool {
        matches!(self.figures, Figures::Sizes(_))
    }

    /// The sizes as a distribution. Of sets that do not tell what is alive, both are the same.
    pub fn distribution(&self, by: By) -> Distribution {
        match &self.figures {
            Figures::Sizes(sizes) => {
                let weight = |rate: f64, live: f64| if by == By::Live { live } else { rate };
                let bins = sizes.iter().map(|(size, rate, live)| bin(*size, *size, weight(*rate, *live)));
                Distribution::Histogram(bins.collect())
            }
            Figures::Cumulative(points) => {
                let steps =
                    points.windows(2).map(|pair| bin(pair[0].0 + 1, pair[1].0, pair[1].1 - pair[0].1));
                Distribution::Histogram(steps.collect())
            }
            Figures::WithTail { sizes, tail: (location, scale, shape, max) } => {
                let bins: Vec<Bin> = sizes.iter().map(|(size, share)| bin(*size, *size, *share)).collect();
                let listed: f64 = sizes.iter().map(|(_, share)| share).sum();
                let tail =
                    Distribution::Pareto { location: *location, scale: *scale, shape: *shape, max: *max };
                Distribution::Mixture(vec![(listed, Distribution::Histogram(bins)), (1.0 - listed, tail)])
            }
        }
    }
}

/// Name, texts, and what follows from the figures.
impl Serialize for SizeSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let of = |by| self.distribution(by);
        let mut out = serializer.serialize_struct("SizeSet", 6)?;
        out.serialize_field("name", self.name)?;
        out.serialize_field("what", self.what)?;
        out.serialize_field("source", self.source)?;
        out.serialize_field("mean_allocated", &of(By::Allocated).mean())?;
        out.serialize_field("mean_live", &self.tells_live().then(|| of(By::Live).mean()))?;
        out.serialize_field("largest", &of(By::Allocated).max())?;
        out.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_set_is_complete_and_can_be_drawn_from() {
        for set in ALL {
            assert!(set.what.len() > 40 && set.source.len() > 30, "{}", set.name);
            let drawn = set.distribution(By::Allocated);
            assert!(drawn.mean() > 1.0 && drawn.max() <= f64::from(1 << 30), "{}", set.name);
            assert_eq!(find(set.name).map(|found| found.name), Some(set.name));
        }
    }

    #[test]
    fn figures_are_in_order_and_shares_add_up() {
        for set in ALL {
            match &set.figures {
                Figures::Sizes(sizes) => {
                    assert!(sizes.windows(2).all(|pair| pair[0].0 < pair[1].0), "{}", set.name);
                    assert!(sizes.iter().all(|(_, rate, live)| *rate > 0.0 && *live > 0.0), "{}", set.name);
                }
                Figures::Cumulative(points) => {
                    assert!(points.windows(2).all(|pair| pair[0].0 < pair[1].0 && pair[0].1 <= pair[1].1));
                    assert!((points[points.len() - 1].1 - 1.0).abs() < 1e-9, "{}", set.name);
                }
                // The paper's table adds up to what is left for the tail.
                Figures::WithTail { sizes, .. } => {
                    let listed: f64 = sizes.iter().map(|(_, share)| share).sum();
                    assert!((listed - 0.441_55).abs() < 1e-9, "{listed}");
                }
            }
        }
    }
}
