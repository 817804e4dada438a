//! What is preloaded, looked at before anything is measured: a candidate's library that is not there or has no malloc,
//! and libraries of the user's own that bring one.

use std::path::{Path, PathBuf};

use super::exit::CliError;
use super::surroundings::Surroundings;
use crate::knowledge::nearest::quote;
use crate::knowledge::scrub;
use crate::plan::{Plan, PlannedLibc, candidate};
use crate::trial::libraries::check;

/// Sees that all that is preloaded can be, and that no two libraries bring a malloc.
///
/// # Errors
/// One line: a candidate's library is of no use, or another one has a malloc as well.
pub fn check(plan: &Plan, programs: &[PathBuf], around: &Surroundings) -> Result<(), CliError> {
    let whole = |libc: &PlannedLibc| matches!(libc, PlannedLibc::Other { whole: true, .. });
    // Inside of a root its own files count.
    if !plan.sweep.libcs.iter().all(whole) {
        for of in &plan.sweep.candidates {
            let Some(library) = candidate::preloaded(of) else { continue };
            check::check(library, programs.iter().map(PathBuf::as_path))
                .map_err(|why| CliError::Usage(format!("candidate {of}: {}: {why}", library.display())))?;
        }
    }
    let inherited = around.scrubbed().into_iter().find(|(name, _)| name == "LD_PRELOAD");
    if let Some(value) = inherited.as_ref().and_then(|(_, value)| value.to_str()) {
        no_malloc(value, "LD_PRELOAD of your environment")?;
    }
    for program in plan.workloads.iter().filter_map(|workload| workload.program()) {
        if let Some(value) = program.env.get("LD_PRELOAD") {
            no_malloc(value, &format!("LD_PRELOAD in env of {}", program.name))?;
        }
    }
    Ok(())
}

/// A library that ld.so would find by its name alone, or that is not there, is ld.so's to judge.
fn no_malloc(value: &str, whose: &str) -> Result<(), CliError> {
    let brings = |library: &&str| check::read(Path::new(library)).is_ok_and(|library| library.has_malloc);
    match scrub::preloads(value).find(brings) {
        None => Ok(()),
        Some(library) => Err(CliError::Usage(format!(
            "{whose} has {}, which brings a malloc of its own: it would serve in place of the candidates'. Take it out, and \
             measure it with --candidate preload={library}",
            quote(library)
        ))),
    }
}
