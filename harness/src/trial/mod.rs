//! One fresh process, measured.

pub mod companions;
