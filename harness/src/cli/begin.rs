//! Begins a campaign, or takes one up again; shared by the commands that measure.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::args::{OutArgs, PlanArgs};
use super::exit::CliError;
use super::run;
use super::surroundings::Surroundings;
use crate::campaign::prepare::{self, Ingredients};
use crate::campaign::store::{self, Campaign, Store};
use crate::plan::{Draft, Plan};
use crate::trial::host;

/// A campaign to run: a new one, or with `--resume` the one that is in the directory. `strategy` names how
/// a plan asks for rounds; `below` is taken where neither flags nor plan file say anything.
///
/// # Errors
/// When the plan, the directory or a companion is not as it should be.
pub fn campaign(
    plan: PlanArgs,
    out: &OutArgs,
    around: &Surroundings,
    strategy: fn(&Plan) -> &'static str,
    below: Draft,
    quiet: bool,
) -> Result<(Store, Campaign), CliError> {
    if out.resume {
        return resume(&out.out.clone().unwrap_or_default(), plan, strategy, below);
    }
    let plan = plan.into_plan_over(below).map_err(|e| CliError::Usage(e.to_string()))?;
    if !quiet {
        plan.notes().iter().for_each(|note| eprintln!("{note}"));
    }
    let dir = out.out.clone().unwrap_or_else(|| default_dir(&plan));
    let strategy = strategy(&plan);
    create(&dir, plan, strategy, around, out.host_name.clone())
}

fn default_dir(plan: &Plan) -> PathBuf {
    let now = jiff::Zoned::now().strftime("%Y-%m-%d-%H%M%S").to_string();
    let name = plan.workloads.first().map_or("campaign", |workload| workload.name());
    Path::new("results").join(format!("{now}-{name}"))
}

fn create(
    dir: &Path,
    plan: Plan,
    strategy: &str,
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
        strategy: strategy.to_owned(),
        host: host::fingerprint(host_name).map_err(|e| CliError::Failed(e.to_string()))?,
        binaries,
        libc_version,
    });
    let store = store::create(dir, &manifest)?;
    Ok((store, Campaign { manifest, trials: Vec::new(), series: Vec::new(), notes: Vec::new() }))
}

/// Opens a campaign to go on with it. A plan that is given as well must be the campaign's own.
fn resume(
    dir: &Path,
    given: PlanArgs,
    strategy: fn(&Plan) -> &'static str,
    below: Draft,
) -> Result<(Store, Campaign), CliError> {
    let (store, campaign) = store::resume(dir)?;
    if !given.workloads.is_empty() || given.plan.is_some() {
        let asked = given.into_plan_over(below).map_err(|e| CliError::Usage(e.to_string()))?;
        if asked.to_toml() != campaign.manifest.plan || strategy(&asked) != campaign.manifest.strategy {
            return Err(CliError::Usage(format!(
                "{} holds a campaign with another plan; go on with it by --resume --out alone, or name another \
                 directory",
                dir.display()
            )));
        }
    }
    Ok((store, campaign))
}
