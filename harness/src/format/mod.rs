//! Wire types: what is written to a campaign's directory and to stdout under `--json`. They know no
//! other part of the program. Every format carries a version; a reader refuses one it does not know.

pub mod compare;
pub mod decision;
pub mod export;
pub mod heaps;
pub mod inspect;
pub mod manifest;
pub mod predict;
pub mod recording;
pub mod rehearse;
pub mod series;
pub mod step;
pub mod trial;
pub mod watch;

/// Version of the manifest, of trial lines and of decisions. Raised by any change that an older reader
/// would misread.
pub const FORMAT: u32 = 1;
