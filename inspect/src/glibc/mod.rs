//! glibc's malloc: its arenas and its settings, found by structure.
//!
//! The layouts were measured on glibc 2.23 to 2.44 on x86-64 (malloc/malloc.c: `malloc_state`, `malloc_par`;
//! malloc/arena.c: `heap_info`). None is chosen by a version: all of what is said here held together in memory.

mod bins;
mod image;
mod locks;
mod mapped;
mod ring;
mod settings;
mod walk;

pub use locks::{Locks, Sampled};
pub use mapped::Mapped;
pub use settings::Settings;
pub use walk::{Contents, Deep, Heap, How, InUse, Walk};

use crate::regions::Region;
use crate::{Fault, Memory};
use image::Image;

/// Looks at all candidate places before giving up, where something looked like an arena but did not hold together.
/// A program that allocates in many threads changes what is read while it is read.
const MOST_PASSES: u32 = 30;

/// What tells one release's structures from another's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// From the start of an arena (`malloc_state`) to its bins, in bytes: 104 (2.23 to 2.26), 112 (2.27 to 2.42) or
    /// 24 (from 2.43 on, without fast bins).
    pub bins: u64,
    /// The size of `heap_info`, at which a thread's arena begins in its first heap: 0x20 (to 2.34) or 0x30 (from 2.35
    /// on). `None` where there is no thread's arena to tell it.
    pub heap_info: Option<u64>,
    /// Whether arenas count the threads that are attached to them (from 2.23 on).
    pub attached_threads: bool,
}

impl Layout {
    /// Whether arenas have fast bins (to 2.42).
    pub fn has_fast_bins(&self) -> bool {
        self.bins != 24
    }
}

/// glibc's malloc in a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Malloc {
    /// How its structures are laid out.
    pub layout: Layout,
    /// The address of the main arena.
    pub main: u64,
    /// The mapping that the main arena lies in: the C library's file, or the program's own where it is static.
    pub place: Region,
    /// Whether malloc was called at least once. Where not, the arena is as the file has it.
    pub started: bool,
    /// The arenas, the main one first, then in the order of their ring.
    pub arenas: Vec<Arena>,
    /// The settings in force; `None` where they were not found, or more than one place looked like them.
    pub settings: Option<Settings>,
    /// How often something had to be read again because the process changed it meanwhile.
    pub retries: u32,
}

impl Malloc {
    /// Whether it holds any memory. A C library's malloc that holds none although the program has run for a while
    /// means that another allocator serves the program (or that all it has are large blocks: see
    /// [`Settings::mmapped_bytes`]).
    pub fn in_use(&self) -> bool {
        let mapped = self.settings.as_ref().is_some_and(|settings| settings.mmapped_count > 0);
        mapped || self.arenas.iter().any(|arena| arena.system > 0)
    }

    /// The bytes of all arenas together, by their own account; without [`Settings::mmapped_bytes`].
    pub fn system(&self) -> u64 {
        self.arenas.iter().fold(0, |sum, arena| sum.saturating_add(arena.system))
    }
}

/// An arena.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arena {
    /// Its address.
    pub address: u64,
    /// Whether it is the main one, which grows by `brk`.
    pub main: bool,
    /// The threads that allocate from it; `None` before 2.23, which does not count them. The main arena counts one
    /// from the start.
    pub attached_threads: Option<u64>,
    /// Bytes that it has from the system now.
    pub system: u64,
    /// The most bytes that it ever had.
    pub max_system: u64,
    /// The address of its top chunk, the free memory at its end; 0 in a main arena that was never used.
    pub top: u64,
    /// Whether the main arena could not grow in one piece (`NONCONTIGUOUS_BIT`). Always so in a thread's arena.
    pub non_contiguous: bool,
}

/// Why glibc's malloc was not found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotFound {
    /// No place where it could be may be read: no right to, or the process has ended.
    #[error("none of the process's own memory could be read")]
    Unreadable,
    /// A program of 32 bits.
    #[error("it is a program of 32 bits, of which no layout is known")]
    Bits32,
    /// No arena in any place: the program has another C library (musl, or Go's runtime alone), or a glibc that lays
    /// out its arenas differently from 2.23 to 2.44 on x86-64.
    #[error("no arena of glibc was found in {places} writable mappings of files")]
    NoArena {
        /// The mappings that were searched.
        places: usize,
    },
    /// Something looked like an arena, but never held together.
    #[error(
        "something looked like an arena of glibc, but changed each of {MOST_PASSES} times that it was read again"
    )]
    Torn,
}

impl From<Fault> for NotFound {
    fn from(_: Fault) -> Self {
        Self::Unreadable
    }
}

/// What one place holds.
enum Place {
    Nothing,
    /// It looked like an arena, but did not hold together.
    Torn,
    Found(Box<Malloc>),
}

/// Finds glibc's malloc in a process: its arenas and its settings, in some milliseconds.
///
/// Where there are several (a static program that loads the C library for its name services), the one that holds the
/// most memory is returned.
///
/// # Errors
/// See [`NotFound`]. Nothing partial is ever returned as if it were whole.
pub fn find(memory: &dyn Memory, regions: &[Region]) -> Result<Malloc, NotFound> {
    if image::is_32_bits(memory, regions) {
        return Err(NotFound::Bits32);
    }
    let (likely, others) = image::places(regions);
    let mut retries = 0;
    loop {
        let mut search = Search { memory, regions, retries, seen: 0, torn: false, best: None };
        search.look_at(&likely);
        if !search.best.as_ref().is_some_and(|malloc| malloc.in_use()) {
            search.look_at(&others);
        }
        match search.best {
            Some(malloc) if malloc.in_use() || !search.torn || retries == MOST_PASSES => return Ok(*malloc),
            None if search.seen == 0 => return Err(NotFound::Unreadable),
            None if !search.torn => return Err(NotFound::NoArena { places: search.seen }),
            None if retries == MOST_PASSES => return Err(NotFound::Torn),
            _ => retries += 1,
        }
    }
}

/// One pass over the places.
struct Search<'a> {
    memory: &'a dyn Memory,
    regions: &'a [Region],
    retries: u32,
    /// Places that could be read.
    seen: usize,
    torn: bool,
    best: Option<Box<Malloc>>,
}

impl Search<'_> {
    fn look_at(&mut self, places: &[Region]) {
        for place in places {
            let Some(image) = Image::of(self.memory, place) else { continue };
            self.seen += 1;
            match look(self.memory, self.regions, &image, self.retries) {
                Place::Found(malloc) => {
                    let better = |best: &Malloc| rank(best) < rank(&malloc);
                    if self.best.as_deref().is_none_or(better) {
                        self.best = Some(malloc);
                    }
                }
                Place::Torn => self.torn = true,
                Place::Nothing => {}
            }
        }
    }
}

fn rank(malloc: &Malloc) -> (bool, u64) {
    (malloc.in_use(), malloc.system())
}

/// Looks for the main arena in one place, and from there for all else.
fn look(memory: &dyn Memory, regions: &[Region], image: &Image, retries: u32) -> Place {
    let mut torn = false;
    for bins in bins::candidates(image, regions) {
        let Ok((layout, addresses)) = ring::follow(memory, regions, bins) else { continue };
        let started = !bins::are_untouched(image, bins);
        let linked = if started { bins::links(memory, bins) } else { Some(0) };
        let (Some(again), Some((arenas, layout))) = (linked, ring::read(memory, regions, &addresses, layout))
        else {
            torn = true;
            continue;
        };
        let (settings, more) = settings::find(memory, regions, image.region, &arenas[0], layout);
        let retries = retries.saturating_add(again).saturating_add(more);
        let (main, place) = (arenas[0].address, image.region.clone());
        return Place::Found(Box::new(Malloc { layout, main, place, started, arenas, settings, retries }));
    }
    if torn { Place::Torn } else { Place::Nothing }
}
