//! `arenalab sweep`: measures every candidate in interleaved rounds.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::args::SweepArgs;
use super::exit::{self, CliError};
use super::run::{self, Running};
use super::surroundings::Surroundings;
use crate::campaign::prepare::{self, Ingredients};
use crate::campaign::store::{self, Campaign, Store};
use crate::decide::strategy::FullGrid;
use crate::format::manifest::Manifest;
use crate::plan::Plan;
use crate::trial::host;

/// Runs the subcommand.
pub fn run(args: Box<SweepArgs>, around: &Surroundings) -> Result<u8, CliError> {
    if args.print_plan {
        let plan = args.plan.into_plan().map_err(|e| CliError::Usage(e.to_string()))?;
        print!("{}", plan.to_toml());
        return Ok(exit::DONE);
    }
    let host_name = args.out.host_name.clone();
    let (store, campaign) = if args.out.resume {
        let dir = args.out.out.clone().unwrap_or_default();
        resume(&dir, args.plan)?
    } else {
        let plan = args.plan.into_plan().map_err(|e| CliError::Usage(e.to_string()))?;
        let dir = args.out.out.clone().unwrap_or_else(|| default_dir(&plan));
        create(&dir, plan, around, host_name)?
    };
    let mut strategy = FullGrid { rounds: campaign.manifest.rounds };
    let trials = expected_trials(&campaign.manifest);
    let running = Running { store, campaign, show: args.show, total: Some(trials), around };
    run::campaign(running, &mut strategy)
}

/// Trials of a full grid: each scenario under each libc, the baseline twice.
fn expected_trials(manifest: &Manifest) -> u64 {
    let arms = manifest.candidates.len() as u64 + 1;
    manifest.scenarios.len() as u64 * manifest.libcs.len() as u64 * arms * u64::from(manifest.rounds)
}

fn default_dir(plan: &Plan) -> PathBuf {
    let now = jiff::Zoned::now().strftime("%Y-%m-%d-%H%M%S").to_string();
    let name = plan.workloads.first().map_or("campaign", |workload| workload.name());
    Path::new("results").join(format!("{now}-{name}"))
}

fn create(
    dir: &Path,
    plan: Plan,
    around: &Surroundings,
    host_name: Option<String>,
) -> Result<(Store, Campaign), CliError> {
    let mut binaries = BTreeMap::new();
    let mut libc_version = None;
    for candidate in &plan.sweep.candidates {
        let name = candidate.allocator().binary();
        if !binaries.contains_key(name) {
            let companion = run::companion(around, name)?;
            libc_version = Some(companion.identity.libc_version);
            binaries.insert(name.to_owned(), companion.binary);
        }
    }
    let manifest = prepare::manifest(Ingredients {
        plan,
        command: std::env::args().collect(),
        created_at: jiff::Timestamp::now().to_string(),
        strategy: "full-grid".to_owned(),
        host: host::fingerprint(host_name).map_err(|e| CliError::Failed(e.to_string()))?,
        binaries,
        libc_version,
    });
    let store = store::create(dir, &manifest)?;
    Ok((store, Campaign { manifest, trials: Vec::new(), series: Vec::new(), notes: Vec::new() }))
}

/// Opens a campaign to go on with it. A plan that is given as well must be the campaign's own.
fn resume(dir: &Path, given: super::args::PlanArgs) -> Result<(Store, Campaign), CliError> {
    let (store, campaign) = store::resume(dir)?;
    if !given.workloads.is_empty() || given.plan.is_some() {
        let asked = given.into_plan().map_err(|e| CliError::Usage(e.to_string()))?;
        if asked.to_toml() != campaign.manifest.plan {
            return Err(CliError::Usage(format!(
                "{} holds a campaign with another plan; go on with it by --resume --out alone, or name another \
                 directory",
                dir.display()
            )));
        }
    }
    Ok((store, campaign))
}
