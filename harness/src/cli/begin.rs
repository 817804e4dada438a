//! Begins a campaign, or takes one up again; shared by the commands that measure.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::args::{OutArgs, PlanArgs};
use super::exit::CliError;
use super::say;
use super::surroundings::Surroundings;
use super::{libcs, run};
use crate::campaign::prepare::{self, Ingredients};
use crate::campaign::store::{self, Campaign, Store};
use crate::format::manifest::Manifest;
use crate::plan::{Draft, Plan, PlanError, Strategy, fields, from_toml};
use crate::trial::{group, host};
use crate::units;

/// What a command that measures was asked for.
pub struct Asked<'a> {
    /// The flags of the plan.
    pub plan: PlanArgs,
    /// Further flags of the command.
    pub above: Draft,
    /// What is taken where neither flags nor plan file say anything.
    pub below: Draft,
    /// Where it goes.
    pub out: &'a OutArgs,
    /// How the plan asks for rounds.
    pub strategy: fn(&Plan) -> Strategy,
    /// Fewest C libraries that the plan must name.
    pub least_libcs: usize,
    /// Whether notes are to be printed.
    pub quiet: bool,
}

/// A campaign to run: a new one, or with `--resume` the one that is in the directory.
///
/// # Errors
/// When the plan, the directory or a companion is not as it should be.
pub fn campaign(asked: Asked, around: &Surroundings) -> Result<(Store, Campaign), CliError> {
    let Asked { plan, above, below, out, strategy, least_libcs, quiet } = asked;
    if out.resume {
        let (store, campaign) = resume(&out.out.clone().unwrap_or_default(), plan, above, strategy)?;
        enough_libcs(campaign.manifest.libcs.len(), least_libcs)?;
        return Ok((store, campaign));
    }
    let plan = plan.into_plan_between(above, below).map_err(|e| CliError::Usage(e.to_string()))?;
    enough_libcs(plan.sweep.libcs.len(), least_libcs)?;
    if !quiet {
        plan.notes().iter().for_each(|note| say::err(note));
    }
    let dir = out.out.clone().unwrap_or_else(|| default_dir(&plan));
    let strategy = fields::strategy_name(strategy(&plan));
    create(&dir, plan, strategy, around, out.host_name.clone())
}

fn enough_libcs(there: usize, least: usize) -> Result<(), CliError> {
    if there >= least {
        return Ok(());
    }
    Err(CliError::Usage(format!(
        "{there} C library is named, and {least} are needed: name the next one with --libc NAME=DIR (scripts/fetch-libc gets \
         one; the host's own is the first)"
    )))
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
    let (mut binaries, mut programs) = (BTreeMap::new(), BTreeMap::new());
    let mut libc_version = host::libc_version();
    for part in prepare::parts(&plan) {
        let found = run::part(around, &part, Some(&plan))?;
        libc_version = found.libc_version.or(libc_version);
        binaries.insert(part.key(), found.binary);
        programs.insert(part.key(), found.path);
    }
    let libcs = libcs::entries(&plan, libc_version.as_ref())?;
    refuse_without_group(&plan)?;
    let pretence = plan.measure.cpus.map(|cpus| run::pretence(around, cpus));
    let host = host::fingerprint(host_name).map_err(|e| CliError::Failed(e.to_string()))?;
    let memory = host.cgroup_limit.map_or(host.memory, |limit| limit.min(host.memory));
    for workload in &plan.workloads {
        for threads in &plan.sweep.threads {
            workload.fits(*threads, memory).map_err(CliError::Usage)?;
        }
    }
    let manifest = prepare::manifest(Ingredients {
        plan,
        command: std::env::args().collect(),
        created_at: jiff::Timestamp::now().to_string(),
        strategy: strategy.to_owned(),
        host,
        binaries,
        libcs,
        pretence,
    });
    libcs::check(&manifest, &programs, &run::environment(around))?;
    let store = store::create(dir, &manifest)?;
    Ok((
        store,
        Campaign { manifest, trials: Vec::new(), series: Vec::new(), steps: Vec::new(), notes: Vec::new() },
    ))
}

/// A memory limit needs rights, which is told before the first trial.
fn refuse_without_group(plan: &Plan) -> Result<(), CliError> {
    let made = plan.measure.memory_limit.map(group::Group::make).transpose();
    made.map(drop).map_err(CliError::Failed)
}

/// Opens a campaign to go on with it. What is given besides must be what the campaign was begun with.
fn resume(
    dir: &Path,
    given: PlanArgs,
    above: Draft,
    strategy: fn(&Plan) -> Strategy,
) -> Result<(Store, Campaign), CliError> {
    let (mut store, mut campaign) = store::resume(dir)?;
    let usage = |e: PlanError| CliError::Usage(e.to_string());
    let manifest = &campaign.manifest;
    let begun = from_toml::draft(&manifest.plan, "the campaign's plan").map_err(usage)?;
    let own = begun.clone().complete().map_err(usage)?;
    let mut asked = given.into_plan_between(above, begun).map_err(usage)?;
    // More rounds or time than before go on with the same plan.
    let wanted = (asked.measure.rounds, asked.measure.time_budget);
    let changed = wanted != (own.measure.rounds, own.measure.time_budget);
    (asked.measure.rounds, asked.measure.time_budget) = (own.measure.rounds, own.measure.time_budget);
    if asked != own {
        return Err(CliError::Usage(format!(
            "{} holds a campaign with another plan; go on with it by --resume --out alone, or name another \
             directory",
            dir.display()
        )));
    }
    if fields::strategy_name(strategy(&own)) != manifest.strategy {
        return Err(CliError::Usage(format!(
            "{} holds a campaign that was begun as {}; go on with it by the command that began it",
            dir.display(),
            manifest.strategy
        )));
    }
    same_host(manifest)?;
    if changed {
        extend(&mut store, &mut campaign, &own, wanted)?;
    }
    Ok((store, campaign))
}

/// Allows the campaign what was asked for, where that is more than it has. What was not named stays as it is.
fn extend(
    store: &mut Store,
    campaign: &mut Campaign,
    begun: &Plan,
    (rounds, budget): (u32, Option<Duration>),
) -> Result<(), CliError> {
    let manifest = &campaign.manifest;
    let rounds = if rounds == begun.measure.rounds { manifest.rounds } else { rounds };
    let budget = if budget == begun.measure.time_budget {
        manifest.time_budget_s
    } else {
        budget.map(|budget| budget.as_secs_f64())
    };
    if (rounds, budget) == (manifest.rounds, manifest.time_budget_s) {
        return Ok(());
    }
    let endless = |budget: Option<f64>| budget.unwrap_or(f64::INFINITY);
    // A search that gave up without a budget goes on with one.
    let less_time = manifest.time_budget_s.is_some() && endless(budget) < endless(manifest.time_budget_s);
    if rounds < manifest.rounds || less_time {
        return Err(CliError::Usage(format!(
            "{} was allowed {} rounds{} already; --resume goes on with as much or more, never with less",
            store.dir.display(),
            manifest.rounds,
            manifest.time_budget_s.map_or_else(String::new, |s| format!(" and {}", units::format_seconds(s)))
        )));
    }
    Ok(store::extend(store, campaign, (rounds, budget))?)
}

/// Rounds of two hosts, kernels or C libraries must not be mixed.
fn same_host(manifest: &Manifest) -> Result<(), CliError> {
    let here = host::fingerprint(None).map_err(|e| CliError::Failed(e.to_string()))?;
    let there = &manifest.host;
    let differences: Vec<String> = [
        ("kernel", &there.kernel, &here.kernel),
        ("architecture", &there.arch, &here.arch),
        ("CPUs online", &there.cpus_online.to_string(), &here.cpus_online.to_string()),
        ("CPUs allowed", &there.cpus_allowed.to_string(), &here.cpus_allowed.to_string()),
        ("CPU", &text(there.cpu.as_ref()), &text(here.cpu.as_ref())),
        ("system", &text(there.os.as_ref()), &text(here.os.as_ref())),
        ("huge pages", &text(there.thp.as_ref()), &text(here.thp.as_ref())),
    ]
    .into_iter()
    .filter(|(_, there, here)| there != here)
    .map(|(what, there, here)| format!("{what} was {there} and is {here}"))
    .collect();
    if differences.is_empty() {
        return Ok(());
    }
    Err(CliError::Usage(format!(
        "this is not the host that the campaign was begun on: {}; begin another campaign here",
        differences.join(", ")
    )))
}

fn text(known: Option<&String>) -> String {
    known.map_or_else(|| "unknown".to_owned(), Clone::clone)
}
