//! Exit codes, and the errors that end a command.

use std::process::ExitCode;

use thiserror::Error;

use super::say::err;

use crate::campaign::store::StoreError;
use crate::format::decision::Verdict;

/// Done, and every asked constraint holds.
pub const DONE: u8 = 0;
/// A regression, or a constraint not met.
pub const NOT_MET: u8 = 3;
/// The data cannot tell.
pub const UNDECIDED: u8 = 4;
/// Interrupted (SIGINT).
pub const INTERRUPTED: u8 = 130;
/// Terminated (SIGTERM, SIGHUP).
pub const TERMINATED: u8 = 143;

/// Why a command ended without doing what it should. The text is one clear line.
#[derive(Debug, Error)]
pub enum CliError {
    /// The tool or the system failed: exit 1.
    #[error("{0}")]
    Failed(String),
    /// Bad usage or bad input: exit 2.
    #[error("{0}")]
    Usage(String),
}

impl CliError {
    /// Its exit code.
    pub fn code(&self) -> u8 {
        match self {
            Self::Failed(_) => 1,
            Self::Usage(_) => 2,
        }
    }
}

impl From<StoreError> for CliError {
    fn from(error: StoreError) -> Self {
        match &error {
            StoreError::Io { source, .. } if is_the_system_s(source) => Self::Failed(error.to_string()),
            _ => Self::Usage(error.to_string()),
        }
    }
}

/// Whether an error is the system's, and not that of the path that was given.
fn is_the_system_s(error: &std::io::Error) -> bool {
    use std::io::ErrorKind;
    !matches!(
        error.kind(),
        ErrorKind::NotFound
            | ErrorKind::PermissionDenied
            | ErrorKind::NotADirectory
            | ErrorKind::IsADirectory
            | ErrorKind::ReadOnlyFilesystem
            | ErrorKind::InvalidInput
            | ErrorKind::InvalidFilename
            | ErrorKind::AlreadyExists
    )
}

/// The exit code that a verdict stands for.
pub fn of_verdict(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Chosen | Verdict::KeepBaseline => DONE,
        Verdict::NoneFeasible => NOT_MET,
        Verdict::Undecided => UNDECIDED,
    }
}

/// Ends a command: the error goes to standard error.
pub fn finish(outcome: Result<u8, CliError>) -> ExitCode {
    match outcome {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            err(&format!("arenalab: {error}"));
            ExitCode::from(error.code())
        }
    }
}
