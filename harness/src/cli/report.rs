//! `arenalab report`: charts, HTML and Markdown of campaigns.

use std::path::{Path, PathBuf};

use super::args::ReportArgs;
use super::choose;
use super::exit::{self, CliError};
use super::say;
use crate::campaign::{decision, store};
use crate::report;

/// Runs the subcommand.
pub fn run(args: &ReportArgs) -> Result<u8, CliError> {
    let mut written = Vec::new();
    for dir in &args.campaigns {
        let files = one(dir, args)?;
        if !args.show.quiet && !args.show.json {
            say::err(&format!("{}: {} files written", dir.join("report").display(), files.len()));
            say::out(&format!("{}", dir.join("report/index.html").display()));
        }
        written.extend(files);
    }
    if args.show.json {
        say::out(&format!("{}", serde_json::json!({ "written": written })));
    }
    Ok(exit::DONE)
}

fn one(dir: &Path, args: &ReportArgs) -> Result<Vec<PathBuf>, CliError> {
    let campaign = store::read(dir)?;
    let question = choose::question(&args.choice, &campaign.manifest)?;
    let decision = decision::decide(&campaign, &question);
    let name = dir.file_name().map_or_else(|| "campaign".to_owned(), |n| n.to_string_lossy().into_owned());
    let input = report::Input {
        manifest: &campaign.manifest,
        decision: &decision,
        trials: &campaign.trials,
        series: &campaign.series,
        name: &name,
    };
    let written = report::write(&input, &dir.join("report")).map_err(|e| CliError::Failed(e.to_string()))?;
    Ok([vec![written.html, written.markdown], written.charts].concat())
}
