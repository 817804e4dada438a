//! The programs that come with arenalab: found beside its own executable, then in `../lib/arenalab` from
//! there, then in the directory that `ARENALAB_LIBEXEC` names.

use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};

/// The workload binaries, by the allocator that each has.
pub const WORKLOADS: [(&str, &str); 3] = [
    ("glibc", "arenalab-workload-glibc"),
    ("jemalloc", "arenalab-workload-jemalloc"),
    ("mimalloc", "arenalab-workload-mimalloc"),
];

/// A companion that is not there. Displays as one line that says how to get it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{name} is not in {}; build it with: cargo build --release --workspace, or name its directory in ARENALAB_LIBEXEC",
    places(.looked_in)
)]
pub struct Missing {
    /// The program.
    pub name: String,
    /// Where it was looked for, in this order.
    pub looked_in: Vec<PathBuf>,
}

fn places(directories: &[PathBuf]) -> String {
    let places: Vec<_> = directories.iter().map(|directory| directory.display().to_string()).collect();
    if places.is_empty() { "any known place".to_owned() } else { places.join(", ") }
}

/// Where companions are looked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Companions {
    places: Vec<PathBuf>,
}

impl Companions {
    /// The places for an executable and the value of `ARENALAB_LIBEXEC`, which the edge of the program reads.
    pub fn new(executable: Option<&Path>, libexec: Option<&Path>) -> Self {
        let beside = executable.and_then(Path::parent);
        let library = beside.and_then(Path::parent).map(|prefix| prefix.join("lib/arenalab"));
        let places = [beside.map(Path::to_path_buf), library, libexec.map(Path::to_path_buf)];
        Self { places: places.into_iter().flatten().collect() }
    }

    /// The places for this very program.
    pub fn of_this_program(libexec: Option<&Path>) -> Self {
        let executable = std::env::current_exe().and_then(|path| path.canonicalize()).ok();
        Self::new(executable.as_deref(), libexec)
    }

    /// Finds a program that may be run.
    ///
    /// # Errors
    /// When it is in none of the places.
    pub fn find(&self, name: &str) -> Result<PathBuf, Missing> {
        let runnable = |path: &PathBuf| path.is_file() && access(path, Access::EXEC_OK).is_ok();
        let found = self.places.iter().map(|place| place.join(name)).find(runnable);
        found.ok_or_else(|| Missing { name: name.to_owned(), looked_in: self.places.clone() })
    }

    /// Finds the workload binary of an allocator ([`crate::plan::Allocator::binary`]).
    ///
    /// # Errors
    /// When it is in none of the places.
    pub fn workload(&self, allocator: &str) -> Result<PathBuf, Missing> {
        self.find(&format!("arenalab-workload-{allocator}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn program(directory: &Path, name: &str, mode: u32) -> PathBuf {
        std::fs::create_dir_all(directory).unwrap();
        let path = directory.join(name);
        std::fs::write(&path, "").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        path
    }

    #[test]
    fn the_nearest_place_wins_and_what_cannot_run_is_passed_over() {
        let root = tempfile::tempdir().unwrap();
        let (bin, libexec) = (root.path().join("bin"), root.path().join("other"));
        let companions = Companions::new(Some(&bin.join("arenalab")), Some(&libexec));
        let last = program(&libexec, "arenalab-workload-glibc", 0o755);
        assert_eq!(companions.workload("glibc"), Ok(last));
        let library = program(&root.path().join("lib/arenalab"), "arenalab-workload-glibc", 0o755);
        program(&bin, "arenalab-workload-glibc", 0o644);
        assert_eq!(companions.workload("glibc"), Ok(library));
        let beside = program(&bin, "arenalab-workload-glibc", 0o755);
        assert_eq!(companions.workload("glibc"), Ok(beside));
    }

    #[test]
    fn a_missing_one_says_where_it_was_looked_for_and_how_to_build_it() {
        let companions = Companions::new(Some(Path::new("/nowhere/bin/arenalab")), Some(Path::new("/else")));
        assert_eq!(
            companions.find("arenalab-workload-jemalloc").unwrap_err().to_string(),
            "arenalab-workload-jemalloc is not in /nowhere/bin, /nowhere/lib/arenalab, /else; build it with: \
             cargo build --release --workspace, or name its directory in ARENALAB_LIBEXEC"
        );
    }
}
