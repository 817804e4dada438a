//! The allocators that can be preloaded, as they are found on this host: those of this workspace (built by
//! `cargo test --workspace`) and those of the distribution, where it has any. Each is asked for real.

use std::ffi::OsString;

use arenalab::plan::Candidate;
use arenalab::trial::companions::{Companions, identify};
use arenalab::trial::libraries::{self, Library};

mod common;

/// Test binaries lie in `deps/`, one below the workload binaries; Cargo leaves the shared libraries in either.
fn companions() -> Companions {
    let executable = std::env::current_exe().unwrap();
    Companions::new(executable.parent(), executable.parent())
}

/// The libraries that say what they are.
fn found() -> Vec<Library> {
    let found = libraries::found(&companions(), &[]);
    for library in &found {
        let identity = library.identity.as_ref().unwrap_or_else(|why| panic!("{library:?}: {why}"));
        assert_eq!(identity.name, library.allocator);
        assert!(identity.version.contains('.'), "{identity:?}");
    }
    found
}

#[test]
fn those_of_this_workspace_come_first_and_are_the_versions_that_the_workloads_have() {
    let companions = companions();
    let found = found();
    let bundled: Vec<_> = found.iter().take_while(|library| library.bundled).collect();
    if bundled.is_empty() {
        eprintln!("skipped: the libraries are not built; cargo test --workspace");
        return;
    }
    assert_eq!(bundled.iter().map(|library| library.allocator).collect::<Vec<_>>(), ["jemalloc", "mimalloc"]);
    for library in bundled {
        let linked = identify(&companions.workload(library.allocator).unwrap(), []).unwrap();
        let identity = library.identity.as_ref().unwrap();
        assert_eq!(identity.version, linked.version);
        assert_eq!(identity.settings, linked.settings, "{} is built otherwise", library.path.display());
    }
}

#[test]
fn a_setting_by_its_key_arrives() {
    let companions = companions();
    for library in found() {
        // One that is not the default; mimalloc 2 does not tell.
        let (key, value) = match library.allocator {
            "jemalloc" => ("narenas", "3"),
            "mimalloc" => ("purge_delay", "77"),
            _ => ("max_total_thread_cache_bytes", "1048576"),
        };
        let candidate: Candidate = format!("{}:{key}={value}", library.candidate()).parse().unwrap();
        let env =
            candidate.env().into_iter().map(|(name, value)| (OsString::from(name), OsString::from(value)));
        let identity = identify(&companions.workload("glibc").unwrap(), env).unwrap();
        match identity.settings.get(key) {
            Some(told) => assert_eq!(told, value, "{candidate}"),
            None => assert!(!library.bundled, "{candidate}: not told"),
        }
    }
}

#[test]
fn the_list_has_them_as_ready_candidates() {
    let libexec = std::env::current_exe().unwrap();
    let mut command = common::arenalab();
    command.env("ARENALAB_LIBEXEC", libexec.parent().unwrap());
    let output = command.args(["list", "allocators", "--json"]).output().unwrap();
    let listed = common::json(&output);
    let listed = listed["libraries"].as_array().unwrap();
    assert_eq!(listed.len(), found().len());
    for library in listed {
        library["candidate"].as_str().unwrap().parse::<Candidate>().unwrap();
        assert!(library["version"].is_string() && !library["settings"].as_array().unwrap().is_empty());
    }
}
