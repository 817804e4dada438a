//! What an ELF file says of itself: its loader, and whether it brings a `malloc`. Only headers and symbol tables are
//! read, in pieces, and an export is looked up by its hash, so that a file of 100 MB costs no more than a small one.
//!
//! [`deep`] searches further, for what is in no table of exports; that costs more, and is never done while a trial runs.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use object::Endianness;
use object::elf;
use object::read::ReadCache;
use object::read::elf::{FileHeader, ProgramHeader, Sym, VersionTable};

pub mod deep;

/// Largest file that is read whole, bytes.
const LARGEST: u64 = 1 << 30;

/// Symbols that tell an allocator which exports them, prefixed ones included.
pub const MARKS: [(&str, &[&str]); 5] = [
    ("jemalloc", &["mallctl", "je_mallctl", "_rjem_mallctl", "je_malloc", "_rjem_malloc"]),
    ("mimalloc", &["mi_malloc", "_mi_malloc_generic", "mi_option_get"]),
    ("tcmalloc", &["tc_malloc", "MallocExtension_Internal_GetStats", "TCMalloc_Internal_Malloc"]),
    ("rpmalloc", &["rpmalloc", "rpmalloc_initialize"]),
    ("snmalloc", &["sn_malloc", "snmalloc_malloc"]),
];

/// What was found in a file.
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
    /// Whether it exports `malloc`, so that it serves all that the loader binds later.
    pub own_malloc: bool,
    /// Whether it is glibc itself.
    pub glibc: bool,
    /// Whether it is a C library.
    pub libc: bool,
    /// The allocator whose symbols it exports.
    pub allocator: Option<&'static str>,
}

/// Reads an ELF file.
///
/// # Errors
/// One clause: it cannot be read, or is no ELF file.
pub fn read(path: &Path) -> Result<Facts, String> {
    let file = File::open(path).map_err(|e| e.to_string())?;
    let kind = object::FileKind::parse(&ReadCache::new(&file)).map_err(|e| e.to_string())?;
    let cache = ReadCache::new(&file);
    match kind {
        object::FileKind::Elf64 => facts::<elf::FileHeader64<Endianness>>(&cache),
        object::FileKind::Elf32 => facts::<elf::FileHeader32<Endianness>>(&cache),
        _ => Err("it is no ELF file".to_owned()),
    }
}

/// Where a small library has an exported symbol, counted from where it is mapped.
///
/// # Errors
/// One clause: it cannot be read, or is no ELF file.
pub fn address_of(path: &Path, symbol: &str) -> Result<Option<u64>, String> {
    use object::{Object, ObjectSymbol};
    let file = File::open(path).map_err(|e| e.to_string())?;
    let cache = ReadCache::new(&file);
    let elf = object::File::parse(&cache).map_err(|e| e.to_string())?;
    let found = elf.dynamic_symbols().find(|s| s.is_definition() && s.name() == Ok(symbol));
    Ok(found.map(|symbol| symbol.address()))
}

/// The whole of a file, unless it is too large.
///
/// # Errors
/// One clause: it is too large, or cannot be read.
pub(super) fn bytes(path: &Path) -> Result<Vec<u8>, String> {
    let mut file = File::open(path).map_err(|e| e.to_string())?;
    let size = file.metadata().map_err(|e| e.to_string())?.len();
    if size > LARGEST {
        return Err("it is too large to be read".to_owned());
    }
    let mut bytes = Vec::with_capacity(size as usize);
    file.read_to_end(&mut bytes).map_err(|e| e.to_string())?;
    Ok(bytes)
}

fn facts<'data, Header>(cache: &'data ReadCache<&'data File>) -> Result<Facts, String>
where
    Header: FileHeader<Endian = Endianness>,
{
    let said = |e: object::Error| e.to_string();
    let header = Header::parse(cache).map_err(said)?;
    let endian = header.endian().map_err(said)?;
    let programs = header.program_headers(endian, cache).map_err(said)?;
    let loader = programs.iter().find_map(|program| program.interpreter(endian, cache).ok().flatten());
    let sections = header.sections(endian, cache).map_err(said)?;
    let named = |wanted: &[u8]| {
        sections.iter().any(|section| sections.section_name(endian, section).is_ok_and(|name| name == wanted))
    };
    let symbols = sections.symbols(endian, cache, elf::SHT_DYNSYM).map_err(said)?;
    let hashes = sections.gnu_hash(endian, cache).ok().flatten().map(|(table, _)| table);
    let has = |name: &str| match &hashes {
        Some(table) => {
            let hash = elf::gnu_hash(name.as_bytes());
            let found = table.find(endian, name.as_bytes(), hash, None, &symbols, &VersionTable::default());
            found.is_some_and(|(_, symbol)| !symbol.is_undefined(endian))
        }
        None => symbols.iter().any(|symbol| {
            !symbol.is_undefined(endian) && symbol.name(endian, symbols.strings()) == Ok(name.as_bytes())
        }),
    };
    Ok(Facts {
        is_static: loader.is_none(),
        musl: loader.is_some_and(|path| path.windows(7).any(|part| part == b"ld-musl")),
        go: named(b".go.buildinfo") || named(b".note.go.buildid"),
        own_malloc: has("malloc"),
        glibc: has("gnu_get_libc_version"),
        libc: has("__libc_start_main"),
        allocator: MARKS.iter().find(|(_, marks)| marks.iter().any(|mark| has(mark))).map(|(name, _)| *name),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_brings_no_malloc_and_what_is_no_program_is_told() {
        let shell = read(Path::new("/bin/sh")).unwrap();
        assert_eq!((shell.own_malloc, shell.allocator, shell.go, shell.glibc), (false, None, false, false));
        assert!(read(Path::new("/etc/hostname")).is_err() && read(Path::new("/nowhere")).is_err());
    }

    #[test]
    fn the_size_of_a_file_costs_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("large");
        std::fs::copy("/bin/sh", &path).unwrap();
        // With a hole in it, which would take more memory to read than there is.
        File::options().write(true).open(&path).unwrap().set_len(1 << 40).unwrap();
        assert_eq!(read(&path), read(Path::new("/bin/sh")));
    }

    #[test]
    fn the_c_library_of_this_process_exports_malloc() {
        let maps = procfs::process::Process::myself().unwrap().maps().unwrap();
        let libc = maps.iter().find_map(|map| match &map.pathname {
            procfs::process::MMapPath::Path(path) if path.ends_with("libc.so.6") => Some(path.clone()),
            _ => None,
        });
        if let Some(libc) = libc {
            let facts = read(&libc).unwrap();
            assert!(facts.own_malloc && facts.glibc && facts.allocator.is_none(), "{facts:?}");
        }
    }
}
