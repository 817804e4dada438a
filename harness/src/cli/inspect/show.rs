//! What was seen of a process, for people.

use std::fmt::{Result, Write};
use std::time::Duration;

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

use crate::format::inspect::{Arena, InUse, Inspected};
use crate::format::watch::{Growing, Watched};
use crate::units::{canonical_duration, format_bytes};

/// Arenas that are shown, the largest first.
const ARENAS: usize = 10;

/// The text for one process.
pub fn text(seen: &Inspected) -> std::result::Result<String, std::fmt::Error> {
    let mut out = String::new();
    head(seen, &mut out)?;
    settings(seen, &mut out)?;
    rows(seen, &mut out)?;
    arenas(seen, &mut out)?;
    sizes(&seen.in_use_by_size, &mut out)?;
    for missing in &seen.not_seen {
        writeln!(out, "\nNot seen: {}. {}.", missing.what, missing.why)?;
    }
    advice(seen, &mut out)?;
    Ok(out)
}

fn bytes(bytes: u64) -> String {
    format_bytes(bytes as f64)
}

fn or_unknown(size: Option<u64>) -> String {
    size.map_or_else(|| "?".to_owned(), bytes)
}

fn head(seen: &Inspected, out: &mut String) -> Result {
    let threads = seen.threads.map_or_else(String::new, |threads| {
        format!(", {threads} thread{}", if threads == 1 { "" } else { "s" })
    });
    writeln!(out, "{} ({}): {} resident{threads}", seen.comm, seen.pid, or_unknown(seen.rss))?;
    let version = seen.allocator.version.as_ref().map_or_else(String::new, |version| format!(" {version}"));
    writeln!(out, "malloc: {}{version}; {}", seen.allocator.name, seen.allocator.how)
}

fn settings(seen: &Inspected, out: &mut String) -> Result {
    for one in &seen.environment {
        writeln!(out, "environment: {one}")?;
    }
    let Some(settings) = &seen.settings else { return Ok(()) };
    let limit = seen.arena_limit.as_ref().map_or_else(
        || "?".to_owned(),
        |limit| match limit.high {
            Some(high) if high == limit.low => high.to_string(),
            Some(high) => format!("{} to {high}", limit.low),
            None => "none".to_owned(),
        },
    );
    let set = |size: u64| if size == 0 { "not set".to_owned() } else { size.to_string() };
    writeln!(
        out,
        "arenas: {} of at most {limit} (arena_max {})",
        seen.arenas.len(),
        set(settings.arena_max)
    )?;
    let dynamic = if settings.dynamic_thresholds { "rises by itself" } else { "fixed" };
    let trim =
        if settings.trim_threshold == u64::MAX { "never".to_owned() } else { bytes(settings.trim_threshold) };
    write!(
        out,
        "in force: mmap_threshold {} ({dynamic}), trim_threshold {trim}, top_pad {}",
        bytes(settings.mmap_threshold),
        bytes(settings.top_pad)
    )?;
    if let (Some(count), Some(most)) = (settings.tcache_count, settings.tcache_max) {
        write!(out, ", tcache_count {count}, tcache_max {}", bytes(most))?;
    }
    for (name, size) in [
        ("hugetlb=1 with pages of", settings.thp_pagesize),
        ("hugetlb=2 with pages of", settings.hp_pagesize),
    ] {
        if let Some(size) = size.filter(|size| *size > 0) {
            write!(out, ", {name} {}", bytes(size))?;
        }
    }
    writeln!(out)
}

fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(header.to_vec());
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

fn rows(seen: &Inspected, out: &mut String) -> Result {
    if seen.rows.is_empty() {
        return Ok(());
    }
    let mut table = table(&["where", "resident", "huge pages", "free to take", "swap"]);
    for row in &seen.rows {
        table.add_row([
            row.kind.clone(),
            bytes(row.rss),
            bytes(row.anon_huge),
            bytes(row.lazy_free),
            bytes(row.swap),
        ]);
    }
    let sum = |field: fn(&crate::format::inspect::Row) -> u64| bytes(seen.rows.iter().map(field).sum());
    table.add_row([
        "all".to_owned(),
        sum(|row| row.rss),
        sum(|row| row.anon_huge),
        sum(|row| row.lazy_free),
        sum(|row| row.swap),
    ]);
    writeln!(out, "\n{}", table.trim_fmt())
}

fn arenas(seen: &Inspected, out: &mut String) -> Result {
    if seen.arenas.is_empty() {
        return Ok(());
    }
    let header = ["arena", "threads", "heaps", "system", "in use", "free", "top", "resident", "trim gives"];
    let mut table = table(&header);
    let mut sorted: Vec<&Arena> = seen.arenas.iter().collect();
    sorted.sort_by_key(|arena| std::cmp::Reverse(arena.rss.unwrap_or(arena.system)));
    for (number, arena) in sorted.iter().take(ARENAS).enumerate() {
        let name = if arena.main { "main".to_owned() } else { format!("{}.", number + 1) };
        let threads = arena.threads.map_or_else(|| "?".to_owned(), |threads| threads.to_string());
        table.add_row(cells(name, threads, std::slice::from_ref(arena)));
    }
    if sorted.len() > ARENAS {
        table.add_row(cells(format!("{} more", sorted.len() - ARENAS), String::new(), &sorted[ARENAS..]));
    }
    if sorted.len() > 1 {
        table.add_row(cells("all".to_owned(), String::new(), &sorted));
    }
    writeln!(out, "\n{}", table.trim_fmt())?;
    if let Some(mapped) = seen.mmapped.as_ref().filter(|mapped| mapped.count > 0) {
        writeln!(out, "large blocks with a mapping of their own: {}, {}", mapped.count, bytes(mapped.bytes))?;
    }
    let sampled = seen.arenas.iter().filter_map(|arena| arena.contention).max_by_key(|one| one.waited_for);
    if let Some(worst) = sampled {
        let share = |part: u64| part as f64 * 100.0 / worst.looks.max(1) as f64;
        writeln!(
            out,
            "contention, worst arena: threads waited in {:.1} % of {} samples (held in {:.1} %, which alone costs nothing)",
            share(worst.waited_for),
            worst.looks,
            share(worst.held)
        )?;
    }
    match &seen.tcache {
        Some(cached) => writeln!(
            out,
            "threads' caches (counted as in use): {} in {}; {:.1} % of the arenas looked at",
            bytes(cached.bytes),
            cached.caches,
            cached.coverage * 100.0
        )?,
        None => writeln!(out, "what threads' caches hold counts as in use; --deep tells it apart")?,
    }
    if seen.retries > 0 {
        writeln!(out, "the process changed its lists meanwhile: {} were read again", seen.retries)?;
    }
    Ok(())
}

fn cells(name: String, threads: String, arenas: &[&Arena]) -> Vec<String> {
    let sum = |field: fn(&Arena) -> u64| bytes(arenas.iter().map(|arena| field(arena)).sum());
    let known = |field: fn(&Arena) -> Option<u64>| or_unknown(arenas.iter().map(|arena| field(arena)).sum());
    vec![
        name,
        threads,
        arenas.iter().map(|arena| arena.heaps).sum::<u64>().to_string(),
        sum(|arena| arena.system),
        sum(|arena| arena.in_use),
        sum(|arena| arena.free + arena.fast),
        sum(|arena| arena.top),
        known(|arena| arena.rss),
        known(|arena| arena.trim_gives),
    ]
}

fn sizes(classes: &[InUse], out: &mut String) -> Result {
    if classes.is_empty() {
        return Ok(());
    }
    let mut table = table(&["in use, below", "chunks", "bytes"]);
    for class in classes {
        table.add_row([bytes(class.below), class.chunks.to_string(), bytes(class.bytes)]);
    }
    writeln!(out, "\n{}", table.trim_fmt())
}

/// The end of a watch; `sizes` are lines of what grew by size.
pub fn watched(
    watched: &Watched,
    sizes: Vec<String>,
    time: Duration,
) -> std::result::Result<String, std::fmt::Error> {
    let mut out = String::new();
    writeln!(
        out,
        "\n{} ({}), {} looks in {}:",
        watched.comm,
        watched.pid,
        watched.looks,
        canonical_duration(time)
    )?;
    let mut table = table(&["what", "first", "last", "a minute", "95 % interval"]);
    let rate = |rate: Option<f64>| {
        let rate = rate.map(|rate| rate * 60.0);
        let sign = if rate.is_some_and(|rate| rate < 0.0) { "-" } else { "+" };
        rate.map_or_else(|| "?".to_owned(), |rate| format!("{sign}{}", format_bytes(rate.abs())))
    };
    for growth in &watched.growth {
        let interval = format!("{} to {}", rate(growth.low), rate(growth.high));
        table.add_row([
            growth.kind.clone(),
            bytes(growth.first),
            bytes(growth.last),
            rate(growth.slope),
            interval,
        ]);
    }
    writeln!(out, "{}", table.trim_fmt())?;
    for size in sizes {
        writeln!(out, "{size}")?;
    }
    let verdict = match watched.verdict {
        Growing::Plateau => "plateau",
        Growing::LiveBytes => "growing in live bytes",
        Growing::FreeBytes => "growing in free bytes",
        Growing::Undecided => "undecided",
    };
    writeln!(out, "\n{verdict}: {}.", watched.evidence)?;
    Ok(out)
}

fn advice(seen: &Inspected, out: &mut String) -> Result {
    for advice in &seen.advice {
        writeln!(out, "\n{}: {}.", advice.rule, advice.evidence)?;
        writeln!(out, "  next: {}", advice.next)?;
        writeln!(out, "  source: {}", advice.source)?;
    }
    let blind = seen.not_seen.iter().any(|one| one.what == "memory");
    if seen.advice.is_empty() && !seen.rows.is_empty() && !blind {
        writeln!(out, "\nAdvice: nothing to say.")?;
    }
    Ok(())
}
