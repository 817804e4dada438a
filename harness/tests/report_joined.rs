//! Several campaigns in one report, reports that replace others, and tables for spreadsheets: the command as it
//! is given.

#[allow(dead_code)]
mod report_fixture;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use arenalab::format::export::What;
use arenalab::format::manifest::Libc;
use arenalab::format::trial::Status;
use report_fixture::{Fixture, Shape, build, many, typical, with_twins};

fn arenalab(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_arenalab")).args(args).output().unwrap()
}

#[track_caller]
fn done(args: &[&str]) -> String {
    let output = arenalab(args);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn small() -> Fixture {
    let candidates = ["glibc", "glibc:arena_max=1", "jemalloc"].map(str::to_owned).to_vec();
    let scenarios = vec![("larson".into(), 4), ("larson".into(), 8)];
    let mut fixture = build(&Shape { candidates, scenarios, rounds: 6, series: true });
    with_twins(&mut fixture);
    fixture
}

fn on_disk(fixture: &Fixture, dir: &Path) -> PathBuf {
    fs::create_dir_all(dir).unwrap();
    fs::write(dir.join("manifest.json"), serde_json::to_string(&fixture.manifest).unwrap()).unwrap();
    let lines: Vec<String> = fixture.trials.iter().map(|t| serde_json::to_string(t).unwrap()).collect();
    fs::write(dir.join("trials.jsonl"), lines.join("\n") + "\n").unwrap();
    dir.to_owned()
}

fn on_day(day: u32, host: &str) -> Fixture {
    let mut fixture = small();
    fixture.manifest.created_at = format!("2026-11-{day:02}T10:00:00Z");
    host.clone_into(&mut fixture.manifest.host.name);
    for trial in &mut fixture.trials {
        host.clone_into(&mut trial.host);
        let rss = trial.rss.as_mut().unwrap();
        rss.peak += u64::from(day) << 20;
    }
    fixture
}

#[test]
fn campaigns_are_joined_and_told_apart() {
    let dir = tempfile::tempdir().unwrap();
    // Given in another order than that of time.
    let campaigns: Vec<PathBuf> = [(3, "lab", "c"), (1, "lab", "a"), (2, "lab", "b"), (4, "other", "d")]
        .map(|(day, host, name)| on_disk(&on_day(day, host), &dir.path().join(name)))
        .to_vec();
    let out = dir.path().join("joined");
    let mut args = vec!["report", "--out", out.to_str().unwrap()];
    args.extend(campaigns.iter().map(|c| c.to_str().unwrap()));
    done(&args);
    let html = fs::read_to_string(out.join("index.html")).unwrap().replace("&#x2f;", "/");
    let markdown = fs::read_to_string(out.join("report.md")).unwrap();
    for text in ["From a to b", "From b to c", "From c to d"] {
        assert!(html.contains(text) && markdown.contains(text), "{text}");
    }
    // Scenarios of the same name are kept apart by host, day and libc.
    for ground in ["host lab, 2026-11-01, libc 2.36", "host other, 2026-11-04, libc 2.36"] {
        assert!(html.contains(ground) && markdown.contains(ground), "{ground}");
    }
    assert!(html.contains("the hosts differ between the campaigns: lab / other"));
    assert!(html.contains("the lines of the histories are broken there"));
    for chart in [
        "history-larson-4t",
        "history-larson-8t",
        "step-1",
        "step-3",
        "c1-frontier-larson-4t",
        "c4-growth-larson",
    ] {
        assert!(out.join(format!("charts/{chart}.svg")).is_file(), "{chart}");
        assert!(html.contains(&format!("id=\"{chart}\"")), "{chart}");
    }
    let ids: Vec<&str> = html.split(" id=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    let mut once = ids.clone();
    once.sort_unstable();
    once.dedup();
    assert_eq!(once.len(), ids.len(), "an id is there twice");
    assert!(html.contains("arenalab report c a b d --out joined"), "the command that made it");
}

#[test]
fn histories_break_where_the_host_changed() {
    let dir = tempfile::tempdir().unwrap();
    let lines = |hosts: [&str; 3]| {
        let out = dir.path().join(hosts.join("-"));
        let campaigns: Vec<String> = hosts
            .iter()
            .zip(1..)
            .map(|(host, day)| {
                let name = format!("{}-{day}", hosts.join(""));
                on_disk(&on_day(day, host), &dir.path().join(name)).to_str().unwrap().to_owned()
            })
            .collect();
        let mut args = vec!["report", "--out", out.to_str().unwrap()];
        args.extend(campaigns.iter().map(String::as_str));
        done(&args);
        let svg = fs::read_to_string(out.join("charts/history-larson-4t.svg")).unwrap();
        svg.matches("<polyline").count()
    };
    // A break takes one line of each of three candidates, in both panels.
    assert_eq!(lines(["x", "x", "x"]) - lines(["x", "x", "y"]), 6);
}

#[test]
fn libcs_of_one_campaign_are_a_step() {
    let dir = tempfile::tempdir().unwrap();
    let mut fixture = small();
    let mut after = fixture.trials.clone();
    for trial in &mut after {
        trial.libc = "target".into();
        let rss = trial.rss.as_mut().unwrap();
        rss.peak *= 2;
    }
    fixture.trials.extend(after);
    let target = Libc { name: "target".into(), ..fixture.manifest.libcs[0].clone() };
    fixture.manifest.libcs.push(target);
    let campaign = on_disk(&fixture, &dir.path().join("upgrade"));
    done(&["report", campaign.to_str().unwrap()]);
    let html = fs::read_to_string(campaign.join("report/index.html")).unwrap();
    assert!(html.contains("From libc host to libc target"), "the step");
    assert!(html.contains("larson, 4 threads, libc target"), "scenarios of both");
    assert!(html.contains("libc host → target"), "in its table");
    assert!(html.contains("+100.0\u{a0}%"), "twice the memory");
}

#[test]
fn a_report_replaces_the_earlier_one_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let campaign = on_disk(&small(), &dir.path().join("campaign"));
    let path = campaign.to_str().unwrap();
    done(&["report", path]);
    let stale = campaign.join("report/charts/stale.svg");
    fs::write(&stale, "<svg/>").unwrap();
    done(&["report", path]);
    assert!(!stale.exists(), "what an earlier report drew is gone");
    let left: Vec<_> = fs::read_dir(&campaign).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left.len(), 3, "no draft is left: {left:?}");

    // A folder with anything else in it is left alone.
    let mine = dir.path().join("mine");
    fs::create_dir(&mine).unwrap();
    fs::write(mine.join("thesis.tex"), "years").unwrap();
    let refused = arenalab(&["report", path, "--out", mine.to_str().unwrap()]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("thesis.tex"));
    assert_eq!(fs::read_dir(&mine).unwrap().count(), 1);
}

#[test]
fn what_cannot_be_joined_is_said_in_a_line() {
    let dir = tempfile::tempdir().unwrap();
    let campaign = on_disk(&small(), &dir.path().join("campaign"));
    let path = campaign.to_str().unwrap();
    let other = on_disk(&on_day(2, "lab"), &dir.path().join("other"));
    let out = dir.path().join("out");
    let out = out.to_str().unwrap();
    for (args, says) in [
        (vec!["report", path, other.to_str().unwrap()], "--out"),
        (vec!["report", path, path, "--out", out], "named twice"),
        (vec!["report", path, "/nowhere", "--out", out], "holds no campaign"),
        (vec!["export", "/nowhere"], "holds no campaign"),
    ] {
        let output = arenalab(&args);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{stderr}");
        assert!(stderr.contains(says) && stderr.trim().lines().count() == 1, "{stderr}");
    }
    assert!(!Path::new(out).exists());
}

#[test]
fn steps_between_different_engines_are_refused_and_said() {
    let dir = tempfile::tempdir().unwrap();
    let a = on_disk(&on_day(1, "lab"), &dir.path().join("a"));
    let mut changed = on_day(2, "lab");
    changed.manifest.binaries.get_mut("glibc").unwrap().sha256 = "f".repeat(64);
    let b = on_disk(&changed, &dir.path().join("b"));
    let out = dir.path().join("joined");
    done(&["report", a.to_str().unwrap(), b.to_str().unwrap(), "--out", out.to_str().unwrap()]);
    let html = fs::read_to_string(out.join("index.html")).unwrap();
    assert!(html.contains("Not compared: the workload engine for glibc is another one"), "the step");
    assert!(html.contains("the workload engine is not the same build in all campaigns"), "the warning");
}

fn records(csv: &str) -> Vec<csv::StringRecord> {
    csv::Reader::from_reader(csv.as_bytes()).records().map(Result::unwrap).collect()
}

#[test]
fn tables_hold_every_trial_and_leave_the_unknown_empty() {
    let dir = tempfile::tempdir().unwrap();
    let mut fixture = small();
    let odd = &mut fixture.trials[3];
    (odd.status, odd.reason) = (Status::Crashed, Some("=HYPERLINK(\"x\"),\n+1".into()));
    (odd.rss, odd.throughput, odd.latency_ns) = (None, None, None);
    fixture.trials[0].throughput.as_mut().unwrap().value = 0.1 + 0.2;
    let campaign = on_disk(&fixture, &dir.path().join("=campaign"));
    let path = campaign.to_str().unwrap();
    let csv = done(&["export", path]);
    let head = csv::Reader::from_reader(csv.as_bytes()).headers().unwrap().clone();
    let column = |name: &str| head.iter().position(|h| h == name).unwrap_or_else(|| panic!("{name}"));
    let rows = records(&csv);
    assert_eq!(rows.len(), fixture.trials.len());
    assert_eq!(&rows[0][column("campaign")], "'=campaign", "no formula");
    assert_eq!(&rows[3][column("reason")], "'=HYPERLINK(\"x\"),\n+1", "no formula, and nothing lost");
    assert_eq!(
        (&rows[3][column("rss_peak_bytes")], &rows[3][column("throughput")]),
        ("", ""),
        "unknown is empty"
    );
    assert_eq!(rows[0][column("throughput")].parse::<f64>().unwrap().to_bits(), (0.1f64 + 0.2).to_bits());
    for (row, trial) in rows.iter().zip(&fixture.trials) {
        let peak = trial.rss.as_ref().map_or(String::new(), |rss| rss.peak.to_string());
        assert_eq!(
            (&row[column("candidate")], &row[column("rss_peak_bytes")]),
            (trial.candidate.as_str(), peak.as_str())
        );
    }

    let json: serde_json::Value = serde_json::from_str(&done(&["export", path, "--format", "json"])).unwrap();
    assert!(json["rows"][3]["throughput"].is_null());
    assert_eq!(json["rows"][3]["reason"], "=HYPERLINK(\"x\"),\n+1", "JSON is for no spreadsheet");
    let described: Vec<&str> =
        json["columns"].as_array().unwrap().iter().map(|c| c["name"].as_str().unwrap()).collect();
    assert_eq!(described, head.iter().collect::<Vec<_>>());

    let markdown = done(&["export", path, "--what", "standings", "--format", "markdown"]);
    let widths: Vec<usize> = markdown.lines().map(|l| l.replace("\\|", "").matches('|').count()).collect();
    assert!(widths.len() == 2 + 6 && widths.iter().all(|w| *w == widths[0]), "{widths:?}");
}

#[test]
fn standings_of_several_campaigns_are_those_of_choose() {
    let dir = tempfile::tempdir().unwrap();
    let a = on_disk(&on_day(1, "lab"), &dir.path().join("a"));
    let b = on_disk(&on_day(2, "lab"), &dir.path().join("b"));
    let (a, b) = (a.to_str().unwrap(), b.to_str().unwrap());
    let csv = done(&["export", a, b, "--what", "standings"]);
    let head = csv::Reader::from_reader(csv.as_bytes()).headers().unwrap().clone();
    let column = |name: &str| head.iter().position(|h| h == name).unwrap();
    let rows = records(&csv);
    assert_eq!(rows.len(), 12);
    for (campaign, rows) in [(a, &rows[..6]), (b, &rows[6..])] {
        let output = arenalab(&["choose", campaign, "--json"]);
        let decision: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let standings =
            decision["scenarios"].as_array().unwrap().iter().flat_map(|s| s["standings"].as_array().unwrap());
        for (row, standing) in rows.iter().zip(standings) {
            let figure = |name: &str| row[column(name)].parse::<f64>().ok();
            assert_eq!(figure("rss_bytes"), standing["rss"]["estimate"].as_f64());
            assert_eq!(figure("throughput_ratio_low"), standing["throughput_ratio"]["low"].as_f64());
            assert_eq!(&row[column("rss_verdict")], standing["rss_verdict"].as_str().unwrap());
        }
    }
}

#[test]
fn the_columns_are_in_the_documents() {
    let docs = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/reports.md")).unwrap();
    for what in [What::Trials, What::Standings] {
        for column in arenalab::report::export::columns(what) {
            let line = format!("| `{}` | {} |", column.name, column.meaning);
            assert!(docs.contains(&line), "docs/reports.md lacks: {line}");
        }
    }
}

#[test]
fn sixty_candidates_and_thirty_rounds_make_a_page_below_3_mib() {
    let dir = tempfile::tempdir().unwrap();
    let mut fixture = many(60, 30);
    with_twins(&mut fixture);
    let campaign = on_disk(&fixture, &dir.path().join("sixty"));
    done(&["report", campaign.to_str().unwrap()]);
    let html = fs::read_to_string(campaign.join("report/index.html")).unwrap();
    println!("{} KiB", html.len() >> 10);
    assert!(html.len() < 3 << 20, "{} bytes", html.len());
    assert_eq!(html.matches("<tr id=\"t").count(), 61 * 3 * 30, "a row a trial");
}

#[test]
fn a_typical_campaign_shows_how_figures_grow_with_threads() {
    let dir = tempfile::tempdir().unwrap();
    let mut fixture = typical();
    with_twins(&mut fixture);
    let campaign = on_disk(&fixture, &dir.path().join("typical"));
    done(&["report", campaign.to_str().unwrap()]);
    let svg = fs::read_to_string(campaign.join("report/charts/growth-larson.svg")).unwrap();
    // Two thread counts of the six candidates that are drawn, in both panels.
    assert_eq!(svg.matches("class=\"spot\"").count(), 2 * 6 * 2);
    assert!(
        !campaign.join("report/charts/growth-mailstore-messages-20k.svg").exists(),
        "one thread count only"
    );
}
