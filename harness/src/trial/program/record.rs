//! What the story of a program's trial says, as a line for the journal. Pure.

use std::path::Path;

use super::image::Image;
use super::{Broken, Story, anatomy, judge, memory, sight, weigh};
use crate::format::series::{MAX_POINTS, Series};
use crate::format::trial::{
    Arenas, Cpu, Effect, Faults, Looking, Noise, OwnProgram, Printed, ProcessRow, Served, Status, Switches,
    Throughput, TrialRecord,
};
use crate::trial::ending;
use crate::trial::executor::TrialSpec;
use crate::trial::libc_root::banner;
use crate::trial::noise;
use crate::trial::sampler::{self, Sample};

/// Processes of which a row is kept.
const KEPT: usize = 64;

/// What is known besides the story.
#[derive(Clone, Debug, Default)]
pub struct Besides {
    /// What is known of the candidate.
    pub beforehand: judge::Beforehand,
    /// All images, with what a search of their files found.
    pub images: Vec<Image>,
    /// What an allocator or the loader said against a setting.
    pub complaint: Option<String>,
    /// CPUs that a program may run on.
    pub cpus: f64,
    /// Processes that the kernel killed for memory meanwhile: in the trial's control group, else on this host.
    pub oom_kills: u64,
}

/// Fills in what a story tells. `empty` is the line of a trial that was not begun.
pub fn record(empty: TrialRecord, spec: &TrialSpec, story: &Story, besides: &Besides) -> TrialRecord {
    let images = &besides.images;
    let served = weigh::served(images);
    let used = &story.ending.usage;
    let total_s = Some(used.user_s + used.system_s).filter(|total_s| *total_s > 0.0);
    let outcome = weigh::outcome(&spec.asked, &besides.beforehand, images, total_s, besides.cpus);
    let mut effect = outcome.effect;
    if let Some(said) = besides.complaint.as_ref().filter(|_| !judge::asks_nothing(&spec.asked)) {
        effect = Effect { verified: false, how: format!("{}; but its output says: {said}", effect.how) };
    }
    let (mut status, mut reason) = classify(spec, story, besides);
    let off =
        spec.footing.as_ref().zip(served).and_then(|(footing, served)| judge::off_footing(footing, served));
    if let Some(why) = outcome.no_op.or(off).filter(|_| status == Status::Ok) {
        (status, reason) = (Status::Unsupported, Some(why));
    }
    if status == Status::Ok && outcome.disproved {
        status = Status::Failed;
        reason = Some(format!("the candidate did not take effect: {}", effect.how));
    }
    let usage = story.usage.as_ref();
    let ok = status == Status::Ok;
    let heaps = story.anatomy.record(story.work);
    TrialRecord {
        libc_version: served.and_then(|served| libc_version(spec, served)),
        status,
        reason,
        wall_s: story.wall_s.filter(|_| ok),
        throughput: story.throughput.clone().filter(|_| ok).map(|(value, unit)| Throughput { value, unit }),
        cpu: usage.map(|used| Cpu { user_s: used.user_s, system_s: used.system_s }),
        faults: usage.map(|used| Faults { minor: used.minor_faults, major: used.major_faults }),
        switches: usage.map(|used| Switches { voluntary: used.voluntary, involuntary: used.involuntary }),
        rss: memory::rss(story),
        anatomy: heaps.as_ref().and_then(|heaps| story.anatomy.anatomy(heaps)),
        arenas: weigh::arenas(images).map(|observed| Arenas {
            limit: spec.asked.arena_limit(),
            observed: observed.max(heaps.as_ref().and_then(anatomy::arenas)),
        }),
        allocator: served.map(|served| Served {
            name: served.by.clone(),
            version: library_version(served),
            how: served.how.clone(),
        }),
        effect,
        program: Some(OwnProgram { heaps, ..own(story) }),
        noise: noise_of(story),
        strays: story.ending.strays,
        ..empty
    }
}

/// The version of the C library that a process has mapped, as its file says.
fn libc_version(spec: &TrialSpec, served: &sight::Served) -> Option<String> {
    let libc = served.libc.as_deref()?;
    match spec.footing.as_ref().filter(|footing| footing.owns(&served.files).is_ok()) {
        Some(footing) => Some(footing.root.version.clone()),
        None => banner::of_file(libc),
    }
}

/// What the allocator's library is called: all that can be told of its version from outside.
fn library_version(served: &sight::Served) -> String {
    let real = served.library.as_deref().map(|path| path.canonicalize().unwrap_or_else(|_| path.to_owned()));
    let file = real.as_deref().and_then(Path::file_name);
    file.map_or_else(|| "unknown".to_owned(), |name| name.to_string_lossy().into_owned())
}

fn classify(spec: &TrialSpec, story: &Story, besides: &Besides) -> (Status, Option<String>) {
    let ending = &story.ending;
    let out_of_memory = besides.oom_kills > 0;
    if out_of_memory && !matches!(story.broken, Some(Broken::Interrupted | Broken::NoOp(_))) {
        let limit = spec.memory_limit.map_or_else(String::new, |limit| {
            format!(" at its memory limit of {}", crate::units::canonical_bytes(limit))
        });
        return (
            Status::Oom,
            Some(format!("the kernel killed a process of it for memory{limit} (oom_kill counted)")),
        );
    }
    match &story.broken {
        Some(Broken::Interrupted) => (Status::Interrupted, Some("stopped on request".to_owned())),
        Some(Broken::Late(reason)) => (Status::Timeout, Some(reason.clone())),
        Some(Broken::Failed(reason)) => (Status::Failed, Some(reason.clone())),
        Some(Broken::Crashed(reason)) => (Status::Crashed, Some(reason.clone())),
        Some(Broken::NoOp(reason)) => (Status::Unsupported, Some(reason.clone())),
        Some(Broken::Gone) => ended_early(story),
        None if ending.stopped => (Status::Ok, None),
        None if ending.code == Some(0) && ending.strays > 0 => (
            Status::Failed,
            Some(format!(
                "the command ended, but left {} of its processes running, which were ended: a daemon? Keep it in the \
             foreground, or name a driver, if it is a service",
                ending.strays
            )),
        ),
        None if ending.code == Some(0) => (Status::Ok, None),
        None => unwell(story, "the program"),
    }
}

/// A service that was gone before its driver was done.
fn ended_early(story: &Story) -> (Status, Option<String>) {
    let when = if story.output.iter().any(|path| path.to_string_lossy().ends_with(".driver.log")) {
        "before its driver was done"
    } else {
        "before it was ready"
    };
    let (status, reason) = unwell(story, "the program");
    (status, reason.map(|reason| format!("ended {when}: {reason}")))
}

fn unwell(story: &Story, who: &str) -> (Status, Option<String>) {
    let ending = &story.ending;
    let how = ending::how_it_ended(ending.code, ending.signal);
    let reason = format!("{who} {how}{}", ending::last_words(&ending.output));
    let status = if ending.signal.is_some() { Status::Crashed } else { Status::Failed };
    (status, Some(reason))
}

fn own(story: &Story) -> OwnProgram {
    let look = story.end.as_ref().or(story.seen.look.as_ref());
    let rows = look.into_iter().flat_map(|look| &look.rows).take(KEPT);
    let row = |row: &super::look::Row| ProcessRow {
        command: row.command.clone(),
        role: row.role.name().to_owned(),
        pss: row.exact.pss,
        rss: row.exact.rss,
    };
    // Only what was printed has a file.
    let kept = story.output.iter().filter(|path| path.exists()).filter_map(|path| {
        let name = path.file_name()?.to_string_lossy().into_owned();
        let dir = path.parent()?.file_name()?.to_string_lossy().into_owned();
        Some(format!("{dir}/{name}"))
    });
    OwnProgram {
        processes: rows.map(row).collect(),
        most_processes: story.seen.most,
        latency: story.latency.clone().map(|(value, unit)| Printed { value, unit }),
        stopped: story.stopped.clone(),
        looking: Some(looking(story)),
        heaps: None,
        output: kept.collect(),
        host_libc: story.images.strangers().into_iter().take(KEPT).collect(),
    }
}

fn looking(story: &Story) -> Looking {
    let used = &story.ending.usage;
    let cpu_s = story.seen.cpu_s + story.looking_aside_s + story.anatomy.cpu_s();
    let trial_s = used.user_s + used.system_s;
    Looking { cpu_s, share: (trial_s > 0.0).then(|| cpu_s / trial_s) }
}

fn noise_of(story: &Story) -> Noise {
    let Some(((before, after), used)) = story.noise.as_ref().zip(story.usage.as_ref()) else {
        return Noise::default();
    };
    noise::between(before, after, used.user_s + used.system_s + story.driver_cpu_s)
}

/// Memory over time, thinned.
pub fn series(spec: &TrialSpec, story: &Story) -> Option<Series> {
    let samples: Vec<Sample> = sampler::thinned(&memory::samples(story), MAX_POINTS);
    let short = |at_s: f64| (at_s * 1e4).round() / 1e4;
    let (from, to) = story.work?;
    (!samples.is_empty()).then(|| Series {
        workload: spec.workload.clone(),
        threads: spec.threads,
        libc: spec.libc.clone(),
        candidate: spec.candidate.clone(),
        round: spec.round,
        attempt: spec.attempt,
        twin: spec.twin,
        at_s: samples.iter().map(|s| short(s.at_s)).collect(),
        rss: samples.iter().map(|s| s.rss).collect(),
        live: None,
        phases: vec![("setup".to_owned(), short(from)), ("steady".to_owned(), short(to))],
    })
}
