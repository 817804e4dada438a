//! The fields of a plan, read from text: the same for a flag and for a key of a plan file. Each function
//! reads one value and says in one clause what it takes.

use std::time::Duration;

use crate::format::decision::Objective;
use crate::knowledge::nearest::{quote, suggest};
use crate::knowledge::value::Value;
use crate::units;

use super::Strategy;
use super::candidate::{Candidate, CandidateError};

/// Most threads of a workload.
pub const MOST_THREADS: u32 = 4096;
/// Most rounds of a campaign.
pub const MOST_ROUNDS: u32 = 100_000;
/// Most CPUs that can be pretended: the kernel's own limit on x86-64, for which glibc's limit of 8 arenas a CPU is
/// as much as `arena_max` takes.
pub const MOST_CPUS: u32 = 8192;
/// Longest idle wait and time limit.
pub const LONGEST: Duration = Duration::from_secs(24 * 3600);
/// Shortest time limit.
pub const SHORTEST_TIMEOUT: Duration = Duration::from_millis(10);
/// Greatest seed: what a TOML integer holds.
pub const GREATEST_SEED: u64 = i64::MAX as u64;

fn whole(name: &str, text: &str, least: u64, most: u64) -> Result<u64, String> {
    let wrong = || format!("{name} is {}, but must be a whole number from {least} to {most}", quote(text));
    let number: u64 = text.trim().parse().map_err(|_| wrong())?;
    if (least..=most).contains(&number) { Ok(number) } else { Err(wrong()) }
}

/// Threads of a workload: 1 to [`MOST_THREADS`].
///
/// # Errors
/// What it takes.
pub fn threads(text: &str) -> Result<u32, String> {
    whole("threads", text, 1, u64::from(MOST_THREADS)).map(|n| n as u32)
}

/// Rounds: 1 to [`MOST_ROUNDS`].
///
/// # Errors
/// What it takes.
pub fn rounds(text: &str) -> Result<u32, String> {
    whole("rounds", text, 1, u64::from(MOST_ROUNDS)).map(|n| n as u32)
}

/// CPUs of the host that is pretended: 1 to [`MOST_CPUS`], or `none` for those that are there.
///
/// # Errors
/// What it takes.
pub fn cpus(text: &str) -> Result<Option<u32>, String> {
    if text.trim() == "none" {
        return Ok(None);
    }
    let read = whole("cpus", text, 1, u64::from(MOST_CPUS));
    read.map(|n| Some(n as u32)).map_err(|why| format!("{why}; 'none' pretends nothing"))
}

/// The seed: 0 to [`GREATEST_SEED`].
///
/// # Errors
/// What it takes.
pub fn seed(text: &str) -> Result<u64, String> {
    whole("seed", text, 0, GREATEST_SEED)
}

/// A value of the axis: `default`, or what `glibc:arena_max=` takes.
///
/// # Errors
/// What it takes.
pub fn arena_max(text: &str) -> Result<Option<u32>, String> {
    let text = text.trim();
    if text == "default" {
        return Ok(None);
    }
    let setting = crate::knowledge::find("glibc", "arena_max").ok_or("arena_max is not known")?;
    match setting.parse(text).map_err(|why| format!("{why}; 'default' leaves it unset"))? {
        Value::Number(number) => Ok(u32::try_from(number).ok()),
        _ => Err("arena_max is no number".to_owned()),
    }
}

/// A candidate.
///
/// # Errors
/// What it takes.
pub fn candidate(text: &str) -> Result<Candidate, String> {
    text.parse().map_err(|why: CandidateError| why.to_string())
}

/// The figure that is minimised.
///
/// # Errors
/// What it takes.
pub fn objective(text: &str) -> Result<Objective, String> {
    named("objective", text, &OBJECTIVES)
}

/// One of a few names.
pub(super) fn named<T: Copy>(key: &str, text: &str, known: &[(&str, T)]) -> Result<T, String> {
    let found = known.iter().find(|(name, _)| *name == text.trim());
    let names = || known.iter().map(|(name, _)| *name).collect::<Vec<_>>();
    found
        .map(|(_, value)| *value)
        .ok_or_else(|| format!("{key} is {}; {}", quote(text), suggest(text, names().iter().copied())))
}

/// The figures by name.
pub const OBJECTIVES: [(&str, Objective); 4] = [
    ("peak", Objective::Peak),
    ("mean", Objective::Mean),
    ("end", Objective::End),
    ("drained", Objective::Drained),
];

pub(super) fn duration(name: &str, text: &str, least: Duration) -> Result<Duration, String> {
    let read = units::parse_duration(text).map_err(|why| format!("{name}: {why}"))?;
    if (least..=LONGEST).contains(&read) {
        // Written and kept to the microsecond.
        return Ok(Duration::from_micros(read.as_micros() as u64));
    }
    let (least, most) = (units::canonical_duration(least), units::canonical_duration(LONGEST));
    let text = text.trim().escape_debug();
    Err(format!("{name} is {text}, but must be from {least} to {most}"))
}

/// The idle wait after the drain: 0 to [`LONGEST`].
///
/// # Errors
/// What it takes.
pub fn idle(text: &str) -> Result<Duration, String> {
    duration("idle", text, Duration::ZERO)
}

/// A switch.
///
/// # Errors
/// What it takes.
pub fn trim(text: &str) -> Result<bool, String> {
    switch("trim", text)
}

/// Whether words are given of a busy host as well.
///
/// # Errors
/// What it takes.
pub fn accept_busy_host(text: &str) -> Result<bool, String> {
    switch("accept_busy_host", text)
}

fn switch(key: &str, text: &str) -> Result<bool, String> {
    match text.trim() {
        "true" => Ok(true),
        "false" => Ok(false),
        other => Err(format!("{key} is {}, but must be true or false", quote(other))),
    }
}

/// The time limit of a trial: [`SHORTEST_TIMEOUT`] to [`LONGEST`].
///
/// # Errors
/// What it takes.
pub fn timeout(text: &str) -> Result<Duration, String> {
    duration("timeout", text, SHORTEST_TIMEOUT)
}

fn share(name: &str, text: &str, least: f64, below: f64) -> Result<f64, String> {
    let read = units::parse_share(text).map_err(|why| format!("{name}: {why}"))?;
    if read >= least && read < below {
        return Ok(read);
    }
    Err(format!(
        "{name} is {}, but must be from {} to below {}",
        text.trim().escape_debug(),
        canonical_share(least),
        canonical_share(below)
    ))
}

/// `none`, or something else.
fn or_none<T>(text: &str, read: impl FnOnce(&str) -> Result<T, String>) -> Result<Option<T>, String> {
    if text.trim() == "none" { Ok(None) } else { read(text).map(Some) }
}

/// The largest loss of throughput: `none`, or 0 % to below 100 %.
///
/// # Errors
/// What it takes.
pub fn max_throughput_loss(text: &str) -> Result<Option<f64>, String> {
    or_none(text, |text| share("max_throughput_loss", text, 0.0, 1.0))
}

/// The largest rise of the 99th percentile of malloc latency: `none`, or 0 % to below 1000 %.
///
/// # Errors
/// What it takes.
pub fn max_p99_loss(text: &str) -> Result<Option<f64>, String> {
    or_none(text, |text| share("max_p99_loss", text, 0.0, 10.0))
}

/// The largest RSS: `none`, or bytes from 1.
///
/// # Errors
/// What it takes.
pub fn max_rss(text: &str) -> Result<Option<u64>, String> {
    or_none(text, |text| match units::parse_bytes(text) {
        Ok(0) => Err("max_rss is 0, but must be at least 1B; 'none' sets no limit".to_owned()),
        Ok(bytes) => Ok(bytes),
        Err(why) => Err(format!("max_rss: {why}")),
    })
}

/// Least memory limit of a trial: below it no program starts.
pub const LEAST_MEMORY_LIMIT: u64 = 1 << 20;

/// The memory limit of a trial: `none`, or bytes from [`LEAST_MEMORY_LIMIT`].
///
/// # Errors
/// What it takes.
pub fn memory_limit(text: &str) -> Result<Option<u64>, String> {
    or_none(text, |text| match units::parse_bytes(text) {
        Ok(bytes) if bytes < LEAST_MEMORY_LIMIT => {
            Err(format!("memory_limit is {}, but must be at least 1MiB; 'none' sets no limit", quote(text)))
        }
        Ok(bytes) => Ok(bytes),
        Err(why) => Err(format!("memory_limit: {why}")),
    })
}

/// The stated confidence: 50 % to below 100 %.
///
/// # Errors
/// What it takes.
pub fn confidence(text: &str) -> Result<f64, String> {
    share("confidence", text, 0.5, 1.0)
}

/// The gain of RSS that is not worth further search: 0 % to below 50 %.
///
/// # Errors
/// What it takes.
pub fn tolerance(text: &str) -> Result<f64, String> {
    share("tolerance", text, 0.0, 0.5)
}

/// The time after which no further round is begun: `none`, or 1 s to [`LONGEST`].
///
/// # Errors
/// What it takes.
pub fn time_budget(text: &str) -> Result<Option<Duration>, String> {
    or_none(text, |text| duration("time_budget", text, Duration::from_secs(1)))
}

/// The strategies by name.
pub const STRATEGIES: [(&str, Strategy); 3] = [
    ("screen-and-confirm", Strategy::ScreenAndConfirm),
    ("race", Strategy::Race),
    ("full-grid", Strategy::FullGrid),
];

/// The strategy of a search.
///
/// # Errors
/// What it takes.
pub fn strategy(text: &str) -> Result<Strategy, String> {
    named("strategy", text, &STRATEGIES)
}

/// The name of a strategy.
pub fn strategy_name(strategy: Strategy) -> &'static str {
    STRATEGIES.iter().find(|(_, known)| *known == strategy).map_or("full-grid", |(name, _)| name)
}

/// A share exactly as [`units::parse_share`] reads it back: a percentage with as few digits as will do.
pub fn canonical_share(share: f64) -> String {
    let percent = share * 100.0;
    let exact = |digits: usize| {
        let text = format!("{percent:.digits$}");
        (text.parse::<f64>().map(|read| read / 100.0) == Ok(share)).then(|| format!("{text}%"))
    };
    (0..=17).find_map(exact).unwrap_or_else(|| share.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_values_are_told_with_their_range() {
        assert_eq!(threads("0").unwrap_err(), "threads is '0', but must be a whole number from 1 to 4096");
        assert_eq!(
            rounds("1.5").unwrap_err(),
            "rounds is '1.5', but must be a whole number from 1 to 100000"
        );
        assert_eq!(timeout("0s").unwrap_err(), "timeout is 0s, but must be from 10ms to 24h");
        assert_eq!(
            idle("5").unwrap_err(),
            "idle: '5' is not a duration; write a number with a unit: 500ms, 1.5s, 10m"
        );
        assert_eq!(confidence("100%").unwrap_err(), "confidence is 100%, but must be from 50% to below 100%");
        assert_eq!(objective("peek").unwrap_err(), "objective is 'peek'; did you mean peak?");
        assert_eq!(max_rss("0").unwrap_err(), "max_rss is 0, but must be at least 1B; 'none' sets no limit");
        assert_eq!(
            arena_max("0").unwrap_err(),
            "glibc silently ignores MALLOC_ARENA_MAX=0; give arena_max from 1, or leave arena_max out for \
             glibc's own limit; 'default' leaves it unset"
        );
    }

    #[test]
    fn shares_are_read_back_exactly() {
        for share in [0.0, 0.05, 0.07, 0.1, 0.95, 0.999, 1.0 / 3.0, 0.123_456_789, 3.5] {
            let text = canonical_share(share);
            assert_eq!(units::parse_share(&text), Ok(share), "{text}");
        }
        assert_eq!(canonical_share(0.07), "7%");
    }
}
