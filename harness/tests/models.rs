//! Models from end to end: the file's content is part of the campaign, and what does not fit is refused.

mod common;

use std::path::Path;

use common::{both, fresh, json, run, run_expecting, text, trials};

const MODEL: &str = r#"
memory = "64MiB"
[[role]]
name = "front"
threads = 2
[[role]]
name = "back"
[[class]]
name = "request"
role = "front"
size = { kind = "set", name = "facebook-etc" }
lifetime = { kind = "exponential", mean = 500, max = "10k" }
to = "back"
[[phase]]
name = "calm"
ops = "150k"
[[phase]]
name = "rush"
ops = "150k"
load = 8
burst = true
[[phase]]
name = "calm-again"
ops = "150k"
"#;

fn write(dir: &Path, content: &str) -> String {
    let path = dir.join("front.toml");
    std::fs::write(&path, content).unwrap();
    format!("model:{}", path.display())
}

#[test]
fn a_model_is_measured_and_its_content_belongs_to_the_campaign() {
    let (parent, dir) = fresh();
    let subject = write(parent.path(), MODEL);
    let args = ["sweep", &subject, "--rounds", "1", "--allocators", "glibc,jemalloc,mimalloc", "--arena-max"];
    let args = [&args[..], &["default", "--trim", "--quiet", "--out", text(&dir)]].concat();
    run_expecting(0, &args);
    let trials = trials(&dir);
    assert_eq!(trials.len(), 4);
    for trial in &trials {
        assert_eq!(trial["status"], "ok", "{trial}");
        assert_eq!(trial["threads"], 3);
        assert!(trial["workload"].as_str().unwrap().starts_with("model:front@"));
        assert!(trial["rss"]["trimmed"].as_u64().unwrap() > 1 << 20);
        let (trim, allocator) = (trial["rss"]["trim"].as_str().unwrap(), trial["allocator"]["name"].as_str());
        let call = match allocator.unwrap() {
            "glibc" => "malloc_trim(0) returned",
            "jemalloc" => "arena.4096.purge (all arenas) done",
            _ => "mi_collect(true)",
        };
        assert!(trim.contains(call), "{trim}");
        let burst = &trial["burst"];
        assert!(burst["peak"].as_u64() >= burst["before"].as_u64(), "{burst}");
        assert!(burst["live_after"].is_u64() && burst["retained"].is_i64(), "{burst}");
    }
    // The campaign needs the file no more; a changed one is another plan.
    std::fs::remove_file(parent.path().join("front.toml")).unwrap();
    run_expecting(0, &["sweep", "--resume", "--quiet", "--out", text(&dir)]);
    write(parent.path(), MODEL);
    run_expecting(0, &[&args[..], &["--resume"]].concat());
    write(parent.path(), &MODEL.replace("load = 8", "load = 9"));
    let refused = run_expecting(2, &[&args[..], &["--resume"]].concat());
    assert!(both(&refused).contains("another plan"), "{}", both(&refused));
}

#[test]
fn a_plan_names_a_model_by_its_file_or_holds_it() {
    let (parent, _) = fresh();
    write(parent.path(), MODEL);
    let plan = parent.path().join("plan.toml");
    // From the plan's own directory.
    std::fs::write(&plan, "[[workload]]\nname = \"model:front.toml\"\n[measure]\nrounds = 2\n").unwrap();
    let printed = run_expecting(0, &["sweep", "--plan", text(&plan), "--print-plan"]);
    let printed = String::from_utf8(printed.stdout).unwrap();
    assert!(printed.contains("name = \"model:front\"") && printed.contains("load = 8"), "{printed}");
    assert!(printed.contains("threads = [3]"), "{printed}");
    std::fs::write(&plan, &printed).unwrap();
    std::fs::remove_file(parent.path().join("front.toml")).unwrap();
    let again = run_expecting(0, &["sweep", "--plan", text(&plan), "--print-plan"]);
    assert_eq!(String::from_utf8(again.stdout).unwrap(), printed);
}

#[test]
fn what_is_wrong_is_one_line_and_nothing_is_begun() {
    let (parent, dir) = fresh();
    let huge = MODEL.replace("64MiB", "60TiB").replace("load = 8", "load = 1000");
    let huge = huge.replace("mean = 500, max = \"10k\"", "mean = \"900k\", max = \"100M\"");
    for (content, threads, expected) in [
        (
            MODEL.replace("front\"\nsize", "frond\"\nsize"),
            "3",
            "front.toml:10: role: there is no role 'frond'",
        ),
        (MODEL.to_owned(), "1", "has 2 roles and needs as many threads"),
        (MODEL.replace("64MiB", "1MiB"), "3", "its limit, the key memory, is 1.00 MiB"),
        (huge, "3", "this host has"),
    ] {
        let subject = write(parent.path(), &content);
        let output = run(&["sweep", &subject, "--threads", threads, "--quiet", "--out", text(&dir)]);
        let said = both(&output);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(expected) && said.trim().lines().count() == 1, "{said}");
        assert!(!dir.exists());
    }
    let output = run_expecting(2, &["sweep", "model:/no/such.toml", "--out", text(&dir)]);
    assert!(both(&output).contains("failed to read the model /no/such.toml"));
    let listed = json(&run_expecting(0, &["list", "sizes", "--json"]));
    assert!(listed["sizes"].as_array().unwrap().len() >= 3);
}
