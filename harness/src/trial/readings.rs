//! Exact readings of one process, taken while it stands still at a border.

use std::time::Instant;

use procfs::process::Process;

use super::memory_files::{self as files, Rollup};
use super::proc_file::Text;

/// What `smaps_rollup` and `status` say, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Exact {
    /// `Rss`.
    pub rss: u64,
    /// `Pss`: pages shared with other processes count by their share.
    pub pss: Option<u64>,
    /// `Pss_Anon`: of that, anonymous pages.
    pub pss_anon: Option<u64>,
    /// `Pss_Shmem`: of that, pages of shared memory.
    pub pss_shmem: Option<u64>,
    /// `LazyFree`: given back with `MADV_FREE`, still counted in `rss`.
    pub lazy_free: Option<u64>,
    /// `AnonHugePages`.
    pub anon_huge: Option<u64>,
    /// `Swap`.
    pub swap: Option<u64>,
    /// `SwapPss`: the same by shares.
    pub swap_pss: Option<u64>,
    /// `Private_Hugetlb`: pages of hugetlbfs, which are in no resident size.
    pub private_hugetlb: Option<u64>,
    /// `Shared_Hugetlb`: those that other processes have mapped too.
    pub shared_hugetlb: Option<u64>,
    /// `VmHWM`: the largest resident size so far, or since it began anew.
    pub peak: Option<u64>,
    /// Whether `rss` is the exact `smaps_rollup` figure, and not `statm`'s approximation.
    pub rolled_up: bool,
    /// Seconds that the reading took.
    pub took_s: f64,
}

impl Exact {
    /// Pages of hugetlbfs.
    pub fn hugetlb(&self) -> Option<u64> {
        self.private_hugetlb.map(|private| private + self.shared_hugetlb.unwrap_or(0))
    }

    /// All memory that the process takes: resident, hugetlbfs pages and what was swapped out.
    pub fn all(&self) -> u64 {
        self.rss + self.hugetlb().unwrap_or(0) + self.swap.unwrap_or(0)
    }
}

/// Reads `smaps_rollup` (Linux 4.14 and later; else `statm`) and `VmHWM`.
///
/// # Errors
/// When the process is gone or may not be read.
pub fn exact(process: &Process) -> Result<Exact, String> {
    let begin = Instant::now();
    let path = format!("/proc/{}/smaps_rollup", process.pid);
    let rollup = std::fs::read_to_string(path).ok().and_then(|text| files::rollup(&text));
    let status = status(process.pid).unwrap_or_default();
    let mut reading = match rollup {
        Some(rollup) => rolled_up(&rollup),
        None => Exact { swap: status.swap, private_hugetlb: status.hugetlb, ..approximate(process)? },
    };
    reading.peak = status.high_water;
    reading.took_s = begin.elapsed().as_secs_f64();
    Ok(reading)
}

/// What `status` of a process says of memory; `None` where it cannot be read.
pub fn status(pid: i32) -> Option<files::Status> {
    Text::read(pid, "status").map(|text| files::status(&String::from_utf8_lossy(text.bytes())))
}

/// `VmHWM` in bytes.
pub fn high_water(process: &Process) -> Option<u64> {
    status(process.pid).and_then(|status| status.high_water)
}

/// Whether this host can have pages in hugetlbfs now, and whether it can swap: only then is it worth while to look for
/// memory beyond resident sizes more often than at the borders.
pub fn can_leave_resident() -> (bool, bool) {
    let huge = std::fs::read_dir("/sys/kernel/mm/hugepages").into_iter().flatten().flatten().any(|size| {
        let some = |file| {
            std::fs::read_to_string(size.path().join(file)).is_ok_and(|text| !matches!(text.trim(), "" | "0"))
        };
        some("nr_hugepages") || some("nr_overcommit_hugepages")
    });
    let swaps = std::fs::read_to_string("/proc/swaps").is_ok_and(|text| text.lines().count() > 1);
    (huge, swaps)
}

fn rolled_up(rollup: &Rollup) -> Exact {
    Exact {
        rss: rollup.rss,
        pss: Some(rollup.pss),
        pss_anon: rollup.pss_anon,
        pss_shmem: rollup.pss_shmem,
        lazy_free: rollup.lazy_free,
        anon_huge: rollup.anon_huge,
        swap: rollup.swap,
        swap_pss: rollup.swap_pss,
        private_hugetlb: rollup.private_hugetlb,
        shared_hugetlb: rollup.shared_hugetlb,
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
        assert!(reading.pss_anon.is_none_or(|anon| anon <= reading.pss.unwrap()));
        assert_eq!(reading.all(), reading.rss + reading.hugetlb().unwrap_or(0) + reading.swap.unwrap_or(0));
    }
}
