//! The ring of arenas, which `next` links, from the main arena back to it.

use super::{Arena, Layout, bins};
use crate::Memory;
use crate::memory::{word, words};
use crate::regions::{self, Region};

/// More arenas than any process has: glibc makes 8 a CPU unless told otherwise.
const MOST_ARENAS: usize = 1 << 16;
/// How often an arena is read again.
const MOST_RETRIES: u32 = 30;
/// Bytes by which a process may have grown since its mappings were listed.
const GROWN: u64 = 256 << 20;
/// Bytes that no process of x86-64 can have.
const IMPOSSIBLE: u64 = 1 << 56;
const NON_CONTIGUOUS: u32 = 2;

/// No ring, in any layout.
pub struct Open;

/// Follows the ring from the bins of what may be the main arena: how it is laid out, and where the arenas are.
pub fn follow(memory: &dyn Memory, regions: &[Region], bins: u64) -> Result<(Layout, Vec<u64>), Open> {
    bins::FROM_START.iter().find_map(|from| closes(memory, regions, bins, *from)).ok_or(Open)
}

fn closes(memory: &dyn Memory, regions: &[Region], bins: u64, from: u64) -> Option<(Layout, Vec<u64>)> {
    let main = bins.checked_sub(from)?;
    let mut addresses = vec![main];
    let mut heap_info = None;
    let mut at = main;
    while addresses.len() < MOST_ARENAS {
        at = word(memory, at.checked_add(from)?.checked_add(bins::TO_NEXT)?).ok()?;
        if at == main {
            let layout = Layout { bins: from, heap_info, attached_threads: true };
            return Some((layout, addresses));
        }
        // The first heap of each arena begins with a pointer to it; all are laid out alike.
        let inside = at % 4096;
        let alike = heap_info.is_none_or(|known| known == inside);
        let right = alike && bins::HEAP_INFOS.contains(&inside) && word(memory, at - inside) == Ok(at);
        // A ring without the main arena would turn for ever.
        if !right || Some(&at) == addresses.get(1) || is_of_file(regions, at) {
            return None;
        }
        heap_info = Some(inside);
        addresses.push(at);
    }
    None
}

/// Whether an address lies in a file's mapping, where no thread's arena is; heaps on huge pages have an inode too.
fn is_of_file(regions: &[Region], at: u64) -> bool {
    let huge = |name: &str| name.starts_with("/anon_hugepage") || name.starts_with("/memfd:");
    regions::at(regions, at).is_some_and(|region| region.has_file() && !huge(&region.name))
}

/// Reads the arenas of a ring, and whether they count their threads; `None` where one never made sense.
pub fn read(
    memory: &dyn Memory,
    regions: &[Region],
    addresses: &[u64],
    layout: Layout,
) -> Option<(Vec<Arena>, Layout)> {
    let attached_threads = !addresses.iter().any(|at| counts_no_threads(memory, *at, layout));
    let layout = Layout { attached_threads, ..layout };
    // No arena is larger than all that the process has mapped.
    let mapped =
        regions.iter().filter(|region| region.write).fold(GROWN, |sum, one| sum.saturating_add(one.len()));
    let possible = |found: &Arena| found.system <= mapped;
    let read = |at: u64| arena(memory, at, at == addresses[0], layout).filter(possible);
    let one = |at: &u64| (0..MOST_RETRIES).find_map(|_| read(*at));
    let arenas: Option<Vec<Arena>> = addresses.iter().map(one).collect();
    arenas.map(|arenas| (arenas, layout))
}

/// Whether `system_mem` lies where later releases have `attached_threads`: a count of pages, below its own maximum.
fn counts_no_threads(memory: &dyn Memory, at: u64, layout: Layout) -> bool {
    let place = at.checked_add(layout.bins + bins::TO_NEXT + 16);
    let Some(Ok(words)) = place.map(|place| words(memory, place, 3)) else { return false };
    let pages = words[0] >= 4096 && words[0].is_multiple_of(4096) && words[0] <= words[1];
    pages && words[1] > words[2]
}

/// Reads an arena; `None` where it makes no sense.
pub fn arena(memory: &dyn Memory, at: u64, main: bool, layout: Layout) -> Option<Arena> {
    let flags = word(memory, at).ok()? >> 32;
    let bins = at.checked_add(layout.bins)?;
    let top = word(memory, bins.checked_sub(16)?).ok()?;
    let end = words(memory, bins.checked_add(bins::TO_NEXT)?, 5).ok()?;
    let (attached, sizes) =
        if layout.attached_threads { (Some(end[2]), &end[3..]) } else { (None, &end[2..]) };
    let (system, max_system) = (sizes[0], sizes[1]);
    let sizes_right = system <= max_system && max_system < IMPOSSIBLE && (main || system > 0);
    // The kernel has at most 2^22 threads (PID_MAX_LIMIT).
    let right = sizes_right && attached.is_none_or(|threads| threads <= 1 << 22);
    right.then_some(Arena {
        address: at,
        main,
        attached_threads: attached,
        system,
        max_system,
        // Before its first use, the top of an arena is the head of its first list.
        top: if system == 0 { 0 } else { top },
        non_contiguous: flags as u32 & NON_CONTIGUOUS != 0,
    })
}
