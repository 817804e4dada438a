//! The ends of what can be asked for: many threads, many objects, the smallest and the largest sizes.

mod support;

use std::process::{Command, Stdio};

use arenalab_workloads::catalogue;
use support::{BINARIES, command, run_by_hand};

/// Latency histograms, actor and seat of a thread, but for the objects' own slots: what 512 threads must stay below.
const ENGINE_A_THREAD: u64 = 80 << 10;

#[test]
fn five_hundred_and_twelve_threads_work_and_their_histograms_stay_small() {
    for workload in ["larson:slots=20,lifetime=40,ops=40k", "glibc-thread:ops=20k", "model"] {
        for (allocator, _) in BINARIES {
            let model = "[[role]]\nname = \"a\"\nthreads = 8\n[[role]]\nname = \"b\"\nthreads = 8\n[[class]]\nname = \"c\"\n\
                role = \"a\"\nsize = 100\nlifetime = 50\nto = \"b\"\n[[phase]]\nname = \"p\"\nops = 20000\n";
            let subject = if workload == "model" { "model:m" } else { workload };
            let mut arguments = vec![subject, "--threads", "512"];
            if workload == "model" {
                arguments.extend(["--model", model]);
            }
            let phases = run_by_hand(&mut command(allocator), &arguments);
            assert!(phases[2].0.ops >= 20_000 && phases[3].0.live_bytes == 0, "{workload} under {allocator}");
            let engine = phases[2].0.engine_bytes / 512;
            assert!(engine < ENGINE_A_THREAD, "{workload}: {engine} bytes of the engine's a thread");
        }
    }
}

#[test]
fn a_million_objects_a_thread_work() {
    for (allocator, _) in BINARIES {
        let workload = "larson:slots=1M,size_min=8,size_max=64,ops=10k,warmup=0";
        let phases = run_by_hand(&mut command(allocator), &[workload, "--threads", "3"]);
        let live = phases[0].0.live_bytes;
        assert!((3_000_000 * 30..3_000_000 * 42).contains(&live), "{live}");
        assert_eq!((phases[2].0.ops, phases[3].0.live_bytes), (10_000, 0));
    }
}

#[test]
fn sizes_of_0_1_and_a_gibibyte_work() {
    for (allocator, _) in BINARIES {
        for (size, ops) in [("0", 2000), ("1", 2000), ("1GiB", 20)] {
            for workload in [
                "larson:slots=2,size_min=S,size_max=S",
                "threadtest:size=S,objects=4",
                "linux-scalability:size=S",
            ] {
                let subject = format!("{},ops={ops},touch=0", workload.replace('S', size));
                let phases = run_by_hand(&mut command(allocator), &[&subject, "--threads", "2"]);
                assert_eq!(
                    (phases[2].0.ops, phases[3].0.live_bytes),
                    (ops, 0),
                    "{subject} under {allocator}"
                );
            }
        }
    }
}

#[test]
fn every_largest_size_may_be_a_gibibyte() {
    for entry in catalogue::all() {
        let sizes = entry.params.iter().filter(|param| param.name.ends_with("_max"));
        for size in sizes {
            assert!(size.max >= 1 << 30, "{}: {}", entry.name, size.name);
        }
    }
}

/// Bytes of the engine's own after `ops` operations of a workload at three threads.
fn engine_bytes(workload: &str, ops: u64) -> u64 {
    let subject = format!("{workload},ops={ops}");
    let phases = run_by_hand(&mut command("glibc"), &[&subject, "--threads", "3"]);
    assert_eq!((phases[2].0.ops, phases[3].0.live_bytes), (ops, 0), "{workload}");
    phases[2].0.engine_bytes
}

#[test]
fn tables_are_as_large_as_the_work_not_as_the_largest_parameter() {
    for (workload, ops) in [
        ("worst-fit:budget=1TiB", 500),
        ("memstore:flush=1TiB,index=100M", 500),
        ("msgpass:queued=100M,batch=1M", 500),
        ("lots-of-threads:queued=100M,batch=1M", 500),
        ("sh6:batch=10M", 500),
        ("sh8:batch=10M", 500),
        ("launch-burst:depth=1M,burst=1000", 500),
        ("mail-server:burst=1000", 500),
        ("pool-stall:held=10M,between=0", 500),
        ("nightly-batch:slots=100,job=10M", 500),
        ("fan-out:width=20k,pending=64", 1),
        ("fan-out:width=100,pending=64", 2),
        ("sawtooth:top=100M,kept=1000", 500),
        ("mstress:items=10M", 500),
        ("thread-churn:lifetime=10M", 500),
        ("threadtest:objects=100M", 500),
    ] {
        let engine = engine_bytes(workload, ops);
        assert!(engine < 8 << 20, "{workload}: {engine} bytes of the engine's");
    }
}

/// Peak RSS of a run by hand, bytes.
#[expect(clippy::zombie_processes, reason = "wait4 waits for it, and tells what it used")]
fn peak_rss(command: &mut Command, arguments: &[&str]) -> u64 {
    let child = command.arg("run").args(arguments).stdout(Stdio::null()).spawn().unwrap();
    let pid = libc::pid_t::try_from(child.id()).unwrap();
    let (mut status, mut used) = (0, std::mem::MaybeUninit::<libc::rusage>::zeroed());
    // SAFETY: both pointers are to live memory of the right type.
    let waited = unsafe { libc::wait4(pid, &raw mut status, 0, used.as_mut_ptr()) };
    assert_eq!((waited, status), (pid, 0), "{arguments:?}");
    // SAFETY: zeroed is a valid value of it, and so is what wait4 has written.
    u64::try_from(unsafe { used.assume_init() }.ru_maxrss).unwrap() * 1024
}

#[test]
fn what_the_set_up_needs_beside_the_objects_does_not_grow_faster_than_they() {
    let workload = "larson:slots=1000,size_min=8,size_max=8,ops=256,warmup=0";
    let peak = peak_rss(&mut command("glibc"), &[workload, "--threads", "256"]);
    // 8 MB of objects, 4 MB of what lists them, and the threads.
    assert!(peak < 64 << 20, "{peak}");
}

#[test]
fn bundles_that_are_never_sent_take_no_room() {
    let engine = engine_bytes("rptest:burst=100k,cross=0", 3);
    assert!(engine < 2 << 20, "{engine}");
}
