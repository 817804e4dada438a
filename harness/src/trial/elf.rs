//! What an executable says of its own allocator: whether it is linked statically, for which C library, and
//! whether it brings a `malloc` of its own.

use std::io::Read;
use std::path::Path;

use object::{Object, ObjectSection, ObjectSymbol};

/// Largest executable that is read, bytes.
const LARGEST: u64 = 1 << 30;

/// Symbols that tell an allocator within an executable.
const MARKS: [(&str, &[&str]); 3] = [
    ("jemalloc", &["mallctl", "je_mallctl", "_rjem_mallctl", "je_malloc", "_rjem_malloc"]),
    ("mimalloc", &["mi_malloc", "_mi_malloc_generic", "mi_option_get"]),
    ("tcmalloc", &["tc_malloc", "MallocExtension_Internal_GetStats", "TCMalloc_Internal_Malloc"]),
];

/// What was found in an executable.
// Each flag is a fact of its own, and several may hold.
#[allow(clippy::struct_excessive_bools)]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Whether no dynamic loader is asked for.
    pub is_static: bool,
    /// Whether the loader is musl's.
    pub musl: bool,
    /// Whether it is a Go program, with Go's own heap.
    pub go: bool,
    /// Whether it defines `malloc` itself, so that no library can take its place.
    pub own_malloc: bool,
    /// The allocator whose symbols it has.
    pub allocator: Option<&'static str>,
    /// Whether it is static and carries glibc.
    pub static_glibc: bool,
}

/// Reads an executable.
///
/// # Errors
/// One clause: it cannot be read, or is no ELF file.
pub fn read(path: &Path) -> Result<Facts, String> {
    of(&bytes(path)?)
}

/// The whole of a file, unless it is too large.
///
/// # Errors
/// One clause: it is too large, or cannot be read.
pub(super) fn bytes(path: &Path) -> Result<Vec<u8>, String> {
    let mut file = std::fs::File::open(path).map_err(|e| e.to_string())?;
    let size = file.metadata().map_err(|e| e.to_string())?.len();
    if size > LARGEST {
        return Err("it is too large to be read".to_owned());
    }
    let mut bytes = Vec::with_capacity(size as usize);
    file.read_to_end(&mut bytes).map_err(|e| e.to_string())?;
    Ok(bytes)
}

fn of(bytes: &[u8]) -> Result<Facts, String> {
    let elf = object::File::parse(bytes).map_err(|e| e.to_string())?;
    let section = |name: &str| elf.section_by_name(name);
    let interpreter = section(".interp").and_then(|section| section.data().ok()).map(String::from_utf8_lossy);
    let names: Vec<&str> = (elf.symbols().chain(elf.dynamic_symbols()))
        .filter(ObjectSymbol::is_definition)
        .filter_map(|symbol| symbol.name().ok())
        .collect();
    let has = |name: &str| names.contains(&name);
    let is_static = interpreter.is_none();
    let exported = elf.dynamic_symbols().any(|s| s.is_definition() && s.name() == Ok("malloc"));
    Ok(Facts {
        is_static,
        musl: interpreter.is_some_and(|path| path.contains("ld-musl")),
        go: section(".go.buildinfo").is_some() || section(".note.go.buildid").is_some(),
        own_malloc: exported
            || (!is_static && elf.symbols().any(|s| s.is_definition() && s.name() == Ok("malloc"))),
        allocator: MARKS.iter().find(|(_, marks)| marks.iter().any(|mark| has(mark))).map(|(name, _)| *name),
        static_glibc: is_static && (has("__libc_malloc") || contains(bytes, b"GNU C Library")),
    })
}

fn contains(bytes: &[u8], needle: &[u8]) -> bool {
    bytes.windows(needle.len()).any(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tests_own_executable_is_dynamic_and_its_shell_has_no_malloc_of_its_own() {
        let shell = read(Path::new("/bin/sh")).unwrap();
        assert_eq!((shell.own_malloc, shell.allocator, shell.go), (false, None, false));
        assert!(read(Path::new("/etc/hostname")).is_err() && read(Path::new("/nowhere")).is_err());
    }
}
