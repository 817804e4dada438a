//! Runs a campaign with progress, signals, and a last word; shared by the commands that measure.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::args::ShowArgs;
use super::exit::CliError;
use super::libcs;
use super::progress::{Progress, Say};
use super::say;
use super::signals::Stop;
use super::surroundings::Surroundings;
use crate::campaign::prepare::{self, Part};
use crate::campaign::pretence::Pretence;
use crate::campaign::run::{self, Ended};
use crate::campaign::store::{Campaign, OUTPUT, Store};
use crate::decide::strategy::Strategy;
use crate::format::manifest::{Binary, Libc, LibcRun, Manifest};
use crate::format::trial::{Status, TrialRecord};
use crate::knowledge::arena_limit::Counts;
use crate::knowledge::nearest::quote;
use crate::plan::{Plan, shell};
use crate::trial::companions::{self, Missing};
use crate::trial::fingerprint;
use crate::trial::pretend_cpus;
use crate::trial::real::RealExecutor;

/// This very program, also where its file has been replaced meanwhile.
pub const LAUNCHER: &str = "/proc/self/exe";

/// What is to be run.
pub struct Running<'a> {
    /// Where it goes.
    pub store: Store,
    /// What it is, and what was measured before.
    pub campaign: Campaign,
    /// What is printed.
    pub show: ShowArgs,
    /// Trials in all, where that is known beforehand.
    pub total: Option<u64>,
    /// Environment and companions.
    pub around: &'a Surroundings,
}

/// What became of a run.
pub struct Ran {
    /// The campaign's directory.
    pub dir: PathBuf,
    /// Whether the strategy has what it wants.
    pub complete: bool,
    /// The exit code where it was stopped.
    pub stopped: u8,
    counts: BTreeMap<Status, u64>,
}

impl Ran {
    /// The run as JSON: where it is, whether it is complete, trials by status.
    pub fn to_json(&self) -> serde_json::Value {
        let name = |status: &Status| format!("{status:?}").to_lowercase();
        let statuses: BTreeMap<String, u64> =
            self.counts.iter().map(|(status, count)| (name(status), *count)).collect();
        serde_json::json!({
            "campaign": self.dir.to_string_lossy(),
            "complete": self.complete,
            "trials": self.counts.values().sum::<u64>(),
            "statuses": statuses,
        })
    }
}

/// A file that a campaign needs, as it was found.
pub struct Found {
    /// Where it is.
    pub path: PathBuf,
    /// For the manifest.
    pub binary: Binary,
    /// The C library that it says it runs on, of a workload binary.
    pub libc_version: Option<String>,
}

/// Finds out how CPUs can be pretended here.
pub fn pretence(around: &Surroundings, cpus: u32) -> Pretence {
    let environment = environment(around);
    let temporary = environment.get("TMPDIR").map_or("/tmp", String::as_str);
    let possible = pretend_cpus::possible(Path::new(LAUNCHER), cpus, temporary);
    let glibc = around.companions.workload("glibc").ok();
    let identity =
        glibc.and_then(|path| fingerprint::take(&path, &environment).ok()).map(|found| found.identity);
    let counts = match identity.and_then(|identity| identity.counted_cpus).as_deref() {
        Some("online") => Some(Counts::Online),
        Some("affinity") => Some(Counts::Affinity),
        _ => None,
    };
    Pretence { no_file: possible.err(), counts }
}

/// Finds a file that a campaign needs; a program of the user's, where `plan` runs inside roots alone, in the first.
///
/// # Errors
/// When it is missing, or a workload binary does not say who it is.
pub fn part(around: &Surroundings, part: &Part, plan: Option<&Plan>) -> Result<Found, CliError> {
    let environment = environment(around);
    let failed = |e: Missing| CliError::Failed(e.to_string());
    match part {
        Part::Engine(allocator) => {
            let path = around.companions.workload(allocator).map_err(failed)?;
            let fingerprint::Fingerprint { path, binary, identity } =
                fingerprint::take(&path, &environment).map_err(CliError::Failed)?;
            Ok(Found { path, binary, libc_version: Some(identity.libc_version) })
        }
        Part::Library(allocator) => {
            let path = around.companions.library(allocator).map_err(|missing| {
                let hint = "; to measure a program without it, name the allocators with --allocators glibc";
                CliError::Failed(format!("{missing}{hint}"))
            })?;
            let mut binary =
                fingerprint::of_file(&path, &format!("{allocator}, preloaded")).map_err(CliError::Failed)?;
            binary.path = Some(path.to_string_lossy().into_owned());
            Ok(Found { path, binary, libc_version: None })
        }
        Part::Program(name, executable) => {
            let search = environment.get("PATH");
            let in_root = || plan.and_then(|plan| libcs::program_in_root(plan, executable, search));
            let path = companions::executable(executable, search).or_else(in_root).ok_or_else(|| {
                CliError::Usage(format!(
                    "{name}: there is no executable {}; give its path, or put its directory in PATH",
                    quote(executable)
                ))
            })?;
            let binary = fingerprint::of_file(&path, "as it is").map_err(CliError::Failed)?;
            Ok(Found { path, binary, libc_version: None })
        }
    }
}

/// Measures what the strategy asks for.
///
/// # Errors
/// When the tool or the system fails; what finished is on disk.
pub fn campaign(running: Running, strategy: &mut dyn Strategy) -> Result<Ran, CliError> {
    let Running { mut store, campaign, show, total, around } = running;
    let Campaign { mut manifest, trials: past, notes, .. } = campaign;
    let stop = Stop::install().map_err(|e| CliError::Failed(format!("failed to handle signals: {e}")))?;
    let measured = past.iter().any(|trial| trial.status == Status::Ok);
    let begun = manifest.binaries.clone();
    let programs = programs(&mut manifest, measured, around)?;
    if manifest.binaries != begun {
        store.replace_manifest(&manifest)?;
    }
    let mut setup = prepare::setup(&manifest, &programs).map_err(CliError::Usage)?;
    libcs::equip(&mut setup, &environment(around))?;
    let executable = PathBuf::from(LAUNCHER);
    let mut executor =
        RealExecutor::new(executable, manifest.host.name.clone(), stop.flag.clone(), environment(around))
            .passing_on(odd(around))
            .keeping_output_in(store.dir.join(OUTPUT));
    if !show.quiet {
        introduce(&manifest, &store, finished(&past), &notes);
    }
    let mut progress = display(&manifest, show, total);
    let mut counts: BTreeMap<Status, u64> = BTreeMap::new();
    let mut strangers: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let ended = run::run(&setup, strategy, &mut executor, &mut store, past, &stop.flag, &mut |event| {
        if let run::Event::TrialEnded { record, .. } = event {
            *counts.entry(record.status).or_default() += 1;
            let names = record.program.iter().flat_map(|program| program.host_libc.clone());
            strangers.entry(record.libc.clone()).or_default().extend(names);
        }
        progress.on(event);
    });
    let ended = ended.map_err(CliError::Failed)?;
    if !show.quiet {
        tell_strangers(&strangers);
    }
    if ended == Ended::Interrupted {
        progress.finish(&format!(
            "stopped; what finished is on disk. Go on with: arenalab {} --resume --out {}",
            manifest.command.get(1).map_or("sweep", String::as_str),
            shell::path(&store.dir)
        ));
    }
    Ok(Ran { dir: store.dir, complete: ended == Ended::Complete, stopped: stop.exit_code(), counts })
}

/// The environment that every trial starts from, as far as it is text.
pub fn environment(around: &Surroundings) -> BTreeMap<String, String> {
    let text =
        |(name, value): (OsString, OsString)| Some((name.into_string().ok()?, value.into_string().ok()?));
    around.scrubbed().into_iter().filter_map(text).collect()
}

/// The variables of that environment that are no text.
pub fn odd(around: &Surroundings) -> Vec<(OsString, OsString)> {
    let is_odd = |(name, value): &(OsString, OsString)| name.to_str().is_none() || value.to_str().is_none();
    around.scrubbed().into_iter().filter(is_odd).collect()
}

/// The files of a campaign, which must be those that it began with where something was `measured`; where nothing was yet,
/// a program that was mended is taken.
fn programs(
    manifest: &mut Manifest,
    measured: bool,
    around: &Surroundings,
) -> Result<BTreeMap<String, PathBuf>, CliError> {
    let plan =
        Plan::from_toml(&manifest.plan, "the campaign's plan").map_err(|e| CliError::Usage(e.to_string()))?;
    let mut programs = BTreeMap::new();
    for needed in prepare::parts(&plan) {
        let found = part(around, &needed, Some(&plan))?;
        let key = needed.key();
        same_host_libc(&manifest.libcs, found.libc_version.as_ref())?;
        if manifest.binaries.get(&key).is_some_and(|known| known.sha256 != found.binary.sha256) && measured {
            return Err(CliError::Usage(format!(
                "{key} is not the file that this campaign began with; trials of two builds must not be mixed"
            )));
        }
        manifest.binaries.insert(key.clone(), found.binary);
        programs.insert(key, found.path);
    }
    Ok(programs)
}

/// Rounds of two versions of the host's C library must not be mixed.
fn same_host_libc(libcs: &[Libc], now: Option<&String>) -> Result<(), CliError> {
    let then = libcs.iter().find(|libc| libc.run == LibcRun::Host).and_then(|libc| libc.version.as_ref());
    match (then, now) {
        (Some(then), Some(now)) if then != now => Err(CliError::Usage(format!(
            "the host's glibc was {then} when the campaign was begun and is {now}; begin another campaign"
        ))),
        _ => Ok(()),
    }
}

/// Tells which processes of trials on another C library ran on the host's, by their names.
fn tell_strangers(strangers: &BTreeMap<String, BTreeSet<String>>) {
    for (libc, names) in strangers.iter().filter(|(_, names)| !names.is_empty()) {
        let names = names.iter().take(10).map(|name| quote(name)).collect::<Vec<_>>().join(", ");
        say::err(&format!(
            "in trials on libc {libc} the program started {names}, which ran on the host's libc; --root carries over to them"
        ));
    }
}

fn finished(past: &[TrialRecord]) -> usize {
    past.iter().filter(|trial| trial.status != Status::Interrupted).count()
}

fn introduce(manifest: &Manifest, store: &Store, past: usize, notes: &[String]) {
    let candidates = manifest.candidates.len();
    say::err(&format!(
        "campaign {}: {} scenarios, {candidates} candidates and the baseline's twin, {} {} rounds, seed {}",
        store.dir.display(),
        manifest.scenarios.len(),
        if manifest.strategy == "full-grid" { "in" } else { "in at most" },
        manifest.rounds,
        manifest.seed
    ));
    for entry in &manifest.candidates {
        for merged in &entry.stands_for {
            say::err(&format!("  {} is not run: {} ({})", merged.candidate, merged.why, entry.candidate));
        }
    }
    for note in notes {
        say::err(&format!("  {note}"));
    }
    if past > 0 {
        say::err(&format!("  going on after {past} finished trials"));
    }
}

fn display(manifest: &Manifest, show: ShowArgs, total: Option<u64>) -> Progress {
    let mut arms: Vec<String> = manifest.candidates.iter().map(|c| c.candidate.clone()).collect();
    let baseline = arms.iter().position(|name| *name == manifest.baseline).unwrap_or(0);
    arms.push(manifest.baseline.clone());
    let say = match (show.quiet, show.verbose) {
        (true, _) => Say::Quiet,
        (false, 0) => Say::Progress,
        (false, _) => Say::EachTrial,
    };
    let rounds = total.is_some().then_some(manifest.rounds);
    Progress::new(say, arms, baseline, manifest.objective, rounds, total)
}
