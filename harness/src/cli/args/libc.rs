//! The flags that say which C libraries a campaign runs on.

use clap::Args;

use crate::plan::{PlanError, PlannedLibc};

/// What trials run on.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Plan")]
pub struct LibcArgs {
    /// Measure under the glibc in a directory as well, NAME=DIR; may be repeated
    ///
    /// DIR is a root with another glibc: extracted packages, a container's root, a mounted image. Trials run through
    /// its own dynamic loader, in the same rounds as those on the host's libc, which comes first unless --libc host
    /// stands in its place or --no-host-libc is given. docs/other-libcs.md tells how to get one, and what is not
    /// carried over.
    #[arg(long = "libc", value_name = "NAME=DIR")]
    pub libcs: Vec<String>,
    /// Do not measure on the host's own libc
    #[arg(long, requires = "libcs")]
    pub no_host_libc: bool,
}

impl LibcArgs {
    /// The C libraries in order; `None` where none is named.
    ///
    /// # Errors
    /// One line that names the flag.
    pub fn libcs(&self) -> Result<Option<Vec<PlannedLibc>>, PlanError> {
        if self.libcs.is_empty() {
            return Ok(None);
        }
        let here = |libc: PlannedLibc| match std::env::current_dir() {
            Ok(directory) => libc.from_directory(&directory),
            Err(_) => libc,
        };
        let read = |text: &String| match PlannedLibc::parse(text) {
            Ok(libc) => Ok(here(libc)),
            Err(why) => Err(PlanError::new(why).of_flag("libc")),
        };
        let mut libcs: Vec<PlannedLibc> = self.libcs.iter().map(read).collect::<Result<_, _>>()?;
        let named = libcs.contains(&PlannedLibc::Host);
        if named && self.no_host_libc {
            let why =
                "the host's libc is named by --libc host and left out by --no-host-libc; give one of the two";
            return Err(PlanError::new(why.to_owned()));
        }
        if !named && !self.no_host_libc {
            libcs.insert(0, PlannedLibc::Host);
        }
        Ok(Some(libcs))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(libcs: &[&str], no_host_libc: bool) -> Vec<String> {
        let args = LibcArgs { libcs: libcs.iter().map(|text| (*text).to_owned()).collect(), no_host_libc };
        args.libcs().unwrap().unwrap_or_default().iter().map(|libc| libc.name().to_owned()).collect()
    }

    #[test]
    fn the_host_comes_first_unless_it_is_said_otherwise() {
        assert_eq!(names(&[], false), Vec::<String>::new());
        assert_eq!(names(&["a=/x", "b=/y"], false), ["host", "a", "b"]);
        assert_eq!(names(&["a=/x", "host"], false), ["a", "host"]);
        assert_eq!(names(&["a=/x"], true), ["a"]);
        let both = LibcArgs { libcs: vec!["host".to_owned()], no_host_libc: true };
        assert!(both.libcs().unwrap_err().to_string().contains("give one of the two"));
    }

    #[test]
    fn a_directory_is_taken_from_here() {
        let args = LibcArgs { libcs: vec!["a=x".to_owned()], no_host_libc: true };
        let here = std::env::current_dir().unwrap();
        assert_eq!(args.libcs().unwrap().unwrap()[0].to_string(), format!("a={}/x", here.display()));
    }
}
