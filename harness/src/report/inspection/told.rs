//! What the page says of a process.

use serde::Serialize;

use super::Inspection;
use crate::format::inspect::{Advice, Arena, InUse, Inspected};
use crate::format::watch::{Growing, Growth, Watched};
use crate::report::chapter::Cell;
use crate::report::story::{Fact, Figure, fact};
use crate::report::words::{self, plural};
use crate::units::format_bytes;

/// Arenas that have a row, the largest first.
const MOST_ROWS: usize = 1000;

/// One process.
#[derive(Serialize)]
pub struct Part {
    /// Fragment to link to.
    anchor: String,
    /// Name and PID.
    pub name: String,
    /// What leads.
    headline: String,
    /// `good`, `keep` or `open`: the colour of what leads.
    tone: &'static str,
    facts: Vec<Fact>,
    settings: Vec<Fact>,
    not_seen: Vec<String>,
    advice: Vec<Said>,
    figures: Vec<Figure>,
    arenas: Vec<Line>,
    /// Arenas without a row.
    more_arenas: usize,
    rows: Vec<Line>,
    growth: Vec<Line>,
    sizes: Vec<Line>,
}

/// An advice.
#[derive(Serialize)]
struct Said {
    rule: String,
    evidence: String,
    next: String,
    source: String,
}

/// A row of a table.
#[derive(Serialize)]
struct Line {
    name: String,
    cells: Vec<Cell>,
}

/// What is said of a process; `seen` is the last look at it.
pub fn part(inspection: &Inspection, seen: &Inspected, figures: Vec<Figure>) -> Part {
    let sorted = sorted(seen);
    let lead = lead(inspection.watched, seen);
    Part {
        anchor: format!("p{}", seen.pid),
        name: words::clean(&format!("{} ({})", words::shortened(&seen.comm, 64), seen.pid)),
        headline: words::clean(&lead),
        tone: tone(inspection.watched, seen),
        facts: facts(seen),
        settings: settings(seen),
        not_seen: seen
            .not_seen
            .iter()
            .map(|one| words::clean(&format!("{}: {}", one.what, one.why)))
            .collect(),
        advice: seen.advice.iter().map(said).collect(),
        figures,
        arenas: sorted.iter().take(MOST_ROWS).map(|(name, arena)| arena_line(name, arena)).collect(),
        more_arenas: sorted.len().saturating_sub(MOST_ROWS),
        rows: seen
            .rows
            .iter()
            .map(|row| Line {
                name: row.kind.clone(),
                cells: [Some(row.rss), row.pss, Some(row.anon_huge), Some(row.lazy_free), Some(row.swap)]
                    .map(or_unknown)
                    .into(),
            })
            .collect(),
        growth: inspection
            .watched
            .map(|watched| watched.growth.iter().map(growth).collect())
            .unwrap_or_default(),
        sizes: sizes(seen),
    }
}

/// Free bytes of an arena, resident or not.
pub fn free(arena: &Arena) -> u64 {
    arena.free.saturating_add(arena.fast).saturating_add(arena.top)
}

/// The arenas with their names, the largest first.
pub fn sorted(seen: &Inspected) -> Vec<(String, &Arena)> {
    let mut sorted: Vec<&Arena> = seen.arenas.iter().collect();
    sorted.sort_by_key(|arena| std::cmp::Reverse(arena.rss.unwrap_or(arena.system)));
    let name = |(number, arena): (usize, &Arena)| {
        if arena.main { "main".to_owned() } else { format!("{}.", number + 1) }
    };
    let names: Vec<String> = sorted.iter().copied().enumerate().map(name).collect();
    names.into_iter().zip(sorted).collect()
}

/// The verdict of a watch in words.
pub fn verdict(watched: &Watched) -> String {
    let verdict = match watched.verdict {
        Growing::Plateau => "Plateau",
        Growing::LiveBytes => "Growing in live bytes",
        Growing::FreeBytes => "Growing in free bytes",
        Growing::Undecided => "Undecided",
    };
    format!("{verdict}: {}", watched.evidence)
}

fn lead(watched: Option<&Watched>, seen: &Inspected) -> String {
    let name = format!("{} ({})", words::shortened(&seen.comm, 32), seen.pid);
    match (watched, seen.advice.first()) {
        (Some(watched), _) => format!("{name}: {}.", verdict(watched)),
        (None, Some(Advice { rule, evidence, .. })) => format!("{name}: {rule}. {evidence}."),
        (None, None) if is_dark(seen) => format!("{name}: what its memory holds could not be seen."),
        // A core: what was resident is not told, and rules that need it are silent.
        (None, None) if seen.rows.is_empty() => format!("{name}: what could be seen of its arenas."),
        (None, None) => format!("{name}: nothing to say of its heap."),
    }
}

/// Whether nothing of its memory was seen.
fn is_dark(seen: &Inspected) -> bool {
    seen.rows.is_empty() && seen.arenas.is_empty()
}

fn tone(watched: Option<&Watched>, seen: &Inspected) -> &'static str {
    let grows =
        watched.is_some_and(|watched| matches!(watched.verdict, Growing::LiveBytes | Growing::FreeBytes));
    match () {
        () if grows || !seen.advice.is_empty() || is_dark(seen) => "open",
        () => "good",
    }
}

fn bytes(bytes: u64) -> String {
    format_bytes(bytes as f64)
}

fn facts(seen: &Inspected) -> Vec<Fact> {
    let unknown = || "unknown".to_owned();
    let version = seen.allocator.version.as_deref().map_or_else(String::new, |version| format!(" {version}"));
    let mut facts = vec![
        fact("resident", seen.rss.map_or_else(unknown, bytes)),
        fact("threads", seen.threads.map_or_else(unknown, |threads| threads.to_string())),
        fact("malloc", format!("{}{version}: {}", seen.allocator.name, seen.allocator.how)),
    ];
    if !seen.arenas.is_empty() {
        let limit = seen.arena_limit.as_ref().map_or_else(unknown, |limit| match limit.high {
            Some(high) if high == limit.low => high.to_string(),
            Some(high) => format!("{} to {high}", limit.low),
            None => "no limit".to_owned(),
        });
        facts.push(fact("arenas", format!("{}, at most: {limit}", seen.arenas.len())));
        let gives: Option<u64> =
            seen.arenas.iter().filter(|arena| arena.system > 0).map(|arena| arena.trim_gives).sum();
        facts.push(fact("malloc_trim(0) would give back", gives.map_or_else(unknown, bytes)));
    }
    if let Some(mapped) = &seen.mmapped {
        let blocks = plural(mapped.count, "block");
        facts.push(fact("with a mapping of their own", format!("{blocks}, {}", bytes(mapped.bytes))));
    }
    if let Some(cached) = &seen.tcache {
        let what = format!("{} in {}", bytes(cached.bytes), plural(cached.caches, "cache"));
        facts.push(fact("in threads' caches, counted as in use", what));
    }
    if seen.retries + seen.torn_walks > 0 {
        let what = format!("{} read again, {} never held still", seen.retries, seen.torn_walks);
        facts.push(fact("lists that changed meanwhile", what));
    }
    facts
}

fn settings(seen: &Inspected) -> Vec<Fact> {
    let mut facts: Vec<Fact> = seen.environment.iter().map(|one| fact("environment", one.as_str())).collect();
    let Some(settings) = &seen.settings else { return facts };
    let set = |value: u64| if value == 0 { "not set".to_owned() } else { value.to_string() };
    facts.push(fact("arena_max", set(settings.arena_max)));
    facts.push(fact("arena_test", settings.arena_test.to_string()));
    let dynamic = if settings.dynamic_thresholds { ", rises by itself" } else { ", fixed" };
    facts.push(fact("mmap_threshold", format!("{}{dynamic}", bytes(settings.mmap_threshold))));
    let trim =
        if settings.trim_threshold == u64::MAX { "never".to_owned() } else { bytes(settings.trim_threshold) };
    facts.push(fact("trim_threshold", trim));
    facts.push(fact("top_pad", bytes(settings.top_pad)));
    facts.extend(settings.tcache_count.map(|count| fact("tcache_count", count.to_string())));
    facts.extend(settings.tcache_max.map(|most| fact("tcache_max", bytes(most))));
    for (name, size) in
        [("hugetlb=1, pages of", settings.thp_pagesize), ("hugetlb=2, pages of", settings.hp_pagesize)]
    {
        facts.extend(size.filter(|size| *size > 0).map(|size| fact(name, bytes(size))));
    }
    facts
}

fn said(advice: &Advice) -> Said {
    Said {
        rule: words::clean(&advice.rule),
        evidence: words::clean(&advice.evidence),
        next: words::clean(&advice.next),
        source: words::clean(&advice.source),
    }
}

fn of_bytes(size: u64) -> Cell {
    Cell { text: bytes(size), value: Some(size as f64), ..Cell::default() }
}

fn or_unknown(size: Option<u64>) -> Cell {
    size.map_or_else(|| Cell { text: "?".to_owned(), ..Cell::default() }, of_bytes)
}

fn number(value: Option<u64>) -> Cell {
    let text = value.map_or_else(|| "?".to_owned(), |value| value.to_string());
    Cell { text, value: value.map(|value| value as f64), ..Cell::default() }
}

fn arena_line(name: &str, arena: &Arena) -> Line {
    let cells = vec![
        number(arena.threads),
        of_bytes(arena.system),
        of_bytes(arena.in_use),
        of_bytes(arena.free.saturating_add(arena.fast)),
        of_bytes(arena.top),
        or_unknown(arena.rss),
        or_unknown(arena.trim_gives),
    ];
    Line { name: name.to_owned(), cells }
}

fn growth(growth: &Growth) -> Line {
    let rate = |rate: Option<f64>| {
        let minute = rate.map(|rate| rate * 60.0);
        let text = minute.map_or_else(
            || "?".to_owned(),
            |rate| format!("{}{}", if rate < 0.0 { "−" } else { "+" }, format_bytes(rate.abs())),
        );
        Cell { text, value: minute, ..Cell::default() }
    };
    let (low, high) = (rate(growth.low), rate(growth.high));
    let interval = Cell { text: format!("{} to {}", low.text, high.text), ..Cell::default() };
    let cells = vec![of_bytes(growth.first), of_bytes(growth.last), rate(growth.slope), interval];
    Line { name: words::clean(&growth.kind), cells }
}

/// Chunks by size: in use, where every chunk was looked at, and free.
fn sizes(seen: &Inspected) -> Vec<Line> {
    let line = |kind: &str, one: &InUse| Line {
        name: format!("{kind}, below {}", bytes(one.below)),
        cells: vec![number(Some(one.chunks)), of_bytes(one.bytes)],
    };
    let in_use = seen.in_use_by_size.iter().map(|one| line("in use", one));
    in_use.chain(seen.free_by_size.iter().map(|one| line("free", one))).collect()
}
