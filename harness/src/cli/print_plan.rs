//! `--print-plan`: the plan that a command line means, as a file to keep.

use std::io::{self, Write};

use crate::plan::Plan;

/// Writes the plan.
///
/// # Errors
/// When `out` refuses.
pub fn run(plan: &Plan, out: &mut dyn Write) -> io::Result<()> {
    out.write_all(plan.to_toml().as_bytes())
}
