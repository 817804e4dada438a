//! `arenalab inspect --out`: a page of a process whose name is as hostile as a name can be.

mod common;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use common::{both, json, run, run_expecting, text};

/// A program that stands still once its heaps are filled, ended with the test.
struct Still(Child);

impl Still {
    fn start(dir: &Path, name: &str, threads: &str) -> Self {
        let program = dir.join(name);
        let source = format!("{}/tests/programs-src/anatomy.c", env!("CARGO_MANIFEST_DIR"));
        let made =
            Command::new("cc").args(["-O1", "-pthread", &source, "-o"]).arg(&program).output().unwrap();
        assert!(made.status.success(), "{}", both(&made));
        let mut child = Command::new(&program).arg(threads).stdout(Stdio::piped()).spawn().unwrap();
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

/// Fifteen bytes are all that the kernel keeps of a name.
const HOSTILE: &str = "<img onload=1>\"";

fn drawn(page: &Path, kind: &str, pid: u32) -> String {
    let charts = page.join("charts");
    assert!(charts.join(format!("{kind}-{pid}.png")).exists());
    std::fs::read_to_string(charts.join(format!("{kind}-{pid}.svg"))).unwrap()
}

#[test]
fn a_page_tells_of_a_process_and_its_name_stays_text() {
    let dir = tempfile::tempdir().unwrap();
    let still = Still::start(dir.path(), HOSTILE, "4");
    let pid = still.0.id();
    let out = dir.path().join("seen");
    let seen =
        json(&run_expecting(0, &["inspect", "--json", "--deep", "--out", text(&out), &pid.to_string()]));
    assert_eq!((&seen["comm"], &seen["arenas"].as_array().unwrap().len()), (&HOSTILE.into(), &5), "{seen}");
    let page = std::fs::read_to_string(out.join("index.html")).unwrap();
    assert!(!page.contains("<img") && page.contains("&lt;img onload"), "the name is escaped");
    for said in [
        "large blocks with a mapping of their own",
        "Arenas, the largest first",
        "arena_max",
        "Chunks by size",
    ] {
        assert!(page.contains(said), "{said}");
    }
    let anatomy = drawn(&out, "anatomy", pid);
    assert!(!anatomy.contains("<img") && anatomy.contains("free in arenas"), "the bar");
    let arenas = drawn(&out, "arenas", pid);
    assert_eq!(arenas.matches("class=\"spot\"").count(), 5, "a cell an arena");
    assert!(!out.join("charts").join(format!("growth-{pid}.svg")).exists(), "one look shows no growth");

    // The same place again, with growth; not where something else lies.
    let pid_text = pid.to_string();
    let watch = ["inspect", &pid_text, "--watch", "10ms", "--for", "60ms", "--out", text(&out)];
    let text_said = both(&run_expecting(0, &watch));
    assert!(text_said.contains("plateau: nothing grows"), "{text_said}");
    let growth = drawn(&out, "growth", pid);
    assert!(
        growth.contains("Plateau: nothing grows") && growth.contains("live in malloc"),
        "verdict and lines"
    );
    std::fs::write(out.join("mine.txt"), "kept").unwrap();
    let refused = run(&["inspect", &pid_text, "--out", text(&out)]);
    assert_eq!(refused.status.code(), Some(2), "{}", both(&refused));
    assert!(out.join("mine.txt").exists());
}

#[test]
fn several_processes_share_a_page() {
    let dir = tempfile::tempdir().unwrap();
    let (a, b) = (Still::start(dir.path(), "first", "1"), Still::start(dir.path(), "second", "2"));
    let out = dir.path().join("seen");
    let pids = [a.0.id().to_string(), b.0.id().to_string()];
    run_expecting(0, &["inspect", &pids[0], &pids[1], "--out", text(&out)]);
    let page = std::fs::read_to_string(out.join("index.html")).unwrap();
    assert!(page.contains("2 processes were looked at"));
    for pid in pids {
        assert!(page.contains(&format!("id=\"p{pid}\"")) && page.contains(&format!("id=\"anatomy-{pid}\"")));
    }
}
