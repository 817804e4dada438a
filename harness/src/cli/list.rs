//! `arenalab list`: workloads, allocators, C libraries and size sets, for people and as JSON.

use std::io::Write;

use arenalab_workloads::catalogue::{self, Description};
use arenalab_workloads::size_sets::{self, SizeSet};
use serde::Serialize;

use super::args::{ListArgs, Listed};
use super::doctor::companions;
use super::doctor::judge::Companion;
use super::exit::CliError;
use super::libcs;
use super::surroundings::Surroundings;
use crate::campaign::prepare;
use crate::format::FORMAT;
use crate::format::manifest::Libc;
use crate::knowledge::{self, Kind, Passing, Setting};
use crate::plan::PlannedLibc;
use crate::trial::libraries::{self, Library};

mod tables;

/// What `--json` prints; what was not asked for is left out.
#[derive(Serialize)]
struct Lists {
    format: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    workloads: Option<Vec<&'static Description>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    allocators: Option<Vec<AllocatorView>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    libraries: Option<Vec<LibraryView>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    libcs: Option<Vec<Libc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sizes: Option<&'static [SizeSet]>,
}

/// An allocator as it is listed.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct AllocatorView {
    name: &'static str,
    /// The workload binary; `null` where it is not found.
    binary: Option<String>,
    /// The allocator's version, by its own word.
    version: Option<String>,
    /// Why there is no version.
    problem: Option<String>,
    settings: Vec<SettingView>,
}

/// An allocator that can be preloaded, as it is listed.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct LibraryView {
    /// The allocator that it should be, by its file name.
    allocator: &'static str,
    /// Ready for `--candidate`.
    candidate: String,
    path: String,
    /// Whether it came with arenalab.
    bundled: bool,
    /// Its version, by its own word.
    version: Option<String>,
    /// Why there is no version.
    problem: Option<String>,
    /// The settings that it takes, by their keys.
    settings: Vec<SettingView>,
}

impl LibraryView {
    fn of(library: &Library) -> Self {
        Self {
            allocator: library.allocator,
            candidate: library.candidate(),
            path: library.path.display().to_string(),
            bundled: library.bundled,
            version: library.identity.as_ref().ok().map(|identity| identity.version.clone()),
            problem: library.identity.as_ref().err().cloned(),
            settings: knowledge::settings(library.allocator).iter().map(SettingView::of).collect(),
        }
    }
}

/// A setting as it is listed.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct SettingView {
    key: &'static str,
    /// What it takes, in words.
    takes: String,
    /// Bounds of a number, in the base unit.
    min: Option<i64>,
    max: Option<i64>,
    choices: Option<Vec<&'static str>>,
    default: String,
    variable: &'static str,
    /// Its name inside the variable, where that holds several.
    item: Option<&'static str>,
    what: &'static str,
    since: Option<String>,
    until: Option<String>,
    source: &'static str,
}

impl SettingView {
    fn of(setting: &Setting) -> Self {
        let is_number = matches!(setting.kind, Kind::Count | Kind::Bytes { .. } | Kind::Millis);
        let least = if setting.zero_is_ignored { setting.min.max(1) } else { setting.min };
        Self {
            key: setting.key,
            takes: setting.range(),
            min: is_number.then_some(least),
            max: is_number.then_some(setting.max),
            choices: match setting.kind {
                Kind::Choice(words) => Some(words.to_vec()),
                _ => None,
            },
            default: setting.unset_words(),
            variable: setting.variable(),
            item: match setting.passing {
                Passing::Variable(_) => None,
                Passing::Tunable(name) => Some(name),
                Passing::MallocConf => Some(setting.key),
            },
            what: setting.what,
            since: setting.since.map(|version| version.to_string()),
            until: setting.until.map(|version| version.to_string()),
            source: setting.source,
        }
    }
}

/// The C libraries that are named besides the host's.
///
/// # Errors
/// A name is none, or a directory is no root with a glibc for this host.
pub fn others(args: &ListArgs) -> Result<Vec<Libc>, CliError> {
    args.libcs.iter().map(|text| other_libc(text)).collect()
}

/// Prints the lists. `others` are C libraries beside the host's.
///
/// # Errors
/// When `out` refuses.
pub fn run(
    args: &ListArgs,
    others: Vec<Libc>,
    around: &Surroundings,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let wanted = |listed| args.what.is_none_or(|what| what == listed);
    let found = match args.what {
        Some(Listed::Workloads | Listed::Sizes) => Vec::new(),
        _ => companions(around),
    };
    let lists = Lists {
        format: FORMAT,
        workloads: wanted(Listed::Workloads)
            .then(|| catalogue::all().iter().filter(|workload| !workload.hidden).collect()),
        allocators: wanted(Listed::Allocators).then(|| allocators(&found)),
        libraries: wanted(Listed::Allocators).then(|| {
            let found = libraries::found(&around.companions, &around.scrubbed());
            found.iter().map(LibraryView::of).collect()
        }),
        libcs: wanted(Listed::Libcs).then(|| [vec![host_libc(&found)], others].concat()),
        sizes: wanted(Listed::Sizes).then_some(size_sets::ALL),
    };
    if args.json {
        serde_json::to_writer_pretty(&mut *out, &lists)?;
        writeln!(out)?;
        return Ok(());
    }
    let mut text = String::new();
    let briefly = args.what.is_none();
    if let Some(workloads) = &lists.workloads {
        text += &if briefly { tables::workloads_briefly(workloads) } else { tables::workloads(workloads) };
    }
    if let Some(allocators) = &lists.allocators {
        text +=
            &if briefly { tables::allocators_briefly(allocators) } else { tables::allocators(allocators) };
    }
    if let Some(libraries) = &lists.libraries {
        text += &tables::libraries(libraries);
    }
    if let Some(libcs) = &lists.libcs {
        text += &tables::libcs(libcs);
    }
    if let Some(sizes) = lists.sizes {
        text += &tables::sizes(sizes, briefly);
    }
    out.write_all(text.as_bytes())?;
    Ok(())
}

fn allocators(companions: &[Companion]) -> Vec<AllocatorView> {
    let view = |(name, settings): &(&'static str, &[Setting])| {
        let companion = companions.iter().find(|companion| companion.allocator == *name);
        let identity = companion.map(|companion| &companion.identity);
        AllocatorView {
            name,
            binary: companion
                .and_then(|companion| companion.path.as_ref())
                .map(|path| path.display().to_string()),
            version: identity
                .and_then(|identity| identity.as_ref().ok())
                .map(|identity| identity.version.clone()),
            problem: identity.and_then(|identity| identity.as_ref().err().cloned()),
            settings: settings.iter().map(SettingView::of).collect(),
        }
    };
    knowledge::ALLOCATORS.iter().map(view).collect()
}

/// One in a directory.
fn other_libc(text: &str) -> Result<Libc, CliError> {
    let libc = PlannedLibc::parse(text).map_err(|why| CliError::Usage(format!("--libc: {why}")))?;
    match libc {
        PlannedLibc::Host => {
            Err(CliError::Usage("--libc: the host's libc is always listed; give NAME=DIR".to_owned()))
        }
        PlannedLibc::Other { name, dir, whole } => libcs::other(&name, &dir, whole),
    }
}

/// The C library that trials run on, as the workload binaries report it.
fn host_libc(companions: &[Companion]) -> Libc {
    let reported = companions.iter().find_map(|companion| companion.identity.as_ref().ok());
    prepare::host_libc(reported.map(|identity| identity.libc_version.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(what: Option<Listed>, json: bool) -> String {
        let mut out = Vec::new();
        run(&ListArgs { what, libcs: Vec::new(), json }, Vec::new(), &Surroundings::default(), &mut out)
            .unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn json_has_what_was_asked_for_and_nothing_else() {
        let lists: serde_json::Value = serde_json::from_str(&listed(Some(Listed::Allocators), true)).unwrap();
        assert!(lists.get("workloads").is_none() && lists.get("libcs").is_none());
        let glibc = &lists["allocators"][0];
        assert_eq!(glibc["name"], "glibc");
        assert!(glibc["problem"].as_str().unwrap().contains("cargo build --release --workspace"));
        let arena_max = &glibc["settings"][0];
        assert_eq!(arena_max["variable"], "MALLOC_ARENA_MAX");
        assert_eq!((arena_max["min"].as_i64(), arena_max["max"].as_i64()), (Some(1), Some(65_536)));
        let all: serde_json::Value = serde_json::from_str(&listed(None, true)).unwrap();
        assert!(all["workloads"][0]["params"][0]["default"].is_u64());
        assert_eq!(all["libcs"][0]["name"], "host");
        assert!(all["libcs"][0]["version"].is_null());
    }

    #[test]
    fn every_workload_and_setting_is_listed_for_people() {
        let workloads = listed(Some(Listed::Workloads), false);
        for workload in catalogue::all() {
            assert_eq!(workloads.contains(workload.name), !workload.hidden, "{}", workload.name);
        }
        let allocators = listed(Some(Listed::Allocators), false);
        for (_, settings) in knowledge::ALLOCATORS {
            for setting in settings {
                assert!(allocators.contains(setting.key), "{}", setting.key);
            }
        }
        assert!(listed(None, false).contains("preload=/path/lib.so"));
        let sizes: serde_json::Value = serde_json::from_str(&listed(Some(Listed::Sizes), true)).unwrap();
        for set in size_sets::ALL {
            assert!(listed(Some(Listed::Sizes), false).contains(set.source.split(',').next().unwrap()));
            assert!(sizes["sizes"].as_array().unwrap().iter().any(|listed| listed["name"] == set.name));
        }
    }
}
