//! A trial of a batch job: its end is the end of the work.

use std::time::{Duration, Instant};

use super::{Broken, GLANCE, Playing, judge, weigh};
use crate::trial::leash::Leash;
use crate::trial::noise;

/// When a batch job is first judged while it runs, and then at doubling times: before, it may be a wrapper that has not
/// yet started the program.
const SETTLED: Duration = Duration::from_millis(500);

impl Playing<'_> {
    /// A batch job: its end is the end of the work.
    pub(super) fn run(&mut self, leash: &Leash, begin: Instant) -> Result<(), Broken> {
        let mut next = Instant::now() + SETTLED;
        while !leash.has_ended(GLANCE) {
            if Instant::now() >= next {
                self.refuse()?;
                next = Instant::now() + next.duration_since(begin);
            }
            self.look_at_heaps_if_due(leash.launcher(), begin.elapsed());
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

    /// Fails where the candidate has no effect on the program, or where it runs on another C library than it should,
    /// as far as that can be told while it runs.
    pub(super) fn refuse(&self) -> Result<(), Broken> {
        let images = self.story.images.all();
        let off = || {
            self.spec
                .footing
                .as_ref()
                .and_then(|footing| judge::off_footing(footing, weigh::served(&images)?))
        };
        let why = weigh::hopeless(&self.spec.asked, &self.beforehand, &images).or_else(off);
        why.map_or(Ok(()), |why| Err(Broken::NoOp(why)))
    }

    fn too_late(&self, what: &str) -> String {
        format!(
            "{what} after {} s; ended. Raise --timeout or lower the work",
            self.spec.timeout.as_secs_f64()
        )
    }
}
