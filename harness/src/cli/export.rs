//! `arenalab export`: trials or standings as a table.

use std::io::{self, Write};

use super::args::{ExportArgs, ExportFormat, Exports};
use super::exit::{self, CliError};
use super::report::{Decided, read};
use crate::format::export::What;
use crate::report::Input;
use crate::report::export::{self, Format};

/// Runs the subcommand.
pub fn run(args: &ExportArgs, out: &mut impl Write) -> Result<u8, CliError> {
    let what = match args.what {
        Exports::Trials => What::Trials,
        Exports::Standings => What::Standings,
    };
    let format = match args.format {
        ExportFormat::Csv => Format::Csv,
        ExportFormat::Markdown => Format::Markdown,
        ExportFormat::Json => Format::Json,
    };
    let decided = read(&args.campaigns, &args.choice)?;
    let inputs: Vec<Input> = decided.iter().map(Decided::input).collect();
    match export::write(&inputs, what, format, out).and_then(|()| out.flush()) {
        // A reader that went away (`| head`) has what it wanted.
        Err(e) if e.kind() != io::ErrorKind::BrokenPipe => {
            Err(CliError::Failed(format!("failed to write the table: {e}")))
        }
        _ => Ok(exit::DONE),
    }
}
