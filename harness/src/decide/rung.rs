//! A candidate's place on an ordered axis, from its canonical text.

use crate::units::parse_count;

/// The settings that are ladders: their values are numbers of arenas, and neighbours behave alike.
const LADDERS: [(&str, &str); 2] = [("glibc", "arena_max"), ("jemalloc", "narenas")];

/// The axis and the value of a canonical candidate; the axis is the candidate without the value, so that
/// `glibc:arena_max=2,tcache_count=0` is compared only with others that also say `tcache_count=0`.
pub(super) fn rung(candidate: &str) -> Option<(String, f64)> {
    let (allocator, settings) = candidate.split_once(':').unwrap_or((candidate, ""));
    let (_, ladder) = LADDERS.iter().find(|(name, _)| *name == allocator)?;
    let mut value = f64::INFINITY;
    let mut axis = format!("{allocator}:{ladder}");
    for setting in settings.split(',').filter(|s| !s.is_empty()) {
        match setting.split_once('=') {
            Some((key, text)) if key == *ladder => value = parse_count(text).ok()? as f64,
            _ => {
                axis.push(',');
                axis.push_str(setting);
            }
        }
    }
    Some((axis, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rungs_share_an_axis_where_all_else_is_equal() {
        let plain = "glibc:arena_max".to_owned();
        assert_eq!(rung("glibc"), Some((plain.clone(), f64::INFINITY)));
        assert_eq!(rung("glibc:arena_max=2"), Some((plain, 2.0)));
        let other = rung("glibc:arena_max=4,tcache_count=0").unwrap();
        assert_eq!(other, ("glibc:arena_max,tcache_count=0".to_owned(), 4.0));
        assert_eq!(rung("mimalloc:purge_delay=0"), None);
        assert_eq!(rung("glibc:arena_max=lots"), None);
    }
}
