//! A campaign's directory: manifest, journals, and the lock that keeps a second harness out.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::journal::{self, Journal};
use super::{run, validate};
use crate::format::FORMAT;
use crate::format::manifest::{Extended, Manifest};
use crate::format::series::Series;
use crate::format::step::Step;
use crate::format::trial::TrialRecord;

/// The manifest's file name.
pub const MANIFEST: &str = "manifest.json";
/// The trials' file name.
pub const TRIALS: &str = "trials.jsonl";
/// The series' file name.
pub const SERIES: &str = "series.jsonl";

/// The search's file name.
pub const STEPS: &str = "steps.jsonl";
/// The directory of what programs of the user's printed.
pub const OUTPUT: &str = "output";

/// Largest manifest that is read, bytes.
const MAX_MANIFEST: u64 = 16 << 20;

/// What can be wrong with a campaign's directory.
#[derive(Debug, Error)]
pub enum StoreError {
    /// A new campaign would overwrite it.
    #[error("{0} already holds a campaign; go on with it by --resume, or name another directory with --out")]
    Exists(PathBuf),
    /// There is none.
    #[error("{0} holds no campaign: it has no {MANIFEST}")]
    Missing(PathBuf),
    /// Its files are not what they should be.
    #[error("{0}")]
    Corrupt(String),
    /// It was written by a later version.
    #[error("{path} has format {found}; this arenalab reads formats up to {FORMAT}: use a newer arenalab")]
    Newer {
        /// The manifest.
        path: PathBuf,
        /// Its format.
        found: u64,
    },
    /// Another harness is at work there.
    #[error("{0} is in use by another arenalab")]
    Busy(PathBuf),
    /// The system refused.
    #[error("failed to {doing} {path}: {source}")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
}

fn io(doing: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> StoreError {
    let path = path.to_owned();
    move |source| StoreError::Io { doing, path, source }
}

/// A campaign that is being written. The lock is held as long as it lives.
pub struct Store {
    /// The directory.
    pub dir: PathBuf,
    /// The trials.
    pub trials: Journal,
    /// The series.
    pub series: Journal,
    /// The steps of the search.
    pub steps: Journal,
    /// The round before which the last of them was decided.
    pub last_step: Option<u32>,
    /// The round before which the time budget ended, where it did: nothing more is run.
    pub closed: Option<u32>,
    _lock: File,
}

/// A campaign as read.
#[derive(Debug)]
pub struct Campaign {
    /// What it is.
    pub manifest: Manifest,
    /// Its trials, in the order they ended.
    pub trials: Vec<TrialRecord>,
    /// RSS and live bytes over time of some of them.
    pub series: Vec<Series>,
    /// The steps of the search.
    pub steps: Vec<Step>,
    /// What a reader should be told about the files.
    pub notes: Vec<String>,
}

/// Makes a new campaign.
///
/// # Errors
/// [`StoreError::Exists`] where there is one; else what the system says.
pub fn create(dir: &Path, manifest: &Manifest) -> Result<Store, StoreError> {
    std::fs::create_dir_all(dir).map_err(io("make the directory", dir))?;
    let lock = lock(dir)?;
    let path = dir.join(MANIFEST);
    if path.exists() || dir.join(TRIALS).exists() {
        return Err(StoreError::Exists(dir.to_owned()));
    }
    write_whole(&path, manifest)?;
    open_journals(dir, lock, [0; 3])
}

/// Opens a campaign to go on with it. Of its trials only what a strategy looks at is held.
///
/// # Errors
/// Where there is none, or its files are not what they should be.
pub fn resume(dir: &Path) -> Result<(Store, Campaign), StoreError> {
    if !dir.join(MANIFEST).exists() {
        return Err(StoreError::Missing(dir.to_owned()));
    }
    let lock = lock(dir)?;
    let manifest = read_manifest(dir)?;
    let trials = journal::read_each(&dir.join(TRIALS), run::slim).map_err(StoreError::Corrupt)?;
    let series = journal::read(&dir.join(SERIES)).map_err(StoreError::Corrupt)?;
    let steps = journal::read(&dir.join(STEPS)).map_err(StoreError::Corrupt)?;
    let mut store = open_journals(dir, lock, [trials.length, series.length, steps.length])?;
    store.last_step = steps.lines.last().map(|step: &Step| step.round);
    // An extension that came later opens it again.
    let until = manifest.extended.last().map_or(0, |extended| extended.until_round);
    store.closed =
        steps.lines.last().filter(|step| step.out_of_time && step.round > until).map(|step| step.round);
    if store.last_step == Some(until) && until > 0 && steps.lines.last().is_some_and(|s| s.stopped.is_some())
    {
        store.last_step = Some(until - 1);
    }
    let campaign = assemble(manifest, trials, series, steps);
    Ok((store, campaign))
}

/// Allows a campaign more rounds or time than before: what was allowed stays in its manifest, with the round at which it
/// ended.
///
/// # Errors
/// What the system says.
pub fn extend(
    store: &mut Store,
    campaign: &mut Campaign,
    (rounds, time_budget_s): (u32, Option<f64>),
) -> Result<(), StoreError> {
    let begun = campaign.trials.iter().map(|trial| trial.round + 1).max().unwrap_or(0);
    let stopped = campaign.steps.last().filter(|step| step.stopped.is_some()).map(|step| step.round);
    let manifest = &mut campaign.manifest;
    let until_round = stopped.unwrap_or(begun);
    let (before, budget) = (manifest.rounds, manifest.time_budget_s);
    manifest.extended.push(Extended { until_round, rounds: before, time_budget_s: budget });
    (manifest.rounds, manifest.time_budget_s) = (rounds, time_budget_s);
    write_whole(&store.dir.join(MANIFEST), manifest)?;
    store.closed = None;
    store.last_step = store.last_step.map(|last| last.min(until_round.saturating_sub(1)));
    Ok(())
}

/// Reads a campaign, finished or not.
///
/// # Errors
/// Where there is none, or its files are not what they should be.
pub fn read(dir: &Path) -> Result<Campaign, StoreError> {
    let manifest = read_manifest(dir)?;
    let trials = journal::read(&dir.join(TRIALS)).map_err(StoreError::Corrupt)?;
    let series = journal::read(&dir.join(SERIES)).map_err(StoreError::Corrupt)?;
    let steps = journal::read(&dir.join(STEPS)).map_err(StoreError::Corrupt)?;
    Ok(assemble(manifest, trials, series, steps))
}

fn assemble(
    manifest: Manifest,
    trials: journal::Read<TrialRecord>,
    series: journal::Read<Series>,
    steps: journal::Read<Step>,
) -> Campaign {
    let mut notes = Vec::new();
    if trials.truncated {
        notes.push(format!(
            "the last line of {TRIALS} is cut off, as a killed harness leaves it; {} whole lines were read",
            trials.lines.len()
        ));
    }
    Campaign { manifest, trials: trials.lines, series: series.lines, steps: steps.lines, notes }
}

fn open_journals(dir: &Path, lock: File, [trials, series, steps]: [u64; 3]) -> Result<Store, StoreError> {
    let open = |name: &str, length| {
        let path = dir.join(name);
        Journal::open(&path, length).map_err(io("open", &path))
    };
    Ok(Store {
        trials: open(TRIALS, trials)?,
        series: open(SERIES, series)?,
        steps: open(STEPS, steps)?,
        last_step: None,
        closed: None,
        dir: dir.to_owned(),
        _lock: lock,
    })
}

/// Takes the directory for this process, without leaving a file behind: the lock is on the directory.
fn lock(dir: &Path) -> Result<File, StoreError> {
    let file = File::open(dir).map_err(io("open", dir))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(StoreError::Busy(dir.to_owned())),
        Err(std::fs::TryLockError::Error(source)) => {
            Err(StoreError::Io { doing: "lock", path: dir.to_owned(), source })
        }
    }
}

/// Writes the manifest so that it is there whole or not at all.
fn write_whole(path: &Path, manifest: &Manifest) -> Result<(), StoreError> {
    let partial = path.with_extension("json.partial");
    let write = || -> std::io::Result<()> {
        let mut file = File::create(&partial)?;
        serde_json::to_writer_pretty(&mut file, manifest)?;
        file.write_all(b"\n")?;
        file.sync_all()?;
        std::fs::rename(&partial, path)?;
        path.parent().map_or(Ok(()), |dir| File::open(dir)?.sync_all())
    };
    write().map_err(io("write", path))
}

fn read_manifest(dir: &Path) -> Result<Manifest, StoreError> {
    let path = dir.join(MANIFEST);
    let size = match std::fs::metadata(&path) {
        Ok(metadata) => metadata.len(),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            return Err(StoreError::Missing(dir.to_owned()));
        }
        Err(e) => return Err(io("read", &path)(e)),
    };
    if size > MAX_MANIFEST {
        return Err(StoreError::Corrupt(format!("{}: too large for a manifest", path.display())));
    }
    let text = std::fs::read(&path).map_err(io("read", &path))?;
    let corrupt = |e: serde_json::Error| {
        StoreError::Corrupt(format!("{} is not a campaign's manifest: {e}", path.display()))
    };
    let value: serde_json::Value = serde_json::from_slice(&text).map_err(corrupt)?;
    let found = value.get("format").and_then(serde_json::Value::as_u64);
    if let Some(found) = found
        && found > u64::from(FORMAT)
    {
        return Err(StoreError::Newer { path, found });
    }
    let manifest = serde_json::from_value(value).map_err(corrupt)?;
    match validate::check(&manifest) {
        Ok(()) => Ok(manifest),
        Err(why) => Err(StoreError::Corrupt(format!("{} does not hold together: {why}", path.display()))),
    }
}
