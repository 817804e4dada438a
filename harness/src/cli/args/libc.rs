//! The flags that say which C libraries a campaign runs on.

use clap::Args;

use crate::knowledge::nearest::quote;
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
    /// Measure inside a root as well, NAME=DIR, with its whole userland; may be repeated
    ///
    /// A program of your own is then the one that is in DIR. Nothing in DIR is changed: what a trial writes is kept in
    /// memory and gone with it. Needs root, or user namespaces and overlayfs (Linux 5.11 or later).
    #[arg(long = "root", value_name = "NAME=DIR")]
    pub roots: Vec<String>,
    /// Do not measure on the host's own libc
    #[arg(long)]
    pub no_host_libc: bool,
}

impl LibcArgs {
    /// The C libraries in order; `None` where none is named.
    ///
    /// # Errors
    /// One line that names the flag.
    pub fn libcs(&self) -> Result<Option<Vec<PlannedLibc>>, PlanError> {
        if self.libcs.is_empty() && self.roots.is_empty() {
            let why = "--no-host-libc leaves no libc to measure on; name one with --libc or --root";
            return if self.no_host_libc { Err(PlanError::new(why.to_owned())) } else { Ok(None) };
        }
        let here = |libc: PlannedLibc| match std::env::current_dir() {
            Ok(directory) => libc.from_directory(&directory),
            Err(_) => libc,
        };
        let read = |text: &String| match PlannedLibc::parse(text) {
            Ok(libc) => Ok(here(libc)),
            Err(why) => Err(PlanError::new(why).of_flag("libc")),
        };
        let read_root = |text: &String| match text.split_once('=') {
            Some((name, dir)) => PlannedLibc::other(name, dir, true).map(here),
            None => Err(format!("{} is no root; write NAME=DIR", quote(text))),
        };
        let mut libcs: Vec<PlannedLibc> = self.libcs.iter().map(read).collect::<Result<_, _>>()?;
        for root in &self.roots {
            libcs.push(read_root(root).map_err(|why| PlanError::new(why).of_flag("root"))?);
        }
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

    fn owned(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    fn names(libcs: &[&str], no_host_libc: bool) -> Vec<String> {
        let args = LibcArgs { libcs: owned(libcs), no_host_libc, ..LibcArgs::default() };
        args.libcs().unwrap().unwrap_or_default().iter().map(|libc| libc.name().to_owned()).collect()
    }

    #[test]
    fn the_host_comes_first_unless_it_is_said_otherwise() {
        assert_eq!(names(&[], false), Vec::<String>::new());
        assert_eq!(names(&["a=/x", "b=/y"], false), ["host", "a", "b"]);
        assert_eq!(names(&["a=/x", "host"], false), ["a", "host"]);
        assert_eq!(names(&["a=/x"], true), ["a"]);
        let both = LibcArgs { libcs: owned(&["host"]), no_host_libc: true, ..LibcArgs::default() };
        assert!(both.libcs().unwrap_err().to_string().contains("give one of the two"));
    }

    #[test]
    fn a_directory_is_taken_from_here() {
        let args = LibcArgs { libcs: owned(&["a=x"]), no_host_libc: true, ..LibcArgs::default() };
        let here = std::env::current_dir().unwrap();
        assert_eq!(args.libcs().unwrap().unwrap()[0].to_string(), format!("a={}/x", here.display()));
    }
}
