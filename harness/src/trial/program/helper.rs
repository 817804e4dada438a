//! The commands beside the program: setup, ready check, driver, stop, teardown. Each runs under a launcher of
//! its own with a time limit, so that nothing of it stays; none has the candidate's environment.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::{Broken, GLANCE, Playing};
use crate::trial::ending;
use crate::trial::launcher::{self, Ending, Job};
use crate::trial::leash::{self, Started};

/// Time from TERM to KILL for a helper.
const GRACE: Duration = Duration::from_secs(2);
/// Time beyond a limit in which a launcher must have ended everything.
pub const PATIENCE: Duration = Duration::from_secs(10);
/// The most that a teardown may take.
pub const LONGEST: Duration = Duration::from_secs(60);

impl Playing<'_> {
    /// Runs a command that must exit with 0 within a time.
    pub(super) fn help(
        &mut self,
        what: &str,
        words: &[String],
        limit: Duration,
        output: Option<PathBuf>,
    ) -> Result<Ending, Broken> {
        let output = Some(output.unwrap_or_else(|| self.output(what)));
        // A teardown runs also when the harness was asked to stop.
        let heed = what != "teardown";
        self.help_while(what, words, limit, output, &mut || if heed { self.go_on() } else { Ok(()) })
    }

    /// The same, as long as `go_on` has nothing against it.
    pub(super) fn help_while(
        &self,
        what: &str,
        words: &[String],
        limit: Duration,
        output: Option<PathBuf>,
        go_on: &mut dyn FnMut() -> Result<(), Broken>,
    ) -> Result<Ending, Broken> {
        let ending = self.try_help(words, limit, output, go_on)?;
        if let Some(unkept) = &ending.unkept {
            return Err(Broken::Failed(unkept.clone()));
        }
        if ending.timed_out {
            let limit = crate::units::format_seconds(limit.as_secs_f64());
            let raise = if what == "driver" { ". Raise --timeout or lower its work" } else { "" };
            return Err(Broken::Late(format!("the {what} was still running after {limit}; ended{raise}")));
        }
        match (ending.code, ending.signal) {
            (Some(0), _) => Ok(ending),
            (code, signal) => {
                let how = ending::how_it_ended(code, signal);
                Err(Broken::Failed(format!("the {what} {how}{}", ending::last_words(&ending.output))))
            }
        }
    }

    /// Runs a command to its end, whatever it exits with.
    pub(super) fn try_help(
        &self,
        words: &[String],
        limit: Duration,
        output: Option<PathBuf>,
        go_on: &mut dyn FnMut() -> Result<(), Broken>,
    ) -> Result<Ending, Broken> {
        let (program, words) = self.command(words);
        let job = Job {
            program,
            arg0: words.first().cloned(),
            args: words.into_iter().skip(1).collect(),
            env: launcher::with(self.environment(), self.around.odd),
            timeout_ms: limit.as_millis() as u64,
            grace_ms: GRACE.as_millis() as u64,
            directory: self.directory(),
            output,
            ..Job::default()
        };
        let mut leash = match leash::start_program(self.around.executable, &job).map_err(Broken::Failed)? {
            Started::Runs(leash) => leash,
            Started::Not(reason) => return Err(Broken::Failed(reason)),
        };
        let until = Instant::now() + limit + GRACE + PATIENCE;
        while !leash.has_ended(GLANCE) {
            go_on()?;
            if Instant::now() >= until {
                return Err(Broken::Late(format!("{} could not be ended", job.program.display())));
            }
        }
        leash.wait().map_err(Broken::Failed)
    }

    /// A command with its placeholders put in: the executable, and all words from its own name on.
    pub(super) fn command(&self, words: &[String]) -> (PathBuf, Vec<String>) {
        let mut words = self.place.places.fill_all(words);
        if self.program.shell {
            words = ["sh", "-c"].into_iter().map(str::to_owned).chain(words).collect();
        }
        let first = words.first().cloned().unwrap_or_default();
        let found = crate::trial::companions::executable(&first, self.around.environment.get("PATH"));
        (found.unwrap_or_else(|| PathBuf::from(&first)), words)
    }
}
