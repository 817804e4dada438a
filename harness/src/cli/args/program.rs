//! The flags that say how the program after `--` is run and measured. Each has its key in a plan's
//! `[[workload]]`.

use std::collections::BTreeMap;
use std::path::Path;

use clap::Args;

use crate::knowledge::nearest::quote;
use crate::plan::PlanError;
use crate::plan::program::Program;
use crate::plan::program::said::{Said, SaidFigure, SaidStop, Words, Wrong};

/// The program after `--`. `{port}`, `{dir}` and `{threads}` in its words stand for a fresh free port, a fresh
/// directory, and each count of --threads.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Program (with -- COMMAND)")]
pub struct ProgramArgs {
    /// The program's label in records and reports: a-z, 0-9 and '-' [default: from the command]
    #[arg(long, value_name = "NAME", requires = "command")]
    pub name: Option<String>,
    /// Take the command, and those of the flags below, as one line for sh -c
    #[arg(long, requires = "command")]
    pub shell: bool,
    /// The load generator of a service; its end is the end of the work, and the program is stopped then
    ///
    /// Without a driver the program is a batch job, whose end is the end of the work. Words are split at blanks
    /// as a shell would, but none is started: --driver 'redis-benchmark -p {port} -q'
    #[arg(long, value_name = "COMMAND", requires = "command")]
    pub driver: Option<String>,
    /// When a service can be driven: tcp=HOST:PORT, unix=PATH, log=REGEX, file=PATH or command=COMMAND
    ///
    /// For example tcp=127.0.0.1:{port}. What listens there before the program starts is refused, as it would be
    /// measured in its place.
    #[arg(long, value_name = "WHEN", requires = "driver")]
    pub ready: Option<String>,
    /// Time to become ready, with a unit [default: 10s]
    #[arg(long, value_name = "TIME", requires = "ready")]
    pub ready_timeout: Option<String>,
    /// How a service is stopped: TERM, INT, QUIT, HUP, KILL, or command=COMMAND [default: TERM]
    #[arg(long, value_name = "HOW", requires = "driver")]
    pub stop: Option<String>,
    /// Time from there to KILL, with a unit [default: 5s]
    #[arg(long, value_name = "TIME", requires = "driver")]
    pub stop_grace: Option<String>,
    /// A command to run before each trial
    #[arg(long, value_name = "COMMAND", requires = "command")]
    pub setup: Option<String>,
    /// A command to run after each trial, whatever became of it
    #[arg(long, value_name = "COMMAND", requires = "command")]
    pub teardown: Option<String>,
    /// Working directory of all commands; {dir} is the trial's own
    #[arg(long, value_name = "DIR", requires = "command")]
    pub directory: Option<String>,
    /// A variable for all commands, NAME=VALUE; may be repeated
    #[arg(long, value_name = "NAME=VALUE", requires = "command")]
    pub env: Vec<String>,
    /// Units of work in one run: throughput is this by the seconds it took [default: 1, in runs/s]
    #[arg(long, value_name = "N", requires = "command")]
    pub work: Option<String>,
    /// Read throughput from what is printed: the regular expression's first group is the number
    #[arg(long, value_name = "REGEX", requires = "command", conflicts_with_all = ["work", "throughput_json"])]
    pub throughput_regex: Option<String>,
    /// Read throughput from JSON that is printed, at this pointer, such as /summary/rate
    #[arg(long, value_name = "POINTER", requires = "command", conflicts_with = "work")]
    pub throughput_json: Option<String>,
    /// Who prints it: driver, output (the program), or file=PATH [default: the driver, else the program]
    #[arg(long, value_name = "WHERE", requires = "command")]
    pub throughput_from: Option<String>,
    /// Which number counts where the expression matches several times: last, first, sum or mean [default: last]
    #[arg(long, value_name = "WHICH", requires = "throughput_regex")]
    pub throughput_take: Option<String>,
    /// Its unit, such as requests/s [default: units/s]
    #[arg(long, value_name = "UNIT", requires = "command")]
    pub throughput_unit: Option<String>,
    /// Read a latency likewise, which --max-p99-loss then bounds
    #[arg(long, value_name = "REGEX", requires = "command", conflicts_with = "latency_json")]
    pub latency_regex: Option<String>,
    /// Read a latency from JSON that is printed, at this pointer
    #[arg(long, value_name = "POINTER", requires = "command")]
    pub latency_json: Option<String>,
    /// Who prints it: driver, output, or file=PATH
    #[arg(long, value_name = "WHERE", requires = "command")]
    pub latency_from: Option<String>,
    /// Which number counts: last, first, sum or mean [default: last]
    #[arg(long, value_name = "WHICH", requires = "latency_regex")]
    pub latency_take: Option<String>,
    /// Its unit: ns, us, ms or s [default: ms]
    #[arg(long, value_name = "UNIT", requires = "command")]
    pub latency_unit: Option<String>,
    /// A program of your own, after --
    #[arg(last = true, value_name = "COMMAND", conflicts_with = "workloads")]
    pub command: Vec<String>,
}

impl ProgramArgs {
    /// The program, where there is one.
    ///
    /// # Errors
    /// One line that names the flag.
    pub fn program(&self) -> Result<Option<Program>, PlanError> {
        if self.command.is_empty() {
            return Ok(None);
        }
        let command = match (self.shell, self.command.as_slice()) {
            (true, [line]) => Words::Line(line.clone()),
            (true, _) => return Err(PlanError::new("--shell takes one text after --, in quotes".to_owned())),
            (false, words) => Words::List(words.to_vec()),
        };
        let said = Said {
            name: self.name.clone().unwrap_or_else(|| self.label()),
            command: Some(command),
            shell: self.shell,
            ready: self.ready()?,
            ready_timeout: self.ready_timeout.clone(),
            driver: self.words("driver", self.driver.as_ref())?,
            throughput: self.throughput(),
            latency: self.latency(),
            stop: self.stop()?,
            setup: self.words("setup", self.setup.as_ref())?,
            teardown: self.words("teardown", self.teardown.as_ref())?,
            directory: self.directory.clone(),
            env: self.variables()?,
        };
        said.complete()
            .map(Some)
            .map_err(|Wrong { key, what }| PlanError::new(what).of_flag(&key.replace('_', "-")))
    }

    /// A label from the command's file name.
    fn label(&self) -> String {
        let first = self.command.first().map_or("", String::as_str);
        let word = if self.shell { first.split_whitespace().next().unwrap_or_default() } else { first };
        let name = Path::new(word)
            .file_name()
            .map_or_else(String::new, |name| name.to_string_lossy().to_lowercase());
        let plain: String =
            name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).take(40).collect();
        let plain = plain.trim_matches('-');
        if plain.is_empty() { "program".to_owned() } else { plain.to_owned() }
    }

    /// A command of a flag: a line for the shell, or words.
    fn words(&self, flag: &str, text: Option<&String>) -> Result<Option<Words>, PlanError> {
        let Some(text) = text else { return Ok(None) };
        if self.shell {
            return Ok(Some(Words::Line(text.clone())));
        }
        let unclosed =
            || PlanError::new(format!("{} has a quote that is not closed", quote(text))).of_flag(flag);
        shlex::split(text).map(|words| Some(Words::List(words))).ok_or_else(unclosed)
    }

    fn ready(&self) -> Result<Vec<(String, Words)>, PlanError> {
        let Some(text) = &self.ready else { return Ok(Vec::new()) };
        let Some((kind, value)) = text.split_once('=') else {
            let what = format!("{} is not KIND=VALUE, such as tcp=127.0.0.1:{{port}}", quote(text));
            return Err(PlanError::new(what).of_flag("ready"));
        };
        let value = match kind {
            "command" => self.words("ready", Some(&value.to_owned()))?.unwrap_or(Words::List(Vec::new())),
            _ => Words::Line(value.to_owned()),
        };
        Ok(vec![(kind.to_owned(), value)])
    }

    fn stop(&self) -> Result<Option<SaidStop>, PlanError> {
        let command = self.stop.as_ref().and_then(|text| text.strip_prefix("command=")).map(str::to_owned);
        let signal = self.stop.clone().filter(|_| command.is_none());
        let stop = SaidStop {
            signal,
            command: self.words("stop", command.as_ref())?,
            grace: self.stop_grace.clone(),
        };
        Ok((stop != SaidStop::default()).then_some(stop))
    }

    fn throughput(&self) -> Option<SaidFigure> {
        let (from, path) = place(self.throughput_from.as_ref());
        let said = SaidFigure {
            from,
            path,
            regex: self.throughput_regex.clone(),
            json: self.throughput_json.clone(),
            take: self.throughput_take.clone(),
            unit: self.throughput_unit.clone(),
            work: self.work.clone(),
        };
        let printed = said.regex.is_some() || said.json.is_some();
        let unit = said.unit.clone().or_else(|| printed.then(|| "units/s".to_owned()));
        (said != SaidFigure::default()).then_some(SaidFigure { unit, ..said })
    }

    fn latency(&self) -> Option<SaidFigure> {
        let (from, path) = place(self.latency_from.as_ref());
        let said = SaidFigure {
            from,
            path,
            regex: self.latency_regex.clone(),
            json: self.latency_json.clone(),
            take: self.latency_take.clone(),
            unit: self.latency_unit.clone(),
            work: None,
        };
        (said != SaidFigure::default())
            .then(|| SaidFigure { unit: said.unit.clone().or_else(|| Some("ms".to_owned())), ..said })
    }

    fn variables(&self) -> Result<BTreeMap<String, String>, PlanError> {
        let pair = |text: &String| {
            let pair = text.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
            pair.ok_or_else(|| PlanError::new(format!("{} is not NAME=VALUE", quote(text))).of_flag("env"))
        };
        self.env.iter().map(pair).collect()
    }
}

/// `file=PATH`, or a word.
fn place(text: Option<&String>) -> (Option<String>, Option<String>) {
    match text.map(|text| (text, text.strip_prefix("file="))) {
        Some((_, Some(path))) => (Some("file".to_owned()), Some(path.to_owned())),
        Some((word, None)) => (Some(word.clone()), None),
        None => (None, None),
    }
}
