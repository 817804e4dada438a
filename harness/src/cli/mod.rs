//! The command line: one file a subcommand.

pub mod args;
pub mod completions;
pub mod doctor;
pub mod list;
pub mod man;
pub mod print_plan;
pub mod surroundings;
