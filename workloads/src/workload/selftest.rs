//! `selftest`: not a measurement. It behaves badly in chosen ways, so that a harness can be tested on it.

use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::Duration;

use super::Workload;
use crate::catalogue::{Description, Param};
use crate::engine::actor::Actor;
use crate::engine::crew::even_share;
use crate::heap::Heap;
use crate::object::Object;
use crate::spec::Spec;

/// The pattern.
pub struct SelfTest {
    threads: u32,
    mode: u64,
    bytes: usize,
}

/// What a seat holds.
#[derive(Default)]
pub struct Seat {
    first: bool,
    held: Vec<Object>,
}

/// More than any system can give.
const ABSURD: usize = (isize::MAX as usize) >> 1;

fn hang() -> ! {
    // SAFETY: ignoring a signal installs no handler.
    unsafe { libc::signal(libc::SIGTERM, libc::SIG_IGN) };
    loop {
        std::thread::sleep(Duration::from_secs(3600));
    }
}

/// Starts a process in a session of its own that outlives a careless parent.
fn grandchild() -> std::io::Result<()> {
    let mut command = Command::new("sleep");
    // SAFETY: setsid is async-signal-safe and is all that runs between fork and exec.
    unsafe { command.pre_exec(|| Ok(rustix::process::setsid().map(drop)?)) };
    command.arg("600").spawn().map(drop)
}

impl SelfTest {
    fn misbehave<H: Heap>(&self, actor: &mut Actor<H>) {
        match self.mode {
            1 => std::process::abort(),
            2 => hang(),
            3 => actor.give_up("selftest was asked to fail".to_owned()),
            4 => {
                let object = actor.malloc(ABSURD);
                actor.free(object);
            }
            6 => match grandchild() {
                Ok(()) => hang(),
                Err(error) => actor.give_up(format!("failed to start 'sleep 600': {error}")),
            },
            _ => {}
        }
    }
}

impl Workload for SelfTest {
    type Seat = Seat;

    const DESCRIPTION: Description = Description {
        name: "selftest",
        summary: "behaves badly in a chosen way; for tests of the harness",
        description: "Not a measurement. Under mode 0 it is a tiny run that ends well. In the steady phase it \
            aborts (1), hangs and ignores TERM (2), fails with exit code 1 (3), asks malloc for an absurd size (4), \
            or starts a process in a session of its own and hangs (6). Under mode 5 it holds the bytes asked for.",
        unit: "operations",
        params: &[
            Param::ops(1000),
            Param::WARMUP,
            Param::TOUCH,
            Param::count(
                "mode",
                0,
                0,
                6,
                "0 normal, 1 abort, 2 hang, 3 fail, 4 out of memory, 5 hold, 6 grandchild",
            ),
            Param::bytes("bytes", 64 << 20, 1, 1 << 40, "bytes held under mode 5, touched"),
        ],
        replaces_threads: false,
        hidden: true,
    };

    fn new(spec: &Spec, threads: u32) -> Self {
        Self { threads, mode: spec.get("mode"), bytes: spec.get("bytes") as usize }
    }

    fn seat(&self, index: u32) -> Seat {
        Seat { first: index == 0, held: Vec::with_capacity(1) }
    }

    fn share(&self, ops: u64, index: u32) -> u64 {
        even_share(ops, self.threads, index)
    }

    fn setup<H: Heap>(&self, seat: &mut Seat, actor: &mut Actor<H>) {
        if seat.first && self.mode == 5 {
            seat.held.push(actor.malloc(self.bytes));
        }
    }

    fn work<H: Heap>(&self, seat: &mut Seat, actor: &mut Actor<H>, ops: u64, steady: bool) {
        if seat.first && steady {
            self.misbehave(actor);
        }
        for _ in 0..ops {
            let object = actor.malloc(64);
            actor.free(object);
            actor.operation();
        }
    }

    fn drain<H: Heap>(&self, seat: &mut Seat, actor: &mut Actor<H>) {
        seat.held.drain(..).for_each(|object| actor.free(object));
    }
}
