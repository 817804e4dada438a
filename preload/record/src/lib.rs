//! `libarenalab_record.so`: with `LD_PRELOAD` in any program, records its heap: every call of `malloc`'s family, in
//! each thread's order, into a file of its own, and hands the call on to whatever allocator would have served it.
//!
//! What it must never do: change what the program's heap looks like (it allocates nothing, and adds nothing to objects),
//! hold a lock while the real allocator works, or end a program that would have gone on. Where it cannot go on
//! recording, it stops, and the calls are handed on all the same.
//!
//! [`slot`]: each thread's way to its memory · [`real`]: the functions handed on to · [`thread`]: events ·
//! [`window`]: where they go · [`process`], [`begin`]: the file · [`ending`]: ends of threads and of the process · [`sys`]: the kernel.
//! The variables it reads are set by `arenalab record`; `docs/recording.md` lists them.

// What the kernel and the C library take are signed numbers and pointers to aligned places in pages of ours.
#![allow(clippy::cast_possible_wrap, clippy::cast_ptr_alignment)]
// The few instructions that every call of the program passes through are worth more than a compiler's guess.
#![allow(clippy::inline_always)]

mod begin;
mod ending;
mod process;
mod real;
mod slot;
mod sys;
mod thread;
mod window;

use core::sync::atomic::{Ordering, compiler_fence};

use arenalab_trace::write::{Encoder, Gained, Near, Packed, Pointed};
use libc::{c_int, c_void, size_t};

use slot::{AT_WORK, Slot, WITHIN, slot};

/// Records a call that has to do with an address on the quick way; `false` where it has to take the slow one.
#[inline(always)]
fn record_quickly(slot: &Slot, what: Near, address: *mut c_void) -> bool {
    if slot.cursor.get().is_null() {
        return is_left_out(slot, address);
    }
    let Some(thread) = slot.thread().filter(|_| slot.busy.get() == 0) else { return false };
    slot.busy.set(AT_WORK);
    compiler_fence(Ordering::SeqCst);
    let cursor = slot.cursor.get();
    let after = if thread.is_ready() { thread.call_near(cursor, what, address as u64) } else { None };
    if let Some(after) = after {
        compiler_fence(Ordering::SeqCst);
        slot.cursor.set(after);
    }
    compiler_fence(Ordering::SeqCst);
    slot.busy.set(0);
    after.is_some()
}

/// Whether a call is known not to be recorded: nothing is, or it is of an object that is not among those chosen.
#[inline(always)]
fn is_left_out(slot: &Slot, address: *mut c_void) -> bool {
    process::OFF.load(Ordering::Relaxed) != 0
        || (!address.is_null() && slot.thread().is_some_and(|thread| !thread.is_chosen(address as u64)))
}

/// Records a call where there is no memory yet, or no room, or a stamp is due, or the pointer is odd; unless nothing is recorded,
/// or the recorder is at work already.
fn record_slowly(slot: &Slot, address: *mut c_void, encode: impl FnOnce(&mut Encoder) -> Pointed) {
    if process::OFF.load(Ordering::Relaxed) != 0 || slot.busy.get() == WITHIN {
        return;
    }
    if !slot.enter() {
        slot.missed.set(slot.missed.get().wrapping_add(1));
        return;
    }
    if let Some(thread) = sys::keeping_errno(|| thread::ready(slot))
        && thread.is_chosen(address as u64)
    {
        thread.call(encode);
    }
    slot.leave();
}

/// One in so many objects is recorded, as far as this thread knows.
#[inline]
fn samples() -> bool {
    slot().thread().is_some_and(|thread| thread.sample.get() > 1)
}

/// Runs one of the functions that some allocators build out of others, by their public names: those calls are not the
/// program's.
#[inline]
fn alone<T>(real: impl FnOnce() -> T) -> T {
    let slot = slot();
    let before = slot.busy.replace(WITHIN);
    let result = real();
    slot.busy.set(before);
    result
}

#[inline(always)]
fn gained(how: Gained, pointer: *mut c_void, size: size_t) -> *mut c_void {
    let slot = slot();
    if !pointer.is_null() && record_quickly(slot, Near::Gain(how, size as u64), pointer) {
        return pointer;
    }
    gained_slowly(slot, how, pointer, size)
}

#[cold]
#[inline(never)]
fn gained_slowly(slot: &Slot, how: Gained, pointer: *mut c_void, size: size_t) -> *mut c_void {
    record_slowly(slot, pointer, |encoder| {
        if pointer.is_null() {
            return Pointed { wide: None, event: Packed::failed(size as u64) };
        }
        encoder.gain(how, pointer as u64, size as u64)
    });
    pointer
}

#[inline(always)]
fn freeing(pointer: *mut c_void) {
    let slot = slot();
    if !record_quickly(slot, Near::Free, pointer) {
        freeing_slowly(slot, pointer);
    }
}

#[cold]
#[inline(never)]
fn freeing_slowly(slot: &Slot, pointer: *mut c_void) {
    record_slowly(slot, pointer, |encoder| encoder.free(pointer as u64));
}

/// Whether the program has this pointer from the real allocator.
#[inline]
fn is_real(pointer: *mut c_void) -> bool {
    !pointer.is_null() && real::size_in_pool(pointer).is_none()
}

/// `malloc`.
///
/// # Safety
/// What its manual page asks, as for all below.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn malloc(size: size_t) -> *mut c_void {
    // SAFETY: handed on as it is.
    gained(Gained::Malloc, unsafe { real::malloc(size) }, size)
}

/// `calloc`.
///
/// # Safety
/// See [`malloc`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn calloc(count: size_t, size: size_t) -> *mut c_void {
    // SAFETY: handed on as it is.
    gained(Gained::Calloc, unsafe { real::calloc(count, size) }, count.saturating_mul(size))
}

/// `free`.
///
/// # Safety
/// See [`malloc`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn free(pointer: *mut c_void) {
    if is_real(pointer) {
        freeing(pointer);
        // SAFETY: handed on as it is.
        unsafe { real::free(pointer) }
    }
}

/// `cfree`, of old C libraries.
///
/// # Safety
/// See [`malloc`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cfree(pointer: *mut c_void) {
    if is_real(pointer) {
        freeing(pointer);
        // SAFETY: handed on as it is.
        alone(|| unsafe { real::cfree(pointer) });
    }
}

/// `free_sized` of C23.
///
/// # Safety
/// See [`malloc`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn free_sized(pointer: *mut c_void, size: size_t) {
    if is_real(pointer) {
        freeing(pointer);
        // SAFETY: handed on as it is.
        alone(|| unsafe { real::free_sized(pointer, size) });
    }
}

/// `free_aligned_sized` of C23.
///
/// # Safety
/// See [`malloc`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn free_aligned_sized(pointer: *mut c_void, alignment: size_t, size: size_t) {
    if is_real(pointer) {
        freeing(pointer);
        // SAFETY: handed on as it is.
        alone(|| unsafe { real::free_aligned_sized(pointer, alignment, size) });
    }
}

/// `realloc`.
///
/// # Safety
/// See [`malloc`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn realloc(pointer: *mut c_void, size: size_t) -> *mut c_void {
    // SAFETY: handed on as it is.
    unsafe { moved(pointer, Some(size), |pointer| real::realloc(pointer, size)) }
}

/// `reallocarray`.
///
/// # Safety
/// See [`malloc`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn reallocarray(pointer: *mut c_void, count: size_t, size: size_t) -> *mut c_void {
    // SAFETY: handed on as it is.
    unsafe {
        moved(pointer, count.checked_mul(size), |pointer| alone(|| real::reallocarray(pointer, count, size)))
    }
}

/// Resizes, and records it. `size` is `None` where it is more than there can be.
///
/// # Safety
/// `pointer` is the program's to resize, and `resize` does that.
#[inline]
unsafe fn moved(
    pointer: *mut c_void,
    size: Option<size_t>,
    resize: impl FnOnce(*mut c_void) -> *mut c_void,
) -> *mut c_void {
    let asked = size.unwrap_or(size_t::MAX);
    if pointer.is_null() {
        return gained(Gained::Malloc, resize(pointer), asked);
    }
    if let Some(old) = real::size_in_pool(pointer) {
        let new = resize(core::ptr::null_mut());
        if !new.is_null() {
            // SAFETY: both have so many bytes, and they are apart.
            unsafe { core::ptr::copy_nonoverlapping(pointer.cast::<u8>(), new.cast(), old.min(asked)) };
        }
        return gained(Gained::Malloc, new, asked);
    }
    if samples() {
        return sampled_move(pointer, asked, resize);
    }
    let slot = slot();
    if !record_quickly(slot, Near::ReallocBegin, pointer) {
        record_slowly(slot, pointer, |encoder| encoder.realloc_begin(pointer as u64));
    }
    let new = resize(pointer);
    if !new.is_null() {
        return gained(Gained::Realloc, new, asked);
    }
    record_slowly(slot, new, |_| {
        let freed = asked == 0;
        let event = if freed { Packed::realloc_freed() } else { Packed::realloc_failed(asked as u64) };
        Pointed { wide: None, event }
    });
    new
}

/// Where one in so many objects is recorded, one address may be among them and the other not: a free and a `malloc`.
#[cold]
fn sampled_move(
    pointer: *mut c_void,
    asked: size_t,
    resize: impl FnOnce(*mut c_void) -> *mut c_void,
) -> *mut c_void {
    freeing(pointer);
    let new = resize(pointer);
    if new.is_null() && asked > 0 {
        // SAFETY: the old object is as it was. Its size as asked for is not known any more.
        gained(Gained::Malloc, pointer, unsafe { real::malloc_usable_size(pointer) });
    } else if !new.is_null() {
        gained(Gained::Malloc, new, asked);
    }
    new
}

fn aligned(alignment: size_t) -> Gained {
    Gained::Aligned(alignment.trailing_zeros() as u8 & 63)
}

/// `posix_memalign`.
///
/// # Safety
/// See [`malloc`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn posix_memalign(out: *mut *mut c_void, alignment: size_t, size: size_t) -> c_int {
    // SAFETY: handed on as it is.
    let result = alone(|| unsafe { real::posix_memalign(out, alignment, size) });
    // SAFETY: the real one has written there where it succeeded.
    let pointer = if result == 0 { unsafe { *out } } else { core::ptr::null_mut() };
    gained(aligned(alignment), pointer, size);
    result
}

/// `aligned_alloc`.
///
/// # Safety
/// See [`malloc`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn aligned_alloc(alignment: size_t, size: size_t) -> *mut c_void {
    // SAFETY: handed on as it is.
    gained(aligned(alignment), alone(|| unsafe { real::aligned_alloc(alignment, size) }), size)
}

/// `memalign`.
///
/// # Safety
/// See [`malloc`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn memalign(alignment: size_t, size: size_t) -> *mut c_void {
    // SAFETY: handed on as it is.
    gained(aligned(alignment), alone(|| unsafe { real::memalign(alignment, size) }), size)
}

/// `valloc`.
///
/// # Safety
/// See [`malloc`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn valloc(size: size_t) -> *mut c_void {
    // SAFETY: handed on as it is.
    gained(aligned(sys::page_size() as usize), alone(|| unsafe { real::valloc(size) }), size)
}

/// `pvalloc`.
///
/// # Safety
/// See [`malloc`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pvalloc(size: size_t) -> *mut c_void {
    let page = sys::page_size() as usize;
    // SAFETY: handed on as it is.
    let pointer = alone(|| unsafe { real::pvalloc(size) });
    gained(aligned(page), pointer, size.checked_next_multiple_of(page).unwrap_or(size))
}

/// `malloc_usable_size`, which changes nothing and is not recorded.
///
/// # Safety
/// See [`malloc`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn malloc_usable_size(pointer: *mut c_void) -> size_t {
    match real::size_in_pool(pointer) {
        Some(size) => size,
        // SAFETY: handed on as it is.
        None => unsafe { real::malloc_usable_size(pointer) },
    }
}
