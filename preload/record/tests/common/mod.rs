//! Programs under the recorder, and what they left.

#![allow(dead_code)] // each test uses some

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use arenalab_trace::read::{Recording, TraceFile};
use tempfile::TempDir;

pub fn library() -> PathBuf {
    let path = std::env::current_exe().unwrap().with_file_name("libarenalab_record.so");
    assert!(path.is_file(), "{} was not built", path.display());
    path
}

/// Compiles a program of this crate, or of the preload libraries'; `None`, with a word, where there is no compiler.
pub fn compiled(directory: &TempDir, name: &str, arguments: &[&str]) -> Option<PathBuf> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let own = here.join("tests/programs").join(name);
    let source = if own.exists() { own } else { here.join("../tests/programs").join(name) };
    let compiler = if source.extension().is_some_and(|extension| extension == "cpp") { "c++" } else { "cc" };
    let program = directory.path().join(name).with_extension("bin");
    let built = Command::new(compiler)
        .args(["-O1", "-pthread", "-Wall", "-Wextra"])
        .args(arguments)
        .arg(&source)
        .arg("-ldl")
        .arg("-o")
        .arg(&program)
        .status();
    match built {
        Ok(status) => assert!(status.success(), "{compiler} {name}: {status}"),
        Err(error) => {
            eprintln!("skipped: {compiler} for {name}: {error}");
            return None;
        }
    }
    Some(program)
}

/// A program under the recorder, ended itself should it hang. By env, for the program alone.
pub fn under(directory: &Path, program: &Path, arguments: &[&str], variables: &[&str]) -> Command {
    let mut command = Command::new("timeout");
    command.args(["-s", "KILL", "120", "env"]).arg(format!("LD_PRELOAD={}", library().display()));
    command
        .arg(format!("ARENALAB_RECORD={}", directory.display()))
        .args(variables)
        .arg(program)
        .args(arguments);
    command
}

pub fn says_ok(output: &Output) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}\n{said}", output.status);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "ok\n", "{said}");
}

pub fn sound(directory: &Path) -> Vec<TraceFile> {
    let recording = Recording::open(directory).unwrap();
    assert!(recording.refused.is_empty(), "{:?}", recording.refused);
    for file in &recording.files {
        assert_eq!(file.check().unwrap(), [], "{}", file.path.display());
    }
    recording.files
}
