//! Whether this host lets a trial run inside a root: tried with the root's own loader, which looks at its own libc and
//! runs nothing else.

use std::path::Path;

use super::Footing;
use crate::trial::ending;
use crate::trial::launcher::Job;
use crate::trial::leash::{self, Started};

/// Tries it.
///
/// # Errors
/// One line: what the host does not allow, or what became of the loader there.
pub fn probe(launcher: &Path, footing: &Footing) -> Result<(), String> {
    let root = &footing.root;
    let within = |path: &Path| Path::new("/").join(path.strip_prefix(&root.dir).unwrap_or(path));
    let job = Job {
        program: within(&root.loader),
        args: vec!["--list".to_owned(), within(&root.libc).display().to_string()],
        timeout_ms: 20_000,
        grace_ms: 1_000,
        inside: footing.inside(Vec::new()),
        ..Job::default()
    };
    match leash::start_program(launcher, &job)? {
        Started::Not(reason) => Err(reason),
        Started::Runs(mut leash) => match leash.wait()? {
            ending if ending.code == Some(0) => Ok(()),
            ending => Err(format!(
                "the loader {} {}{}",
                root.loader.display(),
                ending::how_it_ended(ending.code, ending.signal),
                ending::last_words(&ending.output)
            )),
        },
    }
}
