//! Exact readings of one process, taken while it stands still at a border.

use std::time::Instant;

use procfs::process::Process;

/// What `smaps_rollup` and `status` say, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Exact {
    /// `Rss`.
    pub rss: u64,
    /// `Pss`: pages shared with other processes count by their share.
    pub pss: Option<u64>,
    /// `LazyFree`: given back with `MADV_FREE`, still counted in `rss`.
    pub lazy_free: Option<u64>,
    /// `AnonHugePages`.
    pub anon_huge: Option<u64>,
    /// `Swap`.
    pub swap: Option<u64>,
    /// `VmHWM`: the largest resident size so far, or since it began anew.
    pub peak: Option<u64>,
    /// Whether `rss` is the exact `smaps_rollup` figure, and not `statm`'s approximation.
    pub rolled_up: bool,
    /// Seconds that the reading took.
    pub took_s: f64,
}

/// Reads `smaps_rollup` (Linux 4.14 and later; else `statm`) and `VmHWM`.
///
/// # Errors
/// When the process is gone or may not be read.
pub fn exact(process: &Process) -> Result<Exact, String> {
    let begin = Instant::now();
    let mut reading = match process.smaps_rollup() {
        Ok(rollup) => rolled_up(&rollup),
        Err(_) => approximate(process)?,
    };
    reading.peak = high_water(process);
    reading.took_s = begin.elapsed().as_secs_f64();
    Ok(reading)
}

/// `VmHWM` in bytes.
pub fn high_water(process: &Process) -> Option<u64> {
    process.status().ok().and_then(|status| status.vmhwm).map(|kib| kib * 1024)
}

fn rolled_up(rollup: &procfs::process::SmapsRollup) -> Exact {
    let sum = |key: &str| -> Option<u64> {
        let found = rollup.memory_map_rollup.0.iter().filter_map(|map| map.extension.map.get(key));
        found.copied().reduce(|a, b| a + b)
    };
    Exact {
        rss: sum("Rss").unwrap_or(0),
        pss: sum("Pss"),
        lazy_free: sum("LazyFree"),
        anon_huge: sum("AnonHugePages"),
        swap: sum("Swap"),
        peak: None,
        rolled_up: true,
        took_s: 0.0,
    }
}

fn approximate(process: &Process) -> Result<Exact, String> {
    let statm = process.statm().map_err(|e| format!("failed to read the process's memory: {e}"))?;
    Ok(Exact { rss: statm.resident * procfs::page_size(), ..Exact::default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_plausible_readings() {
        let reading = exact(&Process::myself().unwrap()).unwrap();
        assert!(reading.rss > 100_000);
        assert!(reading.peak.unwrap() >= reading.rss / 2);
        assert!(!reading.rolled_up || reading.pss.unwrap() <= reading.rss);
    }
}
