//! `arenalab record --plan`.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::last_word;
use crate::cli::exit::{self, CliError};
use crate::cli::run::{LAUNCHER, environment, odd};
use crate::cli::say;
use crate::cli::signals::Stop;
use crate::cli::surroundings::Surroundings;
use crate::knowledge::nearest::quote;
use crate::plan::{PlannedWorkload, Program, from_toml};
use crate::trial::companions;
use crate::trial::program::{Around, Broken};
use crate::trial::recording::planned::{self, Planned};
use crate::trial::recording::{self, Asked};

/// Where in the recording's directory what the program and its driver print is kept.
const OUTPUT: &str = "output";

/// Reads the plan, and finds its program.
pub fn read(
    path: &Path,
    workload: Option<&str>,
    asked: &Asked,
    library: &Path,
    around: &Surroundings,
) -> Result<Planned, CliError> {
    let file = path.display().to_string();
    let usage = |why: String| CliError::Usage(why);
    let text = std::fs::read_to_string(path)
        .map_err(|error| usage(format!("failed to read the plan {file}: {error}")))?;
    let plan =
        from_toml::draft(&text, &file).and_then(|draft| draft.complete().map_err(|e| e.in_file(&file)));
    let plan = plan.map_err(|error| usage(error.to_string()))?;
    let program = choose(&plan.workloads, workload).map_err(|why| usage(format!("{file}: {why}")))?;
    let environment = environment(around);
    let name = program.executable();
    let executable = companions::executable(name, environment.get("PATH"))
        .ok_or_else(|| usage(format!("there is no program {} that can be run", quote(name))))?;
    if let Some(why) = recording::refusal(&executable).filter(|_| !program.shell) {
        return Err(usage(why));
    }
    let variables = asked.variables(library, None).into_iter();
    Ok(Planned {
        executable,
        library: library.to_owned(),
        variables: variables.map(|(name, value)| (name, value.to_string_lossy().into_owned())).collect(),
        threads: plan.sweep.threads.first().copied().filter(|_| program.uses_threads()).unwrap_or(0),
        timeout: plan.measure.timeout,
        idle: plan.measure.idle,
        program,
    })
}

/// The program of this name, or the only one.
fn choose(workloads: &[PlannedWorkload], name: Option<&str>) -> Result<Arc<Program>, String> {
    let programs: Vec<&Arc<Program>> = workloads
        .iter()
        .filter_map(|workload| match workload {
            PlannedWorkload::Program(program) => Some(program),
            _ => None,
        })
        .collect();
    let names = || programs.iter().map(|program| program.name.as_str()).collect::<Vec<_>>().join(", ");
    match (name, programs.as_slice()) {
        (_, []) => {
            Err("the plan has no program of its own to record, only workloads of arenalab's".to_owned())
        }
        (None, [only]) => Ok(Arc::clone(only)),
        (None, _) => Err(format!("the plan has several programs; name one with --workload: {}", names())),
        (Some(name), all) => all
            .iter()
            .find(|program| program.name == name)
            .map(|program| Arc::clone(program))
            .ok_or_else(|| format!("the plan has no program {}; it has {}", quote(name), names())),
    }
}

/// Runs and records it.
pub fn record(asked: &Asked, planned: &Planned, surroundings: &Surroundings) -> Result<u8, CliError> {
    let stop = Stop::install().map_err(|e| CliError::Failed(format!("failed to catch signals: {e}")))?;
    let (launcher, output) = (PathBuf::from(LAUNCHER), asked.directory.join(OUTPUT));
    let around = Around {
        executable: &launcher,
        environment: &environment(surroundings),
        odd: &odd(surroundings),
        stop: &stop.flag,
        keep: Some(&output),
        group: None,
    };
    let (story, time_over) = planned::run(asked, planned, &around).map_err(CliError::Failed)?;
    let recorded = last_word(asked, time_over)?;
    if stop.flag.load(Ordering::Relaxed) {
        return Ok(stop.exit_code());
    }
    let name = &planned.program.name;
    let why = match story.broken {
        None if recorded => {
            if let Some((figure, unit)) = &story.throughput {
                say::err(&format!("{name} was driven to its end: {figure} {unit} while it was recorded"));
            }
            return Ok(exit::DONE);
        }
        None => "nothing was recorded of it".to_owned(),
        Some(Broken::Gone) => "it ended before its work was done".to_owned(),
        Some(Broken::Interrupted) => "it was interrupted".to_owned(),
        Some(Broken::Late(why) | Broken::Failed(why) | Broken::Crashed(why) | Broken::NoOp(why)) => why,
    };
    Err(CliError::Failed(format!("{name}: {why}; what it printed is in {}", output.display())))
}
