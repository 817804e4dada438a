//! Whether this host lets a trial run inside a root: tried with the root's own loader, which looks at its own libc and
//! runs nothing else.

use std::path::Path;

use super::Footing;
use super::shelf::Shelf;
use super::whole::Inside;
use crate::trial::ending;
use crate::trial::launcher::{Job, REFUSED};
use crate::trial::leash::{self, Started};

/// Whether this host allows it at all: tried with a directory that every host has, and a program that need not run
/// there.
///
/// # Errors
/// One line: what the host does not allow.
pub fn possible(launcher: &Path, temporary: &Path) -> Result<(), String> {
    let shelf = Shelf::empty(temporary)?;
    let inside = Inside { dir: "/usr".into(), at: shelf.dir().to_owned(), shared: Vec::new() };
    match leash::start_program(launcher, &Job { program: "/bin/true".into(), ..job(Some(inside)) })? {
        Started::Not(reason) if reason.starts_with(REFUSED) => Err(reason),
        Started::Not(_) => Ok(()),
        Started::Runs(mut leash) => leash.wait().map(drop),
    }
}

/// Tries it with a root.
///
/// # Errors
/// One line: what the host does not allow, or what became of the loader there.
pub fn probe(launcher: &Path, footing: &Footing) -> Result<(), String> {
    let root = &footing.root;
    let within = |path: &Path| Path::new("/").join(path.strip_prefix(&root.dir).unwrap_or(path));
    let args = vec!["--list".to_owned(), within(&root.libc).display().to_string()];
    try_with(launcher, &Job { program: within(&root.loader), args, ..job(footing.inside(Vec::new())) })
}

fn job(inside: Option<Inside>) -> Job {
    Job { timeout_ms: 20_000, grace_ms: 1_000, inside, ..Job::default() }
}

fn try_with(launcher: &Path, job: &Job) -> Result<(), String> {
    match leash::start_program(launcher, job)? {
        Started::Not(reason) => Err(reason),
        Started::Runs(mut leash) => match leash.wait()? {
            ending if ending.code == Some(0) => Ok(()),
            ending => Err(format!(
                "{} in it {}{}",
                job.program.display(),
                ending::how_it_ended(ending.code, ending.signal),
                ending::last_words(&ending.output)
            )),
        },
    }
}
