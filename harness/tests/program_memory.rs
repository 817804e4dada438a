//! Memory and arenas of programs of the user's own, seen from outside and held against what they say themselves.

mod common;

use std::path::{Path, PathBuf};
use std::process::Command;

use common::programs::{rows, write};
use common::{both, fresh, text};

fn compile(dir: &Path, source: &str, flags: &[&str]) -> PathBuf {
    let (code, program) = (write(dir, "program.c", source), dir.join("program"));
    let done =
        Command::new("cc").args(["-O1", "-pthread", "-o"]).args([&program, &code]).args(flags).output();
    let done = done.expect("cc is there");
    assert!(done.status.success(), "{}", both(&done));
    program
}

/// Makes arenas, says how many `malloc_info` counts, and stands still until it is told to end.
const ARENAS: &str = "
#define _GNU_SOURCE
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
static pthread_barrier_t all;
static void *work(void *arg) {
    char **kept = malloc(2000 * sizeof *kept);
    pthread_barrier_wait(&all);
    for (int i = 0; i < 2000; i++) { kept[i] = malloc(60000); memset(kept[i], 1, 60000); }
    pthread_barrier_wait(&all);
    pause();
    return arg;
}
int main(void) {
    pthread_t thread;
    pthread_barrier_init(&all, 0, 7);
    for (int i = 0; i < 6; i++) pthread_create(&thread, 0, work, 0);
    pthread_barrier_wait(&all);
    pthread_barrier_wait(&all);
    char *text; size_t size; int arenas = 0;
    FILE *stream = open_memstream(&text, &size);
    malloc_info(0, stream); fclose(stream);
    for (char *at = text; (at = strstr(at, \"<heap nr=\")); at++) arenas++;
    printf(\"arenas %d\\n\", arenas); fflush(stdout);
    pause();
}
";

/// A plan for a program that stands still once it has printed, with a driver that does nothing.
fn standing(parent: &Path, program: &Path, candidates: &str) -> PathBuf {
    let text = format!(
        "[[workload]]\nname = \"still\"\ncommand = [\"{}\"]\nready = {{ log = \"[0-9]\\n\" }}\ndriver = [\"sleep\", \"0.3\"]\n\
         [sweep]\ncandidates = [{candidates}]\n[measure]\nrounds = 1\n",
        program.display()
    );
    write(parent, "plan.toml", &text)
}

#[test]
fn arenas_from_outside_agree_with_malloc_info_and_a_limit_is_proven() {
    let (parent, dir) = fresh();
    let program = compile(parent.path(), ARENAS, &[]);
    let plan = standing(parent.path(), &program, "\"glibc:arena_max=3\"");
    let rows = rows(&dir, &["--plan", text(&plan)]);
    assert_eq!(rows.len(), 3);
    for row in &rows {
        assert_eq!((&row["status"], &row["effect"]["verified"]), (&"ok".into(), &true.into()), "{row}");
        let log = std::fs::read_to_string(dir.join(row["program"]["output"][0].as_str().unwrap())).unwrap();
        let told: i64 = log.trim().strip_prefix("arenas ").unwrap().parse().unwrap();
        let seen = row["arenas"]["observed"].as_i64().unwrap();
        println!("{}: {seen} arenas from outside, malloc_info {told}", row["candidate"]);
        assert!((seen - told).abs() <= 1, "malloc_info counts {told}: {row}");
        assert_eq!(row["candidate"] == "glibc:arena_max=3", told == 3, "{log}");
    }
}

#[test]
fn a_static_program_cannot_be_preloaded_and_a_tree_is_summed_by_shares() {
    let (parent, dir) = fresh();
    // A parent whose memory its children share.
    let source = "
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
int main(void) {
    char *kept = malloc(64 << 20); memset(kept, 1, 64 << 20);
    for (int i = 0; i < 3; i++) if (!fork()) {
        char *own = malloc(8 << 20); memset(own, 1, 8 << 20); pause(); }
    sleep(1); printf(\"1\\n\"); fflush(stdout); pause();
}";
    let program = compile(parent.path(), source, &["-static"]);
    let plan = standing(parent.path(), &program, "\"jemalloc\"");
    let rows = rows(&dir, &["--plan", text(&plan)]);
    let (none, of_baseline): (Vec<_>, Vec<_>) = rows.iter().partition(|row| row["candidate"] != "glibc");
    assert_eq!(none[0]["status"], "unsupported", "{}", none[0]);
    let reason = none[0]["reason"].as_str().unwrap();
    assert!(reason.starts_with("no-op: ") && reason.contains("linked statically"), "{reason}");
    for row in of_baseline {
        assert_eq!(row["status"], "ok", "{row}");
        let (end, rss) = (row["rss"]["end"].as_f64().unwrap(), |at: usize| {
            row["program"]["processes"][at]["rss"].as_f64()
        });
        // 64 MiB once and 8 MiB three times; by resident size it would be four times 64 MiB.
        assert!((end - f64::from(88 << 20)).abs() < f64::from(2 << 20), "{row}");
        assert!(rss(3).unwrap() > f64::from(60 << 20), "{row}");
    }
}

#[test]
fn memory_of_a_tree_is_the_sum_taken_by_hand() {
    let (parent, dir) = fresh();
    // Takes the sum itself once all stand still. It is static, and shares nothing with other processes of the host.
    let source = "
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
static long pss(int pid) {
    char line[256]; long sum = 0, kib; sprintf(line, \"/proc/%d/smaps_rollup\", pid);
    FILE *file = fopen(line, \"r\");
    while (fgets(line, sizeof line, file)) if (sscanf(line, \"Pss: %ld\", &kib) == 1) sum += kib;
    fclose(file);
    return sum * 1024;
}
int main(void) {
    char *kept = malloc(40 << 20); memset(kept, 1, 40 << 20);
    int children[2];
    for (int i = 0; i < 2; i++) if (!(children[i] = fork())) {
        char *own = malloc(10 << 20); memset(own, 2, 10 << 20); pause(); }
    sleep(1);
    printf(\"pss %ld 0\\n\", pss(getpid()) + pss(children[0]) + pss(children[1])); fflush(stdout);
    pause();
}";
    let program = compile(parent.path(), source, &["-static"]);
    let plan = standing(parent.path(), &program, "\"glibc\"");
    for row in rows(&dir, &["--plan", text(&plan)]) {
        assert_eq!(row["status"], "ok", "{row}");
        let log = std::fs::read_to_string(dir.join(row["program"]["output"][0].as_str().unwrap())).unwrap();
        let by_hand: f64 = log.split_whitespace().nth(1).unwrap().parse().unwrap();
        let end = row["rss"]["end"].as_f64().unwrap();
        println!("tree by arenalab {end}, by hand {by_hand}: ratio {:.5}", end / by_hand);
        assert!((end / by_hand - 1.0).abs() < 0.01, "{end} against {by_hand}: {row}");
        assert_eq!(row["program"]["processes"].as_array().unwrap().len(), 3);
    }
}
