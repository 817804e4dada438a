//! The workloads under mimalloc, linked statically, whose symbols replace the C library's.

use std::process::ExitCode;

use arenalab_workloads::allocator::mimalloc::{Functions, Mimalloc};
use arenalab_workloads::memory::EngineMemory;
// Links mimalloc under the C library's names; Rust's own memory stays the engine's.
use mimalloc as _;

#[global_allocator]
static ENGINE: EngineMemory = EngineMemory::new();

arenalab_workloads::plain_stacks!();

fn main() -> ExitCode {
    let functions = Functions {
        version: libmimalloc_sys::mi_version,
        option_get: libmimalloc_sys::mi_option_get,
        is_in_heap_region: libmimalloc_sys::mi_is_in_heap_region,
        stats_get_json: Some(libmimalloc_sys::mi_stats_get_json),
        collect: Some(libmimalloc_sys::mi_collect),
    };
    // SAFETY: the functions of the mimalloc linked here.
    let mimalloc = unsafe { Mimalloc::new(functions) };
    arenalab_workloads::cli::main(&mimalloc)
}
