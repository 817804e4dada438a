//! What the preload libraries have in common. Each is one allocator that serves `malloc` for a program which
//! knows nothing of it: `LD_PRELOAD=libarenalab_jemalloc.so program`.
//!
//! rustc exports from a shared library what Rust defines, and hides the symbols of C archives (its version
//! script ends with `local: *`). So every exported function is one of Rust's, of one jump, and the
//! allocator's own has a name that is not the C library's. Nothing here allocates.

use libc::{ENOMEM, c_int, c_void, size_t};

/// Defines and exports functions under their own names, each one jump to the allocator's, which has the same
/// arguments: `name(argument: Type, …) -> Result = "the_allocator_s_name";`.
#[macro_export]
macro_rules! export {
    ($($name:ident($($arg:ident: $type:ty),*) $(-> $result:ty)? = $target:literal;)*) => {
        $(
            #[doc = concat!("`", stringify!($name), "`, served by the allocator of this library.")]
            ///
            /// # Safety
            /// What its manual page asks.
            #[unsafe(no_mangle)]
            pub unsafe extern "C" fn $name($($arg: $type),*) $(-> $result)? {
                unsafe extern "C" {
                    #[link_name = $target]
                    fn target($($arg: $type),*) $(-> $result)?;
                }
                // SAFETY: the caller keeps the contract, which is the same function's.
                unsafe { target($($arg),*) }
            }
        )*
    };
}

/// Like [`export`], with `errno` set where there is no memory, for functions whose allocator leaves it as it
/// was. The first argument is the alignment; the C library's functions without one take pages.
#[macro_export]
macro_rules! export_with_errno {
    ($($name:ident($first:ident: size_t $(, $arg:ident: $type:ty)*) $errno:ident = $target:literal;)*) => {
        $(
            #[doc = concat!("`", stringify!($name), "`, served by the allocator of this library.")]
            ///
            /// # Safety
            /// What its manual page asks.
            #[unsafe(no_mangle)]
            pub unsafe extern "C" fn $name($first: size_t $(, $arg: $type)*) -> *mut c_void {
                unsafe extern "C" {
                    #[link_name = $target]
                    fn target($first: size_t $(, $arg: $type)*) -> *mut c_void;
                }
                // SAFETY: the caller keeps the contract, which is the same function's.
                $crate::$errno($first, unsafe { target($first $(, $arg)*) })
            }
        )*
    };
}

/// Says in `errno` why there is no memory.
#[inline]
pub fn set_errno(error: c_int) {
    // SAFETY: the address of this thread's errno, valid as long as the thread is.
    unsafe { *libc::__errno_location() = error };
}

/// The result of a request, with `errno` set where there is none: to `EINVAL` for an alignment that is no
/// power of two, else to `ENOMEM`. For functions whose allocator leaves `errno` as it was.
#[inline]
pub fn aligned(alignment: size_t, result: *mut c_void) -> *mut c_void {
    if result.is_null() {
        set_errno(if alignment.is_power_of_two() { ENOMEM } else { libc::EINVAL });
    }
    result
}

/// The result of a request for pages, with `errno` set to `ENOMEM` where there is none.
#[inline]
pub fn pages(_size: size_t, result: *mut c_void) -> *mut c_void {
    aligned(1, result)
}

/// `reallocarray` over a `realloc`: `ENOMEM` where the product overflows, with the old block left as it is.
///
/// # Safety
/// `pointer` is `realloc`'s to change.
#[inline]
pub unsafe fn reallocarray(
    realloc: unsafe extern "C" fn(*mut c_void, size_t) -> *mut c_void,
    pointer: *mut c_void,
    count: size_t,
    size: size_t,
) -> *mut c_void {
    let Some(total) = count.checked_mul(size) else {
        set_errno(ENOMEM);
        return std::ptr::null_mut();
    };
    // SAFETY: the caller's promise.
    unsafe { realloc(pointer, total) }
}
