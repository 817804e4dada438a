//! What of a host with another number of CPUs a campaign pretends: into its manifest, and from there into its trials.

use crate::format::manifest::{Libc, LibcRun, PretendedCpus, PretendedWay};
use crate::knowledge::arena_limit::Counts;
use crate::plan::Candidate;
use crate::plan::pretend::{Ground, way};
use crate::trial::executor::{Asked, TrialSpec};
use crate::trial::pretend_cpus::Pretended;

/// What was found out on this host.
#[derive(Clone, Debug, Default)]
pub struct Pretence {
    /// Why no file can be laid over the kernel's list of CPUs, where that is so.
    pub no_file: Option<String>,
    /// What the C library counts for its limit on arenas, where it was tried.
    pub counts: Option<Counts>,
}

/// How each candidate is made to behave as with so many CPUs, under each C library.
pub fn pretended(cpus: u32, found: &Pretence, libcs: &[Libc], candidates: &[&Candidate]) -> PretendedCpus {
    let file = found.no_file.is_none();
    let ground = |libc: &Libc| Ground {
        cpus,
        file,
        libc: libc.name.clone(),
        glibc: libc.version.as_deref().and_then(|version| version.parse().ok()),
        // What was tried is the host's own; of others their version tells.
        counts: found.counts.filter(|_| libc.run == LibcRun::Host),
    };
    let under = |libc: &Libc| -> Vec<PretendedWay> {
        let ground = ground(libc);
        candidates.iter().map(|candidate| way(candidate, &ground)).collect()
    };
    let ways = libcs.iter().flat_map(under).collect();
    PretendedCpus { cpus, file, no_file: found.no_file.clone(), ways }
}

/// The same for programs of the user's: which C library they run on, and what serves their malloc, is not certain.
pub fn of_programs(mut pretended: PretendedCpus) -> PretendedCpus {
    for way in pretended.ways.iter_mut().filter(|way| way.candidate.starts_with("glibc")) {
        way.most_arenas = None;
        way.how += ", where that is what serves the program's malloc";
    }
    pretended
}

/// Gives a trial what is pretended for its C library and candidate; `ask` says what another candidate asks for.
///
/// # Errors
/// One line, where the manifest names a candidate that this build does not know.
pub fn apply(
    pretended: Option<&PretendedCpus>,
    spec: &mut TrialSpec,
    ask: impl FnOnce(&Candidate) -> Result<Asked, String>,
) -> Result<(), String> {
    let Some(pretended) = pretended else { return Ok(()) };
    let same = |way: &&PretendedWay| way.libc == spec.libc && way.candidate == spec.candidate;
    let Some(way) = pretended.ways.iter().find(same) else {
        return Err(format!("the campaign does not say how it pretends CPUs for {}", spec.candidate));
    };
    if let Some(runs_as) = &way.runs_as {
        spec.asked = ask(&runs_as.parse().map_err(|why| format!("{runs_as}: {why}"))?)?;
    }
    spec.pretended = Some(Pretended {
        cpus: pretended.cpus,
        file: pretended.file,
        most_arenas: way.most_arenas,
        how: way.how.clone(),
    });
    Ok(())
}
