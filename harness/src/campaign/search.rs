//! The strategy that a campaign is run and decided by, from its manifest.

use crate::decide::question::Question;
use crate::decide::strategy::{Effort, Extent, Strategy, by_name};
use crate::format::manifest::Manifest;

/// The strategy of a campaign, to answer `question`.
///
/// # Errors
/// One line, where the manifest names one that this build does not know.
pub fn strategy(manifest: &Manifest, question: &Question) -> Result<Box<dyn Strategy>, String> {
    let earlier = manifest.extended.iter().map(|extent| Extent {
        until: extent.until_round,
        most_rounds: extent.rounds,
        time_budget_s: extent.time_budget_s,
    });
    let effort = Effort {
        most_rounds: manifest.rounds,
        time_budget_s: manifest.time_budget_s,
        earlier: earlier.collect(),
    };
    by_name(&manifest.strategy, question, effort).ok_or_else(|| {
        format!("the campaign's strategy is '{}', which this arenalab does not know", manifest.strategy)
    })
}
