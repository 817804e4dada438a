//! The two ways to be led through a run: by a harness over the control socket, or by nobody at a terminal.

use std::io::{self, Write};
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use arenalab_wire::channel::{self, Channel};
use arenalab_wire::message::{Border, Failure, FromEngine, Hello, Inspection, Quantiles, ToEngine, Trimmed};
use arenalab_wire::units;
use rustix::event::{PollFd, PollFlags, poll};

use crate::allocator::Allocator;
use crate::engine::Conductor;
use crate::engine::latency::clock_cost_ns;
use crate::footprint::Footprint;

/// Name under which the fingerprint of all sizes asked for stands in [`Inspection::other`].
pub const SEQUENCE: &str = "engine.sequence";

/// Name under which the clock's own cost stands there: it is subtracted from every latency sample. An
/// unserialised counter can overlap with the call, so that the shortest calls come out near 0.
pub const CLOCK_COST: &str = "engine.clock_cost_ns";

fn inspection(allocator: &dyn Allocator, sequence: u64) -> Inspection {
    let mut inspection = allocator.inspect().unwrap_or_default();
    inspection.other.insert(SEQUENCE.to_owned(), sequence);
    inspection.other.insert(CLOCK_COST.to_owned(), clock_cost_ns());
    inspection
}

/// The harness's end of a run.
pub struct Harness<'a> {
    channel: Channel,
    allocator: &'a dyn Allocator,
    hello: Hello,
    page: OwnedFd,
    /// The same socket, to see whether the other end is still there.
    line: UnixStream,
    footprint: Footprint,
    /// [`FromEngine::Arrived`], made before anything is measured.
    arrived: Vec<u8>,
}

impl<'a> Harness<'a> {
    /// Takes the control socket.
    ///
    /// # Errors
    /// When its descriptor cannot be copied.
    pub fn new(
        socket: UnixStream,
        allocator: &'a dyn Allocator,
        hello: Hello,
        page: OwnedFd,
    ) -> io::Result<Self> {
        let line = socket.try_clone()?;
        let (channel, footprint) = (Channel::new(socket), Footprint::read());
        let arrived = channel::line(&FromEngine::Arrived)?;
        Ok(Self { channel, allocator, hello, page, line, footprint, arrived })
    }

    /// Says why the run ends here; to a harness that may have gone.
    pub fn fail(&self, failure: Failure) {
        let _ = self.channel.send(&FromEngine::Failed(failure), None);
    }

    /// Sends a message, and leaves nothing resident of what it took to make it.
    fn say(&mut self, message: &FromEngine) -> io::Result<()> {
        let line = channel::line(message)?;
        self.footprint.shed();
        let page = matches!(message, FromEngine::Hello(_)).then_some(&self.page);
        self.channel.send_line(&line, page)
    }

    /// Answers until the word to go on.
    fn wait(&mut self, sequence: Option<u64>) -> io::Result<()> {
        loop {
            match (self.channel.receive()?, sequence) {
                (Some(ToEngine::Go), _) => {
                    self.footprint.shed_and_forget_peak();
                    return Ok(());
                }
                (Some(ToEngine::Inspect), Some(sequence)) => {
                    let inspection = inspection(self.allocator, sequence);
                    self.say(&FromEngine::Inspection(inspection))?;
                }
                (Some(ToEngine::Trim), Some(_)) => {
                    let trimmed = Trimmed { how: self.allocator.trim() };
                    self.say(&FromEngine::Trimmed(trimmed))?;
                }
                (Some(ToEngine::Inspect | ToEngine::Trim), None) => {
                    return Err(out_of_turn("a question before the first border"));
                }
                (Some(ToEngine::Report), _) => return Err(out_of_turn("asked for a report twice")),
                (None, _) => return Err(io::ErrorKind::UnexpectedEof.into()),
            }
        }
    }
}

fn out_of_turn(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

impl Conductor for Harness<'_> {
    fn begin(&mut self) -> io::Result<()> {
        self.say(&FromEngine::Hello(self.hello.clone()))?;
        self.footprint.leave_the_c_library();
        self.wait(None)
    }

    fn watch(&mut self, done: BorrowedFd<'_>) -> io::Result<()> {
        let mut both =
            [PollFd::from_borrowed_fd(done, PollFlags::IN), PollFd::new(&self.line, PollFlags::RDHUP)];
        loop {
            match poll(&mut both, None) {
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
                Ok(_) if both[0].revents().is_empty() => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(_) => return Ok(()),
            }
        }
    }

    fn arrive(&mut self) -> io::Result<()> {
        self.channel.send_line(&self.arrived, None)?;
        match self.channel.receive()? {
            Some(ToEngine::Report) => Ok(()),
            Some(_) => Err(out_of_turn("something else than to be asked for a report")),
            None => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }

    fn border(&mut self, border: Border, sequence: u64) -> io::Result<()> {
        self.say(&FromEngine::Border(border))?;
        self.wait(Some(sequence))
    }
}

/// Runs without a harness: prints a summary of each phase.
pub struct ByHand<'a> {
    /// One line of JSON for each message instead of text.
    pub json: bool,
    /// Asked at the end of each phase.
    pub allocator: &'a dyn Allocator,
}

impl Conductor for ByHand<'_> {
    fn begin(&mut self) -> io::Result<()> {
        Ok(())
    }

    /// Nobody can go away: the outcome is waited for where it is read.
    fn watch(&mut self, _done: BorrowedFd<'_>) -> io::Result<()> {
        Ok(())
    }

    fn border(&mut self, border: Border, sequence: u64) -> io::Result<()> {
        let inspection = inspection(self.allocator, sequence);
        let mut out = io::stdout().lock();
        if self.json {
            for message in [FromEngine::Border(border), FromEngine::Inspection(inspection)] {
                writeln!(out, "{}", serde_json::to_string(&message)?)?;
            }
            return Ok(());
        }
        writeln!(out, "{}", summary(&border, &inspection))
    }
}

/// One phase for people.
fn summary(border: &Border, inspection: &Inspection) -> String {
    let seconds = border.took_ns as f64 * 1e-9;
    let time = |ns: f64| units::format_seconds(ns * 1e-9);
    let latency = |name, quantiles: Option<Quantiles>| {
        quantiles.map(|q| format!("{name} p50 {} p99 {}", time(q.p50), time(q.p99)))
    };
    let rate = || units::format_rate(border.ops as f64 / seconds, &format!("{}/s", border.unit));
    let parts = [
        Some(format!(
            "{:8} {:>8}",
            format!("{:?}", border.phase).to_lowercase(),
            units::format_seconds(seconds)
        )),
        Some(format!("live {:>10}", units::format_bytes(border.live_bytes as f64))),
        (border.ops > 0 && seconds > 0.0).then(rate),
        latency("malloc", border.malloc_ns),
        latency("free", border.free_ns),
        latency("operation", border.op_ns),
        inspection.arenas.map(|arenas| format!("{arenas} arenas")),
        inspection.free.map(|free| format!("{} free in them", units::format_bytes(free as f64))),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join("  ")
}
