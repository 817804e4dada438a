//! Real programs under each preload library: C, C++ and Python, with threads, forks and late-loaded
//! libraries. Each asserts itself that this library serves all of the C family.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

const LIBRARIES: [&str; 2] = ["libarenalab_jemalloc.so", "libarenalab_mimalloc.so"];

/// A library as Cargo built it for these tests: beside this test's own executable.
fn library(name: &str) -> PathBuf {
    let executable = std::env::current_exe().unwrap();
    let path = executable.with_file_name(name);
    assert!(path.is_file(), "{} was not built", path.display());
    path
}

fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs").join(name)
}

fn has(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success())
}

fn successful(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?} ended with {}\n{said}", output.status);
    output
}

/// Compiles a program of this folder; `None`, with a word, where there is no compiler for it.
fn compiled(directory: &TempDir, name: &str, arguments: &[&str]) -> Option<PathBuf> {
    let compiler = if Path::new(name).extension() == Some(OsStr::new("cpp")) { "c++" } else { "cc" };
    if !has(compiler) {
        eprintln!("skipped: no {compiler} to compile {name} with");
        return None;
    }
    let program = directory.path().join(name).with_extension("bin");
    let warnings = ["-Wall", "-Wextra", "-Werror", "-O1", "-pthread"];
    successful(
        Command::new(compiler)
            .args(warnings)
            .args(arguments)
            .arg(source(name))
            .arg("-ldl")
            .arg("-o")
            .arg(&program),
    );
    Some(program)
}

/// Runs a program under a library. It ends well, says "ok", and is ended itself should it hang.
fn run_under(library_name: &str, arguments: &[&OsStr]) {
    // By env, for the program alone: timeout and env run as they are.
    let preload = format!("LD_PRELOAD={}", library(library_name).display());
    let mut command = Command::new("timeout");
    command.args(["120", "env", "PYTHONMALLOC=malloc", &preload]).args(arguments);
    let output = successful(&mut command);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "ok\n", "{arguments:?} under {library_name}");
}

fn run_compiled(name: &str, arguments: &[&str]) {
    let directory = TempDir::new().unwrap();
    if let Some(program) = compiled(&directory, name, arguments) {
        for name in LIBRARIES {
            run_under(name, &[program.as_os_str(), OsStr::new(name)]);
        }
    }
}

#[test]
fn the_c_family_means_what_its_manual_says() {
    run_compiled("semantics.c", &["-std=gnu11"]);
}

#[test]
fn cpp_containers_exceptions_and_aligned_new_work_over_threads() {
    run_compiled("containers.cpp", &["-std=c++17"]);
}

/// In a process with threads, fork copies whatever state the others have made half. jemalloc has fork handlers
/// for that. mimalloc 3.3 has none: its child may wait for ever, so it is asked only what it can do.
#[test]
fn threads_come_and_go_fork_and_load_libraries() {
    let directory = TempDir::new().unwrap();
    let Some(program) = compiled(&directory, "threads.c", &["-std=gnu11"]) else { return };
    let Some(plugin) = compiled(&directory, "plugin.c", &["-std=gnu11", "-shared", "-fPIC"]) else { return };
    for (name, when) in LIBRARIES.into_iter().zip(["any", "quiet"]) {
        let (program, plugin) = (program.as_os_str(), plugin.as_os_str());
        run_under(name, &[program, OsStr::new(name), plugin, OsStr::new(when)]);
    }
}

#[test]
fn python_threads_and_forks() {
    if !has("python3") {
        eprintln!("skipped: no python3");
        return;
    }
    // The interpreter itself, behind any wrapper.
    let found = successful(Command::new("python3").args(["-c", "import sys; print(sys.executable)"]));
    let python = String::from_utf8(found.stdout).unwrap();
    for name in LIBRARIES {
        run_under(name, &[OsStr::new(python.trim_end()), source("threads.py").as_os_str(), OsStr::new(name)]);
    }
}
