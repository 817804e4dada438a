//! How often threads wait for an arena, seen from outside: its mutex is sampled.

use super::Malloc;
use crate::Memory;
use crate::memory::word;

/// `lll_lock` of nptl (sysdeps/nptl/lowlevellock.h): held, and others may sleep until it is free.
const HELD_AND_WAITED_FOR: u32 = 2;

/// What was seen of one arena's mutex. One thread alone can hold it half of the time, which costs nothing; only those that wait
/// cost time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sampled {
    /// Looks at it.
    pub looks: u64,
    /// Of these, how often it was held.
    pub held: u64,
    /// Of these, how often others waited for it.
    pub waited_for: u64,
}

/// The mutexes of all arenas, each with what was seen so far, in the order of [`Malloc::arenas`].
#[derive(Debug, Clone)]
pub struct Locks(Vec<(u64, Sampled)>);

impl Locks {
    /// Those of a process's arenas. An arena is never taken away while the process runs.
    pub fn of(malloc: &Malloc) -> Self {
        Self(malloc.arenas.iter().map(|arena| (arena.address, Sampled::default())).collect())
    }

    /// Looks once at each; what cannot be read, or is no mutex, is left out.
    pub fn look(&mut self, memory: &dyn Memory) {
        for (at, seen) in &mut self.0 {
            // The mutex is the first half of an arena's first word.
            let Ok(word) = word(memory, *at) else { continue };
            let mutex = word as u32;
            if mutex > HELD_AND_WAITED_FOR {
                continue;
            }
            seen.looks += 1;
            seen.held += u64::from(mutex > 0);
            seen.waited_for += u64::from(mutex == HELD_AND_WAITED_FOR);
        }
    }

    /// What was seen of each.
    pub fn seen(&self) -> impl Iterator<Item = Sampled> {
        self.0.iter().map(|(_, seen)| *seen)
    }
}
