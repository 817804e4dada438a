//! Lets a trial's process see another number of CPUs online: in a mount namespace of its own, a file of ours lies
//! over the kernel's list. Nobody else sees it, and it is gone with the last process of the trial.

use std::fs;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::io::Errno;
use rustix::mount::mount_bind;

use super::executor::TrialSpec;
use super::launcher::Job;
use super::leash::{self, Started};
use super::namespace::leave_the_others;
use crate::format::trial::{Status, TrialRecord};
use crate::plan::pretend::FILE;

/// What of a pretended host a trial is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pretended {
    /// Its CPUs.
    pub cpus: u32,
    /// Whether its process reads them in the file.
    pub file: bool,
    /// Most arenas that glibc makes then, where that is certain.
    pub most_arenas: Option<u32>,
    /// How the candidate is made to behave as there, in a clause.
    pub how: String,
}

/// The list as the kernel writes it.
fn list(cpus: u32) -> String {
    if cpus <= 1 { "0\n".to_owned() } else { format!("0-{}\n", cpus - 1) }
}

/// Makes this process, and all that it will start, read so many CPUs. It must not have started a thread yet.
/// `temporary` is a directory in which a file may be made for a moment.
///
/// # Errors
/// One clause: the system does not allow it.
pub fn enter(cpus: u32, temporary: &Path) -> Result<(), String> {
    let failed = |what: &str, error: Errno| format!("{what} ({error})");
    leave_the_others().map_err(|error| failed("no mount namespace of its own is allowed", error))?;
    let ours = temporary.join(format!(".arenalab-cpus-{}", std::process::id()));
    let written = write_new(&ours, &list(cpus));
    let laid =
        written.map_err(|error| format!("failed to write {}: {error}", ours.display())).and_then(|()| {
            mount_bind(&ours, FILE).map_err(|error| failed("a file cannot be laid over it", error))
        });
    // Mounted, it stays where it lies.
    let _ = fs::remove_file(&ours);
    laid?;
    match fs::read_to_string(FILE) {
        Ok(read) if read == list(cpus) => Ok(()),
        Ok(read) => Err(format!("it still reads {}", read.trim().escape_default())),
        Err(error) => Err(error.to_string()),
    }
}

fn write_new(path: &Path, content: &str) -> std::io::Result<()> {
    let mut options = fs::OpenOptions::new();
    let mut file = options.write(true).create_new(true).mode(0o444).open(path)?;
    std::io::Write::write_all(&mut file, content.as_bytes())
}

/// Whether this host allows it: tried with a process that reads the file.
///
/// # Errors
/// One clause that says why not.
pub fn possible(executable: &Path, cpus: u32, temporary: &str) -> Result<(), String> {
    let script = format!("read -r cpus <{FILE} && echo \"$cpus\"");
    let job = Job {
        program: "/bin/sh".into(),
        args: vec!["-c".to_owned(), script],
        env: vec![("TMPDIR".into(), temporary.into())],
        timeout_ms: 10_000,
        grace_ms: 1_000,
        cpus: Some(cpus),
        ..Job::default()
    };
    match leash::start_program(executable, &job)? {
        Started::Not(reason) => Err(reason),
        Started::Runs(mut leash) => match leash.wait()? {
            ending if ending.output == list(cpus) => Ok(()),
            ending => Err(format!("a process reads {} there", ending.output.trim().escape_default())),
        },
    }
}

/// Adds to a trial's line what was pretended, and fails it where more arenas were seen than such a host has.
pub fn tell(spec: &TrialSpec, record: &mut TrialRecord) {
    let Some(pretended) = &spec.pretended else { return };
    record.pretended_cpus = Some(pretended.cpus);
    if record.status != Status::Ok {
        return;
    }
    let file = pretended.file.then(|| format!("its {FILE} lists {} CPUs", pretended.cpus));
    let told = [Some(std::mem::take(&mut record.effect.how)), file, Some(pretended.how.clone())];
    record.effect.how = told.into_iter().flatten().collect::<Vec<_>>().join("; ");
    let seen = record.arenas.and_then(|arenas| arenas.observed);
    if let (Some(seen), Some(most)) = (seen, pretended.most_arenas)
        && seen > most
    {
        record.status = Status::Failed;
        record.effect.verified = false;
        record.reason = Some(format!(
            "it made {seen} arenas, but on {} CPUs there would be {most} at most: it counts them elsewhere",
            pretended.cpus
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_written_as_the_kernel_does() {
        assert_eq!((list(1), list(2), list(64)), ("0\n".to_owned(), "0-1\n".to_owned(), "0-63\n".to_owned()));
        let online = fs::read_to_string(FILE).unwrap();
        let cpus = online.trim().rsplit(['-', ',']).next().unwrap().parse::<u32>().unwrap() + 1;
        assert!(online.contains(',') || online == list(cpus), "{online}");
    }
}
