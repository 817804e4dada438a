//! Every figure in the page and in `report.md` is the one in `choose --json`: both texts are walked, and each
//! figure is looked up where it says that it comes from.

#[allow(dead_code)]
mod report_fixture;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use arenalab::format::decision::{Comparison, Decision, Level, Ratio, Standing};
use arenalab::report::words;
use arenalab::units;
use regex::Regex;
use report_fixture::{Fixture, many, typical, with_twins};
use serde_json::Value;

/// The no-break space before a percent sign.
const HARD: &str = "\u{a0}%";

fn arenalab(args: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_arenalab")).args(args).output().unwrap();
    assert!(matches!(output.status.code(), Some(0 | 3 | 4)), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// A campaign on disk.
fn on_disk(fixture: &Fixture, dir: &Path) -> PathBuf {
    let campaign = dir.join("campaign");
    fs::create_dir_all(&campaign).unwrap();
    fs::write(campaign.join("manifest.json"), serde_json::to_string(&fixture.manifest).unwrap()).unwrap();
    let lines: Vec<String> = fixture.trials.iter().map(|t| serde_json::to_string(t).unwrap()).collect();
    fs::write(campaign.join("trials.jsonl"), lines.join("\n") + "\n").unwrap();
    campaign
}

struct Texts {
    json: Value,
    decision: Decision,
    html: String,
    markdown: String,
}

fn texts(campaign: &Path, dir: &Path) -> Texts {
    let campaign = campaign.to_str().unwrap();
    let out = dir.join("report");
    let json = arenalab(&["choose", campaign, "--json"]);
    arenalab(&["report", campaign, "--out", out.to_str().unwrap()]);
    Texts {
        decision: serde_json::from_str(&json).unwrap(),
        json: serde_json::from_str(&json).unwrap(),
        html: fs::read_to_string(out.join("index.html")).unwrap(),
        markdown: fs::read_to_string(out.join("report.md")).unwrap(),
    }
}

/// Text of a piece of our own page.
fn plain(html: &str) -> String {
    let tags = Regex::new("<[^>]*>").unwrap();
    let text = tags.replace_all(html, "");
    let entities =
        [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#x27;", "'"), ("&#x2f;", "/"), ("&amp;", "&")];
    entities
        .iter()
        .fold(text.replace(HARD, " %"), |text, (from, to)| text.replace(from, to))
        .trim()
        .to_owned()
}

/// What a figure at a place of the JSON is in words.
fn in_words(json: &Value, at: &str) -> String {
    let name = at.rsplit('/').next().unwrap();
    let value = json.pointer(at).unwrap_or_else(|| panic!("{at} is nowhere"));
    let unit = || {
        let scenario = at.split("/standings").next().unwrap();
        json.pointer(&format!("{scenario}/unit")).and_then(Value::as_str).unwrap()
    };
    let ratio = || words::ratio(&serde_json::from_value::<Ratio>(value.clone()).unwrap());
    let level = || serde_json::from_value::<Level>(value.clone()).unwrap();
    match name {
        _ if value.is_null() && name == "minutes_needed" => "no length of measuring would".to_owned(),
        _ if value.is_null() => "–".to_owned(),
        "rss_ratio" | "throughput_ratio" | "p99_ratio" => ratio(),
        "rss" => words::bytes(&level()),
        "throughput" => words::rate(&level(), unit()),
        "rounds" | "trials_run" => value.to_string(),
        "resolvable" => words::share(value.as_f64().unwrap()),
        "confidence" => words::confidence(value.as_f64().unwrap()),
        "minutes_needed" => units::format_seconds(value.as_f64().unwrap() * 60.0),
        "bound" => match value.as_f64().unwrap() {
            ratio if ratio < 1000.0 => words::change(ratio),
            bytes => units::format_bytes(bytes),
        },
        _ => panic!("{at} is not known to be a figure"),
    }
}

/// The exact figures that an element carries are those of the JSON, and so is its text.
fn same(json: &Value, at: &str, attributes: &str, text: &str) {
    let carried = |name: &str| {
        let pattern = Regex::new(&format!("data-{name}=\"([^\"]*)\"")).unwrap();
        pattern.captures(attributes).map(|found| found[1].parse::<f64>().unwrap())
    };
    let value = json.pointer(at).unwrap_or_else(|| panic!("{at} is nowhere"));
    let baseline = at.ends_with("_ratio") && at.contains("/standings/0/");
    if baseline {
        assert_eq!((text, carried("value")), ("–", None), "{at}: the baseline is not compared with itself");
        return;
    }
    let (estimate, low, high) = match value {
        Value::Object(map) => (map["estimate"].as_f64(), map["low"].as_f64(), map["high"].as_f64()),
        other => (other.as_f64(), None, None),
    };
    assert_eq!((carried("value"), carried("low"), carried("high")), (estimate, low, high), "{at}");
    let verdict = json.pointer(&at.replace("_ratio", "_verdict")).and_then(Value::as_str);
    let expected = in_words(json, at);
    let expected = match (verdict.filter(|_| at.ends_with("_ratio")), expected.split_once(" (")) {
        (Some(verdict), Some((estimate, interval))) => {
            let mark = words::mark(serde_json::from_value::<Comparison>(verdict.into()).unwrap());
            format!("{estimate} {mark} {verdict} ({interval}")
        }
        _ => expected,
    };
    assert_eq!(text, expected, "{at}");
}

/// Every figure of the page: how many there were.
fn walk_html(texts: &Texts) -> usize {
    let json = &texts.json;
    let mut seen = 0;
    let cell = Regex::new("<td([^>]*)data-is=\"([^\"]*)\"([^>]*)>(.*?)</td>").unwrap();
    let row = Regex::new("(?s)<tr[^>]*data-at=\"([^\"]*)\">(.*?)</tr>").unwrap();
    for found in row.captures_iter(&texts.html) {
        let figures = found[2].matches("<td class=\"figure\"").count();
        let told = cell.captures_iter(&found[2]).count();
        assert_eq!(figures, told, "a figure in {} does not say where it comes from", &found[1]);
        for cell in cell.captures_iter(&found[2]) {
            same(
                json,
                &format!("{}/{}", &found[1], &cell[2]),
                &found[2][cell.get(0).unwrap().range()],
                &plain(&cell[4]),
            );
            seen += 1;
        }
    }
    let facts = cell.captures_iter(&texts.html).filter(|found| found[2].starts_with('/'));
    for found in facts {
        let whole = found.get(0).unwrap().as_str();
        same(json, &found[2], whole, &plain(&found[4]));
        seen += 1;
    }
    seen
}

fn cells(row: &str) -> Vec<String> {
    let unescaped = Regex::new(r"\\([\\*_\[\]|#~!])").unwrap();
    let entities = |text: &str| {
        text.replace("&lt;", "<").replace("&gt;", ">").replace("&#96;", "`").replace("&amp;", "&")
    };
    let inner = row.trim().trim_start_matches('|').trim_end_matches('|').replace("\\|", "\u{1}");
    let cell = |cell: &str| entities(&unescaped.replace_all(cell.trim(), "$1")).replace('\u{1}', "|");
    inner.split('|').map(cell).collect()
}

fn judged(ratio: Option<&Ratio>, verdict: Comparison, baseline: bool) -> String {
    match ratio.filter(|_| !baseline) {
        Some(ratio) => format!("{} **{}**", words::ratio(ratio), words::comparison(verdict)),
        None => "–".to_owned(),
    }
}

/// A candidate's row as it must be.
fn row(decision: &Decision, standing: &Standing, unit: &str) -> Vec<String> {
    let baseline = standing.candidate == decision.baseline;
    vec![
        standing.rounds.to_string(),
        standing.rss.as_ref().map_or("–".to_owned(), words::bytes),
        judged(standing.rss_ratio.as_ref(), standing.rss_verdict, baseline),
        standing.throughput.as_ref().map_or("–".to_owned(), |l| words::rate(l, unit)),
        judged(standing.throughput_ratio.as_ref(), standing.throughput_verdict, baseline),
        words::feasible(standing.feasible).to_owned(),
    ]
}

/// Every row of every table of `report.md`: how many there were.
fn walk_markdown(texts: &Texts) -> usize {
    let (decision, markdown) = (&texts.decision, &texts.markdown);
    let mut tables: Vec<Vec<Vec<String>>> = Vec::new();
    for (number, line) in markdown.lines().enumerate() {
        let before = number.checked_sub(1).and_then(|n| markdown.lines().nth(n)).unwrap_or("");
        if line.starts_with('|') && !before.starts_with('|') {
            tables.push(Vec::new());
        }
        if line.starts_with('|') && !line.starts_with("|---") {
            tables.last_mut().unwrap().push(cells(line));
        }
    }
    let mut rows = 0;
    let mut standings = tables.iter().filter(|t| t[0].get(1).is_some_and(|head| head == "rounds"));
    for scenario in &decision.scenarios {
        let table = standings.next().expect("a table a scenario");
        assert_eq!(table.len() - 1, scenario.standings.len());
        for (told, standing) in table[1..].iter().zip(&scenario.standings) {
            assert!(told[0].contains(standing.candidate.as_str()), "{told:?}");
            assert_eq!(told[1..], row(decision, standing, &scenario.unit), "{}", standing.candidate);
            rows += 1;
        }
    }
    assert!(standings.next().is_none());
    let open = tables.iter().filter(|t| t[0][1] == "what is open").flat_map(|t| &t[1..]);
    for (told, (index, open)) in open.zip(decision.undecided.iter().enumerate()) {
        let time = in_words(&texts.json, &format!("/undecided/{index}/minutes_needed"));
        assert_eq!(told[1..], [open.why.clone(), time]);
        rows += 1;
    }
    let out = tables.iter().filter(|t| t[0][2] == "bound").flat_map(|t| &t[1..]);
    for (told, (index, out)) in out.zip(decision.eliminated.iter().enumerate()) {
        assert_eq!(
            told[1..],
            [out.why.clone(), in_words(&texts.json, &format!("/eliminated/{index}/bound"))]
        );
        rows += 1;
    }
    for (name, ratio) in [("RSS", &decision.rss_ratio), ("throughput", &decision.throughput_ratio)] {
        if let Some(ratio) = ratio {
            let figure = words::ratio(ratio);
            let told = |line: &str| line.starts_with("- ") && line.contains(name) && line.contains(&figure);
            assert!(markdown.lines().any(told), "{name}: {figure}");
        }
    }
    rows
}

fn walk(campaign: &Path, dir: &Path) {
    let texts = texts(campaign, dir);
    let standings: usize = texts.decision.scenarios.iter().map(|s| s.standings.len()).sum();
    let listed = texts.decision.undecided.len() + texts.decision.eliminated.len();
    assert!(walk_html(&texts) >= standings * 6 + listed + 2);
    assert_eq!(walk_markdown(&texts), standings + listed);
}

#[test]
fn of_the_reference_campaign() {
    let dir = tempfile::tempdir().unwrap();
    let reference = Path::new(env!("CARGO_MANIFEST_DIR")).join("../results/reference");
    walk(&reference, dir.path());
}

#[test]
fn of_made_up_campaigns() {
    for mut fixture in [typical(), many(2, 6), many(12, 4)] {
        with_twins(&mut fixture);
        let dir = tempfile::tempdir().unwrap();
        let campaign = on_disk(&fixture, dir.path());
        walk(&campaign, dir.path());
    }
}

#[test]
fn the_walk_sees_a_figure_that_is_another() {
    let mut fixture = typical();
    with_twins(&mut fixture);
    let dir = tempfile::tempdir().unwrap();
    let mut texts = texts(&on_disk(&fixture, dir.path()), dir.path());
    assert!(walk_html(&texts) > 100 && walk_markdown(&texts) > 20, "all is well before");
    let level = texts.decision.scenarios[1].standings[2].rss.unwrap();
    texts.html = texts.html.replace(&format!("data-value=\"{}\"", level.estimate), "data-value=\"1.5\"");
    assert!(std::panic::catch_unwind(|| walk_html(&texts)).is_err());
    texts.markdown = texts.markdown.replace(&words::bytes(&level), "1.00 MiB (1.00…1.00 MiB)");
    assert!(std::panic::catch_unwind(|| walk_markdown(&texts)).is_err());
}
