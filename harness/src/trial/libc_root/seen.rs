//! Whether a process runs on the C library that it was started on, from the files that it has mapped.

use std::path::{Path, PathBuf};

use procfs::process::{MMapPath, MemoryMap, Process};

use super::locate::PIECES;
use super::whole::as_inside;
use super::{Footing, Root};

/// The files that a process has mapped, each once, as it names them itself; `below` is the root that it runs in.
pub fn files(maps: &[MemoryMap], below: Option<&Path>) -> Vec<PathBuf> {
    let path = |map: &MemoryMap| match &map.pathname {
        MMapPath::Path(path) => Some(below.map_or_else(|| path.clone(), |root| as_inside(path, root))),
        _ => None,
    };
    let mut files: Vec<PathBuf> = maps.iter().filter_map(path).collect();
    files.sort();
    files.dedup();
    files
}

/// The C library among mapped files: `libc.so.6`, or `libc-2.31.so` as it was called before 2.34.
pub fn libc(files: &[PathBuf]) -> Option<&PathBuf> {
    files.iter().find(|path| piece(path) == Some(PIECES[0]))
}

/// Which of glibc's libraries a file is, by its name: `libm.so.6` or `libm-2.31.so`.
fn piece(path: &Path) -> Option<&'static str> {
    let name = path.file_name()?.to_str()?;
    PIECES.into_iter().find(|piece| {
        let stem = piece.split(".so").next().unwrap_or(piece);
        let versioned = name.strip_prefix(stem).and_then(|rest| rest.strip_prefix("-2."));
        name == *piece || versioned.is_some_and(|rest| rest.strip_suffix(".so").is_some())
    })
}

impl Root {
    /// Whether mapped files are of this root, as far as they are glibc's.
    ///
    /// # Errors
    /// One clause: which C library it is instead.
    pub fn owns(&self, files: &[PathBuf]) -> Result<(), String> {
        match libc(files) {
            Some(libc) if *libc == self.libc => {}
            Some(other) => {
                return Err(format!("it runs on {}, not on {}", other.display(), self.libc.display()));
            }
            None => return Err("it has mapped no glibc".to_owned()),
        }
        let foreign = |path: &&PathBuf| piece(path).is_some() && !path.starts_with(&self.dir);
        match files.iter().find(foreign) {
            Some(path) => Err(format!(
                "it has mapped {} beside {}: libraries of two builds of glibc",
                path.display(),
                self.libc.display()
            )),
            None => Ok(()),
        }
    }
}

impl Footing {
    /// Whether the files that a process has mapped, as it names them, are of this C library, as far as they are glibc's.
    ///
    /// # Errors
    /// One clause: which C library it is instead.
    pub fn owns(&self, files: &[PathBuf]) -> Result<(), String> {
        if !self.whole {
            return self.root.owns(files);
        }
        let outside = |path: &PathBuf| self.root.dir.join(path.strip_prefix("/").unwrap_or(path));
        self.root.owns(&files.iter().map(outside).collect::<Vec<_>>())
    }

    /// Whether a process that says which version it runs on runs on this C library.
    ///
    /// # Errors
    /// One sentence for the trial's reason.
    pub fn proven_by(&self, process: &Process, version: &str) -> Result<(), String> {
        let asked = |why: String| format!("asked for libc {} ({}), but {why}", self.name, self.root.version);
        let maps = process.maps().map_err(|e| asked(format!("its maps cannot be read: {e}")))?;
        self.owns(&files(&maps.0, self.seen_below().as_deref())).map_err(asked)?;
        if version != self.root.version {
            return Err(asked(format!("it says that it runs on {version}")));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn root() -> Root {
        Root {
            dir: "/r".into(),
            loader: "/r/lib/ld-2.31.so".into(),
            libc: "/r/lib/libc-2.31.so".into(),
            version: "2.31".to_owned(),
            sha256: String::new(),
            libraries: BTreeMap::new(),
        }
    }

    fn told(files: &[&str]) -> Result<(), String> {
        root().owns(&files.iter().map(PathBuf::from).collect::<Vec<_>>())
    }

    #[test]
    fn only_the_root_s_own_pieces_will_do() {
        assert_eq!(
            told(&["/bin/x", "/r/lib/libc-2.31.so", "/r/lib/libm-2.31.so", "/usr/lib/libz.so.1"]),
            Ok(())
        );
        assert!(told(&["/lib/libc.so.6"]).unwrap_err().starts_with("it runs on /lib/libc.so.6, not on"));
        assert!(told(&["/bin/x"]).unwrap_err().contains("no glibc"));
        for mixed in
            ["/lib/libm.so.6", "/lib/libm-2.36.so", "/lib/libnss_files.so.2", "/lib/libpthread-2.28.so"]
        {
            assert!(told(&["/r/lib/libc-2.31.so", mixed]).unwrap_err().contains(mixed));
        }
        assert_eq!(told(&["/r/lib/libc-2.31.so", "/lib/libm.so.6.debug", "/lib/libmagic.so.1"]), Ok(()));
    }

    #[test]
    fn this_process_has_a_c_library() {
        let maps = Process::myself().unwrap().maps().unwrap();
        assert!(libc(&files(&maps.0, None)).is_some());
    }
}
