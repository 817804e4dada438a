//! Each thread's slot: one pointer and some flags in thread-local storage, by the initial-exec model.
//!
//! Other models ask `__tls_get_addr`, which may allocate: it must not be called from `malloc`. Stable Rust can
//! neither choose the model nor declare a thread-local variable without std, so that the variable and the way to it are
//! written in assembly: two instructions, on the two machines that there are portable builds for. A library with such
//! a variable has to be there at the program's start, which one in `LD_PRELOAD` is.

use core::cell::Cell;

use crate::thread::Thread;

/// What a thread has. All zero when it begins.
#[repr(C)]
pub struct Slot {
    /// Its recorder's memory; null before the first call.
    pub thread: Cell<*mut Thread>,
    /// The recorder is at work in this thread: what allocates meanwhile is not recorded.
    pub busy: Cell<u32>,
    /// Calls that came meanwhile.
    pub missed: Cell<u32>,
    /// The real functions are being looked for.
    pub resolving: Cell<u32>,
    /// Keeps the size a multiple of 8.
    pub reserved: Cell<u32>,
}

const _: () = assert!(size_of::<Slot>() == 24);

core::arch::global_asm!(
    ".pushsection .tbss.arenalab_record_slot,\"awT\",@nobits",
    ".globl arenalab_record_slot",
    ".hidden arenalab_record_slot",
    ".type arenalab_record_slot, @object",
    ".size arenalab_record_slot, 24",
    ".p2align 3",
    "arenalab_record_slot:",
    ".zero 24",
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
    // SAFETY: the variable is 24 bytes of zeros at its start, aligned to 8, only ever used by this thread, and there as long as
    // it is; nothing but `Cell`s is in it.
    unsafe { &*slot }
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
compile_error!("the recorder is for x86_64 and aarch64");
