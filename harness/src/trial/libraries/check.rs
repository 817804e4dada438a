//! Whether a library can be preloaded and brings a malloc: what `ld.so` would only complain of while it goes on.

use std::path::Path;

use object::{Architecture, Object, ObjectKind, ObjectSymbol};

use crate::trial::elf;

/// What a shared library is, as far as preloading it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shared {
    /// The architecture that it is for.
    arch: Architecture,
    /// Whether it exports `malloc`.
    pub has_malloc: bool,
}

/// Reads a library.
///
/// # Errors
/// One clause: it cannot be read, or is no shared library.
pub fn read(path: &Path) -> Result<Shared, String> {
    let bytes = elf::bytes(path).map_err(|why| format!("it cannot be read: {why}"))?;
    let file = object::File::parse(&*bytes).map_err(|_| "it is no ELF file".to_owned())?;
    if file.kind() != ObjectKind::Dynamic {
        return Err("it is no shared library".to_owned());
    }
    let has_malloc = file.dynamic_symbols().any(|s| !s.is_undefined() && s.name() == Ok("malloc"));
    Ok(Shared { arch: file.architecture(), has_malloc })
}

/// The architecture of an executable; `None` of a script.
fn arch_of(path: &Path) -> Option<Architecture> {
    let bytes = elf::bytes(path).ok()?;
    object::File::parse(&*bytes).ok().map(|file| file.architecture())
}

/// Sees that a library can take the place of malloc in programs.
///
/// # Errors
/// One clause: it cannot be read, is no shared library, is for another architecture than this host and all of the
/// programs, or has no malloc.
pub fn check<'a>(path: &Path, programs: impl IntoIterator<Item = &'a Path>) -> Result<(), String> {
    let library = read(path)?;
    let host = arch_of(Path::new("/proc/self/exe"));
    if host.is_some_and(|host| host != library.arch)
        && !programs.into_iter().any(|program| arch_of(program) == Some(library.arch))
    {
        let host = host.map_or_else(|| "another one".to_owned(), |host| format!("{host:?}"));
        return Err(format!("it is for another architecture: {:?}, here it is {host}", library.arch));
    }
    if library.has_malloc {
        return Ok(());
    }
    Err("it exports no malloc, so that preloaded it would change nothing of the allocator".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_library_with_a_malloc_is_told() {
        let none = || std::iter::empty::<&Path>();
        let why = |path: &str| check(Path::new(path), none()).unwrap_err();
        assert!(why("/nowhere/lib.so").starts_with("it cannot be read: No such file"));
        assert!(why("/").starts_with("it cannot be read"));
        let dir = tempfile::tempdir().unwrap();
        let text = dir.path().join("lib.so");
        std::fs::write(&text, "not ELF").unwrap();
        assert_eq!(check(&text, none()), Err("it is no ELF file".to_owned()));
        // A library of this host for another machine: e_machine is at 18.
        let libm = procfs::process::Process::myself().unwrap().maps().unwrap();
        let libm = libm.iter().find_map(|map| match &map.pathname {
            procfs::process::MMapPath::Path(path) if path.to_string_lossy().contains("/libgcc_s.so") => {
                Some(path.clone())
            }
            _ => None,
        });
        let Some(libgcc) = libm else { panic!("the tests' own executable needs libgcc_s") };
        assert!(check(&libgcc, none()).unwrap_err().contains("exports no malloc"));
        let mut bytes = std::fs::read(&libgcc).unwrap();
        bytes[18] = if bytes[18] == 183 { 62 } else { 183 };
        std::fs::write(&text, bytes).unwrap();
        assert!(check(&text, none()).unwrap_err().contains("another architecture"));
    }
}
