//! Pure functions on plain data.
