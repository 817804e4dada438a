//! Which charts a process has: from what was seen to data for the charts.

use super::Inspection;
use super::told::{self, free};
use crate::format::inspect::{Arena, Inspected};
use crate::report::charts::Drawing;
use crate::report::charts::occupancy::{self, Cell, Occupancy};
use crate::report::charts::watched::{self, Line};
use crate::report::charts::whole::{Part, Whole};
use crate::report::pictures::{Picture, Place};
use crate::report::words;
use crate::units::format_bytes;

/// A row is worth a line of its own where it once was this share of all.
const WORTH: f64 = 0.02;

/// All charts of a process, the most telling first. `seen` is the last look.
pub fn pictures(inspection: &Inspection, seen: &Inspected) -> Vec<Picture<'static>> {
    let picture =
        |kind: &str, drawing| Picture { file: format!("{kind}-{}", seen.pid), place: Place::Front, drawing };
    let growth = growth(inspection, seen).map(|chart| picture("growth", Drawing::Watched(chart)));
    let whole = whole(seen).map(|chart| picture("anatomy", Drawing::Whole(chart)));
    let arenas = occupancy(seen).map(|chart| picture("arenas", Drawing::Occupancy(chart)));
    [growth, whole, arenas].into_iter().flatten().collect()
}

fn subtitle(seen: &Inspected, more: &str) -> String {
    let name = words::shortened(&words::clean(&seen.comm), 32);
    format!("{name}, PID {}{more}", seen.pid)
}

fn bytes(bytes: u64) -> String {
    format_bytes(bytes as f64)
}

/// Where resident memory is; none where it could not be seen.
fn whole(seen: &Inspected) -> Option<Whole> {
    let of = |kind: &str| seen.rows.iter().find(|row| row.kind == kind).map_or(0, |row| row.rss);
    let arenas = of("main heap").saturating_add(of("thread arenas"));
    let resident = free_resident(seen).map(|free| free.min(arenas));
    let heaps = if seen.arenas.is_empty() {
        // Whoever has it from brk.
        vec![(Part::Other, "heap by brk, not glibc's".to_owned(), arenas)]
    } else if let Some(resident) = resident {
        let in_use = arenas - resident;
        vec![
            (Part::InUse, "in use in arenas".to_owned(), in_use),
            (Part::Free, "free in arenas".to_owned(), resident),
        ]
    } else {
        vec![(Part::InUse, "arenas, in use or free".to_owned(), arenas)]
    };
    let rows = [
        (Part::Blocks, "large blocks with a mapping of their own", "mapped blocks"),
        (Part::Other, "other memory without a file", "other anonymous"),
        (Part::Stacks, "stacks", "stacks"),
        (Part::Files, "files", "files"),
        (Part::Shared, "shared memory", "shared memory"),
    ];
    let is_named = |kind: &str| {
        matches!(kind, "main heap" | "thread arenas") || rows.iter().any(|(_, _, named)| *named == kind)
    };
    let others = seen.rows.iter().filter(|row| !is_named(&row.kind));
    let others = others.map(|row| (Part::Other, words::clean(&row.kind), row.rss));
    let rows = rows.iter().map(|(part, name, kind)| (*part, (*name).to_owned(), of(kind)));
    let parts: Vec<(Part, String, u64)> =
        heaps.into_iter().chain(rows).chain(others).filter(|(_, _, bytes)| *bytes > 0).collect();
    let all = parts.iter().fold(0_u64, |sum, (_, _, bytes)| sum.saturating_add(*bytes));
    let title = match resident {
        Some(free) if !seen.arenas.is_empty() => {
            format!("{} resident, {} of it free in arenas", bytes(all), bytes(free))
        }
        _ => format!("{} resident", bytes(all)),
    };
    (!parts.is_empty()).then(|| Whole { title, subtitle: subtitle(seen, ""), parts })
}

/// What of free chunks and tops is resident; `None` where it is not known of all arenas.
fn free_resident(seen: &Inspected) -> Option<u64> {
    let used = seen.arenas.iter().filter(|arena| arena.system > 0);
    used.map(|arena| Some(arena.free_resident?.saturating_add(arena.top_resident?))).sum()
}

/// How full the arenas are; none where there are none.
fn occupancy(seen: &Inspected) -> Option<Occupancy> {
    let arenas = told::sorted(seen);
    let cell = |(name, arena): &(String, &Arena)| Cell {
        name: name.clone(),
        system: arena.system,
        in_use: arena.in_use,
        resident: arena.rss,
    };
    let cells: Vec<Cell> = arenas.iter().take(occupancy::MOST).map(cell).collect();
    let sum = |field: fn(&Arena) -> u64| seen.arenas.iter().map(field).fold(0, u64::saturating_add);
    let (system, in_use) = (sum(|arena| arena.system), sum(|arena| arena.in_use));
    let share = in_use as f64 / system.max(1) as f64 * 100.0;
    let more = match arenas.len().saturating_sub(cells.len()) {
        0 => "; the largest first".to_owned(),
        more => format!("; the largest first, {more} smaller ones are not drawn"),
    };
    (!cells.is_empty()).then(|| Occupancy {
        title: format!(
            "{}: {} from the system, {share:.0} % of it in use",
            words::plural(arenas.len() as u64, "arena"),
            bytes(system)
        ),
        subtitle: subtitle(seen, &more),
        cells,
    })
}

/// What it was over time; none where it was not watched.
fn growth(inspection: &Inspection, seen: &Inspected) -> Option<watched::Watched> {
    let watched = inspection.watched.filter(|_| inspection.looks.len() > 1)?;
    let line = |name: &str, of: &dyn Fn(&Inspected) -> Option<u64>| Line {
        name: name.to_owned(),
        points: inspection.looks.iter().filter_map(|(at, seen)| Some((*at, of(seen)? as f64))).collect(),
    };
    let malloc = |field: fn(&Arena) -> u64| {
        move |seen: &Inspected| {
            let arenas = || seen.arenas.iter().map(field);
            (!seen.arenas.is_empty()).then(|| arenas().fold(0, u64::saturating_add))
        }
    };
    let live = |seen: &Inspected| {
        let large = seen.mmapped.as_ref().map_or(0, |mapped| mapped.bytes);
        malloc(|arena| arena.in_use)(seen).map(|bytes| bytes.saturating_add(large))
    };
    let row = |kind: &'static str| {
        move |seen: &Inspected| {
            let found = seen.rows.iter().find(|row| row.kind == kind).map(|row| row.rss);
            found.or((!seen.rows.is_empty()).then_some(0))
        }
    };
    let mut lines = vec![
        line("resident", &|seen| seen.rss),
        line("live in malloc", &live),
        line("free in malloc", &malloc(free)),
    ];
    for (kind, name) in [("other anonymous", "other anonymous"), ("files", "files"), ("stacks", "stacks")] {
        lines.push(line(name, &row(kind)));
    }
    let most = |line: &Line| line.points.iter().map(|(_, bytes)| *bytes).fold(0.0, f64::max);
    let worth = lines.iter().map(&most).fold(0.0, f64::max) * WORTH;
    lines.retain(|line| !line.points.is_empty() && most(line) >= worth);
    lines.truncate(watched::MOST);
    let looks = words::plural(watched.looks, "look");
    (!lines.is_empty()).then(|| watched::Watched {
        title: told::verdict(watched),
        subtitle: subtitle(seen, &format!("; {looks} in {}", crate::units::format_seconds(watched.seconds))),
        lines,
    })
}
