//! What serves `malloc` in a process: the first file in its loader's order that exports it. Names of files are only what it
//! is called by.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use procfs::process::{MemoryMap, Process};

use super::sight::Served;
use crate::knowledge::libraries;
use crate::trial::elf::{self, Facts};
use crate::trial::libc_root::seen;
use crate::trial::libc_root::whole::as_inside;
use crate::trial::loaded::{self, Loaded};

/// A program that a loader was started to run: the process's executable is then the loader.
#[derive(Clone, Debug)]
pub struct Behind {
    /// The loader.
    pub loader: PathBuf,
    /// The program.
    pub program: PathBuf,
}

/// Files that were read, by path.
#[derive(Clone, Default)]
pub struct Elves {
    read: BTreeMap<PathBuf, Facts>,
    behind: Option<Behind>,
    /// The root that all processes of the trial run in.
    below: Option<PathBuf>,
}

impl Elves {
    /// Those of a trial whose program may stand behind a loader, or run in a root.
    pub fn of(behind: Option<Behind>, below: Option<PathBuf>) -> Self {
        Self { read: BTreeMap::new(), behind, below }
    }

    /// Whether an executable is the loader that the trial's program stands behind.
    pub fn is_behind(&self, executable: &Path) -> bool {
        self.behind.as_ref().is_some_and(|behind| behind.loader == executable)
    }

    /// Whether a process runs on the host's C library, though the trial's program was started on another.
    pub fn is_stranger(&self, pid: i32) -> bool {
        let exe = || std::fs::read_link(format!("/proc/{pid}/exe"));
        self.behind.is_some() && exe().is_ok_and(|exe| !self.is_behind(&exe))
    }

    /// What the file says that a process has mapped by this path.
    fn facts(&mut self, pid: i32, path: &Path) -> Facts {
        // As the process itself sees it, which may be in a root or a namespace of its own.
        let inside = self.below.as_ref().map_or(path.to_owned(), |root| as_inside(path, root));
        let read = || {
            let rest = inside.strip_prefix("/").unwrap_or(&inside);
            let seen = Path::new("/proc").join(pid.to_string()).join("root").join(rest);
            let exe = PathBuf::from(format!("/proc/{pid}/exe"));
            // It may have been removed since.
            let runs = || std::fs::read_link(&exe).is_ok_and(|runs| runs == path);
            let read = elf::read(&seen).or_else(|_| elf::read(path));
            read.or_else(|e| if runs() { elf::read(&exe) } else { Err(e) }).unwrap_or_default()
        };
        self.read.entry(path.to_owned()).or_insert_with(read).clone()
    }
}

/// What serves `malloc` in a process.
pub fn served(process: &Process, maps: &[MemoryMap], elves: &mut Elves) -> Served {
    let below = elves.below.clone();
    let files = seen::files(maps, below.as_deref());
    let runs = process.exe().unwrap_or_default();
    let on_footing = elves.is_behind(&runs) || below.as_ref().is_some_and(|root| runs.starts_with(root));
    let loaded = loaded::order(process, maps);
    let program = loaded.as_ref().and_then(|loaded| loaded.files.first()).unwrap_or(&runs).clone();
    let facts = elves.facts(process.pid, &program);
    let source = source(process.pid, &facts, loaded.as_ref(), &files, elves);
    let inside = |path: &Path| below.as_ref().map_or(path.to_owned(), |root| as_inside(path, root));
    let executable = inside(&program);
    let libc = seen::libc(&files).cloned();
    let (by, how) = by(&facts, source.as_ref(), libc.as_deref(), &executable);
    let name = |path: &PathBuf| path.file_name().map(|name| name.to_string_lossy().into_owned());
    let managed = files.iter().filter_map(name).find_map(|file| managed_heap(&file));
    Served {
        by,
        how,
        library: source
            .filter(|(path, facts)| *path != program && !facts.libc)
            .map(|(path, _)| inside(&path)),
        order: loaded.iter().flat_map(|loaded| loaded.files.iter().map(|path| inside(path))).collect(),
        // A loader that was started with a program as its argument is itself until it has loaded that.
        settled: !is_loader(&program)
            && (facts.is_static || loaded.is_some_and(|loaded| loaded.settled && loaded.files.len() > 1)),
        loader: crate::trial::tunables::loader_of(process),
        libc,
        on_footing,
        files,
        facts,
        executable,
        file: program,
        secure: secure(process),
        environment: environment(process),
        managed,
    }
}

/// Its environment; `None` where it cannot be read, is empty, or is none any more: a program may write over its place, as
/// `setproctitle` does to show a title.
fn environment(process: &Process) -> Option<BTreeMap<String, String>> {
    let text = |os: std::ffi::OsString| os.to_string_lossy().into_owned();
    let all = process.environ().ok()?;
    let all: BTreeMap<String, String> =
        all.into_iter().map(|(name, value)| (text(name), text(value))).collect();
    let odd = |name: &String| name.is_empty() || name.contains(|c: char| c.is_control() || c == ' ');
    (!all.is_empty() && !all.keys().any(odd)).then_some(all)
}

/// The file that serves `malloc`: the first in the loader's order that exports it. Where the order cannot be read, the
/// program, else the only file besides the C library that exports it, else the C library.
fn source(
    pid: i32,
    program: &Facts,
    loaded: Option<&Loaded>,
    files: &[PathBuf],
    elves: &mut Elves,
) -> Option<(PathBuf, Facts)> {
    if program.is_static {
        return None;
    }
    let shared = |path: &&PathBuf| path.to_string_lossy().contains(".so");
    let listed: Vec<PathBuf> = match loaded {
        Some(loaded) => loaded.files.clone(),
        None => files.iter().filter(shared).cloned().collect(),
    };
    let mut exporters = listed.into_iter().filter_map(|path| {
        let facts = elves.facts(pid, &path);
        (facts.own_malloc && !is_loader(&path)).then_some((path, facts))
    });
    if loaded.is_some() {
        return exporters.next();
    }
    let all: Vec<(PathBuf, Facts)> = exporters.collect();
    all.iter().find(|(_, facts)| !facts.glibc).or(all.first()).cloned()
}

/// The loader exports a `malloc` of its own for the time before the C library is there (up to glibc 2.30).
fn is_loader(path: &Path) -> bool {
    crate::trial::tunables::is_loader(path)
}

/// What the allocator of a file is called.
fn called(path: &Path, facts: &Facts) -> &'static str {
    let file = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let named = || libraries::allocator(&file);
    facts.allocator.or_else(|| facts.glibc.then_some("glibc")).or_else(named).unwrap_or("unknown")
}

/// The allocator that serves `malloc`, and how that is known. A program's own definition comes first in the
/// loader's search, then preloaded and linked libraries, then the C library (ld.so(8)).
fn by(
    facts: &Facts,
    source: Option<&(PathBuf, Facts)>,
    libc: Option<&Path>,
    executable: &Path,
) -> (String, String) {
    let shown = executable.display();
    let inside = facts.allocator.unwrap_or("its own");
    let (by, how) = match (source, libc) {
        _ if facts.go => ("its own", format!("{shown} is a Go program, with Go's own heap")),
        _ if facts.own_malloc => (inside, format!("{shown} defines malloc itself ({inside})")),
        _ if facts.is_static => ("unknown", format!("{shown} is linked statically")),
        (Some((path, of)), _) if of.glibc => {
            ("glibc", format!("no other allocator comes before {}", path.display()))
        }
        (Some((_, of)), _) if of.libc && facts.musl => {
            ("musl", format!("{shown} runs on musl, with musl's malloc"))
        }
        (Some((path, of)), _) => (called(path, of), format!("{} is mapped", path.display())),
        (None, Some(path)) => {
            ("glibc", format!("no other allocator's library is mapped than {}", path.display()))
        }
        (None, None) => ("unknown", format!("{shown} has mapped no C library that is known")),
    };
    (by.to_owned(), how)
}

/// A runtime whose objects do not come from `malloc`, in a clause.
fn managed_heap(file: &str) -> Option<&'static str> {
    let python = file.starts_with("python3") || file.starts_with("libpython3");
    match file {
        "libjvm.so" => Some("a JVM: its Java heap does not come from malloc, and no candidate touches it"),
        "node" => Some("node: V8's heap does not come from malloc, and no candidate touches it"),
        _ if python => Some(
            "Python: objects up to 512 bytes come from its own pools, unless PYTHONMALLOC=malloc is in env",
        ),
        _ => None,
    }
}

/// Whether the loader runs in secure mode (setuid, setgid, capabilities), in which it drops `LD_PRELOAD` and
/// what steers malloc: `AT_SECURE`, 23, in the auxiliary vector (getauxval(3)).
fn secure(process: &Process) -> bool {
    process.auxv().is_ok_and(|auxv| auxv.get(&23).is_some_and(|value| *value != 0))
}
