//! `arenalab doctor`: is this host fit to measure on?

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use serde::Serialize;

use super::args::DoctorArgs;
use super::run::LAUNCHER;
use super::surroundings::Surroundings;
use crate::format::FORMAT;
use crate::format::manifest::Host;
use crate::trial::companions::{self, WORKLOADS};
use crate::trial::host::{self, Tree};
use crate::trial::libc_root::probe;
use crate::trial::libraries;

pub mod judge;

use judge::{Companion, Evidence, Finding, Level};

/// How long other load is watched.
const WATCHED: Duration = Duration::from_secs(2);

/// What `--json` prints.
#[derive(Serialize)]
struct Report<'a> {
    format: u32,
    fit: bool,
    host: Option<&'a Host>,
    load: judge::Load,
    findings: &'a [Finding],
}

/// Examines the host and prints what was found. Exits with 1 where trials cannot run, or would not be believed.
///
/// # Errors
/// When `out` refuses.
pub fn run(args: &DoctorArgs, around: &Surroundings, out: &mut dyn Write) -> anyhow::Result<u8> {
    let evidence = examine(args, around);
    let findings = judge::findings(&evidence);
    let fit = findings.iter().all(|finding| finding.level != Level::Bad);
    if args.json {
        let host = evidence.host.as_ref().ok();
        serde_json::to_writer_pretty(
            &mut *out,
            &Report {
                format: FORMAT,
                fit,
                host,
                load: judge::Load::of(&evidence.activity),
                findings: &findings,
            },
        )?;
        writeln!(out)?;
    } else {
        out.write_all(for_people(&findings, fit).as_bytes())?;
    }
    Ok(u8::from(!fit))
}

fn examine(args: &DoctorArgs, around: &Surroundings) -> Evidence {
    let tree = Tree::default();
    // Before anything is started: what it does would be taken for other load.
    let activity = host::activity(&tree, WATCHED);
    Evidence {
        host: host::fingerprint(None).map_err(|error| error.to_string()),
        readings: host::readings(&tree),
        activity,
        space: host::space(&args.out).map_err(|error| error.to_string()),
        steering: around.steering(),
        companions: companions(around),
        libraries: libraries::found(&around.companions, &around.scrubbed()),
        roots: probe::possible(Path::new(LAUNCHER), &std::env::temp_dir()),
    }
}

/// The workload binaries, each asked what it is.
pub(super) fn companions(around: &Surroundings) -> Vec<Companion> {
    let ask = |(allocator, program): &(&'static str, &str)| {
        let path = around.companions.find(program);
        let identity = match &path {
            Ok(path) => companions::identify(path, around.scrubbed()),
            Err(missing) => Err(missing.to_string()),
        };
        Companion { allocator, path: path.ok(), identity }
    };
    WORKLOADS.iter().map(ask).collect()
}

fn for_people(findings: &[Finding], fit: bool) -> String {
    let width = findings.iter().map(|finding| finding.check.len()).max().unwrap_or(0);
    let line = |finding: &Finding| {
        let advice = finding.advice.as_ref();
        let advice =
            advice.map_or(String::new(), |advice| format!("{:<4}  {:<width$}  -> {advice}\n", "", ""));
        format!("{:<4}  {:<width$}  {}\n{advice}", finding.level.word(), finding.check, finding.found)
    };
    let text: String = findings.iter().map(line).collect();
    let count = |level| findings.iter().filter(|finding| finding.level == level).count();
    let plural = |count, word: &str| format!("{count} {word}{}", if count == 1 { "" } else { "s" });
    let (warnings, problems) = (plural(count(Level::Warn), "warning"), plural(count(Level::Bad), "problem"));
    text + &match (fit, count(Level::Warn)) {
        (true, 0) => "\nfit to measure on\n".to_owned(),
        (true, _) => format!("\nfit to measure on, with {warnings}\n"),
        (false, _) => format!("\nnot fit to measure on: {problems}, {warnings}\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(level: Level, check: &'static str, advice: Option<&str>) -> Finding {
        Finding { check, level, found: "something".to_owned(), advice: advice.map(str::to_owned) }
    }

    #[test]
    fn people_get_a_line_a_finding_and_the_sum() {
        let findings = [
            finding(Level::Ok, "cpus", None),
            finding(Level::Warn, "governor", Some("set it to performance")),
        ];
        assert_eq!(
            for_people(&findings, true),
            "ok    cpus      something\nwarn  governor  something\n                -> set it to performance\n\n\
             fit to measure on, with 1 warning\n"
        );
        let bad = for_people(&[finding(Level::Bad, "space", None)], false);
        assert!(bad.ends_with("not fit to measure on: 1 problem, 0 warnings\n"), "{bad}");
    }

    #[test]
    fn without_its_companions_the_host_is_not_fit_and_json_is_all_there_is() {
        let root = tempfile::tempdir().unwrap();
        let args = DoctorArgs { out: root.path().to_path_buf(), json: true };
        let mut out = Vec::new();
        let code = run(&args, &Surroundings::default(), &mut out).unwrap();
        let report: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(report["fit"], false);
        assert!(report["host"]["cpus_online"].as_u64().unwrap() >= 1);
        assert_eq!(code, 1);
    }
}
