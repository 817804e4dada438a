//! `arenalab report`: charts, HTML and Markdown of one campaign, or of several in one report.

use std::path::{Path, PathBuf};

use super::args::ReportArgs;
use super::choose;
use super::exit::{self, CliError};
use super::say;
use crate::campaign::store::{self, Campaign};
use crate::campaign::{comparison, decision, rehearsal};
use crate::decide::question::Question;
use crate::format::decision::Decision;
use crate::report::{self, Report, ReportError, Step, method};

/// A campaign with what was decided on it.
pub struct Decided {
    /// Name of its directory.
    pub name: String,
    campaign: Campaign,
    decision: Decision,
    question: Question,
}

impl Decided {
    /// As a report takes it.
    pub fn input(&self) -> report::Input<'_> {
        report::Input {
            manifest: &self.campaign.manifest,
            decision: &self.decision,
            trials: &self.campaign.trials,
            series: &self.campaign.series,
            name: &self.name,
        }
    }
}

/// Runs the subcommand.
pub fn run(args: &ReportArgs) -> Result<u8, CliError> {
    let decided = decide(&args.campaigns, args)?;
    let dir = folder(args)?;
    let steps: Vec<Step> = steps(&decided);
    let campaigns: Vec<report::Input> = decided.iter().map(Decided::input).collect();
    let command = command(&decided, args);
    let report = Report { campaigns: &campaigns, steps: &steps, command: &command };
    let written = report::write_report(&report, &dir).map_err(|error| refused(&error))?;
    let files = [vec![written.html.clone(), written.markdown], written.charts].concat();
    if args.show.json {
        say::out(&format!("{}", serde_json::json!({ "written": files })));
    } else if !args.show.quiet {
        say::err(&format!("{}: {} files written", dir.display(), files.len()));
        say::out(&format!("{}", written.html.display()));
    }
    Ok(exit::DONE)
}

fn decide(dirs: &[PathBuf], args: &ReportArgs) -> Result<Vec<Decided>, CliError> {
    read(dirs, &args.choice)
}

/// Reads campaigns and decides on each.
///
/// # Errors
/// Where one cannot be read, or is named twice.
pub fn read(dirs: &[PathBuf], choice: &super::args::ChoiceArgs) -> Result<Vec<Decided>, CliError> {
    let mut seen: Vec<PathBuf> = Vec::new();
    let mut decided = Vec::new();
    for dir in dirs {
        let place = dir.canonicalize().unwrap_or_else(|_| dir.clone());
        if seen.contains(&place) {
            return Err(CliError::Usage(format!("{} is named twice", dir.display())));
        }
        let campaign = store::read(dir)?;
        let question = choose::question(choice, &campaign.manifest)?;
        let decision = decision::decide(&campaign, &question);
        let name =
            place.file_name().map_or_else(|| "campaign".to_owned(), |n| n.to_string_lossy().into_owned());
        decided.push(Decided { name, campaign, decision, question });
        seen.push(place);
    }
    Ok(decided)
}

/// Where the report goes.
fn folder(args: &ReportArgs) -> Result<PathBuf, CliError> {
    match (&args.out, args.campaigns.as_slice()) {
        (Some(out), _) => Ok(out.clone()),
        (None, [one]) => Ok(one.join("report")),
        (None, many) => Err(CliError::Usage(format!(
            "{} campaigns go into one report: say where with --out DIR",
            many.len()
        ))),
    }
}

/// A folder that is not ours to replace is a mistake of the user's.
fn refused(error: &ReportError) -> CliError {
    match error {
        ReportError::Folder(report::Refused::NotOurs(..)) => CliError::Usage(error.to_string()),
        _ => CliError::Failed(error.to_string()),
    }
}

/// The command as it can be given again where the campaigns lie: their directories by name alone.
fn command(decided: &[Decided], args: &ReportArgs) -> String {
    let mut words = vec!["arenalab".to_owned(), "report".to_owned()];
    words.extend(decided.iter().map(|one| one.name.clone()));
    let choice = &args.choice;
    let flags = [
        ("--objective", &choice.objective),
        ("--max-throughput-loss", &choice.max_throughput_loss),
        ("--max-p99-loss", &choice.max_p99_loss),
        ("--max-rss", &choice.max_rss),
        ("--confidence", &choice.confidence),
    ];
    for (flag, value) in flags {
        if let Some(value) = value {
            words.extend([flag.to_owned(), value.clone()]);
        }
    }
    if choice.accept_busy_host {
        words.push("--accept-busy-host".to_owned());
    }
    let name = |dir: &Path| dir.file_name().map(|name| name.to_string_lossy().into_owned());
    if let Some(out) = args.out.as_deref().and_then(name) {
        words.extend(["--out".to_owned(), out]);
    }
    method::shell(&words)
}

/// Before and after: the libcs of each campaign, then each campaign after the one before it in time.
fn steps(decided: &[Decided]) -> Vec<Step> {
    let mut steps: Vec<Step> = decided.iter().flat_map(|one| between_libcs(one, decided.len() > 1)).collect();
    let mut ordered: Vec<&Decided> = decided.iter().collect();
    ordered.sort_by(|a, b| a.campaign.manifest.created_at.cmp(&b.campaign.manifest.created_at));
    steps.extend(ordered.windows(2).map(|pair| between_campaigns(pair[0], pair[1])));
    steps
}

fn between_libcs(one: &Decided, named: bool) -> Vec<Step> {
    let manifest = &one.campaign.manifest;
    if manifest.libcs.len() < 2 {
        return Vec::new();
    }
    let name = |libc: &str| if named { format!("{}, libc {libc}", one.name) } else { format!("libc {libc}") };
    let names: Vec<&str> = manifest.libcs.iter().map(|libc| libc.name.as_str()).collect();
    let rehearsal = rehearsal::of(&one.campaign, &one.question);
    let step = |(index, pair): (usize, &[&str])| {
        let (before, after) = (pair[0], pair[1]);
        let outcome =
            comparison::of((&one.campaign, Some(before)), (&one.campaign, Some(after)), &one.question);
        Step {
            before: name(before),
            after: name(after),
            outcome: outcome.map_err(|why| why.to_string()),
            rehearsed: rehearsal.steps.get(index).map(|step| report::outcome(&rehearsal, step)),
        }
    };
    names.windows(2).enumerate().map(step).collect()
}

fn between_campaigns(before: &Decided, after: &Decided) -> Step {
    let outcome = comparison::of((&before.campaign, None), (&after.campaign, None), &after.question);
    Step {
        before: before.name.clone(),
        after: after.name.clone(),
        outcome: outcome.map_err(|why| why.to_string()),
        rehearsed: None,
    }
}
