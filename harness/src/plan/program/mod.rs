//! The user's own program as a workload: how it is started, when it is ready, what drives it, where its
//! figures are read, how it is stopped. Pure data; [`said`] makes it from text, [`read`] finds figures in
//! what was printed, [`fill`] puts placeholders in.
//!
//! A program without a driver is a **batch job**: its work ends when it does. One with a driver is a
//! **service**: the driver's end is the end of the work.

use std::collections::BTreeMap;
use std::time::Duration;

pub mod fill;
pub mod number;
pub mod read;
pub mod said;
mod write;

pub use fill::Places;
pub use said::Said;
pub(super) use write::write;

/// Time that a service has to become ready, when nothing is said.
pub const DEFAULT_READY_TIMEOUT: Duration = Duration::from_secs(10);
/// Time from the signal that stops a service to KILL, when nothing is said.
pub const DEFAULT_GRACE: Duration = Duration::from_secs(5);

/// A program as a workload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// Its label: the workload of every record. Lower-case letters, digits and dashes.
    pub name: String,
    /// The command: words, or with `shell` one line.
    pub command: Vec<String>,
    /// Whether every command of this workload is one line for `sh -c`.
    pub shell: bool,
    /// When it can be driven; at once where nothing is said.
    pub ready: Option<Ready>,
    /// Time it has to become ready.
    pub ready_timeout: Duration,
    /// The load generator. Without one the program is a batch job.
    pub driver: Option<Vec<String>>,
    /// Work per second.
    pub throughput: Throughput,
    /// A latency that is printed.
    pub latency: Option<Figure>,
    /// How a service is stopped.
    pub stop: Stop,
    /// Run before each trial.
    pub setup: Option<Vec<String>>,
    /// Run after each trial, whatever became of it.
    pub teardown: Option<Vec<String>>,
    /// Working directory of all commands; where arenalab was started, when nothing is said.
    pub directory: Option<String>,
    /// Variables that all commands have besides arenalab's own environment.
    pub env: BTreeMap<String, String>,
}

/// What shows that a service can be driven.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ready {
    /// It accepts connections at `HOST:PORT`.
    Tcp(String),
    /// It accepts connections at a Unix socket.
    Unix(String),
    /// A regular expression matches what it has printed.
    Log(String),
    /// A file is there.
    File(String),
    /// A command exits with 0.
    Command(Vec<String>),
}

impl Ready {
    /// Its key in a plan.
    pub const fn key(&self) -> &'static str {
        match self {
            Self::Tcp(_) => "tcp",
            Self::Unix(_) => "unix",
            Self::Log(_) => "log",
            Self::File(_) => "file",
            Self::Command(_) => "command",
        }
    }
}

/// How a service is stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stop {
    /// What asks it to end.
    pub how: How,
    /// Time until KILL.
    pub grace: Duration,
}

impl Default for Stop {
    fn default() -> Self {
        Self { how: How::Signal(StopSignal::Term), grace: DEFAULT_GRACE }
    }
}

/// What asks a service to end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum How {
    /// A signal to its processes that have no parent within the trial.
    Signal(StopSignal),
    /// A command.
    Command(Vec<String>),
}

/// The signals that stop a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopSignal {
    /// SIGTERM.
    Term,
    /// SIGINT.
    Int,
    /// SIGQUIT: graceful for some servers.
    Quit,
    /// SIGHUP.
    Hup,
    /// SIGKILL.
    Kill,
}

/// The signals by name.
pub const SIGNALS: [(&str, StopSignal); 5] = [
    ("TERM", StopSignal::Term),
    ("INT", StopSignal::Int),
    ("QUIT", StopSignal::Quit),
    ("HUP", StopSignal::Hup),
    ("KILL", StopSignal::Kill),
];

/// Work per second.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Throughput {
    /// This much work, by the seconds it took: of a batch job from start to end, of a service the driver's.
    Work {
        /// Units of work in one trial.
        amount: u64,
        /// What it is counted in, a second.
        unit: String,
    },
    /// A number that is printed.
    Printed(Figure),
}

impl Default for Throughput {
    fn default() -> Self {
        Self::Work { amount: 1, unit: "runs/s".to_owned() }
    }
}

/// A number that is printed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Figure {
    /// By whom.
    pub from: From,
    /// How it is found.
    pub find: Find,
    /// Which one, where there are several.
    pub take: Take,
    /// Its unit.
    pub unit: String,
}

/// Where a number is printed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum From {
    /// By the driver, on either stream.
    Driver,
    /// By the program itself, on either stream.
    Output,
    /// Into a file.
    File(String),
}

/// How a number is found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Find {
    /// The first group of a regular expression; its whole match where it has no group.
    Regex(String),
    /// A JSON pointer (RFC 6901) into the one JSON document that is printed.
    Json(String),
}

/// Which number counts, where a regular expression matches several times.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Take {
    /// The last.
    #[default]
    Last,
    /// The first.
    First,
    /// Their sum.
    Sum,
    /// Their arithmetic mean.
    Mean,
}

/// The ways to take a number by name.
pub const TAKES: [(&str, Take); 4] =
    [("last", Take::Last), ("first", Take::First), ("sum", Take::Sum), ("mean", Take::Mean)];

pub use crate::format::trial::LATENCY_UNITS;

impl Program {
    /// A batch job with nothing said but its command.
    pub fn batch(name: &str, command: Vec<String>) -> Self {
        Self {
            name: name.to_owned(),
            command,
            shell: false,
            ready: None,
            ready_timeout: DEFAULT_READY_TIMEOUT,
            driver: None,
            throughput: Throughput::default(),
            latency: None,
            stop: Stop::default(),
            setup: None,
            teardown: None,
            directory: None,
            env: BTreeMap::new(),
        }
    }

    /// Whether its work is the driver's, and not its own.
    pub const fn is_service(&self) -> bool {
        self.driver.is_some()
    }

    /// The executable by the name it was given; `sh` where a shell runs it.
    pub fn executable(&self) -> &str {
        if self.shell { "sh" } else { self.command.first().map_or("", String::as_str) }
    }

    /// Whether the plan's thread counts reach it.
    pub fn uses_threads(&self) -> bool {
        self.texts().any(|text| fill::has(text, "threads"))
    }

    /// Every text that may hold placeholders.
    pub fn texts(&self) -> impl Iterator<Item = &String> {
        let commands =
            [Some(&self.command), self.driver.as_ref(), self.setup.as_ref(), self.teardown.as_ref()];
        let ready = match &self.ready {
            Some(Ready::Tcp(text) | Ready::Unix(text) | Ready::File(text)) => std::slice::from_ref(text),
            Some(Ready::Command(words)) => words,
            Some(Ready::Log(_)) | None => &[],
        };
        let stop = match &self.stop.how {
            How::Command(words) => words.as_slice(),
            How::Signal(_) => &[],
        };
        let of_figure = |figure: &Figure| match &figure.from {
            From::File(_) => true,
            From::Driver | From::Output => false,
        };
        let printed = match &self.throughput {
            Throughput::Printed(figure) => Some(figure),
            Throughput::Work { .. } => None,
        };
        let figures = printed.into_iter().chain(&self.latency).filter(move |figure| of_figure(figure));
        let files = figures.filter_map(|figure| match &figure.from {
            From::File(path) => Some(path),
            From::Driver | From::Output => None,
        });
        (commands.into_iter().flatten().flatten())
            .chain(ready)
            .chain(stop)
            .chain(files)
            .chain(self.directory.as_ref())
            .chain(self.env.values())
    }
}
