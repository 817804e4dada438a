//! The lists for people.

use arenalab_workloads::catalogue::Description;
use arenalab_workloads::size_sets::{By, SizeSet};
use arenalab_workloads::spec;
use comfy_table::{ColumnConstraint, ContentArrangement, Table, presets};

use super::{AllocatorView, LibraryView, SettingView};
use crate::format::manifest::Libc;
use crate::units::format_bytes;

/// Width where the output is no terminal.
const WIDTH: u16 = 110;

/// A table without lines, wrapped to the terminal.
fn table() -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    if !table.is_tty() {
        table.set_width(WIDTH);
    }
    table
}

/// The table's text, in which all columns but the last stay whole.
fn text(mut table: Table) -> String {
    let last = table.column_count().saturating_sub(1);
    for (place, column) in table.column_iter_mut().enumerate() {
        if place < last {
            column.set_constraint(ColumnConstraint::ContentWidth);
        }
    }
    let lines: Vec<_> = table.lines().map(|line| format!("{}\n", line.trim_end())).collect();
    lines.concat()
}

/// A paragraph, wrapped and indented.
fn paragraph(words: &str) -> String {
    let mut table = table();
    table.add_row(["", words]);
    text(table)
}

/// Workloads, a line each.
pub(super) fn workloads_briefly(workloads: &[&Description]) -> String {
    let mut table = table();
    for workload in workloads {
        table.add_row([workload.name, workload.summary]);
    }
    format!("Workloads (arenalab list workloads has their parameters)\n{}\n", text(table))
}

/// Workloads with their parameters.
pub(super) fn workloads(workloads: &[&Description]) -> String {
    let one = |workload: &&Description| {
        let mut table = table();
        for param in workload.params {
            let written = |value| spec::written(param, value);
            let range = format!("{} to {}", written(param.min), written(param.max));
            let what = format!("{}; default {}, {range}", param.what, written(param.default));
            table.add_row([format!("  {}", param.name), what]);
        }
        let (description, parameters) = (paragraph(workload.description), text(table));
        format!("{}: {}\n{description}{parameters}\n", workload.name, workload.summary)
    };
    let listed: String = workloads.iter().map(one).collect();
    listed + "Write WORKLOAD:PARAMETER=VALUE,..., for example larson:size_max=500\n"
}

/// What is known of the allocator's binary, in a line.
fn state(allocator: &AllocatorView) -> String {
    match (&allocator.version, &allocator.problem) {
        (Some(version), _) => version.clone(),
        (None, Some(problem)) => problem.clone(),
        (None, None) => "version unknown".to_owned(),
    }
}

/// Allocators, a line each.
pub(super) fn allocators_briefly(allocators: &[AllocatorView]) -> String {
    let mut table = table();
    for allocator in allocators {
        table.add_row([allocator.name.to_owned(), state(allocator)]);
    }
    table.add_row(["preload=/path/lib.so", "any other, put in front with LD_PRELOAD"]);
    format!("Allocators (arenalab list allocators has their settings)\n{}\n", text(table))
}

/// Allocators with their settings.
pub(super) fn allocators(allocators: &[AllocatorView]) -> String {
    let one = |allocator: &AllocatorView| {
        let binary = allocator.binary.as_ref();
        let binary = binary.map_or(String::new(), |path| format!("  measured with {path}\n"));
        let mut table = table();
        for setting in &allocator.settings {
            table.add_row([format!("  {}", setting.key), explained(setting)]);
        }
        format!("{} {}\n{binary}{}\n", allocator.name, state(allocator), text(table))
    };
    let listed: String = allocators.iter().map(one).collect();
    let preload = "any other allocator, put in front of the C library's with LD_PRELOAD; what follows are \
                   variables, or the settings of jemalloc, mimalloc and tcmalloc, known by the library's name";
    format!(
        "{listed}preload=/path/lib.so[:NAME=VALUE,...]\n{}\nWrite ALLOCATOR:KEY=VALUE,..., for example \
         glibc:arena_max=2,trim_threshold=128KiB. Sources: arenalab list allocators --json\n",
        paragraph(preload)
    )
}

/// Allocators that can be preloaded, ready to be given as candidates.
pub(super) fn libraries(libraries: &[LibraryView]) -> String {
    if libraries.is_empty() {
        return String::new();
    }
    let mut table = table();
    for library in libraries {
        let (version, problem) = (library.version.as_ref(), library.problem.as_ref());
        // jemalloc's goes on with the commit that it was built from.
        let brief = |version: &String| {
            version.split_once("-0-g").map_or(version.clone(), |(brief, _)| brief.to_owned())
        };
        let version = version.map(|version| format!("{} {}", library.allocator, brief(version)));
        table.add_row([library.candidate.clone(), version.or(problem.cloned()).unwrap_or_default()]);
    }
    format!("Libraries to preload, found on this host\n{}\n", text(table))
}

/// What a setting does, takes, defaults to, and how it is passed.
fn explained(setting: &SettingView) -> String {
    let passed = match setting.item {
        Some(item) => format!("{} {item}", setting.variable),
        None => setting.variable.to_owned(),
    };
    let versions = match (&setting.since, &setting.until) {
        (None, None) => String::new(),
        (Some(since), None) => format!("; from {since} on"),
        (None, Some(until)) => format!("; up to {until}"),
        (Some(since), Some(until)) => format!("; from {since} to {until}"),
    };
    format!("{}\n{}; default: {}; {passed}{versions}", setting.what, setting.takes, setting.default)
}

/// C libraries.
pub(super) fn libcs(libcs: &[Libc]) -> String {
    let mut table = table();
    for libc in libcs {
        let version = libc.version.as_ref().map(|version| format!("glibc {version}"));
        let unknown = || "version unknown: no workload binary could be asked".to_owned();
        let place = libc.path.clone().unwrap_or_default();
        table.add_row([libc.name.clone(), version.unwrap_or_else(unknown), place]);
    }
    let usage = "A root with another glibc is measured with --libc NAME=DIR, and looked at with it here";
    format!("C libraries\n{}{usage}\n", text(table))
}

/// Published distributions of sizes.
pub(super) fn sizes(sets: &[SizeSet], briefly: bool) -> String {
    let one = |set: &SizeSet| {
        let mean = format_bytes(set.distribution(By::Allocated).mean());
        if briefly {
            return format!("  {}: {mean} on average\n", set.name);
        }
        let live = set.tells_live().then(|| format_bytes(set.distribution(By::Live).mean()));
        let live = live.map_or(String::new(), |live| format!(", {live} of those alive"));
        let (what, source) = (paragraph(set.what), paragraph(&format!("Source: {}", set.source)));
        format!("{}: {mean} on average{live}\n{what}{source}\n", set.name)
    };
    let listed: String = sets.iter().map(one).collect();
    let heading = "\nSize sets for models (arenalab list sizes has their sources)\n";
    let usage = "Write size = { kind = \"set\", name = \"NAME\" } in a model's class; see docs/models.md\n";
    if briefly { format!("{heading}{listed}") } else { listed + usage }
}
