//! The `arenalab` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    arenalab::cli::main()
}
