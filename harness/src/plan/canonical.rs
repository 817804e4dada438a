//! Classes of candidates that cannot differ. Each class is run once, and the plan says what it stands for.
//! Candidates are merged only where it is certain; where a build of the C library might behave otherwise,
//! both are run.

use crate::format::manifest::Merged;
use crate::knowledge::Version;
use crate::knowledge::arena_limit::{Asked, Cpus, Limit, limit};
use crate::knowledge::value::Value;

use super::candidate::{Allocator, Candidate};

/// What is known of where the candidates will run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    /// CPUs of the host.
    pub cpus: Cpus,
    /// The C library, where its version is known.
    pub glibc: Option<Version>,
    /// The most threads that hold an arena at once, main thread included, over all scenarios.
    pub reach: u32,
    /// Whether jemalloc and mimalloc are the ones that come with arenalab, whose defaults are known.
    pub bundled: bool,
}

/// A candidate that is run, and those that it stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Class {
    /// The candidate that is run: the baseline if it is in the class, else the one named first.
    pub candidate: Candidate,
    /// The others, in the order they were named, with the reason.
    pub stands_for: Vec<Merged>,
}

/// Sorts candidates into classes, in the order in which they were named, `baseline` first. A baseline that
/// was not named is added. With several C libraries, give the facts of each: only what cannot differ under
/// any of them is merged.
pub fn classes(candidates: &[Candidate], baseline: &Candidate, facts: &[Facts]) -> Vec<Class> {
    let mut classes = vec![Class { candidate: baseline.clone(), stands_for: Vec::new() }];
    let mut baseline_named = false;
    for candidate in candidates {
        if candidate == baseline && !baseline_named {
            baseline_named = true;
            continue;
        }
        let same = classes.iter_mut().find_map(|class| {
            let why = same(candidate, &class.candidate, facts)?;
            Some((class, why))
        });
        match same {
            Some((class, why)) => class.stands_for.push(Merged { candidate: candidate.to_string(), why }),
            None => classes.push(Class { candidate: candidate.clone(), stands_for: Vec::new() }),
        }
    }
    classes
}

/// Why two candidates cannot differ, if so.
fn same(a: &Candidate, b: &Candidate, facts: &[Facts]) -> Option<String> {
    if a == b {
        return Some("asked for twice".to_owned());
    }
    if a.allocator() != b.allocator() || facts.is_empty() {
        return None;
    }
    match a.allocator() {
        Allocator::Glibc => same_arenas(a, b, facts),
        Allocator::Jemalloc | Allocator::Mimalloc => same_defaults(a, b, facts),
        Allocator::Preload(_) => None,
    }
}

/// glibc: everything but the arena settings is equal, and these allow the same number of arenas.
fn same_arenas(a: &Candidate, b: &Candidate, facts: &[Facts]) -> Option<String> {
    let rest = |candidate: &Candidate| candidate.without("arena_max").without("arena_test");
    if rest(a) != rest(b) {
        return None;
    }
    let mut why = None;
    for fact in facts {
        let (limit_a, limit_b) = (limit_of(a, fact), limit_of(b, fact));
        let reach = u64::from(fact.reach);
        let arenas = limit_a.within(reach)?;
        if limit_b.within(reach)? != arenas {
            return None;
        }
        why.get_or_insert_with(|| explain(b, fact, arenas));
    }
    why
}

fn limit_of(candidate: &Candidate, facts: &Facts) -> Limit {
    let number = |key| match candidate.setting(key) {
        Some(Value::Number(number)) => u64::try_from(*number).ok(),
        _ => None,
    };
    let asked = Asked { arena_max: number("arena_max"), arena_test: number("arena_test") };
    limit(facts.glibc, facts.cpus, asked)
}

fn explain(other: &Candidate, facts: &Facts, arenas: u64) -> String {
    if arenas == u64::from(facts.reach) {
        return format!(
            "at most {} threads hold an arena at once (main thread included), which both allow, so it cannot \
             differ from {other}",
            facts.reach
        );
    }
    let version = facts.glibc.map_or_else(|| "glibc".to_owned(), |version| format!("glibc {version}"));
    format!("{version} allows {arenas} arenas either way on {} CPUs, as with {other}", facts.cpus.online)
}

/// The bundled allocators: they differ only in settings that say what is so anyway.
fn same_defaults(a: &Candidate, b: &Candidate, facts: &[Facts]) -> Option<String> {
    if !facts.iter().all(|fact| fact.bundled) || reduced(a) != reduced(b) {
        return None;
    }
    let said: Vec<_> = (a.known_settings().chain(b.known_settings()))
        .filter(|(setting, value)| setting.is_unset_value(value))
        .map(|(setting, value)| format!("{}={}", setting.key, setting.spell(value)))
        .collect();
    Some(format!(
        "{} is what {} does anyway, so it cannot differ from {b}",
        said.join(" and "),
        a.allocator()
    ))
}

/// A candidate without the settings that are at their documented default.
fn reduced(candidate: &Candidate) -> Candidate {
    let idle = candidate.known_settings().filter(|(setting, value)| setting.is_unset_value(value));
    idle.fold(candidate.clone(), |reduced, (setting, _)| reduced.without(setting.key))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(minor: u32, cpus: u32, reach: u32) -> Facts {
        Facts {
            cpus: Cpus { online: cpus, allowed: cpus },
            glibc: Some(Version::new(2, minor)),
            reach,
            bundled: true,
        }
    }

    fn kept(names: &[&str], facts: &[Facts]) -> Vec<String> {
        let candidates: Vec<Candidate> = names.iter().map(|name| name.parse().unwrap()).collect();
        let classes = classes(&candidates, &Candidate::baseline(), facts);
        classes.iter().map(|class| class.candidate.to_string()).collect()
    }

    fn arenas(maxima: &[u32], facts: &[Facts]) -> Vec<String> {
        let names: Vec<_> = maxima.iter().map(|max| format!("glibc:arena_max={max}")).collect();
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        let prefix = |name: String| name.replace("glibc:arena_max=", "");
        kept(&names, facts).into_iter().map(prefix).collect()
    }

    #[test]
    fn limits_beyond_reach_are_the_default() {
        // 4 threads and main: 5 arenas at most, far below 16.
        assert_eq!(arenas(&[1, 2, 4, 5, 8, 16], &[facts(36, 2, 5)]), ["glibc", "1", "2", "4"]);
        assert_eq!(
            arenas(&[1, 2, 4, 8, 16, 17, 64], &[facts(36, 2, 65)]),
            ["glibc", "1", "2", "4", "8", "17", "64"]
        );
        assert_eq!(arenas(&[16, 65, 100], &[facts(36, 2, 65)]), ["glibc", "65"]);
    }

    #[test]
    fn the_default_of_2_44_is_another() {
        assert_eq!(arenas(&[4, 8, 16], &[facts(44, 2, 65)]), ["glibc", "4", "16"]);
        assert_eq!(arenas(&[4, 8, 16], &[facts(43, 2, 65)]), ["glibc", "4", "8"]);
        assert_eq!(arenas(&[8, 9], &[facts(36, 1, 65)]), ["glibc", "8"], "arena_test + 1 on one CPU");
    }

    #[test]
    fn what_holds_under_one_libc_only_is_not_merged() {
        assert_eq!(arenas(&[8, 16], &[facts(43, 2, 65), facts(44, 2, 65)]), ["glibc", "8", "16"]);
        assert_eq!(arenas(&[8, 16], &[facts(43, 2, 5), facts(44, 2, 5)]), ["glibc"]);
    }

    #[test]
    fn doubt_keeps_candidates_apart() {
        // Old builds: whether a default limit exists, and whether small caps are honoured, is not known.
        assert_eq!(arenas(&[2, 4, 16], &[facts(12, 2, 65)]), ["glibc", "2", "4", "16"]);
        assert_eq!(arenas(&[2, 4], &[facts(15, 2, 65)]), ["glibc", "2", "4"]);
        assert_eq!(arenas(&[9, 16], &[facts(15, 2, 65)]), ["glibc", "9"]);
        // 2.34 to 2.38 may count online or allowed CPUs.
        let pinned = Facts { cpus: Cpus { online: 64, allowed: 2 }, ..facts(36, 64, 65) };
        assert_eq!(arenas(&[16, 65], &[pinned]), ["glibc", "16", "65"]);
        // Without a version only what is out of reach of every rule is merged.
        let unknown = Facts { glibc: None, ..facts(36, 2, 5) };
        assert_eq!(arenas(&[2, 5, 8], &[unknown]), ["glibc", "2", "5"]);
    }

    #[test]
    fn thresholds_at_their_default_are_not_the_default() {
        let names = ["glibc:top_pad=128KiB", "glibc:mmap_max=65536", "glibc:arena_max=8,top_pad=128KiB"];
        assert_eq!(
            kept(&names, &[facts(36, 2, 5)]),
            ["glibc", "glibc:top_pad=128KiB", "glibc:mmap_max=65536"]
        );
    }

    #[test]
    fn arena_test_counts_only_without_arena_max() {
        let names = [
            "glibc:arena_test=8",
            "glibc:arena_max=2",
            "glibc:arena_max=2,arena_test=32",
            "glibc:arena_test=32",
        ];
        let kept = kept(&names, &[facts(36, 2, 65)]);
        assert_eq!(kept, ["glibc", "glibc:arena_max=2", "glibc:arena_test=32"]);
    }

    #[test]
    fn bundled_defaults_merge_and_preloads_never() {
        let names = [
            "jemalloc",
            "jemalloc:dirty_decay_ms=10000",
            "jemalloc:narenas=8",
            "jemalloc:narenas=8,tcache=true",
            "mimalloc:purge_delay=1000",
            "mimalloc",
            "preload=/lib/a.so",
            "preload=/lib/a.so:X=1",
        ];
        let merged = ["glibc", "jemalloc", "jemalloc:narenas=8", "mimalloc:purge_delay=1000"];
        let expected = [&merged[..], &names[6..]].concat();
        assert_eq!(kept(&names, &[facts(36, 2, 5)]), expected);
        let foreign = Facts { bundled: false, ..facts(36, 2, 5) };
        assert_eq!(kept(&names, &[foreign]), [&["glibc"][..], &names[..]].concat());
    }

    #[test]
    fn the_reason_is_told() {
        let names = ["glibc", "glibc", "glibc:arena_max=8", "jemalloc", "jemalloc:retain=true"];
        let candidates: Vec<Candidate> = names.iter().map(|name| name.parse().unwrap()).collect();
        let found = classes(&candidates, &Candidate::baseline(), &[facts(36, 2, 5)]);
        assert_eq!(found[0].stands_for, [
            Merged { candidate: "glibc".into(), why: "asked for twice".into() },
            Merged {
                candidate: "glibc:arena_max=8".into(),
                why: "at most 5 threads hold an arena at once (main thread included), which both allow, so it \
                      cannot differ from glibc"
                    .into(),
            },
        ]);
    }
}
