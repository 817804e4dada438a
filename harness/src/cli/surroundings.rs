//! What the program finds around it: its environment and the companions. Read once, at the edge; everything
//! below is given it.

use std::ffi::OsString;
use std::path::PathBuf;

use crate::knowledge::scrub;
use crate::trial::companions::Companions;

/// The surroundings.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    /// Where companions are looked for.
    pub companions: Companions,
    /// The environment as it was given to the program.
    pub variables: Vec<(OsString, OsString)>,
}

impl Surroundings {
    /// Those of this very program.
    pub fn of_this_program() -> Self {
        let libexec = std::env::var_os("ARENALAB_LIBEXEC").map(PathBuf::from);
        Self {
            companions: Companions::of_this_program(libexec.as_deref()),
            variables: std::env::vars_os().collect(),
        }
    }

    /// The environment that every trial starts from: nothing in it steers an allocator, but for what a preloaded library
    /// may bring.
    pub fn scrubbed(&self) -> Vec<(OsString, OsString)> {
        scrub::scrubbed(self.variables.clone())
    }

    /// What steers an allocator and is taken out, as `NAME=value`.
    pub fn steering(&self) -> Vec<String> {
        let taken = |(name, value): &(OsString, OsString)| {
            let value = scrub::part(name, value).1?;
            Some(format!("{}={}", name.to_string_lossy(), value.to_string_lossy()))
        };
        self.variables.iter().filter_map(taken).collect()
    }
}
