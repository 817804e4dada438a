//! From a plan to a manifest, and from a manifest to the trials to run. Pure.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::pretence::{self, Pretence};
use super::run::Setup;
use crate::decide::noisy::Rule;
use crate::format::FORMAT;
use crate::format::manifest::{Binary, CandidateEntry, Host, Libc, LibcRun, Manifest};
use crate::knowledge::Version;
use crate::knowledge::arena_limit::Cpus;
use crate::knowledge::{preload, scrub};
use crate::plan::canonical::{self, Facts};
use crate::plan::{Allocator, Candidate, Plan, PlannedLibc, PlannedWorkload, candidate, libc};
use crate::trial::executor::{Asked, TrialSpec};

/// The C library of the host.
pub const HOST_LIBC: &str = libc::HOST;

/// What a campaign is made from.
pub struct Ingredients {
    /// What is to be measured.
    pub plan: Plan,
    /// The command line.
    pub command: Vec<String>,
    /// When it begins, RFC 3339, UTC.
    pub created_at: String,
    /// Name of the strategy.
    pub strategy: String,
    /// The host.
    pub host: Host,
    /// Fingerprints of the workload binaries by allocator.
    pub binaries: BTreeMap<String, Binary>,
    /// The C libraries, in the order of the plan.
    pub libcs: Vec<Libc>,
    /// What was found out for CPUs that are pretended.
    pub pretence: Option<Pretence>,
}

/// The host's C library.
pub fn host_libc(version: Option<String>) -> Libc {
    Libc { name: HOST_LIBC.to_owned(), version, run: LibcRun::Host, path: None, sha256: None }
}

/// Makes the manifest: candidates that cannot differ are merged.
pub fn manifest(made_from: Ingredients) -> Manifest {
    let Ingredients { plan, command, created_at, strategy, host, binaries, libcs, pretence } = made_from;
    // Which C library a program of the user's runs on, how many threads it makes and what it sets for itself is
    // not known.
    let known = plan.workloads.iter().all(|workload| workload.program().is_none());
    let here = Cpus { online: host.cpus_online, allowed: host.cpus_allowed };
    let facts = |libc: &Libc| Facts {
        cpus: plan.measure.cpus.map_or(here, |cpus| Cpus { online: cpus, allowed: cpus }),
        glibc: libc.version.as_deref().filter(|_| known).and_then(|version| version.parse::<Version>().ok()),
        reach: plan.reach(),
        bundled: known,
    };
    let facts: Vec<Facts> = libcs.iter().map(facts).collect();
    let baseline = plan.sweep.baseline.clone();
    let classes = canonical::classes(&plan.sweep.candidates, &baseline, &facts);
    let pretended_cpus = plan.measure.cpus.map(|cpus| {
        let named: Vec<&Candidate> = classes.iter().map(|class| &class.candidate).collect();
        let pretended = pretence::pretended(cpus, &pretence.unwrap_or_default(), &libcs, &named);
        if known { pretended } else { pretence::of_programs(pretended) }
    });
    let entry = |class: canonical::Class| CandidateEntry {
        candidate: class.candidate.to_string(),
        env: class.candidate.env(),
        stands_for: class.stands_for,
    };
    Manifest {
        format: FORMAT,
        arenalab: env!("CARGO_PKG_VERSION").to_owned(),
        created_at,
        command,
        seed: plan.measure.seed,
        strategy,
        rounds: plan.measure.rounds,
        plan: plan.to_toml(),
        objective: plan.measure.objective,
        constraints: plan.choose.constraints,
        confidence: plan.choose.confidence,
        tolerance: Some(plan.choose.tolerance),
        time_budget_s: plan.measure.time_budget.map(|budget| budget.as_secs_f64()),
        extended: Vec::new(),
        host,
        binaries,
        libcs,
        scenarios: plan.scenarios(),
        candidates: classes.into_iter().map(entry).collect(),
        baseline: baseline.to_string(),
        accept_busy_host: plan.choose.accept_busy_host,
        pretended_cpus,
    }
}

/// A file that a campaign runs, or puts into what it runs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// A program of the user's: its label, and its executable by the name it was given.
    Program(String, String),
    /// The workload binary with an allocator.
    Engine(&'static str),
    /// The library that puts an allocator in front of a program's own.
    Library(&'static str),
}

impl Part {
    /// Its key in the manifest.
    pub fn key(&self) -> String {
        match self {
            Self::Engine(allocator) => (*allocator).to_owned(),
            Self::Library(allocator) => format!("preload:{allocator}"),
            Self::Program(name, _) => format!("program:{name}"),
        }
    }
}

/// The files that a plan needs, each once.
pub fn parts(plan: &Plan) -> Vec<Part> {
    let mut parts = Vec::new();
    for workload in &plan.workloads {
        if let Some(program) = workload.program() {
            parts.push(Part::Program(program.name.clone(), program.executable().to_owned()));
        }
        for candidate in &plan.sweep.candidates {
            match workload {
                PlannedWorkload::Program(_) => parts.extend(put_in_front(candidate).map(Part::Library)),
                _ => parts.push(Part::Engine(candidate.allocator().binary())),
            }
        }
    }
    parts.sort();
    parts.dedup();
    parts
}

/// The allocator whose library a candidate needs, to be in front of a program's own.
fn put_in_front(candidate: &Candidate) -> Option<&'static str> {
    matches!(candidate.allocator(), Allocator::Jemalloc | Allocator::Mimalloc)
        .then(|| candidate.allocator().name())
}

fn candidates(manifest: &Manifest) -> Result<Vec<Candidate>, String> {
    let parse = |entry: &CandidateEntry| entry.candidate.parse::<Candidate>().map_err(|e| e.to_string());
    manifest.candidates.iter().map(parse).collect()
}

/// The trials of a campaign: by scenario, then by arm, the baseline's twin last. `programs` are the files that
/// it needs, by [`Part::key`].
///
/// # Errors
/// One line, where the manifest is not one that this build can run.
pub fn setup<'a>(manifest: &'a Manifest, programs: &BTreeMap<String, PathBuf>) -> Result<Setup<'a>, String> {
    let plan = Plan::from_toml(&manifest.plan, "the campaign's plan").map_err(|e| e.to_string())?;
    if plan.scenarios() != manifest.scenarios {
        return Err("the campaign's plan and its scenarios do not agree".to_owned());
    }
    let planned = plan.sweep.libcs.iter().map(PlannedLibc::name);
    if !planned.eq(manifest.libcs.iter().map(|libc| libc.name.as_str())) {
        return Err("the campaign's plan and its libcs do not agree".to_owned());
    }
    let candidates = candidates(manifest)?;
    let twin = manifest.baseline.parse::<Candidate>().map_err(|e| e.to_string())?;
    let arms: Vec<(&Candidate, bool)> =
        candidates.iter().map(|candidate| (candidate, false)).chain([(&twin, true)]).collect();
    let mut templates = Vec::new();
    for workload in &plan.workloads {
        for threads in plan.threads_of(workload) {
            for libc in &manifest.libcs {
                let make = |(candidate, twin): &(&Candidate, bool)| {
                    let version = libc.version.as_deref().and_then(|v| v.parse().ok());
                    let pretended = manifest.pretended_cpus.as_ref();
                    let mut spec =
                        template(&plan, workload, threads, &libc.name, version, candidate, *twin, programs)?;
                    pretence::apply(pretended, &mut spec, |runs_as| {
                        let again =
                            template(&plan, workload, threads, &libc.name, version, runs_as, *twin, programs);
                        again.map(|again| again.asked)
                    })?;
                    Ok(spec)
                };
                templates.push(arms.iter().map(make).collect::<Result<Vec<_>, String>>()?);
            }
        }
    }
    Ok(Setup { manifest, templates, rule: Rule { again: 1, ..Rule::default() } })
}

#[allow(clippy::too_many_arguments)]
fn template(
    plan: &Plan,
    workload: &PlannedWorkload,
    threads: u32,
    libc: &str,
    version: Option<Version>,
    candidate: &Candidate,
    twin: bool,
    programs: &BTreeMap<String, PathBuf>,
) -> Result<TrialSpec, String> {
    let file = |part: Part| {
        let key = part.key();
        programs.get(&key).cloned().ok_or_else(|| format!("the campaign's part {key} is not there"))
    };
    let own = workload.program().cloned();
    let program = file(match &own {
        Some(program) => Part::Program(program.name.clone(), program.executable().to_owned()),
        None => Part::Engine(candidate.allocator().binary()),
    })?;
    let asked = match &own {
        Some(_) => {
            asked_of_program(candidate, put_in_front(candidate).map(Part::Library).map(file).transpose()?)
        }
        None => asked(candidate),
    };
    Ok(TrialSpec {
        workload: workload.to_string(),
        threads,
        libc: libc.to_owned(),
        footing: None,
        candidate: candidate.to_string(),
        round: 0,
        attempt: 0,
        position: 0,
        twin,
        program,
        own,
        seed: 0,
        args: [vec!["run".to_owned()], workload.args(), vec!["--threads".to_owned(), threads.to_string()]]
            .concat(),
        asked,
        unsupported: version.and_then(|version| candidate.unsupported_by(version)),
        pretended: None,
        timeout: plan.measure.timeout,
        idle: plan.measure.idle,
        trim: plan.measure.trim,
        memory_limit: plan.measure.memory_limit,
        sampled: true,
        keep_series: false,
    })
}

fn asked(candidate: &Candidate) -> Asked {
    Asked {
        allocator: match candidate.allocator() {
            Allocator::Preload(_) => "preload".to_owned(),
            own => own.name().to_owned(),
        },
        settings: candidate.known_settings().map(|(setting, value)| (setting, value.clone())).collect(),
        env: candidate.env(),
        preload: candidate::preloaded(candidate).map(Path::to_owned),
        foreign: scrub::is_scrubbed,
    }
}

/// What a candidate asks of a program that knows nothing of us: an allocator of ours comes by `LD_PRELOAD`.
fn asked_of_program(candidate: &Candidate, library: Option<PathBuf>) -> Asked {
    let mut asked = asked(candidate);
    if let Some(library) = library {
        asked.env.insert("LD_PRELOAD".to_owned(), library.display().to_string());
        if let Some(conf) = asked.env.remove("MALLOC_CONF") {
            asked.env.insert(preload::JEMALLOC_CONF.to_owned(), conf);
        }
        asked.preload = Some(library);
    }
    asked
}
