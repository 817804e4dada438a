//! The conversation with a harness, and its ends.

mod support;

use arenalab_wire::message::{Failure, FromEngine, Phase};
use support::{BINARIES, Led, command};

const PHASES: [Phase; 4] = [Phase::Setup, Phase::Warmup, Phase::Steady, Phase::Drain];

#[test]
fn a_run_is_led_from_border_to_border() {
    for (allocator, _) in BINARIES {
        let mut led = Led::start(
            &mut command(allocator),
            &["churn:ops=5000,slots=20", "--threads", "3", "--seed", "4"],
        );
        let (hello, page) = led.hello();
        assert_eq!((hello.version, hello.threads), (arenalab_wire::VERSION, 3));
        assert_eq!(hello.workload, "churn:ops=5k,slots=20");
        assert_eq!(hello.allocator.name, allocator);
        assert_eq!(hello.pid, led.child.id());
        assert_eq!((page.seats().len(), page.totals().ops), (3, 0));
        let mut ops = 0;
        for phase in PHASES {
            led.go();
            let border = led.border(phase);
            ops += border.ops;
            assert_eq!(page.totals().ops, ops);
            assert_eq!(page.totals().live_bytes, border.live_bytes);
            assert_eq!(page.engine_bytes(), border.engine_bytes);
            assert_eq!(border.unit, "operations");
            let (first, second) = (led.inspect(), led.inspect());
            assert_eq!(first.arenas, second.arenas);
        }
        led.go();
        assert_eq!(led.child.ends(), Some(0));
    }
}

#[test]
fn the_last_go_counts_even_if_the_harness_is_gone_by_then() {
    let mut led = Led::start(&mut command("glibc"), &["selftest"]);
    led.hello();
    for phase in PHASES {
        led.go();
        led.border(phase);
    }
    led.go();
    assert_eq!(led.desert().ends(), Some(0));
}

#[test]
fn an_engine_does_not_outlive_its_harness() {
    for (workload, borders) in [("selftest", 0), ("selftest", 1), ("selftest:mode=2", 2)] {
        let mut led = Led::start(&mut command("glibc"), &[workload, "--threads", "2"]);
        led.hello();
        for phase in &PHASES[..borders] {
            led.go();
            led.border(*phase);
        }
        if borders == 2 {
            led.go();
        }
        assert_eq!(led.desert().ends(), Some(4), "{workload} after {borders} borders");
    }
}

#[test]
fn failures_are_told_before_the_end() {
    for (mode, out_of_memory, code) in [(3, false, 1), (4, true, 3)] {
        let mut led = Led::start(&mut command("jemalloc"), &[&format!("selftest:mode={mode}")]);
        led.hello();
        led.go();
        led.border(Phase::Setup);
        led.go();
        led.border(Phase::Warmup);
        led.go();
        let Some(FromEngine::Failed(Failure { out_of_memory: told, reason })) =
            led.channel.receive().unwrap()
        else {
            panic!("no failure was told");
        };
        assert_eq!(told, out_of_memory);
        assert!(!out_of_memory || (reason.starts_with("malloc(") && reason.ends_with(" live")), "{reason}");
        assert_eq!(led.child.ends(), Some(code));
    }
}

#[test]
fn arenas_follow_the_limit() {
    let arenas = |limit: Option<&str>| {
        let mut command = command("glibc");
        if let Some(limit) = limit {
            command.env("MALLOC_ARENA_MAX", limit);
        }
        let mut led = Led::start(&mut command, &["churn:ops=4000", "--threads", "4"]);
        led.hello();
        for phase in &PHASES[..3] {
            led.go();
            led.border(*phase);
        }
        let seen = led.inspect();
        assert_eq!(seen.by_arena.len() as u32, seen.arenas.unwrap());
        assert!(seen.by_arena.iter().all(|arena| arena.free <= arena.system));
        seen.arenas.unwrap()
    };
    assert_eq!(arenas(Some("1")), 1);
    assert_eq!(arenas(Some("3")), 3);
    assert!((2..=5).contains(&arenas(None)));
}

/// `VmHWM` in KiB.
fn high_water(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[test]
fn the_peak_of_a_phase_does_not_hold_what_the_start_needed() {
    let mut led = Led::start(&mut command("glibc"), &["glibc-simple:ops=4000", "--threads", "1"]);
    let (hello, _page) = led.hello();
    let started = high_water(hello.pid);
    for phase in PHASES {
        led.go();
        led.border(phase);
        // The kernel would never let it fall by itself.
        let now = high_water(hello.pid);
        assert!(now < started, "{phase:?}: {now} KiB, {started} KiB at the start");
    }
    led.go();
    assert_eq!(led.child.ends(), Some(0));
}
