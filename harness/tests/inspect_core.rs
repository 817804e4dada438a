//! `arenalab inspect --core`: a core that gdb's `gcore` or the kernel wrote, held against the live process.

mod common;

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use common::{both, json, run, run_expecting, text};
use serde_json::Value;

/// A program that stands still once its heaps are filled, ended with the test.
struct Still(Child);

impl Still {
    fn start(dir: &Path) -> Self {
        let program = dir.join("anatomy");
        let source = format!("{}/tests/programs-src/anatomy.c", env!("CARGO_MANIFEST_DIR"));
        let made =
            Command::new("cc").args(["-O1", "-pthread", &source, "-o"]).arg(&program).output().unwrap();
        assert!(made.status.success(), "{}", both(&made));
        let mut shell = Command::new("sh");
        shell.args(["-c", "ulimit -c unlimited; exec \"$0\" 3"]).arg(&program).current_dir(dir);
        let mut child = shell.env("MALLOC_ARENA_MAX", "3").stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        assert!(line.starts_with("said "), "{line}");
        Self(child)
    }
}

impl Drop for Still {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The core that the kernel writes into the directory of a process that aborts, where it does.
fn aborted(still: &mut Still, dir: &Path) -> Option<PathBuf> {
    let pattern = std::fs::read_to_string("/proc/sys/kernel/core_pattern").ok()?;
    let pid = still.0.id();
    Command::new("kill").args(["-ABRT", &pid.to_string()]).status().ok()?;
    still.0.wait().ok()?;
    if pattern.trim() != "core" {
        return None;
    }
    [dir.join("core"), dir.join(format!("core.{pid}"))].into_iter().find(|path| path.exists())
}

#[test]
fn a_core_shows_the_arenas_of_the_process_that_it_is_of() {
    let dir = tempfile::tempdir().unwrap();
    let mut still = Still::start(dir.path());
    let live = json(&run_expecting(0, &["inspect", "--json", "--deep", &still.0.id().to_string()]));
    let Some(core) = aborted(&mut still, dir.path()) else {
        println!("skipped: this host writes no core into the directory of the process");
        return;
    };
    let seen = json(&run_expecting(0, &["inspect", "--json", "--deep", "--core", text(&core)]));
    for same in [
        "comm",
        "pid",
        "threads",
        "settings",
        "arena_limit",
        "tcache",
        "in_use_by_size",
        "mmapped",
        "environment",
    ] {
        assert_eq!(seen[same], live[same], "{same}: {seen}");
    }
    let figures = ["main", "threads", "heaps", "system", "in_use", "free", "free_chunks", "fast", "top"];
    let of = |seen: &Value| -> Vec<Value> {
        let arenas = seen["arenas"].as_array().unwrap().iter();
        arenas.map(|arena| figures.iter().map(|name| arena[name].clone()).collect()).collect()
    };
    assert_eq!(of(&seen), of(&live));
    assert_eq!(of(&seen).len(), 3);
    for unknown in ["rss", "trim_gives", "free_resident", "top_resident"] {
        assert_eq!(seen["arenas"][0][unknown], Value::Null, "{unknown}");
    }
    assert_eq!(
        (&seen["rss"], &seen["rows"], &seen["allocator"]["name"]),
        (&Value::Null, &Value::Array(Vec::new()), &"glibc".into())
    );
    let out = dir.path().join("seen");
    let said = both(&run_expecting(0, &["inspect", "--core", text(&core), "--out", text(&out)]));
    assert!(said.contains("Not seen: what was resident"), "{said}");
    let page = std::fs::read_to_string(out.join("index.html")).unwrap();
    assert!(page.contains("3 arenas: ") && page.contains("Not seen: what was resident"), "arenas are drawn");

    // Half of it.
    let length = std::fs::metadata(&core).unwrap().len();
    std::fs::File::options().write(true).open(&core).unwrap().set_len(length / 2).unwrap();
    let half = both(&run_expecting(0, &["inspect", "--core", text(&core)]));
    assert!(half.contains("Not seen: all of its memory. the file was cut off: "), "{half}");
}

#[test]
fn what_is_no_core_is_one_line() {
    let dir = tempfile::tempdir().unwrap();
    let empty = dir.path().join("empty");
    std::fs::write(&empty, "").unwrap();
    let pipe = dir.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let cases = [text(&empty), text(&pipe), text(dir.path()), "/bin/sh", "/dev/zero", "/no/such/core"];
    for wrong in cases {
        let refused = run(&["inspect", "--core", wrong]);
        assert_eq!(refused.status.code(), Some(2), "{wrong}: {}", both(&refused));
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(said.lines().count() == 1 && said.contains("is not read as a core"), "{said}");
    }
    for flags in [&["--core", "x", "1"][..], &["--core", "x", "--watch", "1s"], &[]] {
        assert_eq!(run(&[&["inspect"], flags].concat()).status.code(), Some(2), "{flags:?}");
    }
}
