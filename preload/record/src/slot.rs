//! Each thread's slot: one pointer and some flags in thread-local storage, by the initial-exec model.
//!
//! Other models ask `__tls_get_addr`, which may allocate: it must not be called from `malloc`. Stable Rust can
//! neither choose the model nor declare a thread-local variable without std, so that the variable and the way to it are
//! written in assembly: two instructions, on the two machines that there are portable builds for. A library with such
//! a variable has to be there at the program's start, which one in `LD_PRELOAD` is.

use core::cell::Cell;
use core::sync::atomic::{Ordering, compiler_fence};

use crate::thread::Thread;

/// The recorder is at work in this thread.
pub const AT_WORK: u32 = 1;
/// The real allocator is at work, in a function that may call others.
pub const WITHIN: u32 = 2;

/// What a thread has. All zero when it begins.
#[repr(C)]
pub struct Slot {
    /// Where the next event goes. Null where calls cannot be written as they come; the thread's memory knows then. To be read
    /// once the recorder is at work only: a signal handler may move it before.
    pub cursor: Cell<*mut u8>,
    /// Its recorder's memory; null before the first call.
    pub thread: Cell<*mut Thread>,
    /// 0, [`AT_WORK`], [`WITHIN`].
    pub busy: Cell<u32>,
    /// Calls that came while the recorder was at work: from a signal handler, or from the system's own work for us.
    pub missed: Cell<u32>,
    /// The real functions are being looked for.
    pub resolving: Cell<u32>,
    /// Keeps the size a multiple of 8.
    pub reserved: Cell<u32>,
}

const _: () = assert!(size_of::<Slot>() == 32);

impl Slot {
    /// This thread's memory, where it has any.
    #[inline(always)]
    pub fn thread(&self) -> Option<&Thread> {
        // SAFETY: null, or a page that is this thread's.
        unsafe { self.thread.get().as_ref() }
    }

    /// Begins something on the slow way; `false` where the recorder is at work already.
    pub fn enter(&self) -> bool {
        if self.busy.get() != 0 {
            return false;
        }
        self.busy.set(AT_WORK);
        compiler_fence(Ordering::SeqCst);
        let cursor = self.cursor.replace(core::ptr::null_mut());
        if let Some(thread) = self.thread().filter(|_| !cursor.is_null()) {
            thread.cursor.set(cursor);
        }
        true
    }

    /// Ends it.
    pub fn leave(&self) {
        let quick = self.thread().filter(|thread| thread.is_quick());
        self.cursor.set(quick.map_or(core::ptr::null_mut(), |thread| thread.cursor.get()));
        compiler_fence(Ordering::SeqCst);
        self.busy.set(0);
    }
}

core::arch::global_asm!(
    ".pushsection .tbss.arenalab_record_slot,\"awT\",@nobits",
    ".globl arenalab_record_slot",
    ".hidden arenalab_record_slot",
    ".type arenalab_record_slot, @object",
    ".size arenalab_record_slot, 32",
    ".p2align 3",
    "arenalab_record_slot:",
    ".zero 32",
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
    // SAFETY: the variable is 32 bytes of zeros at its start, aligned to 8, only ever used by this thread, and there as long as
    // it is; nothing but `Cell`s is in it.
    unsafe { &*slot }
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
compile_error!("the recorder is for x86_64 and aarch64");
