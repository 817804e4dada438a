//! `arenalab record` and `arenalab trace`, as a user starts them.

mod common;

use std::io::{BufRead, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use common::{arenalab, both, json, run, run_expecting, text};
use serde_json::Value;

/// A program that runs for a while in several processes, with allocations by the thousand.
const SCRIPT: &str =
    "i=0; while [ $i -lt 3000 ]; do i=$((i+1)); x=\"$x$i\"; done; ls / >/dev/null; sleep 0.4";

fn recorded(directory: &Path) {
    let output = run_expecting(0, &["record", "-o", text(directory), "--", "bash", "-c", SCRIPT]);
    assert!(both(&output).contains("next: arenalab trace info"), "{}", both(&output));
}

#[test]
fn a_program_and_its_children_are_recorded_told_checked_exported_and_compressed() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path().join("rec");
    recorded(&dir);
    let info = json(&run_expecting(0, &["trace", "info", text(&dir), "--json"]));
    assert_eq!(info["replayable"], true, "{info:#}");
    assert_eq!(info["recording"]["command"][0], "bash");
    let processes = info["processes"].as_array().unwrap();
    let of = |name: &'static str| {
        processes.iter().filter(move |process| process["exe"].as_str().unwrap().ends_with(name))
    };
    assert!(of("/ls").count() == 1 && of("/bash").any(|process| process["forked"] == false), "{info:#}");
    let bash = of("/bash").max_by_key(|process| process["calls"].as_u64()).unwrap();
    assert!(bash["calls"].as_u64() > Some(3000) && bash["peak_live_bytes"].as_u64() > Some(10_000));
    assert_eq!((&bash["contradictions"], &bash["lost"]), (&Value::from(0), &Value::from(0)));
    let outside = std::fs::read_to_string(dir.join("outside.jsonl")).unwrap();
    let first: Value = serde_json::from_str(outside.lines().next().unwrap()).unwrap();
    assert_eq!(first["program"]["allocator"], "glibc", "{first:#}");
    assert!(
        first["rss"].as_u64() > Some(1 << 20) && first["threads"] == 1 && first["arenas"] == 1,
        "{first:#}"
    );
    assert!(both(&run_expecting(0, &["trace", "check", text(&dir)])).contains("sound"));
    let csv = run_expecting(0, &["trace", "export", text(&dir), "--format", "csv"]);
    let csv = String::from_utf8(csv.stdout).unwrap();
    let all: u64 = processes.iter().map(|process| process["calls"].as_u64().unwrap()).sum();
    let calls = csv.lines().skip(1).filter(|line| !line.contains(",thread_end,")).count();
    assert_eq!(calls as u64, all);
    let ndjson = run_expecting(0, &["trace", "export", text(&dir), "--pid", &bash["pid"].to_string()]);
    let line: Value =
        serde_json::from_slice(ndjson.stdout.split(|byte| *byte == b'\n').next().unwrap()).unwrap();
    assert_eq!(line["pid"], bash["pid"]);
    run_expecting(0, &["trace", "compress", text(&dir)]);
    let again = json(&run_expecting(0, &["trace", "info", text(&dir), "--json"]));
    for (before, after) in processes.iter().zip(again["processes"].as_array().unwrap()) {
        assert_eq!((&before["calls"], &before["live"]), (&after["calls"], &after["live"]));
        assert!(before["file_bytes"].as_u64() > after["file_bytes"].as_u64());
    }
    run_expecting(0, &["trace", "check", text(&dir)]);
    run_expecting(2, &["record", "-o", text(&dir), "--", "true"]);
}

#[test]
fn damage_is_told_with_its_place_and_exits_with_3() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path().join("rec");
    recorded(&dir);
    let files = std::fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().path());
    let file = files.filter(|path| path.extension().is_some_and(|e| e == "trace")).min().unwrap();
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[4096 + 64] ^= 0x0f;
    bytes[4096 + 70] = 0xff;
    std::fs::write(&file, bytes).unwrap();
    let output = run_expecting(3, &["trace", "check", text(&dir), "--json"]);
    let damage = &json(&output)["damages"][0];
    assert_eq!(damage["file"], file.file_name().unwrap().to_str().unwrap());
    assert!(damage["at"].as_u64() >= Some(4096));
}

#[test]
fn what_cannot_be_recorded_is_one_clear_line() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path().join("rec");
    let told = |code: i32, arguments: &[&str]| {
        let output = run(&[&["record", "-o", text(&dir)], arguments].concat());
        assert_eq!(output.status.code(), Some(code), "{}", both(&output));
        let said = String::from_utf8_lossy(&output.stderr).trim_end().to_owned();
        assert_eq!(said.lines().count(), 1, "{said}");
        said
    };
    assert!(told(2, &["--", "/nowhere/program"]).contains("there is no program"));
    assert!(told(2, &["--sample", "64", "--", "true"]).contains("write it as 1/64"));
    assert!(told(2, &["--for", "5", "--", "true"]).contains("--for: "));
    assert!(told(2, &["--max-size", "1KiB", "--", "true"]).contains("64KiB at least"));
    let statically = root.path().join("static");
    let source = root.path().join("static.c");
    std::fs::write(&source, "int main(void) { return 0; }\n").unwrap();
    let built = Command::new("cc").arg("-static").arg(&source).arg("-o").arg(&statically).status();
    if built.is_ok_and(|status| status.success()) {
        assert!(told(2, &["--", text(&statically)]).contains("linked statically"));
    }
    let mut without = arenalab();
    without.args(["record", "-o", text(&dir), "--", "true"]).env("ARENALAB_LIBEXEC", root.path());
    let output = without.output().unwrap();
    // Where the library lies beside the program it is found all the same.
    let beside = Path::new(env!("CARGO_BIN_EXE_arenalab")).with_file_name("libarenalab_record.so").exists();
    if !beside {
        assert_eq!(output.status.code(), Some(1));
        assert!(both(&output).contains("libarenalab_record.so is not in"));
    }
}

#[test]
fn a_program_that_fails_or_outlives_the_recording_is_told() {
    let root = tempfile::tempdir().unwrap();
    let dir = |name: &str| root.path().join(name);
    let failing = dir("failing");
    let output = run_expecting(1, &["record", "-o", text(&failing), "--", "bash", "-c", "exit 7"]);
    assert!(both(&output).contains("bash ended with exit code 7; it was recorded"), "{}", both(&output));
    // It runs on after that, whether it allocates then or not.
    let long = "i=0; while [ $SECONDS -lt 2 ]; do i=$((i+1)); x=$i; done";
    for (name, script) in [("short", long), ("asleep", "x=1; sleep 1"), ("later", "sleep 1; ls / >/dev/null")]
    {
        let short = dir(name);
        let output =
            run_expecting(0, &["record", "-o", text(&short), "--for", "100ms", "--", "bash", "-c", script]);
        let said = both(&output);
        let ended = "recording ended after 100 ms as asked (--for); the program ran on";
        assert_eq!(said.matches("recording ended").count(), 1, "{said}");
        assert!(said.contains(ended), "{said}");
        run_expecting(0, &["trace", "check", text(&short)]);
        let info = json(&run_expecting(0, &["trace", "info", text(&short), "--json"]));
        let exes =
            info["processes"].as_array().unwrap().iter().map(|process| process["exe"].as_str().unwrap());
        assert_eq!(exes.filter(|exe| exe.ends_with("/ls")).count(), 0, "what begins later is not recorded");
    }
    let small = dir("small");
    let output =
        run_expecting(0, &["record", "-o", text(&small), "--max-size", "64KiB", "--", "bash", "-c", SCRIPT]);
    assert!(both(&output).contains("--max-size"), "{}", both(&output));
}

#[test]
fn what_is_printed_for_services_records_what_it_is_given_to() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path().join("rec");
    std::fs::create_dir(&dir).unwrap();
    let output = run_expecting(0, &["record", "--print-env", text(&dir)]);
    let printed = String::from_utf8(output.stdout).unwrap();
    let exports: String =
        printed.lines().filter(|line| line.starts_with("export ")).collect::<Vec<_>>().join("\n");
    let status = Command::new("sh").args(["-c", &format!("{exports}\nexec ls /")]).output().unwrap().status;
    assert!(status.success());
    let info = json(&run_expecting(0, &["trace", "info", text(&dir), "--json"]));
    assert!(
        info["processes"]
            .as_array()
            .unwrap()
            .iter()
            .any(|process| process["exe"].as_str().unwrap().ends_with("/ls"))
    );
    assert!(info["recording"].is_null());
}

#[test]
fn ctrl_c_goes_to_the_program_and_what_was_recorded_is_there() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path().join("rec");
    let mut command = arenalab();
    // It says when it is at work, and ends by itself should nobody end it.
    let script = "trap 'echo caught; exit 3' INT; echo begun; for i in $(seq 600); do sleep 0.1; done";
    command.args(["record", "-o", text(&dir), "--", "bash", "-c", script]);
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut said = String::new();
    let mut lines = std::io::BufReader::new(child.stdout.take().unwrap());
    lines.read_line(&mut said).unwrap();
    assert_eq!(said, "begun\n");
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    lines.read_to_string(&mut said).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), said.as_str()), (Some(130), "begun\ncaught\n"), "{}", both(&output));
    assert!(both(&output).contains("next: arenalab trace info"), "{}", both(&output));
    run_expecting(0, &["trace", "check", text(&dir)]);
}

#[test]
fn a_program_with_a_malloc_of_its_own_or_with_another_user_s_rights_is_told() {
    let root = tempfile::tempdir().unwrap();
    let (source, own) = (root.path().join("own.c"), root.path().join("own"));
    let text_of = "#include <stdio.h>\n#include <stddef.h>\nstatic char all[1 << 20]; static size_t used;\n\
                   void *malloc(size_t size) { used += (size + 15) / 16 * 16; return all + used - (size + 15) / 16 * 16; }\n\
                   void free(void *object) { (void)object; }\n\
                   int main(void) { char *object = malloc(40); free(object); return object == NULL; }\n";
    std::fs::write(&source, text_of).unwrap();
    let built = Command::new("cc").arg("-fno-builtin").arg(&source).arg("-o").arg(&own).status();
    if !built.is_ok_and(|status| status.success()) {
        eprintln!("skipped: no cc");
        return;
    }
    let dir = root.path().join("rec");
    let output = run_expecting(1, &["record", "-o", text(&dir), "--", text(&own)]);
    assert!(both(&output).contains("it has a malloc of its own"), "{}", both(&output));
    std::fs::set_permissions(&own, std::fs::Permissions::from_mode(0o4755)).unwrap();
    if std::os::unix::fs::chown(&own, Some(65534), Some(65534)).is_err() {
        eprintln!("skipped: this user may not give files away");
        return;
    }
    std::fs::set_permissions(&own, std::fs::Permissions::from_mode(0o4755)).unwrap();
    let again = root.path().join("again");
    let output = run_expecting(2, &["record", "-o", text(&again), "--", text(&own)]);
    let said = String::from_utf8_lossy(&output.stderr).trim_end().to_owned();
    assert!(said.lines().count() == 1 && said.contains("setuid"), "{said}");
}

/// A service that says that it is ready, its driver and its stop.
const PLAN: &str = r#"
[[workload]]
name = "service"
command = ["bash", "-c", "i=0; while [ $i -lt 500 ]; do i=$((i+1)); x=$x$i; done; touch {dir}/ready; while :; do sleep 0.05; done"]
ready = { file = "{dir}/ready" }
driver = ["bash", "-c", "test -e {dir}/ready && echo 12 answers a second"]
throughput = { from = "driver", regex = "([0-9]+) answers a second", unit = "answers/s" }
stop = { signal = "TERM", grace = "5s" }

[[workload]]
name = "fails"
command = ["bash", "-c", "exit 4"]
driver = ["sleep", "30"]
throughput = { from = "driver", regex = "([0-9]+)", unit = "answers/s" }

[sweep]
allocators = ["glibc"]
"#;

#[test]
fn a_program_of_a_plan_is_made_ready_driven_stopped_and_recorded() {
    let root = tempfile::tempdir().unwrap();
    let (dir, plan) = (root.path().join("rec"), root.path().join("plan.toml"));
    std::fs::write(&plan, PLAN).unwrap();
    let record = |code, directory: &Path, workload: &[&str]| {
        let arguments = [&["record", "--plan", text(&plan), "-o", text(directory)], workload].concat();
        both(&run_expecting(code, &arguments))
    };
    let said = record(2, &dir, &[]);
    assert!(said.contains("name one with --workload: service, fails"), "{said}");
    assert!(record(2, &dir, &["--workload", "other"]).contains("the plan has no program"));
    let said = record(0, &dir, &["--workload", "service"]);
    assert!(said.contains("service was driven to its end: 12 answers/s while it was recorded"), "{said}");
    let info = json(&run_expecting(0, &["trace", "info", text(&dir), "--json"]));
    let processes = info["processes"].as_array().unwrap();
    let is = |process: &Value, name: &str| process["exe"].as_str().unwrap().ends_with(name);
    let service =
        processes.iter().find(|process| is(process, "/bash") && process["forked"] == false).unwrap();
    assert!(service["calls"].as_u64() > Some(500), "{info:#}");
    let drivers = processes.iter().filter(|process| is(process, "/bash") && process["forked"] == false);
    assert_eq!(drivers.count(), 1, "the driver is not recorded");
    run_expecting(0, &["trace", "check", text(&dir)]);
    let said = record(1, &root.path().join("failed"), &["--workload", "fails"]);
    assert!(said.contains("fails: it ended before its work was done; what it printed is in"), "{said}");
}
