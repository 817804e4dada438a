//! Programs in C that tell the truth about themselves.
#![allow(dead_code, reason = "each test uses a part")]

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use arenalab_inspect::glibc::{self, Malloc};
use arenalab_inspect::{Live, Region};

/// Compiles one of the programs in `tests/programs`.
pub fn compile(name: &str, dir: &Path, flags: &[&str]) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs").join(name).with_extension("c");
    let program = dir.join(name);
    let mut gcc = Command::new("gcc");
    gcc.args(["-O1", "-Wall", "-Werror", "-pthread"]).args(flags);
    let made = gcc.arg("-o").arg(&program).arg(&source).status().expect("gcc runs");
    assert!(made.success(), "gcc makes {}", source.display());
    program
}

/// A program that has filled its heap and waits.
pub struct Waiting {
    child: Child,
    /// What it said before it was ready.
    pub said: String,
}

impl Waiting {
    pub fn start(command: &mut Command) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it starts");
        let mut said = String::new();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        while !said.ends_with("ready\n") {
            assert_ne!(lines.read_line(&mut said).unwrap(), 0, "it ended: {:?}, {said}", child.wait());
        }
        Self { child, said }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn regions(&self) -> Vec<Region> {
        Live::open(self.pid()).unwrap().regions().unwrap()
    }

    /// glibc's malloc, as it is found from outside.
    pub fn malloc(&self) -> Malloc {
        let live = Live::open(self.pid()).unwrap();
        glibc::find(&live, &live.regions().unwrap()).unwrap()
    }

    /// What `malloc_info` said of each arena.
    pub fn arenas(&self) -> Vec<Said> {
        let heaps = self.said.split("<heap nr=").skip(1);
        let number = |heap: &str, tag: &str, field: &str| {
            let tag = heap.split(tag).nth(1).unwrap_or_else(|| panic!("{tag} in {heap}"));
            let value = tag.split(&format!("{field}=\"")).nth(1).unwrap();
            value.split('"').next().unwrap().parse().unwrap()
        };
        let one = |heap: &str| Said {
            system: number(heap, "<system type=\"current\"", "size"),
            max_system: number(heap, "<system type=\"max\"", "size"),
            fast: number(heap, "<total type=\"fast\"", "size"),
            rest: number(heap, "<total type=\"rest\"", "size"),
            rest_count: number(heap, "<total type=\"rest\"", "count"),
        };
        // What follows the last heap is the sum of all.
        heaps.map(|heap| one(heap.split("</heap>").next().unwrap())).collect()
    }

    /// A number of a line of its own, `NAME NUMBER…`.
    pub fn numbers(&self, name: &str) -> Vec<u64> {
        let line = self.said.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("{name} in {}", self.said))
            .split(' ')
            .map(|n| n.parse().unwrap())
            .collect()
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What `malloc_info` says of an arena, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Said {
    pub system: u64,
    pub max_system: u64,
    pub fast: u64,
    /// Free chunks and top; it counts a byte too many for each chunk.
    pub rest: u64,
    pub rest_count: u64,
}
