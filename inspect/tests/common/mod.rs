//! Programs in C that tell the truth about themselves.
#![allow(dead_code, reason = "each test uses a part")]

pub mod image;

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use arenalab_inspect::glibc::{self, How, Malloc, Walk};
use arenalab_inspect::{Live, Region};

/// Compiles one of the programs in `tests/programs`.
pub fn compile(name: &str, dir: &Path, flags: &[&str]) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs").join(name).with_extension("c");
    let program = dir.join(name);
    let mut gcc = Command::new("gcc");
    gcc.args(["-O1", "-Wall", "-Werror", "-pthread", "-o"]).arg(&program).arg(&source);
    let made = gcc.args(flags).status().expect("gcc runs");
    assert!(made.success(), "gcc makes {}", source.display());
    program
}

/// A C library of another release, in a directory that `scripts/fetch-libc` made.
pub struct Root {
    pub name: String,
    /// Where its libraries are.
    libraries: PathBuf,
}

/// The roots in the directory that `ARENALAB_TEST_LIBCS` names; none where it names none, unless
/// `ARENALAB_REQUIRE_LIBCS=1`.
pub fn roots() -> Vec<Root> {
    let required = std::env::var_os("ARENALAB_REQUIRE_LIBCS").is_some_and(|value| value == "1");
    let Some(all) = std::env::var_os("ARENALAB_TEST_LIBCS") else {
        assert!(!required, "ARENALAB_TEST_LIBCS names no directory with roots, and they are required");
        println!("skipped: ARENALAB_TEST_LIBCS names no directory with roots; scripts/fetch-libc makes them");
        return Vec::new();
    };
    let entries = std::fs::read_dir(all).expect("ARENALAB_TEST_LIBCS is a directory").flatten();
    let root = |dir: PathBuf| {
        let libraries = dir.join("usr/lib/x86_64-linux-gnu");
        let name = dir.file_name()?.to_str()?.to_owned();
        libraries.join("libc.so.6").exists().then_some(Root { name, libraries })
    };
    let roots: Vec<Root> = entries.filter_map(|entry| root(entry.path())).collect();
    assert!(!roots.is_empty() || !required, "no root has a C library");
    roots
}

impl Root {
    /// Compiles a program against this C library.
    pub fn compile(&self, name: &str, dir: &Path) -> PathBuf {
        let libraries = ["libc.so.6", "libpthread.so.0"].map(|file| self.libraries.join(file));
        let [libc, threads] = libraries.each_ref().map(|path| path.to_str().unwrap());
        compile(name, dir, &["-nodefaultlibs", "-Wl,--allow-shlib-undefined", libc, threads, "-lgcc"])
    }

    /// A command that runs a program under this C library.
    pub fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(self.libraries.join("ld-linux-x86-64.so.2"));
        command.arg("--library-path").arg(&self.libraries).arg(program);
        command
    }
}

/// A program that has filled its heap and waits.
pub struct Waiting {
    child: Child,
    lines: BufReader<ChildStdout>,
    /// What it said before it was ready.
    pub said: String,
}

impl Waiting {
    pub fn start(command: &mut Command) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it starts");
        let lines = BufReader::new(child.stdout.take().unwrap());
        let mut waiting = Self { child, lines, said: String::new() };
        waiting.wait();
        waiting
    }

    /// Waits until it says that it is ready.
    fn wait(&mut self) {
        self.said.clear();
        while !self.said.ends_with("ready\n") {
            let read = self.lines.read_line(&mut self.said).unwrap();
            assert_ne!(read, 0, "it ended: {:?}, {}", self.child.wait(), self.said);
        }
    }

    /// Lets it go on to where it waits next.
    pub fn go_on(&mut self) {
        self.child.stdin.as_mut().unwrap().write_all(b"\n").unwrap();
        self.wait();
    }

    /// Waits until it has ended; what it said stays.
    pub fn ended(mut self) -> Self {
        let _ = self.child.wait();
        self
    }

    /// What its arenas hold.
    pub fn walk(&self, deep: bool) -> (Malloc, Walk) {
        let live = Live::open(self.pid()).unwrap();
        let regions = live.regions().unwrap();
        let malloc = glibc::find(&live, &regions).unwrap();
        let walk =
            malloc.walk(&live, &regions, &live.pagemap().unwrap(), if deep { How::DEEP } else { How::QUICK });
        (malloc, walk)
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
        let fast = "<total type=\"fast\"";
        let one = |heap: &str| Said {
            system: number(heap, "<system type=\"current\"", "size"),
            max_system: number(heap, "<system type=\"max\"", "size"),
            // From 2.43 on there are none.
            fast: if heap.contains(fast) { number(heap, fast, "size") } else { 0 },
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

/// Asserts that arenas and mapped blocks are to the byte what the process says of them.
pub fn assert_true(malloc: &Malloc, truth: &Waiting) {
    let found: Vec<_> = malloc.arenas.iter().map(|arena| (arena.system, arena.max_system)).collect();
    let said: Vec<_> = truth.arenas().iter().map(|heap| (heap.system, heap.max_system)).collect();
    assert_eq!(found, said);
    assert!(malloc.arenas[0].main && malloc.arenas[1..].iter().all(|arena| !arena.main));
    let settings = malloc.settings.as_ref().expect("the settings are found");
    assert_eq!([settings.mmapped_count, settings.mmapped_bytes], truth.numbers("mapped")[..]);
    assert!(malloc.in_use() && malloc.started);
}

/// Asserts that what was walked is to the byte what `malloc_info` says, and that every chunk was seen.
pub fn assert_walked(malloc: &Malloc, walk: &Walk, truth: &Waiting) {
    let mut free = 0;
    for ((arena, contents), said) in malloc.arenas.iter().zip(&walk.arenas).zip(truth.arenas()) {
        assert_eq!((contents.torn_bins, contents.fast), (0, said.fast), "{contents:?}");
        // It adds `size | PREV_INUSE` for each free chunk.
        assert_eq!(contents.free + contents.top + contents.free_chunks, said.rest, "{contents:?}");
        // Top is a chunk to it too.
        assert_eq!(contents.free_chunks + 1, said.rest_count);
        assert!(!contents.heaps.is_empty(), "{arena:?}");
        free += contents.free + contents.fast + contents.top;
    }
    let deep = walk.deep.as_ref().expect("it was asked for");
    assert_eq!((deep.covered, deep.retries), (malloc.system(), 0));
    let seen: u64 = deep.in_use.iter().map(|class| class.bytes).sum();
    let said: u64 = walk.arenas.iter().map(|contents| contents.in_use).sum();
    // The main arena begins at a boundary of 16 bytes.
    let gap = said.wrapping_sub(seen).wrapping_sub(deep.cached_bytes);
    assert!(gap < 16, "{said} - {seen} - {} of {free}", deep.cached_bytes);
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
