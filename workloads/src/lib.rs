//! The workload engine: multithreaded allocation patterns over C `malloc`, in binaries that differ only in
//! the allocator linked.
//!
//! * [`catalogue`]: which workloads there are, and their parameters; [`spec`]: one of them as text.
//! * [`workload`]: the patterns, one file each; [`model`]: patterns described in a file; [`subject`]: either.
//! * [`size_sets`]: published distributions of sizes, by name.
//! * [`engine`]: threads, phases, counting, latency.
//! * [`random`]: seeded choices and size distributions.
//! * [`heap`]: the calls that are measured; [`memory`]: the engine's own memory, apart from them.
//! * [`allocator`]: which allocator really serves `malloc`, and what it says of itself.
//! * [`session`], [`cli`]: the conversation with the harness, and the command line.
//!
//! No module of this library names an allocator crate: each binary in `src/bin` links its own.

pub mod allocator;
pub mod catalogue;
pub mod cli;
pub mod engine;
mod footprint;
pub mod heap;
pub mod memory;
pub mod model;
pub mod random;
pub mod session;
pub mod size_sets;
pub mod spec;
pub mod stack;
pub mod subject;
pub mod workload;
