//! jemalloc, asked through `mallctl`.

use std::collections::BTreeMap;
use std::ffi::{CStr, CString, c_char, c_void};
use std::io;
use std::ptr::null_mut;

use arenalab_wire::message::{ArenaBytes, Identity, Inspection};

use super::{Allocator, Mallctl, PROBE, libc_version, object_of_malloc, text, with_probe};

/// A jemalloc in this process.
pub struct Jemalloc {
    mallctl: Mallctl,
}

/// Types that `mallctl` reads and writes: any bits that it stores are a valid value.
trait Figure: Copy + Default {}
impl Figure for u8 {}
impl Figure for u32 {}
impl Figure for u64 {}
impl Figure for usize {}
impl Figure for isize {}

/// How the value of an option is read.
enum Option_ {
    Bool(&'static str),
    Unsigned(&'static str),
    Signed(&'static str),
    Size(&'static str),
    Text(&'static str),
}

/// Options by the key of a candidate, which is jemalloc's own name. Types from jemalloc 5.3, src/ctl.c.
const OPTIONS: &[Option_] = &[
    Option_::Unsigned("narenas"),
    Option_::Signed("dirty_decay_ms"),
    Option_::Signed("muzzy_decay_ms"),
    Option_::Bool("background_thread"),
    Option_::Size("max_background_threads"),
    Option_::Text("percpu_arena"),
    Option_::Text("thp"),
    Option_::Text("metadata_thp"),
    Option_::Text("dss"),
    Option_::Bool("retain"),
    Option_::Bool("tcache"),
    Option_::Size("tcache_max"),
    Option_::Size("lg_tcache_max"),
    Option_::Size("oversize_threshold"),
    Option_::Size("lg_extent_max_active_fit"),
    Option_::Bool("abort_conf"),
];

impl Jemalloc {
    /// Takes jemalloc's `mallctl`.
    ///
    /// # Safety
    /// It is the `mallctl` of a jemalloc (5.0 or later) in this process.
    pub const unsafe fn new(mallctl: Mallctl) -> Self {
        Self { mallctl }
    }

    fn read<T: Figure>(&self, name: &str) -> Option<T> {
        let name = CString::new(name).ok()?;
        let mut value = T::default();
        let mut length = size_of::<T>();
        // SAFETY: mallctl writes at most `length` bytes to `value`, and fails where the type's size differs.
        let failed =
            unsafe { (self.mallctl)(name.as_ptr(), (&raw mut value).cast(), &raw mut length, null_mut(), 0) };
        (failed == 0 && length == size_of::<T>()).then_some(value)
    }

    fn read_text(&self, name: &str) -> Option<String> {
        let address: usize = self.read(name)?;
        // SAFETY: only asked for names whose value is a static C string.
        unsafe { text(std::ptr::with_exposed_provenance::<c_char>(address)) }
    }

    /// Brings the statistics up to date.
    fn refresh(&self) {
        let mut epoch = 1u64;
        let length = size_of::<u64>();
        let new: *mut c_void = (&raw mut epoch).cast();
        // SAFETY: `epoch` takes a u64 and nothing is read back.
        let _ = unsafe { (self.mallctl)(c"epoch".as_ptr(), null_mut(), null_mut(), new, length) };
    }

    /// Calls a command that neither takes nor gives anything.
    fn command(&self, name: &CStr) -> bool {
        // SAFETY: nothing is read or written.
        unsafe { (self.mallctl)(name.as_ptr(), null_mut(), null_mut(), null_mut(), 0) == 0 }
    }

    fn option(&self, option: &Option_) -> Option<(String, String)> {
        let full = |key: &str| format!("opt.{key}");
        let (key, value) = match option {
            Option_::Bool(key) => (key, self.read::<u8>(&full(key)).map(|on| (on != 0).to_string())),
            Option_::Unsigned(key) => (key, self.read::<u32>(&full(key)).map(|n| n.to_string())),
            Option_::Signed(key) => (key, self.read::<isize>(&full(key)).map(|n| n.to_string())),
            Option_::Size(key) => (key, self.read::<usize>(&full(key)).map(|n| n.to_string())),
            Option_::Text(key) => (key, self.read_text(&full(key))),
        };
        Some(((*key).to_owned(), value?))
    }

    fn settings(&self) -> BTreeMap<String, String> {
        OPTIONS.iter().filter_map(|option| self.option(option)).collect()
    }

    /// Whether jemalloc counts what C `malloc` returns.
    fn counts_a_probe(&self) -> bool {
        let allocated = || self.read::<u64>("thread.allocated").unwrap_or(0);
        let before = allocated();
        with_probe(|_| allocated()).saturating_sub(before) >= PROBE as u64
    }

    fn arena(&self, index: u32, page: u64) -> Option<ArenaBytes> {
        let figure =
            |name: &str| self.read::<usize>(&format!("stats.arenas.{index}.{name}")).map(|n| n as u64);
        if self.read::<u8>(&format!("arena.{index}.initialized"))? == 0 {
            return None;
        }
        let pages = figure("pactive")? + figure("pdirty")?;
        let allocated = figure("small.allocated")? + figure("large.allocated")?;
        let system = pages * page;
        Some(ArenaBytes { system, free: system.saturating_sub(allocated) })
    }
}

impl Allocator for Jemalloc {
    fn identity(&self) -> Identity {
        let place = object_of_malloc().unwrap_or_else(|| "the program".to_owned());
        let served = self.counts_a_probe();
        let how = if served {
            format!("malloc resolves to {place}; jemalloc's thread.allocated counted a probe of 40 KiB")
        } else {
            format!("malloc resolves to {place}; jemalloc is present, but did not count a probe")
        };
        Identity {
            name: if served { "jemalloc" } else { "unknown" }.to_owned(),
            version: self.read_text("version").unwrap_or_else(|| "unknown".to_owned()),
            how,
            libc_version: libc_version(),
            settings: self.settings(),
            counted_cpus: None,
        }
    }

    fn inspect(&self) -> io::Result<Inspection> {
        self.refresh();
        let figure = |name: &str| self.read::<usize>(name).map(|n| n as u64);
        let page = figure("arenas.page").unwrap_or(4096);
        let most = self.read::<u32>("arenas.narenas").unwrap_or(0).min(4096);
        let by_arena: Vec<ArenaBytes> = (0..most).filter_map(|index| self.arena(index, page)).collect();
        let (allocated, metadata) = (figure("stats.allocated"), figure("stats.metadata"));
        let resident = figure("stats.resident");
        let free = match (resident, allocated, metadata) {
            (Some(resident), Some(allocated), Some(metadata)) => {
                Some(resident.saturating_sub(allocated).saturating_sub(metadata))
            }
            _ => None,
        };
        let names = ["stats.active", "stats.mapped", "stats.retained", "stats.metadata_thp"];
        let other = names.into_iter().filter_map(|name| Some((name.to_owned(), figure(name)?))).collect();
        Ok(Inspection {
            arenas: (!by_arena.is_empty()).then_some(by_arena.len() as u32),
            by_arena,
            allocated,
            free,
            mmapped: None,
            metadata,
            resident,
            other,
        })
    }

    /// Arena 4096 stands for all (`MALLCTL_ARENAS_ALL`). Caches of other threads keep what they hold.
    fn trim(&self) -> Option<String> {
        let word = |done| if done { "done" } else { "refused" };
        let flushed = word(self.command(c"thread.tcache.flush"));
        let purged = word(self.command(c"arena.4096.purge"));
        Some(format!("thread.tcache.flush {flushed}; arena.4096.purge (all arenas) {purged}"))
    }
}
