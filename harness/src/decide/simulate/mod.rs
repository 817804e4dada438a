//! Campaigns with known truth, so that the chooser can be held to what it claims.
//!
//! * [`landscape`]: what is true of the candidates; drawn anew for every campaign.
//! * [`host`]: how the host disturbs what is measured.
//! * [`campaign`]: drives a strategy as a real campaign does, and marks its answer against the truth.
//! * [`tally`]: many campaigns counted.

pub mod campaign;
pub mod host;
pub mod landscape;
pub mod tally;
