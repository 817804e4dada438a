//! A look at the heap of one process of a trial.

use std::io::ErrorKind;
use std::time::Duration;

use arenalab_inspect::glibc::{self, Contents, How, Malloc, Walk};
use arenalab_inspect::pages::{Pages, Unknown};
use arenalab_inspect::rows::rows;
use arenalab_inspect::{Live, Region};

use super::price::Price;
use crate::format::heaps::{HeapRow, Heaps};
use crate::trial::inspect;

/// What one process adds; `None` where it is gone. `spare` is the time that may be used beyond the look's own price.
pub fn look(pid: u32, price: &Price, spare: Duration) -> Option<Heaps> {
    let mut seen = Heaps { processes: 1, ..Heaps::default() };
    let live = match Live::open(pid) {
        Ok(live) => live,
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            let why = "its memory may not be read (another user's, setuid, or kept from being read)";
            seen.not_seen.push(why.to_owned());
            return Some(Heaps { processes: 0, left_out: 1, ..seen });
        }
        Err(_) => return None,
    };
    let regions = live.regions().ok()?;
    let pagemap = live.pagemap();
    if pagemap.is_err() {
        seen.not_seen.push("which of its pages are in memory may not be read".to_owned());
    }
    let pages: &dyn Pages = pagemap.as_ref().map_or(&Unknown, |pagemap| pagemap);
    let found = glibc::find(&live, &regions);
    let malloc = found.as_ref().ok().filter(|malloc| malloc.in_use());
    if malloc.is_none() {
        let served = inspect::allocator(pid, &regions, &found);
        seen.not_seen.push(match served.name.as_str() {
            "unknown" => format!("what serves its malloc is not known: {}", served.how),
            name => format!("{name} serves its malloc, whose arenas are not read: {}", served.how),
        });
    }
    let heaps = malloc.map(|malloc| heaps(&live, malloc, &regions, pages, (price, spare), &mut seen));
    let mappings = live.mappings().ok()?;
    let owned = malloc.zip(heaps.as_ref()).map(|(malloc, (walk, mapped))| (malloc, walk, &mapped[..]));
    seen.rows = rows(&mappings, owned, pages, &live.stack_pointers()).iter().map(row).collect();
    Some(seen)
}

/// What glibc's malloc holds.
fn heaps(
    live: &Live,
    malloc: &Malloc,
    regions: &[Region],
    pages: &dyn Pages,
    (price, spare): (&Price, Duration),
    seen: &mut Heaps,
) -> (Walk, Vec<glibc::Mapped>) {
    let deep = price.of_all_chunks(malloc.system()) <= spare;
    let most_free = Price::free_chunks(price.of(malloc.system()) + spare);
    let mut how = if deep { How::DEEP } else { How::QUICK };
    how.most_free = most_free;
    let walk = malloc.walk(live, regions, pages, how);
    let mapped = malloc.mapped(live, regions, pages, &walk);
    let sum = |field: fn(&Contents) -> u64| {
        Some(walk.arenas.iter().fold(0_u64, |sum, one| sum.saturating_add(field(one))))
    };
    // What is unknown of one arena is unknown of all; one that holds nothing has nothing to know.
    let known = |field: fn(&Contents) -> Option<u64>| {
        let used = walk.arenas.iter().zip(&malloc.arenas).filter(|(_, arena)| arena.system > 0);
        used.map(|(one, _)| field(one)).sum::<Option<u64>>()
    };
    seen.of_glibc = 1;
    seen.arenas = Some(malloc.arenas.len() as u64);
    seen.system = Some(malloc.system());
    seen.in_use = sum(|one| one.in_use);
    seen.free = sum(|one| one.free.saturating_add(one.fast));
    seen.free_resident = known(|one| one.free_resident);
    seen.top = sum(|one| one.top);
    seen.top_resident = known(|one| one.top_resident);
    seen.trim_gives = known(|one| one.trim_gives);
    seen.tcache = walk.deep.as_ref().map(|deep| deep.cached_bytes);
    seen.mmapped = malloc.settings.as_ref().map(|settings| settings.mmapped_bytes);
    seen.torn = walk.arenas.iter().map(|one| u64::from(one.torn_bins)).sum();
    said(malloc, &walk, seen);
    (walk, mapped)
}

/// What of it is not whole.
fn said(malloc: &Malloc, walk: &Walk, seen: &mut Heaps) {
    if seen.torn > 0 {
        let torn = seen.torn;
        let why = format!(
            "{torn} lists changed each time that they were read: free bytes are at least what is said"
        );
        seen.not_seen.push(why);
    }
    if walk.arenas.iter().any(|one| one.cut) {
        let why = "it has more free chunks than there was time to read: free bytes are at least what is said";
        seen.not_seen.push(why.to_owned());
    }
    if malloc.settings.is_none() {
        seen.not_seen.push("the bytes of its mapped blocks were not found".to_owned());
    }
    if seen.free_resident.is_none() && !seen.not_seen.iter().any(|why| why.contains("in memory")) {
        let why = "an arena is not in one piece, or changed each time that it was read: what is resident of its free \
                   bytes is not known";
        seen.not_seen.push(why.to_owned());
    }
}

fn row(row: &arenalab_inspect::rows::Row) -> HeapRow {
    let seen = inspect::row(row);
    HeapRow { kind: seen.kind, rss: seen.rss, pss: seen.pss.unwrap_or(seen.rss) }
}
