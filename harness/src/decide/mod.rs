//! Verdicts, choices and search strategies. Pure: nothing here runs a process or reads a file.
//!
//! * [`observations`]: the data, as numbers by scenario, round and arm; [`from_trials`] makes them of
//!   trial records.
//! * [`question`]: what is asked of them.
//! * [`choose`]: the answer.
//! * [`mod@compare`]: two campaigns, or two libcs of one, and a gate. [`mod@rehearse`]: an upgrade from one libc to the next.
//!   [`cost`]: what memory buys.
//! * [`noisy`]: the rule by which a disturbed round is run again.
//! * [`strategy`]: which arms to run next, so that the answer is reached soon.
//! * [`simulate`]: campaigns with known truth, to hold the above to what it claims.
//!
//! Inside, from the data up: logarithms by figure and arm (`logs`), constraints (`feasibility`), the A/A
//! twin (`twin`), the Pareto front (`front`), one scenario's table (`standings`), the pick (`settle`).

pub mod changed;
pub mod choose;
pub mod compare;
mod cost;
mod feasibility;
pub mod from_trials;
mod front;
pub mod gate;
pub mod growth;
pub mod host;
mod logs;
pub mod noisy;
pub mod observations;
pub mod question;
pub mod rehearse;
mod rung;
mod settle;
pub mod simulate;
mod standings;
pub mod strategy;
mod twin;
mod words;
