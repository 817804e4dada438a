//! What grows in a process that was looked at several times.

use std::collections::BTreeSet;

use crate::format::FORMAT;
use crate::format::inspect::{Arena, Inspected};
use crate::format::watch::{Growing, Growth, Watched};
use crate::statistics::{Interval, sen};
use crate::units::format_bytes;

/// A change below this, or below a hundredth of what is resident, is none.
const WORTH: f64 = 1_048_576.0;

/// A look at a process, and when it was, in seconds from the first one.
pub type Look = (f64, Inspected);

/// Sums up all looks at one process; `None` where there is none.
pub fn watched(looks: &[Look]) -> Option<Watched> {
    let (first, last) = (looks.first()?, looks.last()?);
    let seconds = last.0 - first.0;
    let growth: Vec<(Growth, Option<Interval>)> =
        kinds(looks).into_iter().filter_map(|kind| growth(looks, &kind)).collect();
    let (verdict, evidence) = verdict(looks, seconds, &growth);
    Some(Watched {
        format: FORMAT,
        pid: last.1.pid,
        comm: last.1.comm.clone(),
        verdict,
        evidence,
        looks: looks.len() as u64,
        seconds,
        growth: growth.into_iter().map(|(growth, _)| growth).collect(),
    })
}

/// How much of a kind a look showed; `None` where it could not be seen.
type Of = Box<dyn Fn(&Inspected) -> Option<u64>>;

/// A kind of memory, and how much of it a look showed.
struct Kind {
    name: String,
    of: Of,
}

fn in_use(arena: &Arena) -> u64 {
    arena.in_use
}

fn free(arena: &Arena) -> u64 {
    arena.free.saturating_add(arena.fast).saturating_add(arena.top)
}

/// What arenas hold; `None` where malloc was not seen.
fn sum(seen: &Inspected, which: fn(&Arena) -> bool, field: fn(&Arena) -> u64) -> Option<u64> {
    let arenas = || seen.arenas.iter().filter(|arena| which(arena));
    (!seen.arenas.is_empty()).then(|| arenas().map(field).fold(0, u64::saturating_add))
}

fn kinds(looks: &[Look]) -> Vec<Kind> {
    let kind =
        |name: &str, of: fn(&Inspected) -> Option<u64>| Kind { name: name.to_owned(), of: Box::new(of) };
    let mut kinds = vec![
        kind("resident", |seen| seen.rss),
        kind("live", |seen| {
            let large = seen.mmapped.as_ref().map_or(0, |mapped| mapped.bytes);
            sum(seen, |_| true, in_use).map(|bytes| bytes.saturating_add(large))
        }),
        kind("free", |seen| sum(seen, |_| true, free)),
        kind("main heap in use", |seen| sum(seen, |arena| arena.main, in_use)),
        kind("main heap free", |seen| sum(seen, |arena| arena.main, free)),
        kind("thread arenas in use", |seen| sum(seen, |arena| !arena.main, in_use)),
        kind("thread arenas free", |seen| sum(seen, |arena| !arena.main, free)),
        kind("large blocks", |seen| seen.mmapped.as_ref().map(|mapped| mapped.bytes)),
    ];
    let rows: BTreeSet<&str> =
        looks.iter().flat_map(|(_, seen)| seen.rows.iter().map(|row| row.kind.as_str())).collect();
    for row in rows {
        let wanted = row.to_owned();
        let of = move |seen: &Inspected| {
            let found = seen.rows.iter().find(|row| row.kind == wanted).map(|row| row.rss);
            found.or((!seen.rows.is_empty()).then_some(0))
        };
        kinds.push(Kind { name: format!("resident: {row}"), of: Box::new(of) });
    }
    kinds
}

/// How one kind changed; `None` where it was never seen, or there never was any.
fn growth(looks: &[Look], kind: &Kind) -> Option<(Growth, Option<Interval>)> {
    let seen: Vec<(f64, u64)> = looks.iter().filter_map(|(at, seen)| Some((*at, (kind.of)(seen)?))).collect();
    let (first, last) = (seen.first()?.1, seen.last()?.1);
    if seen.iter().all(|(_, bytes)| *bytes == 0) {
        return None;
    }
    let points: Vec<(f64, f64)> = seen.iter().map(|(at, bytes)| (*at, *bytes as f64)).collect();
    let slope = sen::slope(&points);
    let growth = Growth {
        kind: kind.name.clone(),
        first,
        last,
        slope: slope.map(|slope| slope.estimate),
        low: slope.map(|slope| slope.low),
        high: slope.map(|slope| slope.high),
    };
    Some((growth, slope))
}

/// How a kind went over the whole time.
#[derive(Clone, Copy, PartialEq)]
enum Course {
    Grows(f64),
    Flat,
    Unclear,
}

fn course(slope: Option<Interval>, seconds: f64, worth: f64) -> Course {
    let Some(slope) = slope.map(|slope| slope.map(|one| one * seconds)) else { return Course::Unclear };
    if slope.low > 0.0 && slope.estimate >= worth {
        Course::Grows(slope.estimate)
    } else if slope.high < worth {
        // It may fall: that is no growth either.
        Course::Flat
    } else {
        Course::Unclear
    }
}

fn verdict(looks: &[Look], seconds: f64, growth: &[(Growth, Option<Interval>)]) -> (Growing, String) {
    if looks.len() < sen::LEAST {
        let (least, count) = (sen::LEAST, looks.len());
        return (Growing::Undecided, format!("{count} looks show no trend; it takes at least {least}"));
    }
    let resident = looks.last().and_then(|(_, seen)| seen.rss).unwrap_or(0);
    let worth = (resident as f64 / 100.0).max(WORTH);
    let of = |kind: &str| {
        let found = growth.iter().find(|(growth, _)| growth.kind == kind);
        // What was never there does not grow.
        found.map_or(Course::Flat, |(_, slope)| course(*slope, seconds, worth))
    };
    let (resident, live, free) = (of("resident"), of("live"), of("free"));
    let shown = |bytes: f64| format_bytes(bytes);
    match (live, free) {
        (Course::Grows(live), Course::Grows(free)) if free > live => (
            Growing::FreeBytes,
            format!("free bytes in arenas grow by {}, live ones by {}", shown(free), shown(live)),
        ),
        (Course::Grows(live), _) => {
            (Growing::LiveBytes, format!("live bytes grow by {} in this time", shown(live)))
        }
        (_, Course::Grows(free)) => {
            let sentence = format!("free bytes in arenas grow by {} in this time", shown(free));
            (if live == Course::Flat { Growing::FreeBytes } else { Growing::Undecided }, sentence)
        }
        (Course::Flat, Course::Flat) => match resident {
            Course::Flat => {
                (Growing::Plateau, format!("nothing grows by {} or more in this time", shown(worth)))
            }
            Course::Grows(by) => {
                let sentence =
                    format!("resident memory grows by {}, but not malloc's bytes{}", shown(by), most(growth));
                (Growing::Undecided, sentence)
            }
            Course::Unclear => (Growing::Undecided, "resident memory goes up and down".to_owned()),
        },
        _ => (Growing::Undecided, "it goes up and down by more than it may grow".to_owned()),
    }
}

/// The row that grew most, as a clause.
fn most(growth: &[(Growth, Option<Interval>)]) -> String {
    let rows = growth.iter().filter_map(|(one, _)| {
        Some((one.kind.strip_prefix("resident: ")?, one.last.saturating_sub(one.first)))
    });
    rows.max_by_key(|(_, by)| *by).map_or_else(String::new, |(row, _)| format!("; most of it in: {row}"))
}

#[cfg(test)]
mod tests;
