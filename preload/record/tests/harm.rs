//! Whatever stands in the recorder's way, the program does what it does without it, and the reason is told.

mod common;

use std::path::Path;
use std::process::{Command, Output};

use arenalab_trace::event::Event;
use arenalab_trace::layout::Stop;
use arenalab_trace::read::Events;
use common::{compiled, library, says_ok, sound, under};
use tempfile::TempDir;

/// A small file system at a directory, gone with it; `None`, with a word, where this user may not mount any.
struct Mounted<'a>(&'a Path);

impl<'a> Mounted<'a> {
    fn at(directory: &'a Path, options: &str) -> Option<Self> {
        let mut mount = Command::new("mount");
        let output =
            mount.args(["-t", "tmpfs", "-o", options, "arenalab-test"]).arg(directory).output().ok()?;
        if !output.status.success() {
            eprintln!(
                "skipped: a file system cannot be mounted: {}",
                String::from_utf8_lossy(&output.stderr)
            );
            return None;
        }
        Some(Self(directory))
    }
}

impl Drop for Mounted<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0).status();
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_disk_that_is_full_in_the_middle_ends_the_recording_only() {
    let (work, record) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let Some(program) = compiled(&work, "reuse.c", &["-std=gnu11"]) else { return };
    let Some(_mounted) = Mounted::at(record.path(), "size=1m") else { return };
    says_ok(&under(record.path(), &program, &["300000"], &[]).output().unwrap());
    let files = sound(record.path());
    assert_eq!((files.len(), files[0].facts.stop), (1, Some(Stop::NoSpace)));
    assert!(!files[0].chunks.is_empty(), "what there was room for is there");
}

#[test]
fn a_file_system_that_is_read_only_is_told_in_one_line() {
    let (work, record) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let Some(program) = compiled(&work, "reuse.c", &["-std=gnu11"]) else { return };
    let Some(_mounted) = Mounted::at(record.path(), "ro") else { return };
    let output = under(record.path(), &program, &["1000"], &[]).output().unwrap();
    says_ok(&output);
    let said = said(&output);
    assert!(said.lines().count() == 1 && said.contains("its file system is read-only"), "{said}");
}

#[test]
fn a_directory_of_another_user_is_told_in_one_line() {
    let record = TempDir::new().unwrap();
    // The library, too, must be within the other user's reach.
    let reach = Path::new("/tmp").join(format!("arenalab-harm-{}.so", std::process::id()));
    std::fs::copy(library(), &reach).unwrap();
    let other_user = |command: &mut Command| {
        command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]);
    };
    let mut may = Command::new("setpriv");
    other_user(&mut may);
    let may = may.arg("true").status();
    if !may.is_ok_and(|status| status.success()) {
        std::fs::remove_file(&reach).unwrap();
        eprintln!("skipped: no program can be run as another user here (setpriv)");
        return;
    }
    let mut command = Command::new("setpriv");
    other_user(&mut command);
    let output = command
        .arg("env")
        .arg(format!("LD_PRELOAD={}", reach.display()))
        .arg(format!("ARENALAB_RECORD={}", record.path().display()))
        .args(["sh", "-c", "exec echo ok"])
        .output()
        .unwrap();
    std::fs::remove_file(&reach).unwrap();
    says_ok(&output);
    let said = said(&output);
    assert!(said.contains("its directory cannot be written to by this user"), "{said}");
}

/// What is done, and why recording ends then.
#[test]
fn a_program_that_closes_all_descriptors_moves_away_or_changes_its_root_runs_on() {
    let work = TempDir::new().unwrap();
    let Some(program) = compiled(&work, "harm.c", &["-std=gnu11"]) else { return };
    let run = |record: &Path, arguments: &[&str]| under(record, &program, arguments, &[]).output().unwrap();
    let calls = 800_000 - 1000..800_000 + 1000u64;
    let recorded = |directory: &Path, why: Stop| {
        let files = sound(directory);
        assert_eq!(files[0].facts.stop, Some(why));
        let of = |chunk: &arenalab_trace::read::ChunkFacts| {
            let bytes = files[0].events(chunk).unwrap();
            Events::new(&bytes, chunk.monotonic).flatten().filter(Event::is_call).count() as u64
        };
        files[0].chunks.iter().map(of).sum::<u64>()
    };
    // Its file is found again by its path.
    let record = TempDir::new().unwrap();
    says_ok(&run(record.path(), &["close"]));
    assert!(calls.contains(&recorded(record.path(), Stop::No)));
    // Another file at the recorder's number is not taken for its own.
    let record = TempDir::new().unwrap();
    let mine = work.path().join("mine");
    says_ok(&run(record.path(), &["taken", mine.to_str().unwrap()]));
    assert_eq!(std::fs::read(&mine).unwrap(), b"mine");
    assert!(calls.contains(&recorded(record.path(), Stop::No)));
    // Without its directory it ends, and what was recorded stays.
    let record = TempDir::new().unwrap();
    let (from, to) = (record.path().join("rec"), record.path().join("elsewhere"));
    std::fs::create_dir(&from).unwrap();
    says_ok(&run(&from, &["rename", from.to_str().unwrap(), to.to_str().unwrap()]));
    assert!((400_000 - 1000..calls.start).contains(&recorded(&to, Stop::Unreachable)));
    let record = TempDir::new().unwrap();
    let output = run(record.path(), &["chroot", work.path().to_str().unwrap()]);
    if output.status.code() == Some(77) {
        eprintln!("skipped: this user may not change the root");
        return;
    }
    says_ok(&output);
    assert!((400_000 - 1000..calls.start).contains(&recorded(record.path(), Stop::Unreachable)));
}

#[test]
fn what_a_signal_handler_allocates_is_recorded_or_counted() {
    let (work, record) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let library_arguments = ["-std=gnu11", "-shared", "-fPIC", "-DALLOCATOR", "-fno-builtin"];
    let Some(allocator) = compiled(&work, "signals.c", &library_arguments) else { return };
    let allocator = {
        let named = work.path().join("allocator.so");
        std::fs::rename(allocator, &named).unwrap();
        named
    };
    let Some(program) = compiled(&work, "signals.c", &["-std=gnu11", "-fno-builtin"]) else { return };
    let output = Command::new("timeout")
        .args(["-s", "KILL", "120", "env"])
        .arg(format!("LD_PRELOAD={}:{}", library().display(), allocator.display()))
        .arg(format!("ARENALAB_RECORD={}", record.path().display()))
        .arg(&program)
        .output()
        .unwrap();
    assert!(output.status.success(), "{} {}", output.status, said(&output));
    let made: u64 = String::from_utf8_lossy(&output.stdout).trim().parse().unwrap();
    let files = sound(record.path());
    let (mut calls, mut lost) = (0, files[0].facts.lost);
    for chunk in &files[0].chunks {
        let bytes = files[0].events(chunk).unwrap();
        for event in Events::new(&bytes, chunk.monotonic) {
            match event.unwrap() {
                Event::Lost { calls } => lost += calls,
                event => calls += u64::from(event.is_call()),
            }
        }
    }
    // What came at the wrong moment after the last stamp is not counted any more.
    let told = calls + lost;
    assert!((made - 64..=made + 64).contains(&told), "{made} calls, {calls} recorded and {lost} counted");
}

#[test]
fn the_thread_sanitizer_finds_nothing_with_the_recorder_in_front() {
    let work = TempDir::new().unwrap();
    let probe = work.path().join("probe.c");
    std::fs::write(&probe, "int main(void) { return 0; }\n").unwrap();
    let mut built = Command::new("cc");
    built.arg("-fsanitize=thread").arg(&probe).arg("-o").arg(work.path().join("p"));
    if !built.output().is_ok_and(|output| output.status.success())
        || !Command::new(work.path().join("p")).status().is_ok_and(|status| status.success())
    {
        eprintln!("skipped: no thread sanitizer that works here");
        return;
    }
    let record = TempDir::new().unwrap();
    let Some(program) = compiled(&work, "reuse.c", &["-std=gnu11", "-fsanitize=thread"]) else { return };
    let output = under(record.path(), &program, &["3000"], &[]).output().unwrap();
    says_ok(&output);
    assert!(!said(&output).contains("WARNING: ThreadSanitizer"), "{}", said(&output));
    sound(record.path());
}
