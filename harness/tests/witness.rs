//! What is recorded of programs of several processes, held against an independent witness: the smaller version of
//! `scripts/prove-programs`. A busy host makes the witness miss what is short, so that it is compared from the side on
//! which it cannot err; from the other side stands what the program holds by its source.

mod common;
#[path = "../examples/witness/group.rs"]
#[allow(dead_code)]
mod group;
#[path = "../examples/witness/rollup.rs"]
mod rollup;
#[path = "../examples/witness/tree.rs"]
mod tree;
#[path = "../examples/witness/watch.rs"]
#[allow(dead_code)]
mod watch;

use std::path::Path;
use std::process::{Command, Stdio};

use common::programs::write;
use common::{arenalab, fresh, text, trials};
use serde_json::Value;
use watch::{Sample, Trial, Witness};

const MIB: f64 = 1024.0 * 1024.0;

/// Sweeps one round of a plan, and gives each trial with what the witness saw of it.
fn witnessed(parent: &Path, plan: &str, mark: &str) -> Vec<(Value, Trial)> {
    let (plan, dir) = (write(parent, "plan.toml", plan), parent.join("campaign"));
    let mut command = arenalab();
    command.args(["sweep", "--plan", text(&plan), "--rounds", "1", "--out", text(&dir)]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let witness = Witness::new(child.id().cast_signed(), mark, None);
    let (seen, status) = witness.watch(&mut child).unwrap();
    assert!(status.success(), "{status}");
    trials(&dir)
        .into_iter()
        .map(|row| (of_its_time(&row, &seen), row))
        .map(|(seen, row)| (row, seen))
        .collect()
}

/// What the witness saw while a trial ran; nothing where a busy host never let it look.
fn of_its_time(row: &Value, seen: &[Trial]) -> Trial {
    let begin: jiff::Timestamp = row["started_at"].as_str().unwrap().parse().unwrap();
    let begin = begin.as_nanosecond() as f64 / 1e9;
    let end = begin + row["elapsed_s"].as_f64().unwrap();
    let within =
        |trial: &&Trial| trial.samples.first().is_some_and(|first| begin <= first.at_s && first.at_s <= end);
    seen.iter().find(within).cloned().unwrap_or_default()
}

/// Low, figure and high of what is recorded, in MiB; the figure itself where no bounds are stated.
fn recorded(row: &Value, figure: &str) -> (f64, f64, f64) {
    assert_eq!(row["status"], "ok", "{row}");
    let value = row["rss"][figure].as_f64().unwrap() / MIB;
    let bound = |end| row["rss"]["bounds"][figure][end].as_f64().map_or(value, |bytes| bytes / MIB);
    let (low, high) = (bound("low"), bound("high"));
    assert!(low <= value && value <= high, "{figure} {value} is outside {low} to {high}: {row}");
    (low, value, high)
}

/// The largest of a figure over the samples, in MiB.
fn most(seen: &Trial, figure: impl Fn(&Sample) -> u64) -> f64 {
    seen.samples.iter().map(figure).max().unwrap_or(0) as f64 / MIB
}

/// Where processes came and went while a sample was taken, their shares need not add up.
fn whole(sample: &Sample) -> u64 {
    if sample.torn { 0 } else { sample.sum.pss }
}

/// What holds of any program's peak, whatever the host does; `by_source` is the most that the program ever holds, MiB.
#[track_caller]
fn peak_holds(row: &Value, seen: &Trial, by_source: f64) {
    let (low, peak, high) = recorded(row, "peak");
    let (pss, largest) = (most(seen, whole), most(seen, |sample| sample.high_water));
    println!("peak {peak:.1} ({low:.1} to {high:.1}), witness: Pss {pss:.1}, largest process {largest:.1}");
    assert!(high >= pss * 0.97, "at most {high}, and the witness saw {pss}: {row}");
    assert!(peak >= largest * 0.99, "{peak}, and one process alone had {largest}: {row}");
    assert!(low <= by_source, "at least {low}, and the program has {by_source}: {row}");
}

fn compile(parent: &Path, source: &Path, name: &str) -> String {
    let program = parent.join(name);
    let done = Command::new("cc").args(["-O1", "-o"]).args([&program, source]).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    text(&program).to_owned()
}

#[test]
fn a_batch_job_that_forks_is_recorded_as_the_witness_sees_it() {
    let (parent, _) = fresh();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/programs/forks.c");
    let program = compile(parent.path(), &source, "forks");
    let plan = format!(
        "[[workload]]\nname = \"forks\"\ncommand = [\"{program}\", \"120\"]\n\
         throughput = {{ work = \"120\", unit = \"children/s\" }}\n[sweep]\ncandidates = [\"glibc\"]\n"
    );
    for (row, seen) in witnessed(parent.path(), &plan, &program) {
        // 50 MiB, four times 10, and 60 for a moment; the rest is code and tables.
        peak_holds(&row, &seen, 160.0);
        // The parent alone has 50 MiB from its start to its end.
        let (_, end, high) = recorded(&row, "end");
        assert!(end >= 45.0 && high >= 50.0, "{row}");
        let (low, mean, high) = recorded(&row, "mean");
        assert!(high >= 50.0 && low <= 155.0, "mean {mean}, {low} to {high}: {row}");
    }
}

/// A server with workers that share 60 MiB and come and go; at the end of the work none is left.
const PREFORK: &str = "
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
int main(void) {
    size_t size = 60 << 20;
    char *shared = mmap(0, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    memset(shared, 1, size);
    puts(\"1\"); fflush(stdout);
    for (int worker = 0; worker < 6; worker++)
        if (!fork()) {
            volatile char sum = 0;
            for (size_t at = 0; at < size; at += 4096) sum += shared[at];
            usleep(700000);
            _exit(0);
        }
    while (wait(0) > 0) {}
    pause();
}";

#[test]
fn memory_that_workers_share_counts_once_though_they_are_gone_at_the_end() {
    let (parent, _) = fresh();
    let source = write(parent.path(), "prefork.c", PREFORK);
    let program = compile(parent.path(), &source, "prefork");
    let plan = format!(
        "[[workload]]\nname = \"prefork\"\ncommand = [\"{program}\"]\nready = {{ log = \"1\" }}\ndriver = [\"sleep\", \"2\"]\n\
         throughput = {{ work = \"1\", unit = \"runs/s\" }}\n[sweep]\ncandidates = [\"glibc\"]\n"
    );
    for (row, seen) in witnessed(parent.path(), &plan, &program) {
        // 60 MiB once; by resident size it would be seven times that.
        peak_holds(&row, &seen, 70.0);
        for figure in ["mean", "end"] {
            let (low, value, high) = recorded(&row, figure);
            assert!(high >= 58.0 && low <= 65.0, "{figure} {value}, {low} to {high}: {row}");
        }
    }
}

/// Children that write over all that they have from their parent: no resident size changes, and the memory triples.
const REWRITE: &str = "
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
static char *volatile kept;
int main(void) {
    kept = malloc(40 << 20); memset(kept, 1, 40 << 20);
    for (int child = 0; child < 2; child++)
        if (!fork()) { usleep(300000); memset(kept, 2, 40 << 20); usleep(500000); _exit(0); }
    while (wait(0) > 0) {}
    usleep(300000);
}";

#[test]
fn memory_that_children_write_over_is_within_the_bounds() {
    let (parent, _) = fresh();
    let source = write(parent.path(), "rewrite.c", REWRITE);
    let program = compile(parent.path(), &source, "rewrite");
    let plan = format!(
        "[[workload]]\nname = \"rewrite\"\ncommand = [\"{program}\"]\n\
         throughput = {{ work = \"1\", unit = \"runs/s\" }}\n[sweep]\ncandidates = [\"glibc\"]\n"
    );
    for (row, seen) in witnessed(parent.path(), &plan, &program) {
        // Three times 40 MiB.
        peak_holds(&row, &seen, 125.0);
        let (low, end, high) = recorded(&row, "end");
        assert!(high >= 40.0 && low <= 43.0, "end {end}, {low} to {high}: {row}");
    }
}

#[test]
fn redis_is_recorded_as_the_witness_sees_it() {
    let is_there = |program| Command::new(program).arg("--version").output().is_ok();
    if !is_there("redis-server") || !is_there("redis-benchmark") {
        eprintln!("not tried: redis is not installed");
        return;
    }
    let (parent, _) = fresh();
    let plan = "[[workload]]\nname = \"redis\"\n\
        command = [\"redis-server\", \"--port\", \"{port}\", \"--bind\", \"127.0.0.1\", \"--dir\", \"{dir}\", \"--save\", \"\"]\n\
        ready = { tcp = \"127.0.0.1:{port}\" }\n\
        driver = [\"redis-benchmark\", \"-p\", \"{port}\", \"-t\", \"set\", \"-n\", \"30000\", \"-r\", \"30000\", \"-d\", \"256\", \"-q\"]\n\
        throughput = { from = \"driver\", regex = \"SET: ([0-9.]+) requests per second\", unit = \"requests/s\" }\n\
        [sweep]\ncandidates = [\"glibc\"]\n";
    for (row, seen) in witnessed(parent.path(), plan, "redis-server") {
        // One process: its own high-water mark is the most that it can have had.
        let mark = most(&seen, |sample| sample.high_water);
        if seen.samples.is_empty() {
            continue;
        }
        peak_holds(&row, &seen, mark * 1.02 + 1.0);
        let (low, end, high) = recorded(&row, "end");
        let (pss, rss) = (most(&seen, whole), most(&seen, |sample| sample.sum.rss));
        assert!(high >= pss * 0.9 && low <= rss * 1.03, "end {end}, {low} to {high}: {row}");
    }
}
