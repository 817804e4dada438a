//! `--out`: the page of what was seen.

use std::path::Path;

use crate::cli::exit::CliError;
use crate::cli::say;
use crate::decide::growth::{self, Look};
use crate::format::watch::Watched;
use crate::report::inspection::{self, Inspection};
use crate::report::{Refused, ReportError};

/// Writes the page where one was asked for, and says where it is. `all` are the looks at each process.
pub fn write(all: &[Vec<Look>], watched: bool, out: Option<&Path>) -> Result<(), CliError> {
    let Some(out) = out else { return Ok(()) };
    let seen: Vec<&Vec<Look>> = all.iter().filter(|looks| !looks.is_empty()).collect();
    if seen.is_empty() {
        return Ok(());
    }
    let verdicts: Vec<Option<Watched>> =
        seen.iter().map(|looks| watched.then(|| growth::watched(looks)).flatten()).collect();
    let inspections: Vec<Inspection> = seen
        .iter()
        .zip(&verdicts)
        .map(|(looks, watched)| Inspection { looks, watched: watched.as_ref() })
        .collect();
    let page = inspection::write(&inspections, out).map_err(|error| match error {
        ReportError::Folder(Refused::NotOurs(..)) => CliError::Usage(error.to_string()),
        _ => CliError::Failed(error.to_string()),
    })?;
    say::err(&format!("page: {}", page.display()));
    Ok(())
}
