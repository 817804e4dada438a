//! How programs of the user's own are defined: by flags, and by keys of a plan.

mod common;

use common::programs::write;
use common::{both, fresh, text};

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
