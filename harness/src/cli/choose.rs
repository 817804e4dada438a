//! `arenalab choose`: the choice from a campaign.

use std::io::IsTerminal;

use super::args::{ChoiceArgs, ChooseArgs, ShowArgs};
use super::exit::{self, CliError};
use super::say;
use crate::campaign::{decision, store};
use crate::decide::question::Question;
use crate::format::decision::Decision;
use crate::format::manifest::Manifest;
use crate::report;
use crate::units;

/// Runs the subcommand.
pub fn run(args: &ChooseArgs) -> Result<u8, CliError> {
    let campaign = store::read(&args.campaign)?;
    let host_memory = args.host_memory.as_deref().map(host_memory).transpose()?;
    let question = Question { host_memory, ..question(&args.choice, &campaign.manifest)? };
    let decision = decision::decide(&campaign, &question);
    show(&decision, args.show)?;
    Ok(exit::of_verdict(decision.verdict))
}

/// Memory of a host: 1 byte and more.
fn host_memory(text: &str) -> Result<u64, CliError> {
    match units::parse_bytes(text) {
        Ok(0) => Err(CliError::Usage("--host-memory: nothing fits in 0 bytes".to_owned())),
        read => read.map_err(|why| CliError::Usage(format!("--host-memory: {why}"))),
    }
}

/// Prints a decision.
///
/// # Errors
/// When it cannot be written as JSON.
pub fn show(decision: &Decision, show: ShowArgs) -> Result<(), CliError> {
    if show.json {
        let text = serde_json::to_string_pretty(decision);
        say::out(&text.map_err(|e| CliError::Failed(format!("failed to write JSON: {e}")))?);
    } else if show.quiet {
        if let Some(lead) = decision.host.as_ref().and_then(crate::decide::host::lead) {
            say::err(&lead);
        }
        say::out(decision.choice.as_deref().unwrap_or("none"));
    } else {
        say::out((report::terminal(decision, terminal_width(), colour())).trim_end());
    }
    Ok(())
}

/// The question that a campaign was made to answer, with what the flags say laid over it.
pub fn question(choice: &ChoiceArgs, manifest: &Manifest) -> Result<Question, CliError> {
    let planned = decision::question_of(manifest);
    let said = choice.over((planned.objective, planned.constraints, planned.confidence));
    let (objective, constraints, confidence) = said.map_err(|e| CliError::Usage(e.to_string()))?;
    let accept_busy_host = planned.accept_busy_host || choice.accept_busy_host;
    Ok(Question { objective, constraints, confidence, accept_busy_host, ..planned })
}

/// Columns of the terminal; 100 where standard output is none.
pub(super) fn terminal_width() -> u16 {
    rustix::termios::tcgetwinsize(std::io::stdout()).map_or(100, |size| size.ws_col.max(40))
}

/// Whether to use colour: on a terminal, unless `NO_COLOR` is set.
pub(super) fn colour() -> bool {
    std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}
