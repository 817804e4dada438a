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

fn each_file(mut check: impl FnMut(&str, &Path, &str)) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    assert!(files.len() > 20, "the sources were not found");
    for file in files {
        let inside = file.strip_prefix(&root).unwrap();
        let module = inside.components().next().unwrap().as_os_str().to_str().unwrap();
        let text = fs::read_to_string(&file).unwrap();
        check(module.trim_end_matches(".rs"), inside, &text);
    }
}

fn each_source(mut check: impl FnMut(&str, &Path, usize, &str)) {
    each_file(|module, file, text| {
        for (number, line) in text.lines().enumerate() {
            check(module, file, number + 1, line);
        }
    });
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

/// Code without its line comments, and with every run of white space as one blank.
fn bare(text: &str) -> String {
    let code = text.lines().map(|line| line.split("//").next().unwrap_or(""));
    code.flat_map(str::split_whitespace).collect::<Vec<_>>().join(" ")
}

/// Whether it can start processes, or looks at those of others.
fn touches_processes(bare: &str) -> bool {
    let in_braces = |list: &str| {
        let names = list.split('}').next().unwrap_or("");
        names.split(',').any(|name| name.split_whitespace().next() == Some("Command"))
    };
    bare.contains("process::Command")
        || bare.contains("procfs::")
        || bare.contains("arenalab_inspect::")
        || bare.split("process::{").skip(1).any(in_braces)
}

fn reads_the_environment(bare: &str) -> bool {
    bare.contains("std::env") || bare.contains("env::var") || bare.contains("env::args")
}

/// Files that may read the surroundings though they are not the command line.
const READS_SURROUNDINGS: [(&str, &str); 1] =
    [("trial/companions.rs", "where this executable lies, from which its companions are found")];

#[test]
fn only_the_command_line_prints_and_reads_the_environment_and_only_trials_touch_processes() {
    let mut wrong = Vec::new();
    each_source(|module, file, number, line| {
        let printing = ["println!", "print!(", "dbg!("].iter().any(|call| line.contains(call));
        if printing && !matches!(module, "cli" | "main") {
            wrong.push(format!("{}:{number}: {}", file.display(), line.trim()));
        }
    });
    each_file(|module, file, text| {
        let bare = bare(text);
        if touches_processes(&bare) && module != "trial" {
            wrong.push(format!("{}: processes", file.display()));
        }
        let allowed = READS_SURROUNDINGS.iter().any(|(known, _)| Path::new(known) == file);
        if reads_the_environment(&bare) && !matches!(module, "cli" | "main") && !allowed {
            wrong.push(format!("{}: the environment", file.display()));
        }
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Lines (from 1) on which `super::` leads out of the module tree that a file belongs to: to the root of
/// the crate, from where any floor can be reached.
fn leaves_its_tree(file: &Path, text: &str) -> Vec<usize> {
    let parts = file.with_extension("");
    let depth = parts.components().filter(|part| part.as_os_str() != "mod").count();
    // Modules written within the file, by the indentation of their braces.
    let mut within: Vec<usize> = Vec::new();
    let mut found = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let code = line.split("//").next().unwrap_or("").trim_end();
        let indent = code.len() - code.trim_start().len();
        let code = code.trim_start();
        let module =
            code.split_once("mod ").is_some_and(|(before, _)| before.is_empty() || before.starts_with("pub"));
        if module && code.ends_with('{') {
            within.push(indent);
        } else if code == "}" && within.last() == Some(&indent) {
            within.pop();
        }
        let most = (1..9).rev().find(|count| code.contains(&"super::".repeat(*count))).unwrap_or(0);
        if most >= depth + within.len() {
            found.push(number + 1);
        }
    }
    found
}

#[test]
fn nothing_climbs_out_of_its_module_tree() {
    let mut wrong = Vec::new();
    each_file(|module, file, text| {
        if !matches!(module, "lib" | "main") {
            let lines = leaves_its_tree(file, text).into_iter();
            wrong.extend(lines.map(|number| format!("{}:{number}", file.display())));
        }
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn these_tests_see_what_they_look_for() {
    assert!(touches_processes(&bare("use std::process::{\n    Child,\n    Command,\n};")));
    assert!(touches_processes(&bare("use std::{io, process::{Command as Run}};")));
    assert!(!touches_processes(&bare("use std::process::{ExitCode}; // process::Command")));
    assert!(touches_processes(&bare("use arenalab_inspect::Live;")));
    assert!(reads_the_environment(&bare("let x = std::env::var(\"X\");")));
    assert!(!reads_the_environment(&bare("let x = env!(\"X\");")));
    let leaves = |file: &str, text: &str| leaves_its_tree(Path::new(file), text);
    assert_eq!(leaves("plan/apply.rs", "use super::x;\nuse super::super::report;"), [2]);
    assert_eq!(leaves("plan/mod.rs", "use super::report;"), [1]);
    assert_eq!(leaves("plan/mod.rs", "mod tests {\n    use super::*;\n}\nuse super::report;"), [4]);
    assert_eq!(leaves("trial/host/cgroup.rs", "use super::super::ending;"), [0; 0]);
    assert_eq!(imported("use crate::{report, plan};").collect::<Vec<_>>(), [""], "in braces: no known floor");
}
