//! Heaps of programs of the user's own in the records of their trials, held against what `malloc_info` says in them.

mod common;

use std::path::Path;
use std::process::Command;

use common::programs::{rows, write};
use common::{both, fresh, run_expecting, text};
use serde_json::Value;

/// Some pages: what the program needs to say what it says.
const SLACK: i64 = 8 * 4096;

/// Trials of the program, which stands still while its driver takes its time. The price of a look is in the time of
/// the work, which is so long that looks are made.
fn trials(arguments: &str, candidates: &str) -> (tempfile::TempDir, Vec<Value>) {
    let (parent, dir) = fresh();
    let program = parent.path().join("anatomy");
    let source = format!("{}/tests/programs-src/anatomy.c", env!("CARGO_MANIFEST_DIR"));
    let made = Command::new("cc").args(["-O1", "-pthread", &source, "-o"]).arg(&program).output().unwrap();
    assert!(made.status.success(), "{}", both(&made));
    let plan = format!(
        "[[workload]]\nname = \"still\"\ncommand = [\"{}\", {arguments}]\nready = {{ log = \"said .*\\n\" }}\n\
         driver = [\"sleep\", \"8\"]\n[sweep]\ncandidates = [{candidates}]\n[measure]\nrounds = 1\nidle = \"100ms\"\n",
        program.display()
    );
    let plan = write(parent.path(), "plan.toml", &plan);
    let rows = rows(&dir, &["--plan", text(&plan)]);
    (parent, rows)
}

/// What `malloc_info` counted: bytes from the system, free ones, of mapped blocks, arenas.
fn said(dir: &Path, row: &Value) -> [i64; 4] {
    let log = dir.join("campaign").join(row["program"]["output"][0].as_str().unwrap());
    let log = std::fs::read_to_string(log).unwrap();
    let numbers = log.trim().strip_prefix("said ").unwrap().split(' ').map(|word| word.parse().unwrap());
    numbers.collect::<Vec<i64>>().try_into().unwrap()
}

#[track_caller]
fn number(heaps: &Value, name: &str) -> i64 {
    heaps[name].as_i64().unwrap_or_else(|| panic!("{name} in {heaps}"))
}

/// Holds a record against the truth.
#[track_caller]
fn is_true(row: &Value, [system, free, mapped, arenas]: [i64; 4]) {
    let heaps = &row["program"]["heaps"];
    let near = |found: i64, told: i64, what: &str| {
        assert!(
            (found - told).abs() <= SLACK,
            "{what}: {found} from outside, {told} by malloc_info: {heaps}"
        );
    };
    assert_eq!(number(heaps, "arenas"), arenas, "{heaps}");
    near(number(heaps, "system"), system, "system");
    near(number(heaps, "mmapped"), mapped, "mapped blocks");
    near(number(heaps, "free") + number(heaps, "top"), free, "free");
    // What the arenas need for themselves is neither.
    near(number(heaps, "in_use"), system - free, "in use");
    // Every block was written to, and is smaller than a page.
    let resident = number(heaps, "free_resident");
    assert!(resident > 0 && (resident - number(heaps, "free")).abs() <= SLACK * arenas, "{heaps}");
    assert!(number(heaps, "top_resident") <= number(heaps, "top") + 4096 * arenas, "{heaps}");
    let rss = |kinds: &[&str]| -> i64 {
        let rows = heaps["rows"].as_array().unwrap().iter();
        rows.filter(|row| kinds.contains(&row["kind"].as_str().unwrap())).map(|row| number(row, "rss")).sum()
    };
    near(rss(&["mapped blocks"]), mapped, "mapped blocks in memory");
    let in_memory = rss(&["main heap", "thread arenas"]);
    assert!(in_memory <= system + SLACK && in_memory > number(heaps, "in_use"), "{heaps}");
    assert!(rss(&["files"]) > 0 && rss(&["stacks"]) > 0, "{heaps}");
    assert_eq!((&heaps["passed"], &heaps["left_out"]), (&1.0.into(), &0.into()), "{heaps}");
    // As built-in workloads say it.
    assert_eq!(number(&row["anatomy"], "free"), number(heaps, "free") + number(heaps, "top"));
    assert_eq!(number(&row["anatomy"], "mmapped"), number(heaps, "mmapped"));
    // It stands still; a busy host may have made the first look so dear that no second one was paid for.
    match row["anatomy"]["free_drained"].as_i64() {
        Some(drained) => near(drained, free, "free after the idle wait"),
        None => println!("not paid for: {heaps}"),
    }
}

/// The page of a campaign's report.
fn reported(dir: &Path) -> String {
    run_expecting(0, &["report", text(dir)]);
    std::fs::read_to_string(dir.join("report/index.html")).unwrap()
}

#[test]
fn a_known_anatomy_is_found_with_and_without_a_limit() {
    let (parent, rows) = trials("\"3\"", "\"glibc:arena_max=1\"");
    assert_eq!(rows.len(), 3);
    for row in &rows {
        assert_eq!(row["status"], "ok", "{row}");
        let truth = said(parent.path(), row);
        is_true(row, truth);
        assert_eq!(truth[3], if row["candidate"] == "glibc" { 4 } else { 1 });
        assert_eq!(row["arenas"]["observed"], truth[3], "{row}");
        let heaps = &row["program"]["heaps"];
        assert_eq!((&heaps["processes"], &heaps["of_glibc"]), (&1.into(), &1.into()), "{heaps}");
        let rss: i64 = heaps["rows"].as_array().unwrap().iter().map(|row| number(row, "rss")).sum();
        let end = row["rss"]["end"].as_i64().unwrap();
        assert!((rss - end).abs() <= end / 50, "rows {rss}, {end} at the end: {row}");
        println!("{}: {heaps}", row["candidate"]);
    }
    let dir = parent.path().join("campaign");
    let page = reported(&dir);
    assert!(page.contains("Heaps were read from outside in 3 of 3 trials."), "it says whose heaps were read");
    let chart = std::fs::read_to_string(dir.join("report/charts/anatomy-still.svg")).unwrap();
    assert!(chart.contains("Free in malloc, but resident: "), "the finding");
    assert_eq!(chart.matches("class=\"spot\"").count(), 2, "a bar for each candidate");
}

#[test]
fn processes_of_a_tree_are_summed() {
    let (parent, rows) = trials("\"1\", \"2\"", "\"glibc\"");
    for row in &rows {
        assert_eq!(row["status"], "ok", "{row}");
        is_true(row, said(parent.path(), row));
        let heaps = &row["program"]["heaps"];
        assert_eq!((&heaps["processes"], &heaps["of_glibc"]), (&2.into(), &2.into()), "{heaps}");
        assert_eq!(heaps["not_seen"], Value::Array(Vec::new()));
    }
}

#[test]
fn another_allocator_is_named_and_nothing_is_zero() {
    let library = "/usr/lib/x86_64-linux-gnu/libjemalloc.so.2";
    let candidate =
        if Path::new(library).exists() { format!("preload={library}") } else { "jemalloc".to_owned() };
    let (_parent, rows) = trials("\"1\"", &format!("\"{candidate}\""));
    let row = rows.iter().find(|row| row["candidate"] != "glibc").unwrap();
    assert_eq!(row["status"], "ok", "{row}");
    let heaps = &row["program"]["heaps"];
    assert_eq!((&heaps["processes"], &heaps["of_glibc"]), (&1.into(), &0.into()), "{heaps}");
    for unknown in ["arenas", "system", "in_use", "free", "free_resident", "top", "tcache", "mmapped"] {
        assert_eq!(heaps[unknown], Value::Null, "{heaps}");
    }
    assert_eq!(row["anatomy"], Value::Null);
    let why = heaps["not_seen"][0].as_str().unwrap();
    assert!(why.contains("jemalloc serves its malloc, whose arenas are not read"), "{why}");
    let other =
        heaps["rows"].as_array().unwrap().iter().find(|row| row["kind"] == "other anonymous").unwrap();
    assert!(number(other, "rss") > 9 << 20, "its three large blocks at least: {heaps}");
}

#[test]
fn work_too_short_to_pay_for_a_look_is_left_alone_and_says_so() {
    let (_parent, dir) = fresh();
    let batch = ["--rounds", "1", "--allocators", "glibc", "--arena-max", "default", "--work", "1", "--"];
    for row in rows(&dir, &[&batch[..], &["sleep", "0.1"]].concat()) {
        assert_eq!(row["status"], "ok", "{row}");
        let heaps = &row["program"]["heaps"];
        // A host may be so busy that it was over before anybody came to it, or took so long that a look was paid for.
        if row["wall_s"].as_f64().unwrap() > 0.3 || heaps.is_null() {
            println!("not shown: {row}");
            continue;
        }
        assert_eq!(
            (&heaps["processes"], &heaps["in_use"], &heaps["at_s"]),
            (&0.into(), &Value::Null, &Value::Null)
        );
        let why = heaps["not_seen"][0].as_str().unwrap();
        assert!(why.starts_with("its heaps were left alone") && why.contains("of CPU time, over"), "{why}");
        assert_eq!(row["anatomy"], Value::Null);
        let page = reported(&dir);
        assert!(page.contains("left alone: a look would have cost over 1"), "the report says so");
    }
}

#[test]
fn a_batch_job_is_looked_at_while_it_runs() {
    let (_parent, dir) = fresh();
    let batch = ["--rounds", "1", "--allocators", "glibc", "--arena-max", "default", "--work", "1", "--"];
    for row in rows(&dir, &[&batch[..], &["sleep", "1.5"]].concat()) {
        let heaps = &row["program"]["heaps"];
        assert_eq!((&heaps["processes"], &heaps["arenas"]), (&1.into(), &1.into()), "{row}");
        let passed = heaps["passed"].as_f64().unwrap();
        assert!(passed > 0.0 && passed <= 1.0, "{heaps}");
        assert!(heaps["cpu_s"].as_f64().unwrap() > 0.0);
    }
}
