//! What is said of a host on which other work takes the CPUs: real trials beside processes of the test's own that do
//! nothing but take them. Load from elsewhere makes the host no quieter, so nothing here can fail for it.

mod common;

use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use common::{arenalab, both, fresh, json, run, text};
use serde_json::Value;

/// Processes that take all CPUs, until they are dropped, or have had two minutes of CPU each.
struct Load(Vec<Child>);

impl Load {
    fn on_all_cpus() -> Self {
        let cpus = std::thread::available_parallelism().map_or(2, usize::from);
        let mut spin = Command::new("sh");
        spin.args(["-c", "ulimit -t 120; while :; do :; done"]).stdin(Stdio::null());
        Self((0..2 * cpus).map(|_| spin.spawn().expect("there is a shell")).collect())
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A campaign measured under that load.
fn measured(dir: &Path) -> Output {
    let _load = Load::on_all_cpus();
    let args = ["sweep", "larson:ops=400k", "--threads", "2", "--rounds", "4", "--allocators", "glibc"];
    run(&[&args[..], &["--arena-max", "default,1", "--json", "--out", text(dir)]].concat())
}

#[track_caller]
fn leads(output: &Output, words: &str) {
    let said = String::from_utf8_lossy(&output.stdout);
    let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.trim_start_matches("! ").starts_with(words), "{}", both(output));
}

#[track_caller]
fn busy(state: &Value) {
    assert_eq!(state["busy"], true, "{state}");
    assert!(state["disturbed_share"].as_f64().unwrap() > 0.25, "{state}");
    assert!(!state["why"].as_str().unwrap().is_empty(), "{state}");
}

#[test]
fn a_campaign_beside_other_work_is_undecided_and_says_so_first() {
    const LEAD: &str = "Undecided: the host was busy: ";
    let (_parent, dir) = fresh();
    let swept = measured(&dir);
    assert_eq!(swept.status.code(), Some(0), "{}", both(&swept));
    busy(&json(&swept)["host"]);
    let at = text(&dir);

    let chosen = run(&["choose", at]);
    assert_eq!(chosen.status.code(), Some(4), "{}", both(&chosen));
    leads(&chosen, LEAD);
    let decision = json(&run(&["choose", at, "--json"]));
    busy(&decision["host"]);
    assert_eq!((&decision["verdict"], &decision["choice"]), (&"undecided".into(), &Value::Null));
    assert!(decision["warnings"][0].as_str().unwrap().starts_with(LEAD), "{decision}");
    for standing in decision["scenarios"][0]["standings"].as_array().unwrap() {
        assert_eq!(standing["rss_verdict"], "undecided", "{standing}");
        assert_eq!(standing["throughput_verdict"], "undecided", "{standing}");
    }
    let quiet = run(&["choose", at, "-q"]);
    assert_eq!(String::from_utf8_lossy(&quiet.stdout).trim(), "none");
    assert!(both(&quiet).contains(LEAD), "{}", both(&quiet));

    let accepted = run(&["choose", at, "--accept-busy-host"]);
    leads(&accepted, "Do not rely on these words: the host was busy: ");
    let words = json(&run(&["choose", at, "--accept-busy-host", "--json"]));
    assert_eq!(words["host"]["accepted"], true);
    let standing = &words["scenarios"][0]["standings"][1];
    assert!(standing["rss_ratio"]["low"].is_number(), "{standing}");

    for more in [&[][..], &["--fail-on", "rss:worse:5%"]] {
        let compared = run(&[&["compare", at, at][..], more].concat());
        assert_eq!(compared.status.code(), Some(4), "{}", both(&compared));
        leads(&compared, LEAD);
    }
    let compared = json(&run(&["compare", at, at, "--json"]));
    busy(&compared["host"]);
    assert!(compared["entries"].as_array().unwrap().iter().all(|entry| entry["verdict"] == "undecided"));
    let accepted = run(&["compare", at, at, "--accept-busy-host"]);
    assert_eq!(accepted.status.code(), Some(0), "{}", both(&accepted));
    leads(&accepted, "Do not rely on these words: the host was busy: ");

    let reported = run(&["report", at]);
    assert_eq!(reported.status.code(), Some(0), "{}", both(&reported));
    let markdown = std::fs::read_to_string(dir.join("report/report.md")).unwrap();
    assert!(
        markdown.lines().find(|line| line.starts_with("**")).unwrap().starts_with("**Undecided: the host")
    );
    let html = std::fs::read_to_string(dir.join("report/index.html")).unwrap();
    assert!(html.contains("id=\"verdict-title\">Undecided: the host was busy"));
    let exported = both(&run(&["export", at, "--what", "standings"]));
    assert!(exported.contains("host_disturbed_share"), "{exported}");
}

#[test]
fn a_search_beside_other_work_is_undecided_too_unless_that_was_accepted_in_its_plan() {
    let load = Load::on_all_cpus();
    let (parent, dir) = fresh();
    let args =
        ["tune", "larson:ops=100k", "--threads", "2", "--rounds", "6", "--candidate", "glibc:arena_max=1"];
    let tuned = run(&[&args[..], &["--out", text(&dir)]].concat());
    assert_eq!(tuned.status.code(), Some(4), "{}", both(&tuned));
    leads(&tuned, "Undecided: the host was busy: ");
    let other = parent.path().join("accepted");
    let accepted = run(&[&args[..], &["--accept-busy-host", "--out", text(&other)]].concat());
    drop(load);
    leads(&accepted, "Do not rely on these words: the host was busy: ");
    let manifest: Value =
        serde_json::from_slice(&std::fs::read(other.join("manifest.json")).unwrap()).unwrap();
    assert!(manifest["plan"].as_str().unwrap().contains("accept_busy_host = true"), "{manifest}");
    // What was accepted for the campaign is accepted of it later.
    leads(&run(&["choose", text(&other)]), "Do not rely on these words: the host was busy: ");
}

#[test]
fn doctor_calls_such_a_host_unfit_and_names_what_takes_the_cpus() {
    let _load = Load::on_all_cpus();
    let output = arenalab().args(["doctor", "--json"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", both(&output));
    let report = json(&output);
    assert_eq!(report["fit"], false);
    let findings = report["findings"].as_array().unwrap();
    let load = findings.iter().find(|finding| finding["check"] == "load").unwrap();
    assert_eq!(load["level"], "bad", "{load}");
    assert!(load["found"].as_str().unwrap().contains("the most CPU: "), "{load}");
    assert!(report["load"]["others_share"].as_f64().unwrap() > 0.1, "{report}");
    assert!(report["load"]["top"][0]["cpus"].as_f64().unwrap() > 0.0, "{report}");
    let words = both(&run(&["doctor"]));
    assert!(words.contains("BAD") && words.contains("not fit to measure on"), "{words}");
}
