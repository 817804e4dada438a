//! What `inspect --json` prints. Sizes are in bytes; what could not be seen is `null`, never 0.

use schemars::JsonSchema;
use serde::Serialize;

/// What the heap of a live process looks like.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct Inspected {
    /// [`super::FORMAT`] of the writer.
    pub format: u32,
    /// The process.
    pub pid: u32,
    /// Its name, as the kernel keeps it.
    pub comm: String,
    /// Its threads.
    pub threads: Option<u64>,
    /// Its resident memory, by its own status.
    pub rss: Option<u64>,
    /// What serves `malloc` in it.
    pub allocator: Allocator,
    /// What steers malloc in the environment that it was started with, `NAME=VALUE`.
    pub environment: Vec<String>,
    /// The settings in force in glibc's malloc; `null` where they could not be seen.
    pub settings: Option<Settings>,
    /// The most arenas that glibc makes in this process.
    pub arena_limit: Option<ArenaLimit>,
    /// Its arenas, the main one first.
    pub arenas: Vec<Arena>,
    /// What threads' caches hold; `null` unless every chunk was looked at.
    pub tcache: Option<Cached>,
    /// Chunks in use by size, without those in caches; empty unless every chunk was looked at.
    pub in_use_by_size: Vec<InUse>,
    /// Free chunks by size, without fast ones and tops.
    pub free_by_size: Vec<InUse>,
    /// Whether free bytes are known: all free chunks were read, or their standard error is at most 5 %. `not_seen` says which, and
    /// what is known where they are not.
    pub free_is_whole: bool,
    /// Blocks with a mapping of their own.
    pub mmapped: Option<Mapped>,
    /// Where its resident memory is; the sum is `rss` as it was at that moment.
    pub rows: Vec<Row>,
    /// Lists that changed each time that they were read.
    pub torn_walks: u64,
    /// How often something was read again because the process changed it.
    pub retries: u64,
    /// What could not be seen.
    pub not_seen: Vec<NotSeen>,
    /// What follows from the figures; empty where nothing does.
    pub advice: Vec<Advice>,
}

/// What serves `malloc`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct Allocator {
    /// `glibc`, `jemalloc`, `mimalloc`, `tcmalloc`, `musl`, `its own` or `unknown`.
    pub name: String,
    /// glibc's version, by the words in its file.
    pub version: Option<String>,
    /// How it is known, in a clause.
    pub how: String,
}

/// Settings in force, whoever set them.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Settings {
    /// The most arenas; 0 where not set.
    pub arena_max: u64,
    /// Arenas before CPUs are counted.
    pub arena_test: u64,
    /// The size of the main arena's top from which on it is given back.
    pub trim_threshold: u64,
    /// Bytes asked for beyond what is needed.
    pub top_pad: u64,
    /// The size from which on a block gets a mapping of its own.
    pub mmap_threshold: u64,
    /// The most such blocks.
    pub mmap_max: u64,
    /// Whether the thresholds rise by themselves.
    pub dynamic_thresholds: bool,
    /// The most chunks a size in a thread's cache.
    pub tcache_count: Option<u64>,
    /// The largest block in a thread's cache.
    pub tcache_max: Option<u64>,
    /// Transparent huge pages that are asked for; 0 where none are.
    pub thp_pagesize: Option<u64>,
    /// Huge pages that memory is mapped with; 0 where none are.
    pub hp_pagesize: Option<u64>,
}

/// The most arenas that glibc makes, between two bounds where the version leaves a doubt.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct ArenaLimit {
    /// At least so many.
    pub low: u64,
    /// At most so many; `null` where there is no limit.
    pub high: Option<u64>,
}

/// An arena.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Arena {
    /// Whether it is the main one.
    pub main: bool,
    /// Threads that allocate from it.
    pub threads: Option<u64>,
    /// Its heaps; 0 where they did not hold together.
    pub heaps: u64,
    /// What it has from the system.
    pub system: u64,
    /// The most that it ever had.
    pub max_system: u64,
    /// In use, threads' caches included.
    pub in_use: u64,
    /// Free chunks, without fast ones and top.
    pub free: u64,
    /// Their number.
    pub free_chunks: u64,
    /// The largest of them.
    pub largest_free: u64,
    /// Bytes between the end of the largest of them and top; `null` where the arena is not in one piece.
    pub above_largest: Option<u64>,
    /// How much of the free chunks is resident, fast ones included.
    pub free_resident: Option<u64>,
    /// Free chunks in fast bins.
    pub fast: u64,
    /// The free chunk at its end.
    pub top: u64,
    /// How much of top is resident.
    pub top_resident: Option<u64>,
    /// How much of its heaps is resident.
    pub rss: Option<u64>,
    /// How much of its heaps is in swap.
    pub swapped: Option<u64>,
    /// What `malloc_trim(0)` would give back of it now.
    pub trim_gives: Option<u64>,
    /// Whether the process changed it each time that it was read: its figures are of several moments.
    pub moved: bool,
    /// The standard error of `free` where the arena has more free chunks than a quick look reads, and places in it were chosen by
    /// chance: `free`, `free_chunks`, `free_resident`, `trim_gives` and `in_use` are then estimates. `null` where all was read.
    pub free_error: Option<u64>,
    /// Samples of its mutex; `null` unless asked for.
    pub contention: Option<Contention>,
}

/// Samples of an arena's mutex.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Contention {
    /// All of them.
    pub looks: u64,
    /// Those in which a thread held it.
    pub held: u64,
    /// Those in which other threads waited for it.
    pub waited_for: u64,
}

/// What threads' caches hold.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Cached {
    /// Caches that hold something.
    pub caches: u64,
    /// Their chunks.
    pub chunks: u64,
    /// Their bytes.
    pub bytes: u64,
    /// The part of the arenas' bytes that was looked at, from 0 to 1.
    pub coverage: f64,
}

/// Chunks of one power of two of sizes.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct InUse {
    /// Their sizes are below this, and at least half of it.
    pub below: u64,
    /// Their number.
    pub chunks: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// Blocks with a mapping of their own.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Mapped {
    /// Their number, by malloc's own count.
    pub count: u64,
    /// Their bytes.
    pub bytes: u64,
    /// How many of them were found.
    pub found: u64,
    /// The largest that were found.
    pub largest: Vec<u64>,
}

/// Resident memory of one kind.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Row {
    /// `main heap`, `thread arenas`, `mapped blocks`, `stacks`, `files`, `shared memory`, `other anonymous`; `all anonymous` where
    /// its memory may not be read, and only the kernel's own sums tell.
    pub kind: String,
    /// In memory.
    pub rss: u64,
    /// In memory, a page that n processes have mapped counting as one n-th.
    pub pss: Option<u64>,
    /// As transparent huge pages.
    pub anon_huge: u64,
    /// Free to be taken by the kernel.
    pub lazy_free: u64,
    /// In swap.
    pub swap: u64,
}

/// Something that could not be seen.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct NotSeen {
    /// What.
    pub what: String,
    /// Why, and what would show it.
    pub why: String,
}

/// What follows from the figures.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Advice {
    /// The rule's name.
    pub rule: String,
    /// What it is, with the figures.
    pub evidence: String,
    /// Where the rule comes from.
    pub source: String,
    /// What to run or try next.
    pub next: String,
}
