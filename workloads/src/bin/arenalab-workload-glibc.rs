//! The workloads under the system's own allocator, or one that is preloaded in its place.

use std::process::ExitCode;

use arenalab_workloads::allocator::glibc::System;
use arenalab_workloads::memory::EngineMemory;

#[global_allocator]
static ENGINE: EngineMemory = EngineMemory::new();

arenalab_workloads::plain_stacks!();

fn main() -> ExitCode {
    arenalab_workloads::cli::main(&System)
}
