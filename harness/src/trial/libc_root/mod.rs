//! Another glibc than the host's, in a directory: found, made ready, run on, and seen to be the one that ran.
//!
//! * [`locate`](mod@locate): the loader and the libraries of a root; [`inside`]: its paths; [`banner`]: its version.
//! * [`shelf`]: the libraries that must match each other, in one directory.
//! * [`command`]: a program's command line through the root's own loader; [`script`]: which program that is.
//! * [`whole`]: inside a root as a whole.
//! * [`suits`]: whether a program can run on it, as its own loader says. [`seen`]: what a process has mapped.

use std::path::{Path, PathBuf};

pub mod banner;
pub mod command;
pub mod inside;
pub mod locate;
pub mod probe;
pub mod script;
pub mod seen;
pub mod shelf;
pub mod suits;
pub mod whole;

pub use locate::{Root, locate};
use shelf::Shelf;
use whole::Inside;

/// Largest library that is read, bytes.
const LARGEST: u64 = 64 << 20;

/// A C library made ready for trials to stand on.
#[derive(Debug)]
pub struct Footing {
    /// Its name in the campaign.
    pub name: String,
    /// What was found.
    pub root: Root,
    /// Whether trials run inside the root as a whole; else through its loader.
    pub whole: bool,
    /// Its libraries.
    shelf: Shelf,
}

impl Footing {
    /// Makes a root ready. Its directory of links goes under `temporary`, and lasts as long as this value.
    ///
    /// # Errors
    /// One line: the directory cannot be made.
    pub fn prepare(name: &str, root: Root, whole: bool, temporary: &Path) -> Result<Self, String> {
        let shelf = Shelf::make(&root, temporary)?;
        Ok(Self { name: name.to_owned(), root, whole, shelf })
    }

    /// The root to run in, where trials run inside it, with what is shared with it besides.
    pub fn inside(&self, shared: Vec<PathBuf>) -> Option<Inside> {
        let (dir, at) = (self.root.dir.clone(), self.shelf.dir().to_owned());
        self.whole.then_some(Inside { dir, at, shared })
    }

    /// Whether a path is there in the root.
    pub fn has(&self, path: &Path) -> bool {
        inside::resolve(&self.root.dir, path).is_ok_and(|found| found.is_some())
    }

    /// What the paths of processes that run inside it begin with, as they are seen from outside.
    pub fn seen_below(&self) -> Option<PathBuf> {
        self.whole.then(|| whole::root_over(self.shelf.dir()))
    }
}

/// Reads a library.
fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    use std::io::Read;
    let file = std::fs::File::open(path)?;
    if !file.metadata()?.is_file() {
        return Err(std::io::Error::other("it is no file"));
    }
    let mut bytes = Vec::new();
    file.take(LARGEST).read_to_end(&mut bytes)?;
    Ok(bytes)
}
