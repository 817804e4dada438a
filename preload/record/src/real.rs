//! The functions that would serve the program without us: the next ones after this library, whatever allocator they
//! belong to. They are looked for at the first call of any, which comes before any constructor has run. `dlsym`
//! itself may allocate: it is then served from a small pool of our own.

use core::ffi::CStr;
use core::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

use libc::{c_int, c_void, size_t};

use crate::slot::slot;

/// A function that is looked for, and found once.
pub struct Real {
    name: &'static CStr,
    found: AtomicPtr<c_void>,
}

/// Stands for a function that was looked for and is not there.
const NONE: usize = 1;

impl Real {
    const fn of(name: &'static CStr) -> Self {
        Self { name, found: AtomicPtr::new(core::ptr::null_mut()) }
    }

    /// The address; null where there is no such function, or while it is being looked for.
    #[inline]
    fn get(&self) -> *mut c_void {
        let found = self.found.load(Ordering::Acquire);
        if found.addr() > NONE { found } else { self.look(found.addr()) }
    }

    #[cold]
    fn look(&self, before: usize) -> *mut c_void {
        let slot = slot();
        if before == NONE || slot.resolving.get() != 0 {
            return core::ptr::null_mut();
        }
        slot.resolving.set(1);
        // SAFETY: the name ends with a zero byte. What dlsym says of an error is the program's only if it asks.
        let found = unsafe { libc::dlsym(libc::RTLD_NEXT, self.name.as_ptr()) };
        slot.resolving.set(0);
        let known = if found.is_null() { core::ptr::without_provenance_mut(NONE) } else { found };
        self.found.store(known, Ordering::Release);
        found
    }
}

macro_rules! real {
    ($($name:ident: fn($($arg:ident: $type:ty),*) -> $result:ty, else $none:expr;)*) => {
        $(
            #[doc = concat!("`", stringify!($name), "`, the real one.")]
            ///
            /// # Safety
            /// What its manual page asks.
            #[inline]
            pub unsafe fn $name($($arg: $type),*) -> $result {
                static REAL: Real = Real::of(
                    match CStr::from_bytes_with_nul(concat!(stringify!($name), "\0").as_bytes()) {
                        Ok(name) => name,
                        Err(_) => c"",
                    }
                );
                let found = REAL.get();
                if found.is_null() {
                    return $none;
                }
                // SAFETY: the function of this name has this signature.
                let real: unsafe extern "C" fn($($type),*) -> $result = unsafe { core::mem::transmute(found) };
                // SAFETY: the caller's promise.
                unsafe { real($($arg),*) }
            }
        )*
    };
}

real! {
    malloc: fn(size: size_t) -> *mut c_void, else pool(16, size);
    calloc: fn(count: size_t, size: size_t) -> *mut c_void, else pool(16, count.saturating_mul(size));
    realloc: fn(pointer: *mut c_void, size: size_t) -> *mut c_void, else pool_again(pointer, size);
    reallocarray: fn(pointer: *mut c_void, count: size_t, size: size_t) -> *mut c_void,
        // SAFETY: the caller's promise.
        else match count.checked_mul(size) { Some(total) => unsafe { realloc(pointer, total) }, None => no_memory() };
    free: fn(pointer: *mut c_void) -> (), else not_ours();
    posix_memalign: fn(out: *mut *mut c_void, alignment: size_t, size: size_t) -> c_int, else libc::ENOMEM;
    aligned_alloc: fn(alignment: size_t, size: size_t) -> *mut c_void, else pool(alignment, size);
    memalign: fn(alignment: size_t, size: size_t) -> *mut c_void, else pool(alignment, size);
    valloc: fn(size: size_t) -> *mut c_void, else pool(4096, size);
    pvalloc: fn(size: size_t) -> *mut c_void, else pool(4096, size);
    malloc_usable_size: fn(pointer: *mut c_void) -> size_t, else 0;
    // Those that a C library may not have stand in for each other: the C standard lets free take what they do.
    cfree: fn(pointer: *mut c_void) -> (),
        // SAFETY: the caller's promise.
        else unsafe { free(pointer) };
    free_sized: fn(pointer: *mut c_void, size: size_t) -> (),
        // SAFETY: the caller's promise.
        else { let _ = size; unsafe { free(pointer) } };
    free_aligned_sized: fn(pointer: *mut c_void, alignment: size_t, size: size_t) -> (),
        // SAFETY: the caller's promise.
        else { let _ = (alignment, size); unsafe { free(pointer) } };
}

/// While the real one is being looked for, nothing but objects of the pool is freed, and these stay.
#[cold]
fn not_ours() {}

#[cold]
fn no_memory() -> *mut c_void {
    // SAFETY: the address of this thread's errno.
    unsafe { *libc::__errno_location() = libc::ENOMEM };
    core::ptr::null_mut()
}

/// Bytes of the pool: dlsym asks for a few hundred at most.
const POOL: usize = 16 << 10;

#[repr(align(4096))]
struct Pool(core::cell::UnsafeCell<[u8; POOL]>);

// SAFETY: its parts are handed out once each, by a counter; nothing here reads or writes them.
unsafe impl Sync for Pool {}

static MEMORY: Pool = Pool(core::cell::UnsafeCell::new([0; POOL]));
static USED: AtomicUsize = AtomicUsize::new(0);

/// Memory from the pool, all zero. The 16 bytes before it hold its size.
#[cold]
fn pool(alignment: usize, size: usize) -> *mut c_void {
    if alignment > 4096 || !alignment.is_power_of_two() {
        return no_memory();
    }
    let Some(room) = size.checked_add(alignment.max(16)).and_then(|room| room.checked_add(16)) else {
        return no_memory();
    };
    if room > POOL {
        return no_memory();
    }
    let begin = USED.fetch_add(room, Ordering::Relaxed);
    if begin > POOL - room {
        return no_memory();
    }
    let mask = alignment.max(16) - 1;
    let object = (begin + 16 + mask) & !mask;
    // SAFETY: from `begin` on `room` bytes are this caller's alone, within the pool, and the object and its size are within
    // them.
    unsafe {
        let object = MEMORY.0.get().cast::<u8>().add(object);
        object.sub(16).cast::<usize>().write(size);
        object.cast()
    }
}

/// The size of an object of the pool; `None` for any other pointer.
#[inline]
pub fn size_in_pool(pointer: *mut c_void) -> Option<usize> {
    let offset = (pointer as usize).wrapping_sub(MEMORY.0.get() as usize);
    if offset >= POOL {
        return None;
    }
    // SAFETY: the program only has pointers that `pool` gave, whose size stands before them.
    Some(unsafe { pointer.cast::<u8>().sub(16).cast::<usize>().read() })
}

/// `realloc` while the real one is being looked for.
#[cold]
fn pool_again(pointer: *mut c_void, size: usize) -> *mut c_void {
    let old = if pointer.is_null() { Some(0) } else { size_in_pool(pointer) };
    let (Some(old), new) = (old, pool(16, size)) else { return no_memory() };
    if !new.is_null() && old > 0 {
        // SAFETY: both have so many bytes, and they are apart.
        unsafe { core::ptr::copy_nonoverlapping(pointer.cast::<u8>(), new.cast::<u8>(), old.min(size)) };
    }
    new
}
