//! What the program's own environment needs stays; what steers an allocator is taken out, and said. What is preloaded is
//! looked at before anything is measured.

mod common;

use std::path::{Path, PathBuf};
use std::process::Output;

use common::programs::write;
use common::{arenalab, both, fresh, json, text, trials};

/// Builds a library from C; an empty one has no malloc.
fn library(dir: &Path, name: &str, source: &str) -> PathBuf {
    let source = write(dir, &format!("{name}.c"), source);
    let library = dir.join(format!("{name}.so"));
    let built =
        std::process::Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&library).arg(&source).status();
    assert!(built.expect("there is a C compiler").success());
    library
}

/// Sweeps a shell that prints two variables, under an environment; the rows and what was printed in each.
fn printed(dir: &Path, set: &[(&str, &str)], more: &[&str]) -> (Output, Vec<String>) {
    let mut command = arenalab();
    command.args(["sweep", "--rounds", "1", "--out", text(dir)]).args(more).envs(set.iter().copied());
    let line = "echo \"[$GLIBC_TUNABLES] [$LD_PRELOAD] [$MALLOC_ARENA_MAX]\"";
    let output = command.args(["--", "sh", "-c", line]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", both(&output));
    let log = |row: &serde_json::Value| {
        assert_eq!(row["status"], "ok", "{row}");
        std::fs::read_to_string(dir.join(row["program"]["output"][0].as_str().unwrap())).unwrap()
    };
    (output, trials(dir).iter().filter(|row| row["candidate"] != "glibc").map(log).collect())
}

#[test]
fn the_user_s_own_tunables_stay_and_are_merged_with_the_candidate_s() {
    let (_parent, dir) = fresh();
    let set = [("GLIBC_TUNABLES", "glibc.malloc.perturb=1:glibc.pthread.rseq=0"), ("MALLOC_ARENA_MAX", "7")];
    let (output, printed) = printed(&dir, &set, &["--candidate", "glibc:tcache_count=3"]);
    assert_eq!(printed, ["[glibc.malloc.tcache_count=3:glibc.pthread.rseq=0] [] []\n"]);
    // What was taken out is told, once, and kept.
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(said.matches("taken out of your environment").count(), 1, "{said}");
    let manifest = json(&std::process::Command::new("cat").arg(dir.join("manifest.json")).output().unwrap());
    let dropped = manifest["dropped_env"].to_string();
    for pair in ["GLIBC_TUNABLES=glibc.malloc.perturb=1", "MALLOC_ARENA_MAX=7"] {
        assert!(said.contains(pair) && dropped.contains(pair), "{said} {dropped}");
    }
    assert!(!dropped.contains("rseq"), "{dropped}");
}

#[test]
fn tunables_and_libraries_of_a_plan_stay_too() {
    let (parent, dir) = fresh();
    let plain = library(parent.path(), "plain", "int arenalab_nothing;\n");
    let preload = format!("LD_PRELOAD={}", plain.display());
    let more = ["--env", "GLIBC_TUNABLES=glibc.pthread.rseq=0", "--env", &preload, "--candidate", "jemalloc"];
    let (_, printed) = printed(&dir, &[], &more);
    let [line] = printed.as_slice() else { panic!("{printed:?}") };
    assert!(line.starts_with("[glibc.pthread.rseq=0] [/"), "{line}");
    assert!(line.contains(&format!("/libarenalab_jemalloc.so:{}] []", plain.display())), "{line}");
}

#[test]
fn a_built_in_workload_keeps_them_as_well() {
    let (parent, dir) = fresh();
    let plain = library(parent.path(), "plain", "int arenalab_nothing;\n");
    let mut command = arenalab();
    command.args(["sweep", "larson:ops=2k", "--threads", "1", "--rounds", "1", "--out", text(&dir)]);
    command.args(["--candidate", "glibc:tcache_count=3", "--candidate", "jemalloc"]);
    command.env("LD_PRELOAD", &plain).env("GLIBC_TUNABLES", "glibc.pthread.rseq=0");
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", both(&output));
    for row in trials(&dir) {
        assert_eq!(row["status"], "ok", "{row}");
    }
}

/// Refused in one line with exit 2, before anything is measured.
#[track_caller]
fn refused(set: &[(&str, &str)], args: &[&str], words: &[&str]) {
    let (_parent, dir) = fresh();
    let mut command = arenalab();
    command.args(["sweep", "--rounds", "1", "--out", text(&dir)]).args(args).envs(set.iter().copied());
    let output = command.args(["--", "true"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{args:?}: {}", both(&output));
    assert!(!dir.exists(), "{args:?} left something behind");
    for word in words {
        assert!(said.contains(word), "'{word}' is not in: {said}");
    }
}

#[test]
fn a_library_of_no_use_is_refused_before_measuring() {
    let parent = tempfile::tempdir().unwrap();
    let plain = library(parent.path(), "plain", "int arenalab_nothing;\n");
    let no_elf = write(parent.path(), "no-elf.so", "text");
    let candidate = |path: &Path| format!("preload={}", path.display());
    for (spec, why) in [
        ("preload=/nowhere/libx.so".to_owned(), "No such file"),
        (candidate(&no_elf), "no ELF file"),
        (candidate(&plain), "exports no malloc"),
        (candidate(parent.path()), "cannot be read"),
    ] {
        refused(&[], &["--candidate", &spec], &[why, &spec]);
    }
}

#[test]
fn a_library_of_the_user_s_that_brings_a_malloc_is_a_conflict() {
    let parent = tempfile::tempdir().unwrap();
    let own = "#include <stddef.h>\nextern void *__libc_malloc(size_t);\nvoid *malloc(size_t n) { return __libc_malloc(n); }\n";
    let own = library(parent.path(), "own", own);
    let words = ["brings a malloc of its own", text(&own), "--candidate preload="];
    refused(&[("LD_PRELOAD", text(&own))], &["--candidate", "jemalloc"], &words);
    let env = format!("LD_PRELOAD={}", own.display());
    refused(&[], &["--env", &env, "--candidate", "jemalloc"], &words);
}

#[test]
fn variables_that_would_change_nothing_are_refused_with_the_reason() {
    let library = "preload=/usr/lib/libjemalloc.so.2";
    for (settings, why) in [
        ("MALLOC_ARENA_MAX=2", "read by glibc's malloc alone"),
        ("MALLOC_CONF=nareas:4", "did you mean narenas"),
    ] {
        refused(&[], &["--candidate", &format!("{library}:{settings}")], &[why]);
    }
    refused(&[], &["--env", "GLIBC_TUNABLES=glibc.malloc.arena_max=2"], &["--candidate glibc:arena_max=2"]);
    let printed = arenalab()
        .args([
            "sweep",
            "larson",
            "--print-plan",
            "--candidate",
            &format!("{library}:MALLOC_CONF=lg_dirty_mult:8"),
        ])
        .output()
        .unwrap();
    assert_eq!(printed.status.code(), Some(0), "{}", both(&printed));
}

#[test]
fn what_to_ship_is_the_library_that_was_measured() {
    let (_parent, dir) = fresh();
    let mut command = arenalab();
    command.args(["sweep", "--rounds", "2", "--baseline", "mimalloc", "--candidate", "jemalloc:narenas=1"]);
    let output = command.args(["--out", text(&dir), "--", "true"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", both(&output));
    let manifest = json(&std::process::Command::new("cat").arg(dir.join("manifest.json")).output().unwrap());
    for allocator in ["jemalloc", "mimalloc"] {
        let path = manifest["binaries"][format!("preload:{allocator}")]["path"].as_str().unwrap();
        assert!(path.starts_with('/') && path.ends_with(&format!("/libarenalab_{allocator}.so")), "{path}");
    }
}
