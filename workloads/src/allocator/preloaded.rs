//! An allocator that was put in place of the C library's with `LD_PRELOAD`.

use std::ffi::{CStr, c_char, c_int};
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

/// An allocator that is not known, or gperftools' tcmalloc, which can be asked for a few figures.
struct Stranger {
    path: String,
}

/// Settings of tcmalloc by the key of a candidate, with the property that tells the effective value
/// (gperftools, `malloc_extension.h`).
const TCMALLOC: [(&str, &CStr); 2] = [
    ("aggressive_decommit", c"tcmalloc.aggressive_memory_decommit"),
    ("max_total_thread_cache_bytes", c"tcmalloc.max_total_thread_cache_bytes"),
];

/// A figure of tcmalloc's; `None` where it, or this figure of it, does not exist.
fn tcmalloc_figure(property: &CStr) -> Option<u64> {
    type GetNumericProperty = unsafe extern "C" fn(*const c_char, *mut usize) -> c_int;
    let mut value = 0;
    // SAFETY: the type of this function, a name of gperftools' alone; it writes one size_t where it returns 1.
    let known = unsafe {
        function::<GetNumericProperty>(c"MallocExtension_GetNumericProperty")?(
            property.as_ptr(),
            &raw mut value,
        )
    };
    (known != 0).then_some(value as u64)
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
            settings: (TCMALLOC.iter())
                .filter_map(|(key, property)| {
                    Some(((*key).to_owned(), tcmalloc_figure(property)?.to_string()))
                })
                .collect(),
            counted_cpus: None,
        }
    }

    fn inspect(&self) -> io::Result<Inspection> {
        Ok(Inspection {
            allocated: tcmalloc_figure(c"generic.current_allocated_bytes"),
            free: tcmalloc_figure(c"tcmalloc.pageheap_free_bytes"),
            ..Inspection::default()
        })
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
