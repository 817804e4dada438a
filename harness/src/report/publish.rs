//! Puts a finished report in the place of an earlier one: whole, or not at all. What an earlier report had
//! and this one has not is gone with it.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};

/// What a report's folder holds. A folder with anything else in it is not one, and is not replaced.
const OURS: [&str; 3] = ["index.html", "report.md", "charts"];

/// How the name of a draft ends.
const PARTIAL: &str = ".partial";

/// Why a folder cannot be replaced, or what the system said.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// It holds something else.
    #[error("{0} holds {1}, which is no part of a report: name an empty or a new folder")]
    NotOurs(PathBuf, String),
    /// The system.
    #[error("failed to {0} {1}: {2}")]
    System(&'static str, PathBuf, io::Error),
}

fn system(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Refused {
    let path = path.to_owned();
    move |source| Refused::System(doing, path, source)
}

/// A folder beside the one that is to be replaced; removed unless it took that place. Locked, so that one that was left
/// by a killed process is known.
pub struct Draft {
    dir: PathBuf,
    target: PathBuf,
    _lock: Option<File>,
}

impl Draft {
    /// A new draft of `target`, which may be there or not.
    ///
    /// # Errors
    /// Where `target` holds anything but a report, or the system refuses.
    pub fn of(target: &Path) -> Result<Self, Refused> {
        let target = fs::canonicalize(target).unwrap_or_else(|_| target.to_owned());
        check(&target)?;
        let parent = match target.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
            _ => PathBuf::from("."),
        };
        fs::create_dir_all(&parent).map_err(system("make", &parent))?;
        let name = target.file_name().unwrap_or_default().to_string_lossy().into_owned();
        sweep(&parent, &name);
        let dir = parent.join(format!(".{name}.{}{PARTIAL}", std::process::id()));
        // Left by a process of the same number, on a file system without locks.
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir(&dir).map_err(system("make", &dir))?;
        Ok(Self { _lock: locked(&dir), dir, target })
    }

    /// Where to write.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Takes the place of the earlier report.
    ///
    /// # Errors
    /// What the system said; the earlier report is then still there.
    pub fn publish(self) -> Result<(), Refused> {
        if !self.target.exists() {
            return fs::rename(&self.dir, &self.target).map_err(system("make", &self.target));
        }
        check(&self.target)?;
        // Where the file system cannot exchange two folders, there is a moment without a report.
        if renameat_with(CWD, &self.dir, CWD, &self.target, RenameFlags::EXCHANGE).is_ok() {
            return Ok(());
        }
        let old = self.dir.with_extension("old");
        fs::rename(&self.target, &old).map_err(system("replace", &self.target))?;
        if let Err(source) = fs::rename(&self.dir, &self.target) {
            let _ = fs::rename(&old, &self.target);
            return Err(system("replace", &self.target)(source));
        }
        fs::remove_dir_all(&old).map_err(system("remove", &old))
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // After an exchange this is the earlier report, else what was not published.
        let _ = fs::remove_dir_all(&self.dir);
    }
}

/// A folder that no other process holds. Not every file system has locks: there nothing is.
fn locked(dir: &Path) -> Option<File> {
    let folder = File::open(dir).ok()?;
    folder.try_lock().ok().map(|()| folder)
}

/// Removes the drafts of `name` that killed processes left. An empty one may have been made this moment.
fn sweep(parent: &Path, name: &str) {
    let is_draft = |file: &str| {
        let process = file.strip_prefix(&format!(".{name}.")).and_then(|rest| rest.strip_suffix(PARTIAL));
        process.is_some_and(|number| number.parse::<u32>().is_ok())
    };
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let dir = entry.path();
        let empty = || fs::read_dir(&dir).map_or(true, |mut entries| entries.next().is_none());
        if is_draft(&entry.file_name().to_string_lossy()) && !empty() && locked(&dir).is_some() {
            let _ = fs::remove_dir_all(&dir);
        }
    }
}

fn check(target: &Path) -> Result<(), Refused> {
    let entries = match fs::read_dir(target) {
        Ok(entries) => entries,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(system("look into", target)(e)),
    };
    for entry in entries {
        let name = entry.map_err(system("look into", target))?.file_name().to_string_lossy().into_owned();
        if !OURS.contains(&name.as_str()) {
            return Err(Refused::NotOurs(target.to_owned(), super::words::clean(&name)));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_process_left_is_removed_and_what_is_being_drawn_is_not() {
        let parent = tempfile::tempdir().unwrap();
        let made = |name: &str| {
            let dir = parent.path().join(name);
            fs::create_dir(&dir).unwrap();
            fs::write(dir.join("report.md"), "half").unwrap();
            dir
        };
        let left = made(".report.4000000001.partial");
        let kept = [".report.4000000002.partial", ".report.mine.partial", ".other.7.partial"].map(made);
        let drawing = locked(&kept[0]).unwrap();
        let draft = Draft::of(&parent.path().join("report")).unwrap();
        assert!(!left.exists());
        assert!(kept.iter().all(|dir| dir.exists()));
        drop((draft, drawing));
    }
}
