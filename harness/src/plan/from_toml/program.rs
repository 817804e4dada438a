//! A `[[workload]]` with a command: the user's own program.

use std::collections::BTreeMap;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Reader, in_order, scalar};
use crate::knowledge::nearest::{quote, suggest};
use crate::plan::PlanError;
use crate::plan::program::Program;
use crate::plan::program::said::{Said, SaidFigure, SaidStop, Words};

const KEYS: [&str; 13] = [
    "command",
    "directory",
    "driver",
    "env",
    "latency",
    "name",
    "ready",
    "ready_timeout",
    "setup",
    "shell",
    "stop",
    "teardown",
    "throughput",
];
const READY: [&str; 5] = ["command", "file", "log", "tcp", "unix"];
const STOP: [&str; 3] = ["command", "grace", "signal"];
const FIGURE: [&str; 7] = ["from", "json", "path", "regex", "take", "unit", "work"];

type Value<'i> = Spanned<DeValue<'i>>;

/// Whether a key belongs to a program and not to a built-in workload.
pub(super) fn is_key(key: &str) -> bool {
    key != "name" && KEYS.contains(&key)
}

impl Reader<'_> {
    /// Reads a program.
    pub(super) fn program(&self, entry: &Value<'_>, table: &DeTable<'_>) -> Result<Program, PlanError> {
        let mut said = Said::default();
        let mut places = BTreeMap::new();
        for (key, value) in in_order(table) {
            let name = key.get_ref().as_ref();
            self.known(key, &KEYS, "this [[workload]]")?;
            places.insert(name.to_owned(), value.span().start);
            self.program_key(&mut said, name, value)?;
        }
        said.complete().map_err(|wrong| {
            let at = places.get(wrong.key).copied().unwrap_or(entry.span().start);
            self.error(at, format!("{}: {}", wrong.key, wrong.what))
        })
    }

    fn program_key(&self, said: &mut Said, key: &str, value: &Value<'_>) -> Result<(), PlanError> {
        match key {
            "name" => said.name = self.text(key, value)?,
            "command" => said.command = Some(self.words(key, value)?),
            "directory" => said.directory = Some(self.text(key, value)?),
            "driver" => said.driver = Some(self.words(key, value)?),
            "env" => said.env = self.each(value, key, None, Self::text)?,
            "latency" => said.latency = Some(self.figure(key, value)?),
            "ready" => {
                let kinds = self.each(value, key, Some(&READY), Self::words)?;
                said.ready = kinds.into_iter().collect();
            }
            "ready_timeout" => said.ready_timeout = Some(self.text(key, value)?),
            "setup" => said.setup = Some(self.words(key, value)?),
            "shell" => {
                let on = value.get_ref().as_bool();
                let wrong = || self.error(value.span().start, "shell must be true or false".to_owned());
                said.shell = on.ok_or_else(wrong)?;
            }
            "stop" => said.stop = Some(self.stop(value)?),
            "teardown" => said.teardown = Some(self.words(key, value)?),
            _ => said.throughput = Some(self.figure(key, value)?),
        }
        Ok(())
    }

    fn figure(&self, key: &str, value: &Value<'_>) -> Result<SaidFigure, PlanError> {
        let mut all = self.each(value, key, Some(&FIGURE), Self::text)?;
        Ok(SaidFigure {
            from: all.remove("from"),
            path: all.remove("path"),
            regex: all.remove("regex"),
            json: all.remove("json"),
            take: all.remove("take"),
            unit: all.remove("unit"),
            work: all.remove("work"),
        })
    }

    fn stop(&self, value: &Value<'_>) -> Result<SaidStop, PlanError> {
        let mut all = self.each(value, "stop", Some(&STOP), Self::words)?;
        let mut line = |key: &str| match all.remove(key) {
            Some(Words::List(_)) => {
                Err(self.error(value.span().start, format!("stop: {key} takes one text, not a list")))
            }
            Some(Words::Line(line)) => Ok(Some(line)),
            None => Ok(None),
        };
        Ok(SaidStop { signal: line("signal")?, grace: line("grace")?, command: all.remove("command") })
    }

    /// The entries of a table that is a value, each read by `read`.
    fn each<T>(
        &self,
        value: &Value<'_>,
        name: &str,
        known: Option<&[&str]>,
        read: impl Fn(&Self, &str, &Value<'_>) -> Result<T, PlanError>,
    ) -> Result<BTreeMap<String, T>, PlanError> {
        let wrong =
            || self.error(value.span().start, format!("{name} must be a table; write {name} = {{ … }}"));
        let table = value.get_ref().as_table().ok_or_else(wrong)?;
        let mut all = BTreeMap::new();
        for (key, value) in in_order(table) {
            if let Some(known) = known {
                self.known(key, known, name)?;
            }
            let key = key.get_ref().as_ref();
            all.insert(key.to_owned(), read(self, key, value)?);
        }
        Ok(all)
    }

    fn known(
        &self,
        key: &Spanned<std::borrow::Cow<'_, str>>,
        known: &[&str],
        place: &str,
    ) -> Result<(), PlanError> {
        let name = key.get_ref().as_ref();
        if known.contains(&name) {
            return Ok(());
        }
        let hint = suggest(name, known.iter().copied());
        Err(self.error(key.span().start, format!("unknown key {} in {place}; {hint}", quote(name))))
    }

    fn text(&self, key: &str, value: &Value<'_>) -> Result<String, PlanError> {
        scalar(value).map_err(|why| self.error(value.span().start, format!("{}: {why}", quote(key))))
    }

    fn words(&self, key: &str, value: &Value<'_>) -> Result<Words, PlanError> {
        match value.get_ref().as_array() {
            Some(list) => {
                let words: Result<_, _> = list.iter().map(|word| self.text(key, word)).collect();
                words.map(Words::List)
            }
            None => self.text(key, value).map(Words::Line),
        }
    }
}
