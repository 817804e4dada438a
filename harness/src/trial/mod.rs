//! One fresh process, measured.
