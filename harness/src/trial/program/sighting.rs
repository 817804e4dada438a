//! Takes a look at an image: what serves `malloc` there, and what glibc's heap holds.

use std::hash::{DefaultHasher, Hasher};
use std::sync::Arc;

use arenalab_inspect::{Region, regions};
use procfs::FromRead;
use procfs::process::{MemoryMaps, Process};

use super::image::{Image, Mark};
use super::served::{Elves, served};
use super::sight::{Served, Sight};
use crate::trial::heaps::{self, Heap};
use crate::trial::memory_files as files;
use crate::trial::proc_file::Text;

/// One look. `Err` has why it may not be looked at, or nothing where it is gone or has become another image. What the last
/// look at it, or at what it is a copy of, said of its files holds as long as it has the same files mapped in the same places.
pub fn look(image: &Image, elves: &mut Elves, heaps: bool) -> Result<Sight, Option<&'static str>> {
    let pid = image.pid;
    let text = match std::fs::read(format!("/proc/{pid}/maps")) {
        Ok(text) if text.is_empty() => return Err(None),
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
            return Err(Some(
                "it may not be looked at (another user's, with capabilities, or kept from being read)",
            ));
        }
        Err(_) => return Err(None),
    };
    let process = Process::new(pid).map_err(|_| None)?;
    let files = fingerprint(&text);
    let known = image.sight.as_ref().filter(|sight| sight.served.settled && sight.files == files);
    let served = match known {
        Some(known) => Arc::clone(&known.served),
        None => Arc::new(served(&process, &maps(&text)?.0, elves)),
    };
    let heap = if heaps { heap(&process, &text, &served)? } else { None };
    let size = anonymous(pid).unwrap_or(0);
    if Mark::read(pid).is_none_or(|(now, _)| now != image.mark) {
        return Err(None);
    }
    let most_arenas = heap.as_ref().map_or(0, |heap| heap.arenas);
    let used_s = image.cpu_s();
    Ok(Sight { served, files, heap, most_arenas, size, used_s, inside: None, mallopt: None })
}

fn maps(text: &[u8]) -> Result<MemoryMaps, Option<&'static str>> {
    MemoryMaps::from_read(text).map_err(|_| None)
}

/// What its files are, and where they are mapped.
fn fingerprint(text: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    for line in text.split(|byte| *byte == b'\n').filter(|line| line.contains(&b'/')) {
        hasher.write(line);
    }
    hasher.finish()
}

/// glibc's heap, where that may serve it.
fn heap(process: &Process, text: &[u8], served: &Served) -> Result<Option<Heap>, Option<&'static str>> {
    // A Go program may have a part in C.
    let may_be =
        matches!(served.by.as_str(), "glibc" | "unknown") || (served.facts.go && served.library.is_none());
    if !may_be || !served.settled {
        return Ok(None);
    }
    let regions: Vec<Region> = regions::parse(&String::from_utf8_lossy(text));
    match heaps::found(process, &regions) {
        Some(heap) => Ok(Some(heap)),
        None if served.by == "glibc" => Ok(Some(heaps::counted(process, &maps(text)?.0))),
        None => Ok(None),
    }
}

/// Memory of a process that is no file's and not shared, bytes.
pub fn anonymous(pid: i32) -> Option<u64> {
    let (resident, shared) = files::statm(Text::read(pid, "statm")?.bytes(), procfs::page_size())?;
    Some(resident.saturating_sub(shared))
}
