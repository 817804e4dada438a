//! What serves `malloc` in a process, as its maps, its executable and its environment tell.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use procfs::process::{MemoryMap, Process};

use super::judge::Served;
use crate::trial::elf;
use crate::trial::libc_root::seen;
use crate::trial::libc_root::whole::as_inside;

/// A program that a loader was started to run: the process's executable is then the loader.
#[derive(Clone, Debug)]
pub struct Behind {
    /// The loader.
    pub loader: PathBuf,
    /// The program.
    pub program: PathBuf,
}

/// Executables that were read, by path.
#[derive(Clone, Default)]
pub struct Elves {
    read: BTreeMap<PathBuf, elf::Facts>,
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

    /// The program that a process runs, and what its file says.
    fn facts(&mut self, pid: i32, executable: PathBuf) -> (PathBuf, elf::Facts) {
        let (program, file) = match &self.behind {
            Some(behind) if behind.loader == executable => (behind.program.clone(), behind.program.clone()),
            _ => (executable, PathBuf::from(format!("/proc/{pid}/exe"))),
        };
        let facts = self.read.entry(program.clone()).or_insert_with(|| elf::read(&file).unwrap_or_default());
        (program, facts.clone())
    }
}

/// Allocators by the beginning of their libraries' file names.
const LIBRARIES: [(&str, &str); 8] = [
    ("libjemalloc", "jemalloc"),
    ("libmimalloc", "mimalloc"),
    ("libtcmalloc", "tcmalloc"),
    ("librpmalloc", "rpmalloc"),
    ("libsnmalloc", "snmalloc"),
    ("libhoard", "hoard"),
    ("libarenalab_jemalloc", "jemalloc"),
    ("libarenalab_mimalloc", "mimalloc"),
];

/// What serves `malloc` in a process.
pub fn served(process: &Process, maps: &[MemoryMap], elves: &mut Elves) -> Served {
    let below = elves.below.clone();
    let files = seen::files(maps, below.as_deref());
    let executable = process.exe().unwrap_or_default();
    let on_footing =
        elves.is_behind(&executable) || below.as_ref().is_some_and(|root| executable.starts_with(root));
    let executable = below.map_or(executable.clone(), |root| as_inside(&executable, &root));
    let (executable, facts) = elves.facts(process.pid, executable);
    let name =
        |path: &PathBuf| path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let environment: Option<BTreeMap<String, String>> = process.environ().ok().map(|all| {
        let text = |os: std::ffi::OsString| os.to_string_lossy().into_owned();
        all.into_iter().map(|(name, value)| (text(name), text(value))).collect()
    });
    let preloaded = environment.as_ref().and_then(|all| all.get("LD_PRELOAD")).map(PathBuf::from);
    let library = library(&files, preloaded.as_deref());
    let libc = seen::libc(&files);
    let (by, how) = by(&facts, library.as_ref(), libc, &executable);
    let managed = files.iter().map(name).find_map(|file| managed_heap(&file));
    Served {
        by: by.to_owned(),
        how,
        library: library.map(|(_, path)| path),
        loader: crate::trial::tunables::loader_of(process),
        libc: libc.cloned(),
        on_footing,
        files,
        facts,
        executable,
        secure: secure(process),
        environment: environment.filter(|all| !overwritten(all)),
        managed,
    }
}

/// Whether a program has written over the place of its environment, as `setproctitle` does to show a title:
/// what stands there is then no environment.
fn overwritten(environment: &BTreeMap<String, String>) -> bool {
    let odd = |name: &String| name.is_empty() || name.contains(|c: char| c.is_control() || c == ' ');
    // Every trial is started with a PATH, unless arenalab itself has none.
    !environment.contains_key("PATH") || environment.keys().any(odd)
}

/// The allocator's library among the mapped files: the one that is preloaded, else one that is known.
fn library(files: &[PathBuf], preloaded: Option<&Path>) -> Option<(&'static str, PathBuf)> {
    let allocator = |path: &Path| {
        let file = path.file_name()?.to_string_lossy().into_owned();
        LIBRARIES.iter().find(|(prefix, _)| file.starts_with(prefix)).map(|(_, allocator)| *allocator)
    };
    let real = preloaded.map(|path| path.canonicalize().unwrap_or_else(|_| path.to_owned()));
    let first = files
        .iter()
        .find(|path| Some(path.as_path()) == real.as_deref() || Some(path.as_path()) == preloaded);
    match first {
        Some(path) => Some((allocator(path).unwrap_or("unknown"), path.clone())),
        None => files.iter().find_map(|path| Some((allocator(path)?, path.clone()))),
    }
}

/// The allocator that serves `malloc`, and how that is known. A program's own definition comes first in the
/// loader's search, then preloaded and linked libraries, then the C library (ld.so(8)).
fn by(
    facts: &elf::Facts,
    library: Option<&(&'static str, PathBuf)>,
    libc: Option<&PathBuf>,
    executable: &Path,
) -> (&'static str, String) {
    let executable = executable.display();
    let inside = facts.allocator.unwrap_or("its own");
    match (library, libc) {
        _ if facts.go => ("its own", format!("{executable} is a Go program, with Go's own heap")),
        _ if facts.own_malloc => (inside, format!("{executable} defines malloc itself ({inside})")),
        _ if facts.is_static && facts.allocator.is_some() => {
            (inside, format!("{executable} is static, with {inside}"))
        }
        _ if facts.static_glibc => ("glibc", format!("{executable} is linked statically, with glibc")),
        _ if facts.is_static => {
            ("unknown", format!("{executable} is linked statically, with a malloc of its own"))
        }
        (Some((name, path)), _) => (name, format!("{} is mapped", path.display())),
        _ if facts.musl => ("musl", format!("{executable} runs on musl, with musl's malloc")),
        (None, Some(path)) => {
            ("glibc", format!("no other allocator's library is mapped than {}", path.display()))
        }
        (None, None) => ("unknown", format!("{executable} has mapped no C library that is known")),
    }
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
