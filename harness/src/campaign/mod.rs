//! Schedule, journal and resume; drives trials for a strategy.

mod beyond;
mod budget;
pub mod comparison;
pub mod decision;
mod first_round;
#[cfg(test)]
mod fixture;
pub mod journal;
pub mod mechanism;
mod next;
mod plateau;
pub mod prepare;
pub mod pretence;
pub mod rehearsal;
pub mod run;
pub mod schedule;
pub mod search;
mod shipping;
pub mod standing;
pub mod steps;
pub mod store;
mod validate;
