//! The ends of threads and of the process.

use core::sync::atomic::{AtomicU32, Ordering};

use libc::c_void;

use crate::process;
use crate::slot::slot;
use crate::sys;

/// The C library calls destructors of a thread's data so many times, as long as they leave some
/// (`PTHREAD_DESTRUCTOR_ITERATIONS`).
const ROUNDS: u32 = 4;
/// 0: no key; 1: one is being made; 2: there is none to be had; else the key and 3.
static KEY: AtomicU32 = AtomicU32::new(0);

/// Has the end of this thread told.
pub fn watch(thread: *const c_void) {
    if let Some(key) = key() {
        // SAFETY: the key was made.
        unsafe { libc::pthread_setspecific(key, thread) };
    }
}

fn key() -> Option<libc::pthread_key_t> {
    match KEY.compare_exchange(0, 1, Ordering::AcqRel, Ordering::Acquire) {
        Ok(_) => {
            let mut key = 0;
            // SAFETY: there is room for the key; the destructor has the type.
            let made = unsafe { libc::pthread_key_create(&raw mut key, Some(destructor)) };
            KEY.store(if made == 0 { key + 3 } else { 2 }, Ordering::Release);
            (made == 0).then_some(key)
        }
        // A thread that begins in this very moment is not told of. Its memory stays.
        Err(1 | 2) => None,
        Err(key) => Some(key - 3),
    }
}

/// Others' destructors may run after this one, and allocate: the thread is said to end in the last round only.
unsafe extern "C" fn destructor(data: *mut c_void) {
    let slot = slot();
    if slot.thread.get().cast() != data || !slot.enter() {
        return;
    }
    if let Some(thread) = slot.thread() {
        let round = thread.ending.get() + 1;
        thread.ending.set(round);
        sys::keeping_errno(|| if round < ROUNDS { watch(data) } else { thread.end() });
    }
    slot.leave();
}

/// Runs when the process ends by `exit` or by returning from `main`.
extern "C" fn at_exit() {
    process::ended();
}

#[used]
#[unsafe(link_section = ".fini_array")]
static AT_EXIT: extern "C" fn() = at_exit;
