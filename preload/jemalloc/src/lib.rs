//! `libarenalab_jemalloc.so`: jemalloc in place of the C library's `malloc`, for any program, with
//! `LD_PRELOAD`. The same build of jemalloc as in `arenalab-workload-jemalloc`; `MALLOC_CONF` configures it.
//!
//! All of jemalloc's own interface is exported besides the C family, so that a program which is linked to
//! another libjemalloc never has memory of two of them.

use arenalab_preload::{export, export_with_errno, pages};
use libc::{c_char, c_int, c_void, size_t};

// The C library's names.
export! {
    malloc(size: size_t) -> *mut c_void = "arenalab_malloc";
    calloc(count: size_t, size: size_t) -> *mut c_void = "arenalab_calloc";
    realloc(pointer: *mut c_void, size: size_t) -> *mut c_void = "arenalab_realloc";
    free(pointer: *mut c_void) = "arenalab_free";
    cfree(pointer: *mut c_void) = "arenalab_free";
    posix_memalign(out: *mut *mut c_void, alignment: size_t, size: size_t) -> c_int = "arenalab_posix_memalign";
    aligned_alloc(alignment: size_t, size: size_t) -> *mut c_void = "arenalab_aligned_alloc";
    malloc_usable_size(pointer: *mut c_void) -> size_t = "arenalab_malloc_usable_size";
}

// The historical ones, for which jemalloc leaves errno alone.
export_with_errno! {
    memalign(alignment: size_t, size: size_t) aligned = "arenalab_memalign";
    valloc(size: size_t) pages = "arenalab_valloc";
}

// jemalloc's own interface (jemalloc/jemalloc.h).
export! {
    mallocx(size: size_t, flags: c_int) -> *mut c_void = "arenalab_mallocx";
    rallocx(pointer: *mut c_void, size: size_t, flags: c_int) -> *mut c_void = "arenalab_rallocx";
    xallocx(pointer: *mut c_void, size: size_t, extra: size_t, flags: c_int) -> size_t = "arenalab_xallocx";
    sallocx(pointer: *const c_void, flags: c_int) -> size_t = "arenalab_sallocx";
    dallocx(pointer: *mut c_void, flags: c_int) = "arenalab_dallocx";
    sdallocx(pointer: *mut c_void, size: size_t, flags: c_int) = "arenalab_sdallocx";
    nallocx(size: size_t, flags: c_int) -> size_t = "arenalab_nallocx";
    mallctl(name: *const c_char, old: *mut c_void, old_len: *mut size_t, new: *mut c_void, new_len: size_t)
        -> c_int = "arenalab_mallctl";
    mallctlnametomib(name: *const c_char, mib: *mut size_t, len: *mut size_t) -> c_int
        = "arenalab_mallctlnametomib";
    mallctlbymib(mib: *const size_t, len: size_t, old: *mut c_void, old_len: *mut size_t,
        new: *mut c_void, new_len: size_t) -> c_int = "arenalab_mallctlbymib";
    malloc_stats_print(write: Option<unsafe extern "C" fn(*mut c_void, *const c_char)>, data: *mut c_void,
        options: *const c_char) = "arenalab_malloc_stats_print";
}

/// `free_sized`. jemalloc's own does not take NULL, which C23 allows.
///
/// # Safety
/// What its manual page asks.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn free_sized(pointer: *mut c_void, _size: size_t) {
    // SAFETY: the caller's promise.
    unsafe { free(pointer) }
}

/// `free_aligned_sized`, likewise.
///
/// # Safety
/// What its manual page asks.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn free_aligned_sized(pointer: *mut c_void, _alignment: size_t, _size: size_t) {
    // SAFETY: the caller's promise.
    unsafe { free(pointer) }
}

/// `reallocarray`, which jemalloc does not have.
///
/// # Safety
/// What its manual page asks.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn reallocarray(pointer: *mut c_void, count: size_t, size: size_t) -> *mut c_void {
    // SAFETY: the caller's promise.
    unsafe { arenalab_preload::reallocarray(realloc, pointer, count, size) }
}

/// `pvalloc`. jemalloc's own rounds the last page of the address space up to nothing.
///
/// # Safety
/// What its manual page asks.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pvalloc(size: size_t) -> *mut c_void {
    unsafe extern "C" {
        fn arenalab_pvalloc(size: size_t) -> *mut c_void;
    }
    if isize::try_from(size).is_err() {
        return pages(size, std::ptr::null_mut());
    }
    // SAFETY: any size may be asked for.
    pages(size, unsafe { arenalab_pvalloc(size) })
}
