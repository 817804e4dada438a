//! Verdicts, choices and search strategies. Pure: nothing here runs a process or reads a file.

pub mod observations;
