//! What a trial's story says, as a line for the journal. Pure.

use arenalab_wire::message::{Border, Phase};
use arenalab_wire::telemetry::Stage;

use super::effect::{self, Seen, Weighed};
use super::ending::{self, Told};
use super::executor::TrialSpec;
use super::launcher::Ending;
use super::noise;
use super::sampler::{self, Sample};
use super::session::Story;
use crate::format::series::{MAX_POINTS, Series};
use crate::format::trial::{
    Anatomy, Arenas, Burst, Cpu, Effect, Faults, Latency, Live, Noise, Quantiles, Rss, Served, Status,
    Switches, Throughput, TrialRecord,
};

/// Arenas of which the bytes are kept.
const KEPT_ARENAS: usize = 64;

/// A trial as it was played.
#[derive(Default)]
pub(super) struct Played {
    /// What was heard and read.
    pub story: Story,
    /// What the harness knows of its end.
    pub told: Told,
    /// How its processes ended.
    pub ending: Ending,
}

/// The line of a trial that was not begun.
pub fn not_run(host: &str, spec: &TrialSpec, status: Status, reason: &str) -> TrialRecord {
    let now = jiff::Timestamp::now().to_string();
    let empty = record(host, spec, &Played::default(), now, 0.0);
    TrialRecord { status, reason: Some(reason.to_owned()), ..empty }
}

/// Makes the line for the journal.
pub(super) fn record(
    host: &str,
    spec: &TrialSpec,
    played: &Played,
    started_at: String,
    elapsed_s: f64,
) -> TrialRecord {
    let Played { story, told, ending } = played;
    let (mut status, mut reason) = ending::classify(told, ending, spec.timeout.as_secs_f64());
    let Weighed { effect, disproved } = effect_of(spec, story);
    if status == Status::Ok && disproved {
        status = Status::Failed;
        reason = Some(format!("the candidate did not take effect: {}", effect.how));
    }
    let steady = steady(story);
    let inspection = story.inspection.as_ref();
    TrialRecord {
        workload: spec.workload.clone(),
        threads: spec.threads,
        libc: spec.libc.clone(),
        libc_version: story.hello.as_ref().map(|h| h.allocator.libc_version.clone()),
        candidate: spec.candidate.clone(),
        round: spec.round,
        attempt: spec.attempt,
        position: spec.position,
        twin: spec.twin,
        host: host.to_owned(),
        status,
        reason,
        wall_s: steady.map(|(_, end)| end.took_ns as f64 / 1e9),
        throughput: steady.and_then(|(_, end)| throughput(end)),
        latency_ns: steady.and_then(|(_, end)| latency(end)),
        cpu: steady.map(|(from, to)| cpu(from, to)),
        faults: steady.map(|(from, to)| faults(from, to)),
        switches: steady.map(|(from, to)| switches(from, to)),
        rss: rss(story, ending),
        burst: burst(story),
        live: live(story),
        arenas: inspection
            .and_then(|i| i.arenas)
            .map(|observed| Arenas { limit: spec.asked.arena_limit(), observed: Some(observed) }),
        anatomy: anatomy(story),
        allocator: story.hello.as_ref().map(|hello| Served {
            name: hello.allocator.name.clone(),
            version: hello.allocator.version.clone(),
            how: hello.allocator.how.clone(),
        }),
        effect,
        program: None,
        memory_group: None,
        pretended_cpus: None,
        noise: noise_of(story, steady),
        strays: ending.strays,
        started_at,
        elapsed_s,
    }
}

/// The borders at both ends of the steady phase.
fn steady(story: &Story) -> Option<(&Border, &Border)> {
    let at = |phase| story.borders.iter().map(|(_, border)| border).find(|b| b.phase == phase);
    Some((at(Phase::Warmup)?, at(Phase::Steady)?))
}

fn effect_of(spec: &TrialSpec, story: &Story) -> Weighed {
    let Some(hello) = &story.hello else {
        let effect = Effect { verified: false, how: "it never said who it was".to_owned() };
        return Weighed { effect, disproved: false };
    };
    let most = story.inspection.iter().chain(&story.inspection_drained).filter_map(|i| i.arenas).max();
    let seen = Seen { arenas: most, ..story.seen.clone() };
    effect::weigh(&spec.asked, &hello.allocator, &seen)
}

fn throughput(end: &Border) -> Option<Throughput> {
    let seconds = end.took_ns as f64 / 1e9;
    let value = end.ops as f64 / seconds;
    value.is_finite().then(|| Throughput { value, unit: format!("{}/s", end.unit) })
}

fn latency(end: &Border) -> Option<Latency> {
    let quantiles = |q: &arenalab_wire::message::Quantiles| Quantiles {
        p50: q.p50,
        p90: q.p90,
        p99: q.p99,
        p999: q.p999,
        max: q.max,
        samples: q.samples,
    };
    let latency = Latency {
        malloc: end.malloc_ns.as_ref().map(quantiles),
        free: end.free_ns.as_ref().map(quantiles),
        operation: end.op_ns.as_ref().map(quantiles),
    };
    (latency.malloc.is_some() || latency.free.is_some()).then_some(latency)
}

fn cpu(from: &Border, to: &Border) -> Cpu {
    Cpu { user_s: to.usage.user_s - from.usage.user_s, system_s: to.usage.system_s - from.usage.system_s }
}

fn faults(from: &Border, to: &Border) -> Faults {
    Faults {
        minor: to.usage.minor_faults.saturating_sub(from.usage.minor_faults),
        major: to.usage.major_faults.saturating_sub(from.usage.major_faults),
    }
}

fn switches(from: &Border, to: &Border) -> Switches {
    Switches {
        voluntary: to.usage.voluntary.saturating_sub(from.usage.voluntary),
        involuntary: to.usage.involuntary.saturating_sub(from.usage.involuntary),
    }
}

/// From when to when the steady phase lasted, in seconds since the start.
fn steady_span(story: &Story) -> Option<(f64, f64)> {
    let to = story.borders.iter().find(|(_, border)| border.phase == Phase::Steady)?.0;
    Some((story.steady_from_s?, to))
}

fn rss(story: &Story, ending: &Ending) -> Option<Rss> {
    let (from, to) = steady_span(story)?;
    let end = story.end?;
    let within = story.samples.iter().filter(|s| s.at_s >= from && s.at_s <= to).count();
    let mean = sampler::mean(&story.samples, from, to, |s| s.rss);
    let sampled_peak = story.samples.iter().map(|s| s.rss).max().unwrap_or(0);
    let (high_water, peak_source) = match story.high_water {
        Some(peak) => (peak, "VmHWM"),
        None => (ending.max_rss, "ru_maxrss"),
    };
    // The kernel's high-water mark leaves out what its per-CPU counters have not yet handed in.
    let exact_peak = end.all().max(story.drained.map_or(0, |d| d.all()));
    let peak = high_water.max(sampled_peak).max(exact_peak);
    let exactness = if end.rolled_up { "smaps_rollup" } else { "statm" };
    let mean_source = if mean.is_some() { "statm samples" } else { "the reading at its end" };
    let beyond = match end.all() - end.rss {
        0 => "",
        _ => "; with what is in hugetlbfs and in swap",
    };
    Some(Rss {
        peak,
        mean: mean.map_or(end.all(), |mean| mean as u64),
        end: end.all(),
        drained: story.drained.map(|d| d.all()),
        trimmed: story.trimmed.as_ref().map(|(rss, _)| *rss),
        trim: story.trimmed.as_ref().and_then(|(_, how)| how.clone()),
        lazy_free: story.drained.and_then(|d| d.lazy_free),
        anon_huge: end.anon_huge,
        pss: end.pss,
        swap: end.swap,
        hugetlb: end.hugetlb(),
        bounds: None,
        samples: within as u32,
        slope: {
            let end = (to - from) * sampler::ENDS;
            sampler::slope(&story.samples, from + end, to - end, |s| s.rss)
        },
        slope_end: sampler::slope_end(&story.samples, from, to, |s| s.rss),
        reading_s: end.took_s + story.drained.map_or(0.0, |d| d.took_s),
        source: format!(
            "peak from {peak_source} and all readings, mean from {mean_source}, end and drained from {exactness}{beyond}"
        ),
    })
}

/// RSS and live bytes by stage, within the steady phase: what follows is the drain's.
fn burst(story: &Story) -> Option<Burst> {
    let (from, to) = steady_span(story)?;
    let of = |stage: Stage| {
        let within = move |s: &&Sample| s.stage == stage && s.at_s >= from && s.at_s <= to;
        story.samples.iter().filter(within)
    };
    let means = |stage: Stage| {
        let count = of(stage).count() as u64;
        let rss = of(stage).map(|s| s.rss).sum::<u64>().checked_div(count)?;
        Some((rss, of(stage).map(|s| s.live).sum::<u64>() / count))
    };
    let (before, live_before) = means(Stage::Before)?;
    let peak = of(Stage::Burst).map(|s| s.rss).max()?;
    let end = story.borders.iter().find(|(_, border)| border.phase == Phase::Steady)?;
    let (after, live_after) = means(Stage::After).or_else(|| Some((story.end?.rss, end.1.live_bytes)))?;
    let retained = after.cast_signed() - before.cast_signed();
    Some(Burst { before, peak, after, retained, live_before, live_after })
}

fn live(story: &Story) -> Option<Live> {
    let (from, to) = steady_span(story)?;
    let at = |phase| story.borders.iter().map(|(_, border)| border).find(|b| b.phase == phase);
    let end = at(Phase::Steady)?;
    let at_borders = story.borders.iter().map(|(_, border)| border.live_bytes);
    let sampled = story.samples.iter().map(|s| s.live);
    Some(Live {
        peak: at_borders.chain(sampled).max().unwrap_or(0),
        mean: sampler::mean(&story.samples, from, to, |s| s.live).map_or(end.live_bytes, |m| m as u64),
        end: end.live_bytes,
        drained: at(Phase::Drain).map(|drained| drained.live_bytes),
        engine: end.engine_bytes,
    })
}

fn anatomy(story: &Story) -> Option<Anatomy> {
    let inspection = story.inspection.as_ref()?;
    Some(Anatomy {
        allocated: inspection.allocated,
        free: inspection.free,
        free_drained: story.inspection_drained.as_ref().and_then(|i| i.free),
        mmapped: inspection.mmapped,
        metadata: inspection.metadata,
        arena_system: inspection.by_arena.iter().take(KEPT_ARENAS).map(|a| a.system).collect(),
        other: inspection.other.clone(),
    })
}

fn noise_of(story: &Story, steady: Option<(&Border, &Border)>) -> Noise {
    let Some(((before, after), (from, to))) = story.noise.as_ref().zip(steady) else {
        return Noise::default();
    };
    let used = cpu(from, to);
    noise::between(before, after, used.user_s + used.system_s)
}

/// RSS and live bytes over time, thinned.
pub(super) fn series(spec: &TrialSpec, story: &Story) -> Option<Series> {
    let samples: Vec<Sample> = sampler::thinned(&story.samples, MAX_POINTS);
    let name = |phase: Phase| format!("{phase:?}").to_lowercase();
    (!samples.is_empty()).then(|| Series {
        workload: spec.workload.clone(),
        threads: spec.threads,
        libc: spec.libc.clone(),
        candidate: spec.candidate.clone(),
        round: spec.round,
        attempt: spec.attempt,
        twin: spec.twin,
        at_s: samples.iter().map(|s| (s.at_s * 1e4).round() / 1e4).collect(),
        rss: samples.iter().map(|s| s.rss).collect(),
        live: Some(samples.iter().map(|s| s.live).collect()),
        phases: story.borders.iter().map(|(at, b)| (name(b.phase), (at * 1e4).round() / 1e4)).collect(),
    })
}
