//! A busy host leads every output, and a quiet one none: on made-up trials, since a real host is what it is.

#[allow(dead_code)]
mod report_fixture;

use std::fs;

use arenalab::decide::host;
use arenalab::format::decision::{HostState, Verdict};
use arenalab::report::export::{self, Format};
use arenalab::report::{self, Input, Report, terminal};
use report_fixture::{Fixture, typical};

const CPUS: u32 = 2;

/// A made-up campaign during which others used so many of the two CPUs, told of its host.
fn loaded(cpus_of_others: f64, accepted: bool) -> Fixture {
    let mut fixture = typical();
    for trial in &mut fixture.trials {
        trial.noise.foreign_cpu_s = Some(trial.wall_s.unwrap_or(trial.elapsed_s) * cpus_of_others);
    }
    let state: HostState = host::judge(&fixture.trials, CPUS, None, accepted);
    host::weigh(&mut fixture.decision, &state);
    fixture
}

struct Said {
    terminal: String,
    html: String,
    markdown: String,
    table: String,
}

fn input(fixture: &Fixture) -> Input<'_> {
    Input {
        manifest: &fixture.manifest,
        decision: &fixture.decision,
        trials: &fixture.trials,
        series: &fixture.series,
        name: "made-up",
    }
}

fn said(fixture: &Fixture) -> Said {
    let dir = tempfile::tempdir().unwrap();
    let written = report::write(&input(fixture), dir.path()).unwrap();
    let mut table = Vec::new();
    let standings = arenalab::format::export::What::Standings;
    export::write(&[input(fixture)], standings, Format::Csv, &mut table).unwrap();
    Said {
        terminal: terminal(&fixture.decision, 200, false),
        html: fs::read_to_string(written.html).unwrap().replace('\u{a0}', " "),
        // Signs that Markdown would take for its own are escaped.
        markdown: fs::read_to_string(written.markdown).unwrap().replace('\\', ""),
        table: String::from_utf8(table).unwrap(),
    }
}

/// The first words that a reader reads of each.
fn leads(said: &Said, words: &str) {
    assert!(said.terminal.starts_with(words), "{}", said.terminal);
    let lead = said.html.split("id=\"verdict-title\">").nth(1).unwrap();
    assert!(lead.starts_with(words), "{}", &lead[..200]);
    let first = said.markdown.lines().find(|line| line.starts_with("**")).unwrap();
    assert!(first.starts_with(&format!("**{words}")), "{first}");
}

#[test]
fn of_a_busy_host_nothing_is_said_before_that_and_no_word_is_given() {
    let busy = said(&loaded(1.2, false));
    leads(&busy, "Undecided: the host was busy: 100.0 % of the counted trials were disturbed");
    for text in [&busy.terminal, &busy.html, &busy.markdown] {
        assert!(!text.contains("Ship ") && !text.contains("To apply it"), "{text}");
        assert!(text.contains("--accept-busy-host"), "{text}");
    }
    // The legend of the terminal's marks has them all; a row has none.
    let rows = busy.terminal.lines().filter(|line| line.contains('▲') || line.contains('▼'));
    assert!(rows.clone().all(|row| row.contains("▲ better")), "{:?}", rows.collect::<Vec<_>>());
    for word in ["**better**", "**worse**", "**equivalent**"] {
        assert!(!busy.markdown.contains(word), "{word}");
    }
    for word in ["class=\"word better", "class=\"word worse", "class=\"word equivalent"] {
        assert!(!busy.html.contains(word), "{word}");
    }
    assert!(busy.table.contains("other work used the CPUs"), "{}", busy.table);
}

#[test]
fn accepted_words_come_after_the_warning() {
    let fixture = loaded(1.2, true);
    assert_eq!(fixture.decision.verdict, Verdict::Chosen);
    let accepted = said(&fixture);
    leads(&accepted, "Do not rely on these words: the host was busy");
    for text in [&accepted.terminal, &accepted.html, &accepted.markdown] {
        assert!(text.contains("As measured on the busy host: Ship MALLOC_ARENA_MAX=2"), "{text}");
    }
    assert!(accepted.markdown.contains("To apply it, once a host at rest agrees:"));
    assert!(accepted.markdown.contains("**better**"));
}

#[test]
fn a_quiet_host_is_not_spoken_of() {
    for cpus_of_others in [0.0, 0.05] {
        let quiet = said(&loaded(cpus_of_others, false));
        leads(&quiet, "Ship MALLOC_ARENA_MAX=2");
        for text in [&quiet.terminal, &quiet.html, &quiet.markdown] {
            assert!(!text.contains("busy") && !text.contains("--accept-busy-host"), "{text}");
        }
        assert!(quiet.markdown.contains("Host: 0.0 % of "), "the share is told all the same");
    }
}

#[test]
fn a_joined_report_says_how_many_hosts_were_busy() {
    let (quiet, busy) = (loaded(0.0, false), loaded(1.2, false));
    let dir = tempfile::tempdir().unwrap();
    let campaigns = [Input { name: "monday", ..input(&quiet) }, Input { name: "tuesday", ..input(&busy) }];
    let report = Report { campaigns: &campaigns, steps: &[], command: "" };
    let written = report::write_report(&report, dir.path()).unwrap();
    let markdown = fs::read_to_string(written.markdown).unwrap();
    let first = markdown.lines().find(|line| line.starts_with("**")).unwrap();
    assert!(first.starts_with("**Of 2 campaigns, 1 ran on a busy host"), "{first}");
    let html = fs::read_to_string(written.html).unwrap();
    assert!(html.contains("<h1 class=\"lead\" id=\"summary-title\">Of 2 campaigns, 1 ran on a busy host"));
}
