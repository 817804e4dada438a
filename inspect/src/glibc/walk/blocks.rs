//! Memory read block by block.

use crate::Memory;
use crate::pages::{PAGE, Page, Pages};

/// Bytes that are read at once: what was read long before it is looked at has changed by then.
const BLOCK: u64 = 256 << 10;

/// Memory read block by block; pages that are not in memory are never read, which would bring them in.
pub struct Blocks<'a> {
    memory: &'a dyn Memory,
    pages: &'a dyn Pages,
    start: u64,
    bytes: Vec<u8>,
}

impl<'a> Blocks<'a> {
    pub fn new(memory: &'a dyn Memory, pages: &'a dyn Pages) -> Self {
        Self { memory, pages, start: 0, bytes: Vec::new() }
    }

    /// Reads anew what is asked for next.
    pub fn forget(&mut self) {
        self.bytes.clear();
    }

    /// The number of eight bytes at an address; `None` where it is not in memory.
    pub fn word(&mut self, at: u64) -> Option<u64> {
        if self.known(at).is_none() {
            self.load(at)?;
        }
        self.known(at)
    }

    /// The number at an address, if it was read already.
    pub fn known(&self, at: u64) -> Option<u64> {
        let from = usize::try_from(at.checked_sub(self.start)?).ok()?;
        let bytes = self.bytes.get(from..from.checked_add(8)?)?;
        bytes.try_into().ok().map(u64::from_le_bytes)
    }

    fn load(&mut self, at: u64) -> Option<()> {
        let page = at / PAGE * PAGE;
        let count = match self.pages.states(page, (BLOCK / PAGE) as usize) {
            Some(states) => states.iter().take_while(|state| **state == Page::Present).count() as u64,
            None => 1,
        };
        self.start = page;
        self.bytes = vec![0; (count * PAGE) as usize];
        self.memory.read(page, &mut self.bytes).ok()
    }
}
