//! What is seen of the recorded processes without touching them: resident memory, threads, arenas; and once of each
//! program, what serves its malloc.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use procfs::process::{MemoryMap, Process};

use crate::format::recording::{Outside, ProgramFacts};
use crate::knowledge::{preload, scrub};
use crate::trial::libc_root::{banner, seen};
use crate::trial::{elf, heaps, tree};

/// The file's name in the recording's directory.
pub const NAME: &str = "outside.jsonl";

/// Looks at processes, and writes lines.
pub struct Watch {
    file: File,
    known: BTreeSet<(i32, PathBuf)>,
    versions: BTreeMap<PathBuf, Option<String>>,
    glibc: BTreeSet<i32>,
}

impl Watch {
    /// Begins a file.
    ///
    /// # Errors
    /// The system refuses.
    pub fn begin(directory: &Path) -> std::io::Result<Self> {
        let file = File::create_new(directory.join(NAME))?;
        Ok(Self { file, known: BTreeSet::new(), versions: BTreeMap::new(), glibc: BTreeSet::new() })
    }

    /// Looks at a process and all below it. What is gone meanwhile is left out; a line that cannot be written is lost.
    pub fn look(&mut self, pid: i32) {
        self.look_at([pid].into_iter().chain(tree::below(pid).into_iter().map(|member| member.pid)));
    }

    /// Looks at these processes.
    pub fn look_at(&mut self, pids: impl Iterator<Item = i32>) {
        for pid in pids {
            if let Some(outside) = self.one(pid)
                && let Ok(line) = serde_json::to_string(&outside)
            {
                let _ = writeln!(self.file, "{line}");
            }
        }
    }

    fn one(&mut self, pid: i32) -> Option<Outside> {
        let process = Process::new(pid).ok()?;
        let resident = process.statm().ok()?.resident;
        let stat = process.stat().ok()?;
        let exe = process.exe().ok()?;
        let maps = || process.maps().map(|maps| maps.into_iter().collect::<Vec<_>>()).ok();
        let fresh = !self.known.contains(&(pid, exe.clone()));
        let maps = if fresh || self.glibc.contains(&pid) { maps() } else { None };
        let program = match &maps {
            Some(maps) if fresh => Some(self.program(&process, &exe, stat.ppid, maps)),
            _ => None,
        };
        // Before its libraries are there, nothing can be told of it.
        let program = program.filter(|program| program.allocator.is_some());
        if let Some(program) = &program {
            self.known.insert((pid, exe));
            if program.allocator.as_deref() == Some("glibc") {
                self.glibc.insert(pid);
            } else {
                self.glibc.remove(&pid);
            }
        }
        let is_glibc = self.glibc.contains(&pid);
        let arenas = maps.filter(|_| is_glibc).map(|maps| heaps::count(&process, &maps).arenas);
        Some(Outside {
            at_ns: super::monotonic(),
            pid,
            rss: resident * rustix::param::page_size() as u64,
            threads: u64::try_from(stat.num_threads).unwrap_or(0),
            arenas,
            program,
        })
    }

    fn program(&mut self, process: &Process, exe: &Path, parent: i32, maps: &[MemoryMap]) -> ProgramFacts {
        let files = seen::files(maps, None);
        let facts = elf::read(Path::new(&format!("/proc/{}/exe", process.pid))).unwrap_or_default();
        let libc = seen::libc(&files).cloned();
        let other = files.iter().find_map(|file| preload::recognise(file).map(|name| (name, file.clone())));
        let (allocator, library) = match (&facts, other, &libc) {
            (facts, _, _) if facts.own_malloc => (Some(facts.allocator.unwrap_or("its own")), None),
            (_, Some((name, file)), _) => (Some(name), Some(file)),
            (_, None, Some(libc)) => (Some("glibc"), Some(libc.clone())),
            (_, None, None) => (None, None),
        };
        let version = |path: &PathBuf| banner::of_file(path);
        let libc_version =
            libc.and_then(|libc| self.versions.entry(libc.clone()).or_insert_with(|| version(&libc)).clone());
        let text = |text: std::ffi::OsString| text.to_string_lossy().into_owned();
        let variables = process.environ().unwrap_or_default().into_iter();
        let variables = variables.map(|(name, value)| (text(name), text(value)));
        ProgramFacts {
            exe: exe.display().to_string(),
            parent,
            allocator: allocator.map(str::to_owned),
            own_malloc: facts.own_malloc,
            library: library.map(|library| library.display().to_string()),
            libc_version,
            variables: variables.filter(|(name, _)| scrub::is_scrubbed(name)).collect(),
            cpus_allowed: process.status().ok().and_then(|status| status.cpus_allowed_list).map(list),
        }
    }
}

/// Ranges of CPUs as the kernel writes them.
fn list(ranges: Vec<(u32, u32)>) -> String {
    let range =
        |(first, last): (u32, u32)| if first == last { first.to_string() } else { format!("{first}-{last}") };
    ranges.into_iter().map(range).collect::<Vec<_>>().join(",")
}
