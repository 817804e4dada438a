//! A trial of a batch job: its end is the end of the work.

use std::time::Instant;

use super::look::Look;
use super::watch::Watch;
use super::{Broken, GLANCE, Playing, judge};
use crate::trial::leash::Leash;
use crate::trial::noise;

/// When the first exact look at a batch job may say that a candidate is a no-op: before, it may be a wrapper
/// that has not yet started the program.
const SETTLED_S: f64 = 0.2;

impl Playing<'_> {
    /// A batch job: its end is the end of the work.
    pub(super) fn run(&self, leash: &Leash, watch: &Watch, begin: Instant) -> Result<(), Broken> {
        while !leash.has_ended(GLANCE) {
            watch.ask(|seen| self.refuse_no_op(seen.look.as_ref(), Some(begin)))?;
            self.go_on()?;
            if Instant::now() >= self.deadline {
                return Err(Broken::Late(self.too_late("it was still running")));
            }
        }
        Ok(())
    }

    pub(super) fn account_for_batch(&mut self, begin: Instant, before: noise::Mark) {
        let from = begin.duration_since(self.begin).as_secs_f64();
        let ending = &self.story.ending;
        self.story.work = Some((from, from + ending.wall_s));
        self.story.noise = Some((before, noise::mark()));
        self.story.driver_cpu_s = ending.own_cpu_s;
        if ending.code == Some(0) {
            self.story.wall_s = Some(ending.wall_s);
            self.story.usage = Some(ending.usage);
        }
        self.story.end = self.story.seen.look.clone();
    }

    /// Fails where a batch job was seen to be one on which the candidate has no effect; while it runs, by looks
    /// some time after its begin.
    pub(super) fn refuse_no_op(&self, look: Option<&Look>, running: Option<Instant>) -> Result<(), Broken> {
        let settled = running.map_or(0.0, |begin| begin.duration_since(self.begin).as_secs_f64() + SETTLED_S);
        let Some(look) = look.filter(|look| look.at_s >= settled) else { return Ok(()) };
        self.refuse(look.served.as_ref())
    }

    /// Fails where the candidate has no effect on a process, or where it runs on another C library than it should.
    pub(super) fn refuse(&self, served: Option<&judge::Served>) -> Result<(), Broken> {
        let Some(served) = served else { return Ok(()) };
        let off = || self.spec.footing.as_ref().and_then(|footing| judge::off_footing(footing, served));
        let why = judge::no_op(&self.spec.asked, served).or_else(off);
        why.map_or(Ok(()), |why| Err(Broken::NoOp(why)))
    }

    fn too_late(&self, what: &str) -> String {
        format!(
            "{what} after {} s; ended. Raise --timeout or lower the work",
            self.spec.timeout.as_secs_f64()
        )
    }
}
