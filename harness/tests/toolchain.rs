//! What a program says of how it was built is kept, and `compare` names what changed.

mod common;

use std::path::Path;
use std::process::Command;

use common::{both, fresh, json, run_expecting, text};
use serde_json::Value;

const SOURCE: &str = "#include <string>\n#include <vector>\n#include <cstdio>\n\
    int main() { std::vector<std::string> all; for (int i = 0; i < 50000; i++) all.push_back(std::string(100, 'a' + i % 26));\n\
    std::puts(all[all.size() / 2].c_str()); return 0; }\n";

/// Builds the program; `false` where there is no C++ compiler.
fn build(dir: &Path, flags: &[&str]) -> bool {
    std::fs::create_dir_all(dir).unwrap();
    let source = dir.join("server.cc");
    std::fs::write(&source, SOURCE).unwrap();
    let mut compiler = Command::new("c++");
    compiler.args(flags).arg("-o").arg(dir.join("server")).arg(&source);
    compiler.status().is_ok_and(|status| status.success())
}

fn measure(dir: &Path, out: &Path) {
    let program = dir.join("server");
    let flags =
        ["sweep", "--rounds", "3", "--candidate", "glibc", "-q", "--out", text(out), "--", text(&program)];
    run_expecting(0, &flags);
}

fn kept(out: &Path) -> Value {
    let manifest = std::fs::read_to_string(out.join("manifest.json")).unwrap();
    let manifest: Value = serde_json::from_str(&manifest).unwrap();
    manifest["binaries"]["program:server"]["build"].clone()
}

#[test]
fn two_builds_of_a_program_are_told_apart_with_their_flags() {
    let (keep, before) = fresh();
    let after = keep.path().join("after");
    let (old, new) = (keep.path().join("old"), keep.path().join("new"));
    let record = ["-frecord-gcc-switches", "-Wl,--build-id"];
    if !build(&old, &[&record[..], &["-O0"]].concat()) || !build(&new, &[&record[..], &["-O2"]].concat()) {
        eprintln!("skipped: no C++ compiler");
        return;
    }
    measure(&old, &before);
    measure(&new, &after);
    let build = kept(&before);
    assert!(build["compilers"][0].as_str().unwrap().starts_with("GCC"), "{build}");
    assert!(build["flags"].to_string().contains("-O0"), "{build}");
    assert_eq!(build["build_id"].as_str().unwrap().len(), 40, "{build}");
    assert!(build["needs"]["GLIBCXX"].as_str().unwrap().starts_with("3.4"), "{build}");
    assert!(build["libstdcxx"].as_str().unwrap().starts_with("libstdc++.so.6."), "{build}");

    let output = run_expecting(0, &["compare", text(&before), text(&after), "--accept-busy-host", "--json"]);
    let compared = json(&output);
    let changed: Vec<&str> = compared["changed"]
        .as_array()
        .unwrap()
        .iter()
        .map(|change| change["what"].as_str().unwrap())
        .collect();
    for what in ["content (SHA-256)", "flags", "build id"] {
        assert!(changed.contains(&format!("program server: {what}").as_str()), "{changed:?}");
    }
    assert!(changed.iter().all(|what| what.starts_with("program server: ")), "the same host: {changed:?}");
    let joined = keep.path().join("joined");
    run_expecting(0, &["report", text(&before), text(&after), "--out", text(&joined)]);
    for (file, words) in
        [("report.md", "- changed: program server: flags: "), ("index.html", "<li>program server: flags: ")]
    {
        let page = std::fs::read_to_string(joined.join(file)).unwrap();
        assert!(page.contains(words), "{file}");
    }
    let told = both(&run_expecting(0, &["compare", text(&before), text(&after), "--accept-busy-host"]));
    let (flags, table) = (told.find("changed: program server: flags"), told.find("after / before"));
    assert!(flags.is_some() && flags < table, "{told}");
}

#[test]
fn one_build_has_not_changed() {
    let (keep, before) = fresh();
    let after = keep.path().join("after");
    let program = keep.path().join("one");
    if !build(&program, &["-O1"]) {
        eprintln!("skipped: no C++ compiler");
        return;
    }
    measure(&program, &before);
    measure(&program, &after);
    let compared =
        json(&run_expecting(0, &["compare", text(&before), text(&after), "--accept-busy-host", "--json"]));
    assert_eq!(compared["changed"], serde_json::json!([]));
}
