//! Programs of the user's own under the lab: batch jobs, services, daemons, and all the ways in which they go
//! wrong. Small real programs in C, Python and sh; no wall-clock time is asserted.

mod common;

use std::path::{Path, PathBuf};
use std::process::Command;

use common::programs::{nothing_is_left, rows, sweep, write};
use common::{arenalab, eventually, fresh, processes_with, text, trials};
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
fn signals_that_end_a_program_outside_end_it_here() {
    for signal in ["SEGV", "BUS", "ABRT", "TERM", "PIPE"] {
        let (_dir, out) = fresh();
        let kill = format!("kill -{signal} $$; echo rate: 5");
        let common = ["--rounds", "1", "--allocators", "glibc", "--arena-max", "default", "--", "sh", "-c"];
        for row in rows(&out, &[&common[..], &[kill.as_str()]].concat()) {
            assert_eq!(row["status"], "crashed", "{row}");
        }
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

#[test]
fn asked_to_stop_it_ends_everything_and_goes_on_later() {
    let (parent, dir) = fresh();
    let plan = plan(parent.path(), ("", "slow"), &format!("{READY}\n{RATE}"), "");
    let mark = format!("ARENALAB_TEST_MARK={}", dir.display());
    let (name, value) = mark.split_once('=').unwrap();
    let mut command = arenalab();
    command.args(["sweep", "-q", "--plan", text(&plan), "--out", text(&dir)]).env(name, value);
    let mut campaign = command.spawn().unwrap();
    let driven = || {
        processes_with(&mark).iter().any(|pid| {
            let command = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&command).contains("driver.py")
        })
    };
    assert!(eventually(20, driven), "no driver was seen");
    let pid = rustix::process::Pid::from_raw(campaign.id().cast_signed()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert_eq!(campaign.wait().unwrap().code(), Some(143));
    nothing_is_left(&mark);
    let rows = rows(&dir, &["--resume"]);
    assert_eq!(rows[0]["status"], "interrupted", "{}", rows[0]);
    assert!(rows[1..].len() == 2 && rows[1..].iter().all(|row| row["status"] == "ok"), "{rows:?}");
}

#[test]
fn limits_on_arenas_are_not_merged_as_nobody_knows_how_many_threads_there_are() {
    let (_parent, dir) = fresh();
    let args =
        ["--rounds", "1", "--allocators", "glibc", "--arena-max", "default,16,4096", "--", "/bin/true"];
    assert_eq!(rows(&dir, &args).len(), 4);
}

/// The ready-made plan on the real redis, where it is installed.
#[test]
fn the_plan_for_redis_holds_on_the_real_one() {
    if Command::new("redis-server").arg("--version").output().is_err() {
        println!("redis-server is not installed: nothing was tested");
        return;
    }
    let (_parent, dir) = fresh();
    let plan = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plans/redis.toml");
    let args = ["--plan", text(&plan), "--rounds", "1", "--allocators", "glibc", "--arena-max", "default,1"];
    for row in rows(&dir, &args) {
        let limited = row["candidate"] == "glibc:arena_max=1";
        if limited && row["allocator"]["name"] == "jemalloc" {
            assert_eq!(row["status"], "unsupported", "{row}");
            assert!(row["reason"].as_str().unwrap().starts_with("no-op: MALLOC_ARENA_MAX"), "{row}");
        } else {
            assert_eq!((&row["status"], &row["effect"]["verified"]), (&"ok".into(), &true.into()), "{row}");
            assert!(row["throughput"]["value"].as_f64().unwrap() > 100.0, "{row}");
        }
    }
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

#[test]
fn a_latency_of_a_plan_stands_in_every_table_in_the_plan_s_unit() {
    let (_parent, dir) = fresh();
    let args = [
        "--rounds",
        "2",
        "--candidate",
        "glibc:arena_max=1",
        "--latency-regex",
        "p99 ([0-9.]+)",
        "--latency-unit",
        "us",
        "--",
        "sh",
        "-c",
        "echo p99 1.25ms",
    ];
    for row in rows(&dir, &args) {
        assert_eq!(row["program"]["latency"]["value"], 1250.0, "{row}");
    }
    let said = |args: &[&str]| String::from_utf8(arenalab().args(args).output().unwrap().stdout).unwrap();
    let decision: Value = serde_json::from_str(&said(&["choose", "--json", text(&dir)])).unwrap();
    for standing in decision["scenarios"][0]["standings"].as_array().unwrap() {
        assert_eq!(standing["latency"]["unit"], "us", "{standing}");
        assert!((standing["latency"]["value"].as_f64().unwrap() - 1250.0).abs() < 1e-6, "{standing}");
    }
    let shown = said(&["choose", text(&dir)]);
    assert!(shown.contains("printed latency") && shown.matches("1250.0 us").count() == 2, "{shown}");
    said(&["report", text(&dir)]);
    for file in ["index.html", "report.md"] {
        let report = std::fs::read_to_string(dir.join("report").join(file)).unwrap();
        assert!(report.contains("printed latency") && report.contains("1250.0 us"), "{file}");
    }
    let exported = said(&["export", text(&dir)]);
    assert!(exported.contains("latency_unit") && exported.contains("1250"), "{exported}");
}
