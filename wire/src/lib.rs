//! What crosses between the harness and a workload engine: the telemetry page and the control
//! messages. Both sides are built from this one crate and refuse each other when [`VERSION`]s differ.
//!
//! * [`telemetry`]: a shared page, one cache line a thread, written without system calls on the hot path.
//! * [`message`]: what is said over the control socket, one line of JSON a message.
//! * [`channel`]: the control socket itself, which also carries the telemetry page's descriptor.
//! * [`units`]: bytes, durations, counts and ratios as text, the same words on both sides.
//! * [`nearest`]: what a misspelt name was probably meant to be, the same on both sides.

pub mod channel;
pub mod message;
pub mod nearest;
pub mod telemetry;
pub mod units;

/// Version of the page layout and of the messages. Raised by any change that an older peer would misread.
pub const VERSION: u32 = 3;
