//! What the crew needs of a pattern, whether it is coded as a workload or described in a file.

use arenalab_wire::message::Phase;

use super::actor::Actor;
use crate::heap::Heap;

/// A pattern as the [`crew`](super::crew) plays it. Coded workloads have it through
/// [`Workload`](crate::workload::Workload); models through [`Play`](crate::model::play::Play).
pub trait Pattern: Send + Sync + 'static {
    /// What one logical thread holds.
    type Seat: Send;

    /// The state of seat `index`, made before setup at its full size.
    fn seat(&self, index: u32) -> Self::Seat;

    /// How many operations seat `index` is called for in the warm-up or the steady phase, of `ops` in all.
    fn share(&self, phase: Phase, ops: u64, index: u32) -> u64;

    /// Operations after which the thread of seat `index` is replaced, 1 or more.
    fn lifetime(&self, index: u32) -> u64;

    /// Whether threads are replaced all together: the main thread waits for the end of all of them, and then starts
    /// the next. All end with a phase too.
    fn in_generations(&self) -> bool {
        false
    }

    /// What the main thread does between two generations, with the first seat's hands.
    fn between<H: Heap>(&self, _actor: &mut Actor<H>) {}

    /// Whether the first seat is the main thread's.
    fn first_on_main(&self) -> bool;

    /// What the main thread does before any other starts, with the first seat's hands.
    fn prepare<H: Heap>(&self, actor: &mut Actor<H>);

    /// Builds the live set of a seat.
    fn setup<H: Heap>(&self, seat: &mut Self::Seat, actor: &mut Actor<H>);

    /// Does `ops` operations; `steady` tells the counted phase from the warm-up.
    fn work<H: Heap>(&self, seat: &mut Self::Seat, actor: &mut Actor<H>, ops: u64, steady: bool);

    /// Frees everything that the seat holds.
    fn drain<H: Heap>(&self, seat: &mut Self::Seat, actor: &mut Actor<H>);
}
