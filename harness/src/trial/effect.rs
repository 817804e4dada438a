//! Whether a candidate is proven to have taken effect. Pure: what was asked for against what was seen.

use std::collections::BTreeMap;

use arenalab_wire::message::Identity;

use super::executor::Asked;
use crate::format::trial::Effect;

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

/// Weighs all that was seen.
pub fn weigh(asked: &Asked, identity: &Identity, seen: &Seen) -> Effect {
    let mut proof = vec![format!("{} {}: {}", identity.name, identity.version, identity.how)];
    let mut verified = right_allocator(asked, identity).is_ok();
    if let Err(reason) = environment_holds(asked, seen) {
        verified = false;
        proof.push(reason);
    }
    for (key, value) in &asked.settings {
        match setting_holds(asked, key, value, identity, seen) {
            Ok(how) => proof.push(how),
            Err(reason) => {
                verified = false;
                proof.push(reason);
            }
        }
    }
    if asked.settings.is_empty() {
        proof.push("no setting asked for, none found in its environment".to_owned());
    }
    Effect { verified, how: proof.join("; ") }
}

/// The environment has what was asked for, and nothing else that an allocator reads.
fn environment_holds(asked: &Asked, seen: &Seen) -> Result<(), String> {
    let Some(environment) = &seen.environment else {
        return Err("its environment could not be read".to_owned());
    };
    for (name, value) in &asked.env {
        if environment.get(name) != Some(value) {
            return Err(format!("{name}={value} is not in its environment"));
        }
    }
    let foreign = environment.keys().find(|name| (asked.foreign)(name) && !asked.env.contains_key(*name));
    match foreign {
        Some(name) => Err(format!("{name} is in its environment, but was not asked for")),
        None => Ok(()),
    }
}

fn setting_holds(
    asked: &Asked,
    key: &str,
    value: &str,
    identity: &Identity,
    seen: &Seen,
) -> Result<String, String> {
    if asked.allocator == "glibc" {
        return glibc_setting_holds(key, value, seen);
    }
    match identity.settings.get(key) {
        Some(effective) if same_value(effective, value) => {
            Ok(format!("{} reports {key}={effective}", identity.name))
        }
        Some(effective) => Err(format!("asked for {key}={value}, {} reports {effective}", identity.name)),
        None => Err(format!("{} does not report {key}", identity.name)),
    }
}

fn glibc_setting_holds(key: &str, value: &str, seen: &Seen) -> Result<String, String> {
    let listed = seen.tunables.as_ref().and_then(|all| all.get(key));
    if let Some(effective) = listed
        && !same_value(effective, value)
    {
        return Err(format!("asked for {key}={value}, ld.so reports {effective}"));
    }
    if key == "arena_max" {
        return arenas_hold(value, seen);
    }
    match listed {
        Some(effective) => Ok(format!("ld.so reports {key}={effective}")),
        None => Err(format!("nothing here tells whether {key}={value} took effect")),
    }
}

fn arenas_hold(value: &str, seen: &Seen) -> Result<String, String> {
    match (seen.arenas, value.parse::<u32>()) {
        (Some(arenas), Ok(limit)) if arenas <= limit => {
            Ok(format!("malloc_info counts {arenas} arenas, limit {limit}"))
        }
        (Some(arenas), _) => Err(format!("malloc_info counts {arenas} arenas over the limit {value}")),
        (None, _) => Err("the number of arenas is not known".to_owned()),
    }
}

/// `0x10` and `16` are the same value.
fn same_value(a: &str, b: &str) -> bool {
    let number = |text: &str| match text.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16).ok(),
        None => text.parse::<u64>().ok(),
    };
    a == b || number(a).is_some_and(|n| number(b) == Some(n))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(name: &str) -> Identity {
        Identity {
            name: name.to_owned(),
            version: "1".to_owned(),
            how: "asked".to_owned(),
            libc_version: "2.36".to_owned(),
            settings: BTreeMap::from([("narenas".to_owned(), "4".to_owned())]),
        }
    }

    fn asked(allocator: &str, settings: &[(&str, &str)], env: &[(&str, &str)]) -> Asked {
        let owned = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect::<BTreeMap<_, _>>()
        };
        Asked {
            allocator: allocator.to_owned(),
            settings: owned(settings),
            env: owned(env),
            foreign: |name| name.starts_with("MALLOC_"),
        }
    }

    fn seen(env: &[(&str, &str)], arenas: Option<u32>) -> Seen {
        let environment = env.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        Seen { environment: Some(environment), tunables: None, arenas }
    }

    const ONE: [(&str, &str); 1] = [("MALLOC_ARENA_MAX", "2")];

    #[test]
    fn a_limit_holds_when_no_more_arenas_are_counted() {
        let asked = asked("glibc", &[("arena_max", "2")], &ONE);
        assert!(weigh(&asked, &identity("glibc"), &seen(&ONE, Some(2))).verified);
        assert!(!weigh(&asked, &identity("glibc"), &seen(&ONE, Some(3))).verified);
        assert!(!weigh(&asked, &identity("glibc"), &seen(&ONE, None)).verified);
        assert!(!weigh(&asked, &identity("glibc"), &seen(&[], Some(1))).verified);
    }

    #[test]
    fn what_ld_so_reports_must_agree() {
        let asked = asked("glibc", &[("arena_max", "16")], &[]);
        let mut seen = seen(&[], Some(3));
        seen.tunables = Some(BTreeMap::from([("arena_max".to_owned(), "0x10".to_owned())]));
        assert!(weigh(&asked, &identity("glibc"), &seen).verified);
        seen.tunables = Some(BTreeMap::from([("arena_max".to_owned(), "0x4".to_owned())]));
        assert!(!weigh(&asked, &identity("glibc"), &seen).verified);
    }

    #[test]
    fn another_allocator_is_never_verified() {
        let asked = asked("glibc", &[], &[]);
        assert!(right_allocator(&asked, &identity("jemalloc")).is_err());
        assert!(!weigh(&asked, &identity("jemalloc"), &seen(&[], None)).verified);
    }

    #[test]
    fn a_preloaded_library_must_have_replaced_the_c_library_s_allocator() {
        let asked = asked("preload", &[], &[]);
        assert!(right_allocator(&asked, &identity("glibc")).is_err());
        assert!(right_allocator(&asked, &identity("unknown")).is_ok());
    }

    #[test]
    fn a_variable_nobody_asked_for_is_told() {
        let asked = asked("glibc", &[], &[]);
        let effect = weigh(&asked, &identity("glibc"), &seen(&[("MALLOC_PERTURB_", "1")], Some(1)));
        assert!(!effect.verified && effect.how.contains("MALLOC_PERTURB_"));
    }

    #[test]
    fn other_allocators_are_asked_themselves() {
        let right = asked("jemalloc", &[("narenas", "4")], &[]);
        assert!(weigh(&right, &identity("jemalloc"), &seen(&[], None)).verified);
        let wrong = asked("jemalloc", &[("narenas", "8")], &[]);
        assert!(!weigh(&wrong, &identity("jemalloc"), &seen(&[], None)).verified);
        let unknown = asked("jemalloc", &[("thp", "always")], &[]);
        assert!(!weigh(&unknown, &identity("jemalloc"), &seen(&[], None)).verified);
    }
}
