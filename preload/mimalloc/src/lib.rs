//! `libarenalab_mimalloc.so`: mimalloc in place of the C library's `malloc`, for any program, with
//! `LD_PRELOAD`. From the same source as in `arenalab-workload-mimalloc`; `MIMALLOC_*` variables configure it.
//!
//! Exported besides the C family: what asks mimalloc for its version, settings and statistics.

use arenalab_preload::{export, export_with_errno, set_errno};
use libc::{c_char, c_int, c_long, c_void, size_t};

export! {
    malloc(size: size_t) -> *mut c_void = "mi_malloc";
    realloc(pointer: *mut c_void, size: size_t) -> *mut c_void = "mi_realloc";
    free(pointer: *mut c_void) = "mi_free";
    cfree(pointer: *mut c_void) = "mi_free";
    free_sized(pointer: *mut c_void, size: size_t) = "mi_free_size";
    posix_memalign(out: *mut *mut c_void, alignment: size_t, size: size_t) -> c_int = "mi_posix_memalign";
    malloc_usable_size(pointer: *mut c_void) -> size_t = "mi_usable_size";
}

export_with_errno! {
    aligned_alloc(alignment: size_t, size: size_t) aligned = "mi_aligned_alloc";
    memalign(alignment: size_t, size: size_t) aligned = "mi_memalign";
    valloc(size: size_t) pages = "mi_valloc";
    pvalloc(size: size_t) pages = "mi_pvalloc";
}

// mimalloc's own interface (mimalloc.h), as far as it asks and does not allocate; build.rs renames them.
export! {
    mi_version() -> c_int = "arenalab_mi_version";
    mi_option_get(option: c_int) -> c_long = "arenalab_mi_option_get";
    mi_is_in_heap_region(pointer: *const c_void) -> bool = "arenalab_mi_is_in_heap_region";
    mi_stats_get_json(size: size_t, buffer: *mut c_char) -> *mut c_char = "arenalab_mi_stats_get_json";
}

unsafe extern "C" {
    fn mi_zalloc(size: size_t) -> *mut c_void;
    fn mi_register_error(handler: extern "C" fn(c_int, *mut c_void), argument: *mut c_void);
}

/// `calloc`. mimalloc's own says nothing of a product that overflows.
///
/// # Safety
/// What its manual page asks.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn calloc(count: size_t, size: size_t) -> *mut c_void {
    let Some(total) = count.checked_mul(size) else {
        set_errno(libc::ENOMEM);
        return std::ptr::null_mut();
    };
    // SAFETY: any size may be asked for.
    unsafe { mi_zalloc(total) }
}

/// `free_aligned_sized`.
///
/// # Safety
/// What its manual page asks.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn free_aligned_sized(pointer: *mut c_void, _alignment: size_t, size: size_t) {
    // SAFETY: the caller's promise; mimalloc finds an aligned block's start by itself.
    unsafe { free_sized(pointer, size) }
}

/// `reallocarray`, with `ENOMEM` where mimalloc says `EOVERFLOW`.
///
/// # Safety
/// What its manual page asks.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn reallocarray(pointer: *mut c_void, count: size_t, size: size_t) -> *mut c_void {
    // SAFETY: the caller's promise.
    unsafe { arenalab_preload::reallocarray(realloc, pointer, count, size) }
}

/// mimalloc tells a handler why a request fails, and leaves `errno` alone.
extern "C" fn on_error(error: c_int, _: *mut c_void) {
    if matches!(error, libc::ENOMEM | libc::EOVERFLOW) {
        set_errno(libc::ENOMEM);
    }
}

extern "C" fn register() {
    // SAFETY: the handler lives as long as the library and takes any argument. The dynamic linker calls this
    // once, while there is one thread.
    unsafe { mi_register_error(on_error, std::ptr::null_mut()) }
}

/// Run by the dynamic linker when the library is loaded.
#[used]
#[unsafe(link_section = ".init_array")]
static REGISTER: extern "C" fn() = register;
