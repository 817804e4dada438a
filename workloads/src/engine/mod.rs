//! Threads, phases, counting and latency: everything around a pattern that the patterns share.
//!
//! Each logical thread of a workload is a *seat*. A seat's [`actor::Actor`] makes the measured calls and
//! counts them; the [`gate::Gate`] holds all seats at the borders between phases; the [`crew`] runs them.

pub mod actor;
pub mod crew;
pub mod exchange;
pub mod gate;
pub mod latency;
pub mod mailbox;
pub mod meeting;
pub mod pattern;
pub mod slots;
pub mod thread;

use std::io;
use std::os::fd::BorrowedFd;

use arenalab_wire::message::{Border, Failure};

/// The other side of a border: the harness, or somebody at a terminal.
pub trait Conductor {
    /// Called before the first phase, with nothing started yet; returns when it may begin.
    ///
    /// # Errors
    /// When the conversation has ended.
    fn begin(&mut self) -> io::Result<()>;

    /// A phase, or a part of it, runs; returns when `done` becomes readable.
    ///
    /// # Errors
    /// When the conversation has ended meanwhile: nobody waits for the result any more.
    fn watch(&mut self, done: BorrowedFd<'_>) -> io::Result<()>;

    /// A phase has ended, and nothing else has been done: the time for readings from outside.
    ///
    /// # Errors
    /// When the conversation has ended.
    fn arrive(&mut self) -> io::Result<()> {
        Ok(())
    }

    /// What a phase was that has ended; all seats stand still. Returns when the next may begin. `sequence` is a
    /// fingerprint of all sizes asked for so far, in order, by seat.
    ///
    /// # Errors
    /// When the conversation has ended.
    fn border(&mut self, border: Border, sequence: u64) -> io::Result<()>;
}

/// Why a run did not come to its end.
#[derive(Debug)]
pub enum Stop {
    /// The workload cannot go on.
    Failed(Failure),
    /// The conductor has gone. Threads may still be at work.
    Deserted(io::Error),
}
