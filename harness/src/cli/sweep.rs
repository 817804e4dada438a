//! `arenalab sweep`: measures every candidate in interleaved rounds.

use std::path::Path;

use super::args::SweepArgs;
use super::begin::{self, Asked};
use super::exit::{self, CliError};
use super::run::{self, Running};
use super::say;
use super::surroundings::Surroundings;
use crate::campaign::{decision, store};
use crate::decide::host;
use crate::decide::strategy::FullGrid;
use crate::format::decision::HostState;
use crate::format::manifest::Manifest;
use crate::plan::{Draft, Strategy};

/// Runs the subcommand.
pub fn run(args: SweepArgs, around: &Surroundings) -> Result<u8, CliError> {
    let SweepArgs { plan, out, show, print_plan } = args;
    if print_plan {
        let plan = plan.into_plan().map_err(|e| CliError::Usage(e.to_string()))?;
        say::out((plan.to_toml()).trim_end());
        return Ok(exit::DONE);
    }
    let (above, below) = (Draft::default(), Draft::default());
    let strategy = |_: &_| Strategy::FullGrid;
    let asked = Asked { plan, above, below, out: &out, strategy, least_libcs: 1, quiet: show.quiet };
    let (store, campaign) = begin::campaign(asked, around)?;
    let mut strategy = FullGrid { rounds: campaign.manifest.rounds };
    let total = Some(expected_trials(&campaign.manifest));
    let ran = run::campaign(Running { store, campaign, show, total, around }, &mut strategy)?;
    let dir = ran.dir.display();
    if show.json {
        let mut told = ran.to_json();
        told["host"] = serde_json::json!(host_state(&ran.dir)?);
        say::out(&told.to_string());
    } else if ran.complete {
        if let Some(lead) = host::lead(&host_state(&ran.dir)?) {
            say::err(&lead);
        }
        say::out(&dir.to_string());
        if !show.quiet {
            say::err(&format!("next: arenalab choose {dir}; arenalab report {dir}"));
        }
    }
    Ok(if ran.complete { exit::DONE } else { ran.stopped })
}

/// How disturbed the host was.
fn host_state(dir: &Path) -> Result<HostState, CliError> {
    let campaign = store::read(dir)?;
    Ok(decision::host_state(&campaign, &decision::question_of(&campaign.manifest), None))
}

/// Trials of a full grid: each scenario under each libc, the baseline twice.
pub(super) fn expected_trials(manifest: &Manifest) -> u64 {
    let arms = manifest.candidates.len() as u64 + 1;
    manifest.scenarios.len() as u64 * manifest.libcs.len() as u64 * arms * u64::from(manifest.rounds)
}
