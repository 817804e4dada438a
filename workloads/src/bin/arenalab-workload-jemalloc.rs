//! The workloads under jemalloc, linked statically, whose symbols replace the C library's.

use std::process::ExitCode;

use arenalab_workloads::allocator::jemalloc::Jemalloc;
use arenalab_workloads::memory::EngineMemory;
// Links jemalloc under the C library's names; Rust's own memory stays the engine's.
use tikv_jemallocator as _;

#[global_allocator]
static ENGINE: EngineMemory = EngineMemory::new();

arenalab_workloads::plain_stacks!();

fn main() -> ExitCode {
    // SAFETY: the mallctl of the jemalloc linked here.
    let jemalloc = unsafe { Jemalloc::new(tikv_jemalloc_sys::mallctl) };
    arenalab_workloads::cli::main(&jemalloc)
}
