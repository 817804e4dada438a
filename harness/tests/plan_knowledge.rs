//! What is known of jemalloc and mimalloc against what the workload binaries themselves report: defaults,
//! and that every setting arrives. Needs the binaries: `cargo build --workspace`.

use std::ffi::OsString;
use std::path::Path;

use arenalab::knowledge::{self, Kind, Setting, Unset, Value};
use arenalab::plan::Candidate;
use arenalab::trial::companions::{Companions, identify};

/// The reported settings of a candidate's own binary, run in the candidate's environment.
fn reported(candidate: &Candidate) -> std::collections::BTreeMap<String, String> {
    // Test binaries lie in `deps/`, one below the workload binaries.
    let executable = std::env::current_exe().unwrap();
    let companions = Companions::new(executable.parent(), None);
    let program =
        companions.workload(candidate.allocator().binary()).unwrap_or_else(|missing| panic!("{missing}"));
    let env = candidate.env().into_iter().map(|(name, value)| (OsString::from(name), OsString::from(value)));
    let identity = identify(Path::new(&program), env).unwrap();
    assert_eq!(identity.name, candidate.allocator().name());
    identity.settings
}

#[test]
fn documented_defaults_are_what_the_allocators_report() {
    for allocator in ["jemalloc", "mimalloc"] {
        let reported = reported(&allocator.parse().unwrap());
        for setting in knowledge::settings(allocator) {
            let value = match (setting.unset, setting.kind) {
                (Unset::Number(number), Kind::Switch) => Value::Switch(number != 0),
                (Unset::Number(number), _) => Value::Number(number),
                (Unset::Word(word), _) => Value::Word(word),
                (Unset::Depends(_), _) => continue,
            };
            let told = reported.get(setting.key).unwrap_or_else(|| panic!("{} is not reported", setting.key));
            assert!(setting.agrees(&value, told), "{allocator}:{} is {told}", setting.key);
        }
    }
}

/// A value that is not the default.
fn another(setting: &Setting) -> String {
    match setting.kind {
        Kind::Switch => (setting.unset == Unset::Number(0)).to_string(),
        Kind::Choice(words) => (*words.last().unwrap()).to_owned(),
        Kind::Bytes { step } => {
            let size = (16 << 10).max(step);
            size.to_string()
        }
        Kind::Count | Kind::Millis if setting.max <= 2 => {
            let zero = setting.unset != Unset::Number(0);
            i64::from(!zero).to_string()
        }
        Kind::Count | Kind::Millis => "3".to_owned(),
    }
}

#[test]
fn every_setting_arrives() {
    for allocator in ["jemalloc", "mimalloc"] {
        for setting in knowledge::settings(allocator) {
            let candidate: Candidate =
                format!("{allocator}:{}={}", setting.key, another(setting)).parse().unwrap();
            let reported = reported(&candidate);
            let told = reported.get(setting.key).unwrap_or_else(|| panic!("{candidate} is not reported"));
            let value = candidate.setting(setting.key).unwrap();
            assert!(setting.agrees(value, told), "{candidate} is reported as {told}");
        }
    }
}

#[test]
fn settings_arrive_together() {
    for text in [
        "jemalloc:background_thread=true,dirty_decay_ms=5s,narenas=3,tcache_max=4KiB",
        "mimalloc:arena_reserve=64MiB,purge_delay=0,purge_decommits=false",
    ] {
        let candidate: Candidate = text.parse().unwrap();
        let reported = reported(&candidate);
        for (setting, value) in candidate.known_settings() {
            assert!(setting.agrees(value, &reported[setting.key]), "{} of {candidate}", setting.key);
        }
    }
}
