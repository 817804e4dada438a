//! The format of heap recordings: what the recorder writes into a program's files, and what reads them.
//!
//! A recording is a directory with a file for each process. A file is a page that says whose it is
//! ([`layout::Process`]), and chunks: each is a header ([`layout::Chunk`]) and the events of one thread
//! ([`event`]), which can be read by themselves. `docs/trace-format.md` has it to the bit.
//!
//! The writer ([`write`]) uses `core` only and never panics: it runs inside of a program's `malloc`. The reader
//! (`read`) trusts nothing that a file says.

#![no_std]

#[cfg(feature = "read")]
extern crate std;

pub mod event;
pub mod layout;
#[cfg(feature = "read")]
pub mod read;
pub mod varint;
pub mod write;
