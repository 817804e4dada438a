//! Real programs under the recorder: what they do stays the same, and what they did is in the recording, whole.

mod common;

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use arenalab_trace::event::Event;
use arenalab_trace::layout::Stop;
use arenalab_trace::read::{Events, TraceFile, summarize};
use common::{compiled, library, says_ok, sound, under};
use tempfile::TempDir;

fn calls(file: &TraceFile) -> Vec<Event> {
    let chunks = file.chunks.iter().flat_map(|chunk| {
        let bytes = file.events(chunk).unwrap();
        Events::new(&bytes, chunk.monotonic).map(Result::unwrap).collect::<Vec<_>>()
    });
    chunks.filter(Event::is_call).collect()
}

#[test]
fn the_family_means_the_same_and_is_recorded_call_by_call() {
    let (work, record) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let Some(program) = compiled(&work, "family.c", &["-std=gnu11", "-fno-builtin"]) else { return };
    says_ok(&under(record.path(), &program, &[], &[]).output().unwrap());
    let files = sound(record.path());
    assert_eq!(files.len(), 2, "the program and its child");
    for file in &files {
        let events = calls(file);
        let count = |wanted: &dyn Fn(&Event) -> bool| events.iter().filter(|event| wanted(event)).count();
        assert_eq!(count(&|event| *event == Event::ReallocFreed), 1);
        assert_eq!(count(&|event| matches!(event, Event::ReallocFailed { .. })), 2);
        assert_eq!(count(&|event| matches!(event, Event::Failed { .. })), 2, "malloc and posix_memalign");
        assert_eq!(count(&|event| matches!(event, Event::ReallocEnd { size: 100_000 | 200, .. })), 2);
        let aligned = |event: &Event| match event {
            Event::Aligned { size, log2, .. } => Some((*size, *log2)),
            _ => None,
        };
        let aligned: Vec<_> = events.iter().filter_map(aligned).collect();
        assert_eq!(aligned, [(10, 12), (512, 8), (10, 6), (10, 12), (4096, 12)]);
        assert!(file.facts.ended && file.facts.stop == Some(Stop::No));
        let order = summarize(file).unwrap().order;
        assert_eq!(order.contradictions, 0);
    }
    assert_eq!(files.iter().filter(|file| file.facts.forked).count(), 1);
}

#[test]
fn threads_forks_and_libraries_come_and_go_as_without_it() {
    let (work, record) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let Some(program) = compiled(&work, "threads.c", &["-std=gnu11"]) else { return };
    let Some(plugin) = compiled(&work, "plugin.c", &["-std=gnu11", "-shared", "-fPIC"]) else { return };
    let arguments = ["libarenalab_record.so", plugin.to_str().unwrap(), "any"];
    says_ok(&under(record.path(), &program, &arguments, &[]).output().unwrap());
    let files = sound(record.path());
    assert_eq!(files.len(), 121, "the program and 120 children");
    assert!(files.iter().all(|file| file.facts.lost == 0 && file.facts.children_lost == 0));
}

#[test]
fn cpp_containers_work_as_without_it() {
    let (work, record) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let Some(program) = compiled(&work, "containers.cpp", &["-std=c++17"]) else { return };
    says_ok(&under(record.path(), &program, &["libarenalab_record.so"], &[]).output().unwrap());
    sound(record.path());
}

/// One thread frees what another had and gets the same address again, two million times.
#[test]
fn addresses_that_go_from_thread_to_thread_alternate() {
    let (work, record) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let Some(program) = compiled(&work, "reuse.c", &["-std=gnu11"]) else { return };
    says_ok(&under(record.path(), &program, &["500000"], &[]).output().unwrap());
    let files = sound(record.path());
    assert_eq!(files[0].facts.lost, 0);
    let summary = summarize(&files[0]).unwrap();
    assert!(summary.gains >= 2_000_000 && summary.cross_thread > 0);
    // The reader's search is bounded: in one run of fifty or so, one event of four million fits in no order that it finds.
    let order = summary.order;
    assert!(order.contradictions + order.unknown_frees <= 8, "{order:?}");
}

/// Counts of calls that had returned, kept in a file by the threads themselves.
#[test]
fn nothing_is_lost_of_what_had_returned_when_the_program_is_killed() {
    const THREADS: usize = 8;
    let work = TempDir::new().unwrap();
    let Some(program) = compiled(&work, "witness.c", &["-std=gnu11", "-fno-builtin"]) else { return };
    let times = std::env::var("ARENALAB_KILLS").map_or(20, |text| text.parse().unwrap());
    let mut moment = 12_345u64;
    for time in 0..times {
        let record = TempDir::new().unwrap();
        let counts = record.path().join("counts");
        std::fs::write(&counts, vec![0; THREADS * 64]).unwrap();
        let mut child = Command::new(&program)
            .args([counts.as_os_str(), "8".as_ref()])
            .env("LD_PRELOAD", library())
            .env("ARENALAB_RECORD", record.path())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        // Not before all are at work, which on a busy host takes a while.
        let begun = || {
            let kept = std::fs::read(&counts).unwrap();
            kept.chunks_exact(64).all(|count| count[8..16] != [0; 8])
        };
        while !begun() {
            assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
            std::thread::sleep(Duration::from_millis(1));
        }
        moment = moment.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        std::thread::sleep(Duration::from_micros((moment >> 33) % 80_000));
        child.kill().unwrap();
        child.wait().unwrap();
        let files = sound(record.path());
        let kept = std::fs::read(&counts).unwrap();
        for count in kept.chunks_exact(64) {
            let word = |at: usize| u64::from_le_bytes(count[at..at + 8].try_into().unwrap());
            let (tid, returned) = (word(0) as u32, word(8));
            if returned == 0 {
                continue;
            }
            let of_thread = files[0].chunks.iter().filter(|chunk| chunk.tid == tid);
            let recorded: usize = of_thread
                .map(|chunk| {
                    let bytes = files[0].events(chunk).unwrap();
                    Events::new(&bytes, chunk.monotonic).flatten().filter(Event::is_call).count()
                })
                .sum();
            let recorded = recorded as u64;
            // One more may be under way, and one may have returned that was not counted yet.
            let possible = returned..=returned + 2;
            assert!(possible.contains(&recorded), "time {time}, thread {tid}: {recorded} of {returned}");
        }
    }
}

#[test]
fn where_it_cannot_record_it_says_so_once_and_the_program_runs_on() {
    let work = TempDir::new().unwrap();
    let Some(program) = compiled(&work, "reuse.c", &["-std=gnu11"]) else { return };
    let gone = work.path().join("gone");
    let output = under(&gone, &program, &["1000"], &[]).output().unwrap();
    says_ok(&output);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(said.matches("is not recorded").count(), 1, "{said}");
    assert!(said.contains("its directory is not there"));
    // Without being asked it is silent.
    let mut plain = Command::new(&program);
    let output =
        plain.arg("1000").env("LD_PRELOAD", library()).env_remove("ARENALAB_RECORD").output().unwrap();
    says_ok(&output);
    assert!(output.stderr.is_empty());
}

/// Program, arguments, variables, and why recording ends.
type Case<'a> = (&'a Path, &'a [&'a str], &'a [&'a str], Stop);

#[test]
fn limits_end_the_recording_and_not_the_program() {
    let work = TempDir::new().unwrap();
    let Some(program) = compiled(&work, "reuse.c", &["-std=gnu11"]) else { return };
    let shell = Path::new("/bin/sh");
    let limited = format!("ulimit -f 128; exec {} 300000", program.display());
    let cases: [Case; 3] = [
        (&program, &["300000"], &["ARENALAB_RECORD_MAX_SIZE=200000"], Stop::SizeReached),
        (&program, &["3000000"], &["ARENALAB_RECORD_FOR_MS=20"], Stop::TimeOver),
        (shell, &["-c", &limited], &[], Stop::FileLimit),
    ];
    for (program, arguments, variables, why) in cases {
        let record = TempDir::new().unwrap();
        says_ok(&under(record.path(), program, arguments, variables).output().unwrap());
        let files = sound(record.path());
        assert!(files.iter().any(|file| file.facts.stop == Some(why)), "{why:?}");
        // How much is recorded until a time is over, nobody promises.
        assert!(why == Stop::TimeOver || files.iter().all(|file| file.length < 2 << 20), "{why:?}");
    }
}

#[test]
fn a_sample_has_both_ends_of_an_object_or_neither() {
    let (work, record) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let Some(program) = compiled(&work, "containers.cpp", &["-std=c++17"]) else { return };
    let variables = ["ARENALAB_RECORD_SAMPLE=8"];
    says_ok(&under(record.path(), &program, &["libarenalab_record.so"], &variables).output().unwrap());
    for file in sound(record.path()).iter().filter(|file| !file.facts.forked) {
        assert_eq!(file.facts.sample, 8);
        let summary = summarize(file).unwrap();
        assert_eq!(summary.order.contradictions, 0);
        assert_eq!(summary.order.unknown_frees, 0, "a free is in only where its object is");
    }
}

#[test]
fn it_exports_the_family_needs_only_the_c_library_and_brings_nothing_of_std() {
    let told = |tool: &str, arguments: &[&str]| {
        let output = Command::new(tool).args(arguments).arg(library()).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let symbols = told("nm", &["--dynamic", "--defined-only", "--format=posix"]);
    let mut names: Vec<&str> = symbols.lines().filter_map(|line| line.split(' ').next()).collect();
    names.sort_unstable();
    let family = [
        "aligned_alloc",
        "calloc",
        "cfree",
        "free",
        "free_aligned_sized",
        "free_sized",
        "malloc",
        "malloc_usable_size",
        "memalign",
        "posix_memalign",
        "pvalloc",
        "realloc",
        "reallocarray",
        "valloc",
    ];
    assert_eq!(names, family);
    let dynamic = told("readelf", &["--dynamic", "--wide"]);
    let needed: Vec<&str> = dynamic.lines().filter(|line| line.contains("(NEEDED)")).collect();
    let of_libc =
        |line: &&str| ["libc.so", "libpthread", "libdl", "ld-linux"].iter().any(|name| line.contains(name));
    assert!(needed.iter().all(of_libc), "{needed:?}");
    assert!(dynamic.contains("STATIC_TLS"), "its thread-local slot is not initial-exec");
    let undefined = told("nm", &["--dynamic", "--undefined-only"]);
    for name in ["__tls_get_addr", "_Unwind", "abort", "malloc"] {
        assert!(!undefined.contains(name), "{name} is called");
    }
}
