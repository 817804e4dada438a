//! Paths inside a root: links are followed as a process would that has this root, so that an absolute link stays
//! within.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

/// Most links on the way to one file (`MAXSYMLINKS`, `path_resolution(7)`).
const MOST_LINKS: usize = 40;

/// Follows `path` inside `root` to a file that is no link. `None` where it is not there.
///
/// # Errors
/// When the system refuses to look.
pub fn resolve(root: &Path, path: &Path) -> std::io::Result<Option<PathBuf>> {
    let mut left = parts(path);
    let mut found: Vec<OsString> = Vec::new();
    let mut links = 0;
    while let Some(part) = left.pop_front() {
        if part == ".." {
            found.pop();
            continue;
        }
        let at = below(root, &found).join(&part);
        let kind = match std::fs::symlink_metadata(&at) {
            Ok(metadata) => metadata.file_type(),
            Err(e) if is_absent(&e) => return Ok(None),
            Err(e) => return Err(e),
        };
        if !kind.is_symlink() {
            found.push(part);
            continue;
        }
        links += 1;
        if links > MOST_LINKS {
            return Ok(None);
        }
        let target = std::fs::read_link(&at)?;
        if target.is_absolute() {
            found.clear();
        }
        for part in parts(&target).into_iter().rev() {
            left.push_front(part);
        }
    }
    Ok(Some(below(root, &found)))
}

fn is_absent(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory)
}

fn below(root: &Path, parts: &[OsString]) -> PathBuf {
    let mut path = root.to_owned();
    path.extend(parts);
    path
}

/// The names of a path; `..` stays, as what it leads to is known only on the way.
fn parts(path: &Path) -> VecDeque<OsString> {
    let named = |component: Component| match component {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some(OsString::from("..")),
        _ => None,
    };
    path.components().filter_map(named).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn absolute_links_stay_within() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        std::fs::create_dir_all(root.join("usr/lib/x")).unwrap();
        std::fs::write(root.join("usr/lib/x/libc-2.31.so"), "").unwrap();
        symlink("/usr/lib", root.join("lib")).unwrap();
        symlink("../../../../usr/lib/x/libc-2.31.so", root.join("usr/lib/x/libc.so.6")).unwrap();
        symlink("/lib/x/libc.so.6", root.join("usr/lib/again")).unwrap();
        symlink("loop", root.join("loop")).unwrap();
        symlink("/etc/hostname", root.join("out")).unwrap();
        let found = |path: &str| resolve(root, Path::new(path)).unwrap();
        let file = Some(root.join("usr/lib/x/libc-2.31.so"));
        assert_eq!(found("lib/x/libc.so.6"), file);
        assert_eq!(found("/lib/again"), file);
        assert_eq!(found("../../lib/again"), file);
        assert_eq!(
            (found("loop"), found("out"), found("lib/nothing"), found("lib/again/x")),
            (None, None, None, None)
        );
    }
}
