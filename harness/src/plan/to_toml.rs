//! A plan file written, with comments for the one who edits it.

use std::fmt::{Display, Write};

use arenalab_workloads::model::{Model, PREFIX};

use crate::units::{canonical_bytes, canonical_duration};

use super::fields::{self, OBJECTIVES, canonical_share};
use super::program::{self, Program};
use super::{Choose, Measure, Plan, PlannedWorkload, Sweep};

/// Writes a plan.
pub(super) fn write(plan: &Plan) -> String {
    let mut out =
        String::from("# A plan: what a campaign measures. Run it with: arenalab sweep --plan FILE\n");
    for workload in &plan.workloads {
        match workload {
            PlannedWorkload::Program(program) => write_program(&mut out, program),
            PlannedWorkload::Model(model) => write_model(&mut out, model),
            other => write_workload(&mut out, &other.to_string()),
        }
    }
    write_sweep(&mut out, &plan.sweep);
    write_measure(&mut out, &plan.measure);
    write_choose(&mut out, &plan.choose);
    out
}

/// A text as TOML writes it.
fn quoted(text: impl Display) -> String {
    toml::Value::String(text.to_string()).to_string()
}

fn heading(out: &mut String, heading: &str, comment: &str) {
    out.push('\n');
    for line in comment.lines() {
        let _ = writeln!(out, "# {line}");
    }
    let _ = writeln!(out, "{heading}");
}

fn entry(out: &mut String, key: &str, value: impl Display, comment: &str) {
    let _ = writeln!(out, "{:<44} # {comment}", format!("{key} = {value}"));
}

fn write_workload(out: &mut String, canonical: &str) {
    let (name, parameters) = canonical.split_once(':').unwrap_or((canonical, ""));
    heading(out, "[[workload]]", "Parameters go below the name; `arenalab list workloads` has them all.");
    let _ = writeln!(out, "name = {}", quoted(name));
    for (key, value) in parameters.split(',').filter_map(|parameter| parameter.split_once('=')) {
        let _ = writeln!(out, "{key} = {}", quoted(value));
    }
}

fn write_program(out: &mut String, program: &Program) {
    let comment = "A program of your own; {port}, {dir} and {threads} are put in for each trial.\n\
                   docs/your-own-program.md explains every key.";
    heading(out, "[[workload]]", comment);
    program::write(out, program);
}

fn write_model(out: &mut String, model: &Model) {
    heading(out, "[[workload]]", "A model with its file's content: the plan needs the file no more.");
    let _ = writeln!(out, "name = {}", quoted(format!("{PREFIX}{}", model.name())));
    let _ = writeln!(out, "content = {}", quoted(model.text()));
}

fn write_sweep(out: &mut String, sweep: &Sweep) {
    heading(out, "[sweep]", "Every workload at every thread count, under every candidate.");
    let threads: Vec<_> = sweep.threads.iter().map(ToString::to_string).collect();
    entry(out, "threads", format!("[{}]", threads.join(", ")), "1 to 4096 each");
    entry(out, "baseline", quoted(&sweep.baseline), "what the others are compared with");
    let libcs: Vec<_> = sweep.libcs.iter().map(quoted).collect();
    entry(out, "libcs", format!("[{}]", libcs.join(", ")), "the host's, and others as \"NAME=DIR\"");
    let comment = "Shorter, instead of single candidates: allocators = [\"glibc\", \"jemalloc\", \"mimalloc\"]\n\
                   and arena_max = [\"default\", 1, 2, 4, 8], which spreads glibc out. The baseline is\n\
                   always measured, named or not.";
    for line in comment.lines() {
        let _ = writeln!(out, "# {line}");
    }
    out.push_str("candidates = [\n");
    for candidate in sweep.candidates.iter().skip(usize::from(sweep.baseline_added)) {
        let _ = writeln!(out, "    {},", quoted(candidate));
    }
    out.push_str("]\n");
}

fn write_measure(out: &mut String, measure: &Measure) {
    heading(out, "[measure]", "A round runs every candidate once, in an order drawn from the seed.");
    let objective =
        OBJECTIVES.iter().find(|(_, known)| *known == measure.objective).map_or("peak", |(name, _)| name);
    entry(out, "rounds", measure.rounds, "more rounds, narrower intervals; 15 or more are best");
    entry(out, "objective", quoted(objective), "the RSS to keep low: peak, mean, end or drained");
    let idle = quoted(canonical_duration(measure.idle));
    entry(out, "idle", idle, "wait after the drain; above 10s lets decay timers run");
    entry(out, "trim", measure.trim, "ask the allocator to give memory back, and read RSS once more");
    entry(out, "timeout", quoted(canonical_duration(measure.timeout)), "of one trial, without the idle wait");
    let limit = measure.memory_limit.map_or_else(|| "none".to_owned(), canonical_bytes);
    entry(out, "memory_limit", quoted(limit), "of each trial, by a control group");
    if let Some(cpus) = measure.cpus {
        entry(out, "cpus", cpus, "of the host that is pretended");
    }
    let strategy = quoted(fields::strategy_name(measure.strategy));
    entry(out, "strategy", strategy, "of tune: screen-and-confirm, race or full-grid");
    let budget = measure.time_budget.map_or_else(|| "none".to_owned(), canonical_duration);
    entry(out, "time_budget", quoted(budget), "of tune: no round is begun after it");
    entry(out, "seed", measure.seed, "the same seed gives the same orders and workloads");
}

fn write_choose(out: &mut String, choose: &Choose) {
    heading(out, "[choose]", "What the choice must hold, against the baseline; \"none\" asks for nothing.");
    let share = |share: Option<f64>| quoted(share.map_or_else(|| "none".to_owned(), canonical_share));
    let constraints = &choose.constraints;
    entry(out, "max_throughput_loss", share(constraints.max_throughput_loss), "0% to below 100%");
    entry(out, "max_p99_loss", share(constraints.max_p99_loss), "of malloc's 99th percentile");
    let rss = constraints.max_rss.map_or_else(|| "none".to_owned(), canonical_bytes);
    entry(out, "max_rss", quoted(rss), "of the objective, in bytes with a unit");
    let tolerance = quoted(canonical_share(choose.tolerance));
    entry(out, "tolerance", tolerance, "a gain of RSS not worth further search");
    entry(out, "confidence", quoted(canonical_share(choose.confidence)), "50% to below 100%");
    entry(out, "accept_busy_host", choose.accept_busy_host, "give words though the host was busy");
}
