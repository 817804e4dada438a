//! What a campaign will measure.

pub mod apply;
