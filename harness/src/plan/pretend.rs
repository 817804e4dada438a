//! How a candidate is made to behave as on a host with another number of CPUs: the pure part. What touches the
//! system is [`crate::trial::pretend_cpus`].
//!
//! glibc counts its CPUs in a file of the kernel's, over which another can be laid, so that it computes that host's
//! own default. The versions that ask for the CPUs that a thread may run on, and jemalloc, which does, are given the
//! limit that they would have computed.

use crate::format::manifest::PretendedWay;
use crate::knowledge::Version;
use crate::knowledge::arena_limit::{Asked, Counts, Cpus, counts, limit};
use crate::knowledge::value::Value;

use super::candidate::{Allocator, Candidate};

/// The file that the kernel lists the CPUs online in.
pub const FILE: &str = "/sys/devices/system/cpu/online";
/// Most arenas that jemalloc takes (`MALLOCX_ARENA_LIMIT` less one that it keeps for itself).
const MOST_JEMALLOC_ARENAS: u64 = 4094;

/// What one who asks for this should be told.
pub fn note(cpus: u32) -> String {
    format!(
        "{cpus} {} pretended: what allocators derive from the number of CPUs is as on such a host; the \
         contention of so many real CPUs is not simulated",
        if cpus == 1 { "CPU is" } else { "CPUs are" }
    )
}

/// What is known of where the candidates will run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ground {
    /// CPUs of the host that is pretended.
    pub cpus: u32,
    /// Whether another file can be laid over the kernel's.
    pub file: bool,
    /// Name of the C library.
    pub libc: String,
    /// Its version, where it is known.
    pub glibc: Option<Version>,
    /// What it counts for its limit on arenas, where it was tried.
    pub counts: Option<Counts>,
}

/// How a candidate is made to behave as with so many CPUs.
pub fn way(candidate: &Candidate, ground: &Ground) -> PretendedWay {
    let (runs_as, how) = match candidate.allocator().known_as() {
        "glibc" => glibc(candidate, ground),
        "jemalloc" => jemalloc(candidate, ground),
        "mimalloc" => (None, "mimalloc does not count CPUs".to_owned()),
        _ => (None, format!("nothing is set for it; it may read {FILE}")),
    };
    let glibc = *candidate.allocator() == Allocator::Glibc;
    let most = glibc.then(|| most_arenas(candidate, ground)).flatten();
    let runs_as = runs_as.map(|candidate| candidate.to_string());
    PretendedWay {
        libc: ground.libc.clone(),
        candidate: candidate.to_string(),
        runs_as,
        most_arenas: most.filter(|_| ground.file),
        how,
    }
}

fn glibc(candidate: &Candidate, ground: &Ground) -> (Option<Candidate>, String) {
    let cpus = ground.cpus;
    if candidate.setting("arena_max").is_some() {
        return (None, "its limit on arenas is set, whatever the CPUs".to_owned());
    }
    let Some(version) = ground.glibc else {
        let how = if ground.file {
            format!("whatever glibc it runs on reads {cpus} CPUs in {FILE}, unless it asks for its affinity")
        } else {
            "nothing is pretended: the version of its glibc is not known".to_owned()
        };
        return (None, how);
    };
    let counted = ground.counts.or_else(|| counts(version));
    if ground.file && counted == Some(Counts::Online) {
        return (None, format!("glibc {version} itself reads {cpus} CPUs in {FILE}"));
    }
    let Some(most) = most_arenas(candidate, ground) else {
        return (None, format!("nothing is pretended: the limit of glibc {version} is not certain"));
    };
    let why = match counted {
        _ if !ground.file => format!("no file can be laid over {FILE}"),
        Some(Counts::Affinity) => "it asks for the CPUs that it may run on".to_owned(),
        Some(Counts::Online) | None => "builds of it differ in what they count".to_owned(),
    };
    let set = candidate.with("arena_max", Value::Number(i64::from(most)));
    (Some(set), format!("arena_max={most} is set, as glibc {version} would on {cpus} CPUs: {why}"))
}

/// The limit that a glibc computes for the CPUs that are pretended, where it is certain.
fn most_arenas(candidate: &Candidate, ground: &Ground) -> Option<u32> {
    let number = |key| match candidate.setting(key) {
        Some(Value::Number(number)) => u64::try_from(*number).ok(),
        _ => None,
    };
    let cpus = Cpus { online: ground.cpus, allowed: ground.cpus };
    let asked = Asked { arena_max: number("arena_max"), arena_test: number("arena_test") };
    let limit = limit(Some(ground.glibc?), cpus, asked);
    u32::try_from(limit.within(u64::from(u32::MAX))?).ok()
}

/// jemalloc asks for the CPUs that it may run on: 4 arenas each, one arena on one CPU (`malloc_ncpus`,
/// `narenas_auto`).
fn jemalloc(candidate: &Candidate, ground: &Ground) -> (Option<Candidate>, String) {
    if candidate.setting("narenas").is_some() {
        return (None, "its number of arenas is set, whatever the CPUs".to_owned());
    }
    let cpus = u64::from(ground.cpus);
    let arenas = if cpus == 1 { 1 } else { (4 * cpus).min(MOST_JEMALLOC_ARENAS) };
    let set = candidate.with("narenas", Value::Number(arenas.cast_signed()));
    (
        Some(set),
        format!("narenas={arenas} is set, as jemalloc would on {cpus} CPUs: it asks for those it may run on"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ground(minor: u32, file: bool, counts: Option<Counts>) -> Ground {
        Ground { cpus: 64, file, libc: "host".to_owned(), glibc: Some(Version::new(2, minor)), counts }
    }

    fn runs_as(candidate: &str, ground: &Ground) -> Option<String> {
        way(&candidate.parse().unwrap(), ground).runs_as
    }

    #[test]
    fn glibc_counts_for_itself_where_it_reads_the_file() {
        assert_eq!(runs_as("glibc", &ground(31, true, None)), None);
        assert_eq!(runs_as("glibc", &ground(43, true, None)), None);
        assert_eq!(runs_as("glibc", &ground(36, true, Some(Counts::Online))), None);
        assert_eq!(way(&Candidate::baseline(), &ground(41, true, None)).most_arenas, Some(512));
        assert_eq!(way(&Candidate::baseline(), &ground(44, true, None)).most_arenas, Some(64));
    }

    #[test]
    fn else_it_is_given_the_limit_that_it_would_compute() {
        let set = Some("glibc:arena_max=512".to_owned());
        assert_eq!(runs_as("glibc", &ground(36, true, None)), set);
        assert_eq!(runs_as("glibc", &ground(34, true, Some(Counts::Affinity))), set);
        assert_eq!(runs_as("glibc", &ground(41, false, None)), set);
        assert_eq!(runs_as("glibc", &ground(44, false, None)), Some("glibc:arena_max=64".to_owned()));
        assert_eq!(runs_as("glibc:arena_max=3", &ground(36, false, None)), None);
        let kept = runs_as("glibc:trim_threshold=256KiB", &ground(36, false, None));
        assert_eq!(kept, Some("glibc:arena_max=512,trim_threshold=256KiB".to_owned()));
        let one = Ground { cpus: 1, ..ground(36, false, None) };
        assert_eq!(runs_as("glibc", &one), Some("glibc:arena_max=9".to_owned()));
        let raised = runs_as("glibc:arena_test=32", &one);
        assert_eq!(raised, Some("glibc:arena_max=33,arena_test=32".to_owned()));
    }

    #[test]
    fn nothing_is_set_where_the_limit_is_not_certain() {
        for ground in [ground(12, true, None), Ground { glibc: None, ..ground(36, false, None) }] {
            let way = way(&Candidate::baseline(), &ground);
            assert_eq!((way.runs_as, way.most_arenas), (None, None));
            assert!(way.how.starts_with("nothing is pretended"), "{}", way.how);
        }
    }

    #[test]
    fn jemalloc_is_given_its_arenas() {
        let here = ground(36, true, None);
        assert_eq!(runs_as("jemalloc", &here), Some("jemalloc:narenas=256".to_owned()));
        assert_eq!(runs_as("jemalloc:narenas=4", &here), None);
        let (one, many) = (Ground { cpus: 1, ..here.clone() }, Ground { cpus: 8192, ..here.clone() });
        assert_eq!(runs_as("jemalloc", &one), Some("jemalloc:narenas=1".to_owned()));
        assert_eq!(runs_as("jemalloc", &many), Some("jemalloc:narenas=4094".to_owned()));
        assert_eq!(runs_as("mimalloc", &here), None);
        let preloaded = runs_as("preload=/lib/libjemalloc.so.2", &here);
        assert_eq!(preloaded, Some("preload=/lib/libjemalloc.so.2:narenas=256".to_owned()));
    }
}
