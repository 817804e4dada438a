//! A command line through a root's own dynamic loader (ld.so(8)): `LOADER --library-path DIRS [--argv0 NAME] PROGRAM
//! ARGUMENTS…`. A preloaded library stays in `LD_PRELOAD`, which every version heeds when run in this way, and which
//! is what a trial's environment is checked for.

use std::path::{Path, PathBuf};

use super::Footing;
use crate::knowledge::Version;

/// The first with `--argv0` (NEWS for 2.33).
const HAS_ARGV0: Version = Version::new(2, 33);

/// What is started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The loader.
    pub program: PathBuf,
    /// Its arguments: options, the program, and the program's.
    pub args: Vec<String>,
}

impl Footing {
    /// A program's command line. `arg0` is what it is told that it is called, as far as the loader can tell it;
    /// `more` are directories that come after the root's libraries, in the form of `LD_LIBRARY_PATH`, which a
    /// loader that is run by hand no longer heeds.
    ///
    /// # Errors
    /// One sentence: its path is no text.
    pub fn line(
        &self,
        program: &Path,
        arg0: Option<&str>,
        args: Vec<String>,
        more: Option<&String>,
    ) -> Result<Line, String> {
        let program = std::path::absolute(program).unwrap_or_else(|_| program.to_owned());
        let text = program.to_str().ok_or_else(|| format!("the path {} is no text", program.display()))?;
        let mut words = vec!["--library-path".to_owned(), self.library_path(more)];
        if let Some(arg0) = arg0
            && self.root.version.parse::<Version>().is_ok_and(|version| version >= HAS_ARGV0)
        {
            words.extend(["--argv0".to_owned(), arg0.to_owned()]);
        }
        words.push(text.to_owned());
        words.extend(args);
        Ok(Line { program: self.root.loader.clone(), args: words })
    }

    pub(super) fn library_path(&self, more: Option<&String>) -> String {
        let shelf = self.shelf.dir().display();
        match more.filter(|more| !more.is_empty()) {
            Some(more) => format!("{shelf}:{more}"),
            None => shelf.to_string(),
        }
    }
}
