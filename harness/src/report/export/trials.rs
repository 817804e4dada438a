//! A row a trial.

use super::columns::{Column, Value};
use crate::format::trial::{Quantiles, TrialRecord};
use crate::report::{Input, words};

/// A column, and where its figure comes from.
type Cell = (Column, fn(&Input, usize, &TrialRecord) -> Value);

/// The rows, in the order in which the trials ended.
pub fn rows(input: &Input) -> Vec<Vec<Value>> {
    let row = |(index, trial): (usize, &TrialRecord)| {
        COLUMNS.iter().map(|(_, pick)| pick(input, index, trial)).collect()
    };
    input.trials.iter().enumerate().map(row).collect()
}

const fn column(name: &'static str, meaning: &'static str) -> Column {
    Column { name, meaning }
}

fn malloc(trial: &TrialRecord, pick: fn(&Quantiles) -> f64) -> Value {
    trial.latency_ns.as_ref().and_then(|l| l.malloc.as_ref()).map(pick).into()
}

fn free(trial: &TrialRecord, pick: fn(&Quantiles) -> f64) -> Value {
    trial.latency_ns.as_ref().and_then(|l| l.free.as_ref()).map(pick).into()
}

/// All columns.
pub const COLUMNS: &[Cell] = &[
    (column("campaign", "name of the campaign's directory"), |input, _, _| input.name.into()),
    (column("line", "line in trials.jsonl, from 1"), |_, index, _| (index as u64 + 1).into()),
    (column("host", "the host's name"), |_, _, t| (&t.host).into()),
    (column("started_at", "when the trial was started, RFC 3339, UTC"), |_, _, t| (&t.started_at).into()),
    (column("workload", "canonical workload"), |_, _, t| (&t.workload).into()),
    (column("threads", "threads; 0 for a program that makes as many as it wants"), |_, _, t| {
        t.threads.into()
    }),
    (column("libc", "host, or the name given with --libc"), |_, _, t| (&t.libc).into()),
    (column("libc_version", "version that the process reported"), |_, _, t| t.libc_version.as_ref().into()),
    (column("candidate", "canonical candidate"), |_, _, t| (&t.candidate).into()),
    (column("round", "round, from 0"), |_, _, t| t.round.into()),
    (column("attempt", "run of that round, from 0; the last one counts"), |_, _, t| t.attempt.into()),
    (column("position", "place in the round's order, from 0"), |_, _, t| t.position.into()),
    (column("twin", "whether it is the baseline's second run in the round"), |_, _, t| t.twin.into()),
    (column("status", "ok, failed, crashed, timeout, oom, interrupted, unsupported"), |_, _, t| {
        words::status(t.status).into()
    }),
    (column("reason", "why it did not finish"), |_, _, t| t.reason.as_ref().into()),
    (column("wall_s", "seconds of the counted work"), |_, _, t| t.wall_s.into()),
    (column("throughput", "work per second, in throughput_unit"), |_, _, t| {
        t.throughput.as_ref().map(|x| x.value).into()
    }),
    (column("throughput_unit", "unit of throughput"), |_, _, t| {
        t.throughput.as_ref().map(|x| &x.unit).into()
    }),
    (column("rss_peak_bytes", "largest RSS of all phases"), |_, _, t| t.rss.as_ref().map(|r| r.peak).into()),
    (column("rss_mean_bytes", "time-weighted mean RSS of the counted work"), |_, _, t| {
        t.rss.as_ref().map(|r| r.mean).into()
    }),
    (column("rss_end_bytes", "RSS at the end of the counted work"), |_, _, t| {
        t.rss.as_ref().map(|r| r.end).into()
    }),
    (column("rss_drained_bytes", "RSS after everything was freed, and the idle wait"), |_, _, t| {
        t.rss.as_ref().and_then(|r| r.drained).into()
    }),
    (column("rss_trimmed_bytes", "RSS after the allocator was asked to give memory back"), |_, _, t| {
        t.rss.as_ref().and_then(|r| r.trimmed).into()
    }),
    (
        column("lazy_free_bytes", "given back with MADV_FREE but still counted in RSS, after the drain"),
        |_, _, t| t.rss.as_ref().and_then(|r| r.lazy_free).into(),
    ),
    (column("anon_huge_bytes", "in transparent huge pages, at the end of the counted work"), |_, _, t| {
        t.rss.as_ref().and_then(|r| r.anon_huge).into()
    }),
    (column("pss_bytes", "proportional set size at the end of the counted work"), |_, _, t| {
        t.rss.as_ref().and_then(|r| r.pss).into()
    }),
    (column("swap_bytes", "swapped out at the end of the counted work"), |_, _, t| {
        t.rss.as_ref().and_then(|r| r.swap).into()
    }),
    (column("live_peak_bytes", "most bytes requested and not yet freed"), |_, _, t| {
        t.live.map(|l| l.peak).into()
    }),
    (column("live_end_bytes", "the same at the end of the counted work"), |_, _, t| {
        t.live.map(|l| l.end).into()
    }),
    (column("malloc_p50_ns", "median time of an allocating call"), |_, _, t| malloc(t, |q| q.p50)),
    (column("malloc_p90_ns", "its 90th percentile"), |_, _, t| malloc(t, |q| q.p90)),
    (column("malloc_p99_ns", "its 99th percentile"), |_, _, t| malloc(t, |q| q.p99)),
    (column("malloc_p999_ns", "its 99.9th percentile"), |_, _, t| malloc(t, |q| q.p999)),
    (column("malloc_max_ns", "its largest sample"), |_, _, t| malloc(t, |q| q.max)),
    (column("free_p50_ns", "median time of a freeing call"), |_, _, t| free(t, |q| q.p50)),
    (column("free_p99_ns", "its 99th percentile"), |_, _, t| free(t, |q| q.p99)),
    (column("latency", "latency that the program or its driver printed, in latency_unit"), |_, _, t| {
        t.program.as_ref().and_then(|p| p.latency.as_ref()).map(|l| l.value).into()
    }),
    (column("latency_unit", "its unit"), |_, _, t| {
        t.program.as_ref().and_then(|p| p.latency.as_ref()).map(|l| &l.unit).into()
    }),
    (column("cpu_user_s", "CPU seconds in user mode"), |_, _, t| t.cpu.map(|c| c.user_s).into()),
    (column("cpu_system_s", "CPU seconds in the kernel"), |_, _, t| t.cpu.map(|c| c.system_s).into()),
    (column("faults_minor", "page faults without I/O"), |_, _, t| t.faults.map(|f| f.minor).into()),
    (column("faults_major", "page faults with I/O"), |_, _, t| t.faults.map(|f| f.major).into()),
    (column("switches_voluntary", "context switches: a thread waited"), |_, _, t| {
        t.switches.map(|s| s.voluntary).into()
    }),
    (column("switches_involuntary", "context switches: a thread was preempted"), |_, _, t| {
        t.switches.map(|s| s.involuntary).into()
    }),
    (column("arenas_limit", "arenas that were asked for; empty where left to the library"), |_, _, t| {
        t.arenas.and_then(|a| a.limit).into()
    }),
    (column("arenas_observed", "arenas at the end of the counted work"), |_, _, t| {
        t.arenas.and_then(|a| a.observed).into()
    }),
    (column("allocator", "what really served malloc"), |_, _, t| {
        t.allocator.as_ref().map(|a| &a.name).into()
    }),
    (column("allocator_version", "its version"), |_, _, t| t.allocator.as_ref().map(|a| &a.version).into()),
    (column("effect_verified", "whether allocator and settings were seen to be in force"), |_, _, t| {
        t.effect.verified.into()
    }),
    (column("psi_cpu_some_pct", "percent of the time in which some task waited for a CPU"), |_, _, t| {
        t.noise.psi_cpu_some_pct.into()
    }),
    (column("steal_s", "CPU seconds that the hypervisor took away"), |_, _, t| t.noise.steal_s.into()),
    (column("foreign_cpu_s", "CPU seconds used on the host by anything else"), |_, _, t| {
        t.noise.foreign_cpu_s.into()
    }),
    (column("elapsed_s", "seconds from start to the last process gone"), |_, _, t| t.elapsed_s.into()),
];
