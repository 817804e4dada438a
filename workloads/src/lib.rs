//! The workload engine.

pub mod catalogue;
pub mod spec;
