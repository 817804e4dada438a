//! Models: what they hold is what they imply, they are the same under every allocator, and what does not fit is refused.

mod support;

use std::collections::BTreeMap;
use std::time::Duration;

use arenalab_wire::message::Phase;
use arenalab_workloads::model::Model;
use support::{BINARIES, Led, command, output, run_by_hand};

const SEQUENCE: &str = "engine.sequence";

/// The examples, each made short: what is replaced by what.
const EXAMPLES: [(&str, &[(&str, &str)]); 4] = [
    ("database", &[("\"1.2M\"", "20000")]),
    ("http-server", &[("\"250k\"", "20000"), ("\"150k\"", "10000")]),
    ("stream", &[("\"2s\"", "\"250ms\"")]),
    ("cache", &[("\"3M\"", "60000")]),
];

fn example(name: &str) -> String {
    let path = format!("{}/models/{name}.toml", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(path).unwrap()
}

fn short(name: &str, changes: &[(&str, &str)]) -> String {
    let mut text = example(name);
    for (from, to) in changes {
        assert!(text.contains(from), "{name}: {from}");
        text = text.replace(from, to);
    }
    text
}

#[test]
fn examples_end_with_all_work_done_and_ask_for_the_same_under_every_allocator() {
    for (name, changes) in EXAMPLES {
        let text = short(name, changes);
        let subject = format!("model:{name}");
        let model = Model::from_text(&text, name).unwrap();
        for threads in [model.roles.len() as u32, model.threads(), 16] {
            let mut sequences = BTreeMap::new();
            for (allocator, _) in BINARIES {
                let threads = threads.to_string();
                let arguments = [&subject, "--model", &text, "--threads", &threads, "--seed", "7"];
                let phases = run_by_hand(&mut command(allocator), &arguments);
                assert!(phases[2].0.ops > 0, "{name}");
                assert_eq!(phases[3].0.live_bytes, 0, "{name}, {threads} threads under {allocator}");
                let rated = model.roles.iter().any(|role| role.rate.is_some());
                assert_eq!(phases[2].0.op_ns.is_some(), rated, "{name}");
                let seen: Vec<u64> = phases.iter().map(|(_, seen)| seen.other[SEQUENCE]).collect();
                sequences.insert(allocator, (phases[2].0.ops, seen));
            }
            assert_eq!(sequences["glibc"], sequences["jemalloc"], "{name}, {threads} threads");
            assert_eq!(sequences["glibc"], sequences["mimalloc"], "{name}, {threads} threads");
        }
    }
}

/// Live bytes on average over the steady phase, sampled from outside.
fn held(text: &str, threads: u32) -> f64 {
    let threads = threads.to_string();
    let arguments = ["model:m", "--model", text, "--threads", &threads];
    let mut led = Led::start(&mut command("jemalloc"), &arguments);
    let (_, page) = led.hello();
    for phase in [Phase::Setup, Phase::Warmup] {
        led.go();
        led.border(phase);
    }
    led.go();
    let (done, begun) = (std::sync::atomic::AtomicBool::new(false), page.totals().ops);
    let samples = std::thread::scope(|scope| {
        let sampler = scope.spawn(|| {
            let mut samples = Vec::new();
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                samples.push(page.totals());
                std::thread::sleep(Duration::from_micros(500));
            }
            samples
        });
        led.border(Phase::Steady);
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        sampler.join().unwrap()
    });
    // By work and not by time: a thread that is kept from the CPU between two samples holds what it holds.
    let (mut area, mut work, mut before) = (0.0, 0.0, begun);
    for sample in samples {
        let done = (sample.ops - before) as f64;
        area += sample.live_bytes as f64 * done;
        work += done;
        before = sample.ops;
    }
    area / work
}

/// A model of one role with one class, that holds some thousands of objects.
fn simple(size: &str, lifetime: &str) -> String {
    format!(
        "[[role]]\nname = \"a\"\nthreads = 2\n[[class]]\nname = \"c\"\nrole = \"a\"\nper_op = 1.3\nsize = {size}\n\
         lifetime = {lifetime}\n[[phase]]\nname = \"p\"\nops = 600000\n"
    )
}

#[test]
fn what_is_held_is_rate_times_life_times_size() {
    let size = "{ kind = \"log-normal\", median = 200, sigma = 0.8, min = 1, max = 8192 }";
    let lives = [
        "3000",
        "{ kind = \"uniform\", min = 0, max = 8000 }",
        "{ kind = \"exponential\", mean = 3000, max = 60000 }",
        "{ kind = \"log-normal\", median = 2000, sigma = 1.0, max = 60000 }",
        "{ kind = \"pareto\", min = 1000, alpha = 1.5, max = 50000 }",
        "{ kind = \"histogram\", bins = [[0, 5], [100, 200, 3], [9000, 2]] }",
    ];
    let sizes = [
        "{ kind = \"pareto\", min = 32, alpha = 2.5, max = \"64KiB\" }",
        "{ kind = \"log-uniform\", min = 16, max = 4096 }",
        "{ kind = \"set\", name = \"fleet\", by = \"live\" }",
    ];
    let life = "{ kind = \"uniform\", min = 1000, max = 7000 }";
    let models =
        lives.iter().map(|life| simple(size, life)).chain(sizes.iter().map(|size| simple(size, life)));
    let aligned = [("64", "100"), ("256", size), ("4096", sizes[0]), ("64", sizes[2])];
    let aligned = aligned.map(|(align, size)| simple(&format!("{size}\nalign = {align}"), life));
    for text in models.chain(aligned) {
        let model = Model::from_text(&text, "m").unwrap();
        let implied = model.implied(&model.phases[0], 2);
        // Where the sampler is kept from the CPU, its samples are few, and off by chance; a model that holds something else is
        // off each time.
        let held: Vec<f64> = (0..3).map(|_| held(&text, 2)).collect();
        let is_close = |held: &f64| (held / implied - 1.0).abs() < 0.02;
        assert!(held.iter().any(is_close), "{held:?} held, {implied} implied by\n{text}");
    }
}

#[test]
fn a_rate_is_kept_and_lives_in_time_follow_from_it() {
    let text = "[[role]]\nname = \"a\"\nthreads = 2\nrate = 20000\n[[role]]\nname = \"b\"\n[[class]]\nname = \"c\"\n\
        role = \"a\"\nsize = \"1KiB\"\nlifetime = { kind = \"uniform\", min = \"50ms\", max = \"350ms\" }\nto = \"b\"\n\
        [[phase]]\nname = \"p\"\ntime = \"700ms\"\n";
    let model = Model::from_text(text, "m").unwrap();
    // 20 000 a second live for 0.2 s.
    let implied = model.implied(&model.phases[0], 3);
    assert!((implied / (4000.0 * 1024.0) - 1.0).abs() < 1e-3, "{implied}");
    let held = held(text, 3);
    assert!((held / implied - 1.0).abs() < 0.02, "{held} for {implied}");
    let phases = run_by_hand(&mut command("glibc"), &["model:m", "--model", text]);
    let steady = &phases[2].0;
    assert_eq!(steady.ops, 14_000);
    // The last operation is not begun before its time.
    assert!(steady.took_ns > 690_000_000, "{}", steady.took_ns);
    assert_eq!(steady.op_ns.unwrap().samples, 14_000);
}

#[test]
fn a_stall_shows_in_all_operations_behind_it() {
    // One operation in 200 allocates and writes 64 MiB, and the rate leaves no time for that.
    let text = "[[role]]\nname = \"a\"\nrate = 4000\n[[class]]\nname = \"large\"\nrole = \"a\"\nper_op = 0.005\n\
        size = \"64MiB\"\nlifetime = 0\ntouch = \"all\"\n[[phase]]\nname = \"p\"\ntime = \"500ms\"\n";
    let phases = run_by_hand(&mut command("glibc"), &["model:m", "--model", text]);
    let took = phases[2].0.op_ns.unwrap();
    // Far more than the one in 200 are late.
    assert!(took.p99 > 1_000_000.0 && took.max >= took.p999, "{took:?}");
}

#[test]
fn threads_of_a_role_may_come_and_go() {
    let with = |lifetime: &str| {
        let text = short("database", &[("\"1.2M\"", "20000"), ("\"20k\" ", lifetime)]);
        let phases = run_by_hand(&mut command("glibc"), &["model:d", "--model", &text, "--threads", "4"]);
        (phases[2].0.ops, phases[3].1.other[SEQUENCE])
    };
    assert_eq!(with("100 "), with("1000000 "));
}

#[test]
fn what_does_not_fit_or_cannot_be_read_is_refused_in_one_line() {
    let large = simple("\"1GiB\"", "10000").replace("[[role]]", "memory = \"60TiB\"\n[[role]]");
    let limited = simple("\"1MiB\"", "\"1M\"");
    let wrong = simple("\"1MiB\"", "forever");
    for (arguments, expected) in [
        (&["run", "model:m", "--model", &large][..], "this host has"),
        (&["run", "model:m", "--model", &limited], "its limit, the key memory, is 4.00 GiB"),
        (&["run", "model:m.toml", "--model", &wrong], "m.toml:9: not TOML"),
        (&["run", "model:/nowhere/m.toml"], "failed to read the model /nowhere/m.toml"),
        (&["run", "model:m", "--model", &simple("1", "1"), "--threads", "5000000"], "--threads"),
    ] {
        let output = output(command("glibc").args(arguments));
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{text}");
        assert!(text.contains(expected) && text.trim().lines().count() == 1, "{text}");
    }
}

#[test]
fn sizes_from_nothing_to_a_gibibyte_work() {
    let text = "memory = \"5GiB\"\n[[role]]\nname = \"a\"\n[[class]]\nname = \"c\"\nrole = \"a\"\n\
        size = { kind = \"histogram\", bins = [[0, 1], [1, 1], [\"1GiB\", 1]] }\nlifetime = 0\ntouch = \"none\"\n\
        [[phase]]\nname = \"p\"\nops = 300\n";
    for (allocator, _) in BINARIES {
        let phases = run_by_hand(&mut command(allocator), &["model:m", "--model", text]);
        assert_eq!((phases[2].0.ops, phases[3].0.live_bytes), (300, 0));
    }
}
