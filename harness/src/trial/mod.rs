//! One fresh process, measured. The only floor that touches processes and procfs.
//!
//! A trial of a built-in workload goes through three processes: the harness holds the conversation and takes the readings; a
//! small [`launcher`], started anew for each trial, starts the workload in a process group of its own,
//! enforces the time limit and ends whatever is left; the workload does the work and waits at each
//! border between phases. A trial of the user's own program ([`program`]) has launchers likewise, and is looked
//! at from outside.

pub mod companions;
pub mod executor;
pub mod fingerprint;
pub mod group;
pub mod host;
pub mod inspect;
pub mod launcher;
pub mod libc_root;
pub mod libraries;
pub mod pretend_cpus;
pub mod program;
pub mod real;
pub mod record;
pub mod recording;
pub mod sampler;

mod effect;
mod elf;
mod ending;
mod heaps;
mod leash;
mod loaded;
mod memory_files;
mod namespace;
mod noise;
mod proc_file;
mod readings;
mod session;
mod toolchain;
mod tree;
mod tunables;
