//! Programs of the user's own under the lab: batch jobs, services, daemons, and all the ways in which they go
//! wrong. Small real programs in C, Python and sh; no wall-clock time is asserted.

mod common;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use common::{arenalab, both, eventually, fresh, processes_with, text, trials};
use serde_json::Value;

/// A service in Python: listens on its first argument's port and answers each connection's bytes.
const SERVICE: &str = "
import os, socket, sys, threading, time
mode = sys.argv[2] if len(sys.argv) > 2 else ''
if mode == 'daemon':
    if os.fork(): os._exit(0)
    os.setsid()
    if os.fork(): os._exit(0)
if mode == 'mute': time.sleep(600)
listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind(('127.0.0.1', int(sys.argv[1])))
listener.listen(16)
print('listening', flush=True)
if mode == 'crash':
    if os.fork() == 0:
        time.sleep(0.3); os.abort()
keep = []
while True:
    connection, _ = listener.accept()
    got = connection.recv(16)
    keep.append(bytearray(len(got) * 4096))
    try: connection.sendall(got)
    except OSError: pass
    connection.close()
";

/// Its load generator.
const DRIVER: &str = "
import socket, sys, time
mode = sys.argv[2] if len(sys.argv) > 2 else ''
if mode == 'endless': time.sleep(600)
if mode == 'slow': time.sleep(1.5)
for _ in range(50):
    c = socket.create_connection(('127.0.0.1', int(sys.argv[1])))
    c.sendall(b'x' * 8); c.recv(8); c.close()
print({'none': 'done', 'word': 'rate: fast/s', 'nan': 'rate: nan/s', 'negative': 'rate: -5/s',
       'huge': 'rate: 1e999/s'}.get(mode, 'rate: 50.5/s'))
print('{\"p99\": 1.25}')
";

/// The interpreter itself: what stands in PATH may be a wrapper.
fn python() -> String {
    let output = Command::new("python3").args(["-c", "import sys; print(sys.executable)"]).output();
    String::from_utf8(output.expect("python3 is there").stdout).unwrap().trim().to_owned()
}

fn write(dir: &Path, name: &str, content: &str) -> PathBuf {
    let path = dir.join(name);
    std::fs::write(&path, content).unwrap();
    path
}

/// A plan for the service with what a test wants besides; `MODES` are those of service and driver.
fn plan(parent: &Path, modes: (&str, &str), more: &str, measure: &str) -> PathBuf {
    let (service, driver) = (write(parent, "service.py", SERVICE), write(parent, "driver.py", DRIVER));
    let python = python();
    let text = format!(
        "[[workload]]\nname = \"echo\"\ncommand = [\"{python}\", \"{}\", \"{{port}}\", \"{}\"]\n\
         driver = [\"{python}\", \"{}\", \"{{port}}\", \"{}\"]\nready_timeout = \"5s\"\n{more}\n\
         [sweep]\nallocators = [\"glibc\"]\narena_max = [\"default\"]\n[measure]\nrounds = 1\n{measure}\n",
        service.display(),
        modes.0,
        driver.display(),
        modes.1,
    );
    write(parent, "plan.toml", &text)
}

const READY: &str = "ready = { tcp = \"127.0.0.1:{port}\" }";
const RATE: &str = "throughput = { from = \"driver\", regex = \"rate: (.*)/s\", unit = \"requests/s\" }";

/// Sweeps with a mark in the environment of all processes.
fn sweep(dir: &Path, args: &[&str]) -> (Output, String) {
    let mark = format!("ARENALAB_TEST_MARK={}", dir.display());
    let (name, value) = mark.split_once('=').unwrap();
    let mut command = arenalab();
    command.arg("sweep").args(["--out", text(dir)]).args(args).env(name, value);
    (command.output().unwrap(), mark)
}

#[track_caller]
fn rows(dir: &Path, args: &[&str]) -> Vec<Value> {
    let (output, mark) = sweep(dir, args);
    assert_eq!(output.status.code(), Some(0), "{}", both(&output));
    nothing_is_left(&mark);
    trials(dir)
}

/// No process with the mark, which every listener would have.
#[track_caller]
fn nothing_is_left(mark: &str) {
    assert!(eventually(5, || processes_with(mark).is_empty()), "{:?}", processes_with(mark));
}

#[track_caller]
fn serve(modes: (&str, &str), more: &str, measure: &str) -> Vec<Value> {
    let (parent, dir) = fresh();
    let plan = plan(parent.path(), modes, more, measure);
    rows(&dir, &["--plan", text(&plan)])
}

#[track_caller]
fn all_are(rows: &[Value], status: &str, reason: &str) {
    assert_eq!(rows.len(), 2, "the baseline and its twin");
    for row in rows {
        assert_eq!(row["status"], status, "{row}");
        assert!(row["reason"].as_str().unwrap_or("").contains(reason), "{row}");
    }
}

#[test]
fn a_batch_job_is_measured_by_wall_time_or_by_what_it_prints() {
    let (_parent, dir) = fresh();
    let batch = ["--rounds", "1", "--allocators", "glibc", "--arena-max", "default", "--work", "10", "--"];
    let rows = rows(&dir, &[&batch[..], &["/bin/sh", "-c", "sleep 0.2; echo done"]].concat());
    for row in &rows {
        assert_eq!(row["status"], "ok", "{row}");
        let rate = row["wall_s"].as_f64().unwrap() * row["throughput"]["value"].as_f64().unwrap();
        assert!((rate - 10.0).abs() < 1e-6, "{row}");
        assert_eq!((&row["threads"], &row["workload"]), (&Value::from(0), &Value::from("sh")));
        let log = dir.join(row["program"]["output"][0].as_str().unwrap());
        assert_eq!(std::fs::read_to_string(log).unwrap(), "done\n");
    }
}

#[test]
fn a_service_is_driven_and_stopped_and_its_figures_are_read() {
    let more = format!("{READY}\n{RATE}\nlatency = {{ from = \"driver\", json = \"/p99\", unit = \"ms\" }}");
    for row in serve(("", ""), &more, "idle = \"100ms\"") {
        assert_eq!(row["status"], "ok", "{row}");
        assert_eq!(row["throughput"]["value"], 50.5);
        assert_eq!(row["program"]["latency"]["value"], 1.25);
        assert!(row["rss"]["drained"].as_u64().unwrap() > 1 << 20, "{row}");
        assert_eq!(row["program"]["processes"][0]["role"], "main");
        assert_eq!(row["allocator"]["name"], "glibc", "{row}");
        assert_eq!(row["effect"]["verified"], true, "{row}");
        assert!(row["program"]["stopped"].as_str().unwrap().contains("signal 15"), "{row}");
    }
}

#[test]
fn readiness_can_be_a_line_of_its_log() {
    let rows = serve(("", ""), &format!("ready = {{ log = \"^listen\" }}\n{RATE}"), "");
    assert!(rows.iter().all(|row| row["status"] == "ok"), "{rows:?}");
}

#[test]
fn a_daemon_that_double_forks_is_followed_as_a_service_and_refused_as_a_batch_job() {
    let rows = serve(("daemon", ""), &format!("{READY}\n{RATE}"), "");
    for row in &rows {
        assert_eq!(row["status"], "ok", "{row}");
        assert_eq!(row["program"]["processes"][0]["role"], "main", "{row}");
    }
    let (_parent, dir) = fresh();
    let batch = ["--rounds", "1", "--allocators", "glibc", "--arena-max", "default", "--"];
    let daemon = ["/bin/sh", "-c", "setsid sleep 600 & exit 0"];
    all_are(&self::rows(&dir, &[&batch[..], &daemon].concat()), "failed", "a daemon?");
}

#[test]
fn a_worker_that_crashes_is_a_row() {
    let rows = serve(("crash", "slow"), &format!("{READY}\n{RATE}"), "");
    // Told by a pidfd from Linux 6.15 on; before, only its own parent is told.
    if rows.iter().all(|row| row["status"] == "ok") {
        let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
        let mut parts = release.split(['.', '-']).filter_map(|part| part.parse::<u32>().ok());
        assert!((parts.next(), parts.next()) < (Some(6), Some(15)), "{rows:?}");
        return;
    }
    all_are(&rows, "crashed", "SIGABRT");
}

#[test]
fn a_driver_that_never_ends_is_a_row() {
    let rows = serve(("", "endless"), &format!("{READY}\n{RATE}"), "timeout = \"3s\"");
    all_are(&rows, "timeout", "the driver was still running");
}

#[test]
fn a_port_in_use_is_a_row() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let rows = serve(("", ""), &format!("ready = {{ tcp = \"127.0.0.1:{port}\" }}\n{RATE}"), "");
    all_are(&rows, "failed", "something already listens on");
}

#[test]
fn a_ready_check_that_never_comes_is_a_row() {
    let ready = READY.to_owned() + "\n" + RATE;
    let rows = serve(("mute", ""), &ready, "timeout = \"2s\"");
    all_are(&rows, "timeout", "nothing accepts connections on");
}

#[test]
fn a_program_that_ends_before_it_is_ready_is_a_row_with_its_last_words() {
    let (parent, dir) = fresh();
    let plan = plan(parent.path(), ("", ""), READY, "");
    let broken = std::fs::read_to_string(&plan).unwrap().replace("\"{port}\", \"\"]", "\"not-a-port\"]");
    std::fs::write(&plan, broken).unwrap();
    all_are(
        &rows(&dir, &["--plan", text(&plan)]),
        "failed",
        "before it was ready: the program exited with code 1",
    );
}

#[test]
fn output_without_the_number_or_with_none_is_a_row() {
    for (mode, why) in [
        ("none", "nothing in it matches"),
        ("word", "'fast' is no number"),
        ("nan", "not finite"),
        ("negative", "negative"),
        ("huge", "not finite"),
    ] {
        all_are(&serve(("", mode), &format!("{READY}\n{RATE}"), ""), "failed", why);
    }
}

#[test]
fn teardown_runs_whatever_became_of_the_trial() {
    let (parent, dir) = fresh();
    let witness = parent.path().join("torn-down");
    let more = format!("{READY}\n{RATE}\nteardown = [\"touch\", \"{}\"]", witness.display());
    let plan = plan(parent.path(), ("mute", ""), &more, "timeout = \"1s\"");
    all_are(&rows(&dir, &["--plan", text(&plan)]), "timeout", "nothing accepts");
    assert!(witness.exists());
}

#[test]
fn nothing_that_is_printed_is_lost_silently() {
    let (_parent, dir) = fresh();
    let batch = ["--rounds", "1", "--allocators", "glibc", "--arena-max", "default", "--"];
    let loud = ["/bin/sh", "-c", "echo first; head -c 3000000 /dev/zero | tr '\\0' x; echo; echo last"];
    let rows = rows(&dir, &[&batch[..], &loud].concat());
    let log = std::fs::read(dir.join(rows[0]["program"]["output"][0].as_str().unwrap())).unwrap();
    assert!(log.len() < (1 << 20) + 100 && log.starts_with(b"first\n") && log.ends_with(b"\nlast\n"));
    assert!(String::from_utf8_lossy(&log).contains("[arenalab left out "));
}

fn compile(dir: &Path, source: &str, flags: &[&str]) -> PathBuf {
    let (code, program) = (write(dir, "program.c", source), dir.join("program"));
    let done =
        Command::new("cc").args(["-O1", "-pthread", "-o"]).args([&program, &code]).args(flags).output();
    let done = done.expect("cc is there");
    assert!(done.status.success(), "{}", both(&done));
    program
}

/// Makes arenas, says how many `malloc_info` counts, and stands still until it is told to end.
const ARENAS: &str = "
#define _GNU_SOURCE
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
static pthread_barrier_t all;
static void *work(void *arg) {
    char **kept = malloc(2000 * sizeof *kept);
    pthread_barrier_wait(&all);
    for (int i = 0; i < 2000; i++) { kept[i] = malloc(60000); memset(kept[i], 1, 60000); }
    pthread_barrier_wait(&all);
    pause();
    return arg;
}
int main(void) {
    pthread_t thread;
    pthread_barrier_init(&all, 0, 7);
    for (int i = 0; i < 6; i++) pthread_create(&thread, 0, work, 0);
    pthread_barrier_wait(&all);
    pthread_barrier_wait(&all);
    char *text; size_t size; int arenas = 0;
    FILE *stream = open_memstream(&text, &size);
    malloc_info(0, stream); fclose(stream);
    for (char *at = text; (at = strstr(at, \"<heap nr=\")); at++) arenas++;
    printf(\"arenas %d\\n\", arenas); fflush(stdout);
    pause();
}
";

/// A plan for a program that stands still once it has printed, with a driver that does nothing.
fn standing(parent: &Path, program: &Path, candidates: &str) -> PathBuf {
    let text = format!(
        "[[workload]]\nname = \"still\"\ncommand = [\"{}\"]\nready = {{ log = \"[0-9]\\n\" }}\ndriver = [\"sleep\", \"0.3\"]\n\
         [sweep]\ncandidates = [{candidates}]\n[measure]\nrounds = 1\n",
        program.display()
    );
    write(parent, "plan.toml", &text)
}

#[test]
fn arenas_from_outside_agree_with_malloc_info_and_a_limit_is_proven() {
    let (parent, dir) = fresh();
    let program = compile(parent.path(), ARENAS, &[]);
    let plan = standing(parent.path(), &program, "\"glibc:arena_max=3\"");
    let rows = rows(&dir, &["--plan", text(&plan)]);
    assert_eq!(rows.len(), 3);
    for row in &rows {
        assert_eq!((&row["status"], &row["effect"]["verified"]), (&"ok".into(), &true.into()), "{row}");
        let log = std::fs::read_to_string(dir.join(row["program"]["output"][0].as_str().unwrap())).unwrap();
        let told: i64 = log.trim().strip_prefix("arenas ").unwrap().parse().unwrap();
        let seen = row["arenas"]["observed"].as_i64().unwrap();
        println!("{}: {seen} arenas from outside, malloc_info {told}", row["candidate"]);
        assert!((seen - told).abs() <= 1, "malloc_info counts {told}: {row}");
        assert_eq!(row["candidate"] == "glibc:arena_max=3", told == 3, "{log}");
    }
}

#[test]
fn a_static_program_cannot_be_preloaded_and_a_tree_is_summed_by_shares() {
    let (parent, dir) = fresh();
    // A parent whose memory its children share.
    let source = "
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
int main(void) {
    char *kept = malloc(64 << 20); memset(kept, 1, 64 << 20);
    for (int i = 0; i < 3; i++) if (!fork()) {
        char *own = malloc(8 << 20); memset(own, 1, 8 << 20); pause(); }
    sleep(1); printf(\"1\\n\"); fflush(stdout); pause();
}";
    let program = compile(parent.path(), source, &["-static"]);
    let plan = standing(parent.path(), &program, "\"preload=/nowhere/libx.so\"");
    let rows = rows(&dir, &["--plan", text(&plan)]);
    let (none, of_baseline): (Vec<_>, Vec<_>) = rows.iter().partition(|row| row["candidate"] != "glibc");
    assert_eq!(none[0]["status"], "unsupported", "{}", none[0]);
    let reason = none[0]["reason"].as_str().unwrap();
    assert!(reason.starts_with("no-op: ") && reason.contains("linked statically"), "{reason}");
    for row in of_baseline {
        assert_eq!(row["status"], "ok", "{row}");
        let (end, rss) = (row["rss"]["end"].as_f64().unwrap(), |at: usize| {
            row["program"]["processes"][at]["rss"].as_f64()
        });
        // 64 MiB once and 8 MiB three times; by resident size it would be four times 64 MiB.
        assert!((end - f64::from(88 << 20)).abs() < f64::from(2 << 20), "{row}");
        assert!(rss(3).unwrap() > f64::from(60 << 20), "{row}");
    }
}

#[test]
fn memory_of_a_tree_is_the_sum_taken_by_hand() {
    let (parent, dir) = fresh();
    // Takes the sum itself once all stand still. It is static, and shares nothing with other processes of the host.
    let source = "
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
static long pss(int pid) {
    char line[256]; long sum = 0, kib; sprintf(line, \"/proc/%d/smaps_rollup\", pid);
    FILE *file = fopen(line, \"r\");
    while (fgets(line, sizeof line, file)) if (sscanf(line, \"Pss: %ld\", &kib) == 1) sum += kib;
    fclose(file);
    return sum * 1024;
}
int main(void) {
    char *kept = malloc(40 << 20); memset(kept, 1, 40 << 20);
    int children[2];
    for (int i = 0; i < 2; i++) if (!(children[i] = fork())) {
        char *own = malloc(10 << 20); memset(own, 2, 10 << 20); pause(); }
    sleep(1);
    printf(\"pss %ld 0\\n\", pss(getpid()) + pss(children[0]) + pss(children[1])); fflush(stdout);
    pause();
}";
    let program = compile(parent.path(), source, &["-static"]);
    let plan = standing(parent.path(), &program, "\"glibc\"");
    for row in rows(&dir, &["--plan", text(&plan)]) {
        assert_eq!(row["status"], "ok", "{row}");
        let log = std::fs::read_to_string(dir.join(row["program"]["output"][0].as_str().unwrap())).unwrap();
        let by_hand: f64 = log.split_whitespace().nth(1).unwrap().parse().unwrap();
        let end = row["rss"]["end"].as_f64().unwrap();
        println!("tree by arenalab {end}, by hand {by_hand}: ratio {:.5}", end / by_hand);
        assert!((end / by_hand - 1.0).abs() < 0.01, "{end} against {by_hand}: {row}");
        assert_eq!(row["program"]["processes"].as_array().unwrap().len(), 3);
    }
}

#[test]
fn flags_and_keys_mean_the_same_and_a_plan_is_read_back() {
    let (parent, _) = fresh();
    let flags = [
        "sweep",
        "--print-plan",
        "--name",
        "echo",
        "--driver",
        "load 'a b' {port}",
        "--ready",
        "tcp=127.0.0.1:{port}",
        "--ready-timeout",
        "3s",
        "--stop",
        "INT",
        "--stop-grace",
        "2s",
        "--setup",
        "make db",
        "--teardown",
        "rm db",
        "--directory",
        "{dir}",
        "--env",
        "A=b c",
        "--throughput-regex",
        "rate: ([0-9.]+)",
        "--throughput-take",
        "sum",
        "--throughput-unit",
        "requests/s",
        "--latency-json",
        "/p99",
        "--latency-unit",
        "us",
        "--memory-limit",
        "2GiB",
        "--threads",
        "2",
        "--",
        "server",
        "-p",
        "{port}",
        "-t",
        "{threads}",
    ];
    let printed = common::run_expecting(0, &flags);
    let path = write(parent.path(), "p.toml", &String::from_utf8(printed.stdout.clone()).unwrap());
    let again = common::run_expecting(0, &["sweep", "--print-plan", "--plan", text(&path)]);
    assert_eq!(String::from_utf8_lossy(&printed.stdout), String::from_utf8_lossy(&again.stdout));
    let plan = String::from_utf8(printed.stdout).unwrap();
    for key in [
        "driver = [\"load\", \"a b\", \"{port}\"]",
        "signal = \"INT\"",
        "take = \"sum\"",
        "memory_limit = \"2GiB\"",
    ] {
        assert!(plan.contains(key), "{plan}");
    }
}

#[test]
fn mistakes_in_a_definition_are_told_with_line_and_nearest_key() {
    let (parent, _) = fresh();
    for (keys, expected) in [
        ("comand = [\"x\"]", "there is no workload 'mine'"),
        (
            "command = [\"x\"]\nredy = { tcp = \"a:1\" }",
            ":4: unknown key 'redy' in this [[workload]]; did you mean ready",
        ),
        (
            "command = [\"x\", \"{prot}\"]",
            ":3: command: there is no placeholder '{prot}'; did you mean {port}?",
        ),
        ("command = \"x y\"", ":3: command: 'x y' is one text; write a list of words"),
        (
            "command = [\"x\"]\nready = { tcp = \"a:1\" }",
            ":4: ready: there is nothing to do once it is ready",
        ),
        (
            "command = [\"x\"]\nenv = { MALLOC_ARENA_MAX = \"1\" }",
            ":4: env: MALLOC_ARENA_MAX steers the allocator",
        ),
        (
            "command = [\"x\"]\nthroughput = { regex = \"(\", unit = \"a/s\" }",
            ":4: throughput: '(' is no regular expression",
        ),
        ("command = [\"x\"]\nthroughput = { regx = \"a\" }", "did you mean regex?"),
        ("driver = [\"x\"]", ":3: driver is for a program of your own, which needs a command"),
    ] {
        let path = write(parent.path(), "p.toml", &format!("[[workload]]\nname = \"mine\"\n{keys}\n"));
        let output = common::run_expecting(2, &["sweep", "--print-plan", "--plan", text(&path)]);
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(told.contains(expected) && told.trim().lines().count() == 1, "{keys}: {told}");
    }
    let output = common::run_expecting(2, &["sweep", "--", "/nowhere/program"]);
    assert!(both(&output).contains("there is no executable '/nowhere/program'"), "{}", both(&output));
}

#[test]
fn a_memory_limit_is_a_row_with_a_reason_or_a_clear_refusal() {
    let (_parent, dir) = fresh();
    let hungry = "x = bytearray(b'x') * (200 << 20); print(len(x))";
    let limited =
        ["--rounds", "1", "--allocators", "glibc", "--arena-max", "default", "--memory-limit", "64MiB", "--"];
    let (output, mark) = sweep(&dir, &[&limited[..], &[&python(), "-c", hungry]].concat());
    nothing_is_left(&mark);
    if output.status.code() == Some(1) {
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(told.contains("memory limit needs") && told.contains("--memory-limit"), "{told}");
        return;
    }
    let rows = trials(&dir);
    all_are(&rows, "oom", "memory limit of 64MiB");
    assert!(rows[0]["memory_group"]["peak"].as_u64().is_some_and(|peak| peak <= 64 << 20), "{}", rows[0]);
}
