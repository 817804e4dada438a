//! The program behind a script: a loader starts none, so that what its first line names is started (execve(2)).

use std::io::Read;
use std::path::{Path, PathBuf};

use crate::trial::companions;

/// What the kernel reads of a first line (`BINPRM_BUF_SIZE`).
const LONGEST: u64 = 256;

/// A program, with the words that come before its own arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Behind {
    /// The program.
    pub program: PathBuf,
    /// Of a script: the option of its first line, and its path.
    pub words: Vec<String>,
}

/// Follows a script to its interpreter; a program stays as it is. `search` is `PATH`, for `#!/usr/bin/env NAME`.
///
/// # Errors
/// One clause: the file cannot be read, or its first line cannot be followed.
pub fn behind(path: &Path, search: Option<&String>) -> Result<Behind, String> {
    let Some(line) = first_line(path)? else {
        return Ok(Behind { program: path.to_owned(), words: Vec::new() });
    };
    let own = path.to_str().ok_or_else(|| format!("the path {} is no text", path.display()))?.to_owned();
    let (interpreter, option) = match line.split_once([' ', '\t']) {
        Some((interpreter, option)) => (interpreter, Some(option.trim()).filter(|option| !option.is_empty())),
        None => (line.as_str(), None),
    };
    let refused = |why: &str| format!("{own} is a script ({}), and {why}", line.escape_debug());
    let found = if Path::new(interpreter).file_name().is_some_and(|name| name == "env") {
        let name = option.filter(|name| !name.starts_with('-') && !name.contains([' ', '\t', '=']));
        let name = name.ok_or_else(|| refused("which program that is cannot be told"))?;
        let found =
            companions::executable(name, search).ok_or_else(|| refused("there is no such program"))?;
        Behind { program: found, words: vec![own.clone()] }
    } else {
        let words = option.map(str::to_owned).into_iter().chain([own.clone()]).collect();
        Behind { program: PathBuf::from(interpreter), words }
    };
    match first_line(&found.program) {
        Ok(None) => Ok(found),
        Ok(Some(_)) => Err(refused("its interpreter is a script as well")),
        Err(why) => Err(refused(&why)),
    }
}

/// What stands behind `#!` in the first line; `None` where the file does not begin so.
fn first_line(path: &Path) -> Result<Option<String>, String> {
    let mut bytes = Vec::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(LONGEST).read_to_end(&mut bytes))
        .map_err(|e| format!("failed to read {}: {e}", path.display()))?;
    let Some(rest) = bytes.strip_prefix(b"#!") else { return Ok(None) };
    let line = rest.split(|byte| *byte == b'\n').next().unwrap_or(rest);
    Ok(Some(String::from_utf8_lossy(line).trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_is_followed_to_its_interpreter() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = dir.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let followed = |path: &Path| behind(path, Some(&"/usr/bin:/bin".to_owned()));
        let plain = write("plain", "#!/bin/sh -e\nexit 0\n");
        let words = vec!["-e".to_owned(), plain.display().to_string()];
        assert_eq!(followed(&plain), Ok(Behind { program: "/bin/sh".into(), words }));
        let env = write("env", "#! /usr/bin/env sh\n");
        let found = followed(&env).unwrap();
        assert!(found.program.ends_with("sh") && found.words == [env.display().to_string()], "{found:?}");
        assert_eq!(followed(Path::new("/bin/sh")).unwrap().words, Vec::<String>::new());
        let split = write("split", "#!/usr/bin/env -S sh -e\n");
        assert!(followed(&split).unwrap_err().contains("cannot be told"));
        let twice = write("twice", &format!("#!{}\n", plain.display()));
        assert!(followed(&twice).unwrap_err().ends_with("a script as well"));
        assert!(followed(&write("gone", "#!/nowhere/x\n")).unwrap_err().contains("/nowhere/x"));
        assert!(followed(Path::new("/nowhere/y")).is_err());
    }
}
