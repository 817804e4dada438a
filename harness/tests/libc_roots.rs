//! Trials on another C library, as far as this host alone can show them: its own glibc through its own loader, and
//! directories that hold none.

mod common;

use std::path::{Path, PathBuf};
use std::process::Command;

use common::{arenalab, both, fresh, json, run, run_expecting, text, trials};
use serde_json::Value;

/// A program that holds 8 MB in some threads, says which glibc it runs on, and runs a command if it is given one.
const PROGRAM: &str = r#"
#include <gnu/libc-version.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
static void *work(void *x) {
    static __thread char *all[1000];
    for (int round = 0; round < 200; round++) {
        for (int i = 0; i < 1000; i++) { all[i] = malloc(2000); memset(all[i], 1, 2000); }
        for (int i = 0; i < 1000; i++) free(all[i]);
    }
    usleep(400000);
    return x;
}
int main(int argc, char **argv) {
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) pthread_create(&threads[i], 0, work, 0);
    if (argc > 1 && system(argv[1])) return 1;
    for (int i = 0; i < 4; i++) pthread_join(threads[i], 0);
    printf("glibc %s\n", gnu_get_libc_version());
    return 0;
}
"#;

fn compiled(dir: &Path, name: &str, flags: &[&str]) -> PathBuf {
    let (source, program) = (dir.join(format!("{name}.c")), dir.join(name));
    std::fs::write(&source, PROGRAM).unwrap();
    let done =
        Command::new("cc").arg("-o").args([&program, &source]).arg("-pthread").args(flags).status().unwrap();
    assert!(done.success());
    program
}

/// The host's own glibc, alone in a directory.
fn own_glibc(dir: &Path) -> PathBuf {
    let listed = Command::new("ldd").arg("/bin/sh").output().unwrap();
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    let paths: Vec<&str> = listed.split_whitespace().filter(|word| word.starts_with('/')).collect();
    let libc = Path::new(paths.iter().find(|path| path.contains("libc.so")).unwrap());
    let loader = Path::new(paths.iter().find(|path| path.contains("ld-linux")).unwrap());
    let root = dir.join("root");
    std::fs::create_dir_all(&root).unwrap();
    std::fs::copy(loader, root.join(loader.file_name().unwrap())).unwrap();
    for name in ["libc.so.6", "libm.so.6", "libpthread.so.0", "libdl.so.2", "librt.so.1"] {
        std::fs::copy(libc.with_file_name(name), root.join(name)).unwrap();
    }
    root
}

/// A root with the host's own glibc where programs look for it, and with some programs.
fn own_root(dir: &Path, programs: &[&Path]) -> PathBuf {
    let flat = own_glibc(dir);
    let root = dir.join("whole");
    for (place, files) in [("lib64", "ld-"), ("lib", "ld-"), ("usr/lib64", "lib")] {
        std::fs::create_dir_all(root.join(place)).unwrap();
        for entry in std::fs::read_dir(&flat).unwrap().flatten() {
            if entry.file_name().to_str().unwrap().starts_with(files) {
                std::fs::copy(entry.path(), root.join(place).join(entry.file_name())).unwrap();
            }
        }
    }
    // Debian's loader looks below its own machine's name.
    for place in ["lib", "usr/lib"] {
        let tuple = format!("{}-linux-gnu", std::env::consts::ARCH);
        std::fs::create_dir_all(root.join(place)).unwrap();
        std::os::unix::fs::symlink("/usr/lib64", root.join(place).join(tuple)).unwrap();
    }
    std::fs::create_dir_all(root.join("usr/bin")).unwrap();
    std::os::unix::fs::symlink("/usr/bin", root.join("bin")).unwrap();
    for program in programs {
        std::fs::copy(program, root.join("usr/bin").join(program.file_name().unwrap())).unwrap();
    }
    root
}

/// Every file below a directory with its size.
fn inventory(dir: &Path) -> Vec<(PathBuf, u64)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap().flatten() {
        let metadata = entry.metadata().unwrap();
        found.push((entry.path(), metadata.len()));
        if metadata.is_dir() {
            found.extend(inventory(&entry.path()));
        }
    }
    found.sort();
    found
}

const SMALL: [&str; 8] =
    ["larson:ops=4k", "--threads", "2", "--rounds", "2", "--allocators", "glibc", "--arena-max=default"];

fn manifest(dir: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(dir.join("manifest.json")).unwrap()).unwrap()
}

#[test]
fn the_host_s_own_glibc_runs_through_its_own_loader_in_the_same_rounds() {
    let (_parent, dir) = fresh();
    let more = [
        "--candidate",
        "glibc:arena_max=1",
        "--candidate",
        "jemalloc",
        "--libc",
        "again=/",
        "--out",
        text(&dir),
    ];
    run_expecting(0, &[&["sweep"], &SMALL[..], &more].concat());
    let rows = trials(&dir);
    assert_eq!(rows.len(), 2 * 2 * 4);
    for row in &rows {
        assert_eq!(row["status"], "ok", "{row}");
        assert_eq!(row["effect"]["verified"], true, "{row}");
        assert_eq!(row["libc_version"], rows[0]["libc_version"], "{row}");
    }
    let of = |name: &str| rows.iter().filter(|row| row["libc"] == name).count();
    assert_eq!((of("host"), of("again")), (8, 8));
    let libcs = &manifest(&dir)["libcs"];
    assert_eq!((&libcs[0]["name"], &libcs[0]["run"]), (&"host".into(), &"host".into()));
    assert_eq!(
        (&libcs[1]["name"], &libcs[1]["run"], &libcs[1]["path"]),
        (&"again".into(), &"loader".into(), &"/".into())
    );

    let compared = json(&run_expecting(0, &["compare", text(&dir), "--accept-busy-host", "--json"]));
    let entries = compared["entries"].as_array().unwrap();
    assert!(!entries.is_empty() && entries.iter().all(|entry| entry["paired"] == true), "{compared}");
    assert_eq!(entries[0]["libc"], serde_json::json!(["host", "again"]));
    let backwards = json(&run_expecting(
        0,
        &["compare", text(&dir), "--libc", "again,host", "--accept-busy-host", "--json"],
    ));
    assert_eq!(backwards["entries"][0]["libc"], serde_json::json!(["again", "host"]));
    for (libcs, told) in
        [("again,again", "with itself"), ("host", "is one campaign"), ("host,x", "no libc 'x'")]
    {
        let refused = run_expecting(2, &["compare", text(&dir), "--libc", libcs]);
        assert!(both(&refused).contains(told), "{}", both(&refused));
    }
    let said = both(&run(&["choose", text(&dir)]));
    assert!(said.contains("libc again"), "{said}");
    run_expecting(0, &["report", text(&dir)]);
}

#[test]
fn a_program_of_ones_own_runs_on_it_and_what_it_starts_is_told() {
    let (parent, dir) = fresh();
    let program = compiled(parent.path(), "program", &[]);
    let common = ["sweep", "--rounds", "1", "--allocators", "glibc,jemalloc", "--arena-max", "default,2"];
    let common = [&common[..], &["--libc", "again=/", "--out", text(&dir)]].concat();
    run_expecting(0, &[&common[..], &["--", text(&program), "sleep 0.3"]].concat());
    for row in trials(&dir) {
        assert_eq!((&row["status"], &row["effect"]["verified"]), (&"ok".into(), &true.into()), "{row}");
        assert!(row["libc_version"].is_string(), "{row}");
        let strangers = row["program"]["host_libc"].as_array().cloned().unwrap_or_default();
        assert_eq!(strangers.contains(&"sleep".into()), row["libc"] == "again", "{row}");
        if row["candidate"] == "glibc" {
            assert_eq!(row["arenas"]["observed"], 5, "{row}");
        }
        let output = dir.join(row["program"]["output"][0].as_str().unwrap());
        let printed = std::fs::read_to_string(output).unwrap();
        assert_eq!(printed.trim(), format!("glibc {}", row["libc_version"].as_str().unwrap()));
    }
}

#[test]
fn what_the_loader_does_not_reach_is_unsupported_there_and_says_why() {
    let (parent, dir) = fresh();
    let program = compiled(parent.path(), "program", &[]);
    let script = parent.path().join("script");
    std::fs::write(&script, format!("#!/bin/sh\n{}\n", text(&program))).unwrap();
    std::fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let common = ["sweep", "--rounds", "1", "--allocators", "glibc", "--arena-max", "default"];
    let common = [&common[..], &["--libc", "again=/", "--out", text(&dir)]].concat();
    run_expecting(0, &[&common[..], &["--", text(&script)]].concat());
    for row in trials(&dir) {
        let expected = if row["libc"] == "host" { "ok" } else { "unsupported" };
        assert_eq!(row["status"], expected, "{row}");
        let reason = row["reason"].as_str().unwrap_or_default();
        assert_eq!(reason.contains("was started anew by the program"), row["libc"] == "again", "{row}");
    }
    // Nothing at all of these can run there, which is told before anything is begun.
    let linked_statically = compiled(parent.path(), "static", &["-static"]);
    let nowhere = parent.path().join("nowhere");
    let common = ["sweep", "--rounds", "1", "--libc", "again=/", "--out", text(&nowhere)];
    for (words, told) in [
        (vec!["--", text(&linked_statically)], "is linked statically"),
        (vec!["--shell", "--", "true; true"], "what the shell starts runs on the host's libc"),
    ] {
        let refused = run_expecting(2, &[&common[..], &words].concat());
        assert!(both(&refused).contains(told), "{}", both(&refused));
        assert!(!nowhere.exists());
    }
}

#[test]
fn a_program_runs_inside_a_root_with_all_that_it_starts_and_changes_nothing_there() {
    let (parent, dir) = fresh();
    let program = compiled(parent.path(), "program", &[]);
    let root = own_root(parent.path(), &[&program, Path::new("/bin/sh"), Path::new("/bin/sleep")]);
    let script = root.join("usr/bin/script");
    std::fs::write(&script, "#!/usr/bin/sh\necho x > /etc-of-mine; program 'sleep 0.2'; echo '{} is mine'\n")
        .unwrap();
    std::fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let before = inventory(&root);
    let named = format!("inn={}", text(&root));
    let args = ["sweep", "--rounds", "1", "--allocators", "glibc,jemalloc", "--arena-max", "default,2"];
    let args =
        [&args[..], &["--no-host-libc", "--root", &named, "--out", text(&dir), "--", "script"]].concat();
    let output = run(&args);
    if output.status.code() == Some(2) && both(&output).contains("this host does not allow") {
        println!("skipped: {}", both(&output).trim());
        return;
    }
    assert_eq!(output.status.code(), Some(0), "{}", both(&output));
    let rows = trials(&dir);
    assert_eq!(rows.len(), 4);
    for row in &rows {
        assert_eq!((&row["status"], &row["effect"]["verified"]), (&"ok".into(), &true.into()), "{row}");
        let printed =
            std::fs::read_to_string(dir.join(row["program"]["output"][0].as_str().unwrap())).unwrap();
        assert!(printed.contains(&format!("glibc {}", row["libc_version"].as_str().unwrap())), "{printed}");
        let limited = row["candidate"] == "glibc:arena_max=2";
        if row["candidate"] != "jemalloc" {
            assert_eq!(row["arenas"]["observed"], if limited { 2 } else { 5 }, "{row}");
        }
    }
    assert_eq!(manifest(&dir)["libcs"][0]["run"], "root");
    assert_eq!(inventory(&root), before);
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert!(!mounts.contains("arenalab-libc-"), "{mounts}");
}

#[test]
fn a_campaign_goes_on_with_the_same_glibc_and_with_no_other() {
    let (parent, dir) = fresh();
    let root = own_glibc(parent.path());
    let named = format!("flat={}", text(&root));
    let begin = [&["sweep"], &SMALL[..], &["--no-host-libc", "--libc", &named, "--out", text(&dir)]].concat();
    run_expecting(0, &begin);
    let rows = trials(&dir);
    assert!(
        rows.len() == 4 && rows.iter().all(|row| row["libc"] == "flat" && row["status"] == "ok"),
        "{rows:?}"
    );
    let journal = dir.join("trials.jsonl");
    let first: String = std::fs::read_to_string(&journal).unwrap().split_inclusive('\n').take(1).collect();
    std::fs::write(&journal, &first).unwrap();
    run_expecting(0, &[&begin[..], &["--resume"]].concat());
    assert_eq!(trials(&dir).len(), 4);
    std::fs::write(&journal, &first).unwrap();
    let libc = root.join("libc.so.6");
    let changed = [std::fs::read(&libc).unwrap(), b"x".to_vec()].concat();
    std::fs::write(&libc, changed).unwrap();
    let refused = run_expecting(2, &["sweep", "--resume", "--out", text(&dir)]);
    assert!(
        both(&refused).contains("does not hold the glibc that this campaign began with"),
        "{}",
        both(&refused)
    );
    std::fs::remove_dir_all(&root).unwrap();
    let refused = run_expecting(2, &["sweep", "--resume", "--out", text(&dir)]);
    assert!(both(&refused).contains("libc flat: failed to look at"), "{}", both(&refused));
}

#[test]
fn a_glibc_that_is_replaced_while_the_campaign_runs_stops_it() {
    let (parent, dir) = fresh();
    let root = own_glibc(parent.path());
    let named = format!("flat={}", text(&root));
    let args = ["sweep", "larson:ops=200k", "--threads", "2", "--rounds", "200", "--allocators", "glibc"];
    let args = [&args[..], &["--arena-max=default", "--libc", &named, "--out", text(&dir)]].concat();
    let mut child = arenalab().args(&args).stderr(std::process::Stdio::piped()).spawn().unwrap();
    let begun = || std::fs::metadata(dir.join("trials.jsonl")).is_ok_and(|file| file.len() > 0);
    assert!(common::eventually(60, begun));
    let libc = root.join("libc.so.6");
    let bytes = std::fs::read(&libc).unwrap();
    std::fs::remove_file(&libc).unwrap();
    std::fs::write(&libc, bytes).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(1));
    let mut said = String::new();
    std::io::Read::read_to_string(&mut child.stderr.take().unwrap(), &mut said).unwrap();
    assert!(said.contains("libc.so.6 has changed since the campaign began"), "{said}");
}

#[test]
fn what_holds_no_glibc_for_this_host_is_refused_in_a_line() {
    let parent = tempfile::tempdir().unwrap();
    let make = |name: &str, file: &str, content: &str| {
        let path = parent.path().join(name).join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        format!("x={}", text(&parent.path().join(name)))
    };
    let nowhere = parent.path().join("campaign");
    for (libc, told) in [
        (make("empty", "etc/hostname", ""), "no libc.so.6"),
        (make("musl", "lib/ld-musl-x86_64.so.1", ""), "no glibc, but musl"),
        (make("foreign", "lib/riscv64-linux-gnu/libc.so.6", ""), "but one for riscv64"),
        (make("broken", "lib64/libc.so.6", "not one"), "is no ELF file"),
        (format!("x={}", text(&parent.path().join("gone"))), "No such file"),
        (format!("x={}", text(&parent.path().join("empty/etc/hostname"))), "is no directory"),
        ("x=".to_owned(), "no directory after 'x='"),
        ("../x=/".to_owned(), "is no name of a libc"),
        ("host=/".to_owned(), "is the host's own libc"),
        ("x".to_owned(), "write NAME=DIR"),
    ] {
        for command in [&["sweep", "larson:ops=2k", "--out", text(&nowhere)][..], &["list", "libcs"][..]] {
            let refused = run_expecting(2, &[command, &["--libc", &libc]].concat());
            let said = both(&refused);
            assert!(said.contains(told), "{libc}: {said}");
            assert_eq!(said.trim().lines().count(), 1, "{said}");
            assert!(!nowhere.exists());
        }
    }
    let twice =
        run_expecting(2, &["sweep", "larson", "--libc", "x=/", "--libc", "x=/", "--out", text(&nowhere)]);
    assert!(both(&twice).contains("two libcs are called x"), "{}", both(&twice));
}

#[test]
fn a_plan_lists_exactly_what_is_measured() {
    let parent = tempfile::tempdir().unwrap();
    let plan = parent.path().join("plan.toml");
    std::fs::write(
        &plan,
        "[[workload]]\nname = \"larson\"\n[sweep]\nlibcs = [\"again=sub/dir\", \"host\"]\n",
    )
    .unwrap();
    let printed = |args: &[&str]| {
        let output = run_expecting(0, &[&["sweep", "--print-plan"], args].concat());
        String::from_utf8(output.stdout).unwrap()
    };
    let libcs = |printed: &str| {
        let line = printed.lines().find(|line| line.starts_with("libcs = ")).unwrap().to_owned();
        line.split(" #").next().unwrap().trim().to_owned()
    };
    let from = text(parent.path());
    let of_plan = printed(&["--plan", text(&plan)]);
    assert_eq!(libcs(&of_plan), format!("libcs = [\"again={from}/sub/dir\", \"host\"]"));
    std::fs::write(&plan, &of_plan).unwrap();
    assert_eq!(printed(&["--plan", text(&plan)]), of_plan);
    let by_flags = printed(&["--plan", text(&plan), "--libc", "b=/"]);
    assert_eq!(libcs(&by_flags), "libcs = [\"host\", \"b=/\"]");
    assert_eq!(libcs(&printed(&["larson"])), "libcs = [\"host\"]");
    std::fs::write(&plan, "[[workload]]\nname = \"larson\"\n[sweep]\nlibcs = [\"host\", \"x\"]\n").unwrap();
    let refused = run_expecting(2, &["sweep", "--plan", text(&plan)]);
    assert!(
        both(&refused).contains("plan.toml:4: 'x' is no libc; write NAME=DIR, or host"),
        "{}",
        both(&refused)
    );
}
