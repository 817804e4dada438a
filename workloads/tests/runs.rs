//! Every workload, whole, under every allocator.

mod support;

use std::collections::BTreeMap;
use std::os::unix::process::CommandExt;
use std::process::Command;

use arenalab_wire::message::Phase;
use arenalab_workloads::catalogue::{self, Description, Kind};
use arenalab_workloads::spec::Spec;
use support::{BINARIES, command, output, run_by_hand};

/// The workload of that description, small enough to be quick at any number of threads, with the number
/// of its operations.
fn small(entry: &'static Description) -> (Spec, u64) {
    let mut spec = Spec::new(entry);
    for param in entry.params {
        let most = match (param.name, param.kind) {
            ("ops", _) => 3_000,
            (_, Kind::Count) => 200,
            (_, Kind::Bytes) => 32 << 10,
            (_, Kind::Percent) => 100,
        };
        let usual = if param.name == "ops" { most } else { param.default };
        let value = usual.min(most.max(param.min));
        spec.set(param.name, &value.to_string()).unwrap();
    }
    let ops = spec.get("ops");
    (spec, ops)
}

const SEQUENCE: &str = "engine.sequence";

#[test]
fn runs_end_with_all_work_done_and_nothing_live() {
    for entry in catalogue::all() {
        let (spec, ops) = small(entry);
        let workload = &spec.to_string();
        for threads in ["1", "2", "16"] {
            let mut sequences = BTreeMap::new();
            for (allocator, _) in BINARIES {
                let what = format!("{workload} with {threads} threads under {allocator}");
                let phases =
                    run_by_hand(&mut command(allocator), &[workload, "--threads", threads, "--seed", "9"]);
                let order: Vec<Phase> = phases.iter().map(|(border, _)| border.phase).collect();
                assert_eq!(order, [Phase::Setup, Phase::Warmup, Phase::Steady, Phase::Drain], "{what}");
                let done: Vec<u64> = phases.iter().map(|(border, _)| border.ops).collect();
                assert_eq!(done, [0, ops * spec.get("warmup") / 100, ops, 0], "{what}");
                assert_eq!(phases[3].0.live_bytes, 0, "{what}");
                assert!(phases[2].0.took_ns > 0 && phases[2].0.engine_bytes > 0, "{what}");
                assert!(phases[2].0.usage.user_s + phases[2].0.usage.system_s > 0.0, "{what}");
                let reach = entry.reach(threads.parse().unwrap());
                assert!(phases.iter().all(|(_, seen)| seen.arenas.unwrap_or(1) <= reach), "{what}");
                let seen: Vec<u64> = phases.iter().map(|(_, seen)| seen.other[SEQUENCE]).collect();
                sequences.insert(allocator, seen);
            }
            assert_eq!(sequences["glibc"], sequences["jemalloc"], "{workload}, {threads} threads");
            assert_eq!(sequences["glibc"], sequences["mimalloc"], "{workload}, {threads} threads");
        }
    }
}

/// Keeps a process on one CPU, so that its threads run one after the other and never beside each other.
fn on_one_cpu(command: &mut Command) -> &mut Command {
    let pin = || {
        // SAFETY: an all-zero set is a valid value; the calls only write to it, and are async-signal-safe.
        unsafe {
            let mut set = std::mem::zeroed::<libc::cpu_set_t>();
            libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &raw mut set);
            let first = (0..1024).find(|cpu| libc::CPU_ISSET(*cpu, &set)).unwrap_or(0);
            libc::CPU_ZERO(&mut set);
            libc::CPU_SET(first, &mut set);
            match libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &raw const set) {
                0 => Ok(()),
                _ => Err(std::io::Error::last_os_error()),
            }
        }
    };
    // SAFETY: runs between fork and exec and makes only system calls.
    unsafe { command.pre_exec(pin) }
}

#[test]
fn what_is_asked_for_does_not_depend_on_timing() {
    for entry in catalogue::all() {
        let (spec, _) = small(entry);
        let arguments = [&spec.to_string(), "--threads", "7", "--seed", "5"];
        let sequences = |command: &mut Command| -> Vec<u64> {
            run_by_hand(command, &arguments).iter().map(|(_, seen)| seen.other[SEQUENCE]).collect()
        };
        let free = sequences(&mut command("glibc"));
        assert_eq!(free, sequences(on_one_cpu(&mut command("glibc"))), "{spec} on one CPU");
        let one_arena = sequences(command("glibc").env("MALLOC_ARENA_MAX", "1"));
        assert_eq!(free, one_arena, "{spec} with one arena");
    }
}

#[test]
fn the_seed_decides_the_sequence() {
    let sequence = |seed: &str| {
        let phases =
            run_by_hand(&mut command("glibc"), &["larson:ops=20k,slots=200,lifetime=300", "--seed", seed]);
        phases[3].1.other[SEQUENCE]
    };
    assert_eq!(sequence("1"), sequence("1"));
    assert_ne!(sequence("1"), sequence("2"));
}

#[test]
fn latency_is_sampled_in_the_phase_that_it_belongs_to() {
    let phases = run_by_hand(&mut command("glibc"), &["churn:ops=100k,slots=50"]);
    assert!(phases[0].0.free_ns.is_none());
    let steady = &phases[2].0;
    let samples = steady.malloc_ns.unwrap().samples;
    // One call in 64 on average, the sampling gap being 32 to 95.
    assert!((100_000 / 96..=100_000 / 32).contains(&samples), "{samples}");
    let free = steady.free_ns.unwrap();
    assert!(free.p50 <= free.p99 && free.p99 <= free.max);
    assert!(phases[3].0.malloc_ns.is_none());
}

#[test]
fn the_engine_keeps_out_of_the_measured_heap() {
    // 100 000 slots of 16 bytes a thread are the engine's; objects of 24 bytes take 32 in both allocators.
    // What is allowed above that is for thread caches, and far less than the slots take.
    for allocator in ["glibc", "jemalloc"] {
        let workload = "larson:size_min=24,size_max=24,slots=100k,ops=1";
        let phases = run_by_hand(&mut command(allocator), &[workload, "--threads", "4"]);
        let (border, seen) = &phases[0];
        assert_eq!(border.live_bytes, 4 * 100_000 * 24);
        assert!(border.engine_bytes >= 4 * 100_000 * 16, "{}", border.engine_bytes);
        let needed = 4 * 100_000 * 32;
        let allocated = seen.allocated.unwrap();
        assert!((needed..needed + 800_000).contains(&allocated), "{allocator}: {allocated}");
    }
}

#[test]
fn threads_that_have_not_allocated_yet_have_no_arena() {
    // Whatever the engine's own side of a thread allocated with the measured malloc would show as an arena of its own.
    let phases = run_by_hand(&mut command("glibc"), &["glibc-thread:ops=8k,warmup=0", "--threads", "8"]);
    let arenas: Vec<Option<u32>> = phases.iter().map(|(_, seen)| seen.arenas).collect();
    assert_eq!(arenas[0], Some(1), "after the set-up");
    assert!(arenas[2] > Some(1), "{arenas:?}");
}

#[test]
fn touched_memory_is_resident_and_untouched_memory_is_not() {
    let faults = |touch: u64| {
        let workload = format!("selftest:mode=5,bytes=32MiB,touch={touch}");
        let phases = run_by_hand(&mut command("glibc"), &[&workload, "--threads", "1"]);
        phases[0].0.usage.minor_faults
    };
    // Huge pages may make fewer faults of it, but not so few.
    assert!(faults(1) > faults(0) + 10);
    assert!(faults(2) > faults(0) + 10);
}

#[test]
fn mistakes_are_one_line_and_exit_code_2() {
    for (arguments, expected) in [
        (&["run", "larsen"][..], "did you mean larson?"),
        (&["run", "larson:slot=5"], "did you mean slots?"),
        (&["run", "churn", "--threads", "0"], "1..="),
        (&["run", "churn", "--thread", "2"], "--threads"),
        (&["run", "churn", "--control-fd", "99"], "--control-fd 99"),
        (&["run"], "<WORKLOAD>"),
        (&["idetify"], "identify"),
    ] {
        let output = output(command("glibc").args(arguments));
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(text.contains(expected) && text.trim().lines().count() == 1, "{arguments:?}: {text}");
    }
}

#[test]
fn the_catalogue_is_listed_as_json() {
    let output = output(command("mimalloc").arg("list"));
    let list: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let names: Vec<_> =
        list.as_array().unwrap().iter().map(|entry| entry["name"].as_str().unwrap()).collect();
    assert!(names.into_iter().eq(catalogue::all().iter().map(|entry| entry.name)));
    assert_eq!(list[0]["params"][0]["kind"], "count");
}

#[test]
fn an_engine_without_memory_for_itself_says_so_and_is_no_crash() {
    for allocator in ["glibc", "jemalloc"] {
        let mut command = command(allocator);
        command.args(["run", "churn:slots=10M,ops=1", "--threads", "8"]);
        let room = libc::rlimit { rlim_cur: 1 << 30, rlim_max: 1 << 30 };
        // SAFETY: setrlimit is async-signal-safe and is all that runs between fork and exec.
        unsafe {
            command.pre_exec(move || match libc::setrlimit(libc::RLIMIT_AS, &raw const room) {
                0 => Ok(()),
                _ => Err(std::io::Error::last_os_error()),
            });
        }
        let output = output(&mut command);
        assert_eq!(output.status.code(), Some(3), "{output:?}");
        let said = String::from_utf8(output.stderr).unwrap();
        let line = "error: out of memory: the engine's own tables need 160000000 more bytes\n";
        assert_eq!(said, line);
    }
}
