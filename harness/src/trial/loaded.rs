//! The files that the dynamic loader of a process has loaded, in the order in which it looks up symbols: the program,
//! what was preloaded, then the rest. Read from the list that the loader keeps for debuggers (`r_debug`, link.h),
//! which glibc and musl both have. File names decide nothing here; each file is known by where it is mapped.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use procfs::process::{MMapPath, MemoryMap, Process};

/// Most files that are followed.
const MOST: usize = 4096;
/// `AT_PHDR` and `AT_PHNUM` (getauxval(3)).
const PROGRAM_HEADERS: (u64, u64) = (3, 5);
/// `PT_DYNAMIC`, `PT_PHDR`.
const DYNAMIC: u32 = 2;
const HEADERS: u32 = 6;
/// `DT_DEBUG`.
const DEBUG: u64 = 21;

/// What is loaded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Loaded {
    /// The files, the program first.
    pub files: Vec<PathBuf>,
    /// Whether the loader was not in the middle of a change.
    pub settled: bool,
}

/// Reads the list of a process. `None` where it has none, is not 64-bit, or may not be read.
pub fn order(process: &Process, maps: &[MemoryMap]) -> Option<Loaded> {
    let memory = Memory(File::open(format!("/proc/{}/mem", process.pid)).ok()?);
    let list = by_program(&memory, process).or_else(|| by_loader(&memory, maps))?;
    let mut files = Vec::new();
    let mut at = memory.word(list + 8)?;
    while at != 0 && files.len() < MOST {
        // l_addr, l_name, l_ld, l_next
        let dynamic = memory.word(at + 16)?;
        // The kernel's own pages (vDSO) are no file.
        files.extend(file_at(maps, dynamic));
        at = memory.word(at + 24)?;
    }
    // RT_CONSISTENT
    let settled = memory.half(list + 24)? == 0;
    (!files.is_empty()).then_some(Loaded { files, settled })
}

/// The file that is mapped at an address.
fn file_at(maps: &[MemoryMap], address: u64) -> Option<PathBuf> {
    let within = |map: &&MemoryMap| map.address.0 <= address && address < map.address.1;
    maps.iter().find(within).and_then(|map| match &map.pathname {
        MMapPath::Path(path) => Some(path.clone()),
        _ => None,
    })
}

struct Memory(File);

impl Memory {
    fn read<const N: usize>(&self, at: u64) -> Option<[u8; N]> {
        let mut bytes = [0; N];
        self.0.read_exact_at(&mut bytes, at).ok()?;
        Some(bytes)
    }

    fn half(&self, at: u64) -> Option<u32> {
        self.read(at).map(u32::from_ne_bytes)
    }

    fn word(&self, at: u64) -> Option<u64> {
        self.read(at).map(u64::from_ne_bytes)
    }
}

/// By the program's dynamic section, in which the loader leaves the address.
fn by_program(memory: &Memory, process: &Process) -> Option<u64> {
    let vector = process.auxv().ok()?;
    let (start, count) = (*vector.get(&PROGRAM_HEADERS.0)?, *vector.get(&PROGRAM_HEADERS.1)?);
    let header = |index: u64| -> Option<(u32, u64)> {
        let bytes: [u8; 24] = memory.read(start + index * 56)?;
        let kind = u32::from_ne_bytes(bytes.get(..4)?.try_into().ok()?);
        let address = u64::from_ne_bytes(bytes.get(16..24)?.try_into().ok()?);
        Some((kind, address))
    };
    let headers: Vec<(u32, u64)> = (0..count.min(64)).filter_map(header).collect();
    let find = |kind: u32| headers.iter().find(|(of, _)| *of == kind).map(|(_, address)| *address);
    // A program that is not moved has its headers where it says; one that says nothing starts at zero.
    let moved = start.wrapping_sub(find(HEADERS).unwrap_or(start));
    let dynamic = moved.wrapping_add(find(DYNAMIC)?);
    let entry =
        |index: u64| Some((memory.word(dynamic + index * 16)?, memory.word(dynamic + index * 16 + 8)?));
    let entries = (0..128).map_while(entry).take_while(|(tag, _)| *tag != 0);
    entries.filter(|(tag, value)| *tag == DEBUG && *value != 0).map(|(_, value)| value).next()
}

/// By the loader's own symbol, where the program was given to it as an argument.
fn by_loader(memory: &Memory, maps: &[MemoryMap]) -> Option<u64> {
    let loader = maps.iter().find(|map| match &map.pathname {
        MMapPath::Path(path) => super::tunables::is_loader(path) && map.offset == 0,
        _ => false,
    })?;
    let MMapPath::Path(path) = &loader.pathname else { return None };
    let symbol = super::elf::address_of(path, "_r_debug").ok().flatten()?;
    let list = loader.address.0 + symbol;
    (memory.word(list + 8)? != 0).then_some(list)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_comes_first_and_its_c_library_after() {
        let me = Process::myself().unwrap();
        let loaded = order(&me, &me.maps().unwrap().0).unwrap();
        assert!(loaded.settled);
        assert_eq!(loaded.files[0], me.exe().unwrap());
        assert!(loaded.files.len() > 1, "{loaded:?}");
    }
}
