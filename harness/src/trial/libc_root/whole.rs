//! Runs a trial inside a root, with its whole userland: in a mount namespace of its own, with the root below a layer in
//! memory (overlayfs), so that nothing in the directory is ever changed, and what a trial writes is gone with it.
//!
//! Root needs the mount namespace alone. Others get a user namespace as well, in which their user and group are what
//! they are outside, so that the harness may still read and signal what runs there. This is no confinement: a program
//! that wants out of it gets out.

use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};
use rustix::io::Errno;
use rustix::mount::{MountFlags, mount, mount_bind_recursive, mount_remount};
use serde::{Deserialize, Serialize};

use super::inside;
use crate::trial::launcher::bytes;
use crate::trial::namespace::leave_the_others;

/// What the kernel gives, and is the host's inside as well.
const SYSTEM: [&str; 3] = ["/proc", "/sys", "/dev"];

/// Where programs are, besides in the host's `PATH`.
const USUAL: &str = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin";

/// A root to run in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inside {
    /// The root's directory.
    #[serde(with = "bytes")]
    pub dir: PathBuf,
    /// An empty directory to mount it over; nobody else sees what is there.
    #[serde(with = "bytes")]
    pub at: PathBuf,
    /// Files and directories of the host that are there under the same path.
    #[serde(with = "bytes")]
    pub shared: Vec<PathBuf>,
}

impl Inside {
    /// Where the root is, as a process outside sees the paths of one that runs in it.
    pub fn root(&self) -> PathBuf {
        root_over(&self.at)
    }

    /// Makes the root for this process and what it will start. It must not have started a thread yet.
    ///
    /// # Errors
    /// One clause: what the system does not allow.
    pub fn make(&self) -> Result<(), String> {
        leave_the_others().map_err(|error| failed("a mount namespace of its own", error))?;
        self.mount_layers()?;
        for path in SYSTEM {
            self.share(Path::new(path), true)?;
        }
        // What steers this host is not for a program to change. Where it cannot be mounted so, rights decide.
        let _ = mount_remount(self.root().join("sys"), MountFlags::BIND | MountFlags::RDONLY, "");
        self.make_directory(Path::new("/tmp"))?;
        self.shared.iter().try_for_each(|path| self.share(path, path.is_dir()))
    }

    fn mount_layers(&self) -> Result<(), String> {
        mount("arenalab", &self.at, "tmpfs", MountFlags::NOSUID | MountFlags::NODEV, None)
            .map_err(|error| failed("a layer in memory", error))?;
        for part in ["upper", "work", "root"] {
            std::fs::create_dir(self.at.join(part)).map_err(|e| format!("failed to make its {part}: {e}"))?;
        }
        let [dir, upper, work] = [self.dir.clone(), self.at.join("upper"), self.at.join("work")];
        if [&dir, &upper].iter().any(|path| path.as_os_str().as_bytes().iter().any(|b| b":,\\".contains(b))) {
            return Err(format!("a path with ':', ',' or '\\' cannot be mounted: {}", dir.display()));
        }
        let options =
            format!("lowerdir={},upperdir={},workdir={}", dir.display(), upper.display(), work.display());
        let options = CString::new(options).map_err(|_| "a path holds a zero byte".to_owned())?;
        mount("overlay", self.root(), "overlay", MountFlags::empty(), options.as_c_str())
            .map_err(|error| failed("the root below a layer in memory (overlayfs)", error))
    }

    /// Makes a path of the host's be there under the same name.
    fn share(&self, path: &Path, directory: bool) -> Result<(), String> {
        let target = if directory { self.make_directory(path)? } else { self.make_file(path)? };
        mount_bind_recursive(path, &target)
            .map_err(|error| failed(&format!("{} in it", path.display()), error))
    }

    /// Makes a directory in the root and gives its place outside. Links on the way are followed within the root.
    fn make_directory(&self, path: &Path) -> Result<PathBuf, String> {
        let root = self.root();
        let mut made = root.clone();
        let mut so_far = PathBuf::new();
        for part in path.components().filter(|part| matches!(part, std::path::Component::Normal(_))) {
            so_far.push(part);
            let wrong = |e: std::io::Error| format!("failed to make {} in it: {e}", path.display());
            made = if let Some(there) = inside::resolve(&root, &so_far).map_err(wrong)? {
                there
            } else {
                let new = made.join(part);
                std::fs::create_dir(&new).map_err(wrong)?;
                new
            };
        }
        Ok(made)
    }

    fn make_file(&self, path: &Path) -> Result<PathBuf, String> {
        let directory = self.make_directory(path.parent().unwrap_or(Path::new("/")))?;
        let root = self.root();
        if let Ok(Some(there)) = inside::resolve(&root, path) {
            return Ok(there);
        }
        let file = directory.join(path.file_name().unwrap_or_default());
        std::fs::File::create(&file).map_err(|e| format!("failed to make {} in it: {e}", path.display()))?;
        Ok(file)
    }
}

/// An executable by the name that a command gives, as it is named inside a root: a path as it is, else the first in the
/// directories of `PATH`.
pub fn executable(dir: &Path, name: &str, search: Option<&String>) -> Option<PathBuf> {
    let runnable = |path: &PathBuf| {
        let found = inside::resolve(dir, path).ok().flatten();
        found.is_some_and(|file| file.is_file() && access(&file, Access::EXEC_OK).is_ok())
    };
    if name.contains('/') {
        return Some(PathBuf::from(name)).filter(|path| path.is_absolute() && runnable(path));
    }
    let directories = search.map_or(USUAL, String::as_str).split(':').chain(USUAL.split(':'));
    directories.map(|directory| Path::new("/").join(directory).join(name)).find(runnable)
}

/// The root over a directory that it is mounted over.
pub fn root_over(at: &Path) -> PathBuf {
    at.join("root")
}

/// A path as a process inside a root names it; others stay as they are.
pub fn as_inside(path: &Path, root: &Path) -> PathBuf {
    path.strip_prefix(root).map_or_else(|_| path.to_owned(), |rest| Path::new("/").join(rest))
}

fn failed(what: &str, error: Errno) -> String {
    format!("this host does not allow {what} ({error})")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_told_as_they_are_inside() {
        let root = root_over(Path::new("/tmp/x"));
        assert_eq!(
            as_inside(Path::new("/tmp/x/root/usr/lib/libc.so.6"), &root),
            Path::new("/usr/lib/libc.so.6")
        );
        assert_eq!(as_inside(Path::new("/usr/lib/libc.so.6"), &root), Path::new("/usr/lib/libc.so.6"));
    }
}
