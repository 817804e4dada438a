//! What is proven of the processes of a trial, apart from their memory: who serves `malloc` in them, and what is in
//! force. Shared by the thread that watches and the one that leads the trial.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use procfs::process::Process;

use super::judge::Served;
use super::served::{Elves, served};
use crate::trial::heaps::{self, Counted};
use crate::trial::tree::Member;

/// A look at a process that told what serves `malloc` in it.
#[derive(Clone, Debug)]
pub struct Sight {
    /// What serves `malloc`.
    pub served: Served,
    /// Its arenas, where that is glibc.
    pub arenas: Option<Counted>,
}

/// What was seen.
#[derive(Default)]
struct State {
    elves: Elves,
    members: Vec<Member>,
    last: Option<Sight>,
    most: Option<Counted>,
    strangers: BTreeSet<String>,
}

/// A handle on what is proven of a trial's processes.
#[derive(Clone, Default)]
pub struct Images(Arc<Mutex<State>>);

impl Images {
    /// Nothing is proven yet.
    pub fn new(elves: Elves) -> Self {
        Self(Arc::new(Mutex::new(State { elves, ..State::default() })))
    }

    fn with<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes note of who is there.
    pub fn rescan(&self, members: &[Member]) {
        self.with(|state| {
            state.members = members.to_vec();
            let strangers =
                members.iter().map(|member| member.pid).filter(|pid| state.elves.is_stranger(*pid));
            let name = |pid| Process::new(pid).and_then(|process| process.stat()).ok().map(|stat| stat.comm);
            let names: Vec<String> = strangers.filter_map(name).collect();
            state.strangers.extend(names);
        });
    }

    /// Does what is due between two rescans.
    pub fn step(&self) {}

    /// Looks now at those who are there.
    pub fn look(&self) {
        self.with(|state| {
            let process = |member: &Member| Process::new(member.pid).ok();
            let size = |process: &Process| process.statm().map_or(0, |statm| statm.resident);
            let Some(process) = state.members.iter().filter_map(process).max_by_key(size) else { return };
            let Ok(maps) = process.maps() else { return };
            let served = served(&process, &maps.0, &mut state.elves);
            let arenas = (served.by == "glibc").then(|| heaps::count(&process, &maps.0));
            state.most = state.most.max_by_arenas(arenas);
            state.last = Some(Sight { served, arenas });
        });
    }

    /// What serves `malloc` in the process that does the work, as far as it is known.
    pub fn worker(&self) -> Option<Served> {
        self.with(|state| state.last.as_ref().map(|sight| sight.served.clone()))
    }

    /// The most arenas that were seen.
    pub fn arenas(&self) -> Option<Counted> {
        self.with(|state| state.most)
    }

    /// Processes that ran on the host's C library, though the program was started on another, by name.
    pub fn strangers(&self) -> BTreeSet<String> {
        self.with(|state| state.strangers.clone())
    }
}

trait MaxByArenas {
    fn max_by_arenas(self, other: Self) -> Self;
}

impl MaxByArenas for Option<Counted> {
    fn max_by_arenas(self, other: Self) -> Self {
        self.into_iter().chain(other).max_by_key(|counted| counted.arenas)
    }
}
