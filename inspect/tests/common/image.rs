//! A copy of a process's memory.

use std::cell::{Cell, RefCell};

use arenalab_inspect::pages::{PAGE, Page, Pages};
use arenalab_inspect::{Fault, Live, Memory, Region};

/// More reads than any image needs: what turns in a circle is found by it.
const MOST_READS: u64 = 1_000_000;

/// The writable memory of a process.
pub struct Image {
    pub regions: Vec<Region>,
    bytes: RefCell<Vec<Vec<u8>>>,
    pub reads: Cell<u64>,
}

impl Image {
    pub fn of(live: &Live) -> Self {
        let regions: Vec<Region> = live
            .regions()
            .unwrap()
            .into_iter()
            .filter(|region| region.private_and_writable() && region.len() < 8 << 20)
            .collect();
        let copy = |region: &Region| {
            let mut bytes = vec![0; region.len() as usize];
            live.read(region.start, &mut bytes).unwrap();
            bytes
        };
        let bytes = RefCell::new(regions.iter().map(copy).collect());
        Self { regions, bytes, reads: Cell::new(0) }
    }

    /// Puts a word at a place, and returns what was there.
    pub fn put(&self, region: usize, at: usize, word: u64) -> u64 {
        let mut bytes = self.bytes.borrow_mut();
        let place = &mut bytes[region][at..at + 8];
        let old = u64::from_le_bytes(place.try_into().unwrap());
        place.copy_from_slice(&word.to_le_bytes());
        old
    }
}

impl Memory for Image {
    fn read(&self, at: u64, into: &mut [u8]) -> Result<(), Fault> {
        self.reads.set(self.reads.get() + 1);
        assert!(self.reads.get() < MOST_READS, "it turns in a circle");
        let fault = Fault { at };
        let number = self.regions.iter().position(|region| region.contains(at)).ok_or(fault)?;
        let from = (at - self.regions[number].start) as usize;
        let bytes = self.bytes.borrow();
        let found = from.checked_add(into.len()).and_then(|end| bytes[number].get(from..end)).ok_or(fault)?;
        into.copy_from_slice(found);
        Ok(())
    }
}

impl Pages for Image {
    fn states(&self, at: u64, count: usize) -> Option<Vec<Page>> {
        let mapped = |number: usize| {
            let at = at.checked_add(number as u64 * PAGE);
            at.is_some_and(|at| self.regions.iter().any(|region| region.contains(at)))
        };
        Some((0..count).map(|number| if mapped(number) { Page::Present } else { Page::Absent }).collect())
    }
}
