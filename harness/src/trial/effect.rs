//! Whether a candidate is proven to have taken effect. Pure: what was asked for against what was seen.

use std::collections::BTreeMap;

use arenalab_wire::message::Identity;

use super::executor::Asked;
use crate::format::trial::Effect;
use crate::knowledge::value::Value;
use crate::knowledge::{Setting, scrub};

/// What was seen of a running process.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Its environment, from procfs.
    pub environment: Option<BTreeMap<String, String>>,
    /// What `ld.so --list-tunables` prints under the same environment: setting to effective value.
    pub tunables: Option<BTreeMap<String, String>>,
    /// Arenas that exist, by `malloc_info`.
    pub arenas: Option<u32>,
}

/// Whether the allocator that serves `malloc` is the one asked for; the reason where it is not.
///
/// # Errors
/// One sentence for the trial's `reason`.
pub fn right_allocator(asked: &Asked, identity: &Identity) -> Result<(), String> {
    let preloaded = asked.allocator == "preload" && identity.name != "glibc";
    if preloaded || asked.allocator == identity.name {
        return Ok(());
    }
    Err(format!(
        "asked for {}, but malloc is served by {} {} ({})",
        asked.allocator, identity.name, identity.version, identity.how
    ))
}

/// What was found out of one thing that was asked for.
enum Found {
    Holds(String),
    Fails(String),
    /// Nothing here can tell.
    Untold(String),
}

/// What all that was seen amounts to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Weighed {
    /// For the journal.
    pub effect: Effect,
    /// Whether something was seen not to be as asked for.
    pub disproved: bool,
}

/// Weighs all that was seen.
pub fn weigh(asked: &Asked, identity: &Identity, seen: &Seen) -> Weighed {
    let mut found = vec![allocator(asked, identity), environment(asked, seen)];
    found.extend(asked.settings.iter().map(|(setting, value)| one(asked, setting, value, identity, seen)));
    found.extend(bare_variables(asked));
    let verified = found.iter().all(|found| matches!(found, Found::Holds(_)));
    let disproved = found.iter().any(|found| matches!(found, Found::Fails(_)));
    let words = found.into_iter().map(|found| match found {
        Found::Holds(how) | Found::Fails(how) | Found::Untold(how) => how,
    });
    let how = words.collect::<Vec<_>>().join("; ");
    Weighed { effect: Effect { verified, how }, disproved }
}

fn allocator(asked: &Asked, identity: &Identity) -> Found {
    match right_allocator(asked, identity) {
        Ok(()) => Found::Holds(format!("{} {}: {}", identity.name, identity.version, identity.how)),
        Err(reason) => Found::Fails(reason),
    }
}

/// What a preloaded library makes of variables that are passed to it as they are.
fn bare_variables(asked: &Asked) -> Option<Found> {
    let of_setting = |name: &String| asked.settings.iter().any(|(setting, _)| setting.variable() == name);
    let bare = asked.env.keys().any(|name| name != "LD_PRELOAD" && !of_setting(name));
    let untold =
        || Found::Untold("what the preloaded library makes of its variables cannot be told".to_owned());
    (asked.allocator == "preload" && bare).then(untold)
}

/// The environment has what was asked for, and nothing else that an allocator reads.
fn environment(asked: &Asked, seen: &Seen) -> Found {
    let Some(environment) = &seen.environment else {
        return Found::Untold("its environment could not be read".to_owned());
    };
    for (name, value) in &asked.env {
        if !environment.get(name).is_some_and(|there| scrub::carries(name, value, there)) {
            return Found::Fails(format!("{name}={value} is not in its environment"));
        }
    }
    let is_foreign = |(name, value): &(&String, &String)| {
        (asked.foreign)(name) && scrub::steers(name, value) && !asked.env.contains_key(*name)
    };
    match environment.iter().find(is_foreign) {
        Some((name, _)) => Found::Fails(format!("{name} is in its environment, but was not asked for")),
        None if asked.env.is_empty() => Found::Holds("nothing in its environment steers malloc".to_owned()),
        None => {
            let pairs: Vec<String> =
                asked.env.iter().map(|(name, value)| format!("{name}={value}")).collect();
            Found::Holds(format!("its environment has {}", pairs.join(" ")))
        }
    }
}

fn one(asked: &Asked, setting: &Setting, value: &Value, identity: &Identity, seen: &Seen) -> Found {
    if asked.allocator == "glibc" {
        return glibc(setting.key, &setting.wire(value), seen);
    }
    let (key, name) = (setting.key, &identity.name);
    match identity.settings.get(key) {
        Some(effective) if setting.agrees(value, effective) => {
            Found::Holds(format!("{name} reports {key}={effective}"))
        }
        Some(effective) => {
            Found::Fails(format!("asked for {key}={}, {name} reports {effective}", setting.spell(value)))
        }
        None => Found::Untold(format!("{name} does not report {key}")),
    }
}

fn glibc(key: &str, value: &str, seen: &Seen) -> Found {
    let listed = seen.tunables.as_ref().and_then(|all| all.get(key));
    if let Some(effective) = listed
        && !same_number(effective, value)
    {
        return Found::Fails(format!("asked for {key}={value}, ld.so reports {effective}"));
    }
    match (key, listed) {
        ("arena_max", _) => arenas(value, seen),
        (_, Some(effective)) => Found::Holds(format!("ld.so reports {key}={effective}")),
        (_, None) => Found::Untold(format!(
            "whether {key}={value} took effect cannot be told: this loader does not list its tunables"
        )),
    }
}

fn arenas(value: &str, seen: &Seen) -> Found {
    match (seen.arenas, value.parse::<u32>()) {
        (Some(arenas), Ok(limit)) if arenas <= limit => {
            Found::Holds(format!("malloc_info counts {arenas} arenas, limit {limit}"))
        }
        (Some(arenas), _) => {
            Found::Fails(format!("malloc_info counts {arenas} arenas over the limit {value}"))
        }
        (None, _) => Found::Untold("the number of arenas is not known".to_owned()),
    }
}

/// `0x10` and `16` are the same value.
fn same_number(a: &str, b: &str) -> bool {
    let number = |text: &str| match text.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16).ok(),
        None => text.parse::<u64>().ok(),
    };
    a == b || number(a).is_some_and(|n| number(b) == Some(n))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::knowledge;

    fn identity(name: &str, settings: &[(&str, &str)]) -> Identity {
        Identity {
            name: name.to_owned(),
            version: "1".to_owned(),
            how: "asked".to_owned(),
            libc_version: "2.36".to_owned(),
            settings: map(settings),
            counted_cpus: None,
        }
    }

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    fn asked(allocator: &str, settings: &[(&str, &str)], env: &[(&str, &str)]) -> Asked {
        let setting = |(key, value): &(&str, &str)| {
            let setting = knowledge::find(allocator, key).unwrap();
            (setting, setting.parse(value).unwrap())
        };
        Asked {
            allocator: allocator.to_owned(),
            settings: settings.iter().map(setting).collect(),
            env: map(env),
            preload: None,
            foreign: scrub::is_scrubbed,
        }
    }

    fn seen(env: &[(&str, &str)], arenas: Option<u32>) -> Seen {
        Seen { environment: Some(map(env)), tunables: None, arenas }
    }

    const TWO: [(&str, &str); 1] = [("MALLOC_ARENA_MAX", "2")];

    #[test]
    fn a_limit_holds_when_no_more_arenas_are_counted() {
        let (asked, glibc) = (asked("glibc", &[("arena_max", "2")], &TWO), identity("glibc", &[]));
        assert!(weigh(&asked, &glibc, &seen(&TWO, Some(2))).effect.verified);
        assert!(weigh(&asked, &glibc, &seen(&TWO, Some(3))).disproved);
        let untold = weigh(&asked, &glibc, &seen(&TWO, None));
        assert!(!untold.effect.verified && !untold.disproved);
        assert!(weigh(&asked, &glibc, &seen(&[], Some(1))).disproved);
    }

    #[test]
    fn what_ld_so_reports_must_agree_and_what_it_does_not_tell_is_not_proven() {
        let (asked, glibc) = (asked("glibc", &[("trim_threshold", "128KiB")], &[]), identity("glibc", &[]));
        let mut seen = seen(&[], Some(3));
        let untold = weigh(&asked, &glibc, &seen);
        assert!(!untold.effect.verified && !untold.disproved);
        seen.tunables = Some(map(&[("trim_threshold", "0x20000")]));
        assert!(weigh(&asked, &glibc, &seen).effect.verified);
        seen.tunables = Some(map(&[("trim_threshold", "0x4")]));
        assert!(weigh(&asked, &glibc, &seen).disproved);
    }

    #[test]
    fn another_allocator_is_disproved() {
        let asked = asked("glibc", &[], &[]);
        assert!(right_allocator(&asked, &identity("jemalloc", &[])).is_err());
        assert!(weigh(&asked, &identity("jemalloc", &[]), &seen(&[], None)).disproved);
    }

    #[test]
    fn a_preloaded_library_must_have_replaced_the_c_library_s_allocator() {
        let plain = asked("preload", &[], &[("LD_PRELOAD", "/x.so")]);
        assert!(right_allocator(&plain, &identity("glibc", &[])).is_err());
        let env = [("LD_PRELOAD", "/x.so")];
        assert!(weigh(&plain, &identity("unknown", &[]), &seen(&env, None)).effect.verified);
        let env = [("LD_PRELOAD", "/x.so"), ("X_CONF", "y")];
        let set = asked("preload", &[], &env);
        assert!(!weigh(&set, &identity("unknown", &[]), &seen(&env, None)).effect.verified);
    }

    #[test]
    fn a_variable_nobody_asked_for_is_told() {
        let weighed = weigh(
            &asked("glibc", &[], &[]),
            &identity("glibc", &[]),
            &seen(&[("MALLOC_PERTURB_", "1")], Some(1)),
        );
        assert!(weighed.disproved && weighed.effect.how.contains("MALLOC_PERTURB_"));
    }

    #[test]
    fn what_the_program_needs_besides_is_no_fault() {
        let env = [("LD_PRELOAD", "/x.so")];
        let merged = [("LD_PRELOAD", "/x.so:/user.so"), ("GLIBC_TUNABLES", "glibc.pthread.rseq=0")];
        let plain = asked("preload", &[], &env);
        let weighed = weigh(&plain, &identity("unknown", &[]), &seen(&merged, None));
        assert!(weighed.effect.verified, "{weighed:?}");
        let steered = [("GLIBC_TUNABLES", "glibc.malloc.perturb=1")];
        assert!(
            weigh(&asked("glibc", &[], &[]), &identity("glibc", &[]), &seen(&steered, Some(1))).disproved
        );
    }

    #[test]
    fn other_allocators_are_asked_themselves() {
        let reports = identity("jemalloc", &[("narenas", "4")]);
        assert!(
            weigh(&asked("jemalloc", &[("narenas", "4")], &[]), &reports, &seen(&[], None)).effect.verified
        );
        assert!(weigh(&asked("jemalloc", &[("narenas", "8")], &[]), &reports, &seen(&[], None)).disproved);
        let untold = weigh(&asked("jemalloc", &[("thp", "always")], &[]), &reports, &seen(&[], None));
        assert!(!untold.effect.verified && !untold.disproved);
    }

    #[test]
    fn sizes_are_compared_in_bytes() {
        let reports = identity("mimalloc", &[("arena_reserve", "67108864")]);
        let asked = asked("mimalloc", &[("arena_reserve", "64MiB")], &[]);
        assert!(weigh(&asked, &reports, &seen(&[], None)).effect.verified);
    }
}
