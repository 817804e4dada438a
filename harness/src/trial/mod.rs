//! One fresh process, measured.

pub mod companions;
pub mod host;
