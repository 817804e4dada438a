//! What a look at an image shows: who serves `malloc`, what glibc's heap holds, and what a search of its file adds.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use crate::trial::elf::Facts;
use crate::trial::elf::deep::Inside;
use crate::trial::heaps::Heap;

/// Memory of a program from which on it must be in malloc's hands to count as malloc's, bytes.
const LARGE: u64 = 2 << 20;
/// glibc serves hardly anything where it holds less than one part in so many of the memory.
const HARDLY: u64 = 10;
/// Of a program that carries an allocator, most is in that one's hands where glibc has less than one part in so many.
pub const MOSTLY: u64 = 4;
/// Who has what is open where glibc has less than one part in so many.
pub const HALF: u64 = 2;
/// Memory that tells nothing, bytes.
const TRIFLE: u64 = 512 << 10;

/// What serves `malloc` in a process, as seen from outside.
// Each flag is a fact of its own, and several may hold.
#[allow(clippy::struct_excessive_bools)]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Served {
    /// `glibc`, `jemalloc`, `mimalloc`, `tcmalloc`, `musl`, `its own` or `unknown`.
    pub by: String,
    /// How this is known.
    pub how: String,
    /// The file that serves `malloc`, where that is a library other than the C library.
    pub library: Option<PathBuf>,
    /// Its files in the order in which the loader looks up symbols; empty where that is not known.
    pub order: Vec<PathBuf>,
    /// Whether all that belongs to it was loaded.
    pub settled: bool,
    /// The dynamic loader.
    pub loader: Option<PathBuf>,
    /// The C library.
    pub libc: Option<PathBuf>,
    /// Whether it runs as the trial was started: through the loader, or in the root, of another C library.
    pub on_footing: bool,
    /// Files that it has mapped.
    pub files: Vec<PathBuf>,
    /// What its program says.
    pub facts: Facts,
    /// Its program.
    pub executable: PathBuf,
    /// The same by the path at which the lab finds it.
    pub file: PathBuf,
    /// Whether its loader runs in secure mode.
    pub secure: bool,
    /// Its environment, where it could be read and is one.
    pub environment: Option<BTreeMap<String, String>>,
    /// A runtime whose objects do not come from `malloc`, in a clause.
    pub managed: Option<&'static str>,
}

/// A look at an image.
#[derive(Clone, Debug)]
pub struct Sight {
    /// What serves `malloc`.
    pub served: Arc<Served>,
    /// What tells its mapped files, and where they are mapped, from others.
    pub files: u64,
    /// glibc's heap, where there is one.
    pub heap: Option<Heap>,
    /// The most arenas that any look at this image found.
    pub most_arenas: u32,
    /// Its anonymous memory then, bytes.
    pub size: u64,
    /// CPU seconds that it had used.
    pub used_s: f64,
    /// What a search of its file found, once it was made.
    pub inside: Option<Inside>,
    /// A file besides the C library that asks for `mallopt`, which may change what the environment says.
    pub mallopt: Option<PathBuf>,
}

impl Sight {
    /// Whether all is loaded, and glibc's malloc, where that serves, has begun to.
    pub fn is_conclusive(&self) -> bool {
        let begun = || self.heap.as_ref().is_some_and(|heap| heap.system.is_none_or(|bytes| bytes > 0));
        self.served.settled && (self.served.by != "glibc" || begun())
    }

    /// An allocator that its program carries under names of its own.
    pub fn carried(&self) -> Option<&'static str> {
        self.served.facts.allocator.or_else(|| self.inside.and_then(|inside| inside.allocator))
    }

    /// Whether glibc holds less than one part in so many of a program's memory, where that is more than a trifle.
    pub fn elsewhere(&self, part: u64) -> bool {
        let system = self.heap.as_ref().and_then(|heap| heap.system);
        self.size >= TRIFLE && system.is_some_and(|bytes| bytes < self.size / part)
    }

    /// Takes what a search of its file found: an allocator that no table of exports shows, and which C library a static
    /// program has.
    pub fn settle(&mut self, inside: Inside) {
        self.inside = Some(inside);
        let executable = self.served.executable.display().to_string();
        let in_use = self.heap.as_ref().is_some_and(|heap| heap.system.is_some_and(|bytes| bytes > 0));
        let c_part = self.served.facts.go && !self.served.facts.is_static && in_use && self.size >= LARGE;
        let (by, how) = match self.carried() {
            _ if c_part && !self.elsewhere(HARDLY) => {
                Arc::make_mut(&mut self.served).managed =
                    Some("Go: its own heap does not come from malloc, and no candidate touches it");
                (
                    "glibc",
                    format!(
                        "{executable} is a Go program with a part in C, and glibc's arenas hold {}",
                        held(self)
                    ),
                )
            }
            Some(by) if self.served.by == "glibc" && self.elsewhere(MOSTLY) => {
                (by, format!("{executable} carries {by}, and glibc's arenas hold {}", held(self)))
            }
            _ if !self.served.facts.is_static || self.served.by != "unknown" => return,
            Some(by) if !in_use || self.elsewhere(MOSTLY) => {
                (by, format!("{executable} is static, with {by}"))
            }
            _ if in_use || inside.glibc => {
                ("glibc", format!("{executable} is linked statically, with glibc"))
            }
            _ if inside.musl => ("musl", format!("{executable} is linked statically, with musl's malloc")),
            _ => return,
        };
        let served = Arc::make_mut(&mut self.served);
        (served.by, served.how) = (by.to_owned(), how);
    }
}

/// Whether glibc holds hardly any of a large program's memory.
pub fn holds_little(sight: &Sight) -> bool {
    sight.size >= LARGE && sight.elsewhere(HARDLY)
}

/// What glibc holds of a program's memory, in words.
pub fn held(sight: &Sight) -> String {
    let bytes = |bytes: u64| crate::units::format_bytes(bytes as f64);
    let system = sight.heap.as_ref().and_then(|heap| heap.system).unwrap_or(0);
    format!("{} of its {} of anonymous memory", bytes(system), bytes(sight.size))
}
