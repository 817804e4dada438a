//! The libraries of a root that must match each other, as links in one directory: what `--library-path` is given.
//!
//! The root's own directories are not: a container's root has many more libraries there, and the program's own are to
//! come from where it would find them on the host.

use std::os::unix::fs::{DirBuilderExt, symlink};
use std::path::{Path, PathBuf};

use super::Root;

/// How the directories begin; the maker's process id follows.
const PREFIX: &str = "arenalab-libc-";

/// A directory of links. Dropping it removes it.
#[derive(Debug)]
pub struct Shelf(PathBuf);

impl Shelf {
    /// Makes an empty one.
    ///
    /// # Errors
    /// One line.
    pub fn empty(temporary: &Path) -> Result<Self, String> {
        directory(temporary).map(Self)
    }

    /// Makes one under a directory for temporary files.
    ///
    /// # Errors
    /// One line.
    pub fn make(root: &Root, temporary: &Path) -> Result<Self, String> {
        remove_orphans(temporary);
        let shelf = Self(directory(temporary)?);
        for (name, path) in &root.libraries {
            let link = shelf.0.join(name);
            symlink(path, &link).map_err(|e| format!("failed to link {}: {e}", link.display()))?;
        }
        Ok(shelf)
    }

    /// The directory.
    pub fn dir(&self) -> &Path {
        &self.0
    }
}

impl Drop for Shelf {
    fn drop(&mut self) {
        // Where it cannot be removed, some links are left behind.
        let _ = remove(&self.0);
    }
}

/// Removes a directory that holds links alone.
fn remove(dir: &Path) -> std::io::Result<()> {
    for entry in std::fs::read_dir(dir)?.flatten() {
        if entry.file_type()?.is_symlink() {
            std::fs::remove_file(entry.path())?;
        }
    }
    std::fs::remove_dir(dir)
}

/// Removes what harnesses left behind that were killed.
fn remove_orphans(temporary: &Path) {
    let orphan = |name: &str| {
        let pid = name.strip_prefix(PREFIX)?.split('-').next()?.parse::<u32>().ok()?;
        (!Path::new(&format!("/proc/{pid}")).exists()).then_some(())
    };
    for entry in std::fs::read_dir(temporary).into_iter().flatten().flatten() {
        let is_dir = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if is_dir && entry.file_name().to_str().and_then(orphan).is_some() {
            // Another user's stays.
            let _ = remove(&entry.path());
        }
    }
}

fn directory(temporary: &Path) -> Result<PathBuf, String> {
    let fits = |path: &Path| path.to_str().is_some_and(|text| !text.contains([':', ';', '$']));
    let temporary = std::path::absolute(temporary).unwrap_or_else(|_| temporary.to_owned());
    if !fits(&temporary) {
        return Err(format!(
            "{} cannot be in a list of directories, for its ':', ';' or '$'; name another place in TMPDIR",
            temporary.display()
        ));
    }
    let mut last = String::new();
    for attempt in 0..1000 {
        let dir = temporary.join(format!("{PREFIX}{}-{attempt}", std::process::id()));
        match std::fs::DirBuilder::new().mode(0o755).create(&dir) {
            Ok(()) => return Ok(dir),
            Err(error) => last = format!("failed to make {}: {error}", dir.display()),
        }
    }
    Err(format!("{last}. Name another place in TMPDIR"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn root() -> Root {
        Root {
            dir: "/r".into(),
            loader: "/r/ld".into(),
            libc: "/r/libc-2.31.so".into(),
            version: "2.31".to_owned(),
            sha256: String::new(),
            libraries: BTreeMap::from([("libc.so.6".to_owned(), "/r/libc-2.31.so".into())]),
        }
    }

    #[test]
    fn what_a_killed_harness_left_is_removed_and_nothing_else() {
        let temporary = tempfile::tempdir().unwrap();
        let dirs =
            [format!("{PREFIX}4194305-0"), format!("{PREFIX}{}-9", std::process::id()), "other".to_owned()];
        for dir in &dirs {
            std::fs::create_dir(temporary.path().join(dir)).unwrap();
            symlink("/x", temporary.path().join(dir).join("libc.so.6")).unwrap();
        }
        drop(Shelf::make(&root(), temporary.path()).unwrap());
        let left = dirs.map(|dir| temporary.path().join(dir).exists());
        assert_eq!(left, [false, true, true]);
    }

    #[test]
    fn two_are_apart_and_leave_nothing() {
        let temporary = tempfile::tempdir().unwrap();
        let (a, b) = (
            Shelf::make(&root(), temporary.path()).unwrap(),
            Shelf::make(&root(), temporary.path()).unwrap(),
        );
        assert_ne!(a.dir(), b.dir());
        assert_eq!(std::fs::read_link(a.dir().join("libc.so.6")).unwrap(), Path::new("/r/libc-2.31.so"));
        drop((a, b));
        assert_eq!(std::fs::read_dir(temporary.path()).unwrap().count(), 0);
        assert!(Shelf::make(&root(), Path::new("/tmp/a:b")).unwrap_err().contains("TMPDIR"));
        assert!(Shelf::make(&root(), Path::new("/nowhere")).unwrap_err().contains("/nowhere"));
    }
}
