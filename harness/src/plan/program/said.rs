//! A program's definition as it was said, by flags or in a plan file, and how it becomes a [`Program`].

use std::collections::BTreeMap;
use std::time::Duration;

use regex::Regex;

use super::fill;
use super::{
    DEFAULT_GRACE, DEFAULT_READY_TIMEOUT, Figure, Find, From, How, LATENCY_UNITS, Program, Ready, SIGNALS,
    Stop, StopSignal, TAKES, Take, Throughput,
};
use crate::knowledge::nearest::{quote, suggest};
use crate::knowledge::{preload, scrub};
use crate::plan::fields;

/// Longest name.
const LONGEST_NAME: usize = 40;
/// Most words of a command, and most variables.
const MOST_WORDS: usize = 1024;
/// Longest word, in bytes.
const LONGEST_WORD: usize = 64 << 10;
/// Most work of one trial: what a float holds exactly.
const MOST_WORK: u64 = 1 << 53;

/// A command as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Words {
    /// One text.
    Line(String),
    /// A list.
    List(Vec<String>),
}

/// A figure as written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SaidFigure {
    /// `driver`, `output` or `file`.
    pub from: Option<String>,
    /// The file.
    pub path: Option<String>,
    /// Regular expression.
    pub regex: Option<String>,
    /// JSON pointer.
    pub json: Option<String>,
    /// `last`, `first`, `sum` or `mean`.
    pub take: Option<String>,
    /// Unit.
    pub unit: Option<String>,
    /// Work of one trial; of throughput alone.
    pub work: Option<String>,
}

/// How to stop, as written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SaidStop {
    /// A signal's name.
    pub signal: Option<String>,
    /// A command.
    pub command: Option<Words>,
    /// Time until KILL.
    pub grace: Option<String>,
}

/// A definition as written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// Label.
    pub name: String,
    /// The command.
    pub command: Option<Words>,
    /// Whether commands are lines for a shell.
    pub shell: bool,
    /// Kinds of readiness with what belongs to each; one is taken.
    pub ready: Vec<(String, Words)>,
    /// Time to become ready.
    pub ready_timeout: Option<String>,
    /// The load generator.
    pub driver: Option<Words>,
    /// Work per second.
    pub throughput: Option<SaidFigure>,
    /// A latency.
    pub latency: Option<SaidFigure>,
    /// How to stop.
    pub stop: Option<SaidStop>,
    /// Run before each trial.
    pub setup: Option<Words>,
    /// Run after each trial.
    pub teardown: Option<Words>,
    /// Working directory.
    pub directory: Option<String>,
    /// Variables.
    pub env: BTreeMap<String, String>,
}

/// What is wrong, and under which key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// The key.
    pub key: &'static str,
    /// One clause.
    pub what: String,
}

fn wrong(key: &'static str) -> impl FnOnce(String) -> Wrong {
    move |what| Wrong { key, what }
}

impl Said {
    /// The program.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn complete(self) -> Result<Program, Wrong> {
        name(&self.name).map_err(wrong("name"))?;
        let shell = self.shell;
        let words = |key: &'static str, said: Option<Words>| match said {
            Some(said) => command(said, shell).map(Some).map_err(wrong(key)),
            None => Ok(None),
        };
        let service = self.driver.is_some();
        let program = Program {
            command: words("command", self.command)?
                .ok_or_else(|| wrong("command")("it has no command".to_owned()))?,
            shell,
            ready: ready(self.ready, shell).map_err(wrong("ready"))?,
            ready_timeout: time(self.ready_timeout.as_ref(), "ready_timeout", DEFAULT_READY_TIMEOUT)
                .map_err(wrong("ready_timeout"))?,
            driver: words("driver", self.driver)?,
            throughput: throughput(self.throughput, service).map_err(wrong("throughput"))?,
            latency: latency(self.latency, service).map_err(wrong("latency"))?,
            stop: stop(self.stop, shell).map_err(wrong("stop"))?,
            setup: words("setup", self.setup)?,
            teardown: words("teardown", self.teardown)?,
            directory: self.directory,
            env: self.env,
            name: self.name,
        };
        hold_together(&program)?;
        Ok(program)
    }
}

/// What the parts must hold together.
fn hold_together(program: &Program) -> Result<(), Wrong> {
    if program.ready.is_some() && !program.is_service() {
        let what = "there is nothing to do once it is ready; name a driver, the load generator of a service";
        return Err(wrong("ready")(what.to_owned()));
    }
    for (name, value) in &program.env {
        variable(name, value).map_err(wrong("env"))?;
    }
    if program.env.len() > MOST_WORDS {
        return Err(wrong("env")(format!("more than {MOST_WORDS} variables")));
    }
    for text in program.texts() {
        fill::check(text).map_err(wrong("command"))?;
        if text.contains('\0') || text.len() > LONGEST_WORD {
            return Err(wrong("command")("a text in it is too long, or holds a zero byte".to_owned()));
        }
    }
    Ok(())
}

fn name(name: &str) -> Result<(), String> {
    let fine = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if name.is_empty() || name.len() > LONGEST_NAME || !name.chars().all(fine) {
        return Err(format!(
            "name is {}, but must be 1 to {LONGEST_NAME} of the characters a-z, 0-9 and '-'",
            quote(name)
        ));
    }
    if arenalab_workloads::catalogue::all().iter().any(|known| known.name == name) {
        return Err(format!("{} is a built-in workload; give the program another name", quote(name)));
    }
    Ok(())
}

fn variable(name: &str, value: &str) -> Result<(), String> {
    if !preload::is_name(name) {
        return Err(format!("{} is no name of an environment variable", quote(name)));
    }
    if !scrub::steers(name, value) {
        return Ok(());
    }
    if let Some(item) =
        value.split(':').find(|item| name == "GLIBC_TUNABLES" && scrub::is_tunable_of_ours(item))
    {
        let key = item.trim_start_matches("glibc.malloc.");
        return Err(format!(
            "{} in {name} steers the allocator, which is for a candidate to do, such as --candidate glibc:{key}; tunables \
             other than glibc.malloc and glibc.mem may stay",
            quote(item)
        ));
    }
    Err(format!(
        "{name} steers the allocator, which is for a candidate to do: glibc:KEY=VALUE, jemalloc:KEY=VALUE, or \
         preload=/path/lib.so:{name}=VALUE"
    ))
}

fn command(said: Words, shell: bool) -> Result<Vec<String>, String> {
    let words = match (said, shell) {
        (Words::Line(line), true) => vec![line],
        (Words::List(words), false) => words,
        (Words::Line(line), false) => {
            return Err(format!(
                "{} is one text; write a list of words, [\"server\", \"--port\", \"{{port}}\"], or say shell = true",
                quote(&line)
            ));
        }
        (Words::List(_), true) => {
            return Err("with shell = true a command is one text for sh -c, not a list".to_owned());
        }
    };
    if words.first().is_none_or(|first| first.trim().is_empty()) {
        return Err("the command is empty".to_owned());
    }
    if words.len() > MOST_WORDS {
        return Err(format!("the command has more than {MOST_WORDS} words"));
    }
    Ok(words)
}

fn time(text: Option<&String>, name: &str, default: Duration) -> Result<Duration, String> {
    text.map_or(Ok(default), |text| fields::duration(name, text, fields::SHORTEST_TIMEOUT))
}

fn ready(said: Vec<(String, Words)>, shell: bool) -> Result<Option<Ready>, String> {
    const KINDS: [&str; 5] = ["command", "file", "log", "tcp", "unix"];
    let mut said = said.into_iter();
    let Some((kind, value)) = said.next() else { return Ok(None) };
    if said.next().is_some() {
        return Err("it says several things; one of tcp, unix, log, file and command is taken".to_owned());
    }
    if kind == "command" {
        return command(value, shell).map(|words| Some(Ready::Command(words)));
    }
    let Words::Line(text) = value else { return Err(format!("{kind} takes one text, not a list")) };
    match kind.as_str() {
        "tcp" => address(&text).map(|()| Some(Ready::Tcp(text))),
        "unix" => Ok(Some(Ready::Unix(text))),
        "file" => Ok(Some(Ready::File(text))),
        "log" => pattern(&text).map(|()| Some(Ready::Log(text))),
        other => Err(format!("unknown key {}; {}", quote(other), suggest(other, KINDS))),
    }
}

fn address(text: &str) -> Result<(), String> {
    let port = text.rsplit_once(':').filter(|(host, _)| !host.is_empty()).map(|(_, port)| port);
    match port {
        Some(port) if port.contains('{') || port.parse::<u16>().is_ok_and(|port| port > 0) => Ok(()),
        _ => Err(format!("tcp is {}, but must be HOST:PORT, such as 127.0.0.1:{{port}}", quote(text))),
    }
}

fn pattern(text: &str) -> Result<(), String> {
    let compiled = Regex::new(text);
    compiled.map(drop).map_err(|error| {
        let why = error.to_string();
        let why = why.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
        format!("{} is no regular expression: {why}", quote(text))
    })
}

fn throughput(said: Option<SaidFigure>, service: bool) -> Result<Throughput, String> {
    let Some(mut said) = said else { return Ok(Throughput::default()) };
    let Some(work) = said.work.take() else { return figure(said, service).map(Throughput::Printed) };
    if said.regex.is_some() || said.json.is_some() || said.from.is_some() || said.path.is_some() {
        return Err(
            "work is divided by the time it took; it goes with a unit alone, or leave work out".to_owned()
        );
    }
    let amount = work.parse::<u64>().ok().filter(|amount| (1..=MOST_WORK).contains(amount));
    let amount =
        amount.ok_or_else(|| format!("work is {}, but must be a whole number from 1", quote(&work)))?;
    let unit = unit(said.unit.unwrap_or_else(|| "units/s".to_owned()))?;
    Ok(Throughput::Work { amount, unit })
}

fn latency(said: Option<SaidFigure>, service: bool) -> Result<Option<Figure>, String> {
    let Some(said) = said else { return Ok(None) };
    if said.work.is_some() {
        return Err("work belongs to throughput".to_owned());
    }
    let figure = figure(said, service)?;
    if LATENCY_UNITS.iter().any(|(name, _)| *name == figure.unit) {
        return Ok(Some(figure));
    }
    let names = LATENCY_UNITS.map(|(name, _)| name);
    Err(format!("unit is {}; {}", quote(&figure.unit), suggest(&figure.unit, names)))
}

fn figure(said: SaidFigure, service: bool) -> Result<Figure, String> {
    let from = match (said.from.as_deref(), said.path) {
        (Some("driver") | None, None) if service => From::Driver,
        (Some("driver"), None) => {
            return Err("there is no driver to read from; write from = \"output\"".to_owned());
        }
        (Some("output") | None, None) => From::Output,
        (Some("file") | None, Some(path)) => From::File(path),
        (Some("file"), None) => return Err("which file? Add path = \"{dir}/FILE\"".to_owned()),
        (Some(_), Some(_)) => return Err("path goes with from = \"file\" alone".to_owned()),
        (Some(other), None) => {
            let known = suggest(other, ["driver", "file", "output"]);
            return Err(format!("from is {}; {known}", quote(other)));
        }
    };
    let find = match (said.regex, said.json) {
        (Some(text), None) => pattern(&text).map(|()| Find::Regex(text))?,
        (None, Some(pointer)) if pointer.is_empty() || pointer.starts_with('/') => Find::Json(pointer),
        (None, Some(pointer)) => {
            return Err(format!(
                "json is {}, but must be a JSON pointer, such as /summary/rate",
                quote(&pointer)
            ));
        }
        (None, None) => return Err("it says neither regex nor json, by which the number is found".to_owned()),
        (Some(_), Some(_)) => return Err("it says regex and json; one of them is taken".to_owned()),
    };
    let take = match said.take {
        Some(text) => fields::named("take", &text, &TAKES)?,
        None => Take::default(),
    };
    Ok(Figure { from, find, take, unit: unit(said.unit.ok_or("it has no unit, such as \"requests/s\"")?)? })
}

fn unit(text: String) -> Result<String, String> {
    let fine = !text.is_empty() && text.len() <= 40 && !text.chars().any(char::is_control);
    if fine {
        Ok(text)
    } else {
        Err(format!("unit is {}, but must be 1 to 40 printed characters", quote(&text)))
    }
}

fn stop(said: Option<SaidStop>, shell: bool) -> Result<Stop, String> {
    let Some(said) = said else { return Ok(Stop::default()) };
    let how = match (said.signal, said.command) {
        (Some(_), Some(_)) => return Err("it says signal and command; one of them is taken".to_owned()),
        (None, Some(words)) => How::Command(command(words, shell)?),
        (Some(signal), None) => {
            How::Signal(fields::named("signal", signal.trim_start_matches("SIG"), &SIGNALS)?)
        }
        (None, None) => How::Signal(StopSignal::Term),
    };
    Ok(Stop { how, grace: time(said.grace.as_ref(), "grace", DEFAULT_GRACE)? })
}
