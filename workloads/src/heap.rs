//! The calls that are measured.

use std::hint::black_box;

/// The same address, of which the compiler knows nothing any more: neither that it came from `malloc`, nor that what
/// follows frees it. [`black_box`] would carry it through memory, which takes longer than a fast `malloc`.
#[inline]
pub(crate) fn opaque(address: *mut u8) -> *mut u8 {
    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
    {
        let mut hidden = address;
        // SAFETY: no instruction; the register keeps its value, and no memory is accessed.
        #[allow(clippy::pointers_in_nomem_asm_block)]
        unsafe {
            std::arch::asm!("/* {0} */", inout(reg) hidden, options(nomem, nostack, preserves_flags));
        }
        hidden
    }
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    black_box(address)
}

/// A C allocator interface. The engine is generic over it: the binaries use [`LibcHeap`], the benchmark of
/// the engine itself [`NullHeap`].
///
/// # Safety
/// Memory that is returned must be valid for the size asked for until it is freed, unless
/// [`Heap::TOUCHABLE`] is false.
pub unsafe trait Heap: Copy + Send + 'static {
    /// Whether returned memory may be read and written.
    const TOUCHABLE: bool;
    /// `malloc(size)`.
    fn malloc(self, size: usize) -> *mut u8;
    /// `calloc(1, size)`.
    fn calloc(self, size: usize) -> *mut u8;
    /// `aligned_alloc(align, size)`; `size` is a multiple of `align`.
    fn aligned_alloc(self, align: usize, size: usize) -> *mut u8;
    /// `realloc(address, size)`.
    ///
    /// # Safety
    /// `address` came from this heap and has not been freed.
    unsafe fn realloc(self, address: *mut u8, size: usize) -> *mut u8;
    /// `free(address)`.
    ///
    /// # Safety
    /// `address` came from this heap and has not been freed.
    unsafe fn free(self, address: *mut u8);
    /// `malloc_usable_size(address)`.
    ///
    /// # Safety
    /// `address` came from this heap and has not been freed.
    unsafe fn usable_size(self, address: *mut u8) -> usize;
}

/// C `malloc` and its family, whoever serves them in this process.
#[derive(Clone, Copy, Debug, Default)]
pub struct LibcHeap;

// SAFETY: the C standard's promises. `opaque` keeps the compiler from knowing that it is malloc.
unsafe impl Heap for LibcHeap {
    const TOUCHABLE: bool = true;

    #[inline]
    fn malloc(self, size: usize) -> *mut u8 {
        // SAFETY: malloc may be called with any size.
        opaque(unsafe { libc::malloc(size) }.cast())
    }

    #[inline]
    fn calloc(self, size: usize) -> *mut u8 {
        // SAFETY: calloc may be called with any size.
        opaque(unsafe { libc::calloc(1, size) }.cast())
    }

    #[inline]
    fn aligned_alloc(self, align: usize, size: usize) -> *mut u8 {
        // SAFETY: may be called with any values; bad ones give NULL.
        opaque(unsafe { libc::aligned_alloc(align, size) }.cast())
    }

    #[inline]
    unsafe fn realloc(self, address: *mut u8, size: usize) -> *mut u8 {
        // SAFETY: the caller's promise.
        opaque(unsafe { libc::realloc(address.cast(), size) }.cast())
    }

    #[inline]
    unsafe fn free(self, address: *mut u8) {
        // SAFETY: the caller's promise.
        unsafe { libc::free(opaque(address).cast()) }
    }

    #[inline]
    unsafe fn usable_size(self, address: *mut u8) -> usize {
        // SAFETY: the caller's promise.
        black_box(unsafe { libc::malloc_usable_size(opaque(address).cast()) })
    }
}

/// Does nothing, as fast as can be: what remains is the cost of the engine.
#[derive(Clone, Copy, Debug, Default)]
pub struct NullHeap;

/// Makes the compiler work the size out, as for a real call.
#[inline]
fn used(size: usize) {
    opaque(std::ptr::without_provenance_mut(size));
}

static SOMEWHERE: [u8; 16] = [0; 16];

fn somewhere() -> *mut u8 {
    opaque(SOMEWHERE.as_ptr().cast_mut())
}

// SAFETY: what it returns is declared untouchable.
unsafe impl Heap for NullHeap {
    const TOUCHABLE: bool = false;

    #[inline]
    fn malloc(self, size: usize) -> *mut u8 {
        used(size);
        somewhere()
    }

    #[inline]
    fn calloc(self, size: usize) -> *mut u8 {
        self.malloc(size)
    }

    #[inline]
    fn aligned_alloc(self, _align: usize, size: usize) -> *mut u8 {
        self.malloc(size)
    }

    #[inline]
    unsafe fn realloc(self, address: *mut u8, size: usize) -> *mut u8 {
        used(size);
        address
    }

    #[inline]
    unsafe fn free(self, address: *mut u8) {
        opaque(address);
    }

    #[inline]
    unsafe fn usable_size(self, address: *mut u8) -> usize {
        black_box(address);
        usize::MAX
    }
}
