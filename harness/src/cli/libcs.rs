//! The C libraries of a campaign: found when it begins, found to be the same when it goes on, and put under its
//! trials.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::exit::CliError;
use super::run::LAUNCHER;
use crate::campaign::prepare;
use crate::campaign::run::Setup;
use crate::format::manifest::{Libc, LibcRun, Manifest};
use crate::plan::{Plan, PlannedLibc};
use crate::trial::executor::TrialSpec;
use crate::trial::libc_root::suits::Wanted;
use crate::trial::libc_root::{self, Footing, Root, inside, probe, script, whole};

/// What to do where a file needs more than a root has: ours are built for old hosts as well.
fn remedy(file: &Path) -> &'static str {
    let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    if name.starts_with("arenalab-workload-") || name.starts_with("libarenalab_") {
        return "use the archive that scripts/build-portable makes, with the arenalab in it";
    }
    if name.contains(".so") { "" } else { "build it on the oldest release that it is to run on" }
}

/// The C libraries of a plan, for the manifest.
///
/// # Errors
/// A directory is no root with a glibc for this host.
pub fn entries(plan: &Plan, host_version: Option<&String>) -> Result<Vec<Libc>, CliError> {
    let entry = |libc: &PlannedLibc| match libc {
        PlannedLibc::Host => Ok(prepare::host_libc(host_version.cloned())),
        PlannedLibc::Other { name, dir, whole } => other(name, dir, *whole),
    };
    plan.sweep.libcs.iter().map(entry).collect()
}

/// One in a directory.
///
/// # Errors
/// The directory is no root with a glibc for this host.
pub fn other(name: &str, dir: &Path, whole: bool) -> Result<Libc, CliError> {
    let root = find(name, dir)?;
    Ok(Libc {
        name: name.to_owned(),
        version: Some(root.version),
        run: if whole { LibcRun::Root } else { LibcRun::Loader },
        path: Some(root.dir.display().to_string()),
        sha256: Some(root.sha256),
    })
}

fn find(name: &str, dir: &Path) -> Result<Root, CliError> {
    libc_root::locate(dir, std::env::consts::ARCH)
        .map_err(|why| CliError::Usage(format!("libc {name}: {why}")))
}

/// Puts the campaign's C libraries under its trials, and marks those that cannot run on theirs.
///
/// # Errors
/// A directory no longer holds the C library that the campaign began with, or one on which nothing of it can run.
pub fn equip(setup: &mut Setup, environment: &BTreeMap<String, String>) -> Result<(), CliError> {
    let mut footings = BTreeMap::new();
    for libc in setup.manifest.libcs.iter().filter(|libc| libc.run != LibcRun::Host) {
        footings.insert(libc.name.clone(), Arc::new(footing(libc, environment)?));
    }
    let mut asked = BTreeMap::new();
    for spec in setup.templates.iter_mut().flatten() {
        let Some(footing) = footings.get(&spec.libc) else { continue };
        spec.footing = Some(Arc::clone(footing));
        if spec.is_of_root() {
            place_in_root(spec, footing, environment);
            continue;
        }
        let unfit = asked.entry(key(spec)).or_insert_with(|| unfit(spec, footing, environment));
        spec.unsupported = spec.unsupported.take().or_else(|| unfit.clone());
    }
    for name in footings.keys() {
        let mut of_it = setup.templates.iter().flatten().filter(|spec| spec.libc == *name);
        let first = of_it.clone().find_map(|spec| spec.unsupported.as_ref());
        if let Some(why) = first.filter(|_| of_it.all(|spec| spec.unsupported.is_some())) {
            return Err(CliError::Usage(format!("nothing of this plan can run on libc {name}: {why}")));
        }
    }
    Ok(())
}

/// Sees before a campaign begins that something of it can run on each of its C libraries.
///
/// # Errors
/// As [`equip`].
pub fn check(
    manifest: &Manifest,
    programs: &BTreeMap<String, PathBuf>,
    environment: &BTreeMap<String, String>,
) -> Result<(), CliError> {
    if manifest.libcs.iter().all(|libc| libc.run == LibcRun::Host) {
        return Ok(());
    }
    let mut setup = prepare::setup(manifest, programs).map_err(CliError::Usage)?;
    equip(&mut setup, environment)
}

/// Finds the program of a trial inside the root that it is to run in.
fn place_in_root(spec: &mut TrialSpec, footing: &Footing, environment: &BTreeMap<String, String>) {
    let Some(own) = &spec.own else { return };
    let dir = &footing.root.dir;
    if let Some(path) = whole::executable(dir, own.executable(), environment.get("PATH")) {
        spec.program = path;
    } else {
        let why = format!("there is no executable {} in {}", own.executable(), dir.display());
        spec.unsupported.get_or_insert(why);
    }
}

/// The program of a workload in the first root of a plan that it runs inside of, where the host need not have it.
pub fn program_in_root(plan: &Plan, name: &str, search: Option<&String>) -> Option<PathBuf> {
    let on_host = plan.sweep.libcs.iter().any(|libc| !matches!(libc, PlannedLibc::Other { whole: true, .. }));
    let dirs = plan.sweep.libcs.iter().filter_map(|libc| match libc {
        PlannedLibc::Other { dir, whole: true, .. } => dir.canonicalize().ok(),
        _ => None,
    });
    let mut found = dirs.filter_map(|dir| {
        let path = whole::executable(&dir, name, search)?;
        inside::resolve(&dir, &path).ok().flatten()
    });
    if on_host { None } else { found.next() }
}

/// What decides whether a trial can run on a C library.
fn key(spec: &TrialSpec) -> (String, PathBuf, Option<PathBuf>, bool) {
    (spec.libc.clone(), spec.program.clone(), preloaded(spec), spec.own.as_ref().is_some_and(|own| own.shell))
}

/// The library that is put in front of a trial's program.
fn preloaded(spec: &TrialSpec) -> Option<PathBuf> {
    spec.asked.env.get("LD_PRELOAD").map(PathBuf::from)
}

fn unfit(spec: &TrialSpec, footing: &Footing, environment: &BTreeMap<String, String>) -> Option<String> {
    if spec.own.as_ref().is_some_and(|own| own.shell) {
        return Some(format!(
            "its command is a line for a shell, and what the shell starts runs on the host's libc, not on {}; give the \
             command as words",
            footing.name
        ));
    }
    let search = environment.get("PATH");
    let behind = match script::behind(&spec.program, search) {
        Ok(behind) => behind,
        Err(why) => return Some(why),
    };
    let mut environment = environment.clone();
    if let Some(own) = &spec.own {
        environment.extend(own.env.clone());
    }
    let preload = preloaded(spec);
    let wanted =
        Wanted { program: &behind.program, preload: preload.as_deref(), environment: &environment, remedy };
    footing.suits(wanted).err()
}

fn footing(libc: &Libc, environment: &BTreeMap<String, String>) -> Result<Footing, CliError> {
    let dir = libc.path.as_deref().unwrap_or_default();
    let root = find(&libc.name, Path::new(dir))?;
    if libc.sha256.as_ref() != Some(&root.sha256) {
        return Err(CliError::Usage(format!(
            "libc {}: {dir} does not hold the glibc that this campaign began with ({} then, {} now); rounds of two must \
             not be mixed",
            libc.name,
            libc.version.as_deref().unwrap_or("unknown"),
            root.version
        )));
    }
    let temporary = environment.get("TMPDIR").map_or("/tmp", String::as_str);
    let whole = libc.run == LibcRun::Root;
    let footing =
        Footing::prepare(&libc.name, root, whole, Path::new(temporary)).map_err(CliError::Failed)?;
    if whole {
        let tried = probe::probe(Path::new(LAUNCHER), &footing);
        tried.map_err(|why| CliError::Usage(format!("libc {}: {why}", libc.name)))?;
    }
    Ok(footing)
}
