//! What an executable or library says of how it was built and what it needs: compilers, flags where it keeps
//! them, its build id, the symbol versions that it needs, and the C++ library that is there for it.
//!
//! The file is another's, and may say anything: what is read is bounded, and cleaned before it is kept.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use object::elf;
use object::read::elf::{DynamicTable, ElfFile, FileHeader};
use object::{Endianness, Object, ObjectSection, ReadRef};

use super::fingerprint;
use crate::format::manifest::Build;

/// Most lines that are kept of a kind.
const MOST_LINES: usize = 16;
/// Most characters that are kept of a line.
const LONGEST: usize = 400;
/// Largest section that is searched, bytes.
const LARGEST_SECTION: u64 = 256 << 20;
/// Families of symbol versions that are told.
const FAMILIES: [&str; 3] = ["GLIBC", "GLIBCXX", "CXXABI"];
/// Where a C++ library is looked for after the file's own search path.
const LIBRARIES: [&str; 4] = [
    "/usr/lib64",
    if cfg!(target_arch = "aarch64") { "/usr/lib/aarch64-linux-gnu" } else { "/usr/lib/x86_64-linux-gnu" },
    "/usr/lib",
    "/usr/local/lib",
];

/// Reads a file. `None` where it is no ELF file, or too large.
pub fn read(path: &Path) -> Option<Build> {
    let bytes = super::elf::bytes(path).ok()?;
    let (build, search) = match object::File::parse(&*bytes).ok()? {
        object::File::Elf32(elf) => of(&elf),
        object::File::Elf64(elf) => of(&elf),
        _ => return None,
    };
    let soname = build.libraries.iter().find(|name| name.starts_with("libstdc++.so."));
    let libstdcxx = soname.and_then(|soname| real_name(path, &search, soname));
    Some(Build { libstdcxx, ..build })
}

/// What it says, and where it looks for its libraries first.
fn of<'data, Elf, R>(file: &ElfFile<'data, Elf, R>) -> (Build, Vec<String>)
where
    Elf: FileHeader<Endian = Endianness>,
    R: ReadRef<'data>,
{
    let table = file.elf_section_table().dynamic_table(file.endian(), file.data()).unwrap_or_default();
    let id = file.build_id().ok().flatten().filter(|id| id.len() <= 64);
    let build = Build {
        compilers: lines(section(file, ".comment"), |_| true),
        flags: flags(file),
        build_id: id.map(fingerprint::hex),
        needs: needs(file),
        libraries: entries(&table, elf::DT_NEEDED),
        libstdcxx: None,
    };
    let search = [elf::DT_RUNPATH, elf::DT_RPATH].into_iter().flat_map(|tag| entries(&table, tag));
    (build, search.flat_map(|list| list.split(':').map(str::to_owned).collect::<Vec<_>>()).collect())
}

fn section<'data, Elf, R>(file: &ElfFile<'data, Elf, R>, name: &str) -> &'data [u8]
where
    Elf: FileHeader<Endian = Endianness>,
    R: ReadRef<'data>,
{
    let found = file.section_by_name(name).filter(|section| section.size() <= LARGEST_SECTION);
    // Compressed debug information is not unpacked.
    found
        .filter(|section| !is_compressed(section))
        .and_then(|section| section.data().ok())
        .unwrap_or_default()
}

fn is_compressed<'data>(section: &impl ObjectSection<'data>) -> bool {
    section.compressed_file_range().is_ok_and(|range| range.format != object::CompressionFormat::None)
}

/// Command lines: of `-frecord-gcc-switches`, or what GCC wrote into its debug information (`DW_AT_producer`).
fn flags<'data, Elf, R>(file: &ElfFile<'data, Elf, R>) -> Vec<String>
where
    Elf: FileHeader<Endian = Endianness>,
    R: ReadRef<'data>,
{
    let recorded = lines(section(file, ".GCC.command.line"), |_| true);
    if recorded.is_empty() {
        lines(section(file, ".debug_str"), |line| line.starts_with(b"GNU C") && contains(line, b" -"))
    } else {
        recorded
    }
}

fn contains(line: &[u8], part: &[u8]) -> bool {
    line.windows(part.len()).any(|window| window == part)
}

/// Strings that end with a zero byte, each once, sorted, as far as they are wanted.
fn lines(section: &[u8], wanted: impl Fn(&[u8]) -> bool) -> Vec<String> {
    let strings = section.split(|byte| *byte == 0).filter(|line| !line.is_empty() && wanted(line));
    let mut kept = BTreeSet::new();
    for line in strings {
        kept.insert(clean(line));
        if kept.len() == MOST_LINES {
            break;
        }
    }
    kept.into_iter().collect()
}

fn clean(line: &[u8]) -> String {
    let text = String::from_utf8_lossy(&line[..line.len().min(4 * LONGEST)]);
    text.chars().filter(|c| !c.is_control()).take(LONGEST).collect::<String>().trim().to_owned()
}

fn entries<'data, Elf, R>(table: &DynamicTable<'data, Elf, R>, tag: elf::DynamicTag) -> Vec<String>
where
    Elf: FileHeader<Endian = Endianness>,
    R: ReadRef<'data>,
{
    let entries = table.iter().filter(|entry| entry.tag == tag).take(256);
    entries.filter_map(|entry| table.string(entry).ok()).map(clean).collect()
}

/// The highest version that it needs of each family.
fn needs<'data, Elf, R>(file: &ElfFile<'data, Elf, R>) -> BTreeMap<String, String>
where
    Elf: FileHeader<Endian = Endianness>,
    R: ReadRef<'data>,
{
    let (endian, sections) = (file.endian(), file.elf_section_table());
    let mut highest: BTreeMap<String, Vec<u32>> = BTreeMap::new();
    let Ok(Some((needed, link))) = sections.gnu_verneed(endian, file.data()) else { return BTreeMap::new() };
    let Ok(strings) = sections.strings(endian, file.data(), link) else { return BTreeMap::new() };
    let versions = needed.take(1024).map_while(Result::ok).flat_map(|(_, versions)| versions.take(1024));
    for version in versions.map_while(Result::ok) {
        let name = version.name(endian, strings).map(String::from_utf8_lossy).unwrap_or_default();
        let Some((family, number)) = name.rsplit_once('_') else { continue };
        let number: Option<Vec<u32>> = number.split('.').map(|part| part.parse().ok()).collect();
        if let (true, Some(number)) = (FAMILIES.contains(&family), number) {
            let known = highest.entry(family.to_owned()).or_default();
            *known = number.max(std::mem::take(known));
        }
    }
    let text = |number: Vec<u32>| number.iter().map(u32::to_string).collect::<Vec<_>>().join(".");
    highest.into_iter().map(|(family, number)| (family, text(number))).collect()
}

/// The file that a library's name leads to here, such as `libstdc++.so.6.0.30`.
fn real_name(of: &Path, search: &[String], soname: &str) -> Option<String> {
    if soname.contains('/') {
        return None;
    }
    let origin = of.parent()?.to_str()?.to_owned();
    let own = search.iter().map(|place| place.replace("$ORIGIN", &origin).replace("${ORIGIN}", &origin));
    let places = own.map(PathBuf::from).chain(LIBRARIES.map(PathBuf::from));
    let mut found = places.filter(|place| place.is_absolute()).map(|place| place.join(soname));
    let real = found.find_map(|path| path.canonicalize().ok())?;
    Some(clean(real.file_name()?.as_encoded_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tests_own_executable_says_its_compiler_and_what_it_needs() {
        let here = std::path::absolute("/proc/self/exe").unwrap();
        let build = read(&here).unwrap();
        assert!(build.compilers.iter().any(|compiler| compiler.contains("rustc")), "{build:?}");
        assert!(build.needs.get("GLIBC").is_none_or(|version| version.starts_with("2.")), "{build:?}");
        assert!(build.libraries.iter().any(|library| library.starts_with("libc.so")), "{build:?}");
        assert_eq!(read(Path::new("/etc/hostname")), None);
    }

    #[test]
    fn what_another_says_is_bounded_and_cleaned() {
        let long = [b"a\x1b[31m\n".repeat(1000), b"\0b\0b\0".to_vec()].concat();
        let kept = lines(&long, |_| true);
        assert_eq!(kept.len(), 2);
        assert!(kept[0].chars().count() == LONGEST && !kept[0].contains('\x1b'));
        let many: Vec<u8> = (0..100).flat_map(|n| format!("{n}\0").into_bytes()).collect();
        assert_eq!(lines(&many, |_| true).len(), MOST_LINES);
    }

    #[test]
    fn a_broken_file_is_told_from_none_and_never_panics() {
        let bytes = std::fs::read("/bin/sh").unwrap();
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("broken");
        for cut in [0, 4, 16, 64, 1000, bytes.len() / 2, bytes.len() - 1] {
            std::fs::write(&path, &bytes[..cut]).unwrap();
            let _ = read(&path);
        }
        for step in [7, 61, 509] {
            let torn: Vec<u8> =
                bytes.iter().enumerate().map(|(i, b)| if i > 4 && i % step == 0 { !b } else { *b }).collect();
            std::fs::write(&path, torn).unwrap();
            let _ = read(&path);
        }
    }
}
