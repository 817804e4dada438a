//! Allocators that can be preloaded: those that come with arenalab, and those that the distribution installed
//! where its dynamic linker looks.
//!
//! The linker's directories are read from `/etc/ld.so.conf`, as ldconfig(8) does; a library is asked what it
//! is by a small program that runs under it, and never loaded into this one.

pub mod check;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use arenalab_wire::message::Identity;

use super::companions::{Companions, LIBRARIES, identify};
use crate::knowledge::preload;

/// Directories of every linker, besides those in its configuration.
const USUAL: [&str; 6] = ["/lib", "/usr/lib", "/lib64", "/usr/lib64", "/usr/local/lib", "/usr/local/lib64"];
/// The linker's configuration includes files; so deep and no deeper.
const DEEPEST: usize = 4;

/// An allocator that can be preloaded.
#[derive(Clone, Debug)]
pub struct Library {
    /// The allocator that it should be, by its file name.
    pub allocator: &'static str,
    /// Where it is.
    pub path: PathBuf,
    /// Whether it came with arenalab.
    pub bundled: bool,
    /// What it says of itself, or why it says nothing.
    pub identity: Result<Identity, String>,
}

impl Library {
    /// As a candidate.
    pub fn candidate(&self) -> String {
        format!("preload={}", self.path.display())
    }
}

/// All that are found, each asked under `environment`.
pub fn found(companions: &Companions, environment: &[(OsString, OsString)]) -> Vec<Library> {
    let own = LIBRARIES.iter().filter_map(|name| companions.library(name).ok()).map(|path| (path, true));
    let installed = installed(Path::new("/")).into_iter().map(|path| (path, false));
    let asked = own.chain(installed).filter_map(|(path, bundled)| {
        let allocator = preload::recognise(&path)?;
        let identity = ask(companions, &path, environment);
        Some(Library { allocator, path, bundled, identity })
    });
    asked.collect()
}

/// Has the workload binary of the C library's allocator say what serves it with the library preloaded.
fn ask(
    companions: &Companions,
    library: &Path,
    environment: &[(OsString, OsString)],
) -> Result<Identity, String> {
    let path = library.to_str().ok_or_else(|| "its path is no text".to_owned())?;
    preload::check_path(path)?;
    let program = companions.workload("glibc").map_err(|missing| missing.to_string())?;
    let preloaded = (OsString::from("LD_PRELOAD"), OsString::from(library));
    let identity = identify(&program, environment.iter().cloned().chain([preloaded]))?;
    if identity.name == "glibc" {
        return Err("it did not take the place of the C library's malloc".to_owned());
    }
    Ok(identity)
}

/// The libraries of known allocators below a root, one name of each: the one by which programs are linked
/// (`libjemalloc.so.2`), which is the shortest with a version.
fn installed(root: &Path) -> Vec<PathBuf> {
    let mut found: Vec<(PathBuf, PathBuf)> = Vec::new();
    for directory in directories(root).into_iter().filter_map(|directory| directory.canonicalize().ok()) {
        for path in libraries_in(&directory) {
            let Ok(real) = path.canonicalize() else { continue };
            if !found.iter().any(|(_, known)| *known == real) {
                found.push((path, real));
            }
        }
    }
    found.into_iter().map(|(path, _)| path).collect()
}

fn libraries_in(directory: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(directory) else { return Vec::new() };
    let paths = entries.flatten().map(|entry| entry.path());
    let versioned = |path: &PathBuf| path.to_str().is_some_and(|text| text.contains(".so."));
    let mut known: Vec<PathBuf> =
        paths.filter(|path| versioned(path) && preload::recognise(path).is_some()).collect();
    known.sort_by_key(|path| (path.as_os_str().len(), path.clone()));
    known
}

/// Where the dynamic linker looks: its configuration first, then the usual ones and, on Debian and its
/// kin, their directories by architecture.
fn directories(root: &Path) -> Vec<PathBuf> {
    let mut found = configured(root, Path::new("etc/ld.so.conf"), 0);
    found.extend(USUAL.iter().map(|directory| below(root, Path::new(directory))));
    found
}

fn below(root: &Path, path: &Path) -> PathBuf {
    root.join(path.strip_prefix("/").unwrap_or(path))
}

/// The directories that a file of the linker's configuration names, and those of the files it includes.
fn configured(root: &Path, file: &Path, depth: usize) -> Vec<PathBuf> {
    let text = std::fs::read_to_string(below(root, file)).unwrap_or_default();
    let lines = text.lines().map(|line| line.split('#').next().unwrap_or("").trim());
    let mut found = Vec::new();
    for line in lines.filter(|line| !line.is_empty() && depth < DEEPEST) {
        match line.strip_prefix("include") {
            Some(pattern) if pattern.starts_with([' ', '\t']) => {
                let files = included(root, file, pattern.trim());
                found.extend(files.iter().flat_map(|file| configured(root, file, depth + 1)));
            }
            _ => found.push(below(root, Path::new(line))),
        }
    }
    found
}

/// The files of an include, sorted: a path whose last part may hold one `*`, as all distributions write it.
fn included(root: &Path, from: &Path, pattern: &str) -> Vec<PathBuf> {
    let pattern = from.parent().unwrap_or(Path::new("")).join(pattern);
    let (Some(directory), Some(name)) =
        (pattern.parent(), pattern.file_name().and_then(|name| name.to_str()))
    else {
        return Vec::new();
    };
    let (begin, end) = name.split_once('*').unwrap_or((name, ""));
    let matches = |file: &str| {
        file == name
            || (file.len() >= begin.len() + end.len() && file.starts_with(begin) && file.ends_with(end))
    };
    let entries = std::fs::read_dir(below(root, directory)).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let mut files: Vec<PathBuf> =
        names.filter(|file| matches(file)).map(|file| directory.join(file)).collect();
    files.sort();
    files
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn write(root: &Path, path: &str, text: &str) {
        let path = root.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    #[test]
    fn libraries_are_found_where_the_linker_looks_once_each_and_by_their_linked_name() {
        let root = tempfile::tempdir().unwrap();
        let root = &root.path().canonicalize().unwrap();
        write(root, "etc/ld.so.conf", "include /etc/ld.so.conf.d/*.conf\n");
        write(root, "etc/ld.so.conf.d/one.conf", "# Multiarch\n/usr/lib/a-linux-gnu\n");
        write(root, "etc/ld.so.conf.d/other.txt", "/nowhere\n");
        write(root, "usr/lib/a-linux-gnu/libjemalloc.so.2", "");
        write(root, "usr/lib/a-linux-gnu/libtcmalloc_minimal.so.4.5.10", "");
        symlink("libtcmalloc_minimal.so.4.5.10", root.join("usr/lib/a-linux-gnu/libtcmalloc_minimal.so.4"))
            .unwrap();
        write(root, "usr/lib/a-linux-gnu/libtcmalloc_minimal_debug.so.4", "");
        write(root, "usr/lib/libmimalloc.so.2", "");
        symlink("libmimalloc.so.2", root.join("usr/lib/libmimalloc.so")).unwrap();
        symlink("usr/lib", root.join("lib")).unwrap();
        let found: Vec<String> = installed(root)
            .iter()
            .map(|path| path.strip_prefix(root).unwrap().display().to_string())
            .collect();
        assert_eq!(
            found,
            [
                "usr/lib/a-linux-gnu/libjemalloc.so.2",
                "usr/lib/a-linux-gnu/libtcmalloc_minimal.so.4",
                "usr/lib/libmimalloc.so.2"
            ]
        );
    }

    #[test]
    fn a_configuration_that_includes_itself_ends() {
        let root = tempfile::tempdir().unwrap();
        write(root.path(), "etc/ld.so.conf", "include ld.so.*\n/x/lib\n");
        let found = configured(root.path(), Path::new("etc/ld.so.conf"), 0);
        assert_eq!(found, vec![root.path().join("x/lib"); DEEPEST]);
    }
}
