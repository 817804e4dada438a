//! A reader of glibc's malloc in a live process, from outside.
//!
//! It never stops, signals or writes to the process, and needs no symbols and no version: the structures are found by
//! what they look like (the lists of free chunks, the ring of arenas), in ten releases of glibc from 2.23 to 2.44 on
//! x86-64. What it reads was written by another program, which runs on meanwhile: every pointer is checked, every list
//! bounded, every sum safe from overflow, and what tore is read again.
//!
//! [`Memory`] is where bytes come from: a live process ([`Live`]), a core file ([`core::Core`]), or an image made by a test. All else is pure.
#![forbid(unsafe_code)]

pub mod core;
pub mod glibc;
mod live;
mod memory;
pub mod pages;
pub mod regions;
pub mod rows;
pub mod smaps;

pub use live::Live;
pub use memory::{Fault, Memory};
pub use regions::Region;
