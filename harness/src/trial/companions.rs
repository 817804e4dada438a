//! The programs that come with arenalab: found beside its own executable, then in `../lib/arenalab` from
//! there, then in the directory that `ARENALAB_LIBEXEC` names.

use std::ffi::OsString;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use arenalab_wire::message::Identity;
use rustix::fs::{Access, access};

/// The workload binaries, by the allocator that each has.
pub const WORKLOADS: [(&str, &str); 3] = [
    ("glibc", "arenalab-workload-glibc"),
    ("jemalloc", "arenalab-workload-jemalloc"),
    ("mimalloc", "arenalab-workload-mimalloc"),
];

/// The allocators whose libraries put them in front of the C library's in any program.
pub const LIBRARIES: [&str; 2] = ["jemalloc", "mimalloc"];

/// A companion that is not there. Displays as one line that says how to get it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{name} is not in {}; build it with: cargo build --release --workspace, or name its directory in ARENALAB_LIBEXEC",
    places(.looked_in)
)]
pub struct Missing {
    /// The program.
    pub name: String,
    /// Where it was looked for, in this order.
    pub looked_in: Vec<PathBuf>,
}

fn places(directories: &[PathBuf]) -> String {
    let places: Vec<_> = directories.iter().map(|directory| directory.display().to_string()).collect();
    if places.is_empty() { "any known place".to_owned() } else { places.join(", ") }
}

/// Where companions are looked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Companions {
    places: Vec<PathBuf>,
}

impl Companions {
    /// The places for an executable and the value of `ARENALAB_LIBEXEC`, which the edge of the program reads.
    pub fn new(executable: Option<&Path>, libexec: Option<&Path>) -> Self {
        let beside = executable.and_then(Path::parent);
        let library = beside.and_then(Path::parent).map(|prefix| prefix.join("lib/arenalab"));
        let places = [beside.map(Path::to_path_buf), library, libexec.map(Path::to_path_buf)];
        Self { places: places.into_iter().flatten().collect() }
    }

    /// The places for this very program.
    pub fn of_this_program(libexec: Option<&Path>) -> Self {
        let executable = std::env::current_exe().and_then(|path| path.canonicalize()).ok();
        Self::new(executable.as_deref(), libexec)
    }

    /// Finds a program that may be run.
    ///
    /// # Errors
    /// When it is in none of the places.
    pub fn find(&self, name: &str) -> Result<PathBuf, Missing> {
        self.find_with(name, Access::EXEC_OK)
    }

    fn find_with(&self, name: &str, right: Access) -> Result<PathBuf, Missing> {
        let usable = |path: &PathBuf| path.is_file() && access(path, right).is_ok();
        let found = self.places.iter().map(|place| place.join(name)).find(usable);
        found.ok_or_else(|| Missing { name: name.to_owned(), looked_in: self.places.clone() })
    }

    /// Finds the library that puts an allocator in front of the C library's, for programs that know nothing of
    /// us ([`crate::knowledge::preload::library`]).
    ///
    /// # Errors
    /// When it is in none of the places.
    pub fn library(&self, allocator: &str) -> Result<PathBuf, Missing> {
        let name = crate::knowledge::preload::library(allocator);
        self.find_with(&name, Access::READ_OK)
    }

    /// Finds the library that records a program's heap.
    ///
    /// # Errors
    /// When it is in none of the places.
    pub fn recorder(&self) -> Result<PathBuf, Missing> {
        self.find_with(crate::trial::recording::LIBRARY, Access::READ_OK)
    }

    /// Finds the workload binary of an allocator ([`crate::plan::Allocator::binary`]).
    ///
    /// # Errors
    /// When it is in none of the places.
    pub fn workload(&self, allocator: &str) -> Result<PathBuf, Missing> {
        self.find(&format!("arenalab-workload-{allocator}"))
    }
}

/// An executable by the name that a command gives: a path as it is, made absolute, else the first that may be
/// run in the directories of `PATH`.
pub fn executable(name: &str, path: Option<&String>) -> Option<PathBuf> {
    let runnable = |path: &PathBuf| path.is_file() && access(path, Access::EXEC_OK).is_ok();
    if name.contains('/') {
        return std::path::absolute(name).ok().filter(runnable);
    }
    let directories = path.map_or("/usr/local/bin:/usr/bin:/bin", String::as_str).split(':');
    directories.map(|directory| Path::new(directory).join(name)).find(runnable)
}

/// How long a companion may take to say what it is.
const PATIENCE: Duration = Duration::from_secs(10);

/// Asks a workload binary what it is, in this environment and no other.
///
/// # Errors
/// One line: it cannot be started, fails, does not answer in time, or answers something else.
pub fn identify(
    program: &Path,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<Identity, String> {
    let failed = |what: &dyn std::fmt::Display| format!("failed to identify {}: {what}", program.display());
    let mut child = Command::new(program)
        .arg("identify")
        .env_clear()
        .envs(environment)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| failed(&error))?;
    let ended = wait(&mut child, PATIENCE);
    let status = ended.map_err(|error| failed(&error))?;
    if !status.success() {
        return Err(failed(&status));
    }
    let mut answer = Vec::new();
    if let Some(stdout) = child.stdout.take() {
        stdout.take(1 << 20).read_to_end(&mut answer).map_err(|error| failed(&error))?;
    }
    serde_json::from_slice(&answer)
        .map_err(|error| failed(&format!("its answer is not understood ({error})")))
}

/// What a command prints, both streams; one that takes too long is killed. What it prints must fit in its pipes.
///
/// # Errors
/// It cannot be started, or gives no answer in time.
pub fn output_within(mut command: Command, patience: Duration) -> std::io::Result<std::process::Output> {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let status = wait(&mut child, patience)?;
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    if let Some(out) = child.stdout.take() {
        out.take(1 << 20).read_to_end(&mut stdout)?;
    }
    if let Some(err) = child.stderr.take() {
        err.take(1 << 20).read_to_end(&mut stderr)?;
    }
    Ok(std::process::Output { status, stdout, stderr })
}

/// Waits for a child's end; one that takes too long is killed. Its answer fits in a pipe, so that it need not
/// be read meanwhile.
fn wait(child: &mut Child, patience: Duration) -> std::io::Result<std::process::ExitStatus> {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if start.elapsed() > patience {
            child.kill()?;
            child.wait()?;
            return Err(std::io::Error::new(std::io::ErrorKind::TimedOut, "no answer in time"));
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn program(directory: &Path, name: &str, mode: u32) -> PathBuf {
        std::fs::create_dir_all(directory).unwrap();
        let path = directory.join(name);
        std::fs::write(&path, "").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        path
    }

    #[test]
    fn the_nearest_place_wins_and_what_cannot_run_is_passed_over() {
        let root = tempfile::tempdir().unwrap();
        let (bin, libexec) = (root.path().join("bin"), root.path().join("other"));
        let companions = Companions::new(Some(&bin.join("arenalab")), Some(&libexec));
        let last = program(&libexec, "arenalab-workload-glibc", 0o755);
        assert_eq!(companions.workload("glibc"), Ok(last));
        let library = program(&root.path().join("lib/arenalab"), "arenalab-workload-glibc", 0o755);
        program(&bin, "arenalab-workload-glibc", 0o644);
        assert_eq!(companions.workload("glibc"), Ok(library));
        let beside = program(&bin, "arenalab-workload-glibc", 0o755);
        assert_eq!(companions.workload("glibc"), Ok(beside));
    }

    #[test]
    fn a_missing_one_says_where_it_was_looked_for_and_how_to_build_it() {
        let companions = Companions::new(Some(Path::new("/nowhere/bin/arenalab")), Some(Path::new("/else")));
        assert_eq!(
            companions.find("arenalab-workload-jemalloc").unwrap_err().to_string(),
            "arenalab-workload-jemalloc is not in /nowhere/bin, /nowhere/lib/arenalab, /else; build it with: \
             cargo build --release --workspace, or name its directory in ARENALAB_LIBEXEC"
        );
    }

    #[test]
    fn what_does_not_answer_as_it_should_is_told_in_a_line() {
        let none = Vec::new;
        let told = |path: &str| identify(Path::new(path), none()).unwrap_err();
        assert!(told("/nowhere/x").starts_with("failed to identify /nowhere/x: No such file"));
        assert_eq!(told("/bin/false"), "failed to identify /bin/false: exit status: 1");
        assert!(told("/bin/echo").contains("its answer is not understood"));
    }

    #[test]
    fn one_that_hangs_is_ended() {
        let mut child = Command::new("/bin/sleep").arg("60").spawn().unwrap();
        let error = wait(&mut child, Duration::from_millis(20)).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::TimedOut);
        assert!(child.try_wait().unwrap().is_some());
    }
}
