//! Lines for people and for programs. Where nobody reads any more (`| head`, a terminal that was closed),
//! the line is lost and the work goes on.

use std::io::Write;

/// A line on standard output: results.
pub fn out(line: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}

/// A line on standard error: everything else.
pub fn err(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}
