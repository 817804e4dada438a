//! `arenalab rehearse`: an upgrade from one C library to the next, tried out.

use super::args::RehearseArgs;
use super::begin::{self, Asked};
use super::choose;
use super::exit::{self, CliError};
use super::run::{self, Running};
use super::say;
use super::surroundings::Surroundings;
use super::sweep;
use crate::campaign::{decision, rehearsal, store};
use crate::decide::strategy::FullGrid;
use crate::format::rehearse::{Rehearsal, StepVerdict};
use crate::plan::{Draft, Strategy};
use crate::report;

/// Rounds where nothing else is said: two versions of one allocator differ by less than two allocators.
const ROUNDS: u32 = 20;

/// Runs the subcommand.
pub fn run(args: RehearseArgs, around: &Surroundings) -> Result<u8, CliError> {
    let RehearseArgs { plan, out, show } = args;
    let below = Draft { rounds: Some(ROUNDS), ..Draft::default() };
    let strategy = |_: &_| Strategy::FullGrid;
    let (above, quiet) = (Draft::default(), show.quiet);
    let asked = Asked { plan, above, below, out: &out, strategy, least_libcs: 2, quiet };
    let (store, campaign) = begin::campaign(asked, around)?;
    let question = decision::question_of(&campaign.manifest);
    let mut strategy = FullGrid { rounds: campaign.manifest.rounds };
    let total = Some(sweep::expected_trials(&campaign.manifest));
    let ran = run::campaign(Running { store, campaign, show, total, around }, &mut strategy)?;
    if !ran.complete {
        return Ok(ran.stopped);
    }
    let rehearsal = rehearsal::of(&store::read(&ran.dir)?, &question);
    if show.json {
        let text = serde_json::to_string_pretty(&rehearsal);
        say::out(&text.map_err(|e| CliError::Failed(format!("failed to write JSON: {e}")))?);
    } else if show.quiet {
        if let Some(lead) = rehearsal.host.as_ref().and_then(crate::decide::host::lead) {
            say::err(&lead);
        }
        for step in &rehearsal.steps {
            say::out(report::words::step_verdict(step.verdict));
        }
    } else {
        let (width, colour) = (choose::terminal_width(), choose::colour());
        say::out(report::rehearsal_terminal(&rehearsal, width, colour).trim_end());
        let dir = ran.dir.display();
        say::err(&format!("next: arenalab report {dir}; arenalab compare {dir} --libc BEFORE,AFTER"));
    }
    Ok(code(&rehearsal))
}

/// The exit code of the worst step.
fn code(rehearsal: &Rehearsal) -> u8 {
    match rehearsal.steps.iter().map(|step| step.verdict).max() {
        Some(StepVerdict::Unharmed | StepVerdict::Mended) => exit::DONE,
        Some(StepVerdict::Regression) => exit::NOT_MET,
        Some(StepVerdict::Undecided) | None => exit::UNDECIDED,
    }
}
