//! What allocates: a built-in workload with its parameters.

use std::fmt;

use arenalab_workloads::spec::Spec;

use super::candidate::Candidate;

/// A workload of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PlannedWorkload {
    /// One that comes with arenalab, run in the workload binary of the candidate's allocator.
    BuiltIn(Spec),
}

impl PlannedWorkload {
    /// Its name without parameters, for directories and headings.
    pub fn name(&self) -> &'static str {
        match self {
            Self::BuiltIn(spec) => spec.name(),
        }
    }

    /// The most threads that can hold an arena at once, main thread included.
    pub fn reach(&self, threads: u32) -> u32 {
        match self {
            Self::BuiltIn(spec) => spec.description().reach(threads),
        }
    }

    /// The workload binary that a candidate runs it in.
    pub fn binary(&self, candidate: &Candidate) -> &'static str {
        match self {
            Self::BuiltIn(_) => candidate.allocator().binary(),
        }
    }
}

impl fmt::Display for PlannedWorkload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BuiltIn(spec) => spec.fmt(f),
        }
    }
}
