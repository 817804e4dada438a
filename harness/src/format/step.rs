//! A line of `steps.jsonl`: what the search asked for next, where that changed, and what it dropped.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::decision::Eliminated;

/// A step of the search.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Step {
    /// The round that it was decided before, from 0.
    pub round: u32,
    /// What the rounds from here on are for: `grid`, `sieve`, `confirm`, `hearing`, `race`; `null` where the
    /// search stopped.
    pub phase: Option<String>,
    /// Candidates in these rounds, the baseline among them.
    pub candidates: Vec<String>,
    /// Candidates dropped here, with the bound that decided it.
    pub eliminated: Vec<Eliminated>,
    /// Why the search stopped, where it did.
    pub stopped: Option<String>,
    /// Whether it stopped because the time budget was used up.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub out_of_time: bool,
}
