//! Each thread's slot: one pointer and some flags in thread-local storage, by the initial-exec model.
//!
//! Other models ask `__tls_get_addr`, which may allocate: it must not be called from `malloc`. Stable Rust can
//! neither choose the model nor declare a thread-local variable without std, so that the variable and the way to it are
//! written in assembly: two instructions, on the two machines that there are portable builds for. A library with such
//! a variable has to be there at the program's start, which one in `LD_PRELOAD` is.

use core::cell::Cell;
use core::sync::atomic::{Ordering, compiler_fence};

use crate::thread::Thread;

/// What a thread has. All zero when it begins.
#[repr(C)]
pub struct Slot {
    /// Where the next event goes. Null while the recorder is at work in this thread, and where calls cannot be written as they
    /// come ([`Slot::parked`]): one look tells a call whether it can be.
    pub cursor: Cell<*mut u8>,
    /// Its recorder's memory; null before the first call.
    pub thread: Cell<*mut Thread>,
    /// 1: nothing is at work though the cursor is null. It is in the thread's memory, if there is one.
    pub parked: Cell<u32>,
    /// 1: the recorder's slow way is at work.
    slow: Cell<u32>,
    /// How deep in functions that may call others the real allocator is at work.
    pub within: Cell<u32>,
    /// Calls that came while the recorder was at work: from a signal handler, or from the system's own work for us.
    pub missed: Cell<u32>,
    /// The real functions are being looked for.
    pub resolving: Cell<u32>,
    /// Keeps the size a multiple of 8.
    pub reserved: Cell<u32>,
}

const _: () = assert!(size_of::<Slot>() == 40);

impl Slot {
    /// This thread's memory, where it has any.
    #[inline(always)]
    pub fn thread(&self) -> Option<&Thread> {
        // SAFETY: null, or a page that is this thread's.
        unsafe { self.thread.get().as_ref() }
    }

    /// Begins something on the slow way; `false` where the recorder is at work already.
    pub fn enter(&self) -> bool {
        let cursor = self.cursor.get();
        let begins = self.thread.get().is_null() || self.parked.get() != 0 || !cursor.is_null();
        if self.slow.get() != 0 || !begins {
            return false;
        }
        self.slow.set(1);
        if let Some(thread) = self.thread().filter(|_| !cursor.is_null()) {
            thread.cursor.set(cursor);
        }
        self.cursor.set(core::ptr::null_mut());
        compiler_fence(Ordering::SeqCst);
        true
    }

    /// Ends it.
    pub fn leave(&self) {
        compiler_fence(Ordering::SeqCst);
        let quick = self.thread().filter(|thread| thread.is_quick());
        self.parked.set(u32::from(quick.is_none()));
        self.cursor.set(quick.map_or(core::ptr::null_mut(), |thread| thread.cursor.get()));
        self.slow.set(0);
    }
}

core::arch::global_asm!(
    ".pushsection .tbss.arenalab_record_slot,\"awT\",@nobits",
    ".globl arenalab_record_slot",
    ".hidden arenalab_record_slot",
    ".type arenalab_record_slot, @object",
    ".size arenalab_record_slot, 40",
    ".p2align 3",
    "arenalab_record_slot:",
    ".zero 40",
    ".popsection",
);

/// The slot of the thread that asks.
#[inline]
pub fn slot() -> &'static Slot {
    let slot: *const Slot;
    // SAFETY: reads the thread pointer and adds the variable's offset from it, which the linker and the loader put in
    // the global offset table; no memory is written.
    #[cfg(target_arch = "x86_64")]
    unsafe {
        core::arch::asm!(
            "mov {slot}, qword ptr fs:[0]",
            "add {slot}, qword ptr [rip + arenalab_record_slot@GOTTPOFF]",
            slot = out(reg) slot,
            options(nostack, pure, readonly),
        );
    }
    // SAFETY: as above.
    #[cfg(target_arch = "aarch64")]
    unsafe {
        core::arch::asm!(
            "mrs {slot}, tpidr_el0",
            "adrp {offset}, :gottprel:arenalab_record_slot",
            "ldr {offset}, [{offset}, :gottprel_lo12:arenalab_record_slot]",
            "add {slot}, {slot}, {offset}",
            slot = out(reg) slot,
            offset = out(reg) _,
            options(nostack, pure, readonly),
        );
    }
    // SAFETY: the variable is 40 bytes of zeros at its start, aligned to 8, only ever used by this thread, and there as long as
    // it is; nothing but `Cell`s is in it.
    unsafe { &*slot }
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
compile_error!("the recorder is for x86_64 and aarch64");
