//! What a glibc does by default for a number of CPUs and threads, and what a step from one to another changes.

use crate::format::FORMAT;
use crate::format::predict::{Bounds, Change, Host, Knob, Predicted, Prediction, Rule};

use super::arena_limit::{self, Asked, Cpus, Limit};
use super::behaviour::{ALL, Arch, Behaviour, family};
use super::releases::{Counts, Note, Release};
use super::{Passing, Setting, Version, glibc};

/// Address space of a heap (`HEAP_MAX_SIZE`, malloc/arena.c, 64-bit).
const HEAP: u64 = 64 << 20;
/// The version in which per-thread arenas with 8 for each CPU became upstream's.
const PER_THREAD: Version = Version::new(2, 15);

/// A glibc to ask about.
#[derive(Clone, Copy, Debug)]
pub struct Side<'a> {
    /// As it was asked for.
    pub name: &'a str,
    /// Its version.
    pub version: Version,
    /// The release that it belongs to.
    pub release: Option<&'static Release>,
}

impl Side<'_> {
    fn notes(&self) -> &'static [Note] {
        self.release.map_or(&[], |release| release.notes)
    }

    fn note(&self, key: &str) -> Option<&'static Note> {
        self.notes().iter().find(|note| note.key == Some(key))
    }
}

/// The prediction for one glibc, or for two with what changes from the first to the second.
pub fn predict(host: Host, from: Option<Side>, to: Side) -> Predicted {
    let arch = if host.arch == "aarch64" { Arch::Aarch64 } else { Arch::X86_64 };
    let before = from.map(|side| of(&host, side, arch));
    let after = of(&host, to, arch);
    let changes = from.zip(before.as_ref()).map_or_else(Vec::new, |(from, before)| {
        let mut changes: Vec<Change> = arenas_changed(before, &after, &host).into_iter().collect();
        changes.extend(behaviours_changed(&from, &to, arch));
        changes.extend(settings_changed(from.version, to.version));
        changes
    });
    Predicted { format: FORMAT, host, from: before, to: after, changes }
}

fn of(host: &Host, side: Side, arch: Arch) -> Prediction {
    let limit = limit(host, &side);
    let reach = u64::from(host.threads) + 1;
    let open = |high: u64| (high != u64::MAX).then_some(high);
    let rule = |behaviour: &&Behaviour| {
        let note = side.note(behaviour.key);
        Rule {
            key: behaviour.key.to_owned(),
            what: behaviour.what.to_owned(),
            note: note.map(|note| note.what.to_owned()),
            source: behaviour.source.to_owned(),
            certain: note.is_none_or(|note| note.verified)
                && (note.is_some() || !depends_on_build(behaviour)),
        }
    };
    Prediction {
        name: side.name.to_owned(),
        release: side.release.map(|release| release.title.to_owned()),
        version: side.version.to_string(),
        arena_limit: Bounds { low: limit.low, high: open(limit.high) },
        arenas: Bounds { low: limit.low.min(reach), high: Some(limit.high.min(reach)) },
        heap_bytes: HEAP,
        rules: ALL.iter().filter(|b| b.in_force(side.version, arch)).map(|b| rule(&b)).collect(),
        settings: glibc::SETTINGS.iter().filter(|s| exists(s, side.version)).map(knob).collect(),
    }
}

/// Builds of one version differ here.
fn depends_on_build(behaviour: &Behaviour) -> bool {
    matches!(behaviour.key, "arenas-per-thread-optional" | "cpus-affinity")
}

fn limit(host: &Host, side: &Side) -> Limit {
    let online = side.release.is_some_and(|release| release.counts == Counts::Online);
    let allowed = if online { host.cpus_online } else { host.cpus_allowed };
    let cpus = Cpus { online: host.cpus_online, allowed };
    let asked = Asked { arena_max: host.arena_max, arena_test: host.arena_test };
    // Built with per-thread arenas, an old version follows the rule of the first that always has them.
    let built_with = side.note("arenas-per-thread-optional").is_some();
    let version = if built_with { PER_THREAD } else { side.version };
    arena_limit::limit(Some(version), cpus, asked)
}

fn arenas_changed(before: &Prediction, after: &Prediction, host: &Host) -> Option<Change> {
    if before.arenas == after.arenas && before.arena_limit == after.arena_limit {
        return None;
    }
    let certain = |bounds: Bounds| bounds.high == Some(bounds.low);
    Some(Change {
        key: "arena-limit".to_owned(),
        what: format!(
            "with {} CPUs online, the limit on arenas goes from {} to {}; {} threads make {} instead of {}",
            host.cpus_online,
            spelt(before.arena_limit),
            spelt(after.arena_limit),
            host.threads,
            spelt(after.arenas),
            spelt(before.arenas)
        ),
        note: None,
        version: None,
        source: "computed from the rules of both; --json has them".to_owned(),
        certain: [before.arenas, after.arenas].into_iter().all(certain),
    })
}

/// Bounds in words.
pub fn spelt(bounds: Bounds) -> String {
    match bounds.high {
        Some(high) if high == bounds.low => high.to_string(),
        Some(high) => format!("{} to {high}", bounds.low),
        None => "no limit".to_owned(),
    }
}

fn behaviours_changed(from: &Side, to: &Side, arch: Arch) -> Vec<Change> {
    let had = |b: &&Behaviour| b.in_force(from.version, arch);
    let has = |b: &&Behaviour| b.in_force(to.version, arch);
    let begun: Vec<&Behaviour> = ALL.iter().filter(|b| has(b) && !had(b)).collect();
    let succeeded =
        |b: &Behaviour| family(b.key).is_some_and(|own| begun.iter().any(|new| family(new.key) == Some(own)));
    let ended = ALL.iter().filter(|b| had(b) && !has(b)).filter(|b| !succeeded(b));
    let note = |b: &Behaviour| {
        let same = |note: &&Note| {
            note.key
                .is_some_and(|key| key == b.key || family(key).is_some_and(|own| family(b.key) == Some(own)))
        };
        let told = |side: &Side| {
            let title = side.release.map_or("", |release| release.title);
            side.notes().iter().find(same).map(|note| format!("{title}: {}", note.what))
        };
        told(from).or_else(|| told(to))
    };
    let change = |b: &Behaviour, what: String, version: Option<Version>| {
        let note = note(b);
        Change {
            key: b.key.to_owned(),
            what,
            version: version.map(|version| version.to_string()),
            source: b.source.to_owned(),
            certain: note.is_none() && !depends_on_build(b),
            note,
        }
    };
    let gone = |b: &Behaviour| match b.after {
        Some(after) if to.version > from.version => after.to_owned(),
        _ => format!("no longer: {}", b.what),
    };
    let next = |version: Version| Version::new(version.major, version.minor + 1);
    let mut changes: Vec<(Option<Version>, Change)> =
        begun.iter().map(|b| (b.since, change(b, b.what.to_owned(), b.since))).collect();
    changes.extend(ended.map(|b| (b.until.map(next), change(b, gone(b), b.until.map(next)))));
    changes.sort_by_key(|(version, _)| *version);
    changes.into_iter().map(|(_, change)| change).collect()
}

fn exists(setting: &Setting, version: Version) -> bool {
    setting.since.is_none_or(|since| version >= since) && setting.until.is_none_or(|until| version <= until)
}

fn knob(setting: &Setting) -> Knob {
    let item = match setting.passing {
        Passing::Tunable(name) => Some(name.to_owned()),
        _ => None,
    };
    Knob { key: setting.key.to_owned(), variable: setting.variable().to_owned(), item }
}

fn settings_changed(from: Version, to: Version) -> Vec<Change> {
    let change = |setting: &Setting| {
        let (had, has) = (exists(setting, from), exists(setting, to));
        let what = match (had, has) {
            (false, true) => format!("a new setting, {}: {}", setting.key, setting.what),
            (true, false) => format!("the setting {} is without effect", setting.key),
            _ => return None,
        };
        let after = |version: Version| Version::new(version.major, version.minor + 1);
        let version = if has { setting.since } else { setting.until.map(after) };
        Some(Change {
            key: format!("setting-{}", setting.key),
            what,
            note: None,
            version: version.map(|version| version.to_string()),
            source: setting.source.to_owned(),
            certain: true,
        })
    };
    glibc::SETTINGS.iter().filter_map(change).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::knowledge::releases;

    fn host(cpus: u32, threads: u32) -> Host {
        Host {
            cpus_online: cpus,
            cpus_allowed: cpus,
            threads,
            arch: "x86_64".to_owned(),
            arena_max: None,
            arena_test: None,
        }
    }

    fn side(name: &str) -> Side<'_> {
        let release = releases::find(name);
        let version = release.map_or_else(|| name.parse().unwrap(), |release| release.glibc);
        Side { name, version, release }
    }

    fn step(from: &str, to: &str, host: Host) -> Predicted {
        predict(host, Some(side(from)), side(to))
    }

    fn keys(predicted: &Predicted) -> Vec<&str> {
        predicted.changes.iter().map(|change| change.key.as_str()).collect()
    }

    #[test]
    fn from_2_17_to_2_28() {
        let predicted = step("2.17", "2.28", host(32, 100));
        assert_eq!(predicted.to.arenas, Bounds { low: 101, high: Some(101) });
        assert_eq!(predicted.to.arena_limit, Bounds { low: 256, high: Some(256) });
        assert_eq!(
            keys(&predicted),
            [
                "thread-heaps-obey-trim-threshold",
                "cyclic-free-list",
                "tunables",
                "tcache",
                "tcache-count-7",
                "tcache-max-count-127",
                "setting-tcache_count",
                "setting-tcache_max",
                "setting-tcache_unsorted_limit",
            ]
        );
        assert!(predicted.changes.iter().all(|change| change.certain));
    }

    #[test]
    fn from_rhel_8_to_rhel_9() {
        let predicted = step("rhel8", "rhel9", host(32, 100));
        assert_eq!(
            keys(&predicted),
            [
                "tcache-max-count-65535",
                "mallinfo2",
                "list-tunables",
                "cpus-affinity",
                "malloc-hooks",
                "setting-mxfast"
            ]
        );
        let affinity = predicted.changes.iter().find(|change| change.key == "cpus-affinity").unwrap();
        assert!(affinity.note.as_ref().unwrap().contains("2.34-83.8") && !affinity.certain);
        // Pinned to 4 of 32 CPUs the limit depends on the build.
        let pinned = step("rhel8", "rhel9", Host { cpus_allowed: 4, ..host(32, 600) });
        assert_eq!(pinned.to.arena_limit, Bounds { low: 32, high: Some(256) });
        assert_eq!(keys(&pinned)[0], "arena-limit");
    }

    #[test]
    fn to_2_44_the_limit_falls() {
        let predicted = step("2.43", "2.44", host(64, 600));
        assert_eq!((predicted.from.as_ref().unwrap().arenas.low, predicted.to.arenas.low), (512, 64));
        assert_eq!(
            keys(&predicted),
            ["arena-limit", "limit-n", "tunables-file", "setting-tcache_unsorted_limit"]
        );
    }

    #[test]
    fn only_arm_gets_huge_pages() {
        let has = |arch: &str| {
            let host = Host { arch: arch.to_owned(), ..host(2, 4) };
            keys(&step("2.42", "2.43", host)).contains(&"aarch64-thp")
        };
        assert!(has("aarch64") && !has("x86_64"));
    }

    #[test]
    fn old_builds_with_per_thread_arenas_have_a_limit() {
        let (vendor, upstream) = (step("rhel6", "rhel7", host(4, 100)), step("2.12", "2.17", host(4, 100)));
        assert_eq!(vendor.from.unwrap().arena_limit, Bounds { low: 32, high: Some(32) });
        assert_eq!(upstream.from.unwrap().arena_limit, Bounds { low: 1, high: None });
    }

    #[test]
    fn nothing_changes_between_a_version_and_itself_and_a_downgrade_mirrors_the_upgrade() {
        for minor in 5..45 {
            let name = format!("2.{minor}");
            assert!(step(&name, &name, host(8, 64)).changes.is_empty(), "{name}");
        }
        let down = step("2.44", "2.43", host(64, 600));
        assert!(keys(&down).contains(&"arena-limit") && keys(&down).contains(&"limit-8n"));
    }
}
