//! What the readings mean: each finding with what to do about it. Pure.

use std::path::PathBuf;

use arenalab_wire::message::Identity;
use serde::Serialize;

use crate::format::manifest::Host;
use crate::trial::host::{Activity, Readings, Space};
use crate::trial::libraries::Library;
use crate::units::format_bytes;

mod load;

pub use load::Load;

/// How serious a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Nothing to do.
    Ok,
    /// Results suffer, or differ from those elsewhere.
    Warn,
    /// Trials cannot run, or would not be believed.
    Bad,
}

impl Level {
    /// As it is printed.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Bad => "BAD",
        }
    }
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was looked at.
    pub check: &'static str,
    /// How serious it is.
    pub level: Level,
    /// What was found.
    pub found: String,
    /// What to do.
    pub advice: Option<String>,
}

/// A workload binary and what it says of itself.
#[derive(Clone, Debug)]
pub struct Companion {
    /// The allocator it should have.
    pub allocator: &'static str,
    /// Where it is.
    pub path: Option<PathBuf>,
    /// What it says, or why it says nothing.
    pub identity: Result<Identity, String>,
}

/// Everything that is judged.
#[derive(Clone, Debug)]
pub struct Evidence {
    /// The fingerprint.
    pub host: Result<Host, String>,
    /// What the host is like.
    pub readings: Readings,
    /// What it was doing.
    pub activity: Activity,
    /// Room for results.
    pub space: Result<Space, String>,
    /// The user's own variables that steer an allocator, as `NAME=value`.
    pub steering: Vec<String>,
    /// The workload binaries.
    pub companions: Vec<Companion>,
    /// Allocators that can be preloaded.
    pub libraries: Vec<Library>,
    /// Whether programs can run inside a root.
    pub roots: Result<(), String>,
}

const MIB: u64 = 1 << 20;
/// Less memory than this is short for the built-in workloads.
const LITTLE_MEMORY: u64 = 1024 * MIB;
/// Address space below which a few arenas (64 MiB each) do not fit.
const LITTLE_ADDRESS_SPACE: u64 = 4096 * MIB;
/// A campaign is a few MiB.
const LITTLE_SPACE: u64 = 64 * MIB;
/// Fewer tasks than this are too few for workloads with many threads.
const FEW_TASKS: u64 = 1024;
/// Clock sources that are read without a system call.
const FAST_CLOCKS: [&str; 6] =
    ["tsc", "kvm-clock", "hyperv_clocksource_tsc_page", "arch_sys_counter", "timebase", "riscv_clocksource"];

fn ok(check: &'static str, found: String) -> Finding {
    Finding { check, level: Level::Ok, found, advice: None }
}

fn warn(check: &'static str, found: String, advice: &str) -> Finding {
    Finding { check, level: Level::Warn, found, advice: Some(advice.to_owned()) }
}

fn bad(check: &'static str, found: String, advice: &str) -> Finding {
    Finding { check, level: Level::Bad, found, advice: Some(advice.to_owned()) }
}

/// All findings, in the order in which they are best read.
pub fn findings(evidence: &Evidence) -> Vec<Finding> {
    let mut findings: Vec<Finding> = evidence.companions.iter().map(companion).collect();
    findings.extend(evidence.libraries.iter().map(library));
    findings.extend(host(&evidence.host));
    findings.push(space(&evidence.space));
    findings.push(steering(&evidence.steering));
    findings.extend(steering_files(&evidence.readings));
    findings.extend(processors(&evidence.readings));
    findings.push(load::load(&evidence.activity));
    findings.extend(load::steal(&evidence.activity));
    findings.extend(clocks(&evidence.readings));
    findings.extend(memory(&evidence.readings));
    findings.extend(limits(&evidence.readings));
    findings.extend(kernel(&evidence.readings));
    findings.push(roots(&evidence.roots));
    findings
}

fn companion(companion: &Companion) -> Finding {
    let check = companion.allocator;
    match &companion.identity {
        Ok(identity) if identity.name == check => {
            ok(check, format!("{} {}", identity.name, identity.version))
        }
        Ok(identity) => bad(
            check,
            format!("its workload binary is served by {}: {}", identity.name, identity.how),
            "build it again: cargo build --release --workspace",
        ),
        // Without glibc there is no baseline; the others can be left out of a plan.
        Err(why) if check == "glibc" => bad(check, why.clone(), "without it there is no baseline"),
        Err(why) => warn(check, why.clone(), "until then leave it out with --allocators"),
    }
}

fn library(library: &Library) -> Finding {
    let candidate = library.candidate();
    match &library.identity {
        Ok(identity) => ok("preload", format!("{} {}: {candidate}", identity.name, identity.version)),
        Err(why) => warn("preload", format!("{candidate}: {why}"), "until then leave it out"),
    }
}

fn host(host: &Result<Host, String>) -> Option<Finding> {
    host.as_ref().err().map(|why| bad("host", why.clone(), "mount /proc; trials are measured through it"))
}

fn space(space: &Result<Space, String>) -> Finding {
    match space {
        Err(why) => bad("results", why.clone(), "name a directory with --out"),
        Ok(space) if !space.writable => bad(
            "results",
            format!("{} is not writable", space.directory.display()),
            "name another with --out",
        ),
        Ok(space) => {
            let found = format!("{} free in {}", format_bytes(space.free as f64), space.directory.display());
            if space.free < LITTLE_SPACE {
                warn("results", found, "a campaign is a few MiB; name a roomier directory with --out")
            } else {
                ok("results", found)
            }
        }
    }
}

fn steering(variables: &[String]) -> Finding {
    if variables.is_empty() {
        return ok("environment", "nothing in it steers an allocator".to_owned());
    }
    warn(
        "environment",
        format!("{} steers allocators and is kept from trials", variables.join(" ")),
        "to measure such a setting, make it a candidate: --candidate glibc:arena_max=2",
    )
}

fn steering_files(readings: &Readings) -> Option<Finding> {
    let files = &readings.steering_files;
    let found = format!("{} steers allocators in every program, trials too", files.join(" and "));
    let advice = "move it away while measuring, or expect results that hold on this host only";
    (!files.is_empty()).then(|| warn("system files", found, advice))
}

fn processors(readings: &Readings) -> Vec<Finding> {
    let Some(cpus) = readings.cpus else { return Vec::new() };
    let found = format!("{} online, {} allowed", cpus.online, cpus.allowed);
    let mut findings = vec![match (cpus.online, cpus.allowed) {
        (_, 1) => warn(
            "cpus",
            found,
            "on one CPU no two threads meet in the allocator; what arenas are for cannot be seen",
        ),
        (online, allowed) if allowed < online => warn(
            "cpus",
            found,
            "glibc's default limit follows the CPUs online or those allowed, by version; measure as you deploy",
        ),
        _ => ok("cpus", found),
    }];
    if let Some(quota) = readings.limits.cpus.filter(|quota| *quota < f64::from(cpus.allowed)) {
        findings.push(warn(
            "cpu quota",
            format!("{quota:.1} CPUs by the control group"),
            "throttling comes and goes within a trial; measure without a quota, or as you deploy. No allocator \
             takes the quota into account",
        ));
    }
    findings
}

fn clocks(readings: &Readings) -> Vec<Finding> {
    let mut findings = Vec::new();
    findings.push(match readings.governor.as_deref() {
        Some("performance") => ok("frequency", "governor performance".to_owned()),
        Some(governor) => warn(
            "frequency",
            format!("governor {governor}"),
            "set it while measuring: cpupower frequency-set -g performance",
        ),
        None => ok("frequency", "no governor to be seen (usual in virtual machines)".to_owned()),
    });
    if readings.turbo == Some(true) {
        findings.push(ok(
            "turbo",
            "on: the clock drifts with heat, which interleaved rounds even out".to_owned(),
        ));
    }
    if let Some(clock) = readings.clock_source.as_deref() {
        findings.push(if FAST_CLOCKS.contains(&clock) {
            ok("clock", clock.to_owned())
        } else {
            warn(
                "clock",
                clock.to_owned(),
                "reading it costs a system call; malloc and free latency will be coarse",
            )
        });
    }
    findings
}

fn memory(readings: &Readings) -> Vec<Finding> {
    let mut findings = Vec::new();
    let limit = readings.limits.memory.filter(|limit| readings.memory.is_none_or(|memory| *limit < memory));
    let usable = readings.memory_available.into_iter().chain(limit).min();
    if let Some(usable) = usable {
        let cause = limit
            .map_or(String::new(), |limit| format!(", control group limit {}", format_bytes(limit as f64)));
        let found = format!("{} available{cause}", format_bytes(usable as f64));
        findings.push(if usable < LITTLE_MEMORY {
            warn("memory", found, "trials may end for want of memory (status oom); use smaller workloads")
        } else {
            ok("memory", found)
        });
    }
    if let Some(swap) = readings.swap_used.filter(|swap| *swap > 0) {
        let found = format!("{} in use", format_bytes(swap as f64));
        findings.push(warn("swap", found, "what is swapped out is not in RSS; switch it off: swapoff -a"));
    }
    match readings.thp.as_deref() {
        Some("always") => findings.push(warn(
            "huge pages",
            "transparent huge pages: always".to_owned(),
            "RSS grows in steps of 2 MiB; measure under the mode that you deploy on",
        )),
        Some(mode) => findings.push(ok("huge pages", format!("transparent huge pages: {mode}"))),
        None => {}
    }
    if readings.overcommit == Some(2) {
        findings.push(warn(
            "overcommit",
            "strict (vm.overcommit_memory=2)".to_owned(),
            "reserved address space counts against the limit; trials may end for want of memory",
        ));
    }
    findings
}

fn limits(readings: &Readings) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some(space) = readings.address_space {
        let found = format!("ulimit -v is {}", format_bytes(space as f64));
        let advice =
            "an arena of glibc reserves 64 MiB, mimalloc 1 GiB at a time: lift it with ulimit -v unlimited";
        findings.push(match space {
            space if space < LITTLE_ADDRESS_SPACE => bad("address space", found, advice),
            _ => warn("address space", found, advice),
        });
    }
    let tasks = readings.user_tasks.into_iter().chain(readings.limits.tasks).min();
    if let Some(tasks) = tasks.filter(|tasks| *tasks < FEW_TASKS) {
        let advice = "workloads with more threads will fail; raise it (ulimit -u, pids.max)";
        findings.push(warn("threads", format!("at most {tasks} processes and threads"), advice));
    }
    findings
}

/// What only `--root` needs is no fault of a host.
fn roots(roots: &Result<(), String>) -> Finding {
    let told = match roots {
        Ok(()) => "programs can run inside a root with another glibc: --root NAME=DIR".to_owned(),
        Err(why) => {
            format!("programs cannot run inside a root (--root): {why}; --libc needs nothing of the kind")
        }
    };
    ok("roots", told)
}

fn kernel(readings: &Readings) -> Vec<Finding> {
    let mut findings = Vec::new();
    findings.push(if readings.smaps_rollup {
        ok("smaps_rollup", "readable: RSS is read exactly".to_owned())
    } else {
        warn(
            "smaps_rollup",
            "/proc/self/smaps_rollup cannot be read".to_owned(),
            "exact RSS needs Linux 4.14; the figures of statm are approximate",
        )
    });
    if !readings.pressure {
        findings.push(warn(
            "pressure",
            "/proc/pressure is not there".to_owned(),
            "noise is judged without it; it needs Linux 4.20, and psi=1 on the kernel's command line of some",
        ));
    }
    findings
}

#[cfg(test)]
mod tests;
