//! The ends of what can be asked for: many threads, many objects, the smallest and the largest sizes.

mod support;

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
fn every_workload_takes_a_gibibyte_where_it_takes_a_largest_size() {
    let largest = |name: &str| catalogue::find(name).and_then(|entry| entry.param("size_max")).map(|p| p.max);
    for entry in catalogue::all() {
        assert!(largest(entry.name).is_none_or(|max| max >= 1 << 30), "{}", entry.name);
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
    ] {
        let engine = engine_bytes(workload, ops);
        assert!(engine < 8 << 20, "{workload}: {engine} bytes of the engine's");
    }
}
