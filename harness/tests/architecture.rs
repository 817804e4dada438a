//! Holds the code to its floors: imports only ever point down.

use std::fs;
use std::path::{Path, PathBuf};

/// The floors, lowest first; modules on one floor may use each other.
const FLOORS: [&[&str]; 7] = [
    &["format", "units"],
    &["knowledge"],
    &["plan", "statistics"],
    &["trial", "decide"],
    &["campaign"],
    &["report"],
    &["cli"],
];

fn floor(module: &str) -> Option<usize> {
    FLOORS.iter().position(|modules| modules.contains(&module))
}

fn sources(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

/// The modules named after `crate::` in a line of code.
fn imported(line: &str) -> impl Iterator<Item = &str> {
    let code = line.split("//").next().unwrap_or("");
    code.split("crate::").skip(1).map(|rest| {
        let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
        &rest[..end]
    })
}

fn each_source(mut check: impl FnMut(&str, &Path, usize, &str)) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    assert!(files.len() > 20, "the sources were not found");
    for file in files {
        let inside = file.strip_prefix(&root).unwrap();
        let module = inside.components().next().unwrap().as_os_str().to_str().unwrap();
        let module = module.trim_end_matches(".rs").to_owned();
        let text = fs::read_to_string(&file).unwrap();
        for (number, line) in text.lines().enumerate() {
            check(&module, inside, number + 1, line);
        }
    }
}

#[test]
fn imports_only_point_down() {
    let mut wrong = Vec::new();
    each_source(|module, file, number, line| {
        let Some(own) = floor(module) else { return };
        for other in imported(line).filter(|other| *other != module) {
            if floor(other).is_none_or(|theirs| theirs > own) {
                wrong.push(format!("{}:{number}: {module} uses {other}", file.display()));
            }
        }
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_module_has_its_floor() {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs")).unwrap();
    let declared = text.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'));
    let homeless: Vec<&str> = declared.filter(|module| floor(module).is_none()).collect();
    assert!(homeless.is_empty(), "no floor for {homeless:?}");
}

#[test]
fn only_the_command_line_prints_and_only_trials_touch_processes() {
    let mut wrong = Vec::new();
    each_source(|module, file, number, line| {
        let printing = ["println!", "print!(", "dbg!("].iter().any(|call| line.contains(call));
        let processes = ["process::Command", "procfs::"].iter().any(|name| line.contains(name));
        if (printing && !matches!(module, "cli" | "main")) || (processes && module != "trial") {
            wrong.push(format!("{}:{number}: {}", file.display(), line.trim()));
        }
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
