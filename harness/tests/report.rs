//! Reports of synthetic campaigns: what is in the files, that they are well formed, and that nothing from
//! a campaign can break out of its place.

#[allow(dead_code)]
mod report_fixture;

use std::fs;
use std::path::Path;

use arenalab::format::decision::{Comparison, Feasible, Verdict};
use arenalab::format::trial::Status;
use arenalab::report::{self, Input, Written, terminal};
use report_fixture::{Fixture, Shape, bad_twin, build, large, many, typical};

const HOSTILE: &str =
    "preload=/x/<script>alert(1)</script>|`\"'&\n\u{7}]]>--> **b** 名前.so:LONG_NAME=0123456789";

fn write(fixture: &Fixture, dir: &Path) -> Written {
    let input = Input {
        manifest: &fixture.manifest,
        decision: &fixture.decision,
        trials: &fixture.trials,
        series: &fixture.series,
        name: "2026-11-22-larson",
    };
    report::write(&input, dir).unwrap()
}

/// Writes a report and checks what must hold for any: all files sound, no request, no breaking out.
fn checked(fixture: &Fixture) -> (String, String) {
    let dir = tempfile::tempdir().unwrap();
    let written = write(fixture, dir.path());
    for chart in &written.charts {
        let bytes = fs::read(chart).unwrap();
        if chart.extension().is_some_and(|e| e == "png") {
            let mut image = png::Decoder::new(bytes.as_slice()).read_info().unwrap();
            let mut pixels = vec![0; image.output_buffer_size()];
            image.next_frame(&mut pixels).unwrap();
            assert!(pixels.iter().any(|p| *p != pixels[0]), "{} is blank", chart.display());
        } else {
            let text = String::from_utf8(bytes).unwrap();
            let svg =
                roxmltree::Document::parse(&text).unwrap_or_else(|e| panic!("{}: {e}", chart.display()));
            assert!(svg.descendants().any(|n| n.has_tag_name("text")), "{} has no text", chart.display());
            assert!(!svg.descendants().any(|n| n.has_tag_name("script")));
        }
    }
    let (html, markdown) =
        (fs::read_to_string(&written.html).unwrap(), fs::read_to_string(&written.markdown).unwrap());
    // The space before a percent sign does not break.
    let html = html.replace('\u{a0}', " ");
    for request in ["src=\"http", "href=\"http", "url(http", "@import", "<iframe", "<object"] {
        assert!(!html.contains(request), "{request}");
    }
    assert_eq!(html.matches("<script>").count(), 1, "only our own script");
    (html, markdown)
}

#[test]
fn a_typical_campaign_has_all_its_files() {
    let dir = tempfile::tempdir().unwrap();
    let written = write(&typical(), dir.path());
    for name in
        ["frontier-larson-4t", "timeline-mailstore-messages-20k-16t", "ladder-larson", "forest-choice"]
    {
        for extension in ["svg", "png"] {
            let path = dir.path().join(format!("charts/{name}.{extension}"));
            assert!(written.charts.contains(&path), "{}", path.display());
        }
    }
}

#[test]
fn the_texts_are_as_agreed() {
    let fixture = typical();
    let (html, markdown) = checked(&fixture);
    assert!(html.contains("<h1 class=\"lead\" id=\"verdict-title\">Ship MALLOC_ARENA_MAX=2: peak RSS −"));
    insta::assert_snapshot!("markdown", markdown);
    insta::assert_snapshot!("terminal", terminal(&fixture.decision, 100, false));
}

#[test]
fn a_twin_that_differs_leads() {
    let mut fixture = typical();
    fixture.decision.twin = Some(bad_twin());
    fixture.decision.scenarios[1].twin = Some(bad_twin());
    let (html, markdown) = checked(&fixture);
    let warning = "Do not act on these figures";
    let body = &html[html.find("<body>").unwrap()..];
    assert!(body.find(warning).unwrap() < body.find("Ship ").unwrap());
    assert!(markdown.find(warning).unwrap() < markdown.find("Ship ").unwrap());
    assert!(terminal(&fixture.decision, 80, false).starts_with(warning));
    assert!(html.contains("Not to be trusted: the baseline differs from itself"));
}

#[test]
fn every_ratio_of_the_decision_is_in_both_texts() {
    let fixture = typical();
    let (html, markdown) = checked(&fixture);
    for scenario in &fixture.decision.scenarios {
        for standing in &scenario.standings[1..] {
            for ratio in [&standing.throughput_ratio, &standing.rss_ratio].into_iter().flatten() {
                let words = report::words::ratio(ratio);
                assert!(markdown.contains(&words), "{words}");
                let (estimate, interval) = words.split_once(" (").unwrap();
                assert!(
                    html.contains(estimate) && html.contains(&format!("<small>({interval}</small>")),
                    "{words}"
                );
            }
        }
    }
}

/// A campaign whose names and reasons try to break out of their places.
fn hostile() -> Fixture {
    let mut fixture = build(&Shape {
        candidates: vec!["glibc".into(), HOSTILE.into(), "glibc:arena_max=2".into()],
        scenarios: vec![(format!("trace:{HOSTILE}"), 4), ("../../etc/passwd".into(), 4), ("..".into(), 4)],
        rounds: 3,
        series: true,
    });
    let decision = &mut fixture.decision;
    decision.choice = Some(HOSTILE.into());
    decision.reason = HOSTILE.into();
    decision.warnings.push(HOSTILE.into());
    for trial in fixture.trials.iter_mut().filter(|t| t.round == 1) {
        (trial.status, trial.reason) = (Status::Crashed, Some(HOSTILE.into()));
    }
    fixture
}

/// Markdown without what is between equally long runs of backticks, where nothing is markup.
fn without_code_spans(markdown: &str) -> String {
    let (mut out, mut rest) = (String::new(), markdown);
    while let Some(start) = rest.find('`') {
        out.push_str(&rest[..start]);
        let run = rest[start..].chars().take_while(|c| *c == '`').count();
        let after = &rest[start + run..];
        let closes = |at: &usize| {
            !after[..*at].ends_with('`') && after[*at..].chars().take_while(|c| *c == '`').count() == run
        };
        let end = after.match_indices('`').map(|(at, _)| at).find(closes);
        rest = end.map_or(after, |end| &after[end + run..]);
    }
    out + rest
}

#[test]
fn hostile_names_stay_names() {
    let fixture = hostile();
    let (html, markdown) = checked(&fixture);
    assert!(!html.contains("<script>alert"));
    assert!(!without_code_spans(&markdown).contains("<script"));
    let rows: Vec<&str> = markdown.lines().filter(|l| l.starts_with('|')).collect();
    let columns = |row: &str| row.replace("\\|", "").matches('|').count();
    assert!(rows.iter().all(|row| [4, 5, 8].contains(&columns(row))), "{rows:#?}");
    assert!(!terminal(&fixture.decision, 80, false).contains('\u{7}'));
}

/// A campaign of which no trial finished.
fn failed() -> Fixture {
    let mut failed = typical();
    failed.series.clear();
    for trial in &mut failed.trials {
        (trial.status, trial.reason) = (Status::Failed, Some("no such file".into()));
        (trial.rss, trial.throughput) = (None, None);
    }
    let decision = &mut failed.decision;
    (decision.verdict, decision.choice, decision.apply) = (Verdict::Undecided, None, None);
    (decision.rss_ratio, decision.throughput_ratio, decision.twin) = (None, None, None);
    for scenario in &mut decision.scenarios {
        (scenario.twin, scenario.verdict, scenario.choice) = (None, Verdict::Undecided, None);
        for standing in &mut scenario.standings {
            (standing.rss, standing.throughput, standing.p99_ratio) = (None, None, None);
            (standing.rss_ratio, standing.throughput_ratio) = (None, None);
            (standing.rss_verdict, standing.throughput_verdict) =
                (Comparison::Undecided, Comparison::Undecided);
            (standing.feasible, standing.rounds) = (Feasible::Undecided, 0);
        }
    }
    failed
}

#[test]
fn one_candidate_or_none_finished_is_told() {
    let mut alone = build(&Shape {
        candidates: vec!["glibc".into()],
        scenarios: vec![("larson".into(), 4)],
        rounds: 2,
        series: false,
    });
    alone.decision.verdict = Verdict::KeepBaseline;
    let (html, _) = checked(&alone);
    assert!(html.contains("Keep glibc"));

    let (html, markdown) = checked(&failed());
    assert!(html.contains("nothing to draw") && html.contains("Undecided: 1 candidate remains"));
    assert!(markdown.contains("| failed |"));
}

#[test]
fn sixty_candidates_make_a_page_below_3_mib() {
    let (html, _) = checked(&many(60, 30));
    assert!(html.len() < 3 << 20, "{} bytes", html.len());
}

#[test]
fn the_terminal_keeps_to_its_width() {
    let fixture = typical();
    for width in [40u16, 60, 66, 80, 100, 200] {
        let text = terminal(&fixture.decision, width, false);
        let longest = text.lines().map(|l| l.chars().count()).max().unwrap();
        assert!(longest <= usize::from(width), "{longest} > {width}:\n{text}");
        assert!(!text.contains('\u{1b}'));
    }
    assert!(terminal(&fixture.decision, 80, true).contains("\u{1b}["));
}

/// Keeps the reports for looking at: `cargo test --test report -- --ignored` with `ARENALAB_KEEP_REPORT=DIR`.
#[test]
#[ignore = "writes where it is told to, for looking at"]
fn keep_for_looking_at() {
    let keep = std::env::var_os("ARENALAB_KEEP_REPORT").expect("ARENALAB_KEEP_REPORT=DIR");
    let keep = Path::new(&keep);
    write(&typical(), &keep.join("typical"));
    write(&many(60, 30), &keep.join("many"));
    write(&many(2, 30), &keep.join("two"));
    write(&large(), &keep.join("large"));
    write(&hostile(), &keep.join("hostile"));
    write(&failed(), &keep.join("failed"));
    let mut distrusted = typical();
    distrusted.decision.twin = Some(bad_twin());
    distrusted.decision.scenarios[1].twin = Some(bad_twin());
    write(&distrusted, &keep.join("distrusted"));
}
