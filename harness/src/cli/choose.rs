//! `arenalab choose`: the choice from a campaign.

use std::io::IsTerminal;

use super::args::{ChoiceArgs, ChooseArgs};
use super::exit::{self, CliError};
use crate::campaign::{decision, store};
use crate::decide::question::Question;
use crate::format::manifest::Manifest;
use crate::report;

/// Runs the subcommand.
pub fn run(args: &ChooseArgs) -> Result<u8, CliError> {
    let campaign = store::read(&args.campaign)?;
    let question = question(&args.choice, &campaign.manifest)?;
    let decision = decision::decide(&campaign, &question);
    if args.show.json {
        let text = serde_json::to_string_pretty(&decision);
        println!("{}", text.map_err(|e| CliError::Failed(format!("failed to write JSON: {e}")))?);
    } else {
        print!("{}", report::terminal(&decision, terminal_width(), colour()));
    }
    Ok(exit::of_verdict(decision.verdict))
}

/// The question that a campaign was made to answer, with what the flags say laid over it.
pub fn question(choice: &ChoiceArgs, manifest: &Manifest) -> Result<Question, CliError> {
    let planned = decision::question_of(manifest);
    let said = choice.over((planned.objective, planned.constraints, planned.confidence));
    let (objective, constraints, confidence) = said.map_err(|e| CliError::Usage(e.to_string()))?;
    Ok(Question { objective, constraints, confidence, ..planned })
}

/// Columns of the terminal; 100 where standard output is none.
fn terminal_width() -> u16 {
    rustix::termios::tcgetwinsize(std::io::stdout()).map_or(100, |size| size.ws_col.max(40))
}

/// Whether to use colour: on a terminal, unless `NO_COLOR` is set.
fn colour() -> bool {
    std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}
