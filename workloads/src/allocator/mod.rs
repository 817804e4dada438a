//! Which allocator really serves C `malloc` in this process, and what it says of itself.
//!
//! Allocators that are linked statically hand their functions in from their own binary; those that were
//! preloaded are found with `dlsym`. Either way a probe must show that `malloc` is theirs.

pub mod counted_cpus;
pub mod glibc;
pub mod jemalloc;
pub mod malloc_info;
pub mod mimalloc;
pub mod preloaded;

use std::ffi::{CStr, c_char, c_int, c_void};
use std::io;

use arenalab_wire::message::{Identity, Inspection};

/// An allocator that can be asked.
pub trait Allocator: Sync {
    /// Who it is, after a probe.
    fn identity(&self) -> Identity;

    /// Its present state. To be asked only while nothing else allocates.
    ///
    /// # Errors
    /// When it cannot be asked.
    fn inspect(&self) -> io::Result<Inspection>;

    /// Asks it to give back what it holds without need, as far as the calling thread may; what was called and what it
    /// answered. `None` where it has no such call. To be asked only while nothing else allocates.
    fn trim(&self) -> Option<String>;
}

/// A size for probes: larger than what thread caches keep, smaller than what is mapped on its own (freeing
/// such a block would raise glibc's dynamic mmap threshold and so change what is measured).
pub(crate) const PROBE: usize = 40 << 10;

/// Allocates a probe, lets `check` look at it, frees it.
pub(crate) fn with_probe<T>(check: impl FnOnce(*mut c_void) -> T) -> T {
    // SAFETY: any size may be asked for, and free takes what malloc returned, NULL included.
    unsafe {
        let probe = std::hint::black_box(libc::malloc(std::hint::black_box(PROBE)));
        let result = check(probe);
        libc::free(probe);
        result
    }
}

/// The file whose code serves `malloc`: a shared library, or the program itself. `None` where the linker
/// cannot tell (a static program).
pub fn object_of_malloc() -> Option<String> {
    let malloc: unsafe extern "C" fn(usize) -> *mut c_void = libc::malloc;
    let mut info = std::mem::MaybeUninit::<libc::Dl_info>::zeroed();
    // SAFETY: dladdr takes any address and fills the structure where it returns non-zero; the name it gives
    // lives as long as the object is loaded.
    unsafe {
        if libc::dladdr(malloc as *const c_void, info.as_mut_ptr()) == 0 {
            return None;
        }
        text(info.assume_init().dli_fname)
    }
}

/// A C string as text; `None` for NULL.
///
/// # Safety
/// NULL, or a string that ends.
pub(crate) unsafe fn text(string: *const c_char) -> Option<String> {
    // SAFETY: the caller's promise.
    (!string.is_null()).then(|| unsafe { CStr::from_ptr(string) }.to_string_lossy().into_owned())
}

/// The last part of a path.
pub(crate) fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// Looks a function up among all loaded objects; NULL where there is none.
pub(crate) fn lookup(name: &CStr) -> *mut c_void {
    // SAFETY: RTLD_DEFAULT is a valid handle, the name a C string.
    unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) }
}

/// A function found with [`lookup`], as a value of function pointer type `F`.
///
/// # Safety
/// The symbol, where it exists, has type `F`.
pub(crate) unsafe fn function<F: Copy>(name: &CStr) -> Option<F> {
    const { assert!(size_of::<F>() == size_of::<*mut c_void>()) };
    let address = lookup(name);
    // SAFETY: not NULL, of the size of a pointer, and of type F by the caller's promise.
    (!address.is_null()).then(|| unsafe { std::mem::transmute_copy(&address) })
}

/// Version of the C library; `unknown` where it has no way to tell.
pub fn libc_version() -> String {
    type Version = unsafe extern "C" fn() -> *const c_char;
    // SAFETY: the type of gnu_get_libc_version, which returns a static string.
    let version = unsafe { function::<Version>(c"gnu_get_libc_version").and_then(|ask| text(ask())) };
    version.unwrap_or_else(|| "unknown".to_owned())
}

/// The signature of jemalloc's `mallctl`.
pub type Mallctl = unsafe extern "C" fn(*const c_char, *mut c_void, *mut usize, *mut c_void, usize) -> c_int;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn symbols_are_found_or_not() {
        assert!(!lookup(c"malloc").is_null());
        assert!(lookup(c"no_such_symbol_anywhere").is_null());
        assert!(libc_version().starts_with("2."));
        assert_eq!(file_name("/usr/lib/libc.so.6"), "libc.so.6");
    }
}
