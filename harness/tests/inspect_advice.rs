//! The advice of `arenalab inspect` on made situations: what is wrong is told, and nothing else.

mod common;

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use common::{arenalab, both, json, run_expecting};
use serde_json::Value;

/// The program of all situations, made once.
fn program() -> &'static Path {
    static PROGRAM: OnceLock<(tempfile::TempDir, PathBuf)> = OnceLock::new();
    let (_, program) = PROGRAM.get_or_init(|| {
        let dir = tempfile::tempdir().unwrap();
        let program = dir.path().join("situations");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs-src/situations.c");
        let mut gcc = Command::new("gcc");
        let made = gcc.args(["-O1", "-pthread", "-o"]).arg(&program).arg(source).status().unwrap();
        assert!(made.success(), "gcc makes the program");
        (dir, program)
    });
    program
}

/// A process that has made its situation, and is ended with the test.
struct Made(Child);

impl Made {
    fn of(shape: &str, variables: &[(&str, &str)]) -> Self {
        Self::start(Command::new(program()).arg(shape).envs(variables.iter().copied()))
    }

    /// Starts it, and waits for its line.
    fn start(command: &mut Command) -> Self {
        for name in ["MALLOC_ARENA_MAX", "GLIBC_TUNABLES", "LD_PRELOAD"] {
            if !command.get_envs().any(|(set, _)| set == name) {
                command.env_remove(name);
            }
        }
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n");
        Self(child)
    }

    fn pid(&self) -> String {
        self.0.id().to_string()
    }

    fn seen(&self, more: &[&str]) -> Value {
        let pid = self.pid();
        json(&run_expecting(0, &[&["inspect", "--json", &pid], more].concat()))
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The names of the rules that spoke; each has its evidence, its source, and what to run next.
fn rules(seen: &Value) -> Vec<&str> {
    let all = seen["advice"].as_array().unwrap();
    for advice in all {
        for field in ["evidence", "source", "next"] {
            assert!(!advice[field].as_str().unwrap().is_empty(), "{field} of {advice}");
        }
    }
    all.iter().map(|advice| advice["rule"].as_str().unwrap()).collect()
}

#[track_caller]
fn says(shape: &str, expected: &[&str]) {
    let seen = Made::of(shape, &[]).seen(&["--deep"]);
    assert_eq!(rules(&seen), expected, "{shape}: {seen}");
}

#[test]
fn arenas_that_are_mostly_free() {
    says("bloat", &["freed but kept", "many arenas, mostly free"]);
}

#[test]
fn arenas_of_threads_that_have_ended() {
    says("ended", &["freed but kept", "many arenas, mostly free", "arenas without threads"]);
}

#[test]
fn memory_kept_after_a_burst() {
    says("burst", &["freed but kept"]);
}

#[test]
fn a_block_that_pins_the_top() {
    says("pinned", &["pinned top"]);
}

#[test]
fn small_holes() {
    let seen = Made::of("holes", &[]).seen(&[]);
    assert_eq!(rules(&seen), ["fragmented"], "{seen}");
    let evidence = seen["advice"][0]["evidence"].as_str().unwrap();
    assert!(evidence.contains("pieces of 128 B to 256 B"), "which sizes: {evidence}");
}

#[test]
fn live_data() {
    says("live", &["in use"]);
}

#[test]
fn large_blocks() {
    says("mapped", &["large blocks"]);
}

#[test]
fn a_threshold_that_has_risen() {
    let seen = Made::of("risen", &[]).seen(&[]);
    assert_eq!(rules(&seen).first(), Some(&"risen threshold"), "{seen}");
}

#[test]
fn huge_pages() {
    let seen = Made::of("sparse", &[("GLIBC_TUNABLES", "glibc.malloc.hugetlb=1")]).seen(&[]);
    let huge: u64 =
        seen["rows"].as_array().unwrap().iter().map(|row| row["anon_huge"].as_u64().unwrap()).sum();
    if huge < 100 << 20 {
        println!("skipped: the kernel gives no huge pages, or glibc is older than 2.35");
        return;
    }
    // They are in use as well, to malloc; and huge pages come first.
    assert_eq!(rules(&seen), ["huge pages", "in use"], "{seen}");
    assert!(seen["advice"][0]["evidence"].as_str().unwrap().contains("hugetlb=1"), "{seen}");
    // The same without them.
    let seen = Made::of("sparse", &[]).seen(&[]);
    assert_eq!(rules(&seen), [""; 0], "{seen}");
}

#[test]
fn another_allocator_in_place() {
    let own = arenalab();
    let libexec =
        own.get_envs().find(|(name, _)| *name == "ARENALAB_LIBEXEC").and_then(|(_, dir)| dir).unwrap();
    let places = [
        Path::new(libexec).join("libarenalab_jemalloc.so"),
        PathBuf::from("/usr/lib/x86_64-linux-gnu/libjemalloc.so.2"),
    ];
    let Some(library) = places.iter().find(|path| path.exists()) else {
        println!("skipped: there is no jemalloc to preload");
        return;
    };
    let library = library.to_str().unwrap();
    let seen = Made::of("live", &[("LD_PRELOAD", library), ("MALLOC_ARENA_MAX", "2")]).seen(&[]);
    assert_eq!(seen["allocator"]["name"], "jemalloc", "{seen}");
    assert_eq!(rules(&seen), ["another allocator"], "{seen}");
}

#[test]
fn a_misspelt_setting() {
    let seen = Made::of("steady", &[("MALLOC_ARENAS_MAX", "2")]).seen(&[]);
    assert_eq!(rules(&seen), ["misspelt setting"], "{seen}");
    let seen = Made::of("steady", &[("MALLOC_ARENA_MAX", "2")]).seen(&[]);
    assert_eq!(rules(&seen), [""; 0], "{seen}");
    assert_eq!(seen["settings"]["arena_max"], 2);
}

#[test]
fn a_limit_that_threads_wait_at() {
    let made = Made::of("contended", &[("MALLOC_ARENA_MAX", "1")]);
    let seen = made.seen(&["--contention", "4s"]);
    assert_eq!(rules(&seen), ["contended"], "{seen}");
    let evidence = seen["advice"][0]["evidence"].as_str().unwrap();
    assert!(evidence.contains("1 arenas of at most 1"), "{evidence}");
    // Nobody waits in a program that waits itself.
    let seen = Made::of("steady", &[]).seen(&["--contention", "300ms"]);
    assert!(seen["arenas"][0]["contention"]["looks"].as_u64().unwrap() > 10, "{seen}");
    assert_eq!((rules(&seen), &seen["arenas"][0]["contention"]["waited_for"]), (Vec::new(), &0.into()));
}

#[test]
fn memory_of_another_language() {
    let code = "keep = [(i, str(i)) for i in range(900000)]\nprint('ready', flush=True)\ninput()";
    let mut python = Command::new("python3");
    if Command::new("python3").arg("-V").output().is_err() {
        println!("skipped: there is no python3");
        return;
    }
    let seen = Made::start(python.args(["-c", code])).seen(&[]);
    assert_eq!(seen["allocator"]["name"], "glibc", "{seen}");
    assert_eq!(rules(&seen), ["memory is elsewhere"], "{seen}");
}

#[test]
fn nothing_to_say() {
    says("steady", &[]);
    let steady = Made::of("steady", &[]);
    let text = both(&run_expecting(0, &["inspect", &steady.pid()]));
    assert!(text.contains("nothing to say"), "{text}");
}

#[test]
fn a_watch_ends_with_what_grows() {
    let growing = Made::of("growing", &[]);
    let args = ["inspect", &growing.pid(), "--watch", "200ms", "--for", "6s", "--json"];
    let out = run_expecting(0, &args);
    let text = String::from_utf8(out.stdout).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let (watched, looks) = lines.split_last().unwrap();
    assert_eq!(watched["verdict"], "live_bytes", "{watched}");
    assert_eq!(watched["looks"], looks.len());
    assert!(looks.iter().all(|look| look["verdict"].is_null() && look["rows"].is_array()));
}

#[test]
fn ctrl_c_gives_the_verdict_so_far() {
    let steady = Made::of("steady", &[]);
    let mut watch = arenalab();
    watch.args(["inspect", &steady.pid(), "--watch", "100ms", "--json"]).stdout(Stdio::piped());
    let mut watch = watch.spawn().unwrap();
    let mut lines = BufReader::new(watch.stdout.take().unwrap()).lines().map(Result::unwrap);
    for _ in 0..6 {
        lines.next().expect("a look");
    }
    let sent = Command::new("kill").args(["-INT", &watch.id().to_string()]).status().unwrap();
    assert!(sent.success());
    let last = lines.last().expect("the verdict");
    let watched: Value = serde_json::from_str(&last).unwrap();
    assert_eq!(watched["verdict"], "plateau", "{watched}");
    assert_eq!(watch.wait().unwrap().code(), Some(0));
}
