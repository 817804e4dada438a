//! `arenalab tune`: measures adaptively, and chooses.

use super::args::TuneArgs;
use super::begin::{self, Asked};
use super::choose;
use super::exit::{self, CliError};
use super::run::{self, Running};
use super::say;
use super::surroundings::Surroundings;
use crate::campaign::{decision, search, store};
use crate::plan::Draft;
use crate::plan::draft::DEFAULT_MOST_ROUNDS;

/// Runs the subcommand.
pub fn run(args: TuneArgs, around: &Surroundings) -> Result<u8, CliError> {
    let TuneArgs { plan, search: flags, out, show } = args;
    let above = flags.draft().map_err(|e| CliError::Usage(e.to_string()))?;
    let below = Draft { rounds: Some(DEFAULT_MOST_ROUNDS), ..Draft::default() };
    let strategy = |plan: &crate::plan::Plan| plan.measure.strategy;
    let asked = Asked { plan, above, below, out: &out, strategy, least_libcs: 1, quiet: show.quiet };
    let (store, campaign) = begin::campaign(asked, around)?;
    let question = decision::question_of(&campaign.manifest);
    let mut strategy = search::strategy(&campaign.manifest, &question).map_err(CliError::Usage)?;
    let ran = run::campaign(Running { store, campaign, show, total: None, around }, strategy.as_mut())?;
    if !ran.complete {
        return Ok(ran.stopped);
    }
    let campaign = store::read(&ran.dir)?;
    let decision = decision::decide(&campaign, &question);
    choose::show(&decision, show)?;
    if !show.quiet {
        say::err(&format!("campaign: {}", ran.dir.display()));
    }
    Ok(exit::of_verdict(decision.verdict))
}
