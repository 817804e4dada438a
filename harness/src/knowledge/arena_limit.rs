//! How many arenas glibc makes at most, by version: the rule in malloc/arena.c, and where it takes the
//! number of CPUs from. Where builds of one version differ, the answer is a range.

use super::Version;

/// Arenas per CPU (`NARENAS_FROM_NCORES`, malloc/arena.c).
const PER_CPU: u64 = if cfg!(target_pointer_width = "64") { 8 } else { 2 };
/// `arena_test` when it is not set (malloc/malloc.c, `mp_`).
const ARENA_TEST: u64 = if cfg!(target_pointer_width = "64") { 8 } else { 2 };

/// CPUs as far as glibc may look at them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cpus {
    /// Online on the host. In a container too, whatever its quota is: no version reads a cgroup quota.
    pub online: u32,
    /// In the affinity mask of the process.
    pub allowed: u32,
}

/// What a candidate says about arenas.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// `MALLOC_ARENA_MAX`, where set.
    pub arena_max: Option<u64>,
    /// `MALLOC_ARENA_TEST`, where set.
    pub arena_test: Option<u64>,
}

/// The most arenas that a process makes, main arena included, if it has threads enough: between `low` and
/// `high`, and equal where the version leaves no doubt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// At least this many are allowed.
    pub low: u64,
    /// At most this many are; `u64::MAX` where there is no limit.
    pub high: u64,
}

impl Limit {
    const fn exactly(limit: u64) -> Self {
        Self { low: limit, high: limit }
    }

    /// The number of arenas for `reach` threads that can hold one at once, if it is certain.
    pub fn within(&self, reach: u64) -> Option<u64> {
        let low = self.low.min(reach);
        (low == self.high.min(reach)).then_some(low)
    }
}

/// The limit under a version; `None` for an unknown version.
///
/// * 2.5-2.9: no limit, and no such setting.
/// * 2.10-2.14: 8n where built with per-thread arenas, else as before.
/// * up to 2.15: an `arena_max` below `arena_test` + 1 is honoured by patched builds only.
/// * 2.16-2.43 (41b81892f1): `arena_max`, else max(`arena_test` + 1, 8n).
/// * 2.44 (93e6135904): `arena_max`, else max(`arena_test`, n).
pub fn limit(version: Option<Version>, cpus: Cpus, asked: Asked) -> Limit {
    let test = asked.arena_test.unwrap_or(ARENA_TEST);
    let Some(version) = version else {
        let high = asked.arena_max.map_or(u64::MAX, |max| max.max(test + 1));
        return Limit { low: asked.arena_max.unwrap_or(1), high };
    };
    if version < Version::new(2, 10) {
        return Limit { low: 1, high: u64::MAX };
    }
    if let Some(max) = asked.arena_max {
        let honoured = version >= Version::new(2, 16);
        return Limit { low: max, high: if honoured { max } else { max.max(test + 1) } };
    }
    let (fewest, most) = counted_cpus(version, cpus);
    match version {
        v if v < Version::new(2, 15) => Limit { low: 1, high: u64::MAX },
        v if v < Version::new(2, 44) => {
            Limit { low: (PER_CPU * fewest).max(test + 1), high: (PER_CPU * most).max(test + 1) }
        }
        _ if fewest == most => Limit::exactly(fewest.max(test)),
        _ => Limit { low: fewest.max(test), high: most.max(test) },
    }
}

/// What a glibc counts for its limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counts {
    /// CPUs online, in `/sys/devices/system/cpu/online`.
    Online,
    /// CPUs in the affinity mask of the thread that asks.
    Affinity,
}

/// What a version counts; `None` where builds of it differ, or where it is neither.
pub fn counts(version: Version) -> Option<Counts> {
    match version {
        // Up to 2.14 from /proc/stat.
        v if v < Version::new(2, 15) => None,
        v if (Version::new(2, 34)..Version::new(2, 39)).contains(&v) => None,
        _ => Some(Counts::Online),
    }
}

/// Least and greatest number of CPUs that a version may count. 2.34 to 2.38 look at the affinity mask, but
/// for builds of their branches from 2024-02-12 on, which count online CPUs again, as 2.39 does
/// (472894d2cf, BZ 30945). Which of the two a build does cannot be told from its version.
fn counted_cpus(version: Version, cpus: Cpus) -> (u64, u64) {
    let online = u64::from(cpus.online.max(1));
    let allowed = u64::from(cpus.allowed.max(1));
    if (Version::new(2, 34)..Version::new(2, 39)).contains(&version) {
        (online.min(allowed), online.max(allowed))
    } else {
        (online, online)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unset(minor: u32, online: u32, allowed: u32) -> (u64, u64) {
        let limit = limit(Some(Version::new(2, minor)), Cpus { online, allowed }, Asked::default());
        (limit.low, limit.high)
    }

    fn set(minor: u32, arena_max: u64) -> (u64, u64) {
        let asked = Asked { arena_max: Some(arena_max), arena_test: None };
        let limit = limit(Some(Version::new(2, minor)), Cpus { online: 2, allowed: 2 }, asked);
        (limit.low, limit.high)
    }

    #[test]
    fn the_default_limit_by_version() {
        assert_eq!(unset(5, 2, 2), (1, u64::MAX));
        assert_eq!(unset(12, 2, 2), (1, u64::MAX));
        for minor in [15, 17, 23, 28, 31, 36, 41, 43] {
            assert_eq!(unset(minor, 2, 2), (16, 16), "2.{minor}");
            assert_eq!(unset(minor, 1, 1), (9, 9), "2.{minor}: arena_test + 1 on one CPU");
            assert_eq!(unset(minor, 64, 64), (512, 512), "2.{minor}");
        }
        assert_eq!(unset(44, 2, 2), (8, 8));
        assert_eq!(unset(44, 64, 64), (64, 64));
    }

    #[test]
    fn affinity_counts_in_some_builds_only() {
        for minor in [34, 35, 38] {
            assert_eq!(unset(minor, 64, 2), (16, 512), "2.{minor}");
        }
        for minor in [17, 33, 39, 43] {
            assert_eq!(unset(minor, 64, 2), (512, 512), "2.{minor}");
        }
        assert_eq!(unset(44, 64, 2), (64, 64));
    }

    #[test]
    fn small_caps_are_certain_from_2_16_on() {
        assert_eq!(set(12, 2), (2, 9));
        assert_eq!(set(15, 2), (2, 9));
        assert_eq!(set(15, 12), (12, 12));
        assert_eq!(set(16, 2), (2, 2));
        assert_eq!(set(44, 3), (3, 3));
    }

    #[test]
    fn arena_test_raises_the_default_limit_only() {
        let asked = |arena_max, arena_test| Asked { arena_max, arena_test: Some(arena_test) };
        let cpus = Cpus { online: 2, allowed: 2 };
        let at = |minor, asked| limit(Some(Version::new(2, minor)), cpus, asked);
        // Both were run on 2 CPUs: 33 arenas under 2.36, 32 under 2.44.
        assert_eq!(at(36, asked(None, 32)), Limit::exactly(33));
        assert_eq!(at(44, asked(None, 32)), Limit::exactly(32));
        assert_eq!(at(36, asked(Some(2), 32)), Limit::exactly(2));
    }

    #[test]
    fn within_reach_is_certain_only_where_both_ends_agree() {
        assert_eq!(Limit { low: 16, high: 512 }.within(5), Some(5));
        assert_eq!(Limit { low: 16, high: 512 }.within(20), None);
        assert_eq!(Limit::exactly(16).within(20), Some(16));
        assert_eq!(limit(None, Cpus { online: 2, allowed: 2 }, Asked::default()).within(5), None);
    }
}
