//! Reads what glibc's `malloc_info` writes.
//!
//! The text is XML in form, but its shape is fixed by one function of glibc (malloc/malloc.c,
//! `__malloc_info`): a `<heap nr="N">` for each arena, with its `<total>` and `<system>` lines, then
//! totals over all. Attributes are read by name, and what is not known is passed over.

use arenalab_wire::message::{ArenaBytes, Inspection};

/// Most arenas that are listed one by one.
const MOST_ARENAS: usize = 4096;

/// The value of `name="value"` in a tag.
fn attribute<'a>(tag: &'a str, name: &str) -> Option<&'a str> {
    tag.split_ascii_whitespace().find_map(|part| {
        let value = part.strip_prefix(name)?.strip_prefix("=\"")?;
        value.split('"').next()
    })
}

fn size(tag: &str) -> Option<u64> {
    attribute(tag, "size")?.parse().ok()
}

/// What `malloc_info` says; fields that it does not say stay `None`.
pub fn parse(text: &str) -> Inspection {
    let mut arenas: Vec<ArenaBytes> = Vec::new();
    let mut inside = false;
    let mut mmapped = None;
    for tag in text.split('<').map(str::trim) {
        if tag.starts_with("heap ") {
            inside = true;
            arenas.push(ArenaBytes::default());
        } else if tag.starts_with("/heap>") {
            inside = false;
        } else if tag.starts_with("total ") || tag.starts_with("system ") {
            let kind = (inside, attribute(tag, "type"));
            match (kind, size(tag), arenas.last_mut()) {
                ((true, Some("fast" | "rest")), Some(size), Some(arena)) => {
                    arena.free = arena.free.saturating_add(size);
                }
                ((true, Some("current")), Some(size), Some(arena)) => arena.system = size,
                // Printed as a total over all arenas only.
                ((false, Some("mmap")), size, _) => mmapped = size,
                _ => {}
            }
        }
    }
    summed_up(arenas, mmapped)
}

fn summed_up(mut arenas: Vec<ArenaBytes>, mmapped: Option<u64>) -> Inspection {
    if arenas.is_empty() {
        return Inspection::default();
    }
    let system: u64 = arenas.iter().map(|arena| arena.system).sum();
    let free: u64 = arenas.iter().map(|arena| arena.free).sum();
    let count = arenas.len();
    arenas.truncate(MOST_ARENAS);
    Inspection {
        arenas: u32::try_from(count).ok(),
        by_arena: arenas,
        // Chunks in thread caches count as handed out here.
        allocated: Some(system.saturating_sub(free).saturating_add(mmapped.unwrap_or(0))),
        free: Some(free),
        mmapped,
        ..Inspection::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: &str = r#"<malloc version="1">
<heap nr="0">
<sizes>
  <size from="33" to="48" total="96" count="2"/>
  <unsorted from="145" to="145" total="145" count="1"/>
</sizes>
<total type="fast" count="2" size="96"/>
<total type="rest" count="2" size="98304"/>
<system type="current" size="135168"/>
<system type="max" size="270336"/>
<aspace type="total" size="135168"/>
<aspace type="mprotect" size="135168"/>
</heap>
<heap nr="1">
<sizes>
</sizes>
<total type="fast" count="0" size="0"/>
<total type="rest" count="1" size="1000"/>
<system type="current" size="200000"/>
<system type="max" size="200000"/>
<aspace type="total" size="200000"/>
<aspace type="mprotect" size="200000"/>
<aspace type="subheaps" size="1"/>
</heap>
<total type="fast" count="2" size="96"/>
<total type="rest" count="3" size="99304"/>
<total type="mmap" count="1" size="1052672"/>
<system type="current" size="335168"/>
<system type="max" size="470336"/>
<aspace type="total" size="335168"/>
<aspace type="mprotect" size="335168"/>
</malloc>
"#;

    #[test]
    fn arenas_and_totals_are_read() {
        let seen = parse(SAMPLE);
        assert_eq!(seen.arenas, Some(2));
        let first = ArenaBytes { system: 135_168, free: 98_400 };
        assert_eq!(seen.by_arena, [first, ArenaBytes { system: 200_000, free: 1000 }]);
        assert_eq!(seen.free, Some(99_400));
        assert_eq!(seen.mmapped, Some(1_052_672));
        assert_eq!(seen.allocated, Some(335_168 - 99_400 + 1_052_672));
    }

    #[test]
    fn damaged_text_gives_what_can_be_read() {
        assert_eq!(parse(""), Inspection::default());
        assert_eq!(parse("<malloc version=\"1\"><heap"), Inspection::default());
        let cut = &SAMPLE[..SAMPLE.find("<heap nr=\"1\">").unwrap() + 20];
        assert_eq!((parse(cut).arenas, parse(cut).mmapped), (Some(2), None));
        let odd = SAMPLE.replace("98304", "-5");
        assert_eq!(parse(&odd).by_arena[0].free, 96);
        for end in 0..SAMPLE.len() {
            let _ = parse(&SAMPLE[..end]);
        }
    }

    #[test]
    fn more_arenas_than_are_kept_are_still_counted() {
        let many = "<heap nr=\"0\"><system type=\"current\" size=\"1\"/></heap>".repeat(5000);
        assert_eq!(parse(&many).arenas, Some(5000));
        assert_eq!(parse(&many).by_arena.len(), MOST_ARENAS);
    }
}
