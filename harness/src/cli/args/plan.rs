//! The flags that say what is measured.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arenalab_workloads::model::Model;
use clap::Args;

use super::choice::{ChoiceArgs, read};
use super::libc::LibcArgs;
use super::program::ProgramArgs;
use crate::plan::{Draft, Plan, PlanError, PlannedLibc, PlannedWorkload, draft::Axes, fields, from_toml};

/// What is measured. Every flag has its key in a plan file; flags override the file.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Plan")]
pub struct PlanArgs {
    /// Workloads, with parameters after a colon: mail-server, larson:size_max=500,ops=2M; or model:FILE.toml
    ///
    /// `arenalab list workloads` has them all; docs/models.md tells what a model's file may say. Workloads given here replace those of --plan.
    #[arg(value_name = "WORKLOAD")]
    pub workloads: Vec<String>,
    /// Read the plan from a TOML file; flags override its keys
    #[arg(long, value_name = "FILE")]
    pub plan: Option<PathBuf>,
    /// Threads of each workload, 1 to 4096; each count is a scenario of its own [default: 4]
    ///
    /// A program of your own gets them where {threads} is in its words, and else runs once, with as many threads
    /// as it makes.
    #[arg(long, value_name = "N[,N…]", value_delimiter = ',')]
    pub threads: Vec<String>,
    /// Allocators to measure as they are: glibc, jemalloc, mimalloc, preload=/path/lib.so
    /// [default: glibc,jemalloc,mimalloc]
    ///
    /// glibc is spread out by --arena-max. With --candidate alone, only what is named there is measured, and
    /// the baseline. The three flags are one group: any of them replaces all three of --plan.
    #[arg(long, value_name = "NAME[,NAME…]", value_delimiter = ',')]
    pub allocators: Vec<String>,
    /// Values of MALLOC_ARENA_MAX to measure glibc with, 1 to 65536, or default for unset
    /// [default: default,1,2,4,8]
    ///
    /// Values that cannot differ on this host, such as limits above what the threads can reach, are run once.
    #[arg(long, value_name = "N[,N…]", value_delimiter = ',')]
    pub arena_max: Vec<String>,
    /// One more candidate, ALLOCATOR[:KEY=VALUE,…]; may be repeated
    ///
    /// For example glibc:arena_max=2,trim_threshold=128KiB, jemalloc:narenas=4, mimalloc:purge_delay=0,
    /// preload=/path/lib.so:NAME=value. `arenalab list allocators` has the keys and their ranges.
    #[arg(long = "candidate", value_name = "SPEC")]
    pub candidates: Vec<String>,
    /// What the others are compared with; its second run in each round tells whether the host can be trusted
    /// [default: glibc, as it is]
    #[arg(long, value_name = "SPEC")]
    pub baseline: Option<String>,
    /// What they run on.
    #[command(flatten)]
    pub libc: LibcArgs,
    /// Rounds, 1 to 100000; each runs every candidate once, in a new order [default: 16]
    #[arg(long, value_name = "N")]
    pub rounds: Option<String>,
    /// Seed of orders, resampling and workloads: 0 to 2^63-1 [default: 1]
    #[arg(long, value_name = "N")]
    pub seed: Option<String>,
    /// Wait between the drain and the last reading, with a unit, 0s to 24h; above 10s lets decay timers run
    /// [default: 0s]
    #[arg(long, value_name = "TIME")]
    pub idle: Option<String>,
    /// Time limit of one trial, without its idle wait, with a unit, 10ms to 24h [default: 60s]
    #[arg(long, value_name = "TIME")]
    pub timeout: Option<String>,
    /// Memory that each trial may take, in bytes with a unit such as 2GiB, or none [default: none]
    ///
    /// Set by a control group (version 1 or 2), which needs the right to make one below arenalab's own. A trial
    /// that the kernel kills for it is a row with status oom.
    #[arg(long, value_name = "BYTES")]
    pub memory_limit: Option<String>,
    /// Measure as on a host with so many CPUs, 1 to 8192, or none: what allocators derive from the number of CPUs is
    /// as there [default: none]
    ///
    /// glibc reads it itself from a file over /sys/devices/system/cpu/online, in a mount namespace of each trial's own; where
    /// that cannot be, and for allocators that ask for the CPUs they may run on, the limits are set. The contention
    /// of so many CPUs is not simulated.
    #[arg(long, value_name = "N")]
    pub cpus: Option<String>,
    /// After the last reading ask the allocator to give memory back (malloc_trim, a purge, a collection), and read RSS
    /// once more
    #[arg(long)]
    pub trim: bool,
    /// Go on where the baseline fails in all its runs of the first round; else the campaign stops there, with exit 1
    #[arg(long)]
    pub keep_going: bool,
    /// What must hold.
    #[command(flatten)]
    pub choice: ChoiceArgs,
    /// The user's own program.
    #[command(flatten)]
    pub program: ProgramArgs,
}

/// The flags of a search.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Search")]
pub struct SearchArgs {
    /// How tune asks for rounds: screen-and-confirm, race or full-grid [default: screen-and-confirm]
    #[arg(long, value_name = "NAME")]
    pub strategy: Option<String>,
    /// End within one trial's time of this time of measuring, with a unit, 1s to 24h, or none [default: none]
    ///
    /// It is used while anything is open. A campaign that it ended is undecided (exit 4) unless its test was made; go on
    /// with --resume and a larger one.
    #[arg(long, value_name = "TIME")]
    pub time_budget: Option<String>,
    /// The gain of RSS that is not worth further search, 0% to below 50% [default: 2%]
    #[arg(long, value_name = "SHARE")]
    pub tolerance: Option<String>,
}

impl PlanArgs {
    /// The plan that the flags and the plan file mean. Reads the plan file.
    ///
    /// # Errors
    /// One line that names the flag, or file and line.
    pub fn into_plan(self) -> Result<Plan, PlanError> {
        self.into_plan_between(Draft::default(), Draft::default())
    }

    /// The same, under further flags, and over what is taken where neither flags nor file say anything.
    ///
    /// # Errors
    /// One line that names the flag, or file and line.
    pub fn into_plan_between(self, above: Draft, below: Draft) -> Result<Plan, PlanError> {
        let said = read_models(above.over(self.draft()?), None)?;
        let Some(path) = &self.plan else { return said.over(below).complete() };
        let file = path.display().to_string();
        let text = std::fs::read_to_string(path)
            .map_err(|error| PlanError::new(format!("failed to read the plan {file}: {error}")))?;
        let mut planned = read_models(from_toml::draft(&text, &file)?, path.parent())?;
        planned.libcs = planned.libcs.map(|libcs| beside(libcs, path));
        let planned = said.over(planned).over(below);
        planned.complete().map_err(|error| error.in_file(&file))
    }

    /// What the flags by themselves say.
    fn draft(&self) -> Result<Draft, PlanError> {
        let mut workloads = list(&self.workloads, PlannedWorkload::named)?;
        if let Some(program) = self.program.program()? {
            workloads = Some(vec![PlannedWorkload::Program(Arc::new(program))]);
        }
        Ok(Draft {
            workloads: workloads.unwrap_or_default(),
            threads: list(&self.threads, fields::threads).map_err(|why| why.of_flag("threads"))?,
            baseline: read(self.baseline.as_ref(), "baseline", fields::candidate)?,
            axes: Axes {
                allocators: list(&self.allocators, str::parse).map_err(|why| why.of_flag("allocators"))?,
                arena_max: list(&self.arena_max, fields::arena_max)
                    .map_err(|why| why.of_flag("arena-max"))?,
                candidates: list(&self.candidates, str::parse).map_err(|why| why.of_flag("candidate"))?,
            },
            libcs: self.libc.libcs()?,
            rounds: read(self.rounds.as_ref(), "rounds", fields::rounds)?,
            seed: read(self.seed.as_ref(), "seed", fields::seed)?,
            trim: self.trim.then_some(true),
            keep_going: self.keep_going.then_some(true),
            idle: read(self.idle.as_ref(), "idle", fields::idle)?,
            timeout: read(self.timeout.as_ref(), "timeout", fields::timeout)?,
            cpus: read(self.cpus.as_ref(), "cpus", fields::cpus)?,
            memory_limit: read(self.memory_limit.as_ref(), "memory-limit", fields::memory_limit)?,
            ..self.choice.draft()?
        })
    }
}

impl SearchArgs {
    /// What the flags say, as part of a plan.
    ///
    /// # Errors
    /// One line that names the flag.
    pub fn draft(&self) -> Result<Draft, PlanError> {
        Ok(Draft {
            strategy: read(self.strategy.as_ref(), "strategy", fields::strategy)?,
            time_budget: read(self.time_budget.as_ref(), "time-budget", fields::time_budget)?,
            tolerance: read(self.tolerance.as_ref(), "tolerance", fields::tolerance)?,
            ..Draft::default()
        })
    }
}

/// Reads the files of a draft's models. Those of a plan are named from the plan's own directory.
fn read_models(mut draft: Draft, from: Option<&Path>) -> Result<Draft, PlanError> {
    for workload in &mut draft.workloads {
        if let PlannedWorkload::Unread(file) = workload {
            let path = from.unwrap_or(Path::new("")).join(&*file);
            let model = Model::from_file(&path.display().to_string());
            *workload =
                PlannedWorkload::Model(Arc::new(model.map_err(|why| PlanError::new(why.to_string()))?));
        }
    }
    Ok(draft)
}

/// C libraries whose directories are named from a plan file's own.
fn beside(libcs: Vec<PlannedLibc>, plan: &Path) -> Vec<PlannedLibc> {
    let plan = std::path::absolute(plan).unwrap_or_else(|_| plan.to_owned());
    let from = plan.parent().unwrap_or(Path::new("/"));
    libcs.into_iter().map(|libc| libc.from_directory(from)).collect()
}

/// Reads every value of a flag; `None` where it is not given.
fn list<T, E: ToString>(
    texts: &[String],
    read: impl Fn(&str) -> Result<T, E>,
) -> Result<Option<Vec<T>>, PlanError> {
    if texts.is_empty() {
        return Ok(None);
    }
    let read = |text: &String| read(text).map_err(|why| PlanError::new(why.to_string()));
    texts.iter().map(read).collect::<Result<_, _>>().map(Some)
}
