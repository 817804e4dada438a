//! The command line: one file a subcommand.

pub mod exit;
pub mod progress;
pub mod signals;
