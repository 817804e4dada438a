//! One image: what a process runs between two execs. A proof is good for the image that it was read from, and for no
//! other, so that each has its own, beside what it used of CPU and memory.

use std::sync::Arc;

use procfs::process::Stat;

use super::sight::Sight;
use crate::trial::proc_file;

/// What an exec changes: where the kernel put the program and its stack. Of a process that may not be looked at, only its
/// name is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// When the process was started, in ticks since the host was.
    pub started: u64,
    place: Option<(u64, u64, u64)>,
    name: String,
}

impl Mark {
    /// Reads the mark of a process, and its short name. `None` where it is gone.
    pub fn read(pid: i32) -> Option<(Self, String)> {
        Self::of(&proc_file::stat(pid)?)
    }

    /// The mark in what `stat` says.
    pub fn of(stat: &Stat) -> Option<(Self, String)> {
        if matches!(stat.state, 'Z' | 'X') {
            return None;
        }
        // 0 and 1 stand for what may not be read (fs/proc/array.c).
        let place = (stat.startstack > 1).then_some((stat.startcode, stat.endcode, stat.startstack));
        // A process may change its name without an exec.
        let name = if place.is_some() { String::new() } else { stat.comm.clone() };
        Some((Self { started: stat.starttime, place, name }, stat.comm.clone()))
    }

    /// Whether another process with this mark is a copy made by fork, without an exec since.
    pub fn is_copy_of(&self, other: &Self) -> bool {
        self.place.is_some() && self.place == other.place
    }
}

/// What is known of an image.
#[derive(Clone, Debug)]
pub struct Image {
    /// Its process.
    pub pid: i32,
    /// The process's short name.
    pub command: String,
    /// What tells it from the image before and after.
    pub mark: Mark,
    /// When it was first seen, seconds since the trial was started.
    pub first_s: f64,
    /// When it was last known to be still this image.
    pub last_s: f64,
    /// CPU seconds of its process that were used before it was first seen, by the image before.
    pub before_s: f64,
    /// CPU seconds of its process when it was last known to be still this image.
    pub until_s: f64,
    /// The largest anonymous memory that was seen, bytes.
    pub peak: u64,
    /// Its anonymous memory when that of all together was largest, bytes.
    pub at_peak: u64,
    /// The last good look; of a copy made by fork, its origin's, until there is one of its own.
    pub sight: Option<Sight>,
    /// Why it could not be looked at, where that is so; a clause.
    pub blind: Option<&'static str>,
    /// Whether it is over.
    pub over: bool,
    /// Seconds from when it was last known until it was known to be over.
    pub gap_s: f64,
    /// When it is to be looked at next.
    pub due_s: f64,
    /// How often it was looked at.
    pub looks: u32,
    /// The image that it is a copy of, made by fork, as its place among all.
    pub origin: Option<usize>,
}

impl Image {
    /// One that is seen for the first time.
    pub fn new(pid: i32, command: String, mark: Mark, now_s: f64, before_s: f64) -> Self {
        Self {
            pid,
            command,
            mark,
            first_s: now_s,
            last_s: now_s,
            before_s,
            until_s: before_s,
            peak: 0,
            at_peak: 0,
            sight: None,
            blind: None,
            over: false,
            gap_s: 0.0,
            due_s: now_s,
            looks: 0,
            origin: None,
        }
    }

    /// CPU seconds that are known to be its own.
    pub fn cpu_s(&self) -> f64 {
        (self.until_s - self.before_s).max(0.0)
    }

    /// Takes a look, unless one from before is better: a late or poor look takes nothing away.
    pub fn take(&mut self, sight: Sight) {
        self.blind = None;
        match &mut self.sight {
            Some(known) if known.served.settled && !sight.served.settled => {}
            Some(known) => {
                let heap = sight.heap.or(known.heap.take());
                let most = known.most_arenas.max(sight.most_arenas);
                let before = Arc::clone(&known.served);
                *known = Sight { heap, most_arenas: most, ..sight };
                // A program may write over its environment.
                if known.served.environment.is_none() && before.environment.is_some() {
                    Arc::make_mut(&mut known.served).environment.clone_from(&before.environment);
                }
            }
            None => self.sight = Some(sight),
        }
    }

    /// Whether it is to be looked at now: of one that told all before, only once it has used so many times the CPU time.
    pub fn is_due(&self, now_s: f64, older: f64) -> bool {
        let has_worked = |sight: &Sight| self.cpu_s() >= sight.used_s * older + 0.005;
        self.due_s <= now_s && (!self.is_conclusive() || self.sight.as_ref().is_some_and(has_worked))
    }

    /// Whether nothing more is to be learnt soon.
    pub fn is_conclusive(&self) -> bool {
        self.sight.as_ref().is_some_and(Sight::is_conclusive)
    }

    /// Whether much of its work was done since it was looked at.
    pub fn is_behind(&self) -> bool {
        self.sight.as_ref().is_some_and(|sight| sight.used_s < self.cpu_s() * 0.7)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exec_changes_the_mark_and_a_fork_does_not() {
        let me = std::process::id().cast_signed();
        let mine = Mark::read(me).unwrap().0;
        assert_eq!(mine, Mark::read(me).unwrap().0);
        let mut child = std::process::Command::new("/bin/sleep").arg("60").spawn().unwrap();
        let other = Mark::read(child.id().cast_signed()).unwrap().0;
        assert!(!other.is_copy_of(&mine));
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(Mark::read(child.id().cast_signed()), None);
    }
}
