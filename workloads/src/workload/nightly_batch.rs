//! `nightly-batch`: a job of another kind in a day-long daemon.

use arenalab_wire::telemetry::Stage;

use super::burst::{Step, of_each};
use super::{Workload, phases, room};
use crate::catalogue::{Description, Param};
use crate::engine::actor::Actor;
use crate::engine::crew::even_share;
use crate::heap::Heap;
use crate::object::Object;
use crate::random::Sizes;
use crate::spec::Spec;

/// One seat in so many runs the job.
const JOB: u32 = 4;
/// The job has this share of the operations of its seat, in percent, at the end of a day.
const NIGHT: u64 = 10;
/// Operations of a seat without the job, for each of one with it, whose own take longer: all work until the end.
const PER_JOB: u64 = 3;

/// The pattern.
pub struct NightlyBatch {
    threads: u32,
    slots: usize,
    job: usize,
    nights: u64,
    phases: [u64; 2],
    day: Sizes,
    night: Sizes,
    has_nights: bool,
    step: Step,
}

/// What a seat holds.
pub struct Seat {
    objects: Vec<Object>,
    runs_job: bool,
    /// The job's objects; empty by day.
    job: Vec<Object>,
}

fn runs_job(index: u32) -> bool {
    index.is_multiple_of(JOB)
}

/// When it is night for a seat.
struct Nights {
    count: u64,
    /// Operations of a day, and where in it the night begins and ends.
    day: u64,
    dusk: u64,
    dawn: u64,
}

impl Nights {
    /// So many in `ops` operations.
    fn of(count: u64, ops: u64) -> Self {
        let day = ops.checked_div(count).unwrap_or(0);
        let night = day * NIGHT / 100;
        let dusk = (day - night) / 2;
        Self { count, day, dusk, dawn: dusk + night }
    }

    /// Whether it is night at operation `at`. What is left after the last day is day.
    fn is_night(&self, at: u64) -> bool {
        at < self.day * self.count && (self.dusk..self.dawn).contains(&(at % self.day))
    }

    /// Whether a night begins or ends at operation `at`.
    fn turns(&self, at: u64) -> bool {
        at < self.day * self.count && [self.dusk, self.dawn].contains(&(at % self.day))
    }

    /// Where operation `at` stands: before the first night, or after the last.
    fn stage(&self, at: u64) -> Stage {
        match at {
            at if at < self.dusk => Stage::Before,
            at if at < self.day * (self.count - 1) + self.dawn => Stage::Burst,
            _ => Stage::After,
        }
    }
}

impl NightlyBatch {
    /// Whether nights are long enough for the job to do anything, in every seat.
    fn has_nights(&self) -> bool {
        (0..self.threads).all(|index| {
            let nights = Nights::of(self.nights, self.share(self.phases[1], index));
            nights.dusk < nights.dawn
        })
    }

    /// The job reads its data in, and keeps so much of it.
    fn night<H: Heap>(&self, seat: &mut Seat, actor: &mut Actor<H>) {
        let size = self.night.draw(&mut actor.rng);
        if seat.job.len() < self.job {
            seat.job.push(actor.malloc(size));
        } else {
            let which = actor.rng.below(self.job);
            actor.replace(&mut seat.job[which], |actor| actor.malloc(size));
        }
    }
}

impl Workload for NightlyBatch {
    type Seat = Seat;

    const DESCRIPTION: Description = Description {
        name: "nightly-batch",
        summary: "small requests all day, a job with large blocks at night, then the day again",
        description: "By day each thread replaces small objects in random slots. Several times in the steady phase \
            it is night for every fourth thread: a job gathers blocks of 4 to 512 KiB, some 50 MB, and frees them in \
            the morning, newest first, when the small requests go on; its threads do a third of the others' operations, since theirs take longer. More than 16 \
            threads hold as much as 16, and have their nights together. From the incident of a daemon that grew \
            at five in the morning and did not shrink. It stresses the change of phase: what the day has left \
            in holes does not serve the night, and what the night has used is cut up by day. Look at RSS by day, \
            before the first night against after the last, and at free bytes inside arenas.",
        unit: "operations",
        params: &[
            Param::ops(40_000_000),
            Param::WARMUP,
            Param::TOUCH,
            Param::count("slots", 10_000, 1, 10_000_000, "small objects held by each thread"),
            Param::count("job", 500, 1, 10_000_000, "large objects that the job holds"),
            Param::count("nights", 3, 0, 1_000_000, "nights in the steady phase"),
            Param::bytes("night_min", 4 << 10, 1, 1 << 30, "smallest object of the job"),
            Param::bytes("night_max", 512 << 10, 1, 1 << 30, "largest object of the job"),
        ],
        replaces_threads: false,
        hidden: false,
    };

    fn new(spec: &Spec, threads: u32) -> Self {
        let mut pattern = Self {
            threads,
            slots: of_each(spec.get("slots"), threads) as usize,
            job: of_each(spec.get("job"), threads) as usize,
            nights: spec.get("nights"),
            phases: phases(spec),
            day: Sizes::log_uniform(16, 1024),
            night: Sizes::log_uniform(spec.get("night_min"), spec.get("night_max")),
            has_nights: false,
            step: Step::new(threads, threads),
        };
        pattern.has_nights = pattern.has_nights();
        pattern
    }

    fn seat(&self, index: u32) -> Seat {
        let runs_job = runs_job(index);
        let job = if runs_job { room(self.job, self.share(self.phases[1], index)) } else { 0 };
        Seat { objects: Vec::with_capacity(self.slots), runs_job, job: Vec::with_capacity(job) }
    }

    fn share(&self, ops: u64, index: u32) -> u64 {
        let jobs = self.threads.div_ceil(JOB);
        let others = self.threads - jobs;
        let all_jobs = ops * u64::from(jobs) / (u64::from(jobs) + PER_JOB * u64::from(others));
        if runs_job(index) {
            even_share(all_jobs, jobs, index / JOB)
        } else {
            even_share(ops - all_jobs, others, index - index / JOB - 1)
        }
    }

    fn setup<H: Heap>(&self, seat: &mut Seat, actor: &mut Actor<H>) {
        for _ in 0..self.slots {
            let size = self.day.draw(&mut actor.rng);
            seat.objects.push(actor.malloc(size));
        }
    }

    fn work<H: Heap>(&self, seat: &mut Seat, actor: &mut Actor<H>, ops: u64, steady: bool) {
        let nights = Nights::of(self.nights, ops);
        let told = steady && self.has_nights;
        for at in 0..ops {
            let night = steady && seat.runs_job && nights.is_night(at);
            let meeting = self.step.gather(|| told && nights.turns(at));
            if !night {
                seat.job.drain(..).rev().for_each(|object| actor.free(object));
            }
            if told {
                actor.stage(nights.stage(at));
            }
            Step::go_on(meeting);
            if night {
                self.night(seat, actor);
            } else {
                let slot = actor.rng.below(self.slots);
                let size = self.day.draw(&mut actor.rng);
                actor.replace(&mut seat.objects[slot], |actor| actor.malloc(size));
            }
            actor.operation();
        }
        if steady {
            self.step.leave();
        }
    }

    fn drain<H: Heap>(&self, seat: &mut Seat, actor: &mut Actor<H>) {
        seat.job.drain(..).chain(seat.objects.drain(..)).for_each(|object| actor.free(object));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_as_many_nights_as_asked_for_and_none_of_them_after_the_last() {
        for (count, ops) in [(3, 40_000), (100, 1_999), (700, 10_003), (1, 100)] {
            let nights = Nights::of(count, ops);
            let night: Vec<bool> = (0..ops).map(|at| nights.is_night(at)).collect();
            let dusks = night.windows(2).filter(|pair| !pair[0] && pair[1]).count();
            assert_eq!(dusks as u64, count, "{ops}");
            let stages = (0..ops).map(|at| nights.stage(at));
            for (stage, night) in stages.zip(night) {
                assert!(!night || stage == Stage::Burst, "{count} nights in {ops}");
            }
            assert_eq!(nights.stage(ops - 1), Stage::After);
        }
    }

    #[test]
    fn without_nights_nobody_says_where_they_stand() {
        for (spec, nights) in [("nights=0", false), ("nights=50,ops=1k", false), ("nights=3", true)] {
            let spec = format!("nightly-batch:{spec}").parse().unwrap();
            assert_eq!(NightlyBatch::new(&spec, 4).has_nights, nights);
        }
    }
}
