//! arenalab: measures memory allocators under multithreaded load, and chooses a setting with stated
//! confidence.
//!
//! Data flows one way, and imports only ever point to floors further up this list:
//!
//! 1. [`format`]: what is written to disk and to stdout; [`units`]: bytes, durations, ratios as text.
//! 2. [`knowledge`]: allocators and their settings, with sources.
//! 3. [`plan`]: what a campaign will measure; [`statistics`]: pure functions.
//! 4. [`trial`]: one fresh process, measured. The only floor that touches processes and procfs.
//!    [`decide`]: verdicts, choices and search strategies. Pure: it asks for rounds and is given results.
//! 5. [`campaign`]: schedule, journal, resume; drives trials for a strategy.
//! 6. [`report`]: charts, HTML, Markdown. Reads campaigns and decisions, never the system.
//! 7. [`cli`]: one file a subcommand.

pub mod campaign;
pub mod cli;
pub mod decide;
pub mod format;
pub mod knowledge;
pub mod plan;
pub mod report;
pub mod statistics;
pub mod trial;
pub use arenalab_wire::units;
