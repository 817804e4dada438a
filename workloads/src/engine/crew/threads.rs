//! The threads of a crew: started, replaced one by one or in generations, and what each of them does with its life.

use std::sync::{Arc, Mutex};

use arenalab_wire::message::Failure;

use super::{Crew, Member, lock};
use crate::engine::pattern::Pattern;
use crate::engine::thread::Thread;
use crate::heap::Heap;

/// Stack of a worker thread. Only what is touched of it becomes resident.
const STACK: usize = 256 << 10;
/// The same where many threads end: what a program gets that asks for no size, as a rule. glibc keeps up to 40 MiB of stacks of
/// threads that have ended, and gives the others back.
const USUAL_STACK: usize = 8 << 20;

/// A thread, which leaves its seat behind where the next generation is to have it.
pub(super) type Life<S, H> = Thread<Option<Box<Member<S, H>>>>;

/// Where the present thread of a seat is kept.
pub(super) type Place<S, H> = Mutex<Option<Life<S, H>>>;

/// Starts a thread on a seat.
pub(super) fn start<P: Pattern, H: Heap>(
    crew: &Arc<Crew<P, H>>,
    member: Box<Member<P::Seat, H>>,
) -> Result<(), Failure> {
    let stack = if crew.pattern.in_generations() { USUAL_STACK } else { STACK };
    // Locked until the handle is in its place, where the new thread will look for it.
    let mut thread = lock(&crew.threads[member.index as usize]);
    let its_crew = Arc::clone(crew);
    let started = Thread::start(stack, move || serve(&its_crew, member));
    let failed =
        |error| Failure { out_of_memory: false, reason: format!("failed to start a thread: {error}") };
    *thread = Some(started.map_err(failed)?);
    Ok(())
}

/// Starts the successor of the calling thread. The thread before it must have gone by then, so that a seat
/// never has more than two threads, one of them ending: [`Description::reach`] relies on it.
///
/// [`Description::reach`]: crate::catalogue::Description::reach
fn succeed<P: Pattern, H: Heap>(
    crew: &Arc<Crew<P, H>>,
    mut member: Box<Member<P::Seat, H>>,
) -> Result<(), Failure> {
    let present = lock(&crew.threads[member.index as usize]).take();
    if let Some(predecessor) = std::mem::replace(&mut member.predecessor, present) {
        predecessor.join();
    }
    member.breath = crew.pattern.lifetime(member.index);
    start(crew, member)
}

/// Starts the next generation once the last has ended, and says whether there is one: where nobody's work goes on, the
/// phase is over. Seats whose work of the phase is done rest until the next.
pub(super) fn renew<P: Pattern, H: Heap>(
    crew: &Arc<Crew<P, H>>,
    resting: &mut Vec<Box<Member<P::Seat, H>>>,
) -> Result<bool, Failure> {
    let mut ending = std::mem::take(&mut *lock(&crew.ending));
    ending.sort_unstable();
    let ended = ending.iter().filter_map(|&index| {
        let thread = lock(&crew.threads[index as usize]).take();
        thread.and_then(Thread::join)
    });
    let (mut members, done): (Vec<_>, Vec<_>) = ended.partition(|member| member.begun.is_some());
    resting.extend(done);
    if let Some(first) = members.first_mut() {
        first.actor.on_main_thread(|actor| crew.pattern.between(actor))?;
    }
    crew.gate.resume(members.len() as u32);
    let going_on = !members.is_empty();
    for mut member in members {
        member.breath = crew.pattern.lifetime(member.index);
        start(crew, member)?;
    }
    Ok(going_on)
}

/// The life of one thread: phases, until it is replaced or the process ends.
fn serve<P: Pattern, H: Heap>(
    crew: &Arc<Crew<P, H>>,
    mut member: Box<Member<P::Seat, H>>,
) -> Option<Box<Member<P::Seat, H>>> {
    loop {
        let (phase, ops) = member.begun.take().unwrap_or_else(|| {
            let phase = crew.gate.next(&mut member.round);
            if crew.pattern.in_generations() {
                member.breath = crew.pattern.lifetime(member.index);
            }
            (phase, crew.share(phase, member.index))
        });
        let left = crew.work(phase, ops, &mut member);
        if left > 0 {
            // Its time is over: the successor gets the seat, with all objects, and goes on.
            member.begun = Some((phase, left));
            if crew.pattern.in_generations() {
                return Some(rest(crew, member));
            }
            if let Err(failure) = succeed(crew, member) {
                crew.gate.fail(failure);
            }
            return None;
        }
        crew.gate.arrive();
        member.actor.hand_in(&mut lock(&crew.records));
        if crew.pattern.in_generations() {
            return Some(rest(crew, member));
        }
        crew.gate.settle();
    }
}

/// Leaves a seat to the main thread, which waits for the end of the calling thread.
fn rest<P: Pattern, H: Heap>(crew: &Crew<P, H>, member: Box<Member<P::Seat, H>>) -> Box<Member<P::Seat, H>> {
    lock(&crew.ending).push(member.index);
    crew.gate.settle();
    member
}
