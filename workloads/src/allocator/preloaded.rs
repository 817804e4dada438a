//! An allocator that was put in place of the C library's with `LD_PRELOAD`.

use std::collections::BTreeMap;
use std::ffi::{c_char, c_int};
use std::io;

use arenalab_wire::message::{Identity, Inspection};

use super::jemalloc::Jemalloc;
use super::mimalloc::{Functions, Mimalloc};
use super::{Allocator, Mallctl, function, libc_version, text};

/// What serves `malloc` from `path`, as far as its interface gives it away.
pub fn find(path: &str) -> Box<dyn Allocator> {
    // SAFETY: `mallctl` is jemalloc's name alone.
    if let Some(mallctl) = unsafe { function::<Mallctl>(c"mallctl") } {
        // SAFETY: as above.
        return Box::new(unsafe { Jemalloc::new(mallctl) });
    }
    if let Some(functions) = mimalloc_functions() {
        // SAFETY: found under mimalloc's own names.
        return Box::new(unsafe { Mimalloc::new(functions) });
    }
    Box::new(Stranger { path: path.to_owned() })
}

fn mimalloc_functions() -> Option<Functions> {
    // SAFETY: the names are mimalloc's alone, with these types since 1.7 (the statistics since 2.2).
    unsafe {
        Some(Functions {
            version: function(c"mi_version")?,
            option_get: function(c"mi_option_get")?,
            is_in_heap_region: function(c"mi_is_in_heap_region")?,
            stats_get_json: function(c"mi_stats_get_json"),
            collect: function(c"mi_collect"),
        })
    }
}

/// An allocator that cannot be asked more than its name.
struct Stranger {
    path: String,
}

impl Allocator for Stranger {
    fn identity(&self) -> Identity {
        let (name, version) = match tcmalloc_version() {
            Some(version) => ("tcmalloc", version),
            None => ("unknown", "unknown".to_owned()),
        };
        Identity {
            name: name.to_owned(),
            version,
            how: format!("malloc resolves to {}, which is not the C library", self.path),
            libc_version: libc_version(),
            settings: BTreeMap::new(),
        }
    }

    fn inspect(&self) -> io::Result<Inspection> {
        Ok(Inspection::default())
    }

    fn trim(&self) -> Option<String> {
        // SAFETY: the type of tcmalloc's function, whose name is its alone.
        let release = unsafe { function::<unsafe extern "C" fn()>(c"MallocExtension_ReleaseFreeMemory") }?;
        // SAFETY: as above; may be called at any time.
        unsafe { release() };
        Some("MallocExtension_ReleaseFreeMemory()".to_owned())
    }
}

fn tcmalloc_version() -> Option<String> {
    type Version = unsafe extern "C" fn(*mut c_int, *mut c_int, *mut *const c_char) -> *const c_char;
    let (mut major, mut minor, mut patch) = (0, 0, std::ptr::null());
    // SAFETY: the type of gperftools' tc_version, which returns a static string.
    unsafe { text(function::<Version>(c"tc_version")?(&raw mut major, &raw mut minor, &raw mut patch)) }
}
