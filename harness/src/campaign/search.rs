//! The strategy that a campaign is run and decided by, from its manifest.

use crate::decide::question::Question;
use crate::decide::strategy::{Effort, FullGrid, ScreenAndConfirm, Strategy};
use crate::format::manifest::Manifest;
use crate::plan::{self, fields};

/// The strategy of a campaign, to answer `question`.
///
/// # Errors
/// One line, where the manifest names one that this build does not know.
pub fn strategy(manifest: &Manifest, question: &Question) -> Result<Box<dyn Strategy>, String> {
    let known = fields::strategy(&manifest.strategy)
        .map_err(|why| format!("the campaign's {why}; use the arenalab that began it"))?;
    let effort = Effort { most_rounds: manifest.rounds, time_budget_s: manifest.time_budget_s };
    Ok(match known {
        plan::Strategy::FullGrid => Box::new(FullGrid { rounds: manifest.rounds }),
        plan::Strategy::ScreenAndConfirm => Box::new(ScreenAndConfirm::new(*question, effort)),
        plan::Strategy::Race => return Err("the race strategy is not there yet".to_owned()),
    })
}
