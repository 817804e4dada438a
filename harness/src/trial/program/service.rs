//! A trial of a service: it becomes ready, is driven, stands idle, and is stopped.

use std::time::{Duration, Instant};

use super::images::Images;
use super::watch::Watch;
use super::{Broken, GLANCE, Playing, crash, helper, ready};
use crate::plan::program::{How, StopSignal};
use crate::trial::launcher::Usage;
use crate::trial::leash::Leash;
use crate::trial::{noise, tree};

impl Playing<'_> {
    /// A service: it becomes ready, is driven, stands idle, and is stopped.
    pub(super) fn serve(&mut self, leash: &mut Leash, watch: &Watch) -> Result<(), Broken> {
        self.await_ready(leash, watch)?;
        self.look_aside(Images::look);
        if let Err(no_op) = self.refuse() {
            // What it was seen by is in its record.
            self.story.end = watch.look();
            return Err(no_op);
        }
        self.drive(leash, watch)?;
        self.story.end = watch.look();
        self.look_aside(Images::look);
        let (from, to) = self.story.work.unwrap_or_default();
        self.look_at_heaps(leash.launcher(), Duration::from_secs_f64((to - from).max(0.0)));
        self.stand_idle(leash, watch)?;
        self.story.drained = watch.look();
        self.look_at_drained_heaps(leash.launcher(), Duration::from_secs_f64((self.now_s() - from).max(0.0)));
        self.stop(leash, watch)
    }

    fn await_ready(&self, leash: &Leash, watch: &Watch) -> Result<(), Broken> {
        let Some(ready) = &self.program.ready else { return Ok(()) };
        let until = (Instant::now() + self.program.ready_timeout).min(self.deadline);
        loop {
            if ready::is_ready(ready, self)? {
                return Ok(());
            }
            self.still_there(leash, watch, GLANCE)?;
            if Instant::now() >= until {
                let waited = crate::units::format_seconds(self.program.ready_timeout.as_secs_f64());
                let what = ready::words(ready, &self.place.places);
                return Err(Broken::Late(format!(
                    "not ready after {waited}: {what}. Look at what it printed, or raise ready_timeout"
                )));
            }
        }
    }

    fn drive(&mut self, leash: &Leash, watch: &Watch) -> Result<(), Broken> {
        let driver = self.program.driver.clone().unwrap_or_default();
        let output = self.output("driver");
        let used = self.look_aside(|_| tree::usage(&tree::below(leash.launcher())));
        let before = noise::mark();
        let from = self.now_s();
        let left = self.left();
        let ending = self.help_while("driver", &driver, left, Some(output), &mut || {
            self.still_there(leash, watch, Duration::ZERO)
        })?;
        self.story.work = Some((from, self.now_s()));
        self.story.noise = Some((before, noise::mark()));
        let now = self.look_aside(|_| tree::usage(&tree::below(leash.launcher())));
        self.story.usage = Some(between(&used, &now));
        self.story.wall_s = Some(ending.wall_s);
        self.story.driver_cpu_s = ending.usage.user_s + ending.usage.system_s + ending.own_cpu_s;
        watch.rescan();
        self.still_there(leash, watch, Duration::ZERO)
    }

    fn stand_idle(&mut self, leash: &Leash, watch: &Watch) -> Result<(), Broken> {
        self.deadline += self.spec.idle;
        let until = Instant::now() + self.spec.idle;
        while let Some(left) = until.checked_duration_since(Instant::now()) {
            self.still_there(leash, watch, left.min(GLANCE))?;
        }
        Ok(())
    }

    /// Asks the program to end, and waits until it has.
    fn stop(&mut self, leash: &mut Leash, watch: &Watch) -> Result<(), Broken> {
        let stop = &self.program.stop;
        let asked = Instant::now();
        match &stop.how {
            How::Signal(signal) => leash.stop(number(*signal), stop.grace),
            How::Command(words) => {
                leash.stop(0, stop.grace);
                self.help("stop", words, stop.grace, None)?;
            }
        }
        while !leash.has_ended(GLANCE) {
            self.go_on()?;
            if asked.elapsed() > stop.grace + helper::PATIENCE {
                return Err(Broken::Late("it could not be ended, not even by KILL".to_owned()));
            }
        }
        let fallen = watch.ask(|seen| seen.fallen.clone());
        crash(&fallen, true)
    }

    /// Fails where the program is gone or one of its processes has crashed; waits so long for that.
    fn still_there(&self, leash: &Leash, watch: &Watch, patience: Duration) -> Result<(), Broken> {
        self.go_on()?;
        if leash.has_ended(patience) {
            return Err(Broken::Gone);
        }
        crash(&watch.ask(|seen| seen.fallen.clone()), false)
    }
}

fn number(signal: StopSignal) -> i32 {
    match signal {
        StopSignal::Term => libc::SIGTERM,
        StopSignal::Int => libc::SIGINT,
        StopSignal::Quit => libc::SIGQUIT,
        StopSignal::Hup => libc::SIGHUP,
        StopSignal::Kill => libc::SIGKILL,
    }
}

fn between(from: &Usage, to: &Usage) -> Usage {
    Usage {
        user_s: (to.user_s - from.user_s).max(0.0),
        system_s: (to.system_s - from.system_s).max(0.0),
        minor_faults: to.minor_faults.saturating_sub(from.minor_faults),
        major_faults: to.major_faults.saturating_sub(from.major_faults),
        voluntary: to.voluntary.saturating_sub(from.voluntary),
        involuntary: to.involuntary.saturating_sub(from.involuntary),
    }
}
