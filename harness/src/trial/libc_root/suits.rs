//! Whether a program can run on a root's C library, before it is tried: as the program's own file and the root's own
//! loader say (`ld.so --list`, which loads and runs nothing of the program).

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::Footing;
use super::locate::PIECES;
use crate::trial::{companions, elf};

/// How long a loader may take to list what it would load.
const PATIENCE: Duration = Duration::from_secs(20);

/// What is to be started.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// The program; of a script its interpreter.
    pub program: &'a Path,
    /// A library in front of its own.
    pub preload: Option<&'a Path>,
    /// Its environment.
    pub environment: &'a BTreeMap<String, String>,
    /// What to do about a file that needs a symbol version which the root lacks, in a clause; empty for nothing.
    pub remedy: fn(&Path) -> &'static str,
}

impl Footing {
    /// Whether a program can run here.
    ///
    /// # Errors
    /// One sentence: why not.
    pub fn suits(&self, wanted: Wanted) -> Result<(), String> {
        let program = wanted.program.display();
        let facts =
            elf::read(wanted.program).map_err(|why| format!("{program} cannot be run by a loader: {why}"))?;
        if facts.is_static {
            return Err(format!(
                "{program} is linked statically: it runs with the C library that is linked into it, and no other"
            ));
        }
        if facts.musl {
            return Err(format!("{program} is built for musl, and no glibc runs it"));
        }
        let mode = std::fs::metadata(wanted.program).map_or(0, |metadata| metadata.permissions().mode());
        if mode & 0o6000 != 0 {
            return Err(format!(
                "{program} is setuid or setgid, and a loader that is run by hand drops that"
            ));
        }
        let listed = self.listed(wanted)?;
        self.missing_version(&listed, wanted).or_else(|| self.misfit(&listed, wanted)).map_or(Ok(()), Err)
    }

    fn listed(&self, wanted: Wanted) -> Result<Listed, String> {
        let mut command = Command::new(&self.root.loader);
        command
            .args(["--library-path", &self.library_path(wanted.environment.get("LD_LIBRARY_PATH")), "--list"])
            .arg(wanted.program)
            .env_clear()
            .envs(wanted.environment)
            .stdin(Stdio::null());
        if let Some(library) = wanted.preload {
            command.env("LD_PRELOAD", library);
        }
        let failed =
            |why: String| format!("the loader {} cannot be asked: {why}", self.root.loader.display());
        let output = companions::output_within(command, PATIENCE).map_err(|e| failed(e.to_string()))?;
        Ok(Listed {
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
            well: output.status.success(),
        })
    }

    /// A symbol version that the root's libraries do not have, which a loader tells in a line each.
    fn missing_version(&self, listed: &Listed, wanted: Wanted) -> Option<String> {
        let missing: Vec<(&str, &str)> = listed.err.lines().filter_map(version_not_found).collect();
        let (_, by) = missing.first()?;
        let mut versions: Vec<&str> =
            missing.iter().filter(|(_, file)| file == by).map(|(v, _)| *v).collect();
        versions.dedup();
        let newest = versions.last()?;
        let remedy = Some((wanted.remedy)(Path::new(by))).filter(|remedy| !remedy.is_empty());
        let remedy = remedy.map_or_else(String::new, |remedy| format!("; {remedy}"));
        Some(format!(
            "{by} needs {newest}, which glibc {} in {} does not have{remedy}",
            self.root.version,
            self.place()
        ))
    }

    /// A library that is nowhere, or a piece of glibc that is not the root's.
    fn misfit(&self, listed: &Listed, wanted: Wanted) -> Option<String> {
        let program = wanted.program.display();
        for line in listed.out.lines() {
            let Some((name, target)) = line.trim().split_once(" => ") else { continue };
            if target.starts_with("not found") {
                return Some(format!(
                    "{program} needs {name}, which is neither in {} nor on the host",
                    self.place()
                ));
            }
            let path = Path::new(target.rsplit_once(" (").map_or(target, |(path, _)| path));
            let real = path.canonicalize().unwrap_or_else(|_| path.to_owned());
            if PIECES.contains(&name) && !real.starts_with(&self.root.dir) {
                return Some(format!(
                    "{program} would get {name} from {}, which is not of the glibc in {}",
                    path.display(),
                    self.place()
                ));
            }
        }
        if listed.well {
            return None;
        }
        let last = listed.err.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("no reason given");
        let last: String = last.chars().take(300).collect();
        Some(format!("the loader of {} refuses {program}: {last}", self.place()))
    }

    fn place(&self) -> std::path::Display<'_> {
        self.root.dir.display()
    }
}

/// What a loader listed.
struct Listed {
    out: String,
    err: String,
    well: bool,
}

/// The version that is missing, and the file that needs it.
fn version_not_found(line: &str) -> Option<(&str, &str)> {
    let (_, rest) = line.split_once("version `")?;
    let (version, rest) = rest.split_once("' not found (required by ")?;
    Some((version, rest.strip_suffix(')')?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_version_is_read() {
        let line = "/x/prog: /r/libc.so.6: version `GLIBC_2.34' not found (required by /x/prog)";
        assert_eq!(version_not_found(line), Some(("GLIBC_2.34", "/x/prog")));
        assert_eq!(version_not_found("\tlibm.so.6 => /r/libm.so.6 (0x00007f)"), None);
    }
}
