//! What `statm`, `status` and `smaps_rollup` of `/proc/PID` say of memory, in bytes. Pure, and fast: these are read every
//! few milliseconds, and what it costs to parse them is part of what looking costs.

/// `statm`: resident and shared (files, shared memory) bytes. `None` for a process that has no memory any more.
pub fn statm(text: &[u8], page: u64) -> Option<(u64, u64)> {
    let mut fields = std::str::from_utf8(text).ok()?.split_ascii_whitespace().map(str::parse::<u64>);
    let (size, resident, shared) = (fields.next()?.ok()?, fields.next()?.ok()?, fields.next()?.ok()?);
    (size > 0).then_some((resident * page, shared.min(resident) * page))
}

/// What of `status` is about memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// `VmHWM`: the largest resident size so far.
    pub high_water: Option<u64>,
    /// `VmSwap`: private memory that was swapped out.
    pub swap: Option<u64>,
    /// `RssFile`: resident pages of files.
    pub file: Option<u64>,
    /// `RssShmem`: resident pages of shared memory.
    pub shmem: Option<u64>,
    /// `HugetlbPages`: pages of hugetlbfs, which are in no other figure.
    pub hugetlb: Option<u64>,
}

impl Status {
    /// Memory that is not in resident sizes.
    pub fn beyond(&self) -> u64 {
        self.swap.unwrap_or(0) + self.hugetlb.unwrap_or(0)
    }
}

/// Reads `status`.
pub fn status(text: &str) -> Status {
    let mut status = Status::default();
    for line in text.lines() {
        match line.split_once(':') {
            Some(("VmHWM", value)) => status.high_water = kib(value),
            Some(("RssFile", value)) => status.file = kib(value),
            Some(("RssShmem", value)) => status.shmem = kib(value),
            Some(("VmSwap", value)) => status.swap = kib(value),
            Some(("HugetlbPages", value)) => {
                status.hugetlb = kib(value);
                // What follows is not about memory.
                break;
            }
            _ => {}
        }
    }
    status
}

/// `smaps_rollup`: sums over all mappings of a process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rollup {
    /// `Rss`.
    pub rss: u64,
    /// `Pss`.
    pub pss: u64,
    /// `Pss_Anon` (Linux 5.4 and later).
    pub pss_anon: Option<u64>,
    /// `Pss_Shmem` (Linux 5.4 and later).
    pub pss_shmem: Option<u64>,
    /// `LazyFree`.
    pub lazy_free: Option<u64>,
    /// `AnonHugePages`.
    pub anon_huge: Option<u64>,
    /// `Swap`.
    pub swap: Option<u64>,
    /// `SwapPss`.
    pub swap_pss: Option<u64>,
    /// `Private_Hugetlb`.
    pub private_hugetlb: Option<u64>,
    /// `Shared_Hugetlb`.
    pub shared_hugetlb: Option<u64>,
}

/// Reads `smaps_rollup`; `None` for a process that has no memory any more.
pub fn rollup(text: &str) -> Option<Rollup> {
    let mut all = Rollup::default();
    let (mut rss, mut pss) = (None, None);
    for (key, value) in text.lines().skip(1).filter_map(|line| line.split_once(':')) {
        let value = kib(value);
        match key {
            "Rss" => rss = value,
            "Pss" => pss = value,
            "Pss_Anon" => all.pss_anon = value,
            "Pss_Shmem" => all.pss_shmem = value,
            "LazyFree" => all.lazy_free = value,
            "AnonHugePages" => all.anon_huge = value,
            "Swap" => all.swap = value,
            "SwapPss" => all.swap_pss = value,
            "Private_Hugetlb" => all.private_hugetlb = value,
            "Shared_Hugetlb" => all.shared_hugetlb = value,
            _ => {}
        }
    }
    Some(Rollup { rss: rss?, pss: pss?, ..all })
}

fn kib(value: &str) -> Option<u64> {
    value.split_ascii_whitespace().next()?.parse::<u64>().ok().map(|kib| kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_of_a_kernel_are_read() {
        assert_eq!(statm(b"1000 300 120 1 0 80 0\n", 4096), Some((300 * 4096, 120 * 4096)));
        assert_eq!(statm(b"0 0 0 0 0 0 0\n", 4096), None, "it has ended");
        assert_eq!(statm(b"", 4096), None);
        let text = "Name:\tx: y\nVmHWM:\t    1580 kB\nVmSwap:\t       4 kB\nHugetlbPages:\t    2048 kB\nThreads:\t1\n";
        let read = status(text);
        assert_eq!((read.high_water, read.beyond()), (Some(1580 << 10), 2052 << 10));
        assert_eq!(status("Name:\tzombie\n"), Status::default());
        let text = "00-ff ---p 00000000 00:00 0  [rollup]\nRss: 100 kB\nPss: 60 kB\nPss_Anon: 50 kB\nSwapPss: 3 kB\n\
                    Private_Hugetlb: 2048 kB\nShared_Hugetlb: 0 kB\n";
        let read = rollup(text).unwrap();
        assert_eq!((read.rss, read.pss, read.pss_anon), (100 << 10, 60 << 10, Some(50 << 10)));
        assert_eq!((read.private_hugetlb, read.shared_hugetlb, read.swap), (Some(2 << 20), Some(0), None));
        assert_eq!(rollup(""), None);
    }
}
