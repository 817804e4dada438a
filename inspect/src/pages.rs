//! Which pages of a process are in memory, by `/proc/PID/pagemap` (Documentation/admin-guide/mm/pagemap.rst).

use std::fs::File;
use std::os::unix::fs::FileExt;

/// The size of a page on x86-64.
pub const PAGE: u64 = 4096;

/// Where a page is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Page {
    /// Nowhere: never touched, or given back.
    Absent,
    /// In memory. The page of zeros that the kernel shows to readers of untouched memory counts too.
    Present,
    /// In swap.
    Swapped,
}

/// Tells where pages are.
pub trait Pages {
    /// The states of `count` pages from an address on; `None` where they cannot be told.
    fn states(&self, at: u64, count: usize) -> Option<Vec<Page>>;
}

/// Where nothing can be told.
pub struct Unknown;

impl Pages for Unknown {
    fn states(&self, _at: u64, _count: usize) -> Option<Vec<Page>> {
        None
    }
}

/// A live process's pages.
#[derive(Debug)]
pub struct Pagemap(pub(crate) File);

impl Pages for Pagemap {
    fn states(&self, at: u64, count: usize) -> Option<Vec<Page>> {
        let mut bytes = vec![0; count.checked_mul(8)?];
        self.0.read_exact_at(&mut bytes, (at / PAGE).checked_mul(8)?).ok()?;
        let state = |entry: &[u8; 8]| match u64::from_le_bytes(*entry) >> 62 {
            0 => Page::Absent,
            1 => Page::Swapped,
            _ => Page::Present,
        };
        Some(bytes.as_chunks().0.iter().map(state).collect())
    }
}
