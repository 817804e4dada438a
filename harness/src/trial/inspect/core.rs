//! A look at a core file instead of a live process: the same, but for what a core does not keep.

use std::path::Path;

use arenalab_inspect::Memory;
use arenalab_inspect::core::Core;
use arenalab_inspect::glibc::{self, How, Malloc};
use arenalab_inspect::pages::Unknown;

use super::{STEERING, allocator, heaps, not_seen};
use crate::format::inspect::{Arena, ArenaLimit, Inspected};
use crate::units::format_bytes;

/// Bytes below the program's path in which the environment lies: `MAX_ARG_STRLEN` of the kernel.
const ENVIRONMENT: u64 = 128 << 10;
const PAGE: u64 = 4096;

/// Looks at a core; with `deep` at every chunk.
///
/// # Errors
/// Why the file is not read as a core, in a line.
pub fn look(path: &Path, deep: bool) -> Result<Inspected, String> {
    let core = Core::open(path).map_err(|why| format!("{} is not read as a core: {why}", path.display()))?;
    let notes = core.notes();
    let mut seen = Inspected {
        format: crate::format::FORMAT,
        comm: notes.name.clone(),
        threads: Some(notes.stack_pointers.len() as u64).filter(|threads| *threads > 0),
        environment: environment(&core),
        ..Inspected::default()
    };
    if core.missing() > 0 {
        let missing = format_bytes(core.missing() as f64);
        let why =
            format!("the file was cut off: {missing} are missing (a limit of core files, or of the disk)");
        not_seen(&mut seen, "all of its memory", &why);
    }
    let found = glibc::find(&core, core.regions());
    seen.allocator = allocator(0, core.regions(), &found);
    if let Some(malloc) = found.ok().filter(Malloc::in_use) {
        let how = if deep { How::DEEP } else { How::QUICK };
        let walk = malloc.walk(&core, core.regions(), &Unknown, how);
        let mapped = malloc.mapped(&core, &core.dumped(), &core, &walk);
        heaps(&malloc, &walk, &mapped, &mut seen);
        seen.arenas.iter_mut().for_each(forget);
        // How many CPUs there were is not kept; how many there are here says nothing.
        let limit = malloc.settings.as_ref().map(|settings| settings.arena_max).filter(|max| *max > 0);
        seen.arena_limit = limit.map(|max| ArenaLimit { low: max, high: Some(max) });
    }
    seen.pid = notes.pid;
    not_seen(
        &mut seen,
        "what was resident, and the C library's version",
        "a core keeps neither: no resident sizes, nothing of what malloc_trim would give back; rules of advice that need \
         them stay silent",
    );
    Ok(seen)
}

/// Of what was resident nothing is known, also where there was little to know.
fn forget(arena: &mut Arena) {
    let unknown = [&mut arena.rss, &mut arena.swapped, &mut arena.free_resident, &mut arena.top_resident];
    unknown.into_iter().chain([&mut arena.trim_gives]).for_each(|figure| *figure = None);
}

/// What steered malloc: the strings that the process was started with lie below its program's path (`fs/exec.c`).
fn environment(core: &Core) -> Vec<String> {
    let Some(end) = core.notes().program_name else { return Vec::new() };
    let Some(region) = arenalab_inspect::regions::at(core.regions(), end) else { return Vec::new() };
    let start = region.start.max(end.saturating_sub(ENVIRONMENT)).next_multiple_of(PAGE).min(end);
    let mut bytes = vec![0; usize::try_from(end - start).unwrap_or(0)];
    if core.read(start, &mut bytes).is_err() {
        return Vec::new();
    }
    let all = bytes.split(|byte| *byte == 0).map(|one| String::from_utf8_lossy(one).into_owned());
    all.filter(|one| one.contains('=') && STEERING.iter().any(|name| one.starts_with(name))).collect()
}
