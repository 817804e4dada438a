//! A program of a plan with the recorder in it: made ready, driven and stopped as in a trial of a sweep.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use arenalab_trace::layout::SUFFIX;

use super::{Asked, Beside, TICK};
use crate::plan::Program;
use crate::trial::executor::{self, TrialSpec};
use crate::trial::program::{self, Around, Story};

/// What a program of a plan is run with.
pub struct Planned {
    /// The program.
    pub program: Arc<Program>,
    /// Its executable.
    pub executable: PathBuf,
    /// The recorder's library.
    pub library: PathBuf,
    /// The variables that switch recording on.
    pub variables: BTreeMap<String, String>,
    /// Threads, where its command asks for them.
    pub threads: u32,
    /// Time limit, without the idle wait.
    pub timeout: Duration,
    /// Idle wait after the driver.
    pub idle: Duration,
}

/// Runs it from setup to teardown; what became of it, and whether the time that was asked for was over before.
///
/// # Errors
/// One line: the directory cannot be written to, or the tool itself cannot go on.
pub fn run(asked: &Asked, planned: &Planned, around: &Around) -> Result<(Story, bool), String> {
    let mut beside = Beside::begin(asked)?;
    let spec = spec(planned);
    let done = AtomicBool::new(false);
    let story = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                beside.go_on(|watch| watch.look_at(recorded(&asked.directory).into_iter()));
                std::thread::sleep(TICK);
            }
        });
        let story = program::play(around, &spec, &planned.program, Instant::now());
        done.store(true, Ordering::Relaxed);
        story
    });
    Ok((story?, beside.time_over))
}

/// Processes that have a file in the directory: neither the driver nor what starts them.
fn recorded(directory: &Path) -> Vec<i32> {
    let Ok(entries) = std::fs::read_dir(directory) else { return Vec::new() };
    let names = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
    let pid = |name: String| name.strip_suffix(SUFFIX)?.split('-').next()?.parse().ok();
    names.filter_map(pid).collect()
}

fn spec(planned: &Planned) -> TrialSpec {
    TrialSpec {
        workload: planned.program.name.clone(),
        threads: planned.threads,
        libc: "host".to_owned(),
        footing: None,
        candidate: "recorded".to_owned(),
        round: 0,
        attempt: 0,
        position: 0,
        twin: false,
        program: planned.executable.clone(),
        own: Some(planned.program.clone()),
        seed: 0,
        args: Vec::new(),
        asked: executor::Asked {
            allocator: "preload".to_owned(),
            settings: Vec::new(),
            env: planned.variables.clone(),
            preload: Some(planned.library.clone()),
            foreign: |_| false,
        },
        unsupported: None,
        timeout: planned.timeout,
        idle: planned.idle,
        pretended: None,
        memory_limit: None,
        trim: false,
        sampled: false,
        keep_series: false,
    }
}
