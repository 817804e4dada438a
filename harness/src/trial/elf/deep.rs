//! A search of an executable for an allocator that no table of exports shows: in its own symbols, and in its constant
//! text. It reads up to [`MOST`] bytes of each, and is for when a trial is over.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use object::Endianness;
use object::elf;
use object::read::ReadCache;
use object::read::elf::{FileHeader, SectionHeader};
use regex::bytes::Regex;

/// Most that is read of a section, bytes.
const MOST: u64 = 64 << 20;
/// Bytes that are searched at a time.
const PIECE: usize = 1 << 20;

/// What was found inside.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Inside {
    /// An allocator that is not a C library's.
    pub allocator: Option<&'static str>,
    /// Whether glibc's malloc is in it.
    pub glibc: bool,
    /// Whether musl's malloc is in it.
    pub musl: bool,
    /// Whether it asks for `mallopt` by name, from the loader or with dlsym(3).
    pub mallopt: bool,
}

/// What a word in a file stands for.
type Mark<'a> = (&'static str, &'a [u8]);

/// Names of functions within, which a stripped file does not have.
const SYMBOLS: [Mark<'static>; 12] = [
    ("jemalloc", b"\0je_arena_boot\0"),
    ("jemalloc", b"\0_rjem_je_arena_boot\0"),
    ("jemalloc", b"\0je_malloc\0"),
    ("jemalloc", b"\0_rjem_malloc\0"),
    ("jemalloc", b"\0je_tcache_boot\0"),
    ("mimalloc", b"\0_mi_malloc_generic\0"),
    ("mimalloc", b"\0mi_malloc\0"),
    ("tcmalloc", b"\0tc_malloc\0"),
    ("tcmalloc", b"\0TCMalloc_Internal_Malloc\0"),
    ("rpmalloc", b"\0rpmalloc_initialize\0"),
    ("musl", b"\0__libc_malloc_impl\0"),
    ("musl", b"\0__malloc_alloc_meta\0"),
];

/// What the allocators say when something is wrong, and the names of glibc's tunables.
const TEXTS: [Mark<'static>; 7] = [
    ("jemalloc", b"<jemalloc>: "),
    ("mimalloc", b"mimalloc: "),
    ("tcmalloc", b"tcmalloc: large alloc"),
    ("glibc", b"glibc.malloc.arena_max"),
    ("glibc", b"malloc(): corrupted top size"),
    ("glibc", b"GNU C Library"),
    ("mallopt", b"mallopt\0"),
];

/// Names that the loader looks up. One that ends as another shares its place.
const WANTED: [Mark<'static>; 1] = [("mallopt", b"mallopt\0")];

/// Searches a file; nothing is found in one that cannot be read.
pub fn inside(path: &Path) -> Inside {
    let Ok(file) = File::open(path) else { return Inside::default() };
    let cache = ReadCache::new(&file);
    let ranges = sections::<elf::FileHeader64<Endianness>>(&cache)
        .or_else(|| sections::<elf::FileHeader32<Endianness>>(&cache))
        .unwrap_or_default();
    let mut found = Vec::new();
    for (marks, (start, size)) in ranges {
        search(&file, start, size.min(MOST), marks, &mut found);
    }
    let has = |name: &str| found.contains(&name);
    Inside {
        allocator: found.iter().find(|name| !matches!(**name, "glibc" | "musl" | "mallopt")).copied(),
        glibc: has("glibc"),
        musl: has("musl"),
        mallopt: has("mallopt"),
    }
}

/// Whether a library has the name of a variable in its constant text. mimalloc puts its names together from a prefix
/// and the name of an option.
pub fn names(library: &Path, variable: &str) -> bool {
    let Ok(file) = File::open(library) else { return false };
    let Ok(size) = file.metadata().map(|metadata| metadata.len()) else { return false };
    let whole = variable.as_bytes();
    let option = variable.strip_prefix("MIMALLOC_").map(str::to_ascii_lowercase).unwrap_or_default();
    let marks: [Mark<'_>; 2] = [("whole", whole), ("option", option.as_bytes())];
    let marks = if option.is_empty() { &marks[..1] } else { &marks[..] };
    let mut found = Vec::new();
    search(&file, 0, size.min(MOST), marks, &mut found);
    !found.is_empty()
}

type Range = (&'static [Mark<'static>], (u64, u64));

/// Where the names and the constant text are.
fn sections<'data, Header>(cache: &'data ReadCache<&'data File>) -> Option<Vec<Range>>
where
    Header: FileHeader<Endian = Endianness>,
{
    let header = Header::parse(cache).ok()?;
    let endian = header.endian().ok()?;
    let sections = header.sections(endian, cache).ok()?;
    let range = |section: &Header::SectionHeader| -> Option<Range> {
        let marks: &'static [Mark<'static>] = match sections.section_name(endian, section).ok()? {
            b".strtab" => &SYMBOLS,
            b".dynstr" => &WANTED,
            b".rodata" | b".data.rel.ro" => &TEXTS,
            _ => return None,
        };
        Some((marks, section.file_range(endian)?))
    };
    Some(sections.iter().filter_map(range).collect())
}

/// Looks for marks in a part of a file, piece by piece; pieces overlap by the longest mark.
fn search(file: &File, start: u64, size: u64, marks: &[Mark<'_>], found: &mut Vec<&'static str>) {
    let longest = marks.iter().map(|(_, mark)| mark.len()).max().unwrap_or(1);
    let Some(any) = any_of(marks) else { return };
    let mut buffer = vec![0; PIECE];
    let mut at = 0;
    while at < size {
        let want = usize::try_from(size - at).unwrap_or(PIECE).min(PIECE);
        let Ok(got) = file.read_at(&mut buffer[..want], start + at) else { return };
        let mut from = 0;
        while let Some(hit) = any.find_at(&buffer[..got], from) {
            // The next may begin with the byte that ends this one.
            from = hit.start() + 1;
            let name = marks.iter().find(|(_, mark)| *mark == hit.as_bytes()).map(|(name, _)| *name);
            found.extend(name.filter(|name| !found.contains(name)));
        }
        if got < want || got <= longest {
            return;
        }
        at += (got - longest) as u64;
        if got < PIECE {
            return;
        }
    }
}

/// One expression for all marks.
fn any_of(marks: &[Mark<'_>]) -> Option<Regex> {
    let escaped = marks.iter().map(|(_, mark)| regex::escape(&String::from_utf8_lossy(mark)));
    Regex::new(&format!("(?-u){}", escaped.collect::<Vec<_>>().join("|"))).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_in_a_table_of_names_are_both_found_and_so_is_what_two_pieces_share() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x");
        let mut bytes = vec![b'a'; PIECE - 5];
        bytes.extend_from_slice(b"\0je_malloc\0tc_malloc\0");
        std::fs::write(&path, &bytes).unwrap();
        let mut found = Vec::new();
        search(&File::open(&path).unwrap(), 0, bytes.len() as u64, &SYMBOLS, &mut found);
        assert_eq!(found, ["jemalloc", "tcmalloc"]);
        assert_eq!(inside(&path), Inside::default(), "no ELF file");
    }
}
