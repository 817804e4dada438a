//! Trials on real glibcs of other releases: the directories below the one that `ARENALAB_TEST_LIBCS` names, such as
//! `scripts/fetch-libc` makes them. For one that is too old for the binaries built here, those in its directory
//! `portable` are taken. Without the variable this says that it was skipped; with `ARENALAB_REQUIRE_LIBCS=1` that is a
//! failure.

mod common;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use arenalab::format::predict::Host;
use arenalab::knowledge::Version;
use arenalab::knowledge::arena_limit::{Asked, Cpus, limit};
use arenalab::knowledge::predict::{Side, predict};
use arenalab::trial::host;
use common::{arenalab, both, fresh, json, text, trials};
use serde_json::Value;

/// A root that was fetched.
struct Root {
    name: String,
    dir: PathBuf,
    version: Version,
}

impl Root {
    fn flag(&self) -> [String; 2] {
        ["--libc".to_owned(), format!("{}={}", self.name, text(&self.dir))]
    }
}

/// The roots, oldest first; none where they are not there and need not be.
fn roots() -> Vec<Root> {
    let required = std::env::var_os("ARENALAB_REQUIRE_LIBCS").is_some_and(|value| value == "1");
    let Some(all) = std::env::var_os("ARENALAB_TEST_LIBCS").map(PathBuf::from) else {
        assert!(!required, "ARENALAB_TEST_LIBCS names no directory with roots, and they are required");
        println!("skipped: ARENALAB_TEST_LIBCS names no directory with roots; scripts/fetch-libc makes them");
        return Vec::new();
    };
    let entries = std::fs::read_dir(&all).expect("ARENALAB_TEST_LIBCS is a directory").flatten();
    let is_root = |dir: &PathBuf| dir.is_dir() && !dir.ends_with("portable");
    let mut roots: Vec<Root> =
        entries.map(|entry| entry.path()).filter(is_root).map(|dir| root(&dir)).collect();
    roots.sort_by_key(|root| (root.version, root.name.clone()));
    assert!(!roots.is_empty() || !required, "there is no root in {}", all.display());
    roots
}

fn root(dir: &Path) -> Root {
    let name = dir.file_name().unwrap().to_str().unwrap().to_owned();
    let libc = format!("{name}={}", text(dir));
    let listed = json(&common::run_expecting(0, &["list", "libcs", "--libc", &libc, "--json"]));
    let version = listed["libcs"][1]["version"].as_str().unwrap().parse().unwrap();
    Root { name, dir: dir.to_owned(), version }
}

/// Whether the binaries built here run on a root; what is said where not.
fn too_old(root: &Root) -> Option<String> {
    let (_parent, dir) = fresh();
    let [flag, libc] = root.flag();
    let output = common::run(&[
        "sweep",
        "larson:ops=2k",
        "--rounds",
        "1",
        "--allocators",
        "glibc",
        "--no-host-libc",
        &flag,
        &libc,
        "--out",
        text(&dir),
    ]);
    match output.status.code() {
        Some(0) => None,
        Some(2) => Some(both(&output)),
        _ => panic!("{}", both(&output)),
    }
}

/// The command, and the roots that it can run on: with portable binaries all, else those that are not too old.
fn command_and_roots() -> Option<(PathBuf, Vec<Root>)> {
    let roots = roots();
    let portable =
        std::env::var_os("ARENALAB_TEST_LIBCS").map(|all| PathBuf::from(all).join("portable/bin/arenalab"));
    if let Some(portable) = portable.filter(|path| path.is_file()) {
        return Some((portable, roots));
    }
    let required = std::env::var_os("ARENALAB_REQUIRE_LIBCS").is_some_and(|value| value == "1");
    let mut fit = Vec::new();
    for root in roots {
        match too_old(&root) {
            None => fit.push(root),
            Some(why) => {
                assert!(!required, "portable/bin/arenalab is not beside the roots, and is required: {why}");
                println!("{} is skipped: {}", root.name, why.trim());
            }
        }
    }
    (!fit.is_empty()).then(|| (PathBuf::from(env!("CARGO_BIN_EXE_arenalab")), fit))
}

#[track_caller]
fn sweep(command: &Path, dir: &Path, roots: &[Root], args: &[&str]) -> Vec<Value> {
    let output = run(command, dir, roots, args);
    assert_eq!(output.status.code(), Some(0), "{}", both(&output));
    trials(dir)
}

fn run(command: &Path, dir: &Path, roots: &[Root], args: &[&str]) -> Output {
    let mut line = Command::new(command);
    line.env_remove("ARENALAB_LIBEXEC").arg("sweep").args(args).args(roots.iter().flat_map(Root::flag));
    line.args(["--out", text(dir)]).output().expect("arenalab can be started")
}

#[test]
fn each_trial_says_that_it_ran_on_the_libc_that_was_named() {
    let Some((command, roots)) = command_and_roots() else { return };
    let (_parent, dir) = fresh();
    let args = [
        "larson:ops=20k",
        "mail-server:ops=2k",
        "--threads",
        "4",
        "--rounds",
        "2",
        "--arena-max",
        "default,2",
    ];
    let rows = sweep(&command, &dir, &roots, &args);
    let libcs = roots.len() + 1;
    assert_eq!(rows.len(), 2 * 2 * libcs * 5);
    for row in &rows {
        assert_eq!((&row["status"], &row["effect"]["verified"]), (&"ok".into(), &true.into()), "{row}");
        if let Some(root) = roots.iter().find(|root| row["libc"] == root.name) {
            let version: Version = row["libc_version"].as_str().unwrap().parse().unwrap();
            assert_eq!(version, root.version, "{row}");
        }
    }
    // All libcs of a scenario follow each other, in an order of the round's own.
    let order = |round: u64| {
        let of_round = rows.iter().filter(|row| row["round"] == round);
        let mut blocks: Vec<String> =
            of_round.map(|row| format!("{} {}", row["workload"], row["libc"])).collect();
        blocks.dedup();
        blocks
    };
    for round in [0, 1] {
        let blocks = order(round);
        assert_eq!(blocks.len(), 2 * libcs, "{blocks:?}");
        for scenario in blocks.chunks(libcs) {
            let workloads: BTreeSet<&str> =
                scenario.iter().filter_map(|block| block.split(' ').next()).collect();
            assert_eq!(workloads.len(), 1, "{blocks:?}");
        }
    }
    let last = &roots[roots.len() - 1].name;
    let compared =
        arenalab().args(["compare", text(&dir), "--libc", &format!("host,{last}"), "--json"]).output();
    let compared = json(&compared.unwrap());
    assert!(
        compared["entries"].as_array().unwrap().iter().all(|entry| entry["paired"] == true),
        "{compared}"
    );
}

#[test]
fn as_many_arenas_are_made_as_are_predicted() {
    let Some((command, roots)) = command_and_roots() else { return };
    let (_parent, dir) = fresh();
    let mut args =
        vec!["churn:ops=13k,slots=20", "--threads", "1,2,3,4,7,8,9,12,15,16,17,24,33,48,64", "--rounds", "1"];
    let candidates = [
        "arena_max=1",
        "arena_max=3",
        "arena_max=12",
        "arena_test=2",
        "arena_test=32",
        "arena_max=5,arena_test=32",
    ];
    let candidates: Vec<String> = candidates.iter().map(|settings| format!("glibc:{settings}")).collect();
    args.extend(candidates.iter().flat_map(|candidate| ["--candidate", candidate]));
    let rows = sweep(&command, &dir, &roots, &args);
    let here = host::fingerprint(None).unwrap();
    let mut seen = BTreeSet::new();
    for row in rows.iter().filter(|row| row["twin"] == false) {
        assert_eq!(row["status"], "ok", "{row}");
        let setting = |key: &str| {
            let (_, settings) = row["candidate"].as_str()?.split_once(':')?;
            settings.split(',').find_map(|pair| pair.strip_prefix(key)?.strip_prefix('=')?.parse().ok())
        };
        let host = Host {
            cpus_online: here.cpus_online,
            cpus_allowed: here.cpus_allowed,
            threads: row["threads"].as_u64().unwrap() as u32,
            arch: here.arch.clone(),
            arena_max: setting("arena_max"),
            arena_test: setting("arena_test"),
        };
        let version = row["libc_version"].as_str().unwrap().parse().unwrap();
        let predicted = predict(host, None, Side { name: "x", version, release: None }).to.arenas;
        let observed = row["arenas"]["observed"].as_u64().unwrap();
        let within = predicted.low <= observed && predicted.high.is_none_or(|high| observed <= high);
        assert!(within, "predicted {predicted:?}, observed {observed}: {row}");
        seen.insert((row["libc"].to_string(), observed));
    }
    // The axis was really walked: each libc made different numbers of arenas.
    for name in roots.iter().map(|root| root.name.as_str()).chain(["host"]) {
        let numbers = seen.iter().filter(|(libc, _)| *libc == format!("\"{name}\"")).count();
        assert!(numbers >= 5, "{name}: {seen:?}");
    }
}

#[test]
fn each_libc_makes_the_arenas_of_the_host_that_is_pretended() {
    let Some((command, roots)) = command_and_roots() else { return };
    for (cpus, threads) in [(64, 600), (1, 40)] {
        let (_parent, dir) = fresh();
        let (number, count) = (cpus.to_string(), threads.to_string());
        let workload = "larson:ops=60k,slots=16";
        let args =
            [workload, "--cpus", &number, "--threads", &count, "--rounds", "1", "--candidate", "glibc"];
        let rows = sweep(&command, &dir, &roots, &args);
        assert_eq!(rows.len(), 2 * (roots.len() + 1));
        for row in rows {
            assert_eq!(row["status"], "ok", "{row}");
            let version = row["libc_version"].as_str().unwrap().parse().unwrap();
            let limit = limit(Some(version), Cpus { online: cpus, allowed: cpus }, Asked::default())
                .within(threads + 1);
            assert_eq!(row["arenas"]["observed"].as_u64(), limit, "{row}");
        }
    }
}

#[test]
fn a_setting_that_one_libc_lacks_is_unsupported_there_alone() {
    let Some((command, roots)) = command_and_roots() else { return };
    let without = Version::new(2, 43);
    if roots.last().is_none_or(|newest| newest.version < without) {
        println!("skipped: no root has glibc {without} or later");
        return;
    }
    let (_parent, dir) = fresh();
    let args = ["larson:ops=4k", "--threads", "2", "--rounds", "1", "--candidate", "glibc:mxfast=0"];
    for row in sweep(&command, &dir, &roots, &args) {
        let newer = roots.iter().any(|root| row["libc"] == root.name && root.version >= without);
        let lacks = newer && row["candidate"] == "glibc:mxfast=0B";
        assert_eq!(row["status"], if lacks { "unsupported" } else { "ok" }, "{row}");
        let reason = row["reason"].as_str().unwrap_or_default();
        assert_eq!(reason.contains("mxfast has no effect after glibc 2.42"), lacks, "{row}");
    }
}

#[test]
fn a_program_that_a_root_is_too_old_for_is_unsupported_there_alone() {
    let Some((command, roots)) = command_and_roots() else { return };
    let (parent, dir) = fresh();
    let (source, program) = (parent.path().join("wait.c"), parent.path().join("wait"));
    std::fs::write(&source, "#include <unistd.h>\nint main(void) { usleep(900000); return 0; }\n").unwrap();
    assert!(Command::new("cc").arg("-o").args([&program, &source]).status().unwrap().success());
    let plan = parent.path().join("plan.toml");
    let text = format!(
        "[[workload]]\nname = \"larson\"\nops = \"4k\"\n[[workload]]\nname = \"own\"\ncommand = [\"{}\"]\n\
         [sweep]\nthreads = [2]\nallocators = [\"glibc\"]\narena_max = [\"default\"]\n[measure]\nrounds = 1\n",
        text(&program)
    );
    std::fs::write(&plan, text).unwrap();
    // From 2.34 on, every program that is linked needs __libc_start_main of that version.
    let needs = Version::new(2, 34);
    let built_here = host::libc_version().unwrap().parse::<Version>().unwrap();
    for row in sweep(&command, &dir, &roots, &["--plan", common::text(&plan)]) {
        let root = roots.iter().find(|root| row["libc"] == root.name);
        let lacks = root.is_some_and(|root| built_here >= needs && root.version < needs);
        let unfit = lacks && row["workload"] == "own";
        assert_eq!(row["status"], if unfit { "unsupported" } else { "ok" }, "{row}");
        if let (false, Some(root)) = (unfit, root) {
            let version = row["libc_version"].as_str().unwrap_or_else(|| panic!("no version in {row}"));
            assert_eq!(version.parse::<Version>().unwrap(), root.version, "{row}");
        }
        let reason = row["reason"].as_str().unwrap_or_default();
        assert_eq!(reason.contains("needs GLIBC_2.34"), unfit, "{row}");
        assert!(!reason.contains("build-portable"), "{row}");
    }
}

#[test]
fn a_glibc_too_old_for_the_binaries_built_here_is_refused_with_what_to_do() {
    for root in roots() {
        if let Some(said) = too_old(&root) {
            assert!(said.contains("needs GLIBC_2.") && said.contains("scripts/build-portable"), "{said}");
            assert_eq!(said.trim().lines().count(), 1, "{said}");
        }
    }
}

#[test]
fn a_rehearsal_has_a_verdict_for_each_step() {
    let Some((command, roots)) = command_and_roots() else { return };
    let (_parent, dir) = fresh();
    let own = host::libc_version().unwrap().parse::<Version>().unwrap();
    let older = roots.iter().filter(|root| root.version < own).flat_map(Root::flag);
    let newer = roots.iter().filter(|root| root.version >= own).flat_map(Root::flag);
    let libcs = older.chain(["--libc".to_owned(), "host".to_owned()]).chain(newer);
    let args =
        ["rehearse", "larson:ops=40k", "mail-server:ops=2k", "--threads", "4", "--rounds", "3", "--json"];
    let mut line = Command::new(command);
    line.env_remove("ARENALAB_LIBEXEC").args(args).args([
        "--allocators",
        "glibc",
        "--arena-max",
        "default,1",
    ]);
    let output = line.args(libcs).args(["--out", text(&dir)]).output().expect("arenalab can be started");
    // Three rounds of a noisy host decide between these.
    assert!(matches!(output.status.code(), Some(0 | 3 | 4)), "{}", both(&output));
    let told = json(&output);
    let steps = told["steps"].as_array().unwrap();
    assert_eq!(steps.len(), roots.len());
    let mut before = told["libcs"][0]["name"].clone();
    for step in steps {
        assert_eq!(step["from"], before, "each step begins where the one before it ends");
        before = step["to"].clone();
        let version = |side: &str| step[side].as_str().unwrap().parse::<Version>().unwrap();
        let (from, to) = (version("from_version"), version("to_version"));
        assert!(from <= to, "{from} to {to}");
        assert_eq!(step["expected"].as_array().unwrap().is_empty(), from == to, "{step}");
        let verdict = step["verdict"].as_str().unwrap();
        assert!(["unharmed", "mended", "undecided", "regression"].contains(&verdict), "{verdict}");
        assert!(!step["reason"].as_str().unwrap().is_empty());
        let scenarios = step["scenarios"].as_array().unwrap();
        assert_eq!(scenarios.len(), 2);
        for scenario in scenarios {
            assert_eq!(
                (&scenario["rounds"], scenario["candidates"].as_array().unwrap().len()),
                (&3.into(), 2)
            );
        }
    }
    for row in trials(&dir) {
        assert_eq!((&row["status"], &row["effect"]["verified"]), (&"ok".into(), &true.into()), "{row}");
    }
}
