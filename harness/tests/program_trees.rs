//! Memory of programs of several processes, held against a witness of the test's own: the sum of `Pss` of all processes of
//! the program, read every 20 ms from another thread.

mod common;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use common::programs::{rows, write};
use common::{both, fresh, text};
use serde_json::Value;

const MIB: f64 = 1_048_576.0;

fn compile(dir: &Path, source: &str) -> PathBuf {
    let (code, program) = (write(dir, "program.c", source), dir.join("program"));
    let done = Command::new("cc").args(["-O0", "-o"]).args([&program, &code]).output().expect("cc is there");
    assert!(done.status.success(), "{}", both(&done));
    program
}

/// What the witness saw of one run, bytes.
#[derive(Clone, Copy, Debug, Default)]
struct Witnessed {
    /// The largest sum of `Pss`, and never less than all of the largest process. Processes are read one after the other: while
    /// they change, their sum may be above what was ever there.
    pss: f64,
    /// The same, only of when nothing changed from one reading to the next.
    settled: f64,
    /// The largest sum of `Rss`.
    rss: f64,
}

/// Reads all processes that run an executable. A run ends when there is none any more.
fn witness(program: &Path, stop: &Arc<AtomicBool>) -> JoinHandle<Vec<Witnessed>> {
    let (program, stop) = (program.to_owned(), Arc::clone(stop));
    std::thread::spawn(move || {
        let (mut runs, mut now): (Vec<Witnessed>, Option<Witnessed>) = (Vec::new(), None);
        while !stop.load(Ordering::Relaxed) {
            match sums(&program) {
                Some(sums) => {
                    let again = self::sums(&program).filter(|again| {
                        (again.rss / sums.rss - 1.0).abs() < 0.01 && (again.pss / sums.pss - 1.0).abs() < 0.01
                    });
                    let most = now.get_or_insert_default();
                    (most.pss, most.rss) = (most.pss.max(sums.pss), most.rss.max(sums.rss));
                    most.settled = most.settled.max(again.map_or(0.0, |again| again.pss.min(sums.pss)));
                }
                None => runs.extend(now.take()),
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        runs.extend(now);
        runs
    })
}

fn sums(program: &Path) -> Option<Witnessed> {
    let all = std::fs::read_dir("/proc").unwrap().flatten();
    let ours =
        all.filter(|entry| std::fs::read_link(entry.path().join("exe")).is_ok_and(|exe| exe == program));
    let read = ours.filter_map(|entry| {
        let text = std::fs::read_to_string(entry.path().join("smaps_rollup")).ok()?;
        let of = |line: &str| {
            Some((line.split_once(':')?.0.to_owned(), line.split_whitespace().nth(1)?.parse().ok()?))
        };
        let kib: BTreeMap<String, f64> = text.lines().filter_map(of).collect();
        Some(Witnessed { pss: kib.get("Pss")? * 1024.0, rss: kib.get("Rss")? * 1024.0, settled: 0.0 })
    });
    let read: Vec<Witnessed> = read.collect();
    let sum = |figure: fn(&Witnessed) -> f64| read.iter().map(figure).sum::<f64>();
    let largest = read.iter().map(|one| one.rss).fold(0.0, f64::max);
    (!read.is_empty()).then(|| Witnessed {
        pss: sum(|one| one.pss).max(largest),
        rss: sum(|one| one.rss),
        settled: 0.0,
    })
}

/// Runs a batch job of one candidate, with its twin, and what the witness saw of each run.
#[track_caller]
fn witnessed(source: &str) -> Vec<(Value, Witnessed)> {
    let (parent, dir) = fresh();
    let program = compile(parent.path(), source);
    let stop = Arc::new(AtomicBool::new(false));
    let witness = witness(&program, &stop);
    let rows = rows(
        &dir,
        &["--rounds", "1", "--allocators", "glibc", "--arena-max", "default", "--", text(&program)],
    );
    stop.store(true, Ordering::Relaxed);
    let runs = witness.join().unwrap();
    assert_eq!((rows.len(), runs.len()), (2, 2), "{rows:?} {runs:?}");
    for row in &rows {
        assert_eq!(row["status"], "ok", "{row}");
    }
    rows.into_iter().zip(runs).collect()
}

/// A figure with its bounds, bytes; without bounds it is exact.
fn within(row: &Value, figure: &str) -> (f64, f64, f64) {
    let exact = row["rss"][figure].as_f64().unwrap();
    let bound = |which: &str| row["rss"]["bounds"][figure][which].as_f64().unwrap_or(exact);
    (bound("low"), exact, bound("high"))
}

/// The peak is within 3 % of the witness's, or the witness's within the bounds.
#[track_caller]
fn peak_holds(row: &Value, seen: Witnessed) {
    let (low, peak, high) = within(row, "peak");
    println!("peak {low} {peak} {high}, witness {seen:?}");
    assert!(low <= peak && peak <= high, "{row}");
    assert!(
        low <= seen.pss * 1.03 && seen.settled * 0.97 <= high,
        "{low} to {high}, witness {seen:?}: {row}"
    );
}

#[test]
fn a_parent_with_forked_children_and_a_spike_is_right_within_its_bounds() {
    let source = "
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
int main(void) {
    char *kept = malloc(50 << 20); memset(kept, 1, 50 << 20);
    for (int i = 0; i < 4; i++) if (!fork()) {
        char *own = malloc(10 << 20); memset(own, 2, 10 << 20); usleep(900000); _exit(0); }
    usleep(400000);
    char *spike = mmap(0, 60 << 20, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); memset(spike, 3, 60 << 20);
    usleep(200000); munmap(spike, 60 << 20);
    while (wait(0) > 0) ;
    usleep(300000);
}";
    for (row, seen) in witnessed(source) {
        peak_holds(&row, seen);
        // The largest process alone was 110 MiB, by its own account; all that is there is 150.
        let (low, peak, high) = within(&row, "peak");
        assert!(low > 108.0 * MIB && high > 148.0 * MIB, "{row}");
        // Resident are 350 in all.
        assert!(peak > 108.0 * MIB && peak < 230.0 * MIB && high < 365.0 * MIB, "{row}");
        // Its children are gone at the end, what it kept is not.
        let (low, end, high) = within(&row, "end");
        assert!(low <= 53.0 * MIB && high >= 50.0 * MIB && end >= 50.0 * MIB, "{row}");
    }
}

#[test]
fn workers_that_share_a_large_mapping_and_end_before_their_server_are_not_counted_for_each() {
    // The workers use the CPU, so that exact looks are paid for.
    let source = "
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
int main(void) {
    volatile char *all = mmap(0, 64 << 20, 3, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    for (int i = 0; i < 8; i++) if (!fork()) {
        volatile long sum = 0; struct timespec used;
        do {
            for (long at = 0; at < 64 << 20; at += 4096) { if (!all[at]) all[at] = 1; sum += all[at]; }
            clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
        } while (used.tv_nsec < 400000000);
        _exit(0); }
    while (wait(0) > 0) ;
    usleep(300000);
}";
    for (row, seen) in witnessed(source) {
        peak_holds(&row, seen);
        let (low, peak, high) = within(&row, "peak");
        // 8 times 64 MiB are resident in all.
        assert!(seen.rss > 400.0 * MIB, "{seen:?}");
        assert!(peak > 63.0 * MIB && peak < 72.0 * MIB, "{peak} of {seen:?}: {row}");
        assert!(low > 50.0 * MIB && high < 150.0 * MIB, "{low} to {high}: {row}");
        let source = row["rss"]["source"].as_str().unwrap();
        assert!(source.contains("the sum of Pss, read") || source.contains("by page tables"), "{row}");
        let looking = &row["program"]["looking"];
        assert!(
            looking["cpu_s"].as_f64().unwrap() > 0.0 && looking["share"].as_f64().unwrap() > 0.0,
            "{row}"
        );
    }
}

#[test]
fn a_batch_job_that_forks_much_is_between_its_bounds() {
    let source = "
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
int main(void) {
    for (int round = 0; round < 40; round++) {
        for (int i = 0; i < 3; i++) if (!fork()) {
            char *own = malloc(4 << 20); memset(own, 2, 4 << 20); usleep(20000); _exit(0); }
        while (wait(0) > 0) ;
    }
}";
    for (row, seen) in witnessed(source) {
        peak_holds(&row, seen);
        assert!(within(&row, "end").2 > MIB, "{row}");
    }
}

#[test]
fn the_peak_of_a_short_job_is_its_own_maximum_whatever_the_samples_hit() {
    let (parent, dir) = fresh();
    let source = "#include <stdlib.h>\n#include <string.h>\nint main(void) { char *all = malloc(30 << 20); memset(all, 1, 30 << 20); }";
    let program = compile(parent.path(), source);
    let all = ["--rounds", "2", "--allocators", "glibc", "--arena-max", "default", "--", text(&program)];
    for row in rows(&dir, &all) {
        let (low, peak, high) = within(&row, "peak");
        assert!(peak > 30.0 * MIB && peak < 36.0 * MIB, "{row}");
        assert!(low <= peak && peak <= high, "{row}");
    }
}

#[test]
fn a_job_that_ends_at_once_has_one_peak_and_not_the_moment_that_a_sample_hit() {
    let (_parent, dir) = fresh();
    let rows =
        rows(&dir, &["--rounds", "3", "--allocators", "glibc", "--arena-max", "default", "--", "/bin/true"]);
    let peaks: Vec<f64> = rows.iter().map(|row| row["rss"]["peak"].as_f64().unwrap()).collect();
    let (least, most) = peaks.iter().fold((f64::MAX, 0.0_f64), |(a, b), peak| (a.min(*peak), b.max(*peak)));
    assert!(most / least < 1.25, "{peaks:?}");
    for row in &rows {
        let (low, peak, high) = within(row, "peak");
        assert!(low <= peak && peak <= high && high > 0.5 * MIB, "{row}");
    }
}

/// Huge pages of the host, given back when dropped.
struct Reserved(String);

const POOL: &str = "/proc/sys/vm/nr_hugepages";

impl Reserved {
    /// `None`, said, where this host does not let it.
    fn make(pages: u32) -> Option<Self> {
        let before = std::fs::read_to_string(POOL).ok()?;
        let count: u32 = before.trim().parse().ok()?;
        let done = std::fs::write(POOL, (count + pages).to_string());
        let reserved = Self(before);
        let now: u32 = std::fs::read_to_string(POOL).ok()?.trim().parse().ok()?;
        if done.is_err() || now < count + pages {
            println!("skipped: this host does not reserve huge pages");
            return None;
        }
        Some(reserved)
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        let _ = std::fs::write(POOL, &self.0);
    }
}

#[test]
fn memory_in_huge_pages_is_not_saved() {
    let Some(_pages) = Reserved::make(48) else { return };
    let (parent, dir) = fresh();
    let source = "
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
int main(void) {
    for (int i = 0; i < 400; i++) { char *own = malloc(100000); memset(own, 1, 100000); }
    usleep(500000);
}";
    let program = compile(parent.path(), source);
    let rows = rows(&dir, &["--rounds", "1", "--candidate", "glibc:hugetlb=2", "--", text(&program)]);
    let (huge, small): (Vec<_>, Vec<_>) = rows.iter().partition(|row| row["candidate"] == "glibc:hugetlb=2");
    let peak = |row: &Value| row["rss"]["peak"].as_f64().unwrap();
    assert_eq!(huge.len(), 1, "{rows:?}");
    assert!(peak(huge[0]) > 0.95 * peak(small[0]), "{} against {}", huge[0], small[0]);
    assert_eq!(huge[0]["status"], "ok", "{}", huge[0]);
}
